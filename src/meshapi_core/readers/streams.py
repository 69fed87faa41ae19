"""Readers of streamed answers: what makes the decoder that a body goes to, piece by piece."""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar

from msgspec import Struct

from meshapi_core.accumulators import Accumulator
from meshapi_core.byte_streams import ByteDecoder
from meshapi_core.chunks.decoder import ChunkDecoder
from meshapi_core.chunks.interpreter import EventReader
from meshapi_core.messages import Reply
from meshapi_core.readers.contents import decoder_of
from meshapi_core.signals import END_OF_STREAM
from meshapi_core.sniffing import unexpected

__all__ = ["ByteStreamReader", "ChunkReader"]

T = TypeVar("T")


class ChunkReader(Struct, Generic[T], frozen=True):
    """Reads an event stream as chunks of `kind`.

    Fields:
        kind: of each chunk; with `events`, what they have in common.
        accumulator: makes the object that knows when the stream is complete and what has arrived.
        from_answer: turns a whole JSON answer into one chunk, for gateways and models that
            cannot stream and answer at once; None where there is no such form.
        answer: the type of a whole answer.
        marker: bytes that every chunk holds. An event with an unknown name is a chunk where its
            data holds them, and is passed over where it does not.
        events: reads the events itself, where their names matter; `marker` is then for whole
            answers alone.
    """

    kind: "type[T]"
    accumulator: Callable[[], Accumulator[T]]
    from_answer: Optional[Callable[[bytes], T]] = None
    answer: Optional[type] = None
    marker: bytes = b""
    events: Optional[EventReader[T]] = None

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return "text/event-stream"

    def open(self, reply: Reply) -> ChunkDecoder[T]:
        """The decoder of one answer. See `StreamReader.open`."""
        return ChunkDecoder(
            decoder_of(self.kind),
            self.accumulator(),
            headers=reply.headers,
            status=reply.status,
            from_answer=self.from_answer,
            answer=self.answer,
            marker=self.marker,
            events=self.events,
        )

    def assembled(self, reply: Reply) -> Any:
        """The whole answer, put together from a body that is a stream.

        Raises:
            MeshAPIError: as `ChunkDecoder.next_event`.
        """
        accumulator = self.accumulator()
        decoder = ChunkDecoder(
            decoder_of(self.kind),
            accumulator,
            headers=reply.headers,
            status=reply.status,
            answer=self.answer,
            marker=self.marker,
            events=self.events,
        )
        for piece in filter(None, (reply.body,)):
            decoder.receive_data(piece)
        decoder.receive_data(b"")
        while decoder.next_event() is not END_OF_STREAM:
            pass
        answer = accumulator.partial()
        if answer is None:
            raise unexpected("a response", reply.headers, reply.status, reply.body)
        return answer


class ByteStreamReader(Struct, frozen=True):
    """Gives the body piece by piece, as it comes; `documents` as in `BytesReader`."""

    documents: bool = True

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return "*/*"

    def open(self, reply: Reply) -> ByteDecoder:
        """The decoder of one answer. See `StreamReader.open`."""
        return ByteDecoder(headers=reply.headers, status=reply.status, documents=self.documents)
