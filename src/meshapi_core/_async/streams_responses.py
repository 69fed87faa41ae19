"""Streams of the Responses API, whose chunks are events already."""

from collections.abc import AsyncIterator

from meshapi_core._async.streams import AsyncAccumulatingStream
from meshapi_core._closing import AsyncIterated
from meshapi_core.protocols import AsyncStream
from meshapi_core.streams.responses import ResponsesTexts
from meshapi_core.types.responses import ResponsesResponse, ResponsesStreamEvent

__all__ = ["AsyncResponsesStream"]


class AsyncResponsesTextStream(AsyncIterated):
    """The text of a response: an async iterator over its pieces, none of them empty.

    Args:
        stream: the events; what they had before this was made is not repeated.
    """

    def __init__(self, stream: AsyncStream[ResponsesStreamEvent]) -> None:
        self._stream = stream
        self._texts = ResponsesTexts(stream.partial)

    def __aiter__(self) -> AsyncIterator[str]:
        self._stream.__aiter__()
        return self

    async def __anext__(self) -> str:
        text = ""
        while not text:
            text = self._texts.text(await self._stream.__anext__())
        return text


class AsyncResponsesStream(AsyncAccumulatingStream[ResponsesStreamEvent, ResponsesResponse]):
    """The events of a streamed response, and the response that they add up to."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """The text so far, as in `output_text`; "" before it begins. See `partial`."""
        partial = self.partial
        return "" if partial is None else partial.output_text

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The text, piece by piece: iterate over it instead of the stream.

        It begins where the stream was left, and passes over everything else.
        """
        return AsyncResponsesTextStream(self._stream)

    def events(self) -> AsyncIterator[ResponsesStreamEvent]:
        """Return what iterating over the stream gives: its chunks are typed events already."""
        return self._stream.__aiter__()

    async def get_final_text(self) -> str:
        """Read what is left of the stream, and return its whole text.

        Raises:
            StreamUsageError, MeshAPIError: as for `get_final_response`.
        """
        return (await self._read_rest()).output_text
