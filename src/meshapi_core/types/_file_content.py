"""What callers may pass for the content of a file."""

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, Optional, Union

from typing_extensions import Protocol


class PathLike(Protocol):
    """A path that is no str, such as `pathlib.Path`."""

    def __fspath__(self) -> str:
        """The path as a str."""
        ...


if TYPE_CHECKING:
    # A str is a path, never the content itself.
    _Content = Union[bytes, bytearray, memoryview, str, PathLike, IO[bytes], Iterable[bytes]]
    # With its name, and with its media type, as httpx and requests have it.
    _Named = Union[tuple[Optional[str], _Content], tuple[Optional[str], _Content, Optional[str]]]
    FileContent = Union[_Content, _Named]
else:
    # It stands in fields of Structs, and msgspec knows none of these.
    FileContent = Any
