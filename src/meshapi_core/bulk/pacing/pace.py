"""Spreads what begins over a limit per minute, for requests or for model tokens.

Two rules, and both must agree:

1. *Evenly, after a burst.* Each amount moves the time of the next one by its share of a minute, at
   98 % of the limit. What begins may be 0.6 seconds early, so that a late event loop catches up.
   In the first minute it may be earlier: at first by ten seconds, and by less and less until the
   minute is over. So a small run does not wait, and a large one is as fast in the end.
2. *Never more than the limit in the last 60 seconds*, counted exactly. It matters where the first
   rule is not enough: after the limit was lowered, where single amounts are large, and where
   estimates were too low. It holds for sliding windows, so for fixed ones, too.

How large may the burst be? A limit per minute may be enforced over shorter times. Azure looks at
one or ten seconds; OpenAI and Anthropic say that 60 a minute may be one a second; a token bucket
takes a whole minute at once. So ten seconds suit most gateways. One that says how much is left of
the minute counts by the minute, and gets half of it. One that pushes back gets no further burst,
nor does an account that others use, too: a refused request costs a second, and no money. Whatever
begins at once is missing from the rest of the minute, which therefore has a lower rate, and no
pause at its end.

There is a burst after each minute without any amount, not for each run: see `Admission.go_on`.

A model-token amount is an estimate at first. When the usage is known, the difference is put where
the amount was counted. An amount above the whole limit counts as the limit: it begins once nothing
has begun for a minute.

Source: https://learn.microsoft.com/azure/ai-services/openai/how-to/quota,
    https://platform.openai.com/docs/guides/rate-limits,
    https://docs.anthropic.com/en/api/rate-limits
"""

from math import inf
from typing import Final, Optional

from meshapi_core.bulk.pacing.last_minute import WINDOW, LastMinute
from meshapi_core.bulk.pacing.learned import Learned
from meshapi_core.bulk.pacing.remaining import Remaining
from meshapi_core.response_meta import RateLimit

__all__ = ["Pace"]

_USED: Final = 0.98
"""The share of the limit that is used. With what may be caught up it is still below the limit."""

_LATE: Final = 0.6
"""Seconds that may be caught up: more than an event loop is late, less than 2 % of a minute."""

_BURST: Final = 10.0
_TOLD_BURST: Final = 30.0
"""Seconds by which amounts may be early at first; the second where the gateway says what is left.
More than half a minute would leave too low a rate for the rest of the minute."""

_OTHERS: Final = 0.05
"""Where others use more than this share of the limit, there is no burst: it is for them, too."""

_ROUNDING: Final = 1e-6
"""Seconds that are lost when times are added."""

_LONGEST_RESET: Final = WINDOW + 1.5
"""Seconds, with rounding. What takes longer is not a limit per minute: some gateways write their
limit per day into the same header."""


_LONGEST_WAIT: Final = WINDOW
"""Seconds by which a changed limit or a usage that was not expected delays the next amount: what
began a minute ago does not count any more. A gateway that names odd numbers cannot stop a run."""


class Pace:
    """The pace of one kind of thing.

    Args:
        now: the time.
        limit: the most in a minute; None is no limit.
        adopts: whether to use the limit that the gateway names.
        follows: whether to look at what the gateway says is left.
    """

    __slots__ = (
        "_adopts",
        "_burst",
        "_burst_began",
        "_follows",
        "_heard",
        "_learned",
        "_minute",
        "_next",
        "_remaining",
        "limit",
    )

    limit: Optional[int]
    """As given or adopted; None if neither."""

    def __init__(self, now: float, limit: Optional[int], *, adopts: bool, follows: bool) -> None:
        self.limit = limit
        self._adopts, self._follows = adopts, follows
        self._next = self._burst_began = -inf
        self._burst = _BURST
        self._heard = -inf
        self._minute = LastMinute(now)
        self._remaining: Optional[Remaining] = None
        self._learned: Optional[Learned] = None

    @property
    def latest(self) -> float:
        """About when something has begun last; at most half a second before that."""
        return self._minute.latest

    def charge(self, amount: int) -> int:
        """Return what an amount counts as."""
        limit = self.limit
        return amount if limit is None or amount <= limit else limit

    def wait(self, now: float, amount: int) -> float:
        """Return the seconds until an amount may begin; 0 if it may begin now."""
        early, age = _LATE, now - self._burst_began
        if age < WINDOW:
            early += self._burst * (1 - age / WINDOW)
        wait = self._next - early - now
        wait = wait if wait > _ROUNDING else 0.0
        limit = self.limit if self._learned is None else self._limit(now)
        if limit is not None:
            minute = self._minute
            minute.advance(now)
            most = limit - amount if amount < limit else 0
            if minute.total > most:
                wait = max(wait, minute.wait(now, int(most)))
        remaining = self._remaining
        if remaining is not None and now < remaining.until and 0 <= remaining.left < amount:
            wait = max(wait, remaining.until - now)
        return wait

    def take(self, now: float, amount: int) -> None:
        """Count an amount that begins now."""
        self._minute.add(now, amount)
        limit = self.limit if self._learned is None else self._limit(now)
        interval = 0.0 if limit is None else WINDOW / (_USED * limit)
        remaining = self._remaining
        if remaining is not None and now < remaining.until:
            interval = max(interval, remaining.take(now, amount))
        if interval:
            if now - self._next >= WINDOW:
                self._burst_began = now
            self._next = max(self._next, now) + amount * interval

    def settle(self, now: float, begun: float, charged: int, amount: int) -> None:
        """Replace an estimate by what it has come to."""
        difference = self.charge(amount) - charged
        if difference:
            self._minute.correct(begun, difference)
            if self.limit is not None:
                delay = difference * WINDOW / (_USED * self.limit)
                self._next = min(self._next + delay, max(self._next, now + _LONGEST_WAIT))

    def hear(self, now: float, begun: float, said: RateLimit) -> None:
        """Take what the gateway says about this limit.

        Args:
            now: when it said so.
            begun: when the attempt began that it responded to. What attempts that began earlier
                are told is out of date.
            said: the limit; what is None was not said.
        """
        limit, left, reset = said.limit, said.remaining, said.reset
        if not self._follows or begun < self._heard or not limit:
            return
        if reset is not None and reset > _LONGEST_RESET:
            return
        self._heard = begun
        if self._adopts and limit != self.limit:
            self._change(now, limit)
        if left is not None and reset is not None:
            if self._remaining is None:
                self._remaining = Remaining()
            self._minute.advance(now)
            if limit - left - self._minute.total > max(1.0, _OTHERS * limit):
                self._burst = 0.0
            elif self._burst:
                self._burst = _TOLD_BURST
            self._remaining.hear(now, limit, left, reset, self._minute.total)

    def refuse(self, now: float, begun: float) -> None:
        """Take that one was refused. Where no limit is known, it does not count."""
        if not self._follows:
            return
        if self._learned is None:
            self._learned = Learned(now)
        if self.limit is None:
            self._minute.correct(begun, -1)
        else:
            self._learned.refuse(now)
        self._learned.correct(now, self._minute.total)

    def push_back(self, now: float, until: float) -> None:
        """Take a push-back that counts (see `admission`), for requests."""
        if self._follows:
            if self._learned is None:
                self._learned = Learned(now)
            self._minute.advance(now)
            self._learned.push_back(now, until, self._minute.total)

    def end_bursts(self) -> None:
        """Spread everything evenly from now on: the gateway has pushed back."""
        self._burst = 0.0

    def cool_down(self, until: float) -> None:
        """Take that nothing begins until a time."""
        if self._learned is not None:
            self._learned.cool_down(until)

    @property
    def pushed(self) -> tuple[float, bool]:
        """What push-backs change: the burst, and whether a limit is learned."""
        return self._burst, self._learned is not None

    def excuse(self, pushed: tuple[float, bool]) -> None:
        """Take back the push-backs since `pushed` was read. What was learned before them stays."""
        self._burst, had_learned = pushed
        if not had_learned:
            self._learned = None

    def _limit(self, now: float) -> Optional[float]:
        limit = self.limit
        learned = None if self._learned is None else self._learned.at(now)
        if learned is None or (limit is not None and limit < learned):
            return limit
        return learned

    def _change(self, now: float, limit: int) -> None:
        if self.limit is not None:
            # What has begun too early for the old limit was too early for the new one.
            ahead = max(0.0, self._next - now)
            self._next = now + min(ahead * self.limit / limit, _LONGEST_WAIT)
        self.limit, self._learned = limit, None
