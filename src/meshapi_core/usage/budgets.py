"""Limits on what calls may use, and the error when they are used up."""

from decimal import Decimal
from math import inf
from typing import Any, NamedTuple, Optional, Union

from msgspec import Struct
from typing_extensions import TypeAlias

from meshapi_core._json_kinds import value_name
from meshapi_core.errors import InvalidParamsError, MeshAPIError
from meshapi_core.usage.money import usd
from meshapi_core.usage.totals import TotalUsage

__all__ = ["Amount", "BudgetExceededError", "BudgetLimits", "UsedUp"]

Amount: TypeAlias = Union[Decimal, str, int, float]
"""An amount of US dollars: `Decimal("0.50")`, "0.50", 2 or 0.5."""


class BudgetExceededError(MeshAPIError):
    """A budget is used up, so the call was not sent.

    Attributes:
        limit: Which limit: "cost_usd", "tokens" or "requests".
        allowed: What it allows: dollars as a `Decimal`, or a count.
        spent: What had been spent when the call was stopped.
    """

    default_error_code = "budget_exceeded"

    limit: str
    allowed: Union[Decimal, int]
    spent: TotalUsage

    def __init__(self, limit: str, allowed: Union[Decimal, int], spent: TotalUsage) -> None:
        of = {
            "cost_usd": f"{spent.cost_usd:f} of {allowed:f} US dollars",
            "tokens": f"{spent.total_tokens} of {allowed} model tokens",
            "requests": f"{spent.requests} of {allowed} requests",
        }[limit]
        super().__init__(
            f"the budget is used up, and the call was not sent: {of} spent; raise {limit}= of the"
            " Budget, or make a new one"
        )
        self.limit, self.allowed, self.spent = limit, allowed, spent


class UsedUp(NamedTuple):
    """A limit that is used up."""

    limit: str
    allowed: Union[Decimal, int]


class BudgetLimits(Struct, frozen=True, kw_only=True):
    """What calls may use together; None is no limit.

    Whether `seconds` and `failures` are used up is decided by the run that they limit
    (`meshapi_core.bulk`): no usage says it.
    """

    cost_usd: Optional[Decimal] = None
    tokens: Optional[int] = None
    requests: Optional[int] = None
    seconds: Optional[float] = None
    failures: Optional[int] = None

    @classmethod
    def of(
        cls, cost_usd: Any, tokens: Any, requests: Any, seconds: Any = None, failures: Any = None
    ) -> "BudgetLimits":
        """Return the limits, checked.

        Raises:
            InvalidParamsError: none is given, or one is of a wrong kind or negative.
        """
        given = (cost_usd, tokens, requests, seconds, failures)
        if all(limit is None for limit in given):
            expected = "cost_usd=, tokens=, requests=, seconds= or failures="
            raise InvalidParamsError("Budget", expected, "no limit")
        amount = usd(cost_usd)
        if cost_usd is not None and amount is None:
            expected = 'US dollars, at least 0, such as "0.50"'
            raise InvalidParamsError("cost_usd", expected, value_name(cost_usd, show=True))
        counts = {"tokens": tokens, "requests": requests, "failures": failures}
        for name, count in counts.items():
            if count is not None and (type(count) is not int or count < 0):
                got = value_name(count, show=True)
                raise InvalidParamsError(name, "a whole number, at least 0", got)
        if seconds is not None and not (type(seconds) in (int, float) and 0 <= seconds < inf):
            got = value_name(seconds, show=True)
            hint = "write x.total_seconds()" if hasattr(seconds, "total_seconds") else ""
            raise InvalidParamsError("seconds", "seconds, at least 0", got, hint)
        return cls(cost_usd=amount, seconds=seconds, **counts)

    @property
    def of_a_run(self) -> list[str]:
        """The names of the limits that only a run of many calls can keep."""
        return [name for name in ("seconds", "failures") if getattr(self, name) is not None]

    def used_up(self, spent: TotalUsage, asked: int = 1) -> Optional[UsedUp]:
        """Return the first limit that allows no further call; None if all allow one.

        Args:
            spent: what has been spent.
            asked: how many requests the call makes.
        """
        if self.requests is not None and spent.requests + max(1, asked) > self.requests:
            return UsedUp("requests", self.requests)
        if self.tokens is not None and spent.total_tokens >= self.tokens:
            return UsedUp("tokens", self.tokens)
        if self.cost_usd is not None and spent.cost_usd >= self.cost_usd:
            return UsedUp("cost_usd", self.cost_usd)
        return None
