"""Opens the files of an upload: paths, open files, bytes, and iterables of bytes.

Each knows its length before anything is sent, and yields its content again for each retry. A source
that does not know its length or cannot start again (a generator, a pipe) is first copied into a
temporary file. Files are read 64 KiB at a time in the task that sends them, on an event loop, too:
in nearly all cases that only copies from the page cache.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from typing import IO, Any, cast

from meshapi_core import PIECE, FileSource, InvalidParamsError, OpenSource


def open_source(source: FileSource) -> OpenSource:
    """The content of one file, ready to be read.

    Raises:
        OSError: the file cannot be opened or read.
        InvalidParamsError: it contains something other than bytes.
    """
    content = source.content
    if isinstance(content, bytes):
        return _Bytes(content)
    if isinstance(content, str) or hasattr(content, "__fspath__"):
        file = open(content, "rb", buffering=0)  # noqa: SIM115 - `_File` closes it
        return _own(cast("IO[bytes]", file))
    if not hasattr(content, "read"):
        return _File(_spooled(_checked(content)), 0, ours=True)
    if _seekable(content):
        try:
            return _File(content, content.tell(), ours=False)
        except OSError:
            pass  # it claims to be seekable and is not: /proc has such files
    return _File(_spooled(_pieces_of(content)), 0, ours=True)


def check_source(source: FileSource) -> None:
    """Check that a path can be opened, before the requests that precede an upload are sent.

    Raises:
        OSError: it cannot be opened.
    """
    content = source.content
    if isinstance(content, str) or hasattr(content, "__fspath__"):
        with open(content, "rb"):
            pass


def _own(file: "IO[bytes]") -> OpenSource:
    try:
        found = os.fstat(file.fileno())
        if stat.S_ISREG(found.st_mode) and found.st_size:
            return _File(file, 0, ours=True)
        # No length: a named pipe, a device, or a file that the system makes up as it is read.
        with file:
            return _File(_spooled(_pieces_of(file)), 0, ours=True)
    except BaseException:
        file.close()
        raise


class _Bytes:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.length = len(content)

    def pieces(self) -> Iterator[bytes]:
        content = memoryview(self._content)
        for start in range(0, self.length, PIECE):
            yield bytes(content[start : start + PIECE])

    def close(self) -> None:
        pass


class _File:
    """An open file from a position to its present end; what is appended later is not sent."""

    def __init__(self, file: "IO[bytes]", start: int, *, ours: bool) -> None:
        self._file = file
        self._start = start
        self._ours = ours
        # By tell(): not every file-like object returns the position from seek().
        file.seek(0, os.SEEK_END)
        self.length = max(0, file.tell() - start)
        file.seek(start)

    def pieces(self) -> Iterator[bytes]:
        self._file.seek(self._start)
        left = self.length
        while left:
            piece = _bytes(self._file.read(min(PIECE, left)))
            if not piece:
                return
            left -= len(piece)
            yield piece

    def close(self) -> None:
        if self._ours:
            self._file.close()


def _seekable(file: Any) -> bool:
    seekable = getattr(file, "seekable", None)
    return hasattr(file, "tell") and callable(seekable) and bool(seekable())


def _pieces_of(file: Any) -> Iterator[bytes]:
    while True:
        piece = _bytes(file.read(PIECE))
        if not piece:
            return
        yield piece


def _checked(rows: Iterable[Any]) -> Iterator[bytes]:
    for row in rows:
        yield _bytes(row)


def _bytes(piece: Any) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, (bytearray, memoryview)):
        return bytes(cast(Any, piece))
    if hasattr(piece, "__await__"):
        # Otherwise Python would also warn that the coroutine was never awaited.
        close: Any = getattr(piece, "close", None)  # a coroutine would warn; a future has none
        if close is not None:
            close()
        raise InvalidParamsError("file", "bytes from read()", "a coroutine", "write await x.read()")
    hint = 'open it with "rb"' if isinstance(piece, str) else ""
    raise InvalidParamsError("file", "bytes from read()", type(piece).__name__, hint)


def _spooled(pieces: Iterator[bytes]) -> "IO[bytes]":
    # Not at the top: it imports a dozen modules that few programs need.
    import tempfile

    file = tempfile.TemporaryFile()  # noqa: SIM115 - `_File` closes it
    try:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return cast("IO[bytes]", file)
