"""Journals: files to which runs append lines, each by one write, under a lock.

A line that was written stays when the process is killed. A write that fails, or that the system
does only in part, is undone, so that the file ends with a whole line at any time.

All of it is done in the task that runs the flow: a write of a few kilobytes only copies to the page
cache, which takes microseconds.
"""

import errno
import os
import stat
import sys
from contextlib import suppress
from io import FileIO
from typing import Any, Final, Optional, Union

from meshapi_core import FileSource
from meshapi_core.flows import journal_locked, journal_not_written

_PRIVATE: Final = 0o600
"""Only its owner may read a new journal: prompts and what was generated may be private."""

_LINE_PIECE: Final = 16 * 1024
"""Bytes of a line that are read at a time: more than most lines have."""

_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)
"""Do not wait for whoever else opens a pipe: it is refused, as it is no file."""

_REFUSED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)

_FULL: Final = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


class JournalFile:
    """A journal that is open, and locked.

    Args:
        path: of the file; relative to the present folder, even if that changes.

    Attributes:
        path: the path as it was given, for errors.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self.path = os.fspath(path)
        # It closes itself when nobody has it any more, even if an interrupt comes at a bad time.
        self._file: Optional[FileIO] = None
        self._read = 0
        self._opened_by = 0
        self._broken = ""

    def open(self) -> None:
        """Open or make the file, and lock it.

        Raises:
            JournalError: another run has it open, it is not a file, or it cannot be opened.
        """
        try:
            if os.path.isdir(self.path):
                raise self._error("it is a folder; add the name of the file")
            self._opened_by = os.getpid()
            self._file = FileIO(self.path, "a+", opener=_open_privately)
            self._lock(self._file.fileno())
        except OSError as exc:
            self.close()
            raise self._explained(exc) from exc
        except BaseException:
            self.close()
            raise

    def read(self, size: int) -> bytes:
        """Return the next bytes, from the beginning; b"" at the end.

        Raises:
            JournalError: it cannot be read.
        """
        try:
            piece = self._read_at(self._read, size)
        except OSError as exc:
            raise self._explained(exc) from exc
        self._read += len(piece)
        return piece

    def line_at(self, offset: int) -> bytes:
        """Return the line that begins at an offset, without its line feed.

        Raises:
            JournalError: it cannot be read.
        """
        line, size = bytearray(), _LINE_PIECE
        try:
            while True:
                piece = self._read_at(offset + len(line), size)
                end = piece.find(b"\n")
                if end >= 0 or not piece:
                    return bytes(line + piece[: max(end, 0)])
                line += piece
                size *= 2
        except OSError as exc:
            raise self._explained(exc) from exc

    def append(self, lines: bytes) -> None:
        """Write whole lines at the end: all of them, or nothing.

        Raises:
            JournalError: the disk is full, the file is too large, and the like.
        """
        if self._broken:
            raise self._error(self._broken)
        try:
            # Not remembered: an interrupt may come between a write and what follows it.
            file = self._opened()
            before = os.fstat(file).st_size
            rest = memoryview(lines)
            try:
                while rest:
                    # The first one writes all, or as much as there is room for; then the second
                    # one says why.
                    rest = rest[os.write(file, rest) :]
            except BaseException:
                if before < os.fstat(file).st_size < before + len(lines):
                    self._undo(file, before)
                raise
        except OSError as exc:
            raise self._explained(exc) from exc

    def cut(self, size: int) -> None:
        """Cut off what follows a size.

        Raises:
            JournalError: the system refuses to.
        """
        try:
            file = self._opened()
            if os.fstat(file).st_size > size:
                os.ftruncate(file, size)
        except OSError as exc:
            raise self._explained(exc) from exc

    def close(self) -> None:
        """Unlock and close the file. Harmless twice."""
        file = self._file
        if file is None or file.closed:
            return
        # A process that was forked meanwhile has the same lock, and keeps it as long as it lives,
        # unless it is given up here. If this is that process, the lock is not its own.
        if os.getpid() == self._opened_by:
            with suppress(OSError):
                _unlock(file.fileno())
        file.close()

    def _opened(self) -> int:
        if self._file is None or self._file.closed:
            raise ValueError("this journal is not open")
        return self._file.fileno()

    def _read_at(self, offset: int, size: int) -> bytes:
        file = self._opened()
        # Not `pread`, which Windows does not have. What is written goes to the end in any case.
        os.lseek(file, offset, os.SEEK_SET)
        return os.read(file, size)

    def _undo(self, file: int, size: int) -> None:
        """Remove what a failed write has left."""
        try:
            os.ftruncate(file, size)
        except OSError as exc:
            # Anything that is appended now would be part of a bad line.
            self._broken = f"a write failed, and could not be undone: {exc.strerror}; start again"

    def _lock(self, file: int) -> None:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise self._error("it is a device, a pipe or the like; give the path of a file")
        try:
            _lock(file)
        except OSError as exc:
            if exc.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise journal_locked(self.path) from None
            why = f"its file system cannot lock files ({exc.strerror}); use one that can"
            raise self._error(why) from exc

    def _explained(self, exc: OSError) -> Exception:
        why = exc.strerror or str(exc)
        folder = os.path.dirname(os.path.abspath(self.path))
        if isinstance(exc, FileNotFoundError) and not os.path.isdir(folder):
            home = "; write Path(...).expanduser()" if self.path.startswith("~") else ""
            return self._error(f"the folder {folder} does not exist{home}; make it first")
        if exc.errno in _FULL:
            why = (
                f"there is no room for another line, and what it has is kept: {why}; make room, and"
                " start again with the same journal"
            )
        elif exc.errno in _REFUSED:
            why = f"it cannot be opened or written here ({why}); give a path where you may write"
        return self._error(why)

    def _error(self, reason: str) -> Exception:
        return journal_not_written(self.path, reason)


def _open_privately(name: str, flags: int) -> int:
    return os.open(name, flags | _AT_ONCE, _PRIVATE)


def size_of(source: FileSource) -> Optional[int]:
    """Return the size of a file that a call sends; None where it has none, as a pipe.

    Raises:
        OSError: there is no such file.
    """
    content: Any = source.content
    if hasattr(content, "fileno"):
        content = content.fileno()
    elif not isinstance(content, str) and not hasattr(content, "__fspath__"):
        return None
    found = os.stat(content)
    return found.st_size if stat.S_ISREG(found.st_mode) else None


if sys.platform == "win32":
    import msvcrt

    # A lock keeps others from reading what it covers: hence a byte that no file reaches.
    _PLACE = 2**62

    def _lock(file: int) -> None:
        os.lseek(file, _PLACE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def _unlock(file: int) -> None:
        os.lseek(file, _PLACE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
