# Generated from _async/streams_chat.py by `python tools/mirror.py --write`: edit that file.
"""Streams of chat completions: text, events and the whole completion."""

from collections import deque
from collections.abc import Iterator
from typing import Optional

from meshapi_core._sync.streams import AccumulatingStream, TextStream
from meshapi_core.streams.chat import ChatEvents, chat_text
from meshapi_core.streams.events import ChatEvent
from meshapi_core.types.chat import ChatCompletionChunk, ChatCompletionResponse

__all__ = ["ChatCompletionEvents", "ChatCompletionStream"]


class ChatCompletionEvents:
    """The events of a streamed chat completion: a blocking iterator.

    Args:
        stream: the chunks, and the whole response at their end.
    """

    def __init__(
        self, stream: AccumulatingStream[ChatCompletionChunk, ChatCompletionResponse]
    ) -> None:
        self._stream = stream
        self._machine = ChatEvents()
        self._waiting: deque[ChatEvent] = deque()
        self._is_over = False

    def __iter__(self) -> Iterator[ChatEvent]:
        if not self._waiting:
            self._stream.__iter__()
        return self

    def __next__(self) -> ChatEvent:
        while not self._waiting:
            if self._is_over:
                raise StopIteration
            try:
                chunk = self._stream.__next__()
            except StopIteration:
                self._is_over = True
                if not self._stream.complete:
                    raise
                self._waiting.extend(self._machine.end(self._stream.response))
            else:
                self._waiting.extend(self._machine.receive(chunk))
        return self._waiting.popleft()


class ChatCompletionStream(
    AccumulatingStream[ChatCompletionChunk, ChatCompletionResponse]
):
    """The chunks of a chat completion, and the completion that they add up to."""

    _events: Optional[ChatCompletionEvents] = None

    @property
    def text(self) -> str:
        """The text of the first choice so far; "" before it begins. See `partial`."""
        partial = self.partial
        return "" if partial is None else partial.text

    @property
    def text_stream(self) -> TextStream[ChatCompletionChunk]:
        """The text of the first choice, piece by piece: iterate over it instead of the stream."""
        return TextStream(self._stream, chat_text)

    def events(self) -> ChatCompletionEvents:
        """Return the stream as typed events: iterate over them instead of the stream.

        A further call returns the same iterator, which goes on where it was left.
        """
        if self._events is None:
            self._events = ChatCompletionEvents(self)
        return self._events

    def get_final_completion(self) -> ChatCompletionResponse:
        """Read what is left of the stream, and return the whole completion. Harmless twice.

        Raises:
            StreamUsageError: the stream was closed before its end, or another task reads it.
            MeshAPIError: as for iterating over the stream.
        """
        return self.get_final_response()

    def get_final_text(self) -> str:
        """Read what is left of the stream, and return the text of the first choice.

        Raises:
            StreamUsageError, MeshAPIError: as for `get_final_completion`.
        """
        return self.get_final_response().text
