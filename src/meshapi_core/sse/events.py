"""Lines in, events as bytes out: the second stage of reading an event stream.

A field adds to the pending event, a blank line dispatches it. Lines are read only when `next_event`
asks for them, so an error never overtakes the events before it.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6
"""

from typing import Final, Optional, Union

from typing_extensions import TypeAlias

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData
from meshapi_core.sse.bare_lines import BARE, BareLineKind, BareLines
from meshapi_core.sse.lines import LineCutter

__all__ = ["EventMachine", "RawEvent"]

# This many digits always fit into a signed 64-bit integer. `int()` takes quadratic time on long
# strings of digits, and newer Pythons refuse more than 4,300 of them with a ValueError.
_MAX_RETRY_DIGITS: Final = 18

_FIELDS: Final = (b"data", b"event", b"id", b"retry")

RawEvent: TypeAlias = tuple[bytes, bytes]
"""An event as received: its type (`b""` if the stream named none) and its data."""


class EventMachine:
    """Reads pieces line by line: call `receive_data`, then `next_event` until it needs data.

    Args:
        max_event_size, flush_at_end: As for `RawSSEDecoder`.
        takes_bare_lines: The argument `bare_lines` of `RawSSEDecoder`.

    Attributes:
        last_event_id, retry, unfinished, bare_lines: As for `RawSSEDecoder`.
        lines: Cuts the pieces. Clear its `at_start` if the first line bypasses this machine.
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

        # The pending event: the standard's event type, data and last event ID buffers. `_size`
        # counts the bytes of all its lines, whether they are kept or not.
        self._size = 0
        self._event_type = b""
        self._data = bytearray()
        self._id = b""

    @property
    def at_rest(self) -> bool:
        """Whether nothing is pending: no line, no event, and no ID that awaits its blank line.

        An LF may still follow a CR. It would be read as one more blank line, which changes nothing.
        """
        return not (self._size or self.lines.unfinished) and self._id == self.last_event_id

    def receive_data(self, data: bytes) -> None:
        """Take the next piece. Read the events of the last one first."""
        # The byte order mark counts, too: it did so while its line was unfinished.
        self._size += self.lines.cut(data)

    def next_event(self) -> Union[RawEvent, NeedData]:
        """Return the next event from what was received, or `NEED_DATA`.

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
                # Most events that are not plain: one data line, perhaps after an event type, and
                # the blank line. The same as the other two branches, less a copy and two calls.
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
        """Add a line to the pending event; return True if it completes JSON without a field."""
        # A comment begins with a colon. It is read as a field without a name, and ignored like any
        # unknown field.
        name, colon, value = line.partition(b":")
        # "If value starts with a U+0020 SPACE character, remove it": only one.
        if value.startswith(b" "):
            value = value[1:]
        if name in _FIELDS and self.bare_lines.json:
            # What looked like the beginning of JSON was something else.
            self.bare_lines.drop()
        if name == b"data":
            self._data += value
            self._data += b"\n"
        elif name == b"event":
            self._event_type = value
        elif name == b"id":
            # The standard ignores an ID with a NULL, which could not be sent in a header.
            if b"\0" not in value:
                self._id = value
        elif name == b"retry":
            # On bytes, `isdigit` takes ASCII digits alone, as the standard does.
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
        # buffer" is the first step: an event without data is not dispatched, but its ID counts.
        self.last_event_id = self._id
        event_type, self._event_type = self._event_type, b""
        self._size = len(self.bare_lines.json)
        # "If the data buffer is an empty string, set the data buffer and the event type buffer to
        # the empty string and return." A `data:` without a value leaves an LF, so it is not empty.
        if not self._data:
            if self._takes_bare_lines and event_type == b"error":
                return event_type, b""
            return None
        del self._data[-1]
        data = bytes(self._data)
        self._data.clear()
        return event_type, data

    def finish(self) -> Union[RawEvent, EndOfStream]:
        """Return what is left at the end of the input; call it until it returns END_OF_STREAM."""
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
        """Drop what was received."""
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
    """Return the error for an event over the limit."""
    # The actual size is left out: how much of the event has arrived depends on the pieces.
    return ResponseDecodeError(
        f"an event of the stream is larger than {limit} bytes", error_code="event_too_large"
    )
