"""Streams of a text that describes a value: what `stream` returns for a type."""

from typing import Generic, Optional, TypeVar

from meshapi_core._async.streams_chat import AsyncChatCompletionStream
from meshapi_core._async.streams_responses import AsyncResponsesStream
from meshapi_core.protocols import AsyncStream
from meshapi_core.structured.answers import parsed_completion, parsed_response
from meshapi_core.structured.outputs import Output
from meshapi_core.types.chat import ChatCompletionChunk
from meshapi_core.types.parsed import ParsedChatCompletion, ParsedResponse
from meshapi_core.types.responses import ResponsesStreamEvent

__all__ = ["AsyncParsedChatCompletionStream", "AsyncParsedResponsesStream"]

T = TypeVar("T")


class AsyncParsedChatCompletionStream(AsyncChatCompletionStream, Generic[T]):
    """The chunks of a chat completion, and the value that its text describes.

    `partial` and `response` are as they came, whether there is a value or not.

    Args:
        stream: the runner's stream.
        output: makes the value.
    """

    __slots__ = ("_output", "_whole")

    def __init__(self, stream: AsyncStream[ChatCompletionChunk], output: Output[T]) -> None:
        super().__init__(stream)
        self._output = output
        self._whole: Optional[ParsedChatCompletion[T]] = None

    @property
    def parsed(self) -> T:
        """The value, after the end of the stream.

        Raises:
            StreamUsageError: as for `response`.
            StructuredOutputError: as for `chat.completions.parse`.
        """
        return self._completion().parsed

    def _completion(self) -> ParsedChatCompletion[T]:
        if self._whole is None:
            self._whole = parsed_completion(self.response, self._output)
        return self._whole

    async def get_final_completion(self) -> ParsedChatCompletion[T]:
        """Read what is left of the stream, and return what `chat.completions.parse` would.

        Raises:
            StreamUsageError: the stream was closed before its end, or another task reads it.
            StructuredOutputError: as for `chat.completions.parse`.
            MeshAPIError: as for iterating over the stream.
        """
        await self._read_rest()
        return self._completion()

    async def get_final_response(self) -> ParsedChatCompletion[T]:
        """The same as `get_final_completion`."""
        return await self.get_final_completion()


class AsyncParsedResponsesStream(AsyncResponsesStream, Generic[T]):
    """The events of a streamed response, and the value that its text describes.

    `partial` and `response` are as they came, whether there is a value or not.

    Args:
        stream: the runner's stream.
        output: makes the value.
    """

    __slots__ = ("_output", "_whole")

    def __init__(self, stream: AsyncStream[ResponsesStreamEvent], output: Output[T]) -> None:
        super().__init__(stream)
        self._output = output
        self._whole: Optional[ParsedResponse[T]] = None

    @property
    def parsed(self) -> T:
        """The value, after the end of the stream.

        Raises:
            StreamUsageError: as for `response`.
            StructuredOutputError: as for `responses.parse`.
        """
        return self._parsed_response().parsed

    def _parsed_response(self) -> ParsedResponse[T]:
        if self._whole is None:
            self._whole = parsed_response(self.response, self._output)
        return self._whole

    async def get_final_response(self) -> ParsedResponse[T]:
        """Read what is left of the stream, and return what `responses.parse` would.

        Raises:
            StreamUsageError: the stream was closed before its end, or another task reads it.
            StructuredOutputError: as for `responses.parse`.
            MeshAPIError: as for iterating over the stream.
        """
        await self._read_rest()
        return self._parsed_response()
