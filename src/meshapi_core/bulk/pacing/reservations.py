"""What attempts under way may still spend, so that a budget is kept although they run together.

Each attempt reserves its estimate until it has ended, in model tokens and in money. Estimates are
wrong in the same direction most of the time: the texts of a run resemble each other. So they are
corrected by the ratio of what has been used to what was estimated, in which old attempts count less
and less. Attempts whose cost nobody can estimate reserve what the others have cost on average;
until one has ended, only four of them are under way.

A call that does not fit while others are under way has to wait: those may use less than they have
reserved. If none is under way, the run is over. A number of requests, seconds and failures are
counted, not estimated, so they need not wait for anything.
"""

from decimal import Decimal
from math import inf
from typing import Final, Optional, Union

from meshapi_core.bulk.pacing.slots import UNTIL_AN_END, Hold, Stop
from meshapi_core.usage import BudgetLimits, TotalUsage

__all__ = ["Ratio", "Reservations"]

_KEPT: Final = 0.99
"""What is kept of the past at each attempt: about the last hundred count."""

_WIDEST: Final = 20.0
"""The most that estimates are corrected by, upwards and downwards: one odd usage must not stop a
run."""

_AT_FIRST: Final = 4
"""How many attempts of unknown cost may be under way until one has ended."""

_ROUNDING: Final = 1 + 1e-9
"""Reservations are floats, which add up with small errors: 0.1 + 0.2 fits into 0.3."""


class Ratio:
    """The ratio of what attempts used to what was estimated."""

    __slots__ = ("_estimated", "_used", "known", "value")

    value: float
    known: int
    """How many attempts it was learned from."""

    def __init__(self) -> None:
        self._estimated = self._used = 0.0
        self.value, self.known = 1.0, 0

    def learn(self, estimated: float, used: float) -> None:
        """Take an attempt that has ended."""
        self.known += 1
        self._estimated = self._estimated * _KEPT + estimated
        self._used = self._used * _KEPT + used
        if self._estimated:
            ratio = self._used / self._estimated
            self.value = min(_WIDEST, max(1 / _WIDEST, ratio))


class Reservations:
    """The part of a budget that attempts under way may still use.

    Args:
        now: when the run begins.
        limits: of the budget.
    """

    __slots__ = (
        "_any_ended",
        "_average",
        "_limits",
        "_money",
        "_paid",
        "_ratio",
        "ends",
        "is_limited",
    )

    is_limited: bool
    """Whether there is any limit."""
    ends: float
    """The time at which the run has lasted for long enough."""

    def __init__(self, now: float, limits: BudgetLimits) -> None:
        self._limits = limits
        self.is_limited = limits != BudgetLimits()
        self.ends = inf if limits.seconds is None else now + limits.seconds
        self._money = 0.0
        self._ratio = Ratio()
        self._average = 0.0
        self._paid = 0
        self._any_ended = False

    def cost(self, cost: Optional[Decimal]) -> float:
        """Return the dollars to reserve for an attempt."""
        if self._limits.cost_usd is None:
            return 0.0
        return self._average / self._ratio.value if cost is None else float(cost)

    def refusal(
        self,
        now: float,
        tokens: float,
        cost: float,
        spent: TotalUsage,
        failures: int,
        in_flight: int,
    ) -> Optional[Union[Hold, Stop]]:
        """Return why a call must not begin now; None if it may.

        Args:
            now: the time.
            tokens: the model tokens of the call and of what is under way, corrected.
            cost: the dollars that the call would reserve.
            spent: what has been spent without the attempts under way; its requests count them, too.
            failures: how many calls have failed.
            in_flight: how many attempts are under way.
        """
        limits = self._limits
        if limits.seconds is not None and now >= self.ends:
            return Stop("seconds", limits.seconds)
        if limits.failures is not None and failures > limits.failures:
            return Stop("failures", limits.failures)
        if limits.requests is not None and spent.requests >= limits.requests:
            return Stop("requests", limits.requests)
        if limits.tokens is not None:
            used = spent.total_tokens
            if used >= limits.tokens or used + tokens > limits.tokens:
                return UNTIL_AN_END if in_flight else Stop("tokens", limits.tokens)
        if limits.cost_usd is not None:
            money = float(spent.cost_usd) + (self._money + cost) * self._ratio.value
            is_used_up = spent.cost_usd >= limits.cost_usd
            if is_used_up or money > float(limits.cost_usd) * _ROUNDING:
                return UNTIL_AN_END if in_flight else Stop("cost_usd", limits.cost_usd)
            if not cost and not self._any_ended and in_flight >= _AT_FIRST:
                return UNTIL_AN_END
        return None

    def reserve(self, cost: float) -> None:
        """Reserve the dollars of an attempt that begins."""
        self._money += cost

    def settle(self, reserved: float, cost: Optional[Decimal]) -> None:
        """Give back what an attempt has reserved, and learn what it has cost, if that is known."""
        if self._limits.cost_usd is None:
            return
        self._money -= reserved
        self._any_ended = True
        if cost is not None:
            paid = float(cost)
            self._paid += 1
            self._average += (paid - self._average) / min(self._paid, 100)
            if reserved:
                self._ratio.learn(reserved, paid)
