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

import msgspec
from msgspec import Struct

from meshapi_core.bulk.journals.journal import Journal
from meshapi_core.bulk.journals.keys import content_digest, files_to_measure
from meshapi_core.calls import Call
from meshapi_core.flows.journals import (
    AppendJournal,
    CutJournal,
    FileSize,
    OpenJournal,
    ReadJournal,
    ReadRecord,
)
from meshapi_core.flows.steps import Flow, Pause, RandomBytes

__all__ = ["OpenedJournal", "begin_journal", "digest_of", "read_journal", "read_notes"]

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
        # Other tasks of an event loop go on meanwhile, and the wait can be ended.
        yield Pause(0)
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
    if first is not None and first != journal.first:
        # The header would be that of other calls. It is from a run that had none, or was killed
        # before anything was recorded.
        journal.begin_again()
    yield CutJournal(file, journal.size)
    if journal.is_new:
        header = journal.header(gateway, first)
        yield AppendJournal(file, header)
        journal.appended(header)
    elif journal.needs_line_feed:
        yield AppendJournal(file, b"\n")
        journal.appended(b"\n")


def read_notes(opened: OpenedJournal) -> Flow[list[dict[str, Any]]]:
    """Return the lines of other kinds (`Journal.note_of`), in the order of the file.

    Raises:
        JournalError: the file cannot be read.
    """
    notes: list[dict[str, Any]] = []
    for offset in opened.journal.notes:
        line: bytes = yield ReadRecord(opened.file, offset)
        notes.append(msgspec.json.decode(line))
    return notes


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
