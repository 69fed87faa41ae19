"""Responses: puts together the output items of a stream of events."""

from typing import Any, NamedTuple, Optional, cast

from msgspec import structs

from meshapi_core._raw_data import keep_extra
from meshapi_core.codec.decoding import fit
from meshapi_core.growing import GrowingText, SurrogateBuffer, hold_back
from meshapi_core.types import response_events as events
from meshapi_core.types.responses import ResponsesResponse, ResponsesStreamEvent, ResponsesUsage

__all__ = ["ENDS", "ResponsesAccumulator"]

ENDS: dict[type[ResponsesStreamEvent], str] = {
    events.ResponseCompletedEvent: "completed",
    events.ResponseFailedEvent: "failed",
    events.ResponseIncompleteEvent: "incomplete",
}
"""The events that end a stream, and the status that each gives to the response."""


class _TextTarget(NamedTuple):
    """Where the text of an event belongs.

    Fields:
        item: the type of the output item.
        field: the field for the text: of the part, or of the item if it has no parts.
        place: the field of the item that lists its parts; "" if it has no parts.
        at: the field of the event with the index in that list.
        part: the type of the part.
    """

    item: str
    field: str
    place: str = ""
    at: str = ""
    part: str = ""


_TEXT = _TextTarget("message", "text", "content", "content_index", "output_text")
_REFUSAL = _TextTarget("message", "refusal", "content", "content_index", "refusal")
_REASONING = _TextTarget("reasoning", "text", "content", "content_index", "reasoning_text")
_SUMMARY = _TextTarget("reasoning", "text", "summary", "summary_index", "summary_text")
_ARGUMENTS = _TextTarget("function_call", "arguments")
_MCP_ARGUMENTS = _TextTarget("mcp_call", "arguments")
_INPUT = _TextTarget("custom_tool_call", "input")
_CODE = _TextTarget("code_interpreter_call", "code")

_DELTAS: dict[type[ResponsesStreamEvent], _TextTarget] = {
    events.ResponseTextDeltaEvent: _TEXT,
    events.ResponseRefusalDeltaEvent: _REFUSAL,
    events.ResponseReasoningTextDeltaEvent: _REASONING,
    events.ResponseReasoningSummaryTextDeltaEvent: _SUMMARY,
    events.ResponseFunctionCallArgumentsDeltaEvent: _ARGUMENTS,
    events.ResponseMcpCallArgumentsDeltaEvent: _MCP_ARGUMENTS,
    events.ResponseCustomToolCallInputDeltaEvent: _INPUT,
    events.ResponseCodeInterpreterCallCodeDeltaEvent: _CODE,
}
# These events have the whole text, in a field with the same name as in the item.
_WHOLES: dict[type[ResponsesStreamEvent], _TextTarget] = {
    events.ResponseTextDoneEvent: _TEXT,
    events.ResponseRefusalDoneEvent: _REFUSAL,
    events.ResponseReasoningTextDoneEvent: _REASONING,
    events.ResponseReasoningSummaryTextDoneEvent: _SUMMARY,
    events.ResponseFunctionCallArgumentsDoneEvent: _ARGUMENTS,
    events.ResponseMcpCallArgumentsDoneEvent: _MCP_ARGUMENTS,
    events.ResponseCustomToolCallInputDoneEvent: _INPUT,
    events.ResponseCodeInterpreterCallCodeDoneEvent: _CODE,
}


class _Item:
    """One item of the output: its fields as received, and its texts so far."""

    __slots__ = ("fields", "texts")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.texts: dict[tuple[_TextTarget, int], GrowingText] = {}

    def text(self, kind: _TextTarget, index: int) -> GrowingText:
        text = self.texts.get((kind, index))
        if text is None:
            text = self.texts[kind, index] = GrowingText()
        return text

    def value(self) -> dict[str, Any]:
        item = dict(self.fields)
        parts: dict[str, dict[int, Any]] = {}
        for (kind, index), text in self.texts.items():
            value = text.value() or ""
            if kind.place:
                part = {"type": kind.part, kind.field: value}
                parts.setdefault(kind.place, {})[index] = part
            else:
                item[kind.field] = value
        for place, rows in parts.items():
            item[place] = [rows[index] for index in sorted(rows)]
        return item


class ResponsesAccumulator:
    """Puts a streamed response together; complete when it was completed, failed or incomplete."""

    __slots__ = ("_began", "_ended", "_surrogates", "_items", "_state", "_usage")

    def __init__(self) -> None:
        self._began = False
        self._ended = False
        self._state: dict[str, Any] = {}
        self._usage: Optional[ResponsesUsage] = None
        self._items: dict[int, _Item] = {}
        self._surrogates: dict[Any, SurrogateBuffer] = {}

    def add(self, chunk: ResponsesStreamEvent) -> None:
        """Add the next chunk."""
        self._began = True
        kind = type(chunk)
        growing = _DELTAS.get(kind)
        if growing is not None:
            text = self._text(chunk, growing)
            text.add(cast("Any", chunk).delta)
            hold_back(chunk, "delta", self._surrogates, text)
            return
        if chunk.response is not None:
            self._state = chunk.response
        if chunk.usage is not None:
            self._usage = chunk.usage
        if kind in ENDS:
            self._ended = True
        elif kind in _WHOLES:
            # The whole text replaces that of the deltas.
            whole = _WHOLES[kind]
            text = self._text(chunk, whole)
            text.clear()
            text.add(getattr(chunk, whole.field))
        elif isinstance(
            chunk, (events.ResponseOutputItemAddedEvent, events.ResponseOutputItemDoneEvent)
        ):
            self._items[chunk.output_index] = _Item(chunk.item)

    def _text(self, event: Any, kind: _TextTarget) -> GrowingText:
        item = self._items.get(event.output_index)
        if item is None:
            fields = {"type": kind.item, "id": event.item_id, "status": "in_progress"}
            if kind.item == "message":
                fields["role"] = "assistant"
            item = self._items[event.output_index] = _Item(fields)
        return item.text(kind, getattr(event, kind.at) if kind.at else 0)

    @property
    def complete(self) -> bool:
        """Whether the response was completed, failed or was left incomplete."""
        return self._ended

    def partial(self) -> Optional[ResponsesResponse]:
        """Return the response so far, as a whole response; None before the first chunk."""
        if not self._began:
            return None
        items = [item.value() for _, item in sorted(self._items.items())]
        # Only the last event has the output, and that is final. Until then, the items have it.
        state = {**self._state, "output": self._state.get("output") or items}
        response = fit(state, ResponsesResponse)
        response.usage = response.usage or self._usage
        known = structs.asdict(response)
        # A new object: no server has sent this response, so its unknown fields are in no raw data.
        made = ResponsesResponse(**known)
        keep_extra(made, {name: value for name, value in state.items() if name not in known})
        return made
