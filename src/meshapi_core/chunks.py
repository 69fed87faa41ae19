"""The body of a streamed answer, turned into typed chunks. No I/O.

Rules, in the order in which they are applied:

1. What the first bytes are decides how the body is read, whatever its content type says. Fields
   of an event stream are one. JSON is an error, a whole answer, which becomes one chunk, or
   chunks, one on each line. A page is refused as soon as it has said its title, any other text as
   soon as a part of it is there, unless it calls itself an event stream (`parse_error`).
2. `data: [DONE]`, or what the `Service` has in its place, ends the stream; whatever follows it is
   not looked at.
3. A frame that is an error (`envelopes.is_error_frame`), or under `event: error`, raises the typed
   error; so does a choice that ended in one, JSON that stands there without a field, and an
   `error` field.
4. A frame whose data is no JSON raises `parse_error`. Well-formed JSON that is no object, and
   events of other names, are passed over: servers use them to keep a connection alive.
5. A body that brought no event and does not begin like one is refused, too, with an excerpt.
6. At the end of the body an event that lacks its blank line is read all the same. If neither
   `[DONE]` nor the last finish reason has been seen by then, the stream was cut off:
   `StreamInterruptedError`, with what arrived in `.partial`, and with what the server said last
   where that was no event. The same holds where the connection breaks.

Source: https://developers.meshapi.ai/docs (streaming; errors),
    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar, Union

import msgspec
from typing_extensions import Buffer, Protocol

from meshapi_core._kinds import is_array, is_object
from meshapi_core._origins import SENT
from meshapi_core.accumulators import Accumulator
from meshapi_core.codec import decode, parse, parse_piece
from meshapi_core.envelopes import (
    answered_error,
    error_from_frame,
    is_blank,
    is_error_frame,
    may_be_error,
    members_of,
    results_of,
)
from meshapi_core.errors import (
    APIStatusError,
    APITimeoutError,
    MeshAPIError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.messages import Failure
from meshapi_core.redaction import conceal, forget_frames
from meshapi_core.service import MAX_MARKER, MESHAPI
from meshapi_core.sniffing import KEPT_BYTES, BodyKind, media_type, readable, sniff, unexpected
from meshapi_core.sse import (
    BARE,
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

# Of a page its title is waited for, but no longer than this; of a text as much as is shown.
_MOST_OF_A_PAGE = 4096
_MOST_OF_A_TEXT = 512
_MOST_OF_LAST_WORDS = 300
_END_OF_TITLE = b"</title>"
# Bytes of an event that may be the end of a stream: no more are looked at.
_LONGEST_END = MAX_MARKER + 10

# Names of the event of an error, in lower case.
_ERROR_EVENTS = frozenset((b"error", b"exception", b"failure"))


class EventReader(Protocol[T_co]):
    """Reads the events of streams in which their names matter, or chunks have several types."""

    def is_error(self, name: str, frame: dict[str, Any]) -> bool:
        """Whether this event ends the stream with the error that it holds.

        Asked for events that are named `error`, or whose data is an error by itself.
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
        answer: the type of a whole answer.
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
        answer: Optional[type] = None,
        events: Optional[EventReader[T]] = None,
        max_event_size: int = MAX_EVENT_SIZE,
    ) -> None:
        self.headers = headers
        self.status = status
        self.secrets: tuple[str, ...] = ()
        self.service = MESHAPI
        self.request_id = find_request_id(headers)
        self._decoder = decoder
        self._attaches = _is_answer(decoder.type)
        self._accumulator = accumulator
        self._from_answer = from_answer
        self._marker = marker
        self._answer = answer
        self._event_reader = events
        self._max_size = max_event_size
        self._events = RawSSEDecoder(max_event_size=max_event_size, flush_at_end=True, strays=True)
        self._failure: Optional[Failure] = None
        self._error: Optional[MeshAPIError] = None
        self._finished = False
        # A whole answer has come, so that the stream may end at any time.
        self._whole = False
        # What a chunk brings. Those of long streams have choices, and are looked at without a
        # call.
        self._results = results_of(decoder.type)
        self._has_choices = "choices" in self._results
        # The first bytes until an event has come: they show what came instead, where none does.
        self._start: Optional[bytearray] = bytearray()
        self._end_mark = MESHAPI.end_marker
        self._kind: Optional[BodyKind] = None
        self._reads_events = False
        self._ended = False
        # JSON that was passed over, though it stood where nothing else did.
        self._odd = b""
        # An event about an error, which did not end the stream: unless it is the last.
        self._told: Optional[dict[str, Any]] = None

    @property
    def complete(self) -> bool:
        """Whether the stream has brought everything: it ended, or could end now."""
        return self._finished or self._whole or self._accumulator.complete

    def partial(self) -> Any:
        """What has arrived, put together, as in the `.partial` of errors; None where nothing has.

        It is about the chunks that `next_event` has given out.
        """
        return self._accumulator.partial()

    def receive_data(self, data: Buffer) -> None:
        """Take the next piece of the body, cut anywhere; `b""` is its end.

        A buffer that is not `bytes` is copied, so it may be used again at once.
        """
        if self._finished or self._error is not None:
            return
        if self._start is None:
            self._events.receive_data(data)
        else:
            self._receive_start(self._start, data if type(data) is bytes else bytes(data))

    def _receive_start(self, start: bytearray, data: bytes) -> None:
        self._ended = self._ended or not data
        if self._kind is None:
            # All of it goes on: it is little until it is clear what it is.
            data = bytes(start) + data
            self._start = start = bytearray()
            self._recognize(data)
            if self._reads_events and data and self._ended:
                self._events.receive_data(data)
                data = b""
        start += data[: KEPT_BYTES - len(start)]
        if self._reads_events:
            self._events.receive_data(data)

    def _recognize(self, start: bytes) -> None:
        self._kind = sniff(start, ended=self._ended)
        if self.service is not MESHAPI:
            self._end_mark = self._events.strays.end_mark = self.service.end_marker
        says_so = self._kind == "text" and media_type(self.headers) == "text/event-stream"
        self._reads_events = says_so or self._kind in ("events", "json")

    def receive_cut(self) -> None:
        """Take note that the body ended where it may have been cut: its chunks tell."""
        self.receive_data(b"")

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
            while self._reads_events:
                event = self._events.next_event()
                if event is NEED_DATA:
                    return NEED_DATA if self._failure is None else self._end(self._failure)
                if event is END_OF_STREAM:
                    return self._end(None)
                name, data = event
                if self._start is None:
                    chunk = self._read(name, data)
                else:
                    chunk = self._read_first(name, data)
                    self._start = None
                if chunk is END_OF_STREAM:
                    self._raise_what_was_told()
                    self._refuse_what_said_something_else(self._events.strays.words or self._odd)
                    self._finished = True
                    return END_OF_STREAM
                if chunk is not None:
                    self._accumulator.add(chunk)
                    return chunk
            return self._wait_or_refuse()
        except MeshAPIError as exc:
            error = self._explained(exc)
            self._error = conceal(forget_frames(error), self.secrets)
            # The locals here and below hold the event, which the error may be about.
            event, data = NEED_DATA, b""
            if error is not exc:
                raise error from None
            # Not by itself: up to Python 3.10 that would bring the frames back.
            raise exc

    def _explained(self, exc: MeshAPIError) -> MeshAPIError:
        """Return an error with all that is known here."""
        if exc.error_code == "event_too_large" and self._kind == "json" and self._start is not None:
            exc = ResponseDecodeError(
                f"the answer is larger than {self._max_size} bytes", error_code="response_too_large"
            )
        exc.request_id = exc.request_id or self.request_id
        exc.headers = exc.headers or self.headers
        if isinstance(exc, ResponseDecodeError):
            exc.status = self.status
        if exc.partial is None:
            exc.partial = self._accumulator.partial()
        return exc

    def _read(self, name: bytes, data: bytes) -> Union[T, EndOfStream, None]:
        """Return the chunk in one event, END_OF_STREAM for [DONE], None for what is passed over."""
        # Nearly every chunk has no name, no error, and JSON of the right shape. `find`, as `in`
        # takes half as long again: it first fails to make a number of the bytes.
        if not name and self._event_reader is None and data.find(b'"error"') < 0:
            try:
                chunk: Any = self._decoder.decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
            else:
                if self._attaches:
                    # `attach` without a call, and without `isinstance`, which asks the metaclass.
                    chunk.__dict__[SENT] = data, self.request_id
                if self._has_choices and chunk.choices:
                    self._told = None
                else:
                    self._check(data, chunk)
                known: T = chunk
                return known
        if len(data) < _LONGEST_END and data.strip() == self._end_mark:
            return END_OF_STREAM
        if name == BARE:
            return self._read_bare(data)
        if self._event_reader is not None:
            return self._read_named(self._event_reader, _name_of(name), data)
        if name.lower() in _ERROR_EVENTS:
            raise error_from_frame(_parse_loosely(data), self.headers)
        is_plain = name in (b"", b"message")
        if is_plain or b'"error"' in data:
            self._check(data)
        if not is_plain and not (self._marker and self._marker in data):
            return None
        return self._decode(data)

    def _read_first(self, name: bytes, data: bytes) -> Union[T, EndOfStream, None]:
        """Read the first event, which may be the whole answer of a gateway that can't stream."""
        if not name and self._from_answer is not None and b'"message"' in data:
            frame = _parse_loosely(data)
            if _has_messages(frame) and self._answered(frame, data) is None:
                self._whole = True
                return attach(self._from_answer(data), data, self.request_id)
        return self._read(name, data)

    def _check(self, data: bytes, chunk: Any = None) -> None:
        """Raise the error that a frame is.

        Broken JSON is reported where all of it is: in `_decode`.
        """
        self._told = None
        # A status is none: it may be that of a failure.
        if any(name != "status" and getattr(chunk, name, None) for name in self._results):
            return
        try:
            frame = parse(data)
        except ResponseDecodeError:
            return
        if is_error_frame(frame, self._results):
            raise self._error_in(frame, data)
        if is_object(frame) and may_be_error(frame, self._results):
            self._told = frame

    def _error_in(self, frame: Any, data: bytes) -> APIStatusError:
        if is_object(frame) and is_array(frame.get("choices")):
            # What came with the error belongs to the answer so far.
            try:
                self._accumulator.add(decode(data, self._decoder))
            except ResponseDecodeError:
                pass
        return error_from_frame(frame, self.headers)

    def _read_named(self, reader: EventReader[T], name: str, data: bytes) -> Optional[T]:
        try:
            frame: Any = parse_piece(data) if data.strip() else None
        except ResponseDecodeError as exc:
            if name == "error":
                raise error_from_frame(_parse_loosely(data), self.headers) from None
            if self._events.unfinished:
                return None
            raise _not_json(data, exc) from exc
        if not is_object(frame):
            if name == "error" or is_error_frame(frame):
                raise error_from_frame(frame, self.headers)
            self._pass_over(frame, data)
            return None
        if self._is_suspect(name, frame) and reader.is_error(name, frame):
            raise error_from_frame(frame, self.headers)
        chunk = reader.read(name, frame)
        if chunk is not None:
            is_told = frame.get("type") == "error" or may_be_error(frame, self._results)
            self._told = frame if is_told else None
            attach(chunk, data, self.request_id)
        return chunk

    def _is_suspect(self, name: str, frame: dict[str, Any]) -> bool:
        if name == "error" or frame.get("type") == "error" or frame.get("object") == "error":
            return True
        # Of what has a name or a type of its own only a plain error is one.
        speaks = name in ("", "message") and not isinstance(frame.get("type"), str)
        error = frame.get("error")
        return not (error is None or is_blank(error)) or (
            speaks and is_error_frame(frame, self._results)
        )

    def _read_bare(self, data: bytes) -> Optional[T]:
        """Return the chunk in JSON that stands by itself: a whole answer, or a line of its own."""
        frame = parse(data)
        began = self._start is None
        piece = is_piece(frame, self._marker)
        if self._event_reader is not None and (piece or began):
            name = frame.get("event") if is_object(frame) else ""
            return self._read_named(self._event_reader, name if isinstance(name, str) else "", data)
        if piece or began:
            self._check(data)
            if piece or (is_object(frame) and self._marker and self._marker in data):
                return self._decode(data)
        else:
            error = self._answered(frame, data)
            if error is not None:
                raise error
            if is_object(frame) and self._from_answer is not None and self._marker in data:
                self._whole = True
                return attach(self._from_answer(data), data, self.request_id)
        self._odd = data[:KEPT_BYTES]
        return None

    def _answered(self, frame: Any, data: bytes) -> Optional[APIStatusError]:
        kind = self._answer or self._decoder.type
        error = answered_error(
            frame, self.headers, self.status, results=results_of(kind), declared=members_of(kind)
        )
        if error is not None and self._from_answer is not None and self._marker in data:
            self._accumulator.add(self._from_answer(data))
        return error

    def _decode(self, data: bytes) -> Optional[T]:
        try:
            chunk = self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                # Servers send blank data, too, to keep a connection alive.
                frame: Any = parse(data) if data.strip() else None
                if not is_object(frame):
                    self._pass_over(frame, data)
                    return None
            except ResponseDecodeError as exc:
                if self._events.unfinished:
                    # Cut off in the middle, not badly written: the end, which is next, tells
                    # whether anything is missing.
                    return None
                raise _not_json(data, exc) from exc
            chunk = decode(data, self._decoder)
        attach(chunk, data, self.request_id)
        return chunk

    def _pass_over(self, frame: Any, data: bytes) -> None:
        if isinstance(frame, str) and " " in frame.strip():
            # A sentence, as opposed to the word of a ping.
            self._odd = data[:KEPT_BYTES]

    def _wait_or_refuse(self) -> Union[NeedData, EndOfStream]:
        """Refuse what is no stream, when enough of it is there to be shown."""
        start = bytes(self._start or b"")
        over = self._ended or self._failure is not None
        if self._kind == "page":
            shown = start[:_MOST_OF_A_PAGE]
            title = shown.lower().find(_END_OF_TITLE)
            over = over or title >= 0 or len(shown) == _MOST_OF_A_PAGE
            if title >= 0:
                shown = shown[: title + len(_END_OF_TITLE)]
        elif self._kind is None:
            return NEED_DATA if self._failure is None else self._end(self._failure)
        else:
            shown = start[:_MOST_OF_A_TEXT]
            over = over or len(shown) == _MOST_OF_A_TEXT
        if not over:
            return NEED_DATA
        error = unexpected(_STREAM, self.headers, self.status, shown, whole=False)
        error.raw_body = start
        raise error

    def _end(self, failure: Optional[Failure]) -> EndOfStream:
        if self.complete and (failure is None or not failure.interrupted):
            self._finished = True
            return END_OF_STREAM
        self._raise_what_was_told()
        if failure is None:
            self._refuse_what_never_was_a_stream()
            mark = "" if self._end_mark is None else f"{self._end_mark.decode()} or "
            raise self._interrupted(f"the body ended before {mark}a finish reason")
        if isinstance(failure.error, APITimeoutError) or failure.stage == "closed":
            raise failure.error
        raise self._interrupted(failure.error.message) from failure.error

    def _raise_what_was_told(self) -> None:
        if self._told is not None and not self._accumulator.complete:
            raise error_from_frame(self._told, self.headers)

    def _refuse_what_never_was_a_stream(self) -> None:
        # Nothing, an event that is cut off, and nothing but comments are streams that end early.
        body = self._odd
        if self._start is not None and sniff(bytes(self._start)) in ("json", "text"):
            body = bytes(self._start)
        self._refuse_what_said_something_else(body)

    def _refuse_what_said_something_else(self, body: bytes) -> None:
        if body.strip() and self._accumulator.partial() is None:
            raise unexpected(_STREAM, self.headers, self.status, body, whole=False)

    def _interrupted(self, reason: str) -> StreamInterruptedError:
        said = readable((self._events.strays.words or self._odd).decode("utf-8", "replace"))
        after = f"; the last that the server said: {said[-_MOST_OF_LAST_WORDS:]!r}" if said else ""
        return StreamInterruptedError(f"stream interrupted: {reason}{after}", partial=None)


_STREAM = "an event stream"


def is_piece(frame: Any, marker: bytes) -> bool:
    """Return whether a JSON object is a part of a stream, as opposed to a whole answer.

    Args:
        frame: the decoded JSON.
        marker: the member that whole answers have (see `ChunkReader`).
    """
    if not is_object(frame):
        return False
    choices = frame.get("choices")
    rows: list[Any] = choices if is_array(choices) else []
    return (
        str(frame.get("object")).endswith("chunk")
        or isinstance(frame.get("event"), str)
        or any(is_object(row) and "delta" in row for row in rows)
        or (isinstance(frame.get("type"), str) and marker.strip(b'"').decode() not in frame)
    )


def _name_of(event: bytes) -> str:
    return "error" if event.lower() in _ERROR_EVENTS else event.decode("utf-8", "replace")


def _has_messages(frame: Any) -> bool:
    """Return whether the choices of a chat are whole messages."""
    choices = frame.get("choices") if is_object(frame) else None
    rows: list[Any] = choices if is_array(choices) else []
    return any(is_object(row) and is_object(row.get("message")) for row in rows) and not any(
        is_object(row) and "delta" in row for row in rows
    )


def _not_json(data: bytes, exc: ResponseDecodeError) -> ResponseDecodeError:
    said = data[:_MOST_OF_A_TEXT].decode("utf-8", "replace").strip()
    reason = f" ({exc.message})" if said[:1] in ("{", "[") else ""
    return ResponseDecodeError(
        f"an event of the stream is not JSON: {said[:200]!r}{reason}",
        error_code="parse_error",
        raw_body=data[:KEPT_BYTES],
    )


def _is_answer(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Answer)


def _parse_loosely(data: bytes) -> Any:
    try:
        return parse(data)
    except ResponseDecodeError:
        return data.decode("utf-8", "replace")
