"""TotalUsage, which adds up in any order to the same sum."""

from decimal import Decimal
from typing import Any, Final, cast

from msgspec import Struct

from meshapi_core.usage.money import added, multiplied

__all__ = ["TotalUsage"]

_NOTHING: Final = Decimal(0)


class TotalUsage(Struct, frozen=True, kw_only=True, gc=False):
    """What calls have used and cost.

    Fields:
        requests: how many; a call with all its attempts is one. A comparison is one for each model,
            and one for the comparison itself.
        input_tokens, output_tokens: model tokens.
        cached_tokens: those of the input that came from the provider's cache.
        reasoning_tokens: those of the output that were spent on reasoning.
        cost_usd: in US dollars, as far as it is known: see `unpriced`.
        unpriced: how many of the requests have a cost that is not known, and not in `cost_usd`.
        estimated: how many of the requests are in `cost_usd` with an estimate from prices, because
            the gateway did not say what they cost.
        in_progress: how many of the requests have no complete response yet.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = _NOTHING
    unpriced: int = 0
    estimated: int = 0
    in_progress: int = 0

    @property
    def total_tokens(self) -> int:
        """The model tokens of input and output; the two others are among them."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "TotalUsage") -> "TotalUsage":
        return self._with(other, 1)

    def __sub__(self, other: "TotalUsage") -> "TotalUsage":
        return self._with(other, -1)

    def _with(self, other: "TotalUsage", sign: int) -> "TotalUsage":
        # For callers without a type checker.
        if type(other) is not TotalUsage:
            unsupported: Any = NotImplemented
            return cast("TotalUsage", unsupported)
        cost = added(self.cost_usd, multiplied(other.cost_usd, sign))
        counts = {name: getattr(self, name) + sign * getattr(other, name) for name in _COUNTS}
        return TotalUsage(**counts, cost_usd=cost or _NOTHING)

    def __bool__(self) -> bool:
        return self != _EMPTY

    def __repr__(self) -> str:
        names = [name for name in _COUNTS if getattr(self, name)]
        shown = "".join(f", {name}={getattr(self, name)}" for name in names if name != "requests")
        cost = f", cost_usd={self.cost_usd:f}" if self.cost_usd or self.requests else ""
        return f"TotalUsage(requests={self.requests}{shown}{cost})"


_COUNTS: Final = tuple(name for name in TotalUsage.__struct_fields__ if name != "cost_usd")
_EMPTY: Final = TotalUsage()
