"""The result of each call of a run."""

from decimal import Decimal
from typing import Any, Final, Generic, Optional, TypeVar, cast

import msgspec
from msgspec import Struct

from meshapi_core.bulk.finish_reasons import finish_reason_of
from meshapi_core.bulk.item_usage import body_of
from meshapi_core.codec.parsing import parse
from meshapi_core.errors import MeshAPIError, ResponseDecodeError
from meshapi_core.types._base import Record
from meshapi_core.usage.totals import TotalUsage

__all__ = ["MapItem"]

T = TypeVar("T")

_NO_USAGE: Final = TotalUsage()


class MapItem(Struct, Generic[T], frozen=True, kw_only=True):
    """The result of one call of a run: a response, or an error.

    Fields:
        index: the call's place in the input, from 0.
        id: the program's own, else "call-0", "call-1" and so on.
        value: the response; None if there is none.
        error: why there is none; None if there is one. It is not raised, so that the other items
            can be had: `result()` raises it.
        usage: what the call used.
        cost: in US dollars; None if the gateway did not say, and no prices of the budget do.
        attempts: how many it took; 0 if nothing was sent.
        request_id: the gateway's, of the last attempt; "" if it sent none.
        recorded: whether the result was read from the journal of an earlier run.
    """

    index: int
    id: str
    value: Optional[T] = None
    error: Optional[MeshAPIError] = None
    usage: TotalUsage = _NO_USAGE
    cost: Optional[Decimal] = None
    attempts: int = 0
    request_id: str = ""
    recorded: bool = False

    @property
    def finish_reason(self) -> Optional[str]:
        """How the model's answer ended; None where there is none.

        "stop", "length" (cut off at a limit of model tokens), "content_filter", "refusal",
        "tool_calls" or another; of several choices, of the first that is not whole. Of the
        Responses API, "length" is `status="incomplete"`. After a `StructuredOutputError`, it is
        that of the response in the error.
        """
        if self.error is None:
            return finish_reason_of(self.value)
        return finish_reason_of(getattr(self.error, "response", None))

    def result(self) -> T:
        """Return the response.

        Raises:
            MeshAPIError: `error`.
        """
        if self.error is not None:
            raise self.error
        return cast("T", self.value)

    def row(self) -> dict[str, Any]:
        """Return the item as plain values for JSON, with these keys.

        - `id`, `attempts`, `request_id`: as in the item.
        - `output`: the response as the gateway sent it; bytes become base64. None if there is none.
        - `finish_reason`: as in the item.
        - `error`: `code`, `message`, `status` (0 without a response) and whatever else is known.
        - `usage`: `input_tokens`, `output_tokens`, `cached_tokens` and `reasoning_tokens`.
        - `cost`: as a float; `item.cost` is exact.
        """
        output = output_json(self.value)
        return {**self._facts(), "output": None if output is None else msgspec.json.decode(output)}

    def line(self) -> bytes:
        """Return `row()` as one line of JSON, with the line feed."""
        output = output_json(self.value)
        row = {**self._facts(), "output": None if output is None else msgspec.Raw(output)}
        return encoded(row) + b"\n"

    def _facts(self) -> dict[str, Any]:
        usage = self.usage
        return {
            "id": self.id,
            "output": None,
            "finish_reason": self.finish_reason,
            "error": None if self.error is None else error_fields(self.error),
            "usage": {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cached_tokens": usage.cached_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
            },
            "cost": None if self.cost is None else float(self.cost),
            "attempts": self.attempts,
            "request_id": self.request_id,
        }


def error_fields(error: MeshAPIError) -> dict[str, Any]:
    """Return an error as plain values for JSON."""
    return {**error.envelope()["error"], "status": error.status}


def encoded(value: Any) -> bytes:
    """Return JSON; lone surrogates, which no UTF-8 has, become U+FFFD."""
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError, RecursionError):
        import json

        raw: Any = {name: _unraw(item) for name, item in value.items()}
        return msgspec.json.encode(parse(json.dumps(raw, default=repr).encode()))


def _unraw(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def output_json(value: object) -> Optional[bytes]:
    """Return a response as JSON on one line: as the gateway sent it, if it came from a gateway.

    None for a call that returns nothing. Bytes become a text in base64.
    """
    if value is None:
        return None
    body = body_of(value)
    if body is None:
        return _made(value)
    try:
        msgspec.json.decode(body)
        if b"\n" in body or b"\r" in body:
            body = msgspec.json.format(body, indent=-1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            return msgspec.json.encode(parse(body))
        except ResponseDecodeError:
            return _made(value)
    return body


def _made(value: Any) -> bytes:
    """Return the JSON of a value that is not kept as it was sent."""
    if isinstance(value, Record):
        return value.model_dump_json(exclude_none=True).encode()
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError, RecursionError):
        return msgspec.json.encode(repr(value).encode("utf-8", "replace").decode())


def text_in(value: object) -> Optional[str]:
    """Return what the model said: the text of a response that has one, else None."""
    if isinstance(value, str):
        return value
    for name in ("output_text", "text"):
        text: object = getattr(value, name, None)
        if isinstance(text, str):
            return text
    return None
