"""How the answer to a call is read, as values that calls hold.

A reader of a `Call` turns a whole 2xx reply into the result. A reader of a `StreamCall` makes the
decoder that the body goes to, piece by piece. Each also says what the request accepts.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Generic, Optional, TypeVar, Union

import msgspec
from msgspec import Struct
from typing_extensions import Protocol

from meshapi_core._kinds import is_object
from meshapi_core.accumulators import Accumulator
from meshapi_core.byte_streams import ByteDecoder, cut_error, document_error
from meshapi_core.chunks import ChunkDecoder, EventReader
from meshapi_core.codec import decode, parse
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.headers import Headers
from meshapi_core.messages import Failure, Reply
from meshapi_core.sse import EndOfStream, NeedData
from meshapi_core.types._base import AnswerList, attach

__all__ = [
    "BodyDecoder",
    "ByteStreamReader",
    "BytesReader",
    "ChunkReader",
    "JSONReader",
    "ListReader",
    "NothingReader",
    "Reader",
    "StreamReader",
    "TextReader",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

JSON = "application/json"


class Reader(Protocol[T_co]):
    """Reads a whole answer."""

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        ...

    def read(self, reply: Reply) -> T_co:
        """The result in a 2xx reply.

        Raises:
            ResponseDecodeError: the body is not what was promised.
            APIConnectionError: it may have been cut, and does not tell by itself.
        """
        ...


class BodyDecoder(Protocol[T_co]):
    """Takes the body of a streamed answer and gives what is in it; `ChunkDecoder` is one."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What none of its errors shows; an `Exchange` sets it. See `redaction`."""
        ...

    @secrets.setter
    def secrets(self, secrets: tuple[str, ...], /) -> None: ...

    @property
    def headers(self) -> Headers:
        """The answer's header fields."""
        ...

    def receive_data(self, data: bytes) -> None:
        """Take the next piece of the body, cut anywhere; `b""` is its end."""
        ...

    def receive_cut(self) -> None:
        """Take note of the end of a body that may have been cut there; see `Reply.cut`."""
        ...

    def receive_failure(self, failure: Failure) -> None:
        """Take note that the body will not go on."""
        ...

    def next_event(self) -> Union[T_co, NeedData, EndOfStream]:
        """The next item; NEED_DATA where more bytes are needed; END_OF_STREAM after the last."""
        ...


class StreamReader(Protocol[T_co]):
    """Reads a streamed answer."""

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        ...

    def open(self, reply: Reply) -> BodyDecoder[T_co]:
        """The decoder to feed the body of this 2xx answer to."""
        ...


# Not as a decorator: mypy asks of its arguments that they be hashable, as types are.
_decoder: Callable[[Any], "msgspec.json.Decoder[Any]"] = cache(msgspec.json.Decoder)


class JSONReader(Struct, Generic[T], frozen=True):
    """Reads a JSON body as `kind`."""

    kind: "type[T]"

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSON

    def read(self, reply: Reply) -> T:
        """The typed answer. See `Reader.read`."""
        answer: T = _decoded(reply, _decoder(self.kind))
        return attach(answer, reply.body, reply.headers.get("x-request-id", ""))


class ListReader(Struct, Generic[T], frozen=True):
    """Reads a body that is a bare JSON array of `kind`; null is an empty one."""

    kind: "type[T]"

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSON

    def read(self, reply: Reply) -> "AnswerList[T]":
        """The rows. See `Reader.read`."""
        kind: Any = self.kind
        rows = AnswerList[T](_decoded(reply, _decoder(Optional[list[kind]])) or ())
        return attach(rows, reply.body, reply.headers.get("x-request-id", ""))


class BytesReader(Struct, frozen=True):
    """Gives the body as it is.

    Fields:
        documents: whether JSON and pages are what may come. Where sound was asked for, they are
            errors under the wrong status.
    """

    documents: bool = True

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return "*/*"

    def read(self, reply: Reply) -> bytes:
        """The body. See `Reader.read`."""
        error = None if self.documents else document_error(reply.headers, reply.status)
        if error is not None:
            raise error
        if reply.cut:
            raise cut_error(reply.headers, reply.status)
        return reply.body


class NothingReader(Struct, frozen=True):
    """For answers that say nothing but that it is done; whatever body they have is not read."""

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSON

    def read(self, reply: Reply) -> None:
        """None."""


class TextReader(Struct, Generic[T], frozen=True):
    """Reads a JSON object as `kind`; anything else is text, from which `make` makes the answer.

    The content type helps and does not decide: gateways send JSON as text and text as JSON. What
    is declared as text is an object where it has a member that `kind` declares.
    """

    kind: "type[T]"
    make: Callable[[str], T]

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return "application/json, text/*;q=0.9, */*;q=0.8"

    def read(self, reply: Reply) -> T:
        """The typed answer. See `Reader.read`."""
        request_id = reply.headers.get("x-request-id", "")
        media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        declared = media_type == JSON or media_type.endswith("+json")
        start = reply.body.lstrip()[:1]
        if (declared and start in (b"{", b"[")) or (start == b"{" and self._is_object(reply.body)):
            answer: T = _decoded(reply, _decoder(self.kind))
            return attach(answer, reply.body, request_id)
        if reply.cut:
            raise cut_error(reply.headers, reply.status)
        text = reply.body.decode("utf-8", "replace")
        if declared and start == b'"':
            text = _decoded(reply, _decoder(str))
        # What is attached must be JSON; so the text's `.raw` is the text.
        return attach(self.make(text), msgspec.json.encode(text), request_id)

    def _is_object(self, body: bytes) -> bool:
        try:
            sent = parse(body)
        except ResponseDecodeError:
            return False
        declared: tuple[str, ...] = getattr(self.kind, "__struct_encode_fields__", ())
        return is_object(sent) and not sent.keys().isdisjoint(declared)


class ChunkReader(Struct, Generic[T], frozen=True):
    """Reads an event stream as chunks of `kind`.

    Fields:
        kind: of each chunk; with `events`, what they have in common.
        accumulator: makes the object that knows when the stream is complete and what has arrived.
        from_answer: turns a whole JSON answer into one chunk, for gateways and models that
            cannot stream and answer at once; None where there is no such form.
        marker: bytes that every chunk holds. An event with an unknown name is a chunk where its
            data holds them, and is passed over where it does not.
        events: reads the events itself, where their names matter; `marker` is then for whole
            answers alone.
    """

    kind: "type[T]"
    accumulator: Callable[[], Accumulator[T]]
    from_answer: Optional[Callable[[bytes], T]] = None
    marker: bytes = b""
    events: Optional[EventReader[T]] = None

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return "text/event-stream"

    def open(self, reply: Reply) -> ChunkDecoder[T]:
        """The decoder of one answer. See `StreamReader.open`."""
        return ChunkDecoder(
            _decoder(self.kind),
            self.accumulator(),
            headers=reply.headers,
            status=reply.status,
            from_answer=self.from_answer,
            marker=self.marker,
            events=self.events,
        )


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


def _decoded(reply: Reply, decoder: "msgspec.json.Decoder[Any]") -> Any:
    try:
        return decode(reply.body, decoder)
    except ResponseDecodeError as exc:
        exc.status, exc.request_id = reply.status, reply.headers.get("x-request-id", "")
        raise
