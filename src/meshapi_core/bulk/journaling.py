"""Flows that open the journal of a run. How a run uses them:

opened = yield from read_journal(path)
keys = CallKeys(opened.journal.run)
...
yield from begin_journal(opened, gateway=gateway_of(config), first=key, resume=resume)
place = opened.journal.find(key)
if place is not None and place.ok:
    record = opened.journal.read((yield ReadRecord(opened.file, place.offset)))
    ... record.value(call)
else:
    ... make the call, with idempotency_key(key, place.failures if place else 0)
    record = Record.of_response(key, id, response, usage=usage, cost=cost)
    yield AppendJournal(opened.file, opened.journal.line_of(record))
yield CloseJournal(opened.file)
"""

from typing import Any, Final, Optional

from msgspec import Struct

from meshapi_core.bulk.journal import Journal
from meshapi_core.bulk.keys import content_digest, files_to_measure
from meshapi_core.calls import Call
from meshapi_core.flows.journals import (
    AppendJournal,
    CutJournal,
    FileSize,
    OpenJournal,
    ReadJournal,
)
from meshapi_core.flows.steps import Flow, RandomBytes

__all__ = ["OpenedJournal", "begin_journal", "digest_of", "read_journal"]

_PIECE: Final = 1024 * 1024
"""Bytes that are read at a time."""

_RUN_BYTES: Final = 16


class OpenedJournal(Struct, frozen=True):
    """A journal that has been read.

    Fields:
        file: for the steps.
        journal: what is in it.
    """

    file: Any
    journal: Journal


def read_journal(path: Any) -> Flow[OpenedJournal]:
    """Open a journal, or make it, and read it. Nothing in it is changed.

    Raises:
        JournalError: it cannot be opened or read, another run has it open, it is no journal, or a
            line in it is not as it was written.
    """
    file = yield OpenJournal(path)
    drawn = yield RandomBytes(_RUN_BYTES)
    journal = Journal(file.path, drawn.hex())
    while True:
        piece: bytes = yield ReadJournal(file, _PIECE)
        if not piece:
            break
        journal.feed(piece)
    journal.end()
    return OpenedJournal(file, journal)


def begin_journal(
    opened: OpenedJournal, *, gateway: str, first: Optional[str], resume: bool = True
) -> Flow[None]:
    """Check that a journal is that of this run, and make it ready to be appended to.

    Args:
        gateway, first, resume: as for `Journal.check`.

    Raises:
        JournalError: as `Journal.check`, or it cannot be written.
    """
    file, journal = opened.file, opened.journal
    journal.check(gateway, first, resume=resume)
    yield CutJournal(file, journal.size)
    if journal.is_new:
        header = journal.header(gateway, first)
        yield AppendJournal(file, header)
        journal.appended(header)
    elif journal.needs_line_feed:
        yield AppendJournal(file, b"\n")
        journal.appended(b"\n")


def digest_of(call: Call[Any]) -> Flow[bytes]:
    """Return `content_digest` of a call, with the sizes of its files.

    Raises:
        OSError: a file cannot be found.
        InvalidParamsError: as `content_digest`.
    """
    sizes: list[Optional[int]] = []
    for source in files_to_measure(call):
        size: Optional[int] = yield FileSize(source)
        sizes.append(size)
    return content_digest(call, tuple(sizes))
