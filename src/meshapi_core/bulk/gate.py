"""The gate of a run: which attempts it lets begin, and what they have spent.

It gives an `Admission` what that decides by: the estimate of a call, the budget that the run may
share with others, and the limits that the gateway names.
"""

from decimal import Decimal
from typing import Any, Final, Optional

from msgspec import structs

from meshapi_core._base_error import MeshAPIError
from meshapi_core.bulk.estimates import estimated_tokens
from meshapi_core.bulk.item_usage import NO_PRICES
from meshapi_core.bulk.jobs import Job
from meshapi_core.bulk.options import Plan
from meshapi_core.bulk.pacing.admission import Admission
from meshapi_core.bulk.pacing.outages import Outages
from meshapi_core.bulk.pacing.slots import Decision, Hold, Slot
from meshapi_core.bulk.room import most_at_once
from meshapi_core.messages import Response
from meshapi_core.response_meta import RateLimitHeaders
from meshapi_core.usage.budgets import BudgetLimits
from meshapi_core.usage.reading import TokenCounts
from meshapi_core.usage.totals import TotalUsage

__all__ = ["Gate"]

_OFTEN: Final = 0.25
"""Seconds after which the rate limits in the headers of a response are looked at again."""

_NO_LIMITS: Final = BudgetLimits()
_NO_USAGE: Final = TotalUsage()


class Gate:
    """The gate of one run.

    Args:
        plan: of the run.
        is_counted: whether the client counts towards the budget, too.
        now: the time.
        connections, files: see `most_at_once`.

    Attributes:
        admission: decides.
        follows: whether the limits that the gateway names are kept.
        has_budget: whether the run has one.
        outages: hold all calls but one while the gateway cannot be reached.
        prices: of models, for costs that the gateway does not name.

    Raises:
        InvalidParamsError: there are not as many connections or files as calls are to run at once.
    """

    def __init__(
        self, plan: Plan, now: float, connections: Any, files: Optional[int], *, is_counted: bool
    ) -> None:
        self.outages = Outages()
        self.follows = plan.rate_limit == "auto"
        self._budget = budget = plan.budget
        self.has_budget = budget is not None
        self._is_counted = is_counted
        self.prices = NO_PRICES if budget is None else budget.prices
        given = None if isinstance(plan.rate_limit, str) else plan.rate_limit
        self.admission = Admission(
            now,
            concurrency=plan.concurrency,
            per_minute=given,
            follows=self.follows,
            limits=_NO_LIMITS if budget is None else budget.limits,
            most=most_at_once(plan.concurrency, connections, files),
        )
        has_token_limit = given is not None and given.tokens is not None
        self._counts_money = (
            budget is not None and bool(self.prices) and budget.limits.cost_usd is not None
        )
        self._counts_tokens = has_token_limit or budget is not None
        self._looked_at = 0.0

    def admit(self, job: Job, now: float, *, going_on: int = 0, failed: int = 0) -> Decision:
        """Decide whether an attempt begins now. If so, the job has its slot.

        Args:
            job: the call.
            now: the time.
            going_on: how many calls have begun, and have no result; only a budget needs it.
            failed: how many calls have failed; the same.
        """
        admission, outages = self.admission, self.outages
        if outages.is_on:
            wait = min(outages.wait(now), admission.time_left(now))
            if wait:
                return Hold(wait)
        if job.guess is None and (self._counts_tokens or admission.per_minute[1] is not None):
            job.guess = estimated_tokens(job.entry.call)
        given = admission.admit(
            now,
            tokens=0 if job.guess is None else job.guess.total,
            cost=self._cost(job) if self._counts_money else None,
            spent=self._spent(going_on) if self.has_budget else _NO_USAGE,
            failures=failed,
            again=job.attempts > 0,
        )
        if outages.is_on and type(given) is Slot:
            outages.begin(given)
        return given

    def headers_of(self, response: Response, now: float) -> Optional[RateLimitHeaders]:
        """Return the rate limits in the headers, now and then: to read them takes long."""
        if not self.follows or now - self._looked_at < _OFTEN:
            return None
        self._looked_at = now
        return response.meta.rate_limits

    def limits_in(self, error: MeshAPIError) -> Optional[RateLimitHeaders]:
        """Return the rate limits in the headers of an error response."""
        return error.meta.rate_limits if self.follows and error.headers else None

    def spend(self, job: Job, usage: TotalUsage) -> None:
        """Add to the budget what a call has used."""
        if self._budget is not None and not self._is_counted:
            self._budget.spend("" if job.guess is None else job.guess.model, usage)

    def _cost(self, job: Job) -> Optional[Decimal]:
        """What a call will cost by the prices of the budget; None if nobody knows."""
        guess = job.guess
        if guess is None or guess.output is None or guess.others:
            return None
        tokens = TokenCounts(input=guess.input, output=guess.output)
        return self.prices.cost(guess.model, tokens)

    def _spent(self, going_on: int) -> TotalUsage:
        """What is spent of the budget; its requests include the calls that go on."""
        if self._budget is None:
            return _NO_USAGE
        spent = self._budget.spent
        if self._is_counted:
            return spent
        return structs.replace(spent, requests=spent.requests + going_on)
