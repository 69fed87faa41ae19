"""How the answer to a call is read, as values that calls hold.

A reader of a `Call` turns a whole 2xx reply into the result. A reader of a `StreamCall` makes the
decoder that the body goes to, piece by piece. Each also says what the request accepts.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Generic, Optional, TypeVar, Union

import msgspec
from msgspec import UNSET, Struct
from typing_extensions import Buffer, Protocol

from meshapi_core._kinds import is_array, is_object
from meshapi_core._origins import sent_of
from meshapi_core.accumulators import Accumulator
from meshapi_core.byte_streams import ByteDecoder, cut_error, is_document, misplaced
from meshapi_core.chunks import ChunkDecoder, EventReader
from meshapi_core.chunks.frames import is_piece
from meshapi_core.codec import decode, parse
from meshapi_core.envelopes import answered_error, error_from_frame, members_of, results_of
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.messages import Failure, Reply
from meshapi_core.service import Service
from meshapi_core.sniffing import KEPT_BYTES, media_type, sniff, title_of, unexpected
from meshapi_core.sse import BARE, END_OF_STREAM, EndOfStream, NeedData, RawEvent, RawSSEDecoder
from meshapi_core.types._base import Answer, AnswerList, attach

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
            APIStatusError: it is an error, in spite of its status.
            ResponseDecodeError: the body is not what was promised.
            APIConnectionError: it may have been cut, and does not tell by itself.
        """
        ...


class BodyDecoder(Protocol[T_co]):
    """Takes the body of a streamed answer and gives what is in it.

    `ChunkDecoder` and `ByteDecoder` are such. Whoever gives a stream up asks for `partial` before.
    """

    @property
    def secrets(self) -> tuple[str, ...]:
        """What none of its errors shows; an `Exchange` sets it. See `redaction`."""
        ...

    @secrets.setter
    def secrets(self, secrets: tuple[str, ...], /) -> None: ...

    @property
    def service(self) -> Service:
        """Whose answer it is, with the marker by which its streams end; an `Exchange` sets it."""
        ...

    @service.setter
    def service(self, service: Service, /) -> None: ...

    @property
    def headers(self) -> Headers:
        """The answer's header fields."""
        ...

    @property
    def status(self) -> int:
        """The answer's status."""
        ...

    @property
    def request_id(self) -> str:
        """The server's id of this request; "" where it named none."""
        ...

    @property
    def complete(self) -> bool:
        """Whether all has come: the stream has ended, or could end now without being cut off."""
        ...

    def partial(self) -> Any:
        """What has arrived, put together, as in the `.partial` of errors; None where nothing has,
        and where items are not kept: pieces of a file are no answer by themselves.
        """
        ...

    def receive_data(self, data: Buffer) -> None:
        """Take the next piece of the body, cut anywhere; `b""` is its end.

        A buffer that is not `bytes` is copied, so it may be used again at once.
        """
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
    """Reads a JSON body as `kind`.

    Fields:
        kind: of the answer.
        stream: reads the answer's chunks, where there is such a form: some gateways stream though
            they were not asked to.
    """

    kind: "type[T]"
    stream: Optional["ChunkReader[Any]"] = None

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSON

    def read(self, reply: Reply) -> T:
        """The typed answer. See `Reader.read`."""
        marker = None if self.stream is None else self.stream.marker
        try:
            answer, body = _decoded(reply, _decoder(self.kind), self.kind, marker)
        except ResponseDecodeError:
            if self.stream is None or _parsed(reply.body) is not UNSET or not _events(reply.body):
                raise
            answer = self.stream.assembled(reply)
            body = _written(answer)
        typed: T = attach(answer, body, find_request_id(reply.headers))
        return typed


class ListReader(Struct, Generic[T], frozen=True):
    """Reads an array of `kind`, bare or in an object, as its `data`; null is an empty one."""

    kind: "type[T]"

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSON

    def read(self, reply: Reply) -> "AnswerList[T]":
        """The rows. See `Reader.read`."""
        kind: Any = self.kind
        rows, body = _decoded(reply, _decoder(Optional[list[kind]]), list)
        return attach(AnswerList[T](rows or ()), body, find_request_id(reply.headers))


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
        body, headers = reply.body, reply.headers
        if is_document(body, headers, documents=self.documents):
            error = misplaced(body, headers, reply.status, documents=self.documents)
            if error is not None:
                raise error
        if reply.cut:
            raise cut_error(headers, reply.status)
        return body


class NothingReader(Struct, frozen=True):
    """For answers that say nothing but that it is done; an error and a page say something else."""

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSON

    def read(self, reply: Reply) -> None:
        """None. See `Reader.read`."""
        kind = sniff(reply.body, ended=True)
        if kind in ("json", "events"):
            only = _only_event(reply, None)
            error = answered_error(_parsed((only or reply).body), reply.headers, reply.status)
            if error is not None:
                raise error
        elif kind == "page" and title_of(reply.body.decode("utf-8", "replace")):
            # Of a portal that asks who is there, as a rule: nothing has been done.
            raise unexpected("an empty answer", reply.headers, reply.status, reply.body)


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
        request_id = find_request_id(reply.headers)
        kind = media_type(reply.headers)
        declared = kind == JSON or kind.endswith("+json")
        reply = _unframed(reply)
        start = reply.body.lstrip()[:1]
        if kind == "text/event-stream" or (
            start in (b"{", b"[") and (declared or self._is_object(reply))
        ):
            answer, body = _decoded(reply, _decoder(self.kind), self.kind)
            typed: T = attach(answer, body, request_id)
            return typed
        if start == b"<" and _is_page(kind, reply.body):
            raise unexpected("a text", reply.headers, reply.status, reply.body)
        if reply.cut:
            raise cut_error(reply.headers, reply.status)
        text = reply.body.decode("utf-8", "replace")
        if declared and start == b'"':
            text, _ = _decoded(reply, _decoder(str), str)
        # What is attached must be JSON; so the text's `.raw` is the text.
        return attach(self.make(text), msgspec.json.encode(text), request_id)

    def _is_object(self, reply: Reply) -> bool:
        """Return whether a body that is not declared as JSON is what `kind` is, or an error."""
        sent = _parsed(reply.body)
        _raise_error(sent, reply, self.kind)
        return is_object(sent) and not sent.keys().isdisjoint(members_of(self.kind))


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
            _decoder(self.kind),
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
            _decoder(self.kind),
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
            raise unexpected("an answer", reply.headers, reply.status, reply.body)
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


def _decoded(
    reply: Reply,
    decoder: "msgspec.json.Decoder[Any]",
    kind: Any,
    marker: Optional[bytes] = None,
) -> tuple[Any, bytes]:
    """Return a body as the decoder's type, and the JSON that it was decoded from.

    Args:
        kind: of the answer.
        marker: the member that tells whole answers from pieces, where there are such.
    """
    body = reply.body
    # An error says so, by the name of a member or by its value. What has results and does not
    # have that word is not looked at twice.
    if body.find(b'"error"') >= 0:
        _raise_error(_parsed(body), reply, kind)
    try:
        answer = decode(body, decoder)
    except ResponseDecodeError as exc:
        content = _parsed(body)
        _raise_error(content, reply, kind)
        whole = _only_event(reply, marker) if content is UNSET else None
        if whole is None or whole.body == body:
            raise _explained(exc, reply, content) from exc.__cause__
        return _decoded(whole, decoder, kind, marker)
    for name in results_of(kind):
        found = getattr(answer, name, None)
        # An object may be a default, and is looked at in what came.
        if found and not isinstance(found, Struct):
            return answer, body
    # Most lists have more than the one row that could be an error.
    if not (is_array(answer) and len(answer) != 1):
        _raise_error(_parsed(body), reply, kind)
    return answer, body


def _written(answer: Answer) -> bytes:
    """Return the JSON of an answer that was put together, with all that came in it."""
    sent = sent_of(answer)
    return answer.model_dump_json(exclude_none=True).encode() if sent is None else sent[0]


def _unframed(reply: Reply) -> Reply:
    """Return an answer without the frame of an event, where there is an object in it."""
    events = _events(reply.body) if sniff(reply.body, ended=True) == "events" else []
    # "error: it said" may be what was said.
    if len(events) != 1 or not is_object(_parsed(events[0][1])):
        return reply
    return _only_event(reply, None) or reply


def _only_event(reply: Reply, marker: Optional[bytes]) -> Optional[Reply]:
    """Return the answer that came as the one event of a stream, or with a stream's end behind it.

    None where there are several events, or where the one is a piece of an answer.
    """
    events = _events(reply.body)
    if len(events) != 1:
        return None
    ((name, data),) = events
    content = _parsed(data)
    if name == b"error":
        said = data.decode("utf-8", "replace") if content is UNSET else content
        error = error_from_frame(said, reply.headers)
        error.status = reply.status
        raise error
    if marker is not None and (name not in (b"", BARE) or is_piece(content, marker)):
        return None
    return Reply(reply.status, reply.headers, data, reply.received_at)


def _raise_error(content: Any, reply: Reply, kind: Any) -> None:
    """Raise the error that a body is, with the answer that stands beside it."""
    error = answered_error(
        content,
        reply.headers,
        reply.status,
        results=results_of(kind) or None,
        declared=members_of(kind),
    )
    if error is None:
        return
    if is_object(content) and is_array(content.get("choices")):
        try:
            error.partial = decode(reply.body, _decoder(kind))
        except ResponseDecodeError:
            pass
    raise error


def _parsed(body: bytes) -> Any:
    """Return the decoded JSON, UNSET where it is none."""
    try:
        return parse(body)
    except ResponseDecodeError:
        return UNSET


def _explained(exc: ResponseDecodeError, reply: Reply, content: Any) -> ResponseDecodeError:
    """Return the error of a body that could not be decoded, with what it is instead."""
    kind = sniff(reply.body, ended=True)
    instead = reason = ""
    if content is not UNSET:
        # JSON it is, and what is wrong with it has been said.
        instead = exc.message
    elif kind == "json":
        reason = exc.message
    elif kind == "events":
        reason = "a stream, which was not asked for"
    return unexpected(
        "JSON", reply.headers, reply.status, reply.body, reason=reason, instead=instead
    )


def _events(body: bytes) -> list[RawEvent]:
    """Return the events in a body, without the end of the stream; none where it is no stream."""
    if sniff(body, ended=True) not in ("events", "json"):
        return []
    decoder = RawSSEDecoder(max_event_size=len(body), flush_at_end=True, strays=True)
    decoder.receive_data(body)
    decoder.receive_data(b"")
    events: list[RawEvent] = []
    while isinstance(event := decoder.next_event(), tuple):
        if event[1].strip() == b"[DONE]":
            break
        events.append(event)
    return events


def _is_page(kind: str, body: bytes) -> bool:
    start = body[:KEPT_BYTES].lstrip()[:20].lower()
    return kind == "text/html" or start.startswith((b"<!doctype html", b"<html"))
