# Generated from _async/streams_responses.py by `python tools/mirror.py --write`: edit that file.
"""Streams of the Responses API, whose chunks are events already."""

from collections.abc import Iterator

from meshapi_core._sync.streams import AccumulatingStream
from meshapi_core._closing import Iterated
from meshapi_core.protocols import Stream
from meshapi_core.streams.responses import ResponsesTexts
from meshapi_core.types.responses import ResponsesResponse, ResponsesStreamEvent

__all__ = ["ResponsesStream"]


class ResponsesTextStream(Iterated):
    """The text of a response: a blocking iterator over its pieces, none of them empty.

    Args:
        stream: the events; what they had before this was made is not repeated.
    """

    def __init__(self, stream: Stream[ResponsesStreamEvent]) -> None:
        self._stream = stream
        self._texts = ResponsesTexts(stream.partial)

    def __iter__(self) -> Iterator[str]:
        self._stream.__iter__()
        return self

    def __next__(self) -> str:
        text = ""
        while not text:
            text = self._texts.text(self._stream.__next__())
        return text


class ResponsesStream(AccumulatingStream[ResponsesStreamEvent, ResponsesResponse]):
    """The events of a streamed response, and the response that they add up to."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """The text so far, as in `output_text`; "" before it begins. See `partial`."""
        partial = self.partial
        return "" if partial is None else partial.output_text

    @property
    def text_stream(self) -> Iterator[str]:
        """The text, piece by piece: iterate over it instead of the stream.

        It begins where the stream was left, and passes over everything else.
        """
        return ResponsesTextStream(self._stream)

    def events(self) -> Iterator[ResponsesStreamEvent]:
        """Return what iterating over the stream gives: its chunks are typed events already."""
        return self._stream.__iter__()

    def get_final_text(self) -> str:
        """Read what is left of the stream, and return its whole text.

        Raises:
            StreamUsageError, MeshAPIError: as for `get_final_response`.
        """
        return self._read_rest().output_text
