"""What many calls will cost: their estimated model tokens, at the gateway's prices."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Optional

from msgspec import Struct, field

from meshapi_core._json_kinds import value_name
from meshapi_core._log_safe import one_line
from meshapi_core.bulk.estimates import estimated_tokens
from meshapi_core.bulk.inputs import Entry, Inputs
from meshapi_core.calls import AnyCall
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.steps import Flow, Pause, Tell
from meshapi_core.types import ModelInfo
from meshapi_core.usage.money import added
from meshapi_core.usage.prices import PriceList
from meshapi_core.usage.reading import TokenCounts

__all__ = ["Estimate", "estimate_calls"]

_NOTHING: Final = Decimal(0)

_AT_A_TIME: Final = 1000
"""Calls between two pauses, in which an event loop gets on with other work: a few milliseconds."""

_BATCH_PRICES: Final = {
    "batch_input_usd_per_1m": "prompt_usd_per_1m",
    "batch_output_usd_per_1m": "completion_usd_per_1m",
}


class Estimate(Struct, frozen=True, kw_only=True):
    """What calls will use and cost, as far as one can tell before they are made.

    Fields:
        calls: how many.
        input_tokens: from the size of their texts.
        output_tokens: from the limits in the calls, or what was expected.
        cost_usd: in US dollars, of the calls that have a price: see `unpriced`.
        unpriced: how many calls are not in `cost_usd`, as no price of their model is known, or
            their response is no text. For a comparison, each of its models counts.
        by_model: the estimate for each model.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = _NOTHING
    unpriced: int = 0
    by_model: "Mapping[str, Estimate]" = field(default_factory=dict[str, "Estimate"])

    def __str__(self) -> str:
        """The estimate as one line."""
        more = f", without {self.unpriced:,} that have no known price" if self.unpriced else ""
        cost = self.cost_usd.normalize()
        return (
            f"{self.calls:,} calls, about {self.input_tokens:,} model tokens of input and"
            f" {self.output_tokens:,} of output: about {cost:f} US dollars{more}"
        )


class _Sums:
    """The sums of the requests to one model that have the same prices."""

    __slots__ = ("requests", "read", "unwritten", "written")

    def __init__(self) -> None:
        self.requests = self.read = self.written = self.unwritten = 0


class _Estimating:
    """Adds up calls.

    Args:
        prices: of the models.
        expected: the model tokens of each answer; None if nobody knows.
    """

    def __init__(self, prices: PriceList, expected: Optional[int]) -> None:
        self._prices = prices
        self._expected = expected
        self._calls = 0
        self._sums: dict[tuple[str, bool], _Sums] = {}

    def add(self, call: AnyCall[Any]) -> None:
        """Count a call."""
        model, read, written, others = estimated_tokens(call, self._expected)
        self._calls += 1
        if not (model or read or written or others):
            # It runs no model.
            return
        for name in (model, *others):
            key = name, self._prices.is_long(name, read)
            sums = self._sums.get(key)
            if sums is None:
                sums = self._sums[key] = _Sums()
            sums.requests += 1
            sums.read += read
            if written is None:
                sums.unwritten += 1
            else:
                sums.written += written

    def result(self) -> Estimate:
        """Return the estimate of all calls so far."""
        by_model: dict[str, Estimate] = {}
        for (name, is_long), sums in self._sums.items():
            one = self._estimate(name, sums, is_long=is_long)
            shown = one_line(name, 256) or "(no model named)"
            by_model[shown] = _sum(by_model[shown], one) if shown in by_model else one
        total = Estimate()
        for one in by_model.values():
            total = _sum(total, one)
        return Estimate(
            calls=self._calls,
            input_tokens=total.input_tokens,
            output_tokens=total.output_tokens,
            cost_usd=total.cost_usd,
            unpriced=total.unpriced,
            by_model=by_model,
        )

    def _estimate(self, model: str, sums: _Sums, *, is_long: bool) -> Estimate:
        counts = TokenCounts(input=sums.read, output=sums.written)
        cost = None
        if not sums.unwritten:
            cost = self._prices.cost(model, counts, requests=sums.requests, is_long=is_long)
        return Estimate(
            calls=sums.requests,
            input_tokens=sums.read,
            output_tokens=sums.written,
            cost_usd=_NOTHING if cost is None else cost,
            unpriced=sums.requests if cost is None else 0,
        )


def _sum(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(
        calls=one.calls + other.calls,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cost_usd=added(one.cost_usd, other.cost_usd),
        unpriced=one.unpriced + other.unpriced,
    )


def _for_batches(models: Iterable[ModelInfo]) -> list[ModelInfo]:
    """Return models with the prices of batches, where the gateway names any."""
    changed: list[ModelInfo] = []
    for model in models:
        pricing = model.pricing
        if pricing is not None:
            named = {name: getattr(pricing, batch) for batch, name in _BATCH_PRICES.items()}
            update = {name: price for name, price in named.items() if price is not None}
            model = model.model_copy(update={"pricing": pricing.model_copy(update=update)})
        changed.append(model)
    return changed


def estimate_calls(
    calls: object,
    template: object,
    prices: Optional[Iterable[ModelInfo]],
    output_tokens: object,
    via: object,
    *,
    takes_async: bool,
) -> Flow[Estimate]:
    """Estimate calls; see `MeshAPI.estimate`."""
    inputs = Inputs(calls, template, takes_async=takes_async)
    expected = _checked_count(output_tokens)
    if via not in ("live", "batch"):
        raise InvalidParamsError("via", "'live' or 'batch'", value_name(via, show=True))
    if prices is not None:
        # Checked before it is read: an iterator can be read once.
        prices = _checked_models(prices)
    else:
        from meshapi_core.endpoints.models import Models

        prices = yield Models.list.build()
    listed: Iterable[ModelInfo] = prices or ()
    estimating = _Estimating(
        PriceList(_for_batches(listed) if via == "batch" else listed), expected
    )
    while (entry := (yield from _next_entry(inputs))) is not None:
        estimating.add(entry.call)
        if inputs.count % _AT_A_TIME == 0:
            yield Pause(0)
    return estimating.result()


def _next_entry(inputs: Inputs) -> Flow[Optional[Entry]]:
    if inputs.source is None:
        return inputs.next()
    try:
        item: object = yield Tell(inputs.source.__anext__)
    except StopAsyncIteration:
        return None
    return inputs.entry(item)


def _checked_models(prices: Any) -> list[ModelInfo]:
    is_text = type(prices) in (str, bytes)
    models: Any = [*prices] if hasattr(prices, "__iter__") and not is_text else prices
    PriceList(models)
    checked: list[ModelInfo] = models
    return checked


def _checked_count(value: Any) -> Optional[int]:
    if value is None or (type(value) is int and value >= 0):
        count: Optional[int] = value
        return count
    expected = "a number of model tokens, at least 0"
    raise InvalidParamsError("output_tokens", expected, value_name(value, show=True))
