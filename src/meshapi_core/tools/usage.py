"""What a tool run has used, summed over its turns."""

from decimal import Decimal
from typing import Any, Optional

from msgspec import Struct

from meshapi_core.usage.money import added, usd

__all__ = ["RunUsage"]


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
        more = usd(cost)
        return RunUsage(
            input_tokens=self.input_tokens + (read or 0),
            output_tokens=self.output_tokens + (written or 0),
            total_tokens=self.total_tokens + (total or (read or 0) + (written or 0)),
            cost_usd=self.cost_usd if more is None else added(self.cost_usd or Decimal(0), more),
        )
