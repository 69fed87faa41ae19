"""Turns the body of a streamed response into typed chunks. No I/O.

Theory of operation. `receive_data` takes the body in any pieces, `next_event` returns its chunks
until it needs more::

    OPENING ──first bytes──▶ STREAM ──first event──▶ FLOWING ──[DONE], or all is there──▶ ENDED
       │                        │                       │
       └──first bytes──▶ OTHER  │                       │
                           └────┴──────an error─────────┴──────────────────────────────▶ FAILED

- `first_bytes` recognizes the kind of body by its first bytes; `interpreter` decides what each
  event means.
- `data: [DONE]`, or the end mark of the `Service`, ends the stream. What follows it is ignored.
- At the end of the body an event without its blank line is read all the same. The standard would
  discard it, but then servers that forget the last blank line would lose a chunk.
- If neither `[DONE]` nor the last finish reason has arrived by the end of the body, the stream was
  cut off: `StreamInterruptedError`, with what arrived in `.partial`, and the last text from the
  server that was not an event. A connection that breaks is treated the same way.
- A body without an event that does not begin like an event stream is an error, with an excerpt.
- The end and the error are final: every later call returns or raises the same.

Source: https://developers.meshapi.ai/docs (streaming; errors),
    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, Generic, Optional, TypeVar, Union

import msgspec
from typing_extensions import Buffer

from meshapi_core._raw_data import SENT
from meshapi_core.accumulators import Accumulator
from meshapi_core.chunks.first_bytes import FirstBytes, no_stream
from meshapi_core.chunks.interpreter import NOT_DECODED, EventInterpreter, EventReader
from meshapi_core.chunks.template import ChunkTemplate
from meshapi_core.envelopes import error_from_frame
from meshapi_core.errors import (
    APITimeoutError,
    MeshAPIError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.messages import Failure
from meshapi_core.redaction import conceal, forget_frames
from meshapi_core.response_meta import ResponseMeta
from meshapi_core.service import MESHAPI
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData
from meshapi_core.sniffing import readable
from meshapi_core.sse import MAX_EVENT_SIZE, RawSSEDecoder
from meshapi_core.types._base import attach_meta

__all__ = ["TRANSITIONS", "ChunkDecoder", "DecoderInput", "DecoderState"]

T = TypeVar("T")

_MAX_LAST_TEXT = 300


class DecoderState(Enum):
    """The states of a stream."""

    OPENING = "the first bytes do not tell yet what it is"
    STREAM = "an event stream, of which no event has come"
    FLOWING = "an event has come"
    OTHER = "not an event stream; collected until there is enough for an excerpt"
    ENDED = "all chunks have been returned"
    FAILED = "every call raises the error"

    # By identity, in C: `Enum.__hash__` is a Python function.
    __hash__ = object.__hash__


class DecoderInput(Enum):
    """What can happen to a stream: it gets input, or is asked for an event."""

    DATA = "a piece of the body"
    END = "the end of the body"
    FAILURE = "the body broke off"
    ASK = "next_event"

    __hash__ = object.__hash__


# (state, input) -> the states it may lead to. Every pair is allowed; only more data after the end
# of the body is misuse. `[DONE]` as the first event goes through FLOWING to ENDED. A stream goes to
# ENDED without any event if its accumulator is complete from the start.
TRANSITIONS: dict[tuple[DecoderState, DecoderInput], frozenset[DecoderState]] = {
    (DecoderState.OPENING, DecoderInput.DATA): frozenset(
        {DecoderState.OPENING, DecoderState.STREAM, DecoderState.OTHER}
    ),
    (DecoderState.OPENING, DecoderInput.END): frozenset({DecoderState.STREAM, DecoderState.OTHER}),
    (DecoderState.OPENING, DecoderInput.FAILURE): frozenset({DecoderState.OPENING}),
    (DecoderState.OPENING, DecoderInput.ASK): frozenset(
        {DecoderState.OPENING, DecoderState.ENDED, DecoderState.FAILED}
    ),
    (DecoderState.STREAM, DecoderInput.DATA): frozenset({DecoderState.STREAM}),
    (DecoderState.STREAM, DecoderInput.END): frozenset({DecoderState.STREAM}),
    (DecoderState.STREAM, DecoderInput.FAILURE): frozenset({DecoderState.STREAM}),
    (DecoderState.STREAM, DecoderInput.ASK): frozenset(
        {DecoderState.STREAM, DecoderState.FLOWING, DecoderState.ENDED, DecoderState.FAILED}
    ),
    (DecoderState.FLOWING, DecoderInput.DATA): frozenset({DecoderState.FLOWING}),
    (DecoderState.FLOWING, DecoderInput.END): frozenset({DecoderState.FLOWING}),
    (DecoderState.FLOWING, DecoderInput.FAILURE): frozenset({DecoderState.FLOWING}),
    (DecoderState.FLOWING, DecoderInput.ASK): frozenset(
        {DecoderState.FLOWING, DecoderState.ENDED, DecoderState.FAILED}
    ),
    (DecoderState.OTHER, DecoderInput.DATA): frozenset({DecoderState.OTHER}),
    (DecoderState.OTHER, DecoderInput.END): frozenset({DecoderState.OTHER}),
    (DecoderState.OTHER, DecoderInput.FAILURE): frozenset({DecoderState.OTHER}),
    (DecoderState.OTHER, DecoderInput.ASK): frozenset({DecoderState.OTHER, DecoderState.FAILED}),
    **{(DecoderState.ENDED, what): frozenset({DecoderState.ENDED}) for what in DecoderInput},
    **{(DecoderState.FAILED, what): frozenset({DecoderState.FAILED}) for what in DecoderInput},
}

# Used for each chunk. Up to Python 3.11, looking a member up on its Enum takes ten times as long.
_STREAM = DecoderState.STREAM
_FLOWING = DecoderState.FLOWING
_ENDED = DecoderState.ENDED


class ChunkDecoder(Generic[T]):
    """Turns body bytes into chunks: call `receive_data`, then `next_event` until it needs data.

    Args:
        decoder: decodes the data of one event.
        accumulator: gets every chunk; knows when the stream is complete.
        headers: those of the response; the content type and the request ID are used.
        status, meta: those of the response; by default, all that is known of it is its head.
        from_response: turns a whole JSON response into one chunk.
        marker: bytes that every chunk contains (see `ChunkReader`).
        response: the type of a whole response.
        events: reads the events instead of `decoder`.
        max_event_size: the most bytes of one event, or of a whole JSON response.

    Attributes:
        state: the current state; `TRANSITIONS` lists what may follow it.
        headers, status, request_id, secrets, service: see `BodyDecoder`.
    """

    def __init__(
        self,
        decoder: "msgspec.json.Decoder[T]",
        accumulator: Accumulator[T],
        *,
        headers: Headers,
        status: int = 200,
        meta: Optional[ResponseMeta] = None,
        from_response: Optional[Callable[[bytes], T]] = None,
        marker: bytes = b"",
        response: Optional[type] = None,
        events: Optional[EventReader[T]] = None,
        max_event_size: int = MAX_EVENT_SIZE,
    ) -> None:
        self.state = DecoderState.OPENING
        self.headers, self.status = headers, status
        self.secrets: tuple[str, ...] = ()
        self.service = MESHAPI
        self.request_id = find_request_id(headers)
        self._meta = meta or ResponseMeta(status, headers)
        self._max_size = max_event_size
        self._accumulator = accumulator
        # None once an event has come.
        self._first_bytes: Optional[FirstBytes] = FirstBytes(headers, status)
        self._events = RawSSEDecoder(
            max_event_size=max_event_size, flush_at_end=True, bare_lines=True
        )
        self._interpreter = EventInterpreter(
            self._events,
            decoder,
            accumulator,
            meta=self._meta,
            from_response=from_response,
            marker=marker,
            response=response,
            events=events,
        )
        self._decode: Callable[[bytes], Any] = decoder.decode
        self._template = ChunkTemplate[T](getattr(accumulator, "growing_text", _no_text))
        self._plain: list[bytes] = []  # that of `_events`, while chunks with choices flow
        self._failure: Optional[Failure] = None
        self._error: Optional[MeshAPIError] = None

    @property
    def complete(self) -> bool:
        """Whether everything has come: the stream ended, or could end now."""
        whole = self.state is DecoderState.ENDED or self._interpreter.whole
        return whole or self._accumulator.complete

    def partial(self) -> Any:
        """Return the response so far, made from the returned chunks; None before the first one."""
        return attach_meta(self._accumulator.partial(), self._meta)

    def receive_data(self, data: Buffer) -> None:
        """Take the next piece of the body, cut anywhere; `b""` is its end.

        A buffer that is not `bytes` is copied, so it may be reused at once.

        Raises:
            RuntimeError: the body has ended already.
        """
        if self.state is _FLOWING:
            self._events.receive_data(data)
        elif self._first_bytes is not None and self.state not in (
            DecoderState.ENDED,
            DecoderState.FAILED,
        ):
            self._receive_first(self._first_bytes, data if type(data) is bytes else bytes(data))

    def _receive_first(self, first_bytes: FirstBytes, data: bytes) -> None:
        pieces = first_bytes.receive(data)
        if self.state is DecoderState.OPENING:
            if self.service is not MESHAPI:
                self._events.bare_lines.end_mark = self.service.end_marker
            if first_bytes.kind is not None:
                state = DecoderState.STREAM if first_bytes.has_events else DecoderState.OTHER
                self._move(DecoderInput.DATA if data else DecoderInput.END, state)
        for piece in pieces:
            self._events.receive_data(piece)

    def receive_cut(self) -> None:
        """Record that the body ended with its connection, and may be cut (RFC 9112, section 8)."""
        self.receive_data(b"")

    def receive_failure(self, failure: Failure) -> None:
        """Record that the body broke off; `next_event` returns or raises what follows from that."""
        self._failure = failure

    def next_event(self) -> Union[T, NeedData, EndOfStream]:
        """Return the next chunk; NEED_DATA if more bytes are needed; END_OF_STREAM after the last.

        Raises:
            APIStatusError: an error in the stream; its error code decides the class, `status` is 0.
            ResponseDecodeError: an event is not JSON or is too large, or the response is not an
                event stream.
            StreamInterruptedError: the body ended, or the connection broke, too early.
            APITimeoutError: a time limit ran out.
            Each has the response so far in `.partial`, and every later call raises it again.
        """
        # The fast path, for nearly every chunk: what `EventInterpreter.read` does, in fewer calls.
        plain = self._plain
        if plain:
            data = plain.pop()
            try:
                known: Any = self._decode(data)
            except NOT_DECODED:
                pass
            else:
                # `find` is faster than `in`, which first tries to make a number of the bytes.
                matches_template = self._template.takes(data)
                if matches_template or (known.choices and data.find(b'"error"') < 0):
                    known.__dict__[SENT] = data, self._meta
                    if not matches_template:
                        self._interpreter.skipped.error = None
                        self._accumulator.add(known)
                        self._template.learn(data, known)
                    chunk: T = known
                    return chunk
            # Anything else goes back, and the general path below takes it from there.
            plain.append(data)
        if self._error is not None:
            raise self._error
        state = self.state
        if state is _ENDED:
            return END_OF_STREAM
        try:
            while state is _FLOWING or state is _STREAM:
                event = self._events.next_event()
                if event is NEED_DATA:
                    return NEED_DATA if self._failure is None else self._end(self._failure)
                if event is END_OF_STREAM:
                    return self._end(None)
                name, data = event
                # The first event may be a whole response, which is no template for chunks.
                learns = state is _FLOWING and self._interpreter.has_choices
                if state is _FLOWING:
                    item = self._interpreter.read(name, data)
                else:
                    item = self._interpreter.read_first(name, data)
                    self._first_bytes = None
                    state = _FLOWING
                    self._move(DecoderInput.ASK, state)
                if item is END_OF_STREAM:
                    self._raise_skipped_error()
                    self._refuse_other_body(self._last_text())
                    self._move(DecoderInput.ASK, DecoderState.ENDED)
                    return END_OF_STREAM
                if item is not None:
                    # A chunk that had to be repaired has more in its dict than `SENT`.
                    if not (learns and len(vars(item)) == 1 and self._template.takes(data)):
                        self._accumulator.add(item)
                        if learns:
                            self._template.learn(data, item)
                    return item
                self._template.forget()
            return self._wait_or_refuse()
        except MeshAPIError as exc:
            error = self._explained(exc)
            self._error = conceal(forget_frames(error), self.secrets)
            self._move(DecoderInput.ASK, DecoderState.FAILED)
            # The traceback keeps this frame, and with its locals an event that may quote a secret.
            event, data, known = NEED_DATA, b"", None
            if error is not exc:
                raise error from None
            # Not a bare `raise`: up to Python 3.10 that would bring the dropped frames back.
            raise exc

    def _wait_or_refuse(self) -> Union[NeedData, EndOfStream]:
        if self._first_bytes is not None and self.state is DecoderState.OTHER:
            error = self._first_bytes.refusal(broken=self._failure is not None)
            if error is not None:
                raise error
        elif self._failure is not None:
            return self._end(self._failure)
        return NEED_DATA

    def _end(self, failure: Optional[Failure]) -> EndOfStream:
        """Return the end of the stream if it is complete; raise the reason if it is not."""
        if self.complete and (failure is None or not failure.interrupted):
            self._move(DecoderInput.ASK, DecoderState.ENDED)
            return END_OF_STREAM
        self._raise_skipped_error()
        if failure is None:
            # Nothing, comments alone, or a cut event is a stream that ended early; the rest is not.
            text = b"" if self._first_bytes is None else self._first_bytes.text()
            self._refuse_other_body(text or self._interpreter.skipped.text)
            end_mark = self._events.bare_lines.end_mark
            mark = "" if end_mark is None else f"{end_mark.decode()} or "
            raise self._interrupted(f"the body ended before {mark}a finish reason")
        if isinstance(failure.error, APITimeoutError) or failure.stage == "closed":
            raise failure.error
        raise self._interrupted(failure.error.message) from failure.error

    def _raise_skipped_error(self) -> None:
        error = self._interpreter.skipped.error
        if error is not None and not self._accumulator.complete:
            raise error_from_frame(error, self.headers)

    def _refuse_other_body(self, body: bytes) -> None:
        if body.strip() and self._accumulator.partial() is None:
            raise no_stream(body, self.headers, self.status)

    def _last_text(self) -> bytes:
        return self._events.bare_lines.text or self._interpreter.skipped.text

    def _interrupted(self, reason: str) -> StreamInterruptedError:
        said = readable(self._last_text().decode("utf-8", "replace"))
        after = f"; the last words of the server: {said[-_MAX_LAST_TEXT:]!r}" if said else ""
        return StreamInterruptedError(f"stream interrupted: {reason}{after}", partial=None)

    def _explained(self, exc: MeshAPIError) -> MeshAPIError:
        """Return an error with everything added that is known about the response."""
        is_response = self._first_bytes is not None and self._first_bytes.kind == "json"
        if exc.error_code == "event_too_large" and is_response:
            larger = f"the response is larger than {self._max_size} bytes"
            exc = ResponseDecodeError(larger, error_code="response_too_large")
        exc.request_id = exc.request_id or self.request_id
        exc.headers = exc.headers or self.headers
        exc.stream_status = self.status
        if isinstance(exc, ResponseDecodeError):
            exc.status = self.status
        if exc.partial is None:
            exc.partial = self.partial()
        return exc

    def _move(self, what: DecoderInput, state: DecoderState) -> None:
        assert state in TRANSITIONS[self.state, what]
        self.state = state
        if self._interpreter.has_choices:
            self._plain = self._events.plain if state is _FLOWING else []


def _no_text(chunk: object) -> None:
    """Stand in for the `growing_text` of accumulators without one: there is no such text."""
