"""Streams of chat completions: text, events and the whole completion."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Optional

from meshapi_core._async.streams import AsyncAccumulatingStream
from meshapi_core._closing import AsyncIterated
from meshapi_core.protocols import AsyncStream
from meshapi_core.streams.chat import ChatEvents, text_of
from meshapi_core.streams.events import ChatEvent
from meshapi_core.streams.whole import whole
from meshapi_core.types.chat import ChatCompletionChunk, ChatCompletionResponse

__all__ = ["AsyncChatCompletionStream"]


class AsyncChatCompletionEvents(AsyncIterated):
    """The events of a streamed chat completion: an async iterator.

    Args:
        stream: the chunks.
    """

    def __init__(self, stream: AsyncStream[ChatCompletionChunk]) -> None:
        self._stream = stream
        self._machine = ChatEvents()
        self._done: Optional[deque[ChatEvent]] = None
        self.waiting: deque[ChatEvent] = deque()
        """The deltas of a chunk that was read here, as far as they have not been taken."""

    def __aiter__(self) -> AsyncIterator[ChatEvent]:
        is_spent = self._done is not None and not self._done
        if is_spent or not self._stream.complete:
            # It raises if there is nothing to come.
            self._stream.__aiter__()
        self._machine.resume(self._stream.partial)
        return self

    async def __anext__(self) -> ChatEvent:
        while not self.waiting:
            if self._done is not None:
                if not self._done:
                    raise StopAsyncIteration
                return self._done.popleft()
            try:
                chunk = await self._stream.__anext__()
            except StopAsyncIteration:
                if not self._stream.complete:
                    raise
                self._done = deque(self._machine.end(whole(self._stream.partial)))
            else:
                self.waiting.extend(self._machine.receive(chunk))
        return self.waiting.popleft()


class AsyncChatCompletionTextStream(AsyncIterated):
    """The text of the first choice: an async iterator over its pieces, none of them empty.

    Args:
        stream: the chunks.
        events: may have read a chunk whose text has not been taken.
    """

    def __init__(
        self, stream: AsyncStream[ChatCompletionChunk], events: AsyncChatCompletionEvents
    ) -> None:
        self._stream = stream
        self._waiting = events.waiting

    def __aiter__(self) -> AsyncIterator[str]:
        if not (self._waiting and self._stream.complete):
            self._stream.__aiter__()
        return self

    async def __anext__(self) -> str:
        text = ""
        while not text:
            if self._waiting:
                text = text_of(self._waiting.popleft())
            else:
                text = (await self._stream.__anext__()).text
        return text


class AsyncChatCompletionStream(
    AsyncAccumulatingStream[ChatCompletionChunk, ChatCompletionResponse]
):
    """The chunks of a chat completion, and the completion that they add up to."""

    __slots__ = ()

    _events: AsyncChatCompletionEvents

    @property
    def text(self) -> str:
        """The text of the first choice so far; "" before it begins. See `partial`."""
        partial = self.partial
        if partial is None or not partial.choices:
            return ""
        # Another choice may have begun before it; at the end there may be no other.
        return partial.text if not partial.choices[0].index or self.complete else ""

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The text of the first choice, piece by piece: iterate over it instead of the stream.

        It begins where the stream was left, and passes over everything else.
        """
        return AsyncChatCompletionTextStream(self._stream, self._read_events())

    def events(self) -> AsyncIterator[ChatEvent]:
        """Return the stream as typed events: iterate over them instead of the stream.

        They begin where the stream was left. What the whole response has, such as its text and its
        tool calls, comes at the end, however the chunks were read.
        """
        return self._read_events()

    def _read_events(self) -> AsyncChatCompletionEvents:
        # Not set before it is asked for.
        if not hasattr(self, "_events"):
            self._events = AsyncChatCompletionEvents(self._stream)
        return self._events

    async def get_final_completion(self) -> ChatCompletionResponse:
        """Read what is left of the stream, and return the whole completion. Harmless twice.

        Raises:
            StreamUsageError: the stream was closed before its end, or another task reads it.
            MeshAPIError: as for iterating over the stream.
        """
        return await self.get_final_response()

    async def get_final_text(self) -> str:
        """Read what is left of the stream, and return the text of the first choice.

        Raises:
            StreamUsageError, MeshAPIError: as for `get_final_completion`.
        """
        return (await self._read_rest()).text
