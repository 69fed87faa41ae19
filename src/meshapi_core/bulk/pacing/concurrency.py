"""How many attempts may be under way at the same time; "auto" finds out.

A number stays as it is. "auto" does what TCP does, as the problem is the same: how fast the other
side is, is seen only when it pushes back.

- It begins with 4. Until the first push-back, each success allows one more attempt, so the number
  doubles in the time that an attempt takes: a thousand is reached after eight times.
- It stops there, too, where more attempts no longer bring more: a gateway that lets them wait does
  not push back. As many successes as there may be attempts are a round. If two rounds in a row are
  not a quarter faster than the last one that was, the number goes back to twice what was of use.
  Eight rounds later, it tries again. How long single attempts take would say less, as they differ
  by what the model is asked: TCP Vegas, which looks at that, has packets of one kind.
- A push-back halves it: a response that asks for a pause, such as a 429. `admission` says which
  ones count.
- From then on, it grows by a sixteenth of what it was halved to in the time that an attempt takes.
  So it is back where it was after 16 times, however large that was, and tries a little more then.
- It grows only while at least half of it is in use. Where a rate limit or the program itself slows
  the run down, success says nothing about a higher number.

Source: https://www.rfc-editor.org/rfc/rfc5681 (slow start, congestion avoidance),
    https://www.rfc-editor.org/rfc/rfc7661 (growth that is not in use)
    https://github.com/Netflix/concurrency-limits (limits by latency, as TCP Vegas has them)
"""

from math import inf
from typing import Final, Literal, Union

from meshapi_core._json_kinds import value_name
from meshapi_core._mistakes import InvalidParamsError

__all__ = ["Concurrency"]

_FIRST: Final = 4
_ROUNDS: Final = 16
"""How many times an attempt may take until the number is back where it was."""


_FASTER: Final = 1.25
"""A round with twice the attempts is twice as fast, or as fast. This is between them, and far from
both, as some attempts take much longer than others."""

_REST: Final = 8
"""Rounds until it tries again."""


class Concurrency:
    """The number of attempts that may be under way.

    Args:
        given: by the program.
        most: the most that "auto" allows.
        now: the time.

    Raises:
        InvalidParamsError: it is neither "auto" nor a whole number of at least 1.
    """

    __slots__ = (
        "_began",
        "_count",
        "_grows",
        "_is_auto",
        "_most",
        "_rate",
        "_rest",
        "_round",
        "_size",
        "_slow",
        "_step",
        "_useful",
        "allowed",
    )

    allowed: int

    def __init__(self, given: Union[int, Literal["auto"]], most: int, now: float = 0.0) -> None:
        self._is_auto = given == "auto"
        if not self._is_auto and (type(given) is not int or given < 1):
            expected = 'a whole number, at least 1, or "auto"'
            raise InvalidParamsError("concurrency", expected, value_name(given, show=True))
        self._most = most
        self._size = float(min(_FIRST, most) if given == "auto" else given)
        self.allowed = int(self._size)
        # How much the size grows in the time of one attempt; infinite until the first push-back.
        self._step = inf
        # How fast the last round of use was, how many attempts it had, and how many were not since.
        self._rate, self._useful, self._slow = 0.0, self.allowed, 0
        self._grows, self._rest = True, 0
        self.begin(now)

    def begin(self, now: float) -> None:
        """Begin a round."""
        self._began, self._count, self._round = now, 0, self.allowed

    def is_like(self, other: "Concurrency") -> bool:
        """Whether the other one has the same bounds, and both find out."""
        return self._is_auto and other._is_auto and self._most == other._most

    def succeed(self, in_flight: int, now: float) -> None:
        """Take the success of an attempt.

        Args:
            in_flight: how many were under way, this one included.
            now: the time.
        """
        if not self._is_auto or 2 * in_flight < self.allowed:
            return
        if self._grows:
            self._resize(self._size + min(1.0, self._step / self._size))
        self._count += 1
        if self._count >= self._round and self._step == inf:
            took = now - self._began
            self._end_round(self._count / took if took > 0 else inf)
            self.begin(now)

    def push_back(self) -> None:
        """Take a push-back that counts."""
        if self._is_auto:
            self._grows = True
            self._resize(self._size / 2)
            self._step = max(1.0, self._size / _ROUNDS)

    @property
    def pushed(self) -> tuple[float, float, bool]:
        """What push-backs change."""
        return self._size, self._step, self._grows

    def excuse(self, pushed: tuple[float, float, bool]) -> None:
        """Take back the push-backs since `pushed` was read."""
        size, self._step, self._grows = pushed
        if size > self._size:
            self._resize(size)

    def _resize(self, size: float) -> None:
        self._size = min(self._most, max(1.0, size))
        self.allowed = int(self._size)

    def _end_round(self, rate: float) -> None:
        if self._rest:
            self._rest -= 1
            self._rate, self._grows = rate, not self._rest
        elif rate >= _FASTER * self._rate:
            self._rate, self._useful, self._slow, self._grows = rate, self._round, 0, True
        elif self._slow == 0:
            # What is under way began with fewer others. So look once more before judging.
            self._slow, self._grows = 1, False
        else:
            self._slow, self._grows, self._rest = 0, False, _REST
            self._resize(min(self._size, 2.0 * self._useful))
