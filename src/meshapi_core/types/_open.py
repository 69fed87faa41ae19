"""Words that a field knows, and any other: `Open[Literal["low", "high"]]`.

Providers invent values faster than clients are released, and the gateway passes them on. So an
editor offers the words that are known, a type checker takes any text, and so does what checks a
request before it is sent; whether a word means anything is for the gateway to say.
"""

from typing import TYPE_CHECKING, Any, TypeVar, Union

__all__ = ["Open"]

Known = TypeVar("Known")

if TYPE_CHECKING:
    Open = Union[Known, str]
else:

    class Open:
        """Text, to msgspec, which takes no union of some words and all of them."""

        def __class_getitem__(cls, known: Any) -> type[str]:
            return str
