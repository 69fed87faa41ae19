"""The types that callers may pass as the content of a file."""

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, Optional, Union

from typing_extensions import Protocol


class PathLike(Protocol):
    """A path that is not a str, such as `pathlib.Path`."""

    def __fspath__(self) -> str:
        """Return the path as a str."""
        ...


if TYPE_CHECKING:
    # A str is a path, never the content itself.
    _Content = Union[bytes, bytearray, memoryview, str, PathLike, IO[bytes], Iterable[bytes]]
    # With a file name, and with a media type, as httpx and requests accept it.
    _Named = Union[tuple[Optional[str], _Content], tuple[Optional[str], _Content, Optional[str]]]
    FileContent = Union[_Content, _Named]
else:
    # Fields of Structs have this type, and msgspec supports none of the above.
    FileContent = Any
