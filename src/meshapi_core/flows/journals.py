"""The steps of a flow that keeps a journal: a file to which it appends lines.

    step            what the runner does                                what the flow is sent
    OpenJournal     opens or makes the file, and locks it               the file
    ReadJournal     reads on, from the beginning                        bytes; b"" at the end
    ReadRecord      reads a line                                        the line, without line feed
    AppendJournal   writes at the end: all of it, or nothing            None
    CutJournal      cuts off what follows a size                        None
    CloseJournal    unlocks and closes it                               None
    FileSize        looks how large a file is that a call sends         bytes, or None

The runner closes every journal that the flow has left open, however it ended. Each step raises a
`JournalError`, but `FileSize` the system's OSError.

What was appended is in the system's hands: it stays there if the process is killed, and may be lost
if the power fails.
"""

from typing import Any

from msgspec import Struct

from meshapi_core._journal_errors import JournalError
from meshapi_core.bodies import FileSource

__all__ = [
    "AppendJournal",
    "CloseJournal",
    "CutJournal",
    "FileSize",
    "OpenJournal",
    "ReadJournal",
    "ReadRecord",
    "journal_locked",
    "journal_not_written",
]


class OpenJournal(Struct, frozen=True):
    """Open the file at a path, or make it, and be sent an object for the other steps.

    No other run can open it until it is closed. Only the user may read or write a new one.

    Fields:
        path: of the file, as a str or an object with `__fspath__`.
    """

    path: Any


class ReadJournal(Struct, frozen=True):
    """Be sent the next bytes of the file, from its beginning; b"" at its end.

    Fields:
        file: what `OpenJournal` gave.
        size: how many bytes at most.
    """

    file: Any
    size: int


class ReadRecord(Struct, frozen=True):
    """Be sent the line that begins at an offset, without its line feed.

    Fields:
        file: what `OpenJournal` gave.
        offset: in bytes.
    """

    file: Any
    offset: int


class AppendJournal(Struct, frozen=True):
    """Write whole lines at the end of the file. If that fails, none of them is in it.

    Fields:
        file: what `OpenJournal` gave.
        lines: each with its line feed.
    """

    file: Any
    lines: bytes

    def __repr__(self) -> str:
        return f"<AppendJournal {len(self.lines)} bytes>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("size", len(self.lines))]


class CutJournal(Struct, frozen=True):
    """Cut off the end of the file.

    Fields:
        file: what `OpenJournal` gave.
        size: how many bytes stay.
    """

    file: Any
    size: int


class CloseJournal(Struct, frozen=True):
    """Unlock and close the file. Harmless twice.

    Fields:
        file: what `OpenJournal` gave.
    """

    file: Any


class FileSize(Struct, frozen=True):
    """Be sent the size of a file that a call sends; None where it has none, as a pipe.

    Fields:
        source: the file.
    """

    source: FileSource


def journal_locked(path: str) -> JournalError:
    """The error where another run has the journal open."""
    return JournalError(
        f"the journal {path}: another run has it open, in this process or another one; wait until"
        " it has ended, or give another path",
        error_code="journal_locked",
    )


def journal_not_written(path: str, reason: str) -> JournalError:
    """The error where a journal cannot be opened, read or written.

    Args:
        path: of the file.
        reason: what is wrong, and what to do.
    """
    return JournalError(f"the journal {path}: {reason}", error_code="journal_not_written")
