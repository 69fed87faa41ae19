"""How many attempts may be under way at the same time; "auto" finds out.

A number stays as it is. "auto" does what TCP does, as the problem is the same: how fast the other
side is, is seen only when it pushes back.

- It begins with 4. Until the first push-back, each success allows one more attempt, so the number
  doubles in the time that an attempt takes: a thousand is reached after eight times.
- A push-back halves it: a response that asks for a pause, such as a 429. `admission` says which
  ones count.
- From then on, it grows by a sixteenth of what it was halved to in the time that an attempt takes.
  So it is back where it was after 16 times, however large that was, and tries a little more then.
- It grows only while at least half of it is in use. Where a rate limit or the program itself slows
  the run down, success says nothing about a higher number.

Source: https://www.rfc-editor.org/rfc/rfc5681 (slow start, congestion avoidance),
    https://www.rfc-editor.org/rfc/rfc7661 (growth that is not in use)
"""

from math import inf
from typing import Final, Literal, Union

from meshapi_core._json_kinds import value_name
from meshapi_core._mistakes import InvalidParamsError

__all__ = ["Concurrency"]

_FIRST: Final = 4
_ROUNDS: Final = 16
"""How many times an attempt may take until the number is back where it was."""


class Concurrency:
    """The number of attempts that may be under way.

    Args:
        given: by the program.
        most: the most that "auto" allows.

    Raises:
        InvalidParamsError: it is neither "auto" nor a whole number of at least 1.
    """

    __slots__ = ("_is_auto", "_most", "_size", "_step", "allowed")

    allowed: int

    def __init__(self, given: Union[int, Literal["auto"]], most: int) -> None:
        self._is_auto = given == "auto"
        if not self._is_auto and (type(given) is not int or given < 1):
            expected = 'a whole number, at least 1, or "auto"'
            raise InvalidParamsError("concurrency", expected, value_name(given, show=True))
        self._most = most
        self._size = float(min(_FIRST, most) if given == "auto" else given)
        self.allowed = int(self._size)
        # How much the size grows in the time of one attempt; infinite until the first push-back.
        self._step = inf

    def is_like(self, other: "Concurrency") -> bool:
        """Whether the other one has the same bounds, and both find out."""
        return self._is_auto and other._is_auto and self._most == other._most

    def succeed(self, in_flight: int) -> None:
        """Take the success of an attempt.

        Args:
            in_flight: how many were under way, this one included.
        """
        if self._is_auto and 2 * in_flight >= self.allowed:
            self._size = min(self._most, self._size + min(1.0, self._step / self._size))
            self.allowed = int(self._size)

    def push_back(self) -> None:
        """Take a push-back that counts."""
        if self._is_auto:
            self._size = max(1.0, self._size / 2)
            self._step = max(1.0, self._size / _ROUNDS)
            self.allowed = int(self._size)
