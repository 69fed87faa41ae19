"""Server-sent events: the bytes of a body in any pieces in, events out.

How it works. Bytes go through three stages, and each stage holds as little as it can::

    receive_data --> received pieces --> whole lines --> pending event --> next_event
                                    split           read

* *Split* takes one received piece, cuts it at its last line end, and keeps what follows as the
  unfinished line. Pieces without a line end only grow that line, so no byte is searched twice and
  a line of any length in pieces of any length takes linear time.
* *Read* takes one whole line: a field adds to the pending event, a blank line dispatches it. Lines
  are read when `next_event` asks for them and not before, so an error never overtakes the events
  that came ahead of it.
* Most pieces need none of that: gateways write one frame at a time, and a piece that is one data
  line and its blank line is an event as it stands.
* A CR ends its line at once, and an LF that comes next, in the same piece or a later one, belongs
  to it. Waiting for that LF would hold the event back until the server speaks again.

Everything is done on bytes. CR, LF, colon and space are never part of a longer UTF-8 sequence,
valid or not, so reading lines and decoding them afterwards gives what the standard's order gives
(decode the stream, then read lines), and a character that is cut by the network stays whole.

Two departures from the standard, both against hostile peers: an event larger than
`max_event_size` is an error, and a `retry` of more than 18 digits is ignored. A third one is asked
for with `strays`: servers write JSON, and the error that ends a stream, without `data:` before it.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6
"""

from collections import deque
from typing import Final, Optional, Union

import msgspec
from typing_extensions import Buffer, TypeAlias

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.parsing import parse
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData

__all__ = ["END_OF_STREAM", "NEED_DATA", "EndOfStream", "NeedData", "SSEDecoder", "ServerSentEvent"]

MAX_EVENT_SIZE: Final = 64 * 1024 * 1024
"""The most bytes of one event where nothing else is asked for. One generated image in base64 is
some 16 MiB; four times that leaves room for the next size."""

# A short line costs some 50 bytes once it is an object of its own, so only this much input is
# split at a time, however large the pieces are. Network reads are of this size.
_SPLIT_SIZE: Final = 64 * 1024

# What always fits a signed 64-bit integer. `int()` takes quadratic time on digits without end, and
# newer Pythons refuse more than 4,300 of them with a ValueError.
_MAX_RETRY_DIGITS: Final = 18

BARE: Final = b"\n"
"""The type of an event that is JSON without a field; no field can hold a line end."""

_MAX_STRAY: Final = 1024
"""Bytes that are kept of the last lines which are no field: enough for a sentence."""

_MAX_TRIES: Final = 8 * 1024
"""Bytes up to which JSON without a field is parsed at every line that could end it; every usual
error is shorter."""

_END_MARK: Final = b"[DONE]"

_FIELDS: Final = (b"data", b"event", b"id", b"retry")

_BOM: Final = b"\xef\xbb\xbf"

# As numbers: `in` looks for a number of 0 to 255 with one memchr, and for bytes it first fails to
# make a number of them, which takes ten times as long as the search of a usual frame.
_LF: Final = 0x0A
_CR: Final = 0x0D


RawEvent: TypeAlias = tuple[bytes, bytes]
"""An event as it came: its type (`b""` where the stream named none) and its data."""


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One event of the stream.

    Fields:
        event: The event type; "message" where the stream names none.
        data: The `data` lines of the event, joined by LF.
        id: The last event id of the stream when the event was dispatched. It stays until the
            stream sends another, also through events that bring none.
        retry: The reconnection time in milliseconds that the stream last asked for, with this
            event or before it; None where it never did.
    """

    event: str = "message"
    data: str = ""
    id: str = ""
    retry: Optional[int] = None


class RawSSEDecoder:
    """`SSEDecoder` one level lower: events as bytes, with no string built.

    It is for readers that parse the bytes themselves, as JSON is parsed. What outlives an event
    stands on the decoder.

    Attributes:
        last_event_id: The last event id as of the last blank line; what a reconnecting client
            sends as `Last-Event-ID`.
        retry: The reconnection time in milliseconds that the stream last asked for, or None.
        unfinished: True when the event returned last was taken from the end of the input without
            its blank line. Its last line may be cut off anywhere.
        end_mark: The line which, with `strays`, is an event by itself: what ends a stream.
        stray: The last of the lines that are no field, with `strays`; at most 1 KiB.

    Args:
        max_event_size: The most bytes that one event may have. All lines since the last blank
            line count, comments and unknown fields and the unfinished line too, but not their
            ends.
        flush_at_end: Return an event that the end of the input leaves without its blank line,
            once, with `unfinished` set. The standard discards it, which is the default.
        strays: Return JSON that stands between the fields, on one line or on several, as an event
            of its own, of type `BARE` or of the type that is pending; an `error` field as the
            data of an event of that type; and such an event also without data. The standard
            ignores all of them, which is the default.

    Raises:
        ValueError: `max_event_size` is less than 1.
    """

    __slots__ = (
        "_after_cr",
        "_at_start",
        "_closed",
        "_data",
        "_event_type",
        "_failed",
        "_flush_at_end",
        "_id",
        "_json",
        "_json_retry",
        "_line",
        "_lines",
        "_max_event_size",
        "_received",
        "_size",
        "_strays",
        "end_mark",
        "last_event_id",
        "retry",
        "stray",
        "unfinished",
    )

    def __init__(
        self,
        *,
        max_event_size: int = MAX_EVENT_SIZE,
        flush_at_end: bool = False,
        strays: bool = False,
    ) -> None:
        if max_event_size < 1:
            raise ValueError(f"max_event_size must be at least 1, got {max_event_size}")
        self.last_event_id = b""
        self.retry: Optional[int] = None
        self.unfinished = False
        self.stray = b""
        self.end_mark: Optional[bytes] = _END_MARK

        self._max_event_size = max_event_size
        self._flush_at_end = flush_at_end
        self._strays = strays
        # JSON without a field, from its first line on, and the size from which on it is tried
        # again whether it is whole: twice that of the last time where it is long, or it would be
        # parsed as often as it has lines.
        self._json = bytearray()
        self._json_retry = 0
        # After the end of the input, and after an error: no input is taken any more.
        self._closed = False
        self._failed = False

        self._received: deque[bytes] = deque()
        # Whole lines without their ends, the next one last: popping frees each one as it is read.
        self._lines: list[bytes] = []
        self._line = bytearray()
        self._after_cr = False
        self._at_start = True

        # The pending event. `_size` counts the bytes of its lines, kept or not.
        self._size = 0
        self._event_type = b""
        self._data = bytearray()
        self._id = b""

    def receive_data(self, data: Buffer) -> None:
        """Take the next bytes of the body; `b""` is its end.

        Nothing is read before `next_event` is called, and unread input is not limited: call it
        until it returns `NEED_DATA` before receiving more. A buffer that is not `bytes` is
        copied, so it may be used again at once.

        Raises:
            RuntimeError: The input has ended already: a fault of the caller.
            ResponseDecodeError: An event was over the limit already.
        """
        if self._closed:
            if self._failed:
                raise self._too_large()
            raise RuntimeError("receive_data() was called after b'', which is the end of the input")
        if not isinstance(data, bytes):
            data = bytes(data)
        if not data:
            self._closed = True
        elif len(data) <= _SPLIT_SIZE:
            self._received.append(data)
        else:
            starts = range(0, len(data), _SPLIT_SIZE)
            self._received.extend(data[start : start + _SPLIT_SIZE] for start in starts)

    def next_event(self) -> Union[RawEvent, NeedData, EndOfStream]:
        """Return the next event, or what has to happen before there is one.

        After the last event it returns `END_OF_STREAM`, as often as it is called.

        Raises:
            ResponseDecodeError: An event is over the limit ("event_too_large"). All that was
                buffered is gone, and every later call raises the same. Whether, and after which
                event, does not depend on the pieces that the bytes came in.
        """
        while True:
            lines = self._lines
            while lines:
                line = lines.pop()
                size = self._size + len(line)
                if size > self._max_event_size:
                    raise self._fail()
                if not line:
                    event = self._dispatch()
                    if event is not None:
                        return event
                elif (
                    lines
                    and not lines[-1]
                    and not self._data
                    and line.startswith(b"data: ")
                    and not self._json
                ):
                    # All events of most streams: one data line and the blank one. The same as
                    # the other two branches, less a copy and two calls.
                    lines.pop()
                    event = self._event_type, line[6:]
                    self._event_type = b""
                    self._size = 0
                    self.last_event_id = self._id
                    return event
                else:
                    self._size = size
                    if self._read_field(line):
                        return self._take_json()
            if self._line and self._size + len(self._line) > self._max_event_size:
                raise self._fail()
            if self._received:
                data = self._received.popleft()
                # Slices are compared, as calls take longer.
                if (
                    data[:6] == b"data: "
                    and data[-2:] == b"\n\n"
                    and len(data) - 2 <= self._max_event_size
                    and not (self._size or self._line or self._at_start)
                ):
                    value = data[6:-2]
                    if _LF not in value and _CR not in value:
                        # One frame, and nothing is pending: no type, and no id that the last
                        # blank line has not put in force. An LF that is still to come after a CR
                        # is a blank line more, which changes nothing.
                        return b"", value
                self._split(data)
            elif self._closed:
                return self._after_input()
            else:
                return NEED_DATA

    def _split(self, data: bytes) -> None:
        if self._after_cr:
            self._after_cr = False
            if data.startswith(b"\n"):
                data = data[1:]
        # On bytes, unlike on str, this splits on LF, CR and CRLF alone.
        lines = data.splitlines()
        unfinished = b""
        if data.endswith(b"\r"):
            self._after_cr = True
        elif data and not data.endswith(b"\n"):
            unfinished = lines.pop()
        if lines and (self._line or self._at_start):
            lines[0] = self._finish_line(lines[0])
        if unfinished:
            self._line += unfinished
        lines.reverse()
        self._lines = lines

    def _finish_line(self, rest: bytes) -> bytes:
        if self._line:
            self._line += rest
            rest = bytes(self._line)
            self._line.clear()
        if self._at_start:
            self._at_start = False
            if rest.startswith(_BOM):
                # The mark counts here because it counted while the line was unfinished.
                self._size = len(_BOM)
                return rest[len(_BOM) :]
        return rest

    def _read_field(self, line: bytes) -> bool:
        """Take a line into the pending event; True where it completes JSON that needs none."""
        # A comment is a field without a name here, and so it is ignored like any unknown one.
        name, colon, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if name in _FIELDS and self._json:
            # What looked like the beginning of JSON was none.
            self._drop_json()
        if name == b"data":
            self._data += value
            self._data += b"\n"
        elif name == b"event":
            self._event_type = value
        elif name == b"id":
            if b"\0" not in value:
                self._id = value
        elif name == b"retry":
            if value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
                self.retry = int(value)
        elif self._strays and (name or not colon):
            return self._read_stray(name, line, value)
        return False

    def _read_stray(self, name: bytes, line: bytes, value: bytes) -> bool:
        mark = self.end_mark
        if mark and line.strip() == mark:
            self._json[:] = mark
            return True
        if mark and line.endswith(mark):
            # Of a server that ends its JSON without a line end; the JSON says enough.
            line = line[: line.rfind(b"data:")]
        if self._json:
            self._json += b"\n" + line
        elif line.lstrip()[:1] in (b"{", b"["):
            self._json += line
            self._json_retry = 0
        elif name == b"error" and value:
            self._event_type = name
            self._data += value
            self._data += b"\n"
            return False
        else:
            self.stray = (self.stray + b"\n" + line[:_MAX_STRAY])[-_MAX_STRAY:]
            return False
        return line.rstrip()[-1:] in (b"}", b"]") and self._json_is_whole()

    def _drop_json(self) -> None:
        self.stray = bytes(self._json[:_MAX_STRAY])
        self._json.clear()

    def _json_is_whole(self) -> bool:
        if len(self._json) < self._json_retry:
            return False
        if len(self._json) > _MAX_TRIES:
            self._json_retry = 2 * len(self._json)
        try:
            parse(bytes(self._json))
        except ResponseDecodeError:
            return False
        return True

    def _take_json(self) -> RawEvent:
        event_type, self._event_type = self._event_type, b""
        data = bytes(self._json)
        self._json.clear()
        self._size = len(self._data)
        return event_type or BARE, data

    def _dispatch(self) -> Optional[RawEvent]:
        # "Set the last event ID string of the event source to the value of the last event ID
        # buffer" comes first: an event that is not dispatched for want of data leaves its id.
        self.last_event_id = self._id
        event_type, self._event_type = self._event_type, b""
        self._size = len(self._json)
        if not self._data:
            if self._strays and event_type == b"error":
                return event_type, b""
            return None
        del self._data[-1]
        data = bytes(self._data)
        self._data.clear()
        return event_type, data

    def _after_input(self) -> Union[RawEvent, EndOfStream]:
        if self._failed:
            raise self._too_large()
        if not self._flush_at_end:
            self._drop_pending()
            return END_OF_STREAM
        line = self._finish_line(b"")
        if line and self._read_field(line):
            return self._take_json()
        if self._json:
            self._json_retry = 0
            if self._json_is_whole():
                return self._take_json()
            self._drop_json()
        event = self._dispatch()
        if event is None:
            return END_OF_STREAM
        self.unfinished = True
        return event

    def _fail(self) -> ResponseDecodeError:
        self._failed = self._closed = True
        self._received.clear()
        self._lines.clear()
        self._drop_pending()
        return self._too_large()

    def _drop_pending(self) -> None:
        self._line.clear()
        self._json.clear()
        self._data.clear()
        self._event_type = b""
        self._id = self.last_event_id
        self._size = 0

    def _too_large(self) -> ResponseDecodeError:
        # The size itself is left out: how much of it has come depends on the pieces.
        return ResponseDecodeError(
            f"an event of the stream is larger than {self._max_event_size} bytes",
            error_code="event_too_large",
        )


class SSEDecoder:
    r"""Turns the bytes of a `text/event-stream` body into events.

        >>> decoder = SSEDecoder()
        >>> decoder.receive_data(b"data: 1\n\nda")
        >>> decoder.next_event()
        ServerSentEvent(event='message', data='1', id='', retry=None)
        >>> decoder.next_event()
        NEED_DATA

    Bytes that are not UTF-8 become U+FFFD, as the standard says. An event that the end of the
    input leaves without its blank line is discarded, as the standard says.

    Args:
        max_event_size: The most bytes that one event may have: all lines since the last blank
            line, comments too, without their ends.

    Raises:
        ValueError: `max_event_size` is less than 1.
    """

    __slots__ = ("_raw",)

    def __init__(self, *, max_event_size: int = MAX_EVENT_SIZE) -> None:
        self._raw = RawSSEDecoder(max_event_size=max_event_size)

    def receive_data(self, data: Buffer) -> None:
        """Take the next bytes of the body; `b""` is its end.

        Nothing is read before `next_event` is called, and unread input is not limited: call it
        until it returns `NEED_DATA` before receiving more. A buffer that is not `bytes` is
        copied, so it may be used again at once.

        Raises:
            RuntimeError: The input has ended already: a fault of the caller.
            ResponseDecodeError: An event was over the limit already.
        """
        self._raw.receive_data(data)

    def next_event(self) -> Union[ServerSentEvent, NeedData, EndOfStream]:
        """Return the next event, or what has to happen before there is one.

        After the last event it returns `END_OF_STREAM`, as often as it is called.

        Raises:
            ResponseDecodeError: An event is over the limit ("event_too_large"). All that was
                buffered is gone, and every later call raises the same. Whether, and after which
                event, does not depend on the pieces that the bytes came in.
        """
        event = self._raw.next_event()
        if event is NEED_DATA or event is END_OF_STREAM:
            return event
        event_type, data = event
        return ServerSentEvent(
            _text(event_type) if event_type else "message",
            _text(data),
            _text(self._raw.last_event_id),
            self._raw.retry,
        )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
