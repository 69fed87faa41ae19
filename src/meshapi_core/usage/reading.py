"""What a response says about its usage. Nothing here raises: odd JSON says less."""

from decimal import Decimal
from typing import Any, Final, Optional

import msgspec
from msgspec import Struct

from meshapi_core._json_kinds import is_mapping
from meshapi_core.usage.money import usd

__all__ = ["TokenCounts", "cost_in", "cost_of", "head_of", "text_of", "token_counts", "value_of"]


class TokenCounts(Struct, frozen=True, kw_only=True):
    """How many model tokens were used; None for a count that was not sent.

    Fields:
        cache_read, cache_write: among the input, read from and written to the provider's cache.
        reasoning: among the output.
        input_audio, output_audio: among the input and the output.
    """

    input: Optional[int] = None
    output: Optional[int] = None
    cache_read: Optional[int] = None
    cache_write: Optional[int] = None
    reasoning: Optional[int] = None
    input_audio: Optional[int] = None
    output_audio: Optional[int] = None


_INPUT: Final = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_OUTPUT: Final = ("completion_tokens_details", "output_tokens_details", "output_token_details")


def token_counts(usage: object) -> Optional[TokenCounts]:
    """Return the counts in the `usage` of a response; None if there are none.

    Args:
        usage: a dict or a typed object, under the names of chat completions or of responses.
    """
    if usage is None:
        return None
    incoming = _first_count(usage, "prompt_tokens", "input_tokens")
    outgoing = _first_count(usage, "completion_tokens", "output_tokens")
    total = _first_count(usage, "total_tokens")
    if not incoming and not outgoing and not total:
        return None  # the typed form of a usage that the gateway left out
    if incoming is None and total is not None:
        # Embeddings of some gateways count only the total.
        incoming = max(0, total - (outgoing or 0))
    cached, spent = _details(usage, _INPUT), _details(usage, _OUTPUT)
    return TokenCounts(
        input=incoming,
        output=outgoing,
        cache_read=_first_count(cached, "cached_tokens"),
        cache_write=_first_count(cached, "cache_write_tokens"),
        reasoning=_first_count(spent, "reasoning_tokens"),
        input_audio=_first_count(cached, "audio_tokens"),
        output_audio=_first_count(spent, "audio_tokens"),
    )


def value_of(record: object, name: str) -> Any:
    """Return a field of a dict or a typed object; None if it has none."""
    if is_mapping(record):
        return record.get(name)
    return getattr(record, name, None)


def text_of(record: object, name: str) -> str:
    """Return a field that is text, of a length that a name may have; "" if it has none."""
    value = value_of(record, name)
    return value[:256] if isinstance(value, str) else ""


def _details(usage: object, names: tuple[str, ...]) -> object:
    return next((found for name in names if (found := value_of(usage, name))), None)


def _first_count(record: object, *names: str) -> Optional[int]:
    for name in names:
        count = value_of(record, name)
        if type(count) is int and 0 <= count < 2**63:
            return count
    return None


_COSTS: Final = ("cost", "cost_usd", "total_cost_usd")


def cost_in(record: object) -> Optional[Decimal]:
    """Return the cost that the fields of a response name; None if none does.

    It is in `cost`, `cost_usd` or `total_cost_usd` of the response or of its `usage`.
    """
    for place in (record, value_of(record, "usage")):
        if is_mapping(place):
            found = [value_of(place, name) for name in _COSTS]
        else:
            # Not `getattr` alone: `cost_usd` of a response is computed, by this function.
            names: tuple[str, ...] = getattr(place, "__struct_fields__", ())
            found = [getattr(place, name) for name in _COSTS if name in names]
        for value in found:
            amount = usd(value)
            if amount is not None:
                return amount
    return None


class Head(Struct):
    """The fields of a whole response that say what it used. The others are not decoded."""

    model: Any = None
    usage: Any = None
    cost: Any = None
    cost_usd: Any = None
    total_cost_usd: Any = None
    x_resolved_model_id: Any = None


def head_of(body: bytes) -> Optional[Head]:
    """Return the head of a body; None if it is no JSON object."""
    if body[:64].lstrip()[:1] != b"{":
        return None
    try:
        return msgspec.json.decode(body, type=Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def cost_of(response: object, body: Optional[bytes], kept: object = None) -> Optional[Decimal]:
    """Return what a response cost; None if it does not say so.

    Args:
        response: the typed response.
        body: the bytes that it was made from, if they are still there. Fields that the class does
            not declare are looked for in them.
        kept: what it was made from, decoded, if there is no body.
    """
    amount = cost_in(response)
    if amount is None:
        amount = cost_in(kept if body is None else head_of(body))
    if amount is None and body is None:
        # What a stream adds up to was made from no response, but may have further fields.
        amount = cost_in(value_of(response, "model_extra"))
    return amount
