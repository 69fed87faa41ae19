"""How much has begun in the last 60 seconds: never counted too low, in constant memory.

Time is divided into steps of half a second. What began in a step counts until the whole step is
more than 60 seconds ago, so up to half a second longer than it must. That is less than one percent,
and 121 numbers take the place of a record of each attempt.
"""

from typing import Final

__all__ = ["WINDOW", "LastMinute"]

WINDOW: Final = 60.0
"""Seconds: limits are counted by the minute."""

STEP: Final = 0.5
"""Seconds; divides the window."""

_STEPS: Final = round(WINDOW / STEP) + 1


class LastMinute:
    """The amounts of the last minute."""

    __slots__ = ("_amounts", "_newest", "total")

    total: int
    """Their sum, as of the last call of `advance` or `add`."""

    def __init__(self, now: float) -> None:
        self.total = 0
        self._amounts = [0] * _STEPS
        self._newest = int(now // STEP)

    @property
    def latest(self) -> float:
        """When the newest step begins."""
        return self._newest * STEP

    def advance(self, now: float) -> None:
        """Forget what is more than a minute ago."""
        step = int(now // STEP)
        newest = self._newest
        if step <= newest:
            return
        self._newest = step
        if self.total:
            for old in range(max(newest, step - _STEPS) + 1, step + 1):
                # The place of a step is that of the one which has just expired.
                self.total -= self._amounts[old % _STEPS]
                self._amounts[old % _STEPS] = 0

    def add(self, now: float, amount: int) -> None:
        """Count something that begins now."""
        self.advance(now)
        self._amounts[self._newest % _STEPS] += amount
        self.total += amount

    def correct(self, begun: float, difference: int) -> None:
        """Change what was counted at a time, unless it has been forgotten."""
        step = int(begun // STEP)
        if self._newest - _STEPS < step <= self._newest:
            self._amounts[step % _STEPS] += difference
            self.total += difference

    def wait(self, now: float, most: int) -> float:
        """Return the seconds until the sum is at most that much, if nothing is added."""
        total, wait = self.total, 0.0
        for step in range(self._newest - _STEPS + 1, self._newest + 1):
            if total <= most:
                break
            total -= self._amounts[step % _STEPS]
            wait = (step + _STEPS) * STEP - now
        return wait
