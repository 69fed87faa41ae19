"""Attributes of requests and responses. Total functions: odd JSON gives fewer attributes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Optional, Union

import msgspec
from typing_extensions import TypeAlias

from meshapi.telemetry import names
from meshapi.telemetry.loose import fields as fields_in
from meshapi.telemetry.loose import items as items_in
from meshapi.telemetry.names import Operation
from meshapi_core.endpoints import Multipart

__all__ = ["Attributes", "ResponseFacts", "fields_of", "request_attributes"]

Value: TypeAlias = Union[str, bool, int, float, Sequence[str]]
Attributes: TypeAlias = dict[str, Value]

_MAX_TEXT: Final = 256
"""Characters of one value: more than any model's name has."""


def fields_of(body: object) -> dict[str, Any]:
    """Return the fields of a body, JSON or a form; none of JSON that is no object."""
    if isinstance(body, Multipart):
        return dict(body.fields)
    if not isinstance(body, bytes) or not body:
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def request_attributes(
    fields: Mapping[str, Any], operation: Operation, *, streaming: bool
) -> Attributes:
    """Return the attributes of a request to a model."""
    found: Attributes = {}
    for field, name in names.REQUEST.items():
        value = _CONVERTED[name](fields.get(field))
        if value is not None:
            found[name] = value
    level = _text(fields_in(fields.get("reasoning")).get("effort"))
    if level is not None:
        found[names.REQUEST["reasoning_effort"]] = level
    # The conventions want the number of choices only where it is not the usual one.
    if found.get(names.REQUEST["n"]) == 1:
        del found[names.REQUEST["n"]]
    if streaming:
        found[names.REQUEST_STREAM] = True
    output = _output_type(fields) or operation.output
    if output is not None:
        found[names.OUTPUT_TYPE] = output
    return found


def _output_type(fields: Mapping[str, Any]) -> Optional[str]:
    asked = fields_in(fields.get("response_format"))
    kind = (asked or fields_in(fields_in(fields.get("text")).get("format"))).get("type")
    return "json" if kind in ("json_object", "json_schema") else None


_DIRECTIONS: Final[tuple[tuple[Literal["input", "output"], str], ...]] = (
    ("input", names.INPUT_TOKENS),
    ("output", names.OUTPUT_TOKENS),
)


class ResponseFacts:
    """What a response, or the chunks of a stream, say about the call."""

    def __init__(self) -> None:
        self._found: Attributes = {}
        self._reasons: dict[int, str] = {}

    def attributes(self) -> Attributes:
        """Return what is known as attributes."""
        found = dict(self._found)
        if self._reasons:
            found[names.FINISH_REASONS] = [self._reasons[key] for key in sorted(self._reasons)]
        return found

    def tokens(self) -> list[tuple[Literal["input", "output"], int]]:
        """Return how many tokens were used, as far as the gateway said that."""
        found: list[tuple[Literal["input", "output"], int]] = []
        for direction, name in _DIRECTIONS:
            count = self._found.get(name)
            if isinstance(count, int):
                found.append((direction, count))
        return found

    def take(self, value: object) -> None:
        """Look at a response or a chunk."""
        # An event of a streamed response may have all of it.
        self._take_fields(fields_in(getattr(value, "response", None)))
        self._take_fields(_Attributes(value))

    def _take_fields(self, record: "Union[dict[str, Any], _Attributes]") -> None:
        for field, name in (("id", names.RESPONSE_ID), ("model", names.RESPONSE_MODEL)):
            text = _text(record.get(field))
            if text:
                self._found[name] = text
        for position, choice in enumerate(items_in(record.get("choices"))):
            reason = _text(_get(choice, "finish_reason"))
            index = _count(_get(choice, "index"))
            if reason:
                self._reasons[position if index is None else index] = reason
        # A response of `responses.create` has a status instead of reasons.
        status = _text(record.get("status"))
        if status in ("completed", "incomplete", "failed", "cancelled"):
            self._reasons[0] = status
        usage = record.get("usage")
        if usage is not None:
            self._take_usage(usage)

    def _take_usage(self, usage: object) -> None:
        incoming = _first_count(usage, "prompt_tokens", "input_tokens")
        outgoing = _first_count(usage, "completion_tokens", "output_tokens")
        if not incoming and not outgoing and not _first_count(usage, "total_tokens"):
            return  # the typed form of a usage that the gateway left out
        cached = _details(usage, "prompt_tokens_details", "input_tokens_details")
        spent = _details(usage, "completion_tokens_details", "output_tokens_details")
        for name, count in (
            (names.INPUT_TOKENS, incoming),
            (names.OUTPUT_TOKENS, outgoing),
            (names.CACHE_READ_TOKENS, _first_count(cached, "cached_tokens")),
            (names.CACHE_WRITE_TOKENS, _first_count(cached, "cache_write_tokens")),
            (names.REASONING_TOKENS, _first_count(spent, "reasoning_tokens")),
        ):
            if count is not None:
                self._found[name] = count


class _Attributes(NamedTuple):
    """An object as a mapping of its attributes."""

    value: object

    def get(self, name: str) -> Any:
        return getattr(self.value, name, None)


def _get(record: object, name: str) -> Any:
    fields = fields_in(record)
    return fields.get(name) if fields else getattr(record, name, None)


def _details(usage: object, *fields: str) -> object:
    return next((found for field in fields if (found := _get(usage, field))), None)


def _first_count(record: object, *fields: str) -> Optional[int]:
    counts = (_count(_get(record, field)) for field in fields)
    return next((count for count in counts if count is not None), None)


def _text(value: object) -> Optional[str]:
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None


def _count(value: object) -> Optional[int]:
    # OpenTelemetry's integers have 64 bits.
    return value if type(value) is int and 0 <= value < 2**63 else None


def _integer(value: object) -> Optional[int]:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _number(value: object) -> Optional[float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e300 else None


def _texts(value: object) -> Optional[list[str]]:
    given = [value] if isinstance(value, str) else items_in(value)
    return [text for text in map(_text, given) if text is not None] or None


_CONVERTED: Final[dict[str, Callable[[object], Optional[Value]]]] = {
    **dict.fromkeys(names.REQUEST.values(), _integer),
    **dict.fromkeys((names.REQUEST_MODEL, names.REQUEST["reasoning_effort"]), _text),
    **{
        names.REQUEST[field]: _number
        for field in ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty")
    },
    names.REQUEST["stop"]: _texts,
}
