"""What others who use the same account leave of a limit, as far as responses say it.

A response may say how much is left of a limit, and when the limit is full again. Gateways count in
different ways, and do not say in which, so this module looks at the time at which the limit is to
be full again:

- It stays where it is, or jumps by a minute: the gateway counts in fixed windows. What is left is
  all that there is until that time, and is spread evenly over it.
- It moves along with the clock: the gateway counts over the last minute, or has a bucket that fills
  up steadily. What has been used beyond our own attempts of the last minute was used by others, and
  is taken off the limit.

Where nobody else uses the account, neither restricts anything: our own pace stays below the limit.
What is heard is used as if it were true now, although attempts that have begun since may not be in
it. Where that was too good to be true, the gateway refuses an attempt, and says 0.

Source: https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-07.html,
    https://platform.openai.com/docs/guides/rate-limits
"""

from math import inf
from typing import Final

from meshapi_core.bulk.pacing.last_minute import WINDOW

__all__ = ["Remaining"]

_BLUR: Final = 1.5
"""Seconds by which the end of one window may seem to move: gateways round to whole seconds, and
responses arrive late."""

_CONFIRMED: Final = 3.0
"""Seconds for which an end must have stayed in its place; by then any other end has moved by more
than the blur."""

_LEAST: Final = 0.05
"""The share of a limit that is left to us whatever others use, but at least 1: to go on hearing of
it."""

_TAKEN: Final = 0.96
"""The share that is taken of what others leave in a sliding minute. They do not come evenly: with
all of it, ten times as many attempts are refused."""


class Remaining:
    """What is left of one limit."""

    __slots__ = ("_ends", "_is_fixed", "_seen", "left", "per_second", "until")

    until: float
    """The time up to which the two others hold."""
    left: int
    """In fixed windows, how much may begin until then; else -1."""
    per_second: float
    """Otherwise how much may begin in a second."""

    def __init__(self) -> None:
        self._ends = self._seen = -inf
        self._is_fixed = False
        self.until, self.left, self.per_second = -inf, -1, inf

    def hear(self, now: float, limit: int, remaining: int, reset: float, ours: int) -> None:
        """Take what a response says.

        Args:
            now: when it arrived.
            limit: the most in a minute.
            remaining: what is left of it.
            reset: in how many seconds the limit is full again.
            ours: what has begun here in the last minute.
        """
        self._look_at(now, now + reset)
        if self._is_fixed:
            self.until, self.left, self.per_second = now + reset, remaining, inf
            return
        self.left = -1
        others = limit - remaining - ours
        # Rounding and attempts on their way account for a few, even if there are no others.
        if others > max(1.0, _LEAST * limit):
            self.per_second = max(1.0, _LEAST * limit, _TAKEN * (limit - others)) / WINDOW
            self.until = now + WINDOW
        else:
            self.until, self.per_second = -inf, inf

    def take(self, now: float, amount: int) -> float:
        """Count an amount that begins; return the seconds by which each of it delays the next."""
        left = self.left
        if left < 0:
            return 1 / self.per_second
        self.left = max(0, left - amount)
        return (self.until - now) / max(1, left)

    def _look_at(self, now: float, ends: float) -> None:
        """Decide whether the gateway counts in fixed windows."""
        moved = ends - self._ends
        if abs(moved) <= _BLUR:
            self._is_fixed = self._is_fixed or now - self._seen >= _CONFIRMED
            return
        off = moved % WINDOW
        self._is_fixed = self._is_fixed and moved > 0 and min(off, WINDOW - off) <= _BLUR
        self._ends, self._seen = ends, now
