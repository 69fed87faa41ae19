"""What one call of a run used, by its response."""

from decimal import Decimal
from typing import Annotated, Any, Final, Optional

import msgspec
from msgspec import Struct
from typing_extensions import TypeAlias

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


_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Details(Struct):
    cached_tokens: Optional[_Count] = None
    reasoning_tokens: Optional[_Count] = None


class _Used(Struct):
    """The `usage` of nearly all responses."""

    prompt_tokens: Optional[_Count] = None
    input_tokens: Optional[_Count] = None
    completion_tokens: Optional[_Count] = None
    output_tokens: Optional[_Count] = None
    prompt_tokens_details: Optional[_Details] = None
    input_tokens_details: Optional[_Details] = None
    input_token_details: None = None
    completion_tokens_details: Optional[_Details] = None
    output_tokens_details: Optional[_Details] = None
    output_token_details: None = None
    cost: Any = None
    cost_usd: Any = None
    total_cost_usd: Any = None


class _Head(Struct):
    usage: _Used
    cost: Any = None
    cost_usd: Any = None
    total_cost_usd: Any = None


_DECODER: Final = msgspec.json.Decoder(_Head)


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
    asked, answered = used.prompt_tokens_details, used.completion_tokens_details
    if asked is None:
        asked = used.input_tokens_details
    elif used.input_tokens_details is not None:
        return None
    if answered is None:
        answered = used.output_tokens_details
    elif used.output_tokens_details is not None:
        return None
    if read is None:
        return None
    cost = usd(head.cost)
    if cost is None:
        for place in (head, used):
            for amount in (place.cost, place.cost_usd, place.total_cost_usd):
                if amount is not None and cost is None:
                    cost = usd(amount)
    return TotalUsage(
        requests=1,
        input_tokens=read,
        output_tokens=written or 0,
        cached_tokens=0 if asked is None else asked.cached_tokens or 0,
        reasoning_tokens=0 if answered is None else answered.reasoning_tokens or 0,
        cost_usd=Decimal(0) if cost is None else cost,
        unpriced=int(cost is None),
    )
