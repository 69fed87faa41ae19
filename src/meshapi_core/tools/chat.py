"""Tool runs over chat completions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from meshapi_core._json_kinds import is_object
from meshapi_core.calls import Call, StreamCall
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import build_params
from meshapi_core.streams.chat import ChatEvents
from meshapi_core.streams.events import ContentDelta, ReasoningDelta, RefusalDelta
from meshapi_core.tools.dialects import Request
from meshapi_core.tools.function_tool import FunctionTool
from meshapi_core.tools.options import OPTION_NAMES
from meshapi_core.tools.steps import ModelDelta
from meshapi_core.tools.usage import RunUsage
from meshapi_core.types.chat import (
    ChatCompletionChunk,
    ChatCompletionParams,
    ChatCompletionResponse,
    ChatMessage,
)

__all__ = ["ChatDialect"]

_DELTAS = (ContentDelta, ReasoningDelta, RefusalDelta)


class ChatDialect:
    """Chat completions. See `Dialect`.

    Args:
        build, build_stream: `build` of `Completions.create` and of `Completions.stream`.
    """

    api = "chat.completions"

    def __init__(
        self,
        build: Callable[..., Call[ChatCompletionResponse]],
        build_stream: Callable[..., StreamCall[ChatCompletionChunk]],
    ) -> None:
        self._build, self._build_stream = build, build_stream

    def declare(self, tool: FunctionTool) -> dict[str, Any]:
        function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
        if tool.description:
            function["description"] = tool.description
        if tool.strict is not None:
            function["strict"] = tool.strict
        return {"type": "function", "function": function}

    def name_of(self, declaration: Mapping[str, Any]) -> Optional[str]:
        function = declaration.get("function")
        return function.get("name") if is_object(function) else None

    def split(
        self,
        fields: Mapping[str, Any],
        tools: Sequence[Mapping[str, Any]],
        beside: Sequence[str] = OPTION_NAMES,
    ) -> tuple[dict[str, Any], list[Any]]:
        whole = {**fields, "tools": tools or None}
        plain = build_params(ChatCompletionParams, None, whole, {"stream": False}, beside=beside)
        if plain.get("n", 1) != 1:
            raise InvalidParamsError(
                "n", "1", repr(plain["n"]), "the history goes on with one choice"
            )
        for name in ("messages", "tools", "stream"):
            plain.pop(name, None)
        # As the program gave them: a message with fields of the provider's is sent back whole.
        return plain, [*fields["messages"]]

    def call(
        self, fields: Mapping[str, Any], history: Sequence[Any], tools: Sequence[Mapping[str, Any]]
    ) -> Call[ChatCompletionResponse]:
        return self._build(messages=history, tools=tools or None, **fields)

    def stream_call(
        self, fields: Mapping[str, Any], history: Sequence[Any], tools: Sequence[Mapping[str, Any]]
    ) -> StreamCall[ChatCompletionChunk]:
        return self._build_stream(messages=history, tools=tools or None, **fields)

    def deltas(self) -> Callable[[ChatCompletionChunk], Sequence[ModelDelta]]:
        receive = ChatEvents().receive
        return lambda chunk: [each for each in receive(chunk) if isinstance(each, _DELTAS)]

    def restored(self, response: Mapping[str, Any]) -> ChatCompletionResponse:
        return ChatCompletionResponse.model_validate(response)

    def said(self, response: ChatCompletionResponse) -> list[Any]:
        messages = [choice.message for choice in response.choices[:1]]
        # A message without any of these says nothing, and may not be sent back.
        return [
            each
            for each in messages
            if each.content is not None or each.tool_calls or each.audio or each.refusal
        ]

    def check(self, response: ChatCompletionResponse) -> None:
        pass

    def name_calls(self, response: ChatCompletionResponse, prefix: str) -> None:
        for place, call in enumerate(response.tool_calls):
            call.id = call.id or f"{prefix}{place}"

    def requested(self, response: ChatCompletionResponse) -> list[Request]:
        calls = response.tool_calls
        return [(call.id, call.function.name, call.function.arguments) for call in calls]

    def result(self, call_id: str, content: str) -> Any:
        return ChatMessage(role="tool", tool_call_id=call_id, content=content)

    def text(self, response: ChatCompletionResponse) -> str:
        return response.choices[0].message.text if response.choices else ""

    def used(self, usage: RunUsage, response: ChatCompletionResponse) -> RunUsage:
        told = response.usage
        if told is None:
            return usage.plus(None, None, None, response.cost)
        return usage.plus(
            told.prompt_tokens, told.completion_tokens, told.total_tokens, response.cost
        )
