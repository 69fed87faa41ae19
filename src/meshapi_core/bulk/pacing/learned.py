"""A limit that nobody names, learned from what the gateway refuses.

A gateway may refuse attempts without saying what its limit is, or although its limit is kept, as
others use the account or a provider has a lower one. After each cool-down, a run would begin as
fast as before, and be refused again. So:

- One push-back says little: a provider may be busy for a moment. A second one, within a minute
  after the first cool-down, says that there is a limit. It is taken to be what the gateway has
  accepted in the last minute. That is right for gateways that count by the minute; where they count
  in another way, it is too low at first.
- It grows by 2 % a second, so a value that was far too low is right after a few minutes.
- Each further push-back lowers it by 15 %, but not below what was accepted in the last minute.
"""

from math import exp
from typing import Final, Optional

from meshapi_core.bulk.pacing.last_minute import WINDOW, LastMinute

__all__ = ["Learned"]

_GROWTH: Final = 0.02
_LOWERED: Final = 0.85

_FURTHEST: Final = 1.5
"""How far above what was accepted the limit may be after a push-back: it also grows while the run
has little to do."""

_MOST_GROWTH: Final = 20.0
"""As an exponent, so that an idle run does not overflow a float: no limit any more."""


class Learned:
    """The limit, as far as it is known."""

    __slots__ = ("_is_first", "_last", "_refused", "_since", "_value")

    def __init__(self, now: float) -> None:
        self._refused = LastMinute(now)
        self._value: Optional[float] = None
        self._since = 0.0
        self._last: Optional[float] = None
        self._is_first = False

    def at(self, now: float) -> Optional[float]:
        """Return the limit at a time; None if there is none."""
        if self._value is None:
            return None
        return self._value * exp(min(_MOST_GROWTH, _GROWTH * max(0.0, now - self._since)))

    def refuse(self, now: float) -> None:
        """Take that an attempt was refused that counts among those that have begun."""
        self._refused.add(now, 1)

    def push_back(self, now: float, until: float, begun: int) -> None:
        """Take a push-back.

        Args:
            now: when it came.
            until: the end of its cool-down.
            begun: how much has begun in the last minute.
        """
        last, self._last = self._last, until
        value = self.at(now)
        self._is_first = value is None
        if value is None and (last is None or now - last > WINDOW):
            return
        least = self._accepted(now, begun)
        lowered = 0.0 if value is None else min(value * _LOWERED, least * _FURTHEST)
        self._value, self._since = max(least, lowered), max(now, until)

    def cool_down(self, until: float) -> None:
        """Begin to grow only when a cool-down is over."""
        if self._last is not None:
            self._last = max(self._last, until)
        self._since = max(self._since, until)

    def correct(self, now: float, begun: int) -> None:
        """Take that one more attempt was refused of those that began before the push-back."""
        if self._is_first and self._value is not None:
            self._value = min(self._value, self._accepted(now, begun))

    def _accepted(self, now: float, begun: int) -> int:
        self._refused.advance(now)
        return max(1, begun - self._refused.total)
