"""A gateway that cannot be reached: one call at a time finds out whether it can.

An attempt that got no connection has sent nothing, so it is retried. If the gateway is away, every
call of a run would find that out for itself, with all its retries, and have an error in the end.
So it is an outage where `MOST_FAILURES` attempts in a row got no connection, of whichever calls; or
fewer, if a call has used up its retries with them, and the gateway was there before. Then:

    until the next attempt    0.5 seconds, then twice as long each time, up to half a minute
    attempts under way        one, for all calls
    calls that wait           lose none of their retries
    it ends                   with the first response, and all calls go on
    it ends the run           when it has lasted for `LONGEST` seconds; where nothing was heard of
                              the gateway before, or its TLS identity is refused, after `FIRST`
                              attempts: an address may be wrong then

So there are a few dozen attempts in an outage, however many calls there are.
"""

from math import inf
from typing import Any, Final, Optional

from meshapi_core.retries import Outcome

__all__ = ["FIRST", "LONGEST", "MOST_FAILURES", "Outages", "is_reached", "is_unreachable"]

MOST_FAILURES: Final = 10
"""Fewer may be those of one call, or of a gateway that is busy: they go by the retry policy."""

LONGEST: Final = 300.0
"""Seconds: a gateway that starts anew, or a network that changes, is back before that."""

FIRST: Final = 4
"""As many as the attempts of a single call, by default."""

_SHORTEST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0
_MOST_DOUBLINGS: Final = 10


def is_unreachable(outcome: Optional[Outcome]) -> bool:
    """Return whether an attempt got no connection to the gateway."""
    return outcome is not None and outcome.stage in ("connect", "verify")


def is_reached(outcome: Optional[Outcome]) -> bool:
    """Return whether an attempt had a connection to the gateway."""
    return outcome is not None and outcome.stage in ("request", "response", "complete")


class Outages:
    """The outages of a run. Times are seconds, as in `Admission`.

    Attributes:
        is_on: whether there is an outage.
        listens: whether a response is news.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.listens = True
        self._failures = 0
        self._was_heard = False
        self._since = self._until = -inf
        self._attempts = 0
        # The slot of the attempt that is under way.
        self._probe: Any = None

    def hear(self) -> None:
        """Take that an attempt had a response."""
        self.is_on = self.listens = False
        self._failures, self._was_heard = 0, True
        self._probe = None

    def fail(
        self, now: float, slot: Any, outcome: Outcome, random: float, *, is_last: bool = False
    ) -> bool:
        """Take that an attempt got no connection.

        Args:
            now: the time.
            slot: of the attempt.
            outcome: how it failed.
            random: a number in [0, 1).
            is_last: whether its call has used up its retries.

        Returns:
            Whether the run is to end.
        """
        if not self._failures:
            self._since = now
        self._failures += 1
        self.listens = True
        is_outage = self._failures >= MOST_FAILURES or (is_last and self._was_heard)
        if is_outage and not self.is_on:
            self.is_on, self._attempts = True, 0
            self._until = now + _wait(0, random)
        elif slot is self._probe:
            self._probe = None
            self._attempts += 1
            self._until = now + _wait(self._attempts, random)
            if self._was_heard and outcome.stage != "verify":
                return now - self._since >= LONGEST
            return self._attempts >= FIRST
        return False

    def end(self, slot: Any) -> None:
        """Take that an attempt has ended in another way, such as before it was sent."""
        if slot is self._probe:
            self._probe = None

    def wait(self, now: float) -> float:
        """Return the seconds until an attempt may begin; infinite if one is under way."""
        if self._probe is not None:
            return inf
        return max(0.0, self._until - now)

    def begin(self, slot: Any) -> None:
        """Note that an attempt begins."""
        self._probe = slot

    def lasted(self, now: float) -> float:
        """Return the seconds since the first failure."""
        return now - self._since


def _wait(attempts: int, random: float) -> float:
    half = min(_LONGEST_WAIT, _SHORTEST_WAIT * 2.0 ** min(attempts, _MOST_DOUBLINGS)) / 2
    return half + half * random
