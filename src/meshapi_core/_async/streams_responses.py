"""Streams of the Responses API, whose chunks are events already."""

from meshapi_core._async.streams import AsyncAccumulatingStream, AsyncTextStream
from meshapi_core.streams.responses import ResponsesTexts
from meshapi_core.types.responses import ResponsesResponse, ResponsesStreamEvent

__all__ = ["AsyncResponsesStream"]


class AsyncResponsesStream(AsyncAccumulatingStream[ResponsesStreamEvent, ResponsesResponse]):
    """The events of a streamed response, and the response that they add up to."""

    @property
    def text(self) -> str:
        """The text so far, as in `output_text`; "" before it begins. See `partial`."""
        partial = self.partial
        return "" if partial is None else partial.output_text

    @property
    def text_stream(self) -> AsyncTextStream[ResponsesStreamEvent]:
        """The text, piece by piece: iterate over it instead of the stream."""
        texts = ResponsesTexts(told=bool(self.text))
        return AsyncTextStream(self._stream, texts.text)

    async def get_final_text(self) -> str:
        """Read what is left of the stream, and return its whole text.

        Raises:
            StreamUsageError, MeshAPIError: as for `get_final_response`.
        """
        return (await self.get_final_response()).output_text
