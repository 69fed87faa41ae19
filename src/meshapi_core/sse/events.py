"""Lines in, events as bytes out: the second stage of reading an event stream.

A field adds to the pending event, a blank line dispatches it. Lines are read when `next_event` asks
for them and not before, so an error never overtakes the events that came ahead of it.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6
"""

from typing import Final, Optional, Union

from typing_extensions import TypeAlias

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData
from meshapi_core.sse.bare_lines import BARE, BareLineKind, BareLines
from meshapi_core.sse.lines import LineCutter

__all__ = ["EventMachine", "RawEvent"]

# What always fits a signed 64-bit integer. `int()` takes quadratic time on digits without end, and
# newer Pythons refuse more than 4,300 of them with a ValueError.
_MAX_RETRY_DIGITS: Final = 18

_FIELDS: Final = (b"data", b"event", b"id", b"retry")

RawEvent: TypeAlias = tuple[bytes, bytes]
"""An event as it came: its type (`b""` where the stream named none) and its data."""


class EventMachine:
    """Reads pieces line by line: `receive_data`, then `next_event` until it needs data.

    Args:
        max_event_size, flush_at_end: as for `RawSSEDecoder`.
        takes_bare_lines: its `bare_lines`.

    Attributes:
        last_event_id, retry, unfinished, bare_lines: as for `RawSSEDecoder`.
        lines: cuts the pieces; its `at_start` is to be cleared where the first line is passed over.
    """

    __slots__ = (
        "_data",
        "_event_type",
        "_flush_at_end",
        "_id",
        "_max_event_size",
        "_size",
        "_takes_bare_lines",
        "last_event_id",
        "lines",
        "retry",
        "bare_lines",
        "unfinished",
    )

    def __init__(self, max_event_size: int, *, flush_at_end: bool, takes_bare_lines: bool) -> None:
        self.last_event_id = b""
        self.retry: Optional[int] = None
        self.unfinished = False
        self.bare_lines = BareLines()
        self.lines = LineCutter()

        self._max_event_size = max_event_size
        self._flush_at_end = flush_at_end
        self._takes_bare_lines = takes_bare_lines

        # The pending event. `_size` counts the bytes of its lines, kept or not.
        self._size = 0
        self._event_type = b""
        self._data = bytearray()
        self._id = b""

    @property
    def at_rest(self) -> bool:
        """Whether nothing is pending: no line, no event, and no id that is not in force yet.

        An LF may still be to come after a CR. It is a blank line more, and changes nothing.
        """
        return not (self._size or self.lines.unfinished) and self._id == self.last_event_id

    def receive_data(self, data: bytes) -> None:
        """Take the next piece, when the events of the last one have been read."""
        # A byte order mark counts, as it did while its line was unfinished.
        self._size += self.lines.cut(data)

    def next_event(self) -> Union[RawEvent, NeedData]:
        """Return the next event of what has been received.

        Raises:
            ResponseDecodeError: An event is over the limit.
        """
        cutter = self.lines
        lines = cutter.ready
        while lines:
            line = lines.pop()
            size = self._size + len(line)
            if size > self._max_event_size:
                raise too_large(self._max_event_size)
            if not line:
                event = self._dispatch()
                if event is not None:
                    return event
            elif (
                lines
                and not lines[-1]
                and not self._data
                and line.startswith(b"data: ")
                and not self.bare_lines.json
            ):
                # Most events, but for the plain ones: one data line and the blank one. The same as
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
            raise too_large(self._max_event_size)
        return NEED_DATA

    def _read_field(self, line: bytes) -> bool:
        """Take a line into the pending event; True where it completes JSON that needs none."""
        # A comment is a field without a name here, and so it is ignored like any unknown one.
        name, colon, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if name in _FIELDS and self.bare_lines.json:
            # What looked like the beginning of JSON was none.
            self.bare_lines.drop()
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
        elif self._takes_bare_lines and (name or not colon):
            found = self.bare_lines.read(name, line, value)
            if found is BareLineKind.ERROR:
                self._event_type = name
                self._data += value
                self._data += b"\n"
            return found is BareLineKind.EVENT
        return False

    def _take_json(self) -> RawEvent:
        event_type, self._event_type = self._event_type, b""
        self._size = len(self._data)
        return event_type or BARE, self.bare_lines.take()

    def _dispatch(self) -> Optional[RawEvent]:
        # "Set the last event ID string of the event source to the value of the last event ID
        # buffer" comes first: an event that is not dispatched for want of data leaves its id.
        self.last_event_id = self._id
        event_type, self._event_type = self._event_type, b""
        self._size = len(self.bare_lines.json)
        if not self._data:
            if self._takes_bare_lines and event_type == b"error":
                return event_type, b""
            return None
        del self._data[-1]
        data = bytes(self._data)
        self._data.clear()
        return event_type, data

    def finish(self) -> Union[RawEvent, EndOfStream]:
        """Return what is left when no more comes; call it until that is END_OF_STREAM."""
        if not self._flush_at_end:
            self._drop_pending()
            return END_OF_STREAM
        line = self.lines.finish()
        if line and self._read_field(line):
            return self._take_json()
        if self.bare_lines.finish():
            return self._take_json()
        event = self._dispatch()
        if event is None:
            return END_OF_STREAM
        self.unfinished = True
        return event

    def drop(self) -> None:
        """Forget what has been received."""
        self.lines.ready.clear()
        self._drop_pending()

    def _drop_pending(self) -> None:
        self.lines.unfinished.clear()
        self.bare_lines.json.clear()
        self._data.clear()
        self._event_type = b""
        self._id = self.last_event_id
        self._size = 0


def too_large(limit: int) -> ResponseDecodeError:
    """Return the error of an event over the limit."""
    # The size itself is left out: how much of it has come depends on the pieces.
    return ResponseDecodeError(
        f"an event of the stream is larger than {limit} bytes", error_code="event_too_large"
    )
