"""The body of a streamed answer, turned into typed chunks. No I/O.

Rules, in the order in which they are applied:

1. The answer's content type decides how the body is read. `text/event-stream` is a stream. JSON
   is an error or a whole answer, which becomes one chunk. Without a content type the first bytes
   decide. Anything else is refused (`parse_error`).
2. `data: [DONE]` ends the stream; whatever follows it is not looked at.
3. A frame with a non-null `error`, or under `event: error`, raises the typed error.
4. A frame whose data is no JSON raises `parse_error`. Well-formed JSON that is no object, and
   events of other names, are passed over: servers use them to keep a connection alive.
5. A body that brought no event and does not begin like one is an error page under the wrong
   content type: the typed error where it is a JSON error, else `parse_error` with an excerpt.
6. At the end of the body an event that lacks its blank line is read all the same. If neither
   `[DONE]` nor the last finish reason has been seen by then, the stream was cut off:
   `StreamInterruptedError`, with what arrived in `.partial`. The same holds where the connection
   breaks.

Source: https://developers.meshapi.ai/docs (streaming; errors),
    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar, Union, cast

import msgspec
from typing_extensions import Protocol

from meshapi_core.accumulators import Accumulator
from meshapi_core.codec import decode, parse
from meshapi_core.envelopes import error_from_frame
from meshapi_core.errors import (
    APITimeoutError,
    MeshAPIError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Failure
from meshapi_core.redaction import conceal, forget_frames
from meshapi_core.sse import (
    END_OF_STREAM,
    MAX_EVENT_SIZE,
    NEED_DATA,
    EndOfStream,
    NeedData,
    RawSSEDecoder,
)
from meshapi_core.types._base import Answer, attach

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_EVENT_STREAM_STARTS = (b"data", b"event", b"id", b"retry", b":", b"\xef\xbb\xbf", b"\r", b"\n")
_LONGEST_START = max(len(start) for start in _EVENT_STREAM_STARTS)
_KEPT = 64 * 1024
"""Bytes of an event stream that are kept until its first event: as much as an error keeps."""

_SNIFFED = 1024
"""Bytes that are looked at where no content type says what a body is; more blanks than that at
its start are not looked through."""


class EventReader(Protocol[T_co]):
    """Reads the events of streams in which their names matter, or chunks have several types."""

    def is_error(self, name: str, frame: dict[str, Any]) -> bool:
        """Whether this event ends the stream with the error that it holds.

        Asked for events that are named `error` or whose `error` is not null.
        """
        ...

    def read(self, name: str, frame: dict[str, Any]) -> Optional[T_co]:
        """The chunk in one event; None for an event that is passed over.

        Args:
            name: the event's name; "" where it has none.
            frame: its data, which is a JSON object.
        """
        ...


class ChunkDecoder(Generic[T]):
    """Typed chunks out of body bytes: `receive_data`, then `next_event` until it wants more.

    Args:
        decoder: reads one event's data.
        accumulator: is told every chunk; knows when the stream is complete.
        headers: of the answer; its content type and request id are used.
        status: of the answer, for error messages.
        from_answer: turns a whole JSON answer into one chunk.
        marker: bytes that every chunk holds (see `ChunkReader`).
        events: reads the events instead of `decoder`.
        max_event_size: bytes of one event, or of a whole JSON answer, that are accepted.
    """

    def __init__(
        self,
        decoder: "msgspec.json.Decoder[T]",
        accumulator: Accumulator[T],
        *,
        headers: Headers,
        status: int = 200,
        from_answer: Optional[Callable[[bytes], T]] = None,
        marker: bytes = b"",
        events: Optional[EventReader[T]] = None,
        max_event_size: int = MAX_EVENT_SIZE,
    ) -> None:
        self.headers = headers
        self.status = status
        self.request_id = headers.get("x-request-id", "")
        self.secrets: tuple[str, ...] = ()
        self._decoder = decoder
        self._attaches = _is_answer(decoder.type)
        self._accumulator = accumulator
        self._from_answer = from_answer
        self._marker = marker
        self._event_reader = events
        self._max_size = max_event_size
        self._events = RawSSEDecoder(max_event_size=max_event_size, flush_at_end=True)
        self._failure: Optional[Failure] = None
        self._error: Optional[MeshAPIError] = None
        self._finished = False
        # The first bytes of an event stream until an event has come: an error page may be sent
        # under this content type, too.
        self._start: Optional[bytearray] = bytearray()
        # Bytes of a body that is not known to be an event stream (yet); None once it is one.
        self._document: Optional[list[bytes]] = []
        self._document_size = 0
        self._ended = False
        self._kind = _body_kind(headers.get("content-type", ""))
        if self._kind == "events":
            self._document = None

    @property
    def complete(self) -> bool:
        """Whether the stream has brought everything: it ended, or could end now."""
        return self._finished or self._accumulator.complete

    def receive_data(self, data: bytes) -> None:
        """Take the next piece of the body, cut anywhere; `b""` is its end."""
        if self._finished or self._error is not None:
            return
        if self._document is None:
            if self._start is not None:
                self._start += data[: _KEPT - len(self._start)]
            self._events.receive_data(data)
            return
        if not data:
            self._ended = True
            return
        self._document.append(data)
        self._document_size += len(data)
        if self._kind == "unknown":
            self._sniff(b"".join(self._document))

    def receive_failure(self, failure: Failure) -> None:
        """Take note that the body will not go on; `next_event` tells what that means."""
        self._failure = failure

    def next_event(self) -> Union[T, NeedData, EndOfStream]:
        """The next chunk; NEED_DATA where more bytes are needed; END_OF_STREAM after the last.

        Raises:
            APIStatusError: an error frame; its class by the error's code, `status` 0.
            ResponseDecodeError: an event that is no JSON, an answer that is no event stream, or
                an event over the size limit.
            StreamInterruptedError: the body ended, or the connection broke, too early.
            APITimeoutError: a time limit passed; `.partial` as above.
            After any of these the decoder raises the same error for ever.
        """
        if self._error is not None:
            raise self._error
        if self._finished:
            return END_OF_STREAM
        try:
            while self._document is None:
                event = self._events.next_event()
                if event is NEED_DATA:
                    return NEED_DATA if self._failure is None else self._end(self._failure)
                if event is END_OF_STREAM:
                    return self._end(None)
                self._start = None
                name, data = event
                chunk = self._read(name, data)
                if chunk is END_OF_STREAM:
                    self._finished = True
                    return END_OF_STREAM
                if chunk is not None:
                    self._accumulator.add(chunk)
                    return chunk
            return self._next_document()
        except MeshAPIError as exc:
            exc.request_id = exc.request_id or self.request_id
            if isinstance(exc, ResponseDecodeError):
                exc.status = self.status
            if exc.partial is None:
                exc.partial = self._accumulator.partial()
            # The locals here and below hold the event, which the error may be about.
            event, data = NEED_DATA, b""
            self._error = conceal(forget_frames(exc), self.secrets)
            # Not by itself: up to Python 3.10 that would bring the frames back.
            raise exc

    def _read(self, name: bytes, data: bytes) -> Union[T, EndOfStream, None]:
        """Return the chunk in one event, END_OF_STREAM for [DONE], None for what is passed over."""
        # Nearly every chunk has no name, no error, and JSON of the right shape. `find`, as `in`
        # takes half as long again: it first fails to make a number of the bytes.
        if not name and self._event_reader is None and data.find(b'"error"') < 0:
            try:
                chunk = self._decoder.decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
            else:
                if self._attaches:
                    # `attach` without a call, and without `isinstance`, which asks the metaclass.
                    chunk.__dict__["_sent"] = data, self.request_id
                return chunk
        if len(data) < 16 and data.strip() == b"[DONE]":
            return END_OF_STREAM
        if self._event_reader is not None:
            return self._read_named(self._event_reader, name.decode("utf-8", "replace"), data)
        if name == b"error":
            raise error_from_frame(_parse_loosely(data), self.headers)
        if b'"error"' in data:
            self._raise_error_frame(data)
        if name not in (b"", b"message") and not (self._marker and self._marker in data):
            return None
        return self._decode(data)

    def _read_named(self, reader: EventReader[T], name: str, data: bytes) -> Optional[T]:
        try:
            frame: Any = parse(data) if data.strip() else None
        except ResponseDecodeError:
            if name == "error":
                raise error_from_frame(_parse_loosely(data), self.headers) from None
            if self._events.unfinished:
                return None
            raise
        if not isinstance(frame, dict):
            if name == "error":
                raise error_from_frame(frame, self.headers)
            return None
        fields = cast("dict[str, Any]", frame)
        suspect = name == "error" or fields.get("error") is not None
        if suspect and reader.is_error(name, fields):
            raise error_from_frame(frame, self.headers)
        chunk = reader.read(name, fields)
        if chunk is not None:
            attach(chunk, data, self.request_id)
        return chunk

    def _raise_error_frame(self, data: bytes) -> None:
        # The bytes may just as well stand in a text or a nested value: only a non-null member
        # at the top is an error. Broken JSON is reported where all of it is: in _decode.
        try:
            frame = parse(data)
        except ResponseDecodeError:
            return
        if _has_error(frame):
            raise error_from_frame(frame, self.headers)

    def _decode(self, data: bytes) -> Optional[T]:
        try:
            chunk = self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                # Servers send blank data, too, to keep a connection alive.
                if not data.strip() or not isinstance(parse(data), dict):
                    return None
                chunk = decode(data, self._decoder)
            except ResponseDecodeError:
                if self._events.unfinished:
                    # Cut off in the middle, not badly written: the end, which is next, tells
                    # whether anything is missing.
                    return None
                raise
        attach(chunk, data, self.request_id)
        return chunk

    def _next_document(self) -> Union[T, NeedData, EndOfStream]:
        pieces = self._document or []
        if self._kind == "refused":
            excerpt = b"".join(pieces)[:512]
            if not self._ended and self._failure is None and len(excerpt) < 512:
                return NEED_DATA
            raise self._not_a_stream(excerpt)
        if self._kind == "document" and self._document_size > self._max_size:
            raise ResponseDecodeError(
                f"the answer is larger than {self._max_size} bytes",
                status=self.status,
                error_code="response_too_large",
            )
        if self._failure is not None:
            return self._end(self._failure)
        if not self._ended:
            return NEED_DATA
        return self._whole_answer(b"".join(pieces))

    def _whole_answer(self, body: bytes) -> Union[T, EndOfStream]:
        if not body.strip() or self._kind == "unknown":
            raise self._not_a_stream(body)
        answer = parse(body)
        if _has_error(answer):
            raise error_from_frame(answer, self.headers)
        if not isinstance(answer, dict) or self._from_answer is None or self._marker not in body:
            raise self._not_a_stream(body)
        chunk = self._from_answer(body)
        attach(chunk, body, self.request_id)
        self._accumulator.add(chunk)
        self._finished = True
        return chunk

    def _sniff(self, start: bytes) -> None:
        text = start[:_SNIFFED].lstrip(b" \t")
        if text[:1] in (b"{", b"["):
            self._kind = "document"
        elif text.startswith(_EVENT_STREAM_STARTS):
            self._kind, self._document = "events", None
            self._start = None
            self._events.receive_data(start)
        elif len(text) >= _LONGEST_START or len(start) >= _SNIFFED:
            self._kind = "refused"

    def _end(self, failure: Optional[Failure]) -> EndOfStream:
        if self._accumulator.complete and (failure is None or not failure.interrupted):
            self._finished = True
            return END_OF_STREAM
        if failure is None:
            if self._start is not None:
                self._refuse_what_never_was_a_stream(bytes(self._start))
            raise self._interrupted("the body ended before [DONE] or a finish reason")
        if isinstance(failure.error, APITimeoutError) or failure.stage == "closed":
            raise failure.error
        raise self._interrupted(failure.error.message) from failure.error

    def _refuse_what_never_was_a_stream(self, start: bytes) -> None:
        text = start.lstrip()
        if any(text.startswith(field) or field.startswith(text) for field in _EVENT_STREAM_STARTS):
            # Empty, or cut off within the first event, or nothing but comments.
            return
        answer = _parse_loosely(text)
        if _has_error(answer):
            raise error_from_frame(answer, self.headers)
        raise self._not_a_stream(text)

    def _interrupted(self, reason: str) -> StreamInterruptedError:
        return StreamInterruptedError(f"stream interrupted: {reason}", partial=None)

    def _not_a_stream(self, body: bytes) -> ResponseDecodeError:
        kind = self.headers.get("content-type") or "an answer without a content type"
        if self._kind == "events":
            kind = "no event"
        excerpt = body[:500].decode("utf-8", "replace")
        what = f"got {kind}: {excerpt!r}" if body.strip() else f"got {kind} with an empty body"
        return ResponseDecodeError(
            f"expected an event stream, {what}", status=self.status, error_code="parse_error"
        )


def _is_answer(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Answer)


def _body_kind(content_type: str) -> str:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "text/event-stream":
        return "events"
    if not media_type:
        return "unknown"
    if media_type == "application/json" or media_type.endswith("+json"):
        return "document"
    return "refused"


def _has_error(frame: Any) -> bool:
    return isinstance(frame, dict) and cast("dict[str, Any]", frame).get("error") is not None


def _parse_loosely(data: bytes) -> Any:
    try:
        return parse(data)
    except ResponseDecodeError:
        return data.decode("utf-8", "replace")
