"""Readers of streamed responses: they make the decoder that receives the body, piece by piece."""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar

from msgspec import Struct

from meshapi_core.accumulators import Accumulator
from meshapi_core.byte_streams import ByteDecoder
from meshapi_core.chunks.decoder import ChunkDecoder
from meshapi_core.chunks.interpreter import EventReader
from meshapi_core.messages import Response
from meshapi_core.readers.contents import decoder_of
from meshapi_core.signals import END_OF_STREAM
from meshapi_core.sniffing import unexpected

__all__ = ["ByteStreamReader", "ChunkReader"]

T = TypeVar("T")

_PARTIAL = 206


class ChunkReader(Struct, Generic[T], frozen=True):
    """Reads an event stream as chunks of `kind`.

    Fields:
        kind: the type of each chunk; with `events`, the type that all chunks have in common.
        accumulator: makes the object that knows what has arrived and when the stream is complete.
        from_response: turns a whole JSON response into one chunk, for gateways and models that
            cannot stream; None where that is not possible.
        response: the type of a whole response.
        marker: bytes that every chunk contains. An event with an unknown name is a chunk if its
            data contains them, and is skipped otherwise.
        events: reads the events, where their names matter; `marker` is then used only for whole
            responses.
    """

    kind: "type[T]"
    accumulator: Callable[[], Accumulator[T]]
    from_response: Optional[Callable[[bytes], T]] = None
    response: Optional[type] = None
    marker: bytes = b""
    events: Optional[EventReader[T]] = None

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return "text/event-stream"

    def open(self, response: Response) -> ChunkDecoder[T]:
        """Return the decoder of one response. See `StreamReader.open`."""
        return ChunkDecoder(
            decoder_of(self.kind),
            self.accumulator(),
            headers=response.headers,
            status=response.status,
            meta=response.meta,
            from_response=self.from_response,
            response=self.response,
            marker=self.marker,
            events=self.events,
        )

    def assembled(self, response: Response) -> Any:
        """Return the whole response, put together from a body that is a stream.

        Raises:
            MeshAPIError: as in `ChunkDecoder.next_event`.
        """
        accumulator = self.accumulator()
        decoder = ChunkDecoder(
            decoder_of(self.kind),
            accumulator,
            headers=response.headers,
            status=response.status,
            meta=response.meta,
            response=self.response,
            marker=self.marker,
            events=self.events,
        )
        for piece in filter(None, (response.body,)):
            decoder.receive_data(piece)
        decoder.receive_data(b"")
        while decoder.next_event() is not END_OF_STREAM:
            pass
        result = accumulator.partial()
        if result is None:
            raise unexpected("a response", response.headers, response.status, response.body)
        return result


class ByteStreamReader(Struct, frozen=True):
    """Reads the body piece by piece, as it arrives; `documents` as in `BytesReader`."""

    documents: bool = True

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return "*/*"

    def open(self, response: Response) -> ByteDecoder:
        """Return the decoder of one response. See `StreamReader.open`."""
        return ByteDecoder(
            headers=response.headers,
            status=response.status,
            documents=self.documents,
            # The rest of a file that has begun, which may look like anything.
            examined=response.status != _PARTIAL,
        )
