"""The calls of a batch that is to be made, and whether it has been made."""

from collections.abc import Mapping
from typing import Any, Final, Optional

from msgspec import Struct
from msgspec.structs import replace

from meshapi_core.batching.ledgers import BatchIntent
from meshapi_core.batching.sources import BatchCall
from meshapi_core.batching.submission import (
    MOST_BATCH_BYTES,
    MOST_BATCH_REQUESTS,
    batch_call,
    row_of,
)
from meshapi_core.calls import Call
from meshapi_core.endpoints._batched_calls import page_of_batches
from meshapi_core.errors import MeshAPIError
from meshapi_core.flows.steps import Flow
from meshapi_core.readers import Reader
from meshapi_core.types.batches import BatchListResponse, BatchObject

__all__ = ["MARK", "Entry", "Part", "entry_of", "found_by_mark"]

MARK: Final = "meshapi_batch"
"""The name of a batch's mark in its metadata."""

_MOST_PAGES: Final = 100
"""The pages of the gateway's list that are looked through for marks: 2,000 batches, newest first,
are more than an account makes between two runs."""

_PAGE: Final = 20


class Entry(Struct, frozen=True):
    """A call that is gathered, or in an open batch.

    Fields:
        number, name: see `BatchCall`.
        group: its endpoint and its model.
        row: its row in a batch.
        reader: reads its response.
        tries: how many times it was submitted again.
    """

    number: int
    name: str
    group: tuple[str, str]
    row: bytes
    reader: Reader[Any]
    tries: int = 0


class Part(Struct):
    """A batch that is gathered, or about to be made.

    Fields:
        mark: "" until the ledger knows it.
        doubt: why nobody knows whether it was made; None if it was not.
    """

    entries: list[Entry] = []
    size: int = 0
    mark: str = ""
    doubt: Optional[MeshAPIError] = None

    def has_room(self, entry: Entry) -> bool:
        size = self.size + len(entry.row) + 1
        return len(self.entries) < MOST_BATCH_REQUESTS and size <= MOST_BATCH_BYTES

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.size += len(entry.row) + 1

    def intent(self) -> BatchIntent:
        return BatchIntent(
            mark=self.mark,
            endpoint=self.entries[0].group[0],
            numbers=[entry.number for entry in self.entries],
            names=[entry.name for entry in self.entries],
        )

    def call(self, fields: Mapping[str, Any]) -> Call[BatchObject]:
        given: Mapping[str, Any] = fields.get("metadata") or {}
        metadata = {**given, MARK: self.mark}
        call = batch_call((entry.row for entry in self.entries), {**fields, "metadata": metadata})
        return _keyed(call, self.mark)


def entry_of(given: BatchCall) -> Entry:
    """Return a call as it is kept.

    Raises:
        InvalidParamsError: it cannot be in a batch.
    """
    endpoint, model, row = row_of(given.call, f"calls[{given.number}]", given.name)
    return Entry(given.number, given.name, (endpoint, model), row, given.call.reader)


def found_by_mark(marks: set[str]) -> Flow[dict[str, str]]:
    """Look through the gateway's list for batches with these marks, and return their IDs."""
    found: dict[str, str] = {}
    after: Optional[str] = None
    for _ in range(_MOST_PAGES):
        page: BatchListResponse = yield page_of_batches(after, _PAGE)
        for batch in page.data:
            mark: Any = (batch.metadata or {}).get(MARK)
            if isinstance(mark, str) and mark in marks and batch.id:
                found.setdefault(mark, batch.id)
        after = page.last_id or (page.data[-1].id if page.data else None)
        if not page.has_more or not after or len(found) == len(marks):
            break
    return found


def _keyed(call: Call[BatchObject], key: str) -> Call[BatchObject]:
    """Return a call with an idempotency key."""
    return replace(call, idempotency_key=key) if "idempotency_key" in _FIELDS else call


_FIELDS: Final = Call.__struct_fields__
