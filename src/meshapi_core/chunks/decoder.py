"""The body of a streamed response, turned into typed chunks. No I/O.

Theory of operation. `receive_data` takes the body in any pieces, `next_event` gives its chunks
until it wants more::

    OPENING ──first bytes──▶ STREAM ──first event──▶ FLOWING ──[DONE], or all is there──▶ ENDED
       │                        │                       │
       └──first bytes──▶ OTHER  │                       │
                           └────┴──────an error─────────┴──────────────────────────────▶ FAILED

- What the body is, its first bytes say (`first_bytes`); what an event is, `interpreter` says.
- `data: [DONE]`, or what the `Service` has in its place, ends the stream; whatever follows it is
  not looked at.
- At the end of the body an event that lacks its blank line is read all the same. If neither
  `[DONE]` nor the last finish reason has been seen by then, the stream was cut off:
  `StreamInterruptedError`, with what arrived in `.partial`, and with what the server said last
  where that was no event. The same holds where the connection breaks.
- A body that brought no event and does not begin like one is refused, too, with an excerpt.
- The end and the error are final, and are given again to whoever asks again.

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
from meshapi_core.service import MESHAPI
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData
from meshapi_core.sniffing import readable
from meshapi_core.sse import MAX_EVENT_SIZE, RawSSEDecoder

__all__ = ["TRANSITIONS", "ChunkDecoder", "DecoderInput", "DecoderState"]

T = TypeVar("T")

_MAX_LAST_TEXT = 300


class DecoderState(Enum):
    """Where a stream stands."""

    OPENING = "its first bytes do not tell yet what it is"
    STREAM = "its events are read, and none has come"
    FLOWING = "an event has come"
    OTHER = "it is no stream, and is gathered until enough of it can be shown"
    ENDED = "all its chunks have been given out"
    FAILED = "its error is raised, as often as it is asked"

    # By identity: that of `Enum` is a function in Python.
    __hash__ = object.__hash__


class DecoderInput(Enum):
    """What can happen to a stream: it is told something, or asked."""

    DATA = "a piece of the body"
    END = "the end of the body"
    FAILURE = "the body will not go on"
    ASK = "next_event"

    __hash__ = object.__hash__


# (state, input) -> the states it may lead to. Nothing is a mistake, but for more of a body that has
# ended. `[DONE]` as the first event leads through FLOWING; a stream that could end before it began
# is one of an accumulator that needs nothing.
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

# Looked up for each chunk. By the name of its class, a member takes ten times as long up to 3.11.
_STREAM = DecoderState.STREAM
_FLOWING = DecoderState.FLOWING
_ENDED = DecoderState.ENDED


class ChunkDecoder(Generic[T]):
    """Typed chunks out of body bytes: `receive_data`, then `next_event` until it wants more.

    Args:
        decoder: reads one event's data.
        accumulator: is told every chunk; knows when the stream is complete.
        headers: of the response; its content type and request id are used.
        status: of the response, for error messages.
        from_response: turns a whole JSON response into one chunk.
        marker: bytes that every chunk holds (see `ChunkReader`).
        response: the type of a whole response.
        events: reads the events instead of `decoder`.
        max_event_size: bytes of one event, or of a whole JSON response, that are accepted.

    Attributes:
        state: where the stream stands; `TRANSITIONS` has what comes next.
        headers, status, request_id, secrets, service: as `BodyDecoder` says.
    """

    def __init__(
        self,
        decoder: "msgspec.json.Decoder[T]",
        accumulator: Accumulator[T],
        *,
        headers: Headers,
        status: int = 200,
        from_response: Optional[Callable[[bytes], T]] = None,
        marker: bytes = b"",
        response: Optional[type] = None,
        events: Optional[EventReader[T]] = None,
        max_event_size: int = MAX_EVENT_SIZE,
    ) -> None:
        self.state = DecoderState.OPENING
        self.headers = headers
        self.status = status
        self.secrets: tuple[str, ...] = ()
        self.service = MESHAPI
        self.request_id = find_request_id(headers)
        self._max_size = max_event_size
        self._accumulator = accumulator
        # Until an event has come.
        self._first_bytes: Optional[FirstBytes] = FirstBytes(headers, status)
        self._events = RawSSEDecoder(
            max_event_size=max_event_size, flush_at_end=True, bare_lines=True
        )
        self._interpreter = EventInterpreter(
            self._events,
            decoder,
            accumulator,
            headers=headers,
            status=status,
            from_response=from_response,
            marker=marker,
            response=response,
            events=events,
        )
        self._decode: Callable[[bytes], Any] = decoder.decode
        self._template = ChunkTemplate[T](getattr(accumulator, "growing_text", _no_text))
        self._plain: list[bytes] = []  # of `_events`, while chunks with choices flow
        self._failure: Optional[Failure] = None
        self._error: Optional[MeshAPIError] = None

    @property
    def complete(self) -> bool:
        """Whether the stream has brought everything: it ended, or could end now."""
        whole = self.state is DecoderState.ENDED or self._interpreter.whole
        return whole or self._accumulator.complete

    def partial(self) -> Any:
        """What the chunks make together that `next_event` has given out; None where it has none."""
        return self._accumulator.partial()

    def receive_data(self, data: Buffer) -> None:
        """Take the next piece of the body, cut anywhere; `b""` is its end.

        A buffer that is not `bytes` is copied, so it may be used again at once.

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
        """Take note that the body ended where it may have been cut: its chunks tell."""
        self.receive_data(b"")

    def receive_failure(self, failure: Failure) -> None:
        """Take note that the body will not go on; `next_event` tells what that means."""
        self._failure = failure

    def next_event(self) -> Union[T, NeedData, EndOfStream]:
        """The next chunk; NEED_DATA where more bytes are needed; END_OF_STREAM after the last.

        Raises:
            APIStatusError: an error frame; its class by the error's code, `status` 0.
            ResponseDecodeError: an event that is no JSON, a response that is no event stream, or
                an event over the size limit.
            StreamInterruptedError: the body ended, or the connection broke, too early.
            APITimeoutError: a time limit passed; `.partial` as above.
            After any of these the decoder raises the same error for ever.
        """
        # Nearly every chunk: what `EventInterpreter.read` does, with few calls.
        plain = self._plain
        if plain:
            data = plain.pop()
            try:
                known: Any = self._decode(data)
            except NOT_DECODED:
                pass
            else:
                # `find`, as `in` first fails to make a number of the bytes.
                matches_template = self._template.takes(data)
                if matches_template or (known.choices and data.find(b'"error"') < 0):
                    known.__dict__[SENT] = data, self.request_id
                    if not matches_template:
                        self._interpreter.skipped.error = None
                        self._accumulator.add(known)
                        self._template.learn(data, known)
                    chunk: T = known
                    return chunk
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
                # The first may be a whole response, like which no chunk is.
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
                    # One that had to be repaired keeps more than what was sent.
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
            # The locals here and below hold the event, which the error may be about.
            event, data, known = NEED_DATA, b"", None
            if error is not exc:
                raise error from None
            # Not by itself: up to Python 3.10 that would bring the frames back.
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
        """Say what it means that no more comes, and why if not in good order."""
        if self.complete and (failure is None or not failure.interrupted):
            self._move(DecoderInput.ASK, DecoderState.ENDED)
            return END_OF_STREAM
        self._raise_skipped_error()
        if failure is None:
            # Nothing, an event that is cut off, and comments alone are streams that end early.
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
        """Return an error with all that is known here."""
        is_response = self._first_bytes is not None and self._first_bytes.kind == "json"
        if exc.error_code == "event_too_large" and is_response:
            exc = ResponseDecodeError(
                f"the response is larger than {self._max_size} bytes",
                error_code="response_too_large",
            )
        exc.request_id = exc.request_id or self.request_id
        exc.headers = exc.headers or self.headers
        if isinstance(exc, ResponseDecodeError):
            exc.status = self.status
        if exc.partial is None:
            exc.partial = self._accumulator.partial()
        return exc

    def _move(self, what: DecoderInput, state: DecoderState) -> None:
        assert state in TRANSITIONS[self.state, what]
        self.state = state
        if self._interpreter.has_choices:
            self._plain = self._events.plain if state is _FLOWING else []


def _no_text(chunk: object) -> None:
    """None: chunks of an accumulator without `growing_text` are no text."""
