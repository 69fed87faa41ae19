"""Responses: `/v1/responses`, whole, streamed and stored.

Source: https://developers.meshapi.ai/docs (responses),
    https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

from msgspec import Struct
from typing_extensions import Concatenate, ParamSpec, Unpack

from meshapi_core._json_kinds import is_object
from meshapi_core._raw_data import keep_extra
from meshapi_core.accumulators.responses import ENDS, ResponsesAccumulator
from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec.decoding import fit
from meshapi_core.codec.parsing import parse
from meshapi_core.endpoints._descriptor import (
    R_co,
    endpoint,
)
from meshapi_core.endpoints._pairs import ParseEndpoint, ParseMethod, TypedStreamEndpoint, made_as
from meshapi_core.endpoints._stored_responses import PATH, StoredResponses
from meshapi_core.envelopes import is_blank
from meshapi_core.flows.steps import Flow
from meshapi_core.params.encoding import encode_params, refuse_unknown
from meshapi_core.readers import ChunkReader, JSONReader
from meshapi_core.types import response_events as events
from meshapi_core.types.responses import (
    ResponsesFields,
    ResponsesParams,
    ResponsesParseFields,
    ResponsesResponse,
    ResponsesStreamEvent,
    ResponsesToolRunFields,
    ResponsesUsage,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from meshapi_core.structured.opening import (
        AsyncResponsesParsing,
        AsyncResponsesStreaming,
        ResponsesParseCalls,
        ResponsesParsing,
        ResponsesStreaming,
    )
    from meshapi_core.tools import AsyncToolRun, ToolRun
    from meshapi_core.tools.loop import ToolLoop
    from meshapi_core.tools.options import BeforeCall, OnToolError
    from meshapi_core.tools.responses import ResponsesDialect
    from meshapi_core.tools.toolbox import AnyTool
    from meshapi_core.types.parsed import ParsedResponse

T = TypeVar("T")
P = ParamSpec("P")


# Besides the final ones, those of a response that still runs in the background.
_EVENT_OF_STATUS: dict[str, type[ResponsesStreamEvent]] = {
    **{status: kind for kind, status in ENDS.items()},
    "queued": events.ResponseQueuedEvent,
    "in_progress": events.ResponseInProgressEvent,
}


class _Events(Struct, frozen=True):
    """Reads the events of a stream of responses, each as the class of its type."""

    def is_error(self, name: str, frame: dict[str, Any]) -> bool:
        """Return whether the error is the gateway's, not the model's; see `EventReader`."""
        kind = frame.get("type")
        if isinstance(kind, str) and kind.startswith("response."):
            # `error` is an ordinary field of these: a `response.failed` says why.
            return False
        return kind != "error" or not is_blank(frame.get("error"))

    def read(self, name: str, frame: dict[str, Any]) -> Optional[ResponsesStreamEvent]:
        """Return the typed event; see `EventReader`."""
        kind = frame.get("type")
        if not isinstance(kind, str):
            # The type is in the data, in the name of the event, or in both.
            kind = name if name.startswith("response.") else None
            if kind is None and name not in ("", "message"):
                # An event of another name, without a type, only keeps the connection alive.
                return None
        event = fit(frame, events.EVENTS.get(kind or "", ResponsesStreamEvent))
        event.type = kind
        return event


def _typed_stream(
    build: Callable[Concatenate[Any, P], StreamCall[T]],
) -> "TypedStreamEndpoint[P, T, ResponsesStreaming, AsyncResponsesStreaming]":
    return TypedStreamEndpoint(build, "ResponsesStream", "response_asked")


def _parsing(
    build: Callable[..., Flow[Any]],
) -> "ParseMethod[ResponsesParsing, AsyncResponsesParsing, ResponsesParseCalls]":
    made: Any = ParseEndpoint(build, _parse_call)
    method: ParseMethod[ResponsesParsing, AsyncResponsesParsing, ResponsesParseCalls] = made
    return method


def _parse_call(*args: Any, **kwargs: Any) -> Call[Any]:
    # Imported on first use, as for all that asks for a type.
    from meshapi_core.structured.parsed_calls import response_call

    return response_call(Responses.create.build, *args, **kwargs)


def _run_class() -> "type[ToolRun[ResponsesResponse]]":
    from meshapi_core.tools import ToolRun

    return ToolRun[ResponsesResponse]


def _async_run_class() -> "type[AsyncToolRun[ResponsesResponse]]":
    from meshapi_core.tools import AsyncToolRun

    return AsyncToolRun[ResponsesResponse]


_tool_run = made_as(_run_class, _async_run_class)


def _dialect() -> "ResponsesDialect":
    from meshapi_core.tools.responses import ResponsesDialect

    return ResponsesDialect(Responses.create.build, Responses.stream.build)


class Responses(StoredResponses[R_co]):
    """Responses, the API for reasoning models: create, stream and look them up."""

    @endpoint
    def create(
        self, params: Optional[ResponsesParams] = None, **fields: Unpack[ResponsesFields]
    ) -> Call[ResponsesResponse]:
        """Return one response, whole; with `background=True`, before it is made.

        For example, `responses.create(model="openai/o4-mini", input="...")`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `ResponsesParams`.

        Returns:
            The response; the text is in `.output_text`, and all items are in `.output`. With
            `background=True`, ask `get` with its `.id` for the finished one.

        Raises:
            InvalidParamsError: a parameter is wrong, or `stream` is True; nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(ResponsesParams, params, fields, {"stream": False}, "use stream()")
        return Call(
            method="POST",
            path=PATH,
            body=body,
            reader=JSONReader(ResponsesResponse, stream=_chunk_reader()),
            starts_job=_in_background(params, fields),
            answer_within=fields.get("timeout") if params is None else params.timeout,
        )

    @_parsing
    def parse(
        self,
        params: Optional[ResponsesParams] = None,
        *,
        response_format: Any,
        validation_retries: int = 0,
        **fields: Unpack[ResponsesParseFields],
    ) -> Flow["ParsedResponse[Any]"]:
        """Return one response, and the value of a type that the model was asked for.

        For example, `parse(model="auto", input="...", response_format=Person).parsed.name`.

        Args:
            params, fields: as for `create`; `background` cannot be True.
            response_format, validation_retries: as for `chat.completions.parse`.

        Returns:
            The response of `create`, with `.parsed` and `.rejected` as of `chat.completions.parse`.

        Raises:
            StructuredOutputError: as for `chat.completions.parse`; also if the response has failed.
            UnsupportedSchemaError, InvalidParamsError, MeshAPIError: as for that method.
        """
        from meshapi_core.structured.parsing import OWN, parse_response, response_asked

        refuse_unknown(ResponsesParams, fields, OWN)
        asked, output = response_asked(params, response_format=response_format, **fields)
        return parse_response(Responses.create.build, asked, output, validation_retries)

    @_typed_stream
    def stream(
        self, params: Optional[ResponsesParams] = None, **fields: Unpack[ResponsesFields]
    ) -> StreamCall[ResponsesStreamEvent]:
        """Return one response as a stream of events.

        Args:
            params, fields: as for `create`. `response_format` may also be a type, as for `parse`.

        Returns:
            An iterator of events that is also a context manager. Tell the events apart by class or
            by `.type`; `.text_stream` has the text alone. The last event says that the response is
            completed, incomplete or failed, and has all of it in `.response`. The request is sent
            when the stream is entered or first iterated. `.get_final_response()` reads what is
            left, and returns the whole response: with a type what `parse` would, with `.parsed`.

        Raises:
            InvalidParamsError: as for `create`; raised at once.
            MeshAPIError: as for `create`; raised when the stream is entered or iterated, also for
                an error that the gateway sends within the stream. An error of the model is a
                `ResponseErrorEvent`, and raised only if no event follows it.
            StreamInterruptedError: the stream broke off; `.partial` has the response so far.
        """
        body = encode_params(ResponsesParams, params, fields, {"stream": True}, "use create()")
        return StreamCall(
            method="POST",
            path=PATH,
            body=body,
            reader=_chunk_reader(),
            starts_job=_in_background(params, fields),
            answer_within=fields.get("timeout") if params is None else params.timeout,
        )

    @_tool_run
    def run_tools(
        self,
        *,
        tools: "Sequence[AnyTool]",
        max_turns: int = 10,
        max_concurrent_calls: int = 8,
        tool_timeout: Optional[float] = None,
        on_tool_error: "OnToolError" = "answer",
        before_call: "Optional[BeforeCall]" = None,
        max_total_tokens: Optional[int] = None,
        max_cost_usd: "Optional[Union[Decimal, float, str]]" = None,
        stream: bool = False,
        **fields: Unpack[ResponsesToolRunFields],
    ) -> "ToolLoop[ResponsesResponse]":
        """Let the model call functions until it answers in words.

        For example, `run_tools(model="auto", input="...", tools=[get_weather]).until_done()`.

        Args:
            tools: as for `chat.completions.run_tools`, and tools that the provider runs.
            max_turns, max_concurrent_calls, tool_timeout, on_tool_error, before_call,
                max_total_tokens, max_cost_usd, stream: as for `chat.completions.run_tools`.
            fields: the other parameters, as for `create`. A `tool_choice` that forces a call
                counts for the first turn only.

        Returns:
            The run: iterate over its steps, or call `until_done()` for the result. Nothing is sent
            before.

        Raises:
            InvalidParamsError: a tool or a parameter is missing, unknown or not valid.
        """
        from meshapi_core.tools.starting import RunOptions, started

        options = RunOptions(
            max_turns=max_turns,
            max_concurrent_calls=max_concurrent_calls,
            tool_timeout=tool_timeout,
            on_tool_error=on_tool_error,
            before_call=before_call,
            max_total_tokens=max_total_tokens,
            max_cost_usd=max_cost_usd,
            stream=stream,
        )
        return started(_dialect(), tools, fields, options)

    @_tool_run
    def resume_tools(
        self,
        checkpoint: Union[Mapping[str, Any], str, bytes],
        *,
        tools: "Sequence[AnyTool]",
        results: Optional[Mapping[str, Any]] = None,
        max_turns: int = 10,
        max_concurrent_calls: int = 8,
        tool_timeout: Optional[float] = None,
        on_tool_error: "OnToolError" = "answer",
        before_call: "Optional[BeforeCall]" = None,
        max_total_tokens: Optional[int] = None,
        max_cost_usd: "Optional[Union[Decimal, float, str]]" = None,
        stream: bool = False,
    ) -> "ToolLoop[ResponsesResponse]":
        """Continue a tool run that ended with pending calls, with an error, or with its process.

        Args:
            checkpoint, tools, results: as for `chat.completions.resume_tools`.
            max_turns, max_concurrent_calls, tool_timeout, on_tool_error, before_call,
                max_total_tokens, max_cost_usd, stream: the same.

        Returns:
            The run, which calls only what has no result yet.

        Raises:
            InvalidParamsError: as for `chat.completions.resume_tools`.
        """
        from meshapi_core.tools.starting import RunOptions, resumed

        options = RunOptions(
            max_turns=max_turns,
            max_concurrent_calls=max_concurrent_calls,
            tool_timeout=tool_timeout,
            on_tool_error=on_tool_error,
            before_call=before_call,
            max_total_tokens=max_total_tokens,
            max_cost_usd=max_cost_usd,
            stream=stream,
        )
        return resumed(_dialect(), checkpoint, tools, results, options)


def _chunk_reader() -> ChunkReader[ResponsesStreamEvent]:
    return ChunkReader(
        ResponsesStreamEvent,
        accumulator=ResponsesAccumulator,
        from_response=_event_from_response,
        response=ResponsesResponse,
        marker=b'"output"',
        events=_Events(),
    )


def _event_from_response(body: bytes) -> ResponsesStreamEvent:
    response: dict[str, Any] = parse(body)
    status, usage = response.get("status"), response.get("usage")
    kind = _EVENT_OF_STATUS.get(status) if isinstance(status, str) else None
    event = (kind or events.ResponseCompletedEvent)(
        response=response, usage=fit(usage, ResponsesUsage) if is_object(usage) else None
    )
    # What the server sent is the response: its fields are not those of this event.
    keep_extra(event, {})
    return event


def _in_background(params: Optional[ResponsesParams], fields: ResponsesFields) -> bool:
    return bool(fields.get("background") if params is None else params.background)
