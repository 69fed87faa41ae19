"""What a tool run has used, summed over its turns."""

from decimal import Decimal, InvalidOperation
from typing import Any, Optional

from msgspec import Struct

__all__ = ["RunUsage", "dollars"]


class RunUsage(Struct, frozen=True, kw_only=True):
    """The usage of a run in model tokens, and its cost.

    Fields:
        input_tokens, output_tokens, total_tokens: as far as the gateway told.
        cost_usd: dollars; None if the gateway told no cost.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost_usd: Optional[Decimal] = None

    def plus(
        self, read: Optional[int], written: Optional[int], total: Optional[int], cost: Any
    ) -> "RunUsage":
        """Return the sum with one more response."""
        more = dollars(cost)
        return RunUsage(
            input_tokens=self.input_tokens + (read or 0),
            output_tokens=self.output_tokens + (written or 0),
            total_tokens=self.total_tokens + (total or (read or 0) + (written or 0)),
            cost_usd=self.cost_usd if more is None else (self.cost_usd or Decimal(0)) + more,
        )


def dollars(amount: Any) -> Optional[Decimal]:
    """Return an amount of money, given as text or a number; None if it is no such."""
    if amount is None or isinstance(amount, bool):
        return None
    try:
        made = Decimal(str(amount))
    except InvalidOperation:
        return None
    return made if made.is_finite() else None
