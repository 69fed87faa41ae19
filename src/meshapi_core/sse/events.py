"""Lines in, events as bytes out: the second stage of reading an event stream.

A field adds to the pending event, a blank line dispatches it. Lines are read when `next_event` asks
for them and not before, so an error never overtakes the events that came ahead of it.

Most pieces need none of that: gateways write one frame at a time, and a piece that is one data line
and its blank line is an event as it stands.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6
"""

from collections import deque
from typing import Final, Optional, Union

from typing_extensions import Buffer, TypeAlias

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData
from meshapi_core.sse.lines import MAX_PIECE, LineCutter
from meshapi_core.sse.strays import BARE, Found, Strays

__all__ = ["MAX_EVENT_SIZE", "RawEvent", "RawSSEDecoder"]

MAX_EVENT_SIZE: Final = 64 * 1024 * 1024
"""The most bytes of one event where nothing else is asked for. One generated image in base64 is
some 16 MiB; four times that leaves room for the next size."""

# What always fits a signed 64-bit integer. `int()` takes quadratic time on digits without end, and
# newer Pythons refuse more than 4,300 of them with a ValueError.
_MAX_RETRY_DIGITS: Final = 18

_FIELDS: Final = (b"data", b"event", b"id", b"retry")

# As numbers: `in` looks for a number of 0 to 255 with one memchr, and for bytes it first fails to
# make a number of them, which takes ten times as long as the search of a usual frame.
_LF: Final = 0x0A
_CR: Final = 0x0D

RawEvent: TypeAlias = tuple[bytes, bytes]
"""An event as it came: its type (`b""` where the stream named none) and its data."""


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
        strays: The lines that are no field, and what ends the stream without one; empty without
            the argument of that name.

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
        "_closed",
        "_data",
        "_event_type",
        "_failed",
        "_flush_at_end",
        "_id",
        "_lines",
        "_max_event_size",
        "_received",
        "_size",
        "_takes_strays",
        "last_event_id",
        "retry",
        "strays",
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
        self.strays = Strays()

        self._max_event_size = max_event_size
        self._flush_at_end = flush_at_end
        self._takes_strays = strays
        # After the end of the input, and after an error: no input is taken any more.
        self._closed = False
        self._failed = False

        self._received: deque[bytes] = deque()
        self._lines = LineCutter()

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
                raise _too_large(self._max_event_size)
            raise RuntimeError("receive_data() was called after b'', which is the end of the input")
        if not isinstance(data, bytes):
            data = bytes(data)
        if not data:
            self._closed = True
        elif len(data) <= MAX_PIECE:
            self._received.append(data)
        else:
            starts = range(0, len(data), MAX_PIECE)
            self._received.extend(data[start : start + MAX_PIECE] for start in starts)

    def next_event(self) -> Union[RawEvent, NeedData, EndOfStream]:
        """Return the next event, or what has to happen before there is one.

        After the last event it returns `END_OF_STREAM`, as often as it is called.

        Raises:
            ResponseDecodeError: An event is over the limit ("event_too_large"). All that was
                buffered is gone, and every later call raises the same. Whether, and after which
                event, does not depend on the pieces that the bytes came in.
        """
        cutter = self._lines
        while True:
            lines = cutter.ready
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
                    and not self.strays.json
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
            if cutter.unfinished and self._size + len(cutter.unfinished) > self._max_event_size:
                raise self._fail()
            if self._received:
                data = self._received.popleft()
                # Slices are compared, as calls take longer.
                if (
                    data[:6] == b"data: "
                    and data[-2:] == b"\n\n"
                    and len(data) - 2 <= self._max_event_size
                    and not (self._size or cutter.unfinished or cutter.at_start)
                ):
                    value = data[6:-2]
                    if _LF not in value and _CR not in value:
                        # One frame, and nothing is pending: no type, and no id that the last
                        # blank line has not put in force. An LF that is still to come after a CR
                        # is a blank line more, which changes nothing.
                        return b"", value
                # A byte order mark counts, as it did while its line was unfinished.
                self._size += cutter.cut(data)
            elif self._closed:
                return self._after_input()
            else:
                return NEED_DATA

    def _read_field(self, line: bytes) -> bool:
        """Take a line into the pending event; True where it completes JSON that needs none."""
        # A comment is a field without a name here, and so it is ignored like any unknown one.
        name, colon, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if name in _FIELDS and self.strays.json:
            # What looked like the beginning of JSON was none.
            self.strays.drop()
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
        elif self._takes_strays and (name or not colon):
            found = self.strays.read(name, line, value)
            if found is Found.ERROR:
                self._event_type = name
                self._data += value
                self._data += b"\n"
            return found is Found.EVENT
        return False

    def _take_json(self) -> RawEvent:
        event_type, self._event_type = self._event_type, b""
        self._size = len(self._data)
        return event_type or BARE, self.strays.take()

    def _dispatch(self) -> Optional[RawEvent]:
        # "Set the last event ID string of the event source to the value of the last event ID
        # buffer" comes first: an event that is not dispatched for want of data leaves its id.
        self.last_event_id = self._id
        event_type, self._event_type = self._event_type, b""
        self._size = len(self.strays.json)
        if not self._data:
            if self._takes_strays and event_type == b"error":
                return event_type, b""
            return None
        del self._data[-1]
        data = bytes(self._data)
        self._data.clear()
        return event_type, data

    def _after_input(self) -> Union[RawEvent, EndOfStream]:
        if self._failed:
            raise _too_large(self._max_event_size)
        if not self._flush_at_end:
            self._drop_pending()
            return END_OF_STREAM
        line = self._lines.finish()
        if line and self._read_field(line):
            return self._take_json()
        if self.strays.finish():
            return self._take_json()
        event = self._dispatch()
        if event is None:
            return END_OF_STREAM
        self.unfinished = True
        return event

    def _fail(self) -> ResponseDecodeError:
        self._failed = self._closed = True
        self._received.clear()
        self._lines.ready.clear()
        self._drop_pending()
        return _too_large(self._max_event_size)

    def _drop_pending(self) -> None:
        self._lines.unfinished.clear()
        self.strays.json.clear()
        self._data.clear()
        self._event_type = b""
        self._id = self.last_event_id
        self._size = 0


def _too_large(limit: int) -> ResponseDecodeError:
    # The size itself is left out: how much of it has come depends on the pieces.
    return ResponseDecodeError(
        f"an event of the stream is larger than {limit} bytes", error_code="event_too_large"
    )
