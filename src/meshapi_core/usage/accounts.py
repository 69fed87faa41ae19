"""Accounts: they add up the usage of many calls, and admit calls as long as their limits allow."""

from collections.abc import Iterable, Sequence
from typing import Final

from meshapi_core.types import ModelInfo
from meshapi_core.usage.budgets import BudgetExceededError, BudgetLimits
from meshapi_core.usage.metered import Changes
from meshapi_core.usage.prices import PriceList
from meshapi_core.usage.totals import TotalUsage

__all__ = ["Account", "admit"]

_NO_LIMITS: Final = BudgetLimits()


class Account:
    """The usage of calls by model.

    It has no lock: threads that share it take turns.

    Attributes:
        limits: what the calls may use.
        prices: the prices of the models.

    Args:
        prices: the models whose prices estimate what the gateway does not say.
        limits: what the calls may use.

    Raises:
        InvalidParamsError: the prices are no models.
    """

    def __init__(self, prices: Iterable[ModelInfo] = (), limits: BudgetLimits = _NO_LIMITS) -> None:
        self.limits = limits
        self.prices = PriceList(prices)
        self._by_model: dict[str, TotalUsage] = {}

    @property
    def by_model(self) -> dict[str, TotalUsage]:
        """The sum of each model that has any, in the order in which they were first used."""
        return {model: usage for model, usage in self._by_model.items() if usage}

    @property
    def total(self) -> TotalUsage:
        """The sum of all models."""
        return sum(self._by_model.values(), TotalUsage())

    def enter(self, changes: Changes) -> None:
        """Put what is now known of requests in place of what was known before."""
        sums, prices = self._by_model, self.prices
        for old, new in changes:
            if old is not None:
                sums[old.model] = sums.get(old.model, TotalUsage()) - old.usage(prices)
            if new is not None:
                sums[new.model] = sums.get(new.model, TotalUsage()) + new.usage(prices)

    def add(self, model: str, usage: TotalUsage) -> None:
        """Add the usage of a request that has ended."""
        self._by_model[model] = self._by_model.get(model, TotalUsage()) + usage


def admit(accounts: Sequence[Account], changes: Changes) -> None:
    """Enter the requests of a call that begins into all accounts.

    Raises:
        BudgetExceededError: a limit is used up; nothing is entered.
    """
    for account in accounts:
        spent = account.total
        limit = account.limits.used_up(spent, len(changes))
        if limit is not None:
            raise BudgetExceededError(limit.limit, limit.allowed, spent)
    for account in accounts:
        account.enter(changes)
