"""When the host's current action is due, and what happens if a host is late."""

from typing import Optional

__all__ = ["LAST_WORD", "Timer", "earliest"]

LAST_WORD = 1.0
"""Seconds to wait for bytes that are either there by now or will not come: a response after the
request could not be written, and what arrived while a wait was interrupted, once its limit has run
out."""


class Timer:
    """The time limit of the current action."""

    until: Optional[float] = None
    """When it runs out; None where there is no limit, or no action."""

    asked = False
    """Whether the host has been asked to read and has not reported anything yet."""

    late = False
    """Whether that read was allowed although its time had run out."""

    def over(self, now: float) -> float:
        """The time at which to judge which limit a host's time-out belongs to.

        That is never before the limit of the action: timers go off a little early.
        """
        until = self.until
        return now if until is None else max(now, until)

    def allows_read(self, until: Optional[float], last: Optional[float], now: float) -> bool:
        """Whether there is time to read; if so, `self.until` is when that time runs out.

        A host that was interrupted while it waited, and comes back late, may still read what has
        arrived meanwhile: once, and for a moment.

        Args:
            until: when it is too late to wait for more.
            last: when it is too late even for what has arrived meanwhile.
            now: the time.
        """
        if until is not None and now >= until:
            until = now + LAST_WORD if last is None else min(now + LAST_WORD, last)
            # The grace is for an interrupted read alone: not for a read that was never asked for,
            # and not twice, or a server could be waited for without end, a second at a time.
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
