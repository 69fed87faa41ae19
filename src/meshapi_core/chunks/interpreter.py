"""Decides what one event of a stream means: a chunk, an error, the end of the stream, or nothing.

- An event that reports an error (`envelopes.is_error_frame`), or has the name `error`, raises the
  typed error; so does a choice that ended in one.
- Data that is not JSON raises an error with the code `parse_error`. JSON that is not an object, and
  events with other names, are skipped: servers use them to keep a connection alive.
- JSON without a field is an error, a whole response, or a chunk on a separate line.
- Skipped events, and errors that did not end the stream, are kept: if chunks are missing at the
  end, they explain why.
"""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar, Union

import msgspec
from typing_extensions import Protocol

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core._raw_data import SENT
from meshapi_core.accumulators import Accumulator
from meshapi_core.codec.decoding import decode
from meshapi_core.codec.parsing import parse, parse_piece
from meshapi_core.envelopes import (
    error_from_frame,
    error_in_response,
    is_blank,
    is_error_frame,
    may_be_error,
    members_of,
    results_of,
)
from meshapi_core.errors import APIStatusError, ResponseDecodeError
from meshapi_core.response_meta import ResponseMeta
from meshapi_core.service import MAX_MARKER
from meshapi_core.signals import END_OF_STREAM, EndOfStream
from meshapi_core.sniffing import KEPT_BYTES
from meshapi_core.sse import BARE, RawSSEDecoder
from meshapi_core.types._base import ResponseModel, attach

__all__ = ["NOT_DECODED", "SkippedEvents", "EventInterpreter", "EventReader", "is_piece"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

NOT_DECODED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for data that is not JSON, or not JSON of the expected type."""

# How many bytes of an event that is not JSON are examined; the message shows some of them.
_MOST_OF_A_TEXT = 512
# Only events shorter than this may be the end mark of a stream.
_LONGEST_END = MAX_MARKER + 10

# Names of events that report an error, in lower case.
_ERROR_EVENTS = frozenset((b"error", b"exception", b"failure"))


class EventReader(Protocol[T_co]):
    """Reads the events of streams in which event names matter, or chunks have several types."""

    def is_error(self, name: str, frame: dict[str, Any]) -> bool:
        """Return whether this event ends the stream with the error in it.

        Called for events that are named `error`, or whose data looks like an error.
        """
        ...

    def read(self, name: str, frame: dict[str, Any]) -> Optional[T_co]:
        """Return the chunk in one event; None for an event to skip.

        Args:
            name: the name of the event; "" if it has none.
            frame: the data of the event, a JSON object.
        """
        ...


class SkippedEvents:
    """What the server sent besides the chunks.

    Attributes:
        text: the last JSON or sentence that was skipped.
        error: the last event if it was about an error that did not end the stream. If nothing
            follows it, it did.
    """

    __slots__ = ("error", "text")

    def __init__(self) -> None:
        self.text = b""
        self.error: Optional[dict[str, Any]] = None


class EventInterpreter(Generic[T]):
    """Reads the events of one stream.

    Args:
        source: where the events come from; knows the end mark of the stream, and whether an event
            was cut off.
        decoder, accumulator, from_response, marker, response, events: as for `ChunkDecoder`.
        meta: what is known about the response.

    Attributes:
        skipped: what the server sent besides the chunks.
        whole: whether a whole response has come, so that the stream may end at any time.
        has_choices: whether chunks have choices, and keep what was sent. One with a choice is then
            certainly a chunk, and needs no further check.
    """

    def __init__(
        self,
        source: RawSSEDecoder,
        decoder: "msgspec.json.Decoder[T]",
        accumulator: Accumulator[T],
        *,
        meta: ResponseMeta,
        from_response: Optional[Callable[[bytes], T]],
        marker: bytes,
        response: Optional[type],
        events: Optional[EventReader[T]],
    ) -> None:
        self.skipped = SkippedEvents()
        self.whole = False
        self._source = source
        self._decoder = decoder
        self._attaches = _is_response(decoder.type)
        self._accumulator = accumulator
        self._headers = meta.headers
        self._status = meta.status
        self._meta = meta
        self._from_response = from_response
        self._marker = marker
        self._response = response
        self._events = events
        self._results = results_of(decoder.type)
        self.has_choices = events is None and self._attaches and "choices" in self._results

    def read(self, name: bytes, data: bytes, *, began: bool = True) -> Union[T, EndOfStream, None]:
        """Return the chunk in one event; END_OF_STREAM for the end mark; None for an event to skip.

        Args:
            name, data: the event as received.
            began: whether there was an event before; if not, JSON may be a whole response.

        Raises:
            APIStatusError: the event is an error.
            ResponseDecodeError: the event is not JSON, or can't be read.
        """
        # The fast path: most chunks have no name and no error, and have the right shape.
        if not name and self._events is None and data.find(b'"error"') < 0:
            try:
                chunk: Any = self._decoder.decode(data)
            except NOT_DECODED:
                pass
            else:
                if self._attaches:
                    # `attach` without the call, and without `isinstance`, which is slow here as it
                    # asks the metaclass.
                    chunk.__dict__[SENT] = data, self._meta
                if self.has_choices and chunk.choices:
                    self.skipped.error = None
                else:
                    self._check(data, chunk)
                known: T = chunk
                return known
        if len(data) < _LONGEST_END and data.strip() == self._source.bare_lines.end_mark:
            return END_OF_STREAM
        if name == BARE:
            return self._read_bare(data, began=began)
        if self._events is not None:
            return self._read_named(self._events, _name_of(name), data)
        if name.lower() in _ERROR_EVENTS:
            raise error_from_frame(_parse_loosely(data), self._headers)
        is_plain = name in (b"", b"message")
        if is_plain or b'"error"' in data:
            self._check(data)
        if not is_plain and not (self._marker and self._marker in data):
            return None
        return self._decode(data)

    def read_first(self, name: bytes, data: bytes) -> Union[T, EndOfStream, None]:
        """Read the first event, which may be the whole response of a gateway without streaming."""
        if not name and self._from_response is not None and b'"message"' in data:
            frame = _parse_loosely(data)
            if _has_messages(frame) and self._response_error(frame, data) is None:
                self.whole = True
                return attach(self._from_response(data), data, self._meta)
        return self.read(name, data, began=False)

    def _check(self, data: bytes, chunk: Any = None) -> None:
        """Raise if an event is an error; remember it if it may be one.

        Broken JSON is left to `_decode`, which reports it.
        """
        self.skipped.error = None
        # A chunk with any result is not an error. A status is no result: it may be "failed".
        if any(name != "status" and getattr(chunk, name, None) for name in self._results):
            return
        try:
            frame = parse(data)
        except ResponseDecodeError:
            return
        if is_error_frame(frame, self._results):
            raise self._error_in(frame, data)
        if is_object(frame) and may_be_error(frame, self._results):
            self.skipped.error = frame

    def _error_in(self, frame: Any, data: bytes) -> APIStatusError:
        if is_object(frame) and is_array(frame.get("choices")):
            # Choices that came with the error belong to the response so far.
            try:
                self._accumulator.add(decode(data, self._decoder))
            except ResponseDecodeError:
                pass
        return error_from_frame(frame, self._headers)

    def _read_named(self, reader: EventReader[T], name: str, data: bytes) -> Optional[T]:
        try:
            frame: Any = parse_piece(data) if data.strip() else None
        except ResponseDecodeError as exc:
            if name == "error":
                raise error_from_frame(_parse_loosely(data), self._headers) from None
            if self._source.unfinished:
                return None
            raise _not_json(data, exc) from exc
        if not is_object(frame):
            if name == "error" or is_error_frame(frame):
                raise error_from_frame(frame, self._headers)
            self._pass_over(frame, data)
            return None
        if self._is_suspect(name, frame) and reader.is_error(name, frame):
            raise error_from_frame(frame, self._headers)
        chunk = reader.read(name, frame)
        if chunk is not None:
            is_error = frame.get("type") == "error" or may_be_error(frame, self._results)
            self.skipped.error = frame if is_error else None
            attach(chunk, data, self._meta)
        return chunk

    def _is_suspect(self, name: str, frame: dict[str, Any]) -> bool:
        if name == "error" or frame.get("type") == "error" or frame.get("object") == "error":
            return True
        # An event with its own name or type is only suspect if it has an error member.
        speaks = name in ("", "message") and not isinstance(frame.get("type"), str)
        error = frame.get("error")
        return not (error is None or is_blank(error)) or (
            speaks and is_error_frame(frame, self._results)
        )

    def _read_bare(self, data: bytes, *, began: bool) -> Optional[T]:
        """Return the chunk in JSON without a field: a whole response, or a line by itself."""
        frame = parse(data)
        piece = is_piece(frame, self._marker)
        if self._events is not None and (piece or began):
            name = frame.get("event") if is_object(frame) else ""
            return self._read_named(self._events, name if isinstance(name, str) else "", data)
        if piece or began:
            self._check(data)
            if piece or (is_object(frame) and self._marker and self._marker in data):
                return self._decode(data)
        else:
            error = self._response_error(frame, data)
            if error is not None:
                raise error
            if is_object(frame) and self._from_response is not None and self._marker in data:
                self.whole = True
                return attach(self._from_response(data), data, self._meta)
        self.skipped.text = data[:KEPT_BYTES]
        return None

    def _response_error(self, frame: Any, data: bytes) -> Optional[APIStatusError]:
        kind = self._response or self._decoder.type
        error = error_in_response(
            frame, self._headers, self._status, results=results_of(kind), declared=members_of(kind)
        )
        if error is not None and self._from_response is not None and self._marker in data:
            self._accumulator.add(self._from_response(data))
        return error

    def _decode(self, data: bytes) -> Optional[T]:
        try:
            chunk = self._decoder.decode(data)
        except NOT_DECODED:
            try:
                # Some servers send blank data to keep a connection alive.
                frame: Any = parse(data) if data.strip() else None
                if not is_object(frame):
                    self._pass_over(frame, data)
                    return None
            except ResponseDecodeError as exc:
                if self._source.unfinished:
                    # Cut off at the end of the input, not badly written. The end comes next, and
                    # tells whether anything is missing.
                    return None
                raise _not_json(data, exc) from exc
            chunk = decode(data, self._decoder)
        attach(chunk, data, self._meta)
        return chunk

    def _pass_over(self, frame: Any, data: bytes) -> None:
        if isinstance(frame, str) and " " in frame.strip():
            # A sentence, as opposed to the single word of a keep-alive.
            self.skipped.text = data[:KEPT_BYTES]


def is_piece(frame: Any, marker: bytes) -> bool:
    """Return whether a JSON object is a chunk of a stream, as opposed to a whole response.

    Args:
        frame: the decoded JSON.
        marker: the member that whole responses have (see `ChunkReader`).
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
    """Return whether the choices contain whole messages and no deltas."""
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


def _is_response(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, ResponseModel)


def _parse_loosely(data: bytes) -> Any:
    try:
        return parse(data)
    except ResponseDecodeError:
        return data.decode("utf-8", "replace")
