"""What `stream` and `parse` are to a type checker: with a type, the result has a value of it.

Checked, never run. A method is a function of one of these types, depending on its client.
"""

from collections.abc import Coroutine
from typing import Any, Optional, Protocol, TypeVar, overload

from typing_extensions import TypeForm, Unpack

from meshapi_core._async.streams_chat import AsyncChatCompletionStream
from meshapi_core._async.streams_parsed import (
    AsyncParsedChatCompletionStream,
    AsyncParsedResponsesStream,
)
from meshapi_core._async.streams_responses import AsyncResponsesStream
from meshapi_core._sync.streams_chat import ChatCompletionStream
from meshapi_core._sync.streams_parsed import ParsedChatCompletionStream, ParsedResponsesStream
from meshapi_core._sync.streams_responses import ResponsesStream
from meshapi_core.calls import Call
from meshapi_core.types.chat import ChatCompletionFields, ChatCompletionParams, ChatParseFields
from meshapi_core.types.parsed import ParsedChatCompletion, ParsedResponse
from meshapi_core.types.responses import ResponsesFields, ResponsesParams, ResponsesParseFields

__all__ = [
    "AsyncChatParsing",
    "AsyncChatStreaming",
    "AsyncResponsesParsing",
    "AsyncResponsesStreaming",
    "ChatParseCalls",
    "ChatParsing",
    "ChatStreaming",
    "ResponsesParseCalls",
    "ResponsesParsing",
    "ResponsesStreaming",
]

T = TypeVar("T")


class ChatStreaming(Protocol):
    """`chat.completions.stream` of a blocking client."""

    @overload
    def __call__(
        self,
        params: Optional[ChatCompletionParams] = None,
        **fields: Unpack[ChatCompletionFields],
    ) -> ChatCompletionStream: ...
    @overload
    def __call__(
        self,
        params: Optional[ChatCompletionParams] = None,
        *,
        response_format: TypeForm[T],
        **fields: Unpack[ChatParseFields],
    ) -> ParsedChatCompletionStream[T]: ...


class AsyncChatStreaming(Protocol):
    """`chat.completions.stream` of an async client."""

    @overload
    def __call__(
        self,
        params: Optional[ChatCompletionParams] = None,
        **fields: Unpack[ChatCompletionFields],
    ) -> AsyncChatCompletionStream: ...
    @overload
    def __call__(
        self,
        params: Optional[ChatCompletionParams] = None,
        *,
        response_format: TypeForm[T],
        **fields: Unpack[ChatParseFields],
    ) -> AsyncParsedChatCompletionStream[T]: ...


class ResponsesStreaming(Protocol):
    """`responses.stream` of a blocking client."""

    @overload
    def __call__(
        self,
        params: Optional[ResponsesParams] = None,
        **fields: Unpack[ResponsesFields],
    ) -> ResponsesStream: ...
    @overload
    def __call__(
        self,
        params: Optional[ResponsesParams] = None,
        *,
        response_format: TypeForm[T],
        **fields: Unpack[ResponsesParseFields],
    ) -> ParsedResponsesStream[T]: ...


class AsyncResponsesStreaming(Protocol):
    """`responses.stream` of an async client."""

    @overload
    def __call__(
        self,
        params: Optional[ResponsesParams] = None,
        **fields: Unpack[ResponsesFields],
    ) -> AsyncResponsesStream: ...
    @overload
    def __call__(
        self,
        params: Optional[ResponsesParams] = None,
        *,
        response_format: TypeForm[T],
        **fields: Unpack[ResponsesParseFields],
    ) -> AsyncParsedResponsesStream[T]: ...


class ChatParseCalls(Protocol):
    """`parse` of the class."""

    def build(
        self,
        params: Optional[ChatCompletionParams] = None,
        *,
        response_format: TypeForm[T],
        **fields: Unpack[ChatParseFields],
    ) -> Call[ParsedChatCompletion[T]]:
        """Return the call as a value, for `client.map`; its result has the value in `.parsed`.

        Raises:
            UnsupportedSchemaError, InvalidParamsError: as for `parse`.
        """
        ...


class ChatParsing(ChatParseCalls, Protocol):
    """`chat.completions.parse` of a blocking client."""

    def __call__(
        self,
        params: Optional[ChatCompletionParams] = None,
        *,
        response_format: TypeForm[T],
        validation_retries: int = 0,
        **fields: Unpack[ChatParseFields],
    ) -> ParsedChatCompletion[T]: ...


class AsyncChatParsing(ChatParseCalls, Protocol):
    """`chat.completions.parse` of an async client."""

    def __call__(
        self,
        params: Optional[ChatCompletionParams] = None,
        *,
        response_format: TypeForm[T],
        validation_retries: int = 0,
        **fields: Unpack[ChatParseFields],
    ) -> Coroutine[Any, Any, ParsedChatCompletion[T]]: ...


class ResponsesParseCalls(Protocol):
    """`parse` of the class."""

    def build(
        self,
        params: Optional[ResponsesParams] = None,
        *,
        response_format: TypeForm[T],
        **fields: Unpack[ResponsesParseFields],
    ) -> Call[ParsedResponse[T]]:
        """Return the call as a value, for `client.map`; its result has the value in `.parsed`.

        Raises:
            UnsupportedSchemaError, InvalidParamsError: as for `parse`.
        """
        ...


class ResponsesParsing(ResponsesParseCalls, Protocol):
    """`responses.parse` of a blocking client."""

    def __call__(
        self,
        params: Optional[ResponsesParams] = None,
        *,
        response_format: TypeForm[T],
        validation_retries: int = 0,
        **fields: Unpack[ResponsesParseFields],
    ) -> ParsedResponse[T]: ...


class AsyncResponsesParsing(ResponsesParseCalls, Protocol):
    """`responses.parse` of an async client."""

    def __call__(
        self,
        params: Optional[ResponsesParams] = None,
        *,
        response_format: TypeForm[T],
        validation_retries: int = 0,
        **fields: Unpack[ResponsesParseFields],
    ) -> Coroutine[Any, Any, ParsedResponse[T]]: ...
