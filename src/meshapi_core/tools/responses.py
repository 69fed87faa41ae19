"""Tool runs over the API of responses."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from meshapi_core._json_kinds import is_object
from meshapi_core.calls import Call, StreamCall
from meshapi_core.errors import InvalidParamsError, JobFailedError
from meshapi_core.params.encoding import build_params
from meshapi_core.streams.events import ContentDelta, ReasoningDelta, RefusalDelta
from meshapi_core.streams.responses import ResponsesTexts
from meshapi_core.tools.dialects import Request
from meshapi_core.tools.function_tool import FunctionTool
from meshapi_core.tools.options import OPTION_NAMES
from meshapi_core.tools.steps import ModelDelta
from meshapi_core.tools.usage import RunUsage
from meshapi_core.types.response_events import (
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningTextDeltaEvent,
    ResponseRefusalDeltaEvent,
)
from meshapi_core.types.responses import ResponsesParams, ResponsesResponse, ResponsesStreamEvent

__all__ = ["ResponsesDialect"]


class ResponsesDialect:
    """Responses. See `Dialect`.

    Args:
        build, build_stream: `build` of `Responses.create` and of `Responses.stream`.
    """

    api = "responses"

    def __init__(
        self,
        build: Callable[..., Call[ResponsesResponse]],
        build_stream: Callable[..., StreamCall[ResponsesStreamEvent]],
    ) -> None:
        self._build, self._build_stream = build, build_stream

    def declare(self, tool: FunctionTool) -> dict[str, Any]:
        declared: dict[str, Any] = {"type": "function", "name": tool.name}
        if tool.description:
            declared["description"] = tool.description
        if tool.strict is not None:
            declared["strict"] = tool.strict
        return {**declared, "parameters": tool.parameters}

    def name_of(self, declaration: Mapping[str, Any]) -> Optional[str]:
        return declaration.get("name") if declaration.get("type") == "function" else None

    def split(
        self, fields: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]
    ) -> tuple[dict[str, Any], list[Any]]:
        whole = {**fields, "tools": tools or None}
        plain = build_params(ResponsesParams, None, whole, {"stream": False}, beside=OPTION_NAMES)
        if plain.get("background"):
            hint = "a tool run needs each response whole"
            raise InvalidParamsError("background", "False", "True", hint)
        asked = plain.pop("input")
        for name in ("tools", "stream", "background"):
            plain.pop(name, None)
        given: Any = fields["input"]
        is_text = isinstance(asked, str)
        return plain, [{"role": "user", "content": asked}] if is_text else [*given]

    def call(
        self, fields: Mapping[str, Any], history: Sequence[Any], tools: Sequence[Mapping[str, Any]]
    ) -> Call[ResponsesResponse]:
        return self._build(input=history, tools=tools or None, **fields)

    def stream_call(
        self, fields: Mapping[str, Any], history: Sequence[Any], tools: Sequence[Mapping[str, Any]]
    ) -> StreamCall[ResponsesStreamEvent]:
        return self._build_stream(input=history, tools=tools or None, **fields)

    def deltas(self) -> Callable[[ResponsesStreamEvent], Sequence[ModelDelta]]:
        text_of = ResponsesTexts().text

        def said(event: ResponsesStreamEvent) -> Sequence[ModelDelta]:
            text = text_of(event)
            if text:
                return (ContentDelta(text=text),)
            if isinstance(event, _REASONING) and event.delta:
                return (ReasoningDelta(text=event.delta),)
            if isinstance(event, ResponseRefusalDeltaEvent) and event.delta:
                return (RefusalDelta(text=event.delta),)
            return ()

        return said

    def restored(self, response: Mapping[str, Any]) -> ResponsesResponse:
        return ResponsesResponse.model_validate(response)

    def said(self, response: ResponsesResponse) -> list[Any]:
        return [item for item in response.output or () if is_object(item)]

    def check(self, response: ResponsesResponse) -> None:
        if response.failed:
            error: Any = response.model_extra.get("error")
            told: Mapping[str, Any] = error if is_object(error) else {}
            message, code = _text(told.get("message")), _text(told.get("code"))
            said = f"the status of the response is {response.status!r}" + (
                f": {message}" if message else ""
            )
            meta = response.meta
            raise JobFailedError(
                f"{said}: {message}" if message else said,
                error_code=code or None,
                partial=response,
                headers=meta.headers,
                request_id=meta.request_id,
            )

    def name_calls(self, response: ResponsesResponse, prefix: str) -> None:
        for place, item in enumerate(_calls(response)):
            item["call_id"] = _text(item.get("call_id")) or f"{prefix}{place}"

    def requested(self, response: ResponsesResponse) -> list[Request]:
        found = [[_text(item.get(name)) for name in _OF_CALL] for item in _calls(response)]
        return [(call_id, name, arguments) for call_id, name, arguments in found]

    def result(self, call_id: str, content: str) -> Any:
        return {"type": "function_call_output", "call_id": call_id, "output": content}

    def text(self, response: ResponsesResponse) -> str:
        return response.output_text

    def used(self, usage: RunUsage, response: ResponsesResponse) -> RunUsage:
        told, cost = response.usage, response.model_extra.get("cost")
        if told is None:
            return usage.plus(None, None, None, cost)
        read = told.prompt_tokens if told.input_tokens is None else told.input_tokens
        written = told.completion_tokens if told.output_tokens is None else told.output_tokens
        return usage.plus(read, written, told.total_tokens, cost)


_REASONING = (ResponseReasoningTextDeltaEvent, ResponseReasoningSummaryTextDeltaEvent)

_OF_CALL = ("call_id", "name", "arguments")


def _calls(response: ResponsesResponse) -> list[Any]:
    items = response.output or ()
    return [item for item in items if is_object(item) and item.get("type") == "function_call"]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
