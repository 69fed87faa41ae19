"""What could not be read in a response, and the error or the warning about it."""

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
"""In place of a value that is not what was declared."""

ABSENT: Final = NoValue.ABSENT
"""In place of a value that says no more than its being left out would."""

Path = tuple[Union[str, int], ...]
"""Where in a response: names of members, and numbers of rows."""


class Mismatch(NamedTuple):
    """What could not be converted: where, what was expected, what came."""

    path: Path
    expected: str
    got: str
    essential: bool = False

    def says(self, *, numbered: bool = True) -> str:
        """Return it in words, with or without the numbers of rows."""
        where = "".join(
            f".{step}" if isinstance(step, str) else f"[{step}]" if numbered else "[]"
            for step in self.path
        )
        return f"{where.lstrip('.') or '$'}: expected {self.expected}, got {self.got}"


def broken(message: str) -> ResponseDecodeError:
    """Return the error of a response that is not what was promised."""
    return ResponseDecodeError(message, error_code="parse_error")


def report(mismatches: "list[Mismatch]") -> None:
    """Raise for the first loss that is essential; warn of the others.

    Raises:
        ResponseDecodeError: something essential is lost.
    """
    for mismatch in mismatches:
        if mismatch.essential:
            raise broken(f"the response does not have the expected form: {mismatch.says()}")
    for mismatch in mismatches:
        # Without numbers, so that Python says it once, and not for each row.
        warn(
            "a field of the response could not be read and has its default value; "
            f"{mismatch.says(numbered=False)}; .raw has the original",
            ResponseWarning,
        )
