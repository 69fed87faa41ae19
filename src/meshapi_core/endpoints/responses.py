"""Responses: `/v1/responses`, whole, streamed, and those that are stored.

Source: https://developers.meshapi.ai/docs (responses),
    https://platform.openai.com/docs/api-reference/responses-streaming
"""

from typing import Any, NamedTuple, Optional, cast

from msgspec import Struct
from typing_extensions import Unpack

from meshapi_core._json_kinds import is_object
from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec import fit
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, stream_endpoint
from meshapi_core.envelopes import is_blank
from meshapi_core.growing import GrowingText, Halves, hold_back
from meshapi_core.params import encode_params
from meshapi_core.parsing import parse
from meshapi_core.paths import path_segment
from meshapi_core.queries import encode_query
from meshapi_core.readers import ChunkReader, JSONReader
from meshapi_core.types import response_events as events
from meshapi_core.types._base import Params
from meshapi_core.types.responses import (
    ResponsesFields,
    ResponsesListResponse,
    ResponsesParams,
    ResponsesResponse,
    ResponsesStreamEvent,
    ResponsesUsage,
)

_PATH = "/v1/responses"

_ENDS: dict[type[ResponsesStreamEvent], str] = {
    events.ResponseCompletedEvent: "completed",
    events.ResponseFailedEvent: "failed",
    events.ResponseIncompleteEvent: "incomplete",
}
"""The events that are the last one, and the status of the response in each."""

# Also those in which a response that runs in the background may be when it is answered whole.
_EVENT_OF_STATUS: dict[str, type[ResponsesStreamEvent]] = {
    **{status: kind for kind, status in _ENDS.items()},
    "queued": events.ResponseQueuedEvent,
    "in_progress": events.ResponseInProgressEvent,
}


class _ListParams(Params, kw_only=True):
    after: Optional[str] = None
    limit: Optional[int] = None


class _Events(Struct, frozen=True):
    """Reads the events of a stream of responses, each as the class of its type."""

    def is_error(self, name: str, frame: dict[str, Any]) -> bool:
        """Whether the gateway speaks, and not the model; see `EventReader`."""
        kind = frame.get("type")
        if isinstance(kind, str) and kind.startswith("response."):
            # It has an error as one of its facts.
            return False
        return kind != "error" or not is_blank(frame.get("error"))

    def read(self, name: str, frame: dict[str, Any]) -> Optional[ResponsesStreamEvent]:
        """The typed event; see `EventReader`."""
        kind = frame.get("type")
        if not isinstance(kind, str):
            # Some say it in the one place, some in the other, most in both.
            kind = name if name.startswith("response.") else None
            if kind is None and name not in ("", "message"):
                # What says it in neither is there to keep the connection alive.
                return None
        event = fit(frame, events.EVENTS.get(kind or "", ResponsesStreamEvent))
        event.type = kind
        vars(event)["_raw"] = frame
        return event


class Responses(Resource[R_co]):
    """Responses, the API of reasoning models: create them, stream them, look them up."""

    @endpoint
    def create(
        self, params: Optional[ResponsesParams] = None, **fields: Unpack[ResponsesFields]
    ) -> Call[ResponsesResponse]:
        """Return one response, whole; with `background=True` one that has yet to be made.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `create(model="openai/o4-mini", input="...")`.

        Returns:
            The answer; the text is in `.output_text`, everything in `.output`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind, `stream=True`
                among them; nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(ResponsesParams, params, fields, {"stream": False}, "use stream()")
        return Call(
            method="POST",
            path=_PATH,
            body=body,
            reader=JSONReader(ResponsesResponse, stream=_chunk_reader()),
            starts_job=_in_background(params, fields),
        )

    @stream_endpoint
    def stream(
        self, params: Optional[ResponsesParams] = None, **fields: Unpack[ResponsesFields]
    ) -> StreamCall[ResponsesStreamEvent]:
        """Return one response as a stream of events.

        Args:
            params, fields: as for `create`.

        Returns:
            An iterator of events that is a context manager, too. Tell them apart by class or by
            `.type`; text is in the `.delta` of each `ResponseTextDeltaEvent`. The last one is
            completed, incomplete or failed, and has the whole answer in `.response`. The request
            is sent when it is entered or first iterated.

        Raises:
            InvalidParamsError: at once, as for `create`.
            MeshAPIError: when it is entered or iterated; also later, for an error that the gateway
                sends within the stream. An error that the model reports is a `ResponseErrorEvent`,
                and is raised where nothing comes after it. A response that failed is a
                `ResponseFailedEvent`.
            StreamInterruptedError: the stream broke off; `.partial` has the answer so far.
        """
        body = encode_params(ResponsesParams, params, fields, {"stream": True}, "use create()")
        return StreamCall(
            method="POST",
            path=_PATH,
            body=body,
            reader=_chunk_reader(),
            starts_job=_in_background(params, fields),
        )

    @endpoint
    def list(
        self, *, after: Optional[str] = None, limit: Optional[int] = None
    ) -> Call[ResponsesListResponse]:
        """Return one page of the stored responses.

        Args:
            after: the id of a response; the page begins with the one that follows it.
            limit: how many at most.

        Raises:
            InvalidParamsError, MeshAPIError: as for `create`.
        """
        query = encode_query(_ListParams, None, {"after": after, "limit": limit})
        reader = JSONReader(ResponsesListResponse)
        return Call(method="GET", path=_PATH, query=query, reader=reader)

    @endpoint
    def get(self, response_id: str) -> Call[ResponsesResponse]:
        """Return one stored response, or the state of one that runs in the background.

        Raises:
            InvalidParamsError: the id is none.
            MeshAPIError: as for `create`; for an unknown id a NotFoundError or a BadRequestError.
        """
        path = f"{_PATH}/{path_segment('response_id', response_id)}"
        return Call(method="GET", path=path, reader=JSONReader(ResponsesResponse))


def _chunk_reader() -> ChunkReader[ResponsesStreamEvent]:
    return ChunkReader(
        ResponsesStreamEvent,
        accumulator=ResponsesAccumulator,
        from_answer=_event_from_answer,
        answer=ResponsesResponse,
        marker=b'"output"',
        events=_Events(),
    )


def _event_from_answer(body: bytes) -> ResponsesStreamEvent:
    answer: dict[str, Any] = parse(body)
    status, usage = answer.get("status"), answer.get("usage")
    kind = _EVENT_OF_STATUS.get(status) if isinstance(status, str) else None
    event = (kind or events.ResponseCompletedEvent)(
        response=answer, usage=fit(usage, ResponsesUsage) if is_object(usage) else None
    )
    # The members of what was sent are those of the response, and not further ones of the event.
    vars(event)["_extra"] = {}
    return event


class _Growing(NamedTuple):
    """Where the text of an event belongs.

    Fields:
        item: type of the output item.
        field: of the item, or of the part where there is one.
        place: the item's list of parts.
        at: the event's field with the place in that list.
        part: type of the part.
    """

    item: str
    field: str
    place: str = ""
    at: str = ""
    part: str = ""


_TEXT = _Growing("message", "text", "content", "content_index", "output_text")
_REFUSAL = _Growing("message", "refusal", "content", "content_index", "refusal")
_REASONING = _Growing("reasoning", "text", "content", "content_index", "reasoning_text")
_SUMMARY = _Growing("reasoning", "text", "summary", "summary_index", "summary_text")
_ARGUMENTS = _Growing("function_call", "arguments")
_MCP_ARGUMENTS = _Growing("mcp_call", "arguments")
_INPUT = _Growing("custom_tool_call", "input")
_CODE = _Growing("code_interpreter_call", "code")

_DELTAS: dict[type[ResponsesStreamEvent], _Growing] = {
    events.ResponseTextDeltaEvent: _TEXT,
    events.ResponseRefusalDeltaEvent: _REFUSAL,
    events.ResponseReasoningTextDeltaEvent: _REASONING,
    events.ResponseReasoningSummaryTextDeltaEvent: _SUMMARY,
    events.ResponseFunctionCallArgumentsDeltaEvent: _ARGUMENTS,
    events.ResponseMcpCallArgumentsDeltaEvent: _MCP_ARGUMENTS,
    events.ResponseCustomToolCallInputDeltaEvent: _INPUT,
    events.ResponseCodeInterpreterCallCodeDeltaEvent: _CODE,
}
# The whole text comes in the field that it has in the item.
_WHOLES: dict[type[ResponsesStreamEvent], _Growing] = {
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
    """One item of the output: what was told of it, and the texts that grow in it."""

    __slots__ = ("fields", "texts")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.texts: dict[tuple[_Growing, int], GrowingText] = {}

    def text(self, kind: _Growing, index: int) -> GrowingText:
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
    """Puts a stream of responses together; complete when the response has ended, well or not."""

    __slots__ = ("_began", "_ended", "_halves", "_items", "_state", "_usage")

    def __init__(self) -> None:
        self._began = False
        self._ended = False
        self._state: dict[str, Any] = {}
        self._usage: Optional[ResponsesUsage] = None
        self._items: dict[int, _Item] = {}
        self._halves: dict[Any, Halves] = {}

    def add(self, chunk: ResponsesStreamEvent) -> None:
        """Take note of the next chunk."""
        self._began = True
        kind = type(chunk)
        growing = _DELTAS.get(kind)
        if growing is not None:
            text = self._text(chunk, growing)
            text.add(cast("Any", chunk).delta)
            hold_back(chunk, "delta", self._halves, text)
            return
        if chunk.response is not None:
            self._state = chunk.response
        if chunk.usage is not None:
            self._usage = chunk.usage
        if kind in _ENDS:
            self._ended = True
        elif kind in _WHOLES:
            whole = _WHOLES[kind]
            text = self._text(chunk, whole)
            text.clear()
            text.add(getattr(chunk, whole.field))
        elif isinstance(
            chunk, (events.ResponseOutputItemAddedEvent, events.ResponseOutputItemDoneEvent)
        ):
            self._items[chunk.output_index] = _Item(chunk.item)

    def _text(self, event: Any, kind: _Growing) -> GrowingText:
        item = self._items.get(event.output_index)
        if item is None:
            fields = {"type": kind.item, "id": event.item_id, "status": "in_progress"}
            if kind.item == "message":
                fields["role"] = "assistant"
            item = self._items[event.output_index] = _Item(fields)
        return item.text(kind, getattr(event, kind.at) if kind.at else 0)

    @property
    def complete(self) -> bool:
        """Whether the response has been completed, has failed or was left incomplete."""
        return self._ended

    def partial(self) -> Optional[ResponsesResponse]:
        """The response as far as it came, in the shape of a whole one."""
        if not self._began:
            return None
        items = [item.value() for _, item in sorted(self._items.items())]
        # What a last event says of the output is final; before, it says nothing of it.
        state = {**self._state, "output": self._state.get("output") or items}
        answer = fit(state, ResponsesResponse)
        answer.usage = answer.usage or self._usage
        known = answer.__struct_fields__
        # As no server sent this answer, there is nothing that its further fields were read from.
        extra = {name: value for name, value in state.items() if name not in known}
        vars(answer).clear()
        vars(answer)["_extra"] = extra
        return answer


def _in_background(params: Optional[ResponsesParams], fields: ResponsesFields) -> bool:
    return bool(fields.get("background") if params is None else params.background)
