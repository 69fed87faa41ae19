"""Admission: whether an attempt may begin now, must wait, or is beyond the budget.

One `Admission` decides for all calls of a run. The host asks before each attempt, and says how each
has ended. What holds an attempt, in the order in which it is looked at:

    what                     holds                       until
    -----------------------  --------------------------  -------------------------------------------
    the budget               calls, but not retries      an attempt ends; or it stops the run
    a cool-down              everything                  it is over
    concurrency              everything                  an attempt ends
    the rate limits          everything                  there is room
    unknown usage            where model tokens are      the first attempts have ended
                             limited
    a retry that waits       calls, but not retries      the retry has begun

- *The budget* holds no retry: its call has been admitted, and has spent something that would be
  lost.
- *A cool-down* is for all, as the gateway means all: the longest counts. It begins with a
  push-back, which also halves an "auto" concurrency. A push-back counts once: not again for
  attempts that began before the end of its cool-down.
- *Rate limits* are those that the program gives, or those that the gateway names where the program
  gives none. In any case, others may use the account, so what the gateway says is left counts, too
  (`remaining`). Push-backs in spite of that, or where no limit is named, show a lower limit of
  requests (`learned`).
- *Unknown usage*: estimates of model tokens may be wrong by much, and in the same direction. Until
  20 attempts have said what they used, so much may be under way that an error does no harm: a
  twentieth of the limit, and another one for each attempt that has ended.
- *A retry that waits* for room for many model tokens would wait for ever if small calls took all
  the room that there is. So nothing else begins before it. If the host gives the retry up, this
  ends a second after the retry could have begun.

An attempt that the gateway refused has used no model tokens, but counts as a request: it may count
there, too. What is not known (a lost connection) counts as estimated.
"""

from collections.abc import Mapping
from decimal import Decimal
from math import inf
from typing import Any, Final, Literal, Optional, Union

from meshapi_core._json_kinds import is_object
from meshapi_core.bulk.pacing.concurrency import Concurrency
from meshapi_core.bulk.pacing.pace import Pace
from meshapi_core.bulk.pacing.per_minute import PerMinute
from meshapi_core.bulk.pacing.reservations import Ratio, Reservations
from meshapi_core.bulk.pacing.slots import UNTIL_AN_END, Decision, Hold, Slot
from meshapi_core.response_meta import RateLimit, RateLimitHeaders
from meshapi_core.usage import BudgetLimits, TotalUsage

__all__ = ["Admission"]

_SHORTEST: Final = 0.001
"""Seconds of a hold: timers are not more precise than that."""

_GIVEN_UP: Final = 1.0
"""Seconds after which a retry that does not come is not waited for."""

_TRUSTED: Final = 20
"""How many attempts must have ended until their usage says enough about the others."""

_NO_LIMITS: Final = BudgetLimits()

# The names in the two forms of the gateway's rate limits.
_REQUESTS: Final = ("requests_per_minute", "rpm")
_TOKENS: Final = ("tokens_per_minute", "tpm")


class Admission:
    """Decides when attempts begin.

    Times are seconds on a clock that never goes backwards, the same one in all calls. It has no
    lock: threads take turns.

    Args:
        now: when the run begins.
        concurrency: how many attempts may be under way; "auto" finds out.
        per_minute: the rate limit that the program gives.
        follows: whether to use the limits that the gateway names where the program gave none, and
            to look at what is left of them.
        limits: of the budget.
        most: the most that "auto" allows.

    Attributes:
        in_flight: how many attempts are under way.

    Raises:
        InvalidParamsError: `concurrency` is wrong.
    """

    def __init__(
        self,
        now: float,
        *,
        concurrency: Union[int, Literal["auto"]] = 50,
        per_minute: Optional[PerMinute] = None,
        follows: bool = True,
        limits: BudgetLimits = _NO_LIMITS,
        most: int = 1000,
    ) -> None:
        self._concurrency = Concurrency(concurrency, most, now)
        requests = tokens = None
        if per_minute is not None:
            requests, tokens = per_minute.requests, per_minute.tokens
        self._requests = Pace(now, requests, adopts=requests is None, follows=follows)
        self._tokens = Pace(now, tokens, adopts=tokens is None, follows=follows)
        self._ratio = Ratio()
        self._reservations = Reservations(now, limits)
        self._limits = limits
        self._cool_until = -inf
        # What began until then has been refused already, if it is refused.
        self._pushed_back = -inf
        # Until then, only retries begin.
        self._retries_until = -inf
        self._marked: list[tuple[Any, Any]] = []
        self.in_flight = 0
        # Of the attempts under way: as estimated, and as they count towards the limit.
        self._estimated = 0
        self._charged = 0

    def go_on(self, now: float, earlier: "Admission") -> None:
        """Go on from where the admission of an earlier run has ended.

        Otherwise, each of many small runs would begin with a burst, and with little concurrency.
        Call it before the first attempt.

        Args:
            now: the time.
            earlier: had the same rate limit. It must not be used any more.
        """
        if now < max(earlier._requests.latest, earlier._tokens.latest):
            return  # that was the clock of another event loop
        self._requests, self._tokens = earlier._requests, earlier._tokens
        self._ratio = earlier._ratio
        self._cool_until, self._pushed_back = earlier._cool_until, earlier._pushed_back
        if self._concurrency.is_like(earlier._concurrency):
            self._concurrency = earlier._concurrency
            self._concurrency.begin(now)

    @property
    def concurrency(self) -> int:
        """How many may be under way at present."""
        return self._concurrency.allowed

    @property
    def per_minute(self) -> tuple[Optional[int], Optional[int]]:
        """The limits of requests and of model tokens in force; None is no limit."""
        return self._requests.limit, self._tokens.limit

    def cooling(self, now: float) -> float:
        """Return the seconds until the cool-down is over; 0 if there is none."""
        return max(0.0, self._cool_until - now)

    def time_left(self, now: float) -> float:
        """Return the seconds for which calls may begin, by the budget; infinite without a limit."""
        return max(0.0, self._reservations.ends - now)

    def admit(
        self,
        now: float,
        *,
        tokens: int,
        cost: Optional[Decimal],
        spent: TotalUsage,
        failures: int,
        again: bool = False,
    ) -> Decision:
        """Decide on an attempt.

        Args:
            now: the time.
            tokens: the model tokens that it will use, estimated.
            cost: the US dollars that it will cost, estimated; None if unknown.
            spent: what has been spent of the budget. Its tokens and dollars are without the
                attempts under way; its requests count all calls that have begun.
            failures: how many calls have failed.
            again: whether it is a retry of a call that was admitted.

        Returns:
            A `Slot`, to give to `end` when the attempt has ended; a `Hold`: ask again then; a
            `Stop`: no further call may begin.
        """
        in_flight, ratio, dollars = self.in_flight, self._ratio.value, 0.0
        reservations = self._reservations
        if reservations.is_limited:
            dollars = reservations.cost(cost)
            if not again:
                needed = (self._estimated + tokens) * ratio
                no = reservations.refusal(now, needed, dollars, spent, failures, in_flight)
                if no is not None:
                    return no
        if now < self._cool_until:
            return self._hold(now, self._cool_until - now)
        if in_flight >= self._concurrency.allowed:
            return UNTIL_AN_END
        pace = self._tokens
        charged = pace.charge(round(tokens * ratio)) if tokens else 0
        wait = self._requests.wait(now, 1)
        if charged:
            wait = max(wait, pace.wait(now, charged))
            known = self._ratio.known
            if known < _TRUSTED and in_flight and _is_rash(pace, known, self._charged + charged):
                return UNTIL_AN_END
        if again:
            self._retries_until = now + wait + _GIVEN_UP if wait else -inf
        elif now < self._retries_until:
            wait = max(wait, self._retries_until - now)
        if wait:
            return self._hold(now, wait)
        self.in_flight = in_flight + 1
        self._estimated += tokens
        self._charged += charged
        self._requests.take(now, 1)
        if charged:
            pace.take(now, charged)
        if dollars:
            reservations.reserve(dollars)
        return Slot(now, tokens, charged, dollars, again)

    def end(
        self,
        slot: Slot,
        now: float,
        *,
        tokens: Optional[int] = None,
        cost: Optional[Decimal] = None,
        limits: Optional[RateLimitHeaders] = None,
        result: Literal["ok", "failed", "limited", "lost"] = "ok",
    ) -> None:
        """Take the end of an attempt. A second time for the same slot does nothing.

        Args:
            slot: of the attempt.
            now: when it ended.
            tokens: the model tokens that it used; None if unknown.
            cost: what it cost; None if unknown.
            limits: what the headers of its response say.
            result: "limited" if the gateway asked for a pause; "lost" if there was no response.
        """
        if slot.ended:
            return
        slot.ended = True
        in_flight = self.in_flight
        self.in_flight = in_flight - 1
        self._estimated -= slot.tokens
        self._charged -= slot.charged
        self._reservations.settle(slot.cost, cost)
        if result == "limited" and tokens is None:
            tokens = 0
        elif result == "ok":
            self._concurrency.succeed(in_flight, now)
            if slot.tokens:
                used = slot.tokens * self._ratio.value if tokens is None else tokens
                self._ratio.learn(slot.tokens, used)
        if tokens is not None:
            self._tokens.settle(now, slot.begun, slot.charged, tokens)
        if limits is not None:
            self._hear(now, slot.begun, limits.requests, limits.tokens)
        if result == "limited":
            self._requests.refuse(now, slot.begun)
            self._push_back(now, slot.begun, now)

    def cool_down(self, now: float, seconds: float) -> None:
        """Let nothing begin for some seconds; of several such times, the latest counts.

        Call it after `end`, if an attempt is the reason.
        """
        until = now + seconds
        self._cool_until = max(self._cool_until, until)
        self._push_back(now, now, until)
        self._pushed_back = max(self._pushed_back, until)
        self._requests.cool_down(until)

    def mark(self) -> None:
        """Remember what `excuse` goes back to. Call it before `end`."""
        parts = (self._concurrency, self._requests, self._tokens)
        self._marked = [(part, part.pushed) for part in parts]

    def excuse(self, now: float) -> None:
        """Take back the push-backs and cool-downs since `mark`: they were those of one model."""
        for part, pushed in self._marked:
            part.excuse(pushed)
        self._cool_until = self._pushed_back = now

    def crowd(self, now: float, slot: Slot) -> None:
        """Take that the process can open no further connections. "auto" takes half, as of others.

        Call it before `end`.
        """
        if slot.begun > self._pushed_back:
            self._pushed_back = now
            self._concurrency.push_back()

    def _push_back(self, now: float, begun: float, until: float) -> None:
        if begun > self._pushed_back:
            self._pushed_back = until
            self._concurrency.push_back()
            self._requests.push_back(now, until)
            self._requests.end_bursts()
            self._tokens.end_bursts()

    def adopt(self, now: float, limits: Union[RateLimitHeaders, Mapping[str, Any]]) -> None:
        """Take limits of the gateway: from headers, or `key` of `usage.rate_limits()`.

        What cannot be read is ignored.
        """
        if isinstance(limits, RateLimitHeaders):
            self._hear(now, now, limits.requests, limits.tokens)
        else:
            self._hear(now, now, _limit(limits, _REQUESTS), _limit(limits, _TOKENS))

    def _hear(self, now: float, begun: float, requests: RateLimit, tokens: RateLimit) -> None:
        self._requests.hear(now, begun, requests)
        self._tokens.hear(now, begun, tokens)

    def _hold(self, now: float, seconds: float) -> Hold:
        # So that the run stops in time.
        return Hold(max(_SHORTEST, min(seconds, self._reservations.ends - now)))


def _is_rash(tokens: Pace, known: int, charged: int) -> bool:
    """Whether too much would be under way while its usage is not known."""
    return tokens.limit is not None and charged > tokens.limit * (known + 1) / _TRUSTED


def _limit(limits: Mapping[str, Any], names: tuple[str, ...]) -> RateLimit:
    """Read one limit of `usage.rate_limits()`, whose form is not documented in full."""
    for name in names:
        said = limits.get(name)
        if is_object(said):
            limit, current = _count(said.get("limit")), _count(said.get("current"))
            left = None if limit is None or current is None else max(0, limit - current)
            return RateLimit(
                limit=limit, remaining=left, reset=_seconds(said.get("resets_in_seconds"))
            )
    return RateLimit()


def _count(value: object) -> Optional[int]:
    return value if type(value) is int and value >= 0 else None


def _seconds(value: object) -> Optional[float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < inf:
        return float(value)
    return None
