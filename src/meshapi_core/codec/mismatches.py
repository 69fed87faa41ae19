"""Values of a response that could not be read, and the error or warnings about them."""

from enum import Enum
from typing import Final, NamedTuple, Union

from meshapi_core._warnings import warn
from meshapi_core.errors import ResponseDecodeError, ResponseWarning

__all__ = ["ABSENT", "LOST", "Mismatch", "NoValue", "Path", "broken", "report"]


class NoValue(Enum):
    """Why there is no value."""

    LOST = "lost"
    ABSENT = "absent"


LOST: Final = NoValue.LOST
"""Takes the place of a value that does not fit what was declared."""

ABSENT: Final = NoValue.ABSENT
"""Takes the place of a value that means the same as a missing one."""

Path = tuple[Union[str, int], ...]
"""A place in a response: names of members and numbers of rows."""


class Mismatch(NamedTuple):
    """A value that could not be converted: its place, what was expected, what arrived."""

    path: Path
    expected: str
    got: str
    essential: bool = False

    def says(self, *, numbered: bool = True) -> str:
        """Return the mismatch in words, with or without the numbers of rows."""
        where = "".join(
            f".{step}" if isinstance(step, str) else f"[{step}]" if numbered else "[]"
            for step in self.path
        )
        return f"{where.lstrip('.') or '$'}: expected {self.expected}, got {self.got}"


def broken(message: str) -> ResponseDecodeError:
    """Return the error for a response that is not what was expected."""
    return ResponseDecodeError(message, error_code="parse_error")


def report(mismatches: "list[Mismatch]") -> None:
    """Raise for the first essential mismatch; if there is none, warn of each of the others.

    Raises:
        ResponseDecodeError: something essential is lost.
    """
    for mismatch in mismatches:
        if mismatch.essential:
            raise broken(f"the response does not have the expected form: {mismatch.says()}")
    for mismatch in mismatches:
        # Without row numbers, so that Python shows the warning once, and not for each row.
        warn(
            "a field of the response could not be read and has its default value; "
            f"{mismatch.says(numbered=False)}; .raw has the original",
            ResponseWarning,
        )
