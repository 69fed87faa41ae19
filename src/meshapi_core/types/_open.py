"""Fields that take known words and any other: `Open[Literal["low", "high"]]`.

Providers invent values faster than clients are released, and the gateway passes them on. So
editors offer the known words, while type checkers, and the check of a request before it is sent,
accept any text. Whether a word means anything is for the gateway to decide.
"""

from typing import TYPE_CHECKING, Any, TypeVar, Union

__all__ = ["Open"]

Known = TypeVar("Known")

if TYPE_CHECKING:
    Open = Union[Known, str]
else:

    class Open:
        """`str` at run time: msgspec refuses a union of literals and `str`."""

        def __class_getitem__(cls, known: Any) -> type[str]:
            return str
