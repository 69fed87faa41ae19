"""Chat completions: `POST /v1/chat/completions`, whole and streamed.

Source: https://developers.meshapi.ai/docs (chat completions)
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

import msgspec
from typing_extensions import Concatenate, ParamSpec, Unpack

from meshapi_core import endpoints
from meshapi_core.accumulators import AccumulatorFactory
from meshapi_core.accumulators.chat import ChatAccumulator
from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec.content_parts import Parts
from meshapi_core.codec.decoding import decode
from meshapi_core.endpoints._descriptor import (
    R_co,
    Resource,
    endpoint,
)
from meshapi_core.endpoints._pairs import ParseEndpoint, ParseMethod, TypedStreamEndpoint, made_as
from meshapi_core.flows.steps import Flow
from meshapi_core.params.encoding import encode_conversation, refuse_unknown
from meshapi_core.readers import ChunkReader, JSONReader
from meshapi_core.types._base import OpenRecord, Record
from meshapi_core.types.chat import (
    ChatCompletionChunk,
    ChatCompletionChunkChoice,
    ChatCompletionChunkDelta,
    ChatCompletionFields,
    ChatCompletionMessage,
    ChatCompletionParams,
    ChatCompletionResponse,
    ChatConversationFields,
    ChatParseFields,
    ChatToolRunFields,
    ToolCallChunk,
    ToolCallFunctionChunk,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from meshapi_core.conversation import Content, Dialogue, Message, TrimRule
    from meshapi_core.structured.opening import (
        AsyncChatParsing,
        AsyncChatStreaming,
        ChatParseCalls,
        ChatParsing,
        ChatStreaming,
    )
    from meshapi_core.tools import AsyncToolRun, ToolRun
    from meshapi_core.tools.chat import ChatDialect
    from meshapi_core.tools.loop import ToolLoop
    from meshapi_core.tools.options import BeforeCall, OnToolError
    from meshapi_core.tools.toolbox import AnyTool
    from meshapi_core.types.parsed import ParsedChatCompletion

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")
P = ParamSpec("P")

_PATH = "/v1/chat/completions"
_RESPONSE = msgspec.json.Decoder(ChatCompletionResponse)


def _run_class() -> "type[ToolRun[ChatCompletionResponse]]":
    from meshapi_core.tools import ToolRun

    return ToolRun[ChatCompletionResponse]


def _async_run_class() -> "type[AsyncToolRun[ChatCompletionResponse]]":
    from meshapi_core.tools import AsyncToolRun

    return AsyncToolRun[ChatCompletionResponse]


_tool_run = made_as(_run_class, _async_run_class)


def _typed_stream(
    build: Callable[Concatenate[Any, P], StreamCall[T]],
) -> "TypedStreamEndpoint[P, T, ChatStreaming, AsyncChatStreaming]":
    return TypedStreamEndpoint(build, "ChatCompletionStream", "completion_asked")


def _parsing(
    build: Callable[..., Flow[Any]],
) -> "ParseMethod[ChatParsing, AsyncChatParsing, ChatParseCalls]":
    made: Any = ParseEndpoint(build, _parse_call)
    method: ParseMethod[ChatParsing, AsyncChatParsing, ChatParseCalls] = made
    return method


def _parse_call(*args: Any, **kwargs: Any) -> Call[Any]:
    # Imported on first use, as for all that asks for a type.
    from meshapi_core.structured.parsed_calls import completion_call

    return completion_call(Completions.create.build, *args, **kwargs)


class Completions(Resource[R_co]):
    """The model's answers in a conversation."""

    _name = "chat.completions"

    @endpoint
    def create(
        self,
        params: Optional[ChatCompletionParams] = None,
        **fields: Unpack[ChatCompletionFields],
    ) -> Call[ChatCompletionResponse]:
        """Return one completion, whole.

        For example, `create(model="auto", messages=[{"role": "user", "content": "Hi"}])`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `ChatCompletionParams`. Messages and tools may
                be plain dicts. `timeout` is the gateway's limit, and a second more the client's.

        Returns:
            The response; the text is in `.choices[0].message.text`. `.raw` has everything the
            server sent.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent. It is
                both a TypeError and a ValueError.
            APIStatusError: the gateway responded with an error. Each status has its class:
                RateLimitError, AuthenticationError, NotFoundError, ... An error in a response with
                status 200 is raised, too; if the response broke off with it, `.partial` has what
                had arrived.
            APIConnectionError: no usable response arrived.
            APITimeoutError: a time limit ran out; it is an APIConnectionError.
            ResponseDecodeError: the response is not the expected JSON.
        """
        body = encode_conversation(
            ChatCompletionParams, params, fields, {"stream": False}, "use stream()"
        )
        reader = _whole_reader(_choices(params, fields))
        # Checked by now.
        within = fields.get("timeout") if params is None else params.timeout
        return Call(method="POST", path=_PATH, body=body, reader=reader, answer_within=within)

    @_parsing
    def parse(
        self,
        params: Optional[ChatCompletionParams] = None,
        *,
        response_format: Any,
        validation_retries: int = 0,
        **fields: Unpack[ChatParseFields],
    ) -> Flow["ParsedChatCompletion[Any]"]:
        """Return one completion, and the value of a type that the model was asked for.

        For example, `parse(model="auto", messages=[...], response_format=Person).parsed.name`.

        Args:
            params: the parameters as one object, instead of keywords.
            response_format: the type: a dataclass, msgspec Struct, TypedDict, NamedTuple, attrs
                class, pydantic model, enum, list, Literal, Union or scalar.
            validation_retries: how many more times, at most, to ask a model whose text does not
                match. Each time it is sent its text, and what is wrong with it.
            fields: the parameters as keywords, as for `create`.

        Returns:
            The response of `create`, whose `.parsed` is the value. `.rejected` has the responses
            before it that did not match. `parse.build(...)` makes one call, for `client.map`.

        Raises:
            UnsupportedSchemaError: the type has no JSON schema; nothing was sent.
            StructuredOutputError: the model gave no such value; `.text` is what it said. It is a
                ModelRefusalError, an OutputTruncatedError, a ContentFilterError, or an
                OutputValidationError, after which alone the model is asked again.
            InvalidParamsError, MeshAPIError: as for `create`.
        """
        from meshapi_core.structured.parsing import OWN, completion_asked, parse_completion

        refuse_unknown(ChatCompletionParams, fields, OWN)
        asked, output = completion_asked(params, response_format=response_format, **fields)
        return parse_completion(Completions.create.build, asked, output, validation_retries)

    @_typed_stream
    def stream(
        self,
        params: Optional[ChatCompletionParams] = None,
        **fields: Unpack[ChatCompletionFields],
    ) -> StreamCall[ChatCompletionChunk]:
        """Return one completion as a stream of chunks.

        Args:
            params, fields: as for `create`. `response_format` may also be a type, as for `parse`.

        Returns:
            An iterator of chunks that is also a context manager. `.text` of a chunk is the next
            piece of the text; the last chunk may have `.usage` and no choices. The request is sent
            when the stream is entered or first iterated. Instead of chunks, `.text_stream` has the
            text alone, and `.events()` typed events; `.get_final_completion()` reads what is left,
            and returns the whole response. With a type, `.parsed` is the value, and
            `.get_final_completion()` returns what `parse` would.

        Raises:
            InvalidParamsError: as for `create`; raised at once.
            APIStatusError, APIConnectionError, APITimeoutError: as for `create`; raised when the
                stream is entered or iterated. An error that the gateway sends within the stream is
                an APIStatusError, too.
            StreamInterruptedError: the stream broke off; `.partial` has the response so far.
        """
        body = encode_conversation(
            ChatCompletionParams, params, fields, {"stream": True}, "use create()"
        )
        reader = _chunk_reader(_choices(params, fields))
        within = fields.get("timeout") if params is None else params.timeout
        return StreamCall(method="POST", path=_PATH, body=body, reader=reader, answer_within=within)

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
        **fields: Unpack[ChatToolRunFields],
    ) -> "ToolLoop[ChatCompletionResponse]":
        """Let the model call functions until it answers in words.

        For example, `run_tools(model="auto", messages=[...], tools=[get_weather]).until_done()`.

        Args:
            tools: functions, whose signatures and docstrings tell the model what they do, or
                `FunctionTool`s. The declaration of a tool without a function is sent as given; a
                call of it is deferred.
            max_turns: how many responses of the model there may be.
            max_concurrent_calls: how many functions may run at the same time. A blocking client
                calls them in threads; with 1, and without `tool_timeout`, in the caller's.
            tool_timeout: seconds that each call may take.
            on_tool_error: "answer" tells the model what a function raised, "raise" raises it.
            before_call: is called with each `RequestedCall` first. It returns None to approve,
                other arguments, a `Refuse` to tell the model why not, or a `Deferred`.
            max_total_tokens: how many model tokens all turns may use.
            max_cost_usd: how many dollars they may cost, as far as the gateway tells the cost.
            stream: whether what the model says comes piece by piece, as deltas among the steps.
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
    ) -> "ToolLoop[ChatCompletionResponse]":
        """Continue a tool run that ended with pending calls, with an error, or with its process.

        Args:
            checkpoint: what `checkpoint()` of the run returned, or its JSON.
            tools: the tools of the run.
            results: the results of pending calls, by the ID of the call; an exception tells the
                model that the call failed. Without a result, a call stays pending.
            max_turns, max_total_tokens, max_cost_usd: as for `run_tools`; they count from the
                beginning of the run.
            max_concurrent_calls, tool_timeout, on_tool_error, before_call, stream: as for
                `run_tools`.

        Returns:
            The run, which calls only what has no result yet.

        Raises:
            InvalidParamsError: the checkpoint is damaged or of another version, a tool is missing,
                or no pending call has the ID of a result.
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


class Chat(Resource[R_co]):
    """Chat: `chat.completions`."""

    def __init__(self, runner: R_co) -> None:
        super().__init__(runner)
        self.completions: Completions[R_co] = Completions(runner)

    @made_as(lambda: endpoints.Conversation, lambda: endpoints.AsyncConversation)
    def conversation(
        self,
        *,
        system: "Optional[Content]" = None,
        messages: "Sequence[Message]" = (),
        tools: "Sequence[AnyTool]" = (),
        trim: "Optional[Union[int, TrimRule]]" = None,
        max_turns: int = 10,
        max_concurrent_calls: int = 8,
        tool_timeout: Optional[float] = None,
        on_tool_error: "OnToolError" = "answer",
        before_call: "Optional[BeforeCall]" = None,
        max_total_tokens: Optional[int] = None,
        max_cost_usd: "Optional[Union[Decimal, float, str]]" = None,
        **fields: Unpack[ChatConversationFields],
    ) -> "Dialogue":
        """Return a conversation, which keeps the history. Nothing is sent.

        For example, `conversation(model="auto", system="Be brief.").send("Hi").text`.

        Args:
            system: what the model is told first.
            messages: the history to begin with, such as `messages` of an earlier conversation.
            tools: what the model may call in each turn, as for `completions.run_tools`.
            trim: how many earlier turns are sent again, at most; or a rule that is given these
                turns, each a list of messages, and returns those to send again. The others are
                forgotten when the next turn has ended well. The system message always stays.
            max_turns, max_concurrent_calls, tool_timeout, on_tool_error, before_call,
                max_total_tokens, max_cost_usd: for each turn, as for `completions.run_tools`.
            fields: the other parameters, as for `completions.create`.

        Raises:
            InvalidParamsError: a tool or a parameter is unknown or not valid.
        """
        from meshapi_core.conversation import dialogue
        from meshapi_core.tools.options import RunOptions

        options = RunOptions(
            max_turns=max_turns,
            max_concurrent_calls=max_concurrent_calls,
            tool_timeout=tool_timeout,
            on_tool_error=on_tool_error,
            before_call=before_call,
            max_total_tokens=max_total_tokens,
            max_cost_usd=max_cost_usd,
        )
        return dialogue(_dialect(), tools, options, fields, system, messages, trim)


def _dialect() -> "ChatDialect":
    from meshapi_core.tools.chat import ChatDialect

    return ChatDialect(Completions.create.build, Completions.stream.build)


def _choices(params: Optional[ChatCompletionParams], fields: Mapping[str, Any]) -> int:
    return (fields.get("n") if params is None else params.n) or 1


# Readers are values, and nearly all calls ask for one choice.
@lru_cache(maxsize=16)
def _whole_reader(choices: int) -> JSONReader[ChatCompletionResponse]:
    return JSONReader(ChatCompletionResponse, stream=_chunk_reader(choices))


@lru_cache(maxsize=16)
def _chunk_reader(choices: int) -> ChunkReader[ChatCompletionChunk]:
    return ChunkReader(
        ChatCompletionChunk,
        accumulator=AccumulatorFactory(ChatAccumulator, choices),
        from_response=_chunk_from_response,
        response=ChatCompletionResponse,
        marker=b'"choices"',
    )


def _chunk_from_response(body: bytes) -> ChatCompletionChunk:
    response = decode(body, _RESPONSE)
    choices = [
        _carried(choice, ChatCompletionChunkChoice, delta=_delta(choice.message))
        for choice in response.choices
    ]
    return _carried(response, ChatCompletionChunk, object="chat.completion.chunk", choices=choices)


def _carried(source: msgspec.Struct, kind: type[S], **changed: Any) -> S:
    """Return a `kind` with the changed fields, and all its other fields taken from `source`."""
    known = source.__struct_fields__
    fields = {name: getattr(source, name) for name in kind.__struct_fields__ if name in known}
    if isinstance(source, OpenRecord) and issubclass(kind, OpenRecord):
        fields.update(source.model_extra)
    return kind(**{**fields, **changed})


def _delta(message: ChatCompletionMessage) -> ChatCompletionChunkDelta:
    said: dict[str, Any] = {}
    if isinstance(message.content, list):
        # A delta cannot hold parts: their texts are joined, and `.raw` has the rest.
        parts: list[Any] = [*message.content]
        told = Parts([part.model_dump() if isinstance(part, Record) else part for part in parts])
        thoughts = told.thoughts + (message.reasoning_content or "")
        said = {"content": told.text or None, "reasoning_content": thoughts or None}
    calls = [
        _carried(
            call,
            ToolCallChunk,
            index=index,
            function=_carried(call.function, ToolCallFunctionChunk),
        )
        for index, call in enumerate(message.tool_calls or ())
    ]
    return _carried(message, ChatCompletionChunkDelta, tool_calls=calls or None, **said)
