"""What one call of a run used, by its response."""

from decimal import Decimal
from typing import Any, Final, Optional

import msgspec
from msgspec import Struct

from meshapi_core._json_kinds import is_object
from meshapi_core._raw_data import SENT
from meshapi_core.calls import Call
from meshapi_core.usage.metered import MODEL_PATHS, call_usage
from meshapi_core.usage.money import usd
from meshapi_core.usage.prices import PriceList
from meshapi_core.usage.totals import TotalUsage

__all__ = ["NO_PRICES", "cost_in_usage", "usage_of"]

_NOTHING: Final = TotalUsage()
NO_PRICES: Final = PriceList()
_ONE_MODEL: Final = MODEL_PATHS - {"/v1/chat/compare"}


def body_of(value: object) -> Optional[bytes]:
    """Return the JSON that a response was made from; None if it was made otherwise."""
    kept: dict[str, Any] = getattr(value, "__dict__", {})
    body: Optional[bytes] = kept.get(SENT, (None,))[0]
    return body


def usage_of(
    call: Call[Any],
    value: object = None,
    body: Optional[bytes] = None,
    error: Optional[Exception] = None,
    prices: PriceList = NO_PRICES,
) -> TotalUsage:
    """Return what a call used, as `track_usage` counts it; nothing for one that runs no model.

    Args:
        call: the call.
        value: its response.
        body: the JSON that the response was made from; None for what `value` keeps.
        error: of its last attempt, if it has failed.
        prices: estimate what the gateway does not say.
    """
    if body is None:
        body = body_of(value)
    is_plain = error is None and not prices
    if body and is_plain and call.path in _ONE_MODEL and call.method == "POST":
        known = plainly_used(body)
        if known is not None:
            return known
    usage = call_usage(call)
    if usage is None:
        return _NOTHING
    return sum((one.usage(prices) for one in usage.ended(body, value, error)), _NOTHING)


def cost_in_usage(usage: TotalUsage) -> Optional[Decimal]:
    """Return what a call cost; None where not all of it is known."""
    return None if usage.unpriced or not usage.requests else usage.cost_usd


class _Used(Struct):
    """The `usage` of nearly all responses."""

    prompt_tokens: Any = None
    input_tokens: Any = None
    completion_tokens: Any = None
    output_tokens: Any = None
    prompt_tokens_details: Any = None
    input_tokens_details: Any = None
    input_token_details: Any = None
    completion_tokens_details: Any = None
    output_tokens_details: Any = None
    output_token_details: Any = None
    cost: Any = None
    cost_usd: Any = None
    total_cost_usd: Any = None


class _Head(Struct):
    usage: _Used
    cost: Any = None
    cost_usd: Any = None
    total_cost_usd: Any = None


_DECODER: Final = msgspec.json.Decoder(_Head)
_MOST: Final = 2**63


def plainly_used(body: bytes) -> Optional[TotalUsage]:
    """Return the usage in a response that is in no way odd; None for `call_usage` to read it.

    Every item of a run needs it, and this takes a fifth of the time.
    """
    try:
        head = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    used = head.usage
    read = used.input_tokens if used.prompt_tokens is None else used.prompt_tokens
    written = used.output_tokens if used.completion_tokens is None else used.completion_tokens
    cached = _in_details(
        used.prompt_tokens_details or used.input_tokens_details or used.input_token_details,
        "cached_tokens",
    )
    reasoning = _in_details(
        used.completion_tokens_details or used.output_tokens_details or used.output_token_details,
        "reasoning_tokens",
    )
    for count in (read, 0 if written is None else written, cached, reasoning):
        if type(count) is not int or not 0 <= count < _MOST:
            return None
    cost: Optional[Decimal] = None
    for amount in (
        head.cost,
        head.cost_usd,
        head.total_cost_usd,
        used.cost,
        used.cost_usd,
        used.total_cost_usd,
    ):
        if amount is not None:
            cost = usd(amount)
            if cost is not None:
                break
    return TotalUsage(
        requests=1,
        input_tokens=read,
        output_tokens=written or 0,
        cached_tokens=cached,
        reasoning_tokens=reasoning,
        cost_usd=Decimal(0) if cost is None else cost,
        unpriced=int(cost is None),
    )


def _in_details(details: Any, name: str) -> Any:
    if not details:
        return 0
    if not is_object(details):
        return None
    count = details.get(name)
    return 0 if count is None else count
