"""Bytes in any pieces in, events as bytes out: plain ones at once, all others line by line.

Where nothing is pending, the events of one data line that a piece begins with are taken out of it
by `plain_events`. What is left goes to the `EventMachine`. It also gets what comes while an event
is pending, and that is cut behind the first blank line, so that the rest may be plain again.

A piece is cut so a few times and no more, however it is made: what `plain_events` leaves begins
with something that it does not take.
"""

from typing import Final, Optional, Union

from typing_extensions import Buffer

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.signals import NEED_DATA, EndOfStream, NeedData
from meshapi_core.sse.events import EventMachine, RawEvent, too_large
from meshapi_core.sse.lines import MAX_PIECE
from meshapi_core.sse.plain import plain_events

__all__ = ["MAX_EVENT_SIZE", "RawSSEDecoder"]

MAX_EVENT_SIZE: Final = 64 * 1024 * 1024
"""The most bytes of one event where nothing else is asked for. One generated image in base64 is
some 16 MiB; four times that leaves room for the next size."""

# As a number, which `in` looks for with one memchr.
_LF: Final = 0x0A


class RawSSEDecoder:
    """`SSEDecoder` one level lower: events as bytes, with no string built.

    It is for readers that parse the bytes themselves, as JSON is parsed. What outlives an event
    stands on the decoder.

    Attributes:
        plain: The data of the next events where they have nothing else, the next one last.
            `next_event` gives them first; whoever pops them saves the call. Always the same list.
        at_rest: Whether all but `plain` has been read, and nothing is pending.
        bare_lines: The lines that are no field, and what ends the stream without one; empty without
            the argument of that name.

    Args:
        max_event_size: The most bytes that one event may have. All lines since the last blank
            line count, comments and unknown fields and the unfinished line too, but not their
            ends.
        flush_at_end: Return an event that the end of the input leaves without its blank line,
            once, with `unfinished` set. The standard discards it, which is the default.
        bare_lines: Return JSON that stands between the fields, on one line or on several, as an
            event of its own, of type `BARE` or of the type that is pending; an `error` field as the
            data of an event of that type; and such an event also without data. The standard
            ignores all of them, which is the default.

    Raises:
        ValueError: `max_event_size` is less than 1.
    """

    __slots__ = (
        "_closed",
        "_failed",
        "_lines",
        "_machine",
        "_max_event_size",
        "_received",
        "_unread",
        "at_rest",
        "plain",
        "bare_lines",
    )

    def __init__(
        self,
        *,
        max_event_size: int = MAX_EVENT_SIZE,
        flush_at_end: bool = False,
        bare_lines: bool = False,
    ) -> None:
        if max_event_size < 1:
            raise ValueError(f"max_event_size must be at least 1, got {max_event_size}")
        self._max_event_size = max_event_size
        self._machine = EventMachine(
            max_event_size, flush_at_end=flush_at_end, takes_bare_lines=bare_lines
        )
        self._lines = self._machine.lines
        self.bare_lines = self._machine.bare_lines
        self.plain: list[bytes] = []
        self.at_rest = True
        # After the end of the input, and after an error: no input is taken any more.
        self._closed = False
        self._failed = False
        # A queue: pieces in the order in which they came, and those before them in reverse.
        self._received: list[bytes] = []
        self._unread: list[bytes] = []

    @property
    def last_event_id(self) -> bytes:
        """The last event id as of the last blank line.

        It is what a reconnecting client sends as `Last-Event-ID`.
        """
        return self._machine.last_event_id

    @property
    def retry(self) -> Optional[int]:
        """The reconnection time in milliseconds that the stream last asked for, or None."""
        return self._machine.retry

    @property
    def unfinished(self) -> bool:
        """Whether the event returned last was taken from the end of the input.

        It has no blank line, and its last line may be cut off anywhere.
        """
        return self._machine.unfinished

    def receive_data(self, data: Buffer) -> None:
        """Take the next bytes of the body; `b""` is its end.

        No error is found before `next_event` is called, and unread input is not limited: call it
        until it returns `NEED_DATA` before receiving more. A buffer that is not `bytes` is
        copied, so it may be used again at once.

        Raises:
            RuntimeError: The input has ended already: a fault of the caller.
            ResponseDecodeError: An event was over the limit already.
        """
        if self.at_rest and not self.plain and type(data) is bytes and len(data) <= MAX_PIECE:
            # As `_take_plain`, without its call: most pieces are plain.
            events, rest = plain_events(data, self._max_event_size)
            if events:
                self.plain += events
                self._lines.at_start = False
                if not rest:
                    return
                data = rest
        self.at_rest = False
        if self._closed:
            if self._failed:
                raise too_large(self._max_event_size)
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
        plain, machine = self.plain, self._machine
        if plain:
            return b"", plain.pop()
        if self.at_rest:
            return NEED_DATA
        if self._failed:
            raise too_large(self._max_event_size)
        try:
            while True:
                event = machine.next_event()
                if event is not NEED_DATA:
                    return event
                if self._unread or self._received:
                    data = self._next_piece()
                    if plain:
                        return b"", plain.pop()
                    machine.receive_data(data)
                elif self._closed:
                    return machine.finish()
                else:
                    self.at_rest = machine.at_rest
                    return NEED_DATA
        except ResponseDecodeError:
            self._drop()
            raise

    def _next_piece(self) -> bytes:
        """Return what is to be read line by line next, unless it is `plain`, which is filled."""
        if not self._unread:
            self._received.reverse()
            self._unread, self._received = self._received, self._unread
        data = self._unread.pop()
        if self._machine.at_rest:
            rest = self._take_plain(data)
            if not self.plain:
                return data
        elif _LF not in data or self.bare_lines.json:
            # JSON may go on behind a blank line: a piece would be cut at each.
            return data
        else:
            end = data.find(b"\n\n") + 2
            if end < 2:
                end = data.find(b"\r\n\r\n") + 4
                if end < 4:
                    return data
            data, rest = data[:end], data[end:]
        if rest:
            self._unread.append(rest)
        return data

    def _take_plain(self, piece: bytes) -> bytes:
        """Take the plain events that a piece begins with, and return the rest of it."""
        events, rest = plain_events(piece, self._max_event_size)
        if events:
            self.plain += events
            self._lines.at_start = False
        return rest

    def _drop(self) -> None:
        self._failed = self._closed = True
        self._received.clear()
        self._unread.clear()
        self._machine.drop()
