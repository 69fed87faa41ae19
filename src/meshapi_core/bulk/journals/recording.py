"""What a run does with its journal: looks up what is recorded, and records what ends.

Results are collected, and written together, as many as have ended at the same time: that is one
write, after which all of them are handed over. Without a journal, they are handed over at once.
"""

from collections.abc import Iterable
from typing import Any, Final, Generic, NamedTuple, Optional, TypeVar

from meshapi_core._journal_errors import JournalError
from meshapi_core.bulk.inputs import Entry
from meshapi_core.bulk.item_usage import cost_in_usage
from meshapi_core.bulk.items import MapItem
from meshapi_core.bulk.journals.journal import gateway_of
from meshapi_core.bulk.journals.journaling import (
    OpenedJournal,
    begin_journal,
    digest_of,
    read_journal,
)
from meshapi_core.bulk.journals.keys import CallKeys, idempotency_key
from meshapi_core.bulk.journals.records import Record
from meshapi_core.bulk.options import Plan
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import MeshAPIError
from meshapi_core.flows.journals import AppendJournal, CloseJournal, ReadRecord
from meshapi_core.flows.steps import Flow
from meshapi_core.messages import Response

__all__ = ["UNKNOWN", "Known", "Recording"]

T = TypeVar("T")


class Known(NamedTuple):
    """What a journal knows of a call.

    Fields:
        key: of the call; "" without a journal.
        idempotency_key: to send it with; None leaves it to the client.
        item: its result, if it has one that counts.
    """

    key: str = ""
    idempotency_key: Optional[str] = None
    item: Optional[MapItem[Any]] = None


UNKNOWN: Final = Known()
"""Of every call without a journal."""


class Recording(Generic[T]):
    """The journal of one run, if it has one.

    Args:
        plan: of the run.

    Attributes:
        found: how many results were found in it.
    """

    def __init__(self, plan: Plan) -> None:
        self.found = 0
        self._path = plan.journal
        self._resume = plan.resume
        self._retry_failed = plan.retry_failed
        self._opened: Optional[OpenedJournal] = None
        self._keys = CallKeys()
        self._gateway = ""
        self._has_begun = False
        self._secrets: tuple[str, ...] = ()
        self._lines: list[bytes] = []
        self._items: list[MapItem[T]] = []

    @property
    def has_journal(self) -> bool:
        """Whether anything is recorded."""
        return self._opened is not None

    def open(self, config: MeshAPIConfig) -> Flow[None]:
        """Open the journal, and read it.

        Raises:
            JournalError: see `read_journal`.
        """
        if self._path is None:
            return
        token: object = config.token
        tokens = (token,) if isinstance(token, str) else ()
        self._secrets = config.extras.secrets_with(*tokens)
        self._gateway = gateway_of(config)
        opened: OpenedJournal = yield from read_journal(self._path)
        self._opened = opened
        self._keys = CallKeys(opened.journal.run)

    def look_up(self, entry: Entry) -> Flow[Known]:
        """Return what the journal knows of the next call. The first one shows whose journal it is.

        Raises:
            JournalError: it is that of another run, or cannot be written or read.
            InvalidParamsError: the call cannot be recorded.
            OSError: a file that the call sends cannot be found.
        """
        opened = self._opened
        if opened is None:
            return UNKNOWN
        digest: bytes = yield from digest_of(entry.call)
        key = self._keys.key_of(digest, entry.given_id)
        if not self._has_begun:
            yield from self.begin(key)
        place = opened.journal.find(key)
        if place is None:
            return Known(key, key)
        if not place.ok and self._retry_failed:
            return Known(key, idempotency_key(key, place.failures))
        line: bytes = yield ReadRecord(opened.file, place.offset)
        self.found += 1
        return Known(key, item=_item(entry, opened.journal.read(line)))

    def begin(self, first: Optional[str] = None) -> Flow[None]:
        """Check the journal, and make it ready to be written to. Harmless twice.

        Args:
            first: the key of the run's first call; None if it has none.

        Raises:
            JournalError: see `begin_journal`.
        """
        if self._opened is None or self._has_begun:
            return
        self._has_begun = True
        yield from begin_journal(
            self._opened, gateway=self._gateway, first=first, resume=self._resume
        )

    def notes(self) -> Flow[list[tuple[int, bytes]]]:
        """Return the lines of the journal that are not records of calls, with their offsets."""
        opened, lines = self._opened, list[tuple[int, bytes]]()
        if opened is None:
            return lines
        for offset in opened.journal.notes:
            line: bytes = yield ReadRecord(opened.file, offset)
            lines.append((offset, line))
        return lines

    def note(self, fields: dict[str, Any]) -> Flow[None]:
        """Write a line that is no record of a call; nothing without a journal.

        Raises:
            JournalError: that fails.
        """
        if self._opened is not None:
            yield AppendJournal(self._opened.file, self._opened.journal.note_of(fields))

    def is_done(self, key: str, offset: int) -> bool:
        """Whether nothing that was under way at a place in the journal is waited for.

        Args:
            key: of a call, which has a result that is not to be replaced, or has failed since.
            offset: the place, in bytes.
        """
        place = None if self._opened is None else self._opened.journal.find(key)
        return place is not None and (place.ok or not self._retry_failed or place.offset > offset)

    def add(self, key: str, item: MapItem[T], response: Optional[Response]) -> None:
        """Take a result; `write` records it.

        Args:
            key: of its call.
            item: the result.
            response: as it came; None if the call has failed.
        """
        self._items.append(item)
        opened = self._opened
        if opened is None:
            return
        facts: Any = {"usage": item.usage, "cost": item.cost, "secrets": self._secrets}
        if item.error is None:
            assert response is not None
            record = Record.of_response(key, item.id, response, **facts)
        else:
            record = Record.of_error(key, item.id, item.error, **facts)
        self._lines.append(opened.journal.line_of(record))

    def write(self) -> Flow[None]:
        """Record what has been added.

        Raises:
            JournalError: that fails. Nothing more is recorded.
        """
        lines, self._lines = self._lines, []
        if not lines or self._opened is None:
            return
        try:
            yield AppendJournal(self._opened.file, b"".join(lines))
        except JournalError:
            yield from self.close()
            raise

    def taken(self) -> Iterable[MapItem[T]]:
        """Return what has been added since the last time."""
        items, self._items = self._items, []
        return items

    def close(self) -> Flow[None]:
        """Close the journal. Harmless twice."""
        opened, self._opened = self._opened, None
        if opened is not None:
            yield CloseJournal(opened.file)


def _item(entry: Entry, record: Record) -> MapItem[Any]:
    """Return a recorded result."""
    value: Any = None
    error: Optional[MeshAPIError] = None
    if record.error is not None:
        error = record.failure(entry.call)
    else:
        try:
            value = record.value(entry.call)
        except MeshAPIError as exc:
            # It was read once. The call may have another reader now.
            error = exc
    return MapItem(
        index=entry.index,
        id=entry.id,
        value=value,
        error=error,
        usage=record.usage,
        cost=record.cost if record.cost is not None else cost_in_usage(record.usage),
        attempts=record.attempts,
        request_id=record.request_id,
        recorded=True,
    )
