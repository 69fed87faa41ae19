"""Who remembers which calls are in which batches, so that none is submitted twice.

A run of batches tells its ledger what it is about to submit, what it has submitted, and what has
ended, and asks it at the start what is under way. A journal is a ledger that outlives the process.
`SubmissionLedger` only lives as long as the run, and is where `BatchSubmission`s come from.

Each batch has a mark, which is in its metadata and is its idempotency key. The ledger learns it
before the batch is made. If the process ends before the ledger learns the batch's ID, the next one
finds the batch by its mark in the gateway's list.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any, Optional

from msgspec import Struct
from typing_extensions import Protocol

from meshapi_core._json_kinds import is_mapping, type_name
from meshapi_core.batching.submission import NOT_SUBMITTED, BatchSubmission
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.steps import Flow

__all__ = ["BatchIntent", "BatchLedger", "KnownBatch", "SubmissionLedger"]


class BatchIntent(Struct, frozen=True, kw_only=True):
    """A batch that is about to be made.

    Fields:
        mark: tells it from all others.
        endpoint: the path of its endpoint.
        numbers: the numbers of its calls.
        names: their custom IDs, in the same order.
    """

    mark: str
    endpoint: str
    numbers: Sequence[int]
    names: Sequence[str]


class KnownBatch(Struct, frozen=True, kw_only=True):
    """A batch that an earlier run made, or was about to make.

    Fields:
        mark: see `BatchIntent`.
        batch_id: "" if the run ended before it could be recorded.
        count: how many calls of it are expected to come. The batch is looked at when so many have
            come, or all calls have.
    """

    mark: str
    batch_id: str
    count: int


class BatchLedger(Protocol):
    """What a run of batches asks and tells. Its flows may write to a file."""

    def known(self) -> Sequence[KnownBatch]:
        """Return the batches that may hold results of calls; asked once, at the start."""
        ...

    def find(self, number: int, name: str) -> int:
        """Return which of the known batches a call is in, the latest one; -1 if it is in none."""
        ...

    def intended(self, names: Sequence[str]) -> str:
        """Return the mark of a batch that an earlier run was about to make of these very calls.

        Whether it was made is unknown: it is not in the gateway's list, maybe not yet. With the
        same mark it has the same idempotency key.

        Returns:
            The mark; "" if there is no such batch.
        """
        ...

    def submitting(self, intent: BatchIntent) -> Flow[None]:
        """Note a batch; it is made only after that. In one run, this comes once for each mark."""
        ...

    def submitted(self, mark: str, batch_id: str) -> Flow[None]:
        """Note the ID of a batch, which was made now, or was found by its mark."""
        ...

    def ended(self, batch_id: str) -> Flow[None]:
        """Note that all results of a batch have been handed over, or submitted again."""
        ...


class SubmissionLedger:
    """Remembers where each call is, in four bytes a call.

    Args:
        under_way: what an earlier run left, or None.

    Raises:
        InvalidParamsError: that is no submission.
    """

    def __init__(self, under_way: Optional[BatchSubmission[Any]]) -> None:
        before: BatchSubmission[Any] = BatchSubmission((), (), ())
        if under_way is not None:
            _check_kind(under_way)
            under_way.check("under_way")
            before = under_way
        self._before = before
        self._ids = list(before.batch_ids)
        self._endpoints = list(before.endpoints)
        self._places = array("i", before.places)
        self._intents: dict[str, BatchIntent] = {}

    def known(self) -> Sequence[KnownBatch]:
        counts = Counter(self._places)
        return [
            KnownBatch(mark="", batch_id=batch_id, count=counts[place])
            for place, batch_id in enumerate(self._before.batch_ids)
        ]

    def find(self, number: int, name: str) -> int:
        places = self._before.places
        return places[number] if number < len(places) else NOT_SUBMITTED

    def intended(self, names: Sequence[str]) -> str:
        return ""

    def submitting(self, intent: BatchIntent) -> Flow[None]:
        self._intents[intent.mark] = intent
        yield from ()

    def submitted(self, mark: str, batch_id: str) -> Flow[None]:
        intent = self._intents.pop(mark)
        missing = 1 + max(intent.numbers) - len(self._places)
        self._places.extend([NOT_SUBMITTED] * missing)
        for number in intent.numbers:
            self._places[number] = len(self._ids)
        self._ids.append(batch_id)
        self._endpoints.append(intent.endpoint)
        yield from ()

    def ended(self, batch_id: str) -> Flow[None]:
        yield from ()

    def submission(self) -> BatchSubmission[Any]:
        """Return where each call is by now."""
        return BatchSubmission(tuple(self._ids), tuple(self._endpoints), tuple(self._places))


def _check_kind(given: object) -> None:
    # For callers without a type checker.
    if not isinstance(given, BatchSubmission):
        hint = "write msgspec.convert(x, BatchSubmission)" if is_mapping(given) else ""
        expected = "the BatchSubmission of an earlier run, or None"
        raise InvalidParamsError("under_way", expected, type_name(given), hint)
