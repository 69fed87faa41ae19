"""What a run needs of a budget, which it shares with other calls and runs."""

from typing_extensions import Protocol

from meshapi_core.usage import BudgetLimits, PriceList, TotalUsage

__all__ = ["Spending"]


class Spending(Protocol):
    """Something that adds up what is spent, within limits. `meshapi.Budget` is one."""

    @property
    def limits(self) -> BudgetLimits:
        """What may be spent."""
        ...

    @property
    def prices(self) -> PriceList:
        """Estimate the cost of calls for which the gateway names none."""
        ...

    @property
    def spent(self) -> TotalUsage:
        """What has been spent by all who share it."""
        ...

    def spend(self, model: str, usage: TotalUsage) -> None:
        """Add what one call has used."""
        ...
