"""What a request cost by the prices that the gateway names for its models."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, Optional

from meshapi_core._json_kinds import value_name
from meshapi_core.errors import InvalidParamsError
from meshapi_core.types import ModelInfo, ModelPricing
from meshapi_core.usage.money import added, multiplied, usd
from meshapi_core.usage.reading import TokenCounts

__all__ = ["PriceList"]

_MILLIONTH: Final = Decimal("0.000001")
_THOUSANDTH: Final = Decimal("0.001")
_NOTHING: Final = Decimal(0)


class PriceList:
    """The prices of models.

    Args:
        models: what `client.models.list()` returns, or some of it.

    Raises:
        InvalidParamsError: an item is no `ModelInfo`.
    """

    def __init__(self, models: Iterable[ModelInfo] = ()) -> None:
        given: Any = models
        hint = "pass client.models.list()"
        if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
            raise InvalidParamsError("prices", "models", value_name(given), hint)
        self._models: dict[str, ModelInfo] = {}
        for index, model in enumerate(given):
            if not isinstance(model, ModelInfo):
                raise InvalidParamsError(f"prices[{index}]", "ModelInfo", value_name(model), hint)
            self._models[model.id] = model

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._models)} models>"

    def __len__(self) -> int:
        return len(self._models)

    @property
    def models(self) -> list[ModelInfo]:
        """The models that have the prices, as they were given."""
        return list(self._models.values())

    def is_long(self, model: str, tokens: int) -> bool:
        """Return whether a request with this input has the prices for a long context."""
        info = self._models.get(model)
        threshold = None if info is None else info.standard_context_threshold
        return threshold is not None and tokens > threshold

    def cost(
        self,
        model: str,
        tokens: Optional[TokenCounts],
        *,
        requests: int = 1,
        is_long: Optional[bool] = None,
    ) -> Optional[Decimal]:
        """Return the cost of a request; None if a price or a count that it needs is missing.

        Input from the cache costs as much as other input if no price for it is named.

        Args:
            model: its ID.
            tokens: of the request, or the sums of several.
            requests: how many.
            is_long: whether these have the prices for a long context; None to find out.
        """
        info = self._models.get(model)
        if info is None:
            return None
        if info.is_free:
            return _NOTHING
        price = info.pricing
        if price is None or tokens is None:
            return None
        if is_long is None:
            is_long = self.is_long(model, tokens.input or 0)
        rates = _rates(price, is_long=is_long)
        each = usd(price.request_usd or 0)
        if each is None:
            return None
        total = multiplied(each, requests)
        for kind, count in _counts(tokens).items():
            rate = rates[kind]
            if count and rate is None:
                return None
            total = added(total, multiplied(rate or _NOTHING, count))
        return total


def _counts(tokens: TokenCounts) -> dict[str, int]:
    cached, written = tokens.cache_read or 0, tokens.cache_write or 0
    heard, said = tokens.input_audio or 0, tokens.output_audio or 0
    return {
        "input": max(0, (tokens.input or 0) - cached - written - heard),
        "output": max(0, (tokens.output or 0) - said),
        "cache_read": cached,
        "cache_write": written,
        "input_audio": heard,
        "output_audio": said,
    }


def _rates(price: ModelPricing, *, is_long: bool) -> dict[str, Optional[Decimal]]:
    """The prices of one model token of each kind."""
    incoming = _each(price.prompt_usd_per_1m, price.prompt_usd_per_1k)
    outgoing = _each(price.completion_usd_per_1m, price.completion_usd_per_1k)
    read = _either(_each(price.cache_read_input_usd_per_1m), _each(price.cache_hit_usd_per_1m))
    written = _each(price.cache_write_input_usd_per_1m)
    if is_long:
        incoming = _either(_each(price.long_context_input_usd_per_1m), incoming)
        outgoing = _either(_each(price.long_context_output_usd_per_1m), outgoing)
        read = _either(_each(price.long_context_cache_read_input_usd_per_1m), read)
        written = _either(_each(price.long_context_cache_write_input_usd_per_1m), written)
    return {
        "input": incoming,
        "output": outgoing,
        "cache_read": _either(read, incoming),
        "cache_write": _either(written, incoming),
        "input_audio": _each(price.audio_input_usd_per_1m),
        "output_audio": _each(price.audio_output_usd_per_1m),
    }


def _each(per_million: Optional[str], per_thousand: Optional[str] = None) -> Optional[Decimal]:
    rate, unit = usd(per_million), _MILLIONTH
    if rate is None:
        rate, unit = usd(per_thousand), _THOUSANDTH
    return None if rate is None else multiplied(rate, unit)


def _either(one: Optional[Decimal], other: Optional[Decimal]) -> Optional[Decimal]:
    return other if one is None else one
