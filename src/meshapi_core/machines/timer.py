"""Until when what a machine told its host must be done, and what becomes of who comes late."""

from typing import Optional

__all__ = ["LAST_WORD", "Timer", "earliest"]

LAST_WORD = 1.0
"""Seconds to wait for a response after the request could not be written: it is there or it is not.
And for what has come while a wait was interrupted, when the limit of that is over."""


class Timer:
    """The limit of the action that stands."""

    until: Optional[float] = None
    """When it is over; None where it has no limit, or nothing stands."""

    asked = False
    """Whether a read has not been answered."""

    late = False
    """Whether it was allowed though its time was over."""

    def over(self, now: float) -> float:
        """The time by which to tell whose limit a host's time-out is.

        Timers go off a little early: it is the one that the action had to be done by.
        """
        until = self.until
        return now if until is None else max(now, until)

    def allows_read(self, until: Optional[float], last: Optional[float], now: float) -> bool:
        """Whether there is time to read; then `until` is when that is over.

        Whoever was interrupted while waiting, and comes late, may take what has come meanwhile:
        once, and for a moment.

        Args:
            until: when it is too late.
            last: when it is too late also for what has come meanwhile.
            now: the time.
        """
        if until is not None and now >= until:
            until = now + LAST_WORD if last is None else min(now + LAST_WORD, last)
            if not self.asked or self.late or until <= now:
                return False
            self.late = True
        self.asked = True
        self.until = until
        return True


def earliest(one: Optional[float], other: Optional[float]) -> Optional[float]:
    """The earlier of two times; None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
