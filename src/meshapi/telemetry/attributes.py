"""Attributes of requests and responses. Nothing here raises: odd JSON gives fewer attributes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Optional, Union

import msgspec
from typing_extensions import TypeAlias

from meshapi.telemetry import names
from meshapi.telemetry.instruments import Attributes, Measured
from meshapi.telemetry.lenient import fields as fields_in
from meshapi.telemetry.lenient import items as items_in
from meshapi.telemetry.names import Operation
from meshapi_core.endpoints import Multipart
from meshapi_core.types import ChatCompletionChunk
from meshapi_core.usage import token_counts

__all__ = ["ResponseFacts", "fields_of", "request_attributes"]

Value: TypeAlias = Union[str, bool, int, float, Sequence[str]]

_MAX_TEXT: Final = 256
"""Characters of one value: more than any model's name has."""


def fields_of(body: object) -> dict[str, Any]:
    """Return the fields of a body, JSON or a form; {} of any other body."""
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
    return _OUTPUT_TYPES.get(kind) if isinstance(kind, str) else None


_OUTPUT_TYPES: Final = {"json_object": "json", "json_schema": "json", "text": "text"}

# Not in `names`: these are values, as most providers of chat completions send them.
_STATUSES: Final = {"completed": "stop", "failed": "error", "cancelled": "error"}
_INCOMPLETE: Final = {"max_output_tokens": "length"}

_COUNTS: Final[tuple[tuple[Measured, str], ...]] = (
    ("input", names.INPUT_TOKENS),
    ("output", names.OUTPUT_TOKENS),
    ("cache_read", names.CACHE_READ_TOKENS),
    ("cache_write", names.CACHE_WRITE_TOKENS),
    ("reasoning", names.REASONING_TOKENS),
)


class ResponseFacts:
    """What a response, or the chunks of a stream, say about the call."""

    def __init__(self) -> None:
        self._found: Attributes = {}
        self._reasons: dict[int, Optional[str]] = {}

    @property
    def model(self) -> Optional[str]:
        """The model that responded; None if that is not known yet."""
        model = self._found.get(names.RESPONSE_MODEL)
        return model if isinstance(model, str) else None

    def attributes(self, *, is_complete: bool) -> Attributes:
        """Return what is known.

        Args:
            is_complete: whether the response is. Otherwise each choice that has not ended is said
                to have ended with an error, as the conventions want it.
        """
        found = dict(self._found)
        reasons = [self._reasons[index] for index in sorted(self._reasons)]
        if not is_complete:
            reasons = [reason or "error" for reason in reasons]
        known = [reason for reason in reasons if reason is not None]
        if known:
            found[names.FINISH_REASONS] = known
        return found

    def tokens(self) -> list[tuple[Measured, int]]:
        """Return how many model tokens were used, as far as the gateway said that."""
        found: list[tuple[Measured, int]] = []
        for measured, name in _COUNTS:
            count = self._found.get(name)
            if isinstance(count, int):
                found.append((measured, count))
        return found

    def take(self, value: object) -> None:
        """Look at a response or a chunk: a typed object, or a dict."""
        if isinstance(value, ChatCompletionChunk):
            self._take_chunk(value)
            return
        # An event of a streamed response may have all of it.
        self._take_fields(fields_in(_get(value, "response")))
        self._take_fields(value)

    def _take_chunk(self, chunk: ChatCompletionChunk) -> None:
        # As `_take_fields`, but without a look at the text: there may be thousands of chunks.
        for choice in chunk.choices:
            if choice.finish_reason or choice.index not in self._reasons:
                self._note_reason(_count(choice.index) or 0, _text(choice.finish_reason))
        if names.RESPONSE_ID not in self._found:
            self._take_names(chunk)
        if chunk.usage is not None:
            self._take_usage(chunk.usage)

    def _take_names(self, record: object) -> None:
        for field, name in (("id", names.RESPONSE_ID), ("model", names.RESPONSE_MODEL)):
            text = _text(_get(record, field))
            if text:
                self._found[name] = text

    def _take_fields(self, record: object) -> None:
        self._take_names(record)
        for position, choice in enumerate(items_in(_get(record, "choices"))):
            index = _count(_get(choice, "index"))
            self._note_reason(
                position if index is None else index, _text(_get(choice, "finish_reason"))
            )
        # A response of `responses.create` has a status instead of choices.
        status = _text(_get(record, "status"))
        if status in ("queued", "in_progress"):
            self._note_reason(0, None)
        elif status == "incomplete":
            reason = _text(_get(_get(record, "incomplete_details"), "reason")) or "length"
            self._note_reason(0, _INCOMPLETE.get(reason, reason))
        elif status in _STATUSES:
            self._note_reason(0, _STATUSES[status])
        usage = _get(record, "usage")
        if usage is not None:
            self._take_usage(usage)

    def _note_reason(self, index: int, reason: Optional[str]) -> None:
        self._reasons[index] = reason or self._reasons.get(index)

    def _take_usage(self, usage: object) -> None:
        counts = token_counts(usage)
        if counts is None:
            return
        for name, count in (
            (names.INPUT_TOKENS, counts.input),
            (names.OUTPUT_TOKENS, counts.output),
            (names.CACHE_READ_TOKENS, counts.cache_read),
            (names.CACHE_WRITE_TOKENS, counts.cache_write),
            (names.REASONING_TOKENS, counts.reasoning),
        ):
            if count is not None:
                self._found[name] = count


def _get(record: object, name: str) -> Any:
    fields = fields_in(record)
    return fields.get(name) if fields else getattr(record, name, None)


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
    **{
        names.REQUEST[field]: _text
        for field in ("model", "reasoning_effort", "previous_response_id")
    },
    **{
        names.REQUEST[field]: _number
        for field in ("temperature", "top_p", "frequency_penalty", "presence_penalty")
    },
    **{names.REQUEST[field]: _texts for field in ("stop", "encoding_format")},
}
