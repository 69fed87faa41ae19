"""A ledger of batches in the journal of a run: see `batching.ledgers`.

    {"batch": "<mark>", "endpoint": "/v1/chat/completions", "keys": ["6f1c...", ...]}
    {"batch_made": "<mark>", "id": "batch_..."}
    {"batch_ended": "batch_..."}

The first line is written before the batch is made, and the second one when its ID is known. Another
process that finds only the first looks for the mark in the gateway's list.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from meshapi_core.batching.ledgers import BatchIntent, KnownBatch
from meshapi_core.batching.submission import NOT_SUBMITTED
from meshapi_core.flows.steps import Flow

__all__ = ["BatchNote", "JournalLedger"]

Write = Callable[["dict[str, Any]"], Flow[None]]


class BatchNote(Struct, frozen=True):
    """A line of the journal about a batch; of other lines, nothing is read."""

    batch: str = ""
    endpoint: str = ""
    keys: Sequence[str] = ()
    batch_made: str = ""
    id: str = ""
    batch_ended: str = ""


class _Batch(Struct):
    mark: str
    keys: Sequence[str]
    offset: int
    batch_id: str = ""
    has_ended: bool = False


class JournalLedger:
    """The batches of a run, in the lines of its journal.

    The calls in a batch go by their keys, which are their custom IDs, too.

    Args:
        notes: the lines of the journal that are about batches, in order, with their offsets.
        write: appends such a line, if there is a journal.
        is_done: whether the call with a key has a result already that may be that of a batch whose
            line is at an offset.
    """

    def __init__(
        self,
        notes: Sequence[tuple[int, BatchNote]],
        write: Write,
        is_done: Callable[[str, int], bool] = lambda key, offset: False,
    ) -> None:
        self._write = write
        batches: dict[str, _Batch] = {}
        made: dict[str, _Batch] = {}
        for offset, note in notes:
            if note.batch:
                batches[note.batch] = _Batch(note.batch, note.keys, offset)
            elif note.batch_made in batches:
                batch = batches[note.batch_made]
                batch.batch_id, made[note.id] = note.id, batch
            elif note.batch_ended in made:
                made[note.batch_ended].has_ended = True
        self._known = [batch for batch in batches.values() if not batch.has_ended]
        self._places: dict[str, int] = {}
        self._counts = [0] * len(self._known)
        for place, batch in enumerate(self._known):
            for key in batch.keys:
                if not is_done(key, batch.offset):
                    # The latest batch counts, of a call that was submitted again.
                    before = self._places.get(key)
                    if before is not None:
                        self._counts[before] -= 1
                    self._places[key] = place
                    self._counts[place] += 1

    def known(self) -> Sequence[KnownBatch]:
        """Return the batches that may hold results of calls."""
        return [
            KnownBatch(mark=batch.mark, batch_id=batch.batch_id, count=count)
            for batch, count in zip(self._known, self._counts)
        ]

    def find(self, number: int, name: str) -> int:
        """Return which of the known batches a call is in; -1 if it is in none."""
        return self._places.get(name, NOT_SUBMITTED)

    def intended(self, names: Sequence[str]) -> str:
        """Return the mark of a batch of these very calls whose ID is unknown; "" for none."""
        for batch in self._known:
            if not batch.batch_id and [*batch.keys] == [*names]:
                return batch.mark
        return ""

    def submitting(self, intent: BatchIntent) -> Flow[None]:
        """Note a batch that is about to be made."""
        yield from self._note(batch=intent.mark, endpoint=intent.endpoint, keys=[*intent.names])

    def submitted(self, mark: str, batch_id: str) -> Flow[None]:
        """Note the ID of a batch."""
        for batch in self._known:
            if batch.mark == mark:
                batch.batch_id = batch_id
        yield from self._note(batch_made=mark, id=batch_id)

    def ended(self, batch_id: str) -> Flow[None]:
        """Note that all results of a batch have been handed over."""
        yield from self._note(batch_ended=batch_id)

    def _note(self, **fields: Any) -> Flow[None]:
        yield from self._write(fields)


def note_of(line: bytes) -> BatchNote:
    """Return what a line of the journal says about a batch."""
    try:
        return msgspec.json.decode(line, type=BatchNote)
    except msgspec.ValidationError:
        # Of a kind that this version does not know.
        return BatchNote()
