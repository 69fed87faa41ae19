"""Request bodies that are read while they are sent, as values. No I/O.

A `StreamedBody` is a sequence of bytes and files: the body of a multipart form or an upload. The
core never opens a file. The host does, with a function that turns a `FileSource` into an
`OpenSource`; `StreamedBody.open` makes one body of all of them, and knows its length.
"""

from collections.abc import Callable, Iterator
from typing import Any, Union, cast

from msgspec import Struct
from typing_extensions import Protocol

from meshapi_core._json_kinds import is_sequence, value_name
from meshapi_core.errors import InvalidParamsError, MeshAPIError
from meshapi_core.media_types import checked_media_type

__all__ = ["PIECE", "FileSource", "OpenBody", "OpenSource", "StreamedBody", "file_source"]

PIECE = 64 * 1024
"""The most bytes that are read and sent at a time."""

_SMALL = 1024 * 1024
"""The most bytes of a body in memory that is joined, which copies it."""


class FileSource(Struct, frozen=True):
    """Where the content of a file comes from.

    Fields:
        content: bytes, a path (str or PathLike), an open binary file, or an iterable of bytes.
        filename: the name for the server; "" for its own name.
        content_type: its media type; "" to find it by the name.
    """

    content: Any
    filename: str = ""
    content_type: str = ""

    @property
    def name(self) -> str:
        """The file's name: `filename`, else its own name without the folder, else ""."""
        if self.filename:
            return self.filename
        path: object = self.content
        if not isinstance(path, str) and not hasattr(path, "__fspath__"):
            # An open file has its path as its name, or only a descriptor.
            path = getattr(path, "name", "")
        if not isinstance(path, str) and hasattr(path, "__fspath__"):
            path = cast(Any, path).__fspath__()
        return path.replace("\\", "/").rpartition("/")[2] if isinstance(path, str) else ""

    def __repr__(self) -> str:
        return f"<FileSource {value_name(self.content)}>"


_EXPECTED = "bytes, a path, an open file, or an iterable of bytes"


def file_source(field: str, value: object) -> FileSource:
    """Return what a caller passed for a file, checked as far as possible without opening it.

    Args:
        field: the name of the parameter, for errors.
        value: what `FileSource` accepts; or a tuple of a name, the content and optionally a media
            type, as in httpx and requests. The name may be None.

    Raises:
        InvalidParamsError: it is something else, such as a file opened as text or a list of
            anything but bytes.
    """
    # A tuple of bytes is content: an iterable of bytes.
    given: Any = value
    if issubclass(type(value), tuple) and given and isinstance(given[0], (str, type(None))):
        return _named_source(field, given)
    return FileSource(_content(field, value))


def _named_source(field: str, value: tuple[Any, ...]) -> FileSource:
    if len(value) not in (2, 3):
        expected = "(name, content) or (name, content, media type)"
        hint = 'write "a.pdf" without the tuple' if len(value) == 1 else ""
        raise InvalidParamsError(field, expected, f"a tuple of {len(value)}", hint)
    name, content, kind = (*value, None)[:3]
    return FileSource(
        _content(f"{field}[1]", content),
        filename=name or "",
        content_type="" if kind is None else checked_media_type(f"{field}[2]", kind),
    )


def _content(field: str, value: object) -> Any:
    if isinstance(value, (bytearray, memoryview)):
        value = bytes(cast(Any, value))
    if isinstance(value, (bytes, str)) or hasattr(value, "__fspath__"):
        return value
    if hasattr(value, "read"):
        if hasattr(value, "encoding"):
            raise InvalidParamsError(field, _EXPECTED, "a file opened as text", 'open it with "rb"')
        return value
    if is_sequence(value):
        for index, row in enumerate(value):
            if not isinstance(row, (bytes, bytearray, memoryview)):
                hint = "write filename=... for the name of a file" if isinstance(row, str) else ""
                raise InvalidParamsError(f"{field}[{index}]", "bytes", value_name(row), hint)
    if hasattr(value, "__aiter__"):
        hint = "read all of it first"
        raise InvalidParamsError(field, _EXPECTED, "an async iterable", hint)
    if hasattr(value, "__iter__") and not hasattr(value, "keys"):
        return value
    got = "nothing" if value is None else value_name(value)
    raise InvalidParamsError(field, _EXPECTED, got)


class OpenSource(Protocol):
    """An open `FileSource`, which the host provides."""

    @property
    def length(self) -> int:
        """The number of bytes."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces of at most `PIECE` bytes; each call starts from the beginning."""
        ...

    def close(self) -> None:
        """Close the file. Harmless twice."""
        ...


class StreamedBody(Struct, frozen=True):
    """A body made of parts: bytes, and files that are read while it is sent."""

    parts: tuple[Union[bytes, FileSource], ...]

    def open(self, open_source: Callable[[FileSource], OpenSource]) -> "OpenBody":
        """The body, ready to be sent.

        Args:
            open_source: opens one file. What it raises is raised here, before anything is sent.
        """
        opened: list[Union[bytes, OpenSource]] = []
        try:
            # One by one, so that the open files are closed if the next one cannot be opened.
            for part in self.parts:
                opened += [part if isinstance(part, bytes) else open_source(part)]
            return OpenBody(opened)
        except BaseException:
            _close_all(opened)
            raise

    def __repr__(self) -> str:
        return f"<StreamedBody of {len(self.parts)} parts>"


def joined(parts: "tuple[Union[bytes, FileSource], ...]") -> "Union[bytes, StreamedBody]":
    """Return the parts as plain bytes where that is cheap, else as a `StreamedBody`."""
    plain = tuple(_in_memory(part) for part in parts)
    kept = [part for part in plain if isinstance(part, bytes)]
    if len(kept) == len(plain) and sum(map(len, kept)) <= _SMALL:
        return b"".join(kept)
    return StreamedBody(plain)


def _in_memory(part: Union[bytes, FileSource]) -> Union[bytes, FileSource]:
    if isinstance(part, FileSource) and isinstance(part.content, bytes):
        return part.content
    return part


def cut(body: bytes) -> Iterator[bytes]:
    """Yield the body in pieces of at most `PIECE` bytes."""
    view = memoryview(body)
    for start in range(0, len(body), PIECE):
        yield bytes(view[start : start + PIECE])


class OpenBody:
    """A streamed body whose files are open: it has a length, and can be sent again."""

    def __init__(self, parts: "list[Union[bytes, OpenSource]]") -> None:
        self._parts = parts
        self._sizes = [part.length if not isinstance(part, bytes) else len(part) for part in parts]
        self.length = sum(self._sizes)

    def __len__(self) -> int:
        return self.length

    def __repr__(self) -> str:
        return f"<OpenBody of {self.length} bytes>"

    def pieces(self) -> Iterator[bytes]:
        """The whole body from its beginning, in pieces of at most `PIECE` bytes.

        Raises:
            MeshAPIError: a file became longer or shorter in the meantime (`source_changed`), or
                could not be read (`source_unreadable`).
        """
        for part, size in zip(self._parts, self._sizes):
            if isinstance(part, bytes):
                yield from cut(part)
            else:
                yield from _exactly(part, size)

    def close(self) -> None:
        """Close every file that was opened for it. Harmless twice."""
        _close_all(self._parts)


def _exactly(source: OpenSource, size: int) -> Iterator[bytes]:
    left = size
    pieces = source.pieces()
    while True:
        try:
            piece = next(pieces, b"")
        except OSError as exc:
            # Mapped here because a backend would take it for an error of the network.
            raise MeshAPIError(
                f"the file could not be read while it was being sent: {exc.strerror or exc}",
                error_code="source_unreadable",
            ) from exc
        left -= len(piece)
        if left < 0 or (not piece and left):
            raise MeshAPIError(
                f"the file changed while it was being sent: it had {size} bytes at the beginning",
                error_code="source_changed",
            )
        if not piece:
            return
        yield piece


def _close_all(parts: "list[Union[bytes, OpenSource]]") -> None:
    for part in parts:
        if not isinstance(part, bytes):
            part.close()
