"""Bytes in, in any pieces; events as bytes out: plain events at once, all others line by line.

If nothing is pending, `plain_events` takes the events of one data line off the front of a piece.
What it leaves goes to the `EventMachine`. If an event is pending, a piece is cut after its first
blank line: the part up to there goes to the `EventMachine`, and the rest may be plain again.

No piece, whatever it contains, is cut more than a few times: what `plain_events` leaves begins with
something that it does not take.
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
"""The default limit for one event, in bytes. A generated image in base64 has some 16 MiB; four
times that leaves room for the next size."""

# As a number: `in` searches for a number with a single memchr.
_LF: Final = 0x0A


class RawSSEDecoder:
    """`SSEDecoder` one level lower: turns a body into events as bytes, and builds no strings.

    It is for readers that parse the bytes themselves, for example as JSON. What outlives an event
    is an attribute of the decoder.

    Attributes:
        plain: The data of the next events if they consist of data alone, the next one last.
            `next_event` returns them first; popping them directly saves a call. Always the same
            list.
        at_rest: Whether everything but `plain` has been read, and nothing is pending.
        bare_lines: The lines that are not fields, and the end mark among them; unused without the
            argument of that name.

    Args:
        max_event_size: The most bytes of one event. All its lines since the last blank line count,
            including comments, unknown fields and the unfinished line, but not their line ends.
        flush_at_end: Whether to return the event that is left without its blank line when the
            input ends, with `unfinished` set. The standard discards it, which is the default.
        bare_lines: Whether to return JSON that stands between the fields, on one line or several,
            as an event of type `BARE` or of the type that is pending; an `error` field as the data
            of an event "error"; and an event "error" even without data. The standard ignores all
            of these, which is the default.

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
        # `_closed` after the end of the input; both after an error. No more input is taken then.
        self._closed = False
        self._failed = False
        # Together a queue: new pieces are appended to `_received`, and `_unread` holds the pieces
        # before them in reverse, so that taking the next one is a pop.
        self._received: list[bytes] = []
        self._unread: list[bytes] = []

    @property
    def last_event_id(self) -> bytes:
        """The last event ID as of the last blank line.

        A client that reconnects sends it as `Last-Event-ID`.
        """
        return self._machine.last_event_id

    @property
    def retry(self) -> Optional[int]:
        """The reconnection time in milliseconds that the stream last asked for, or None."""
        return self._machine.retry

    @property
    def unfinished(self) -> bool:
        """Whether the event returned last was left over at the end of the input.

        Such an event has no blank line, and its last line may be cut off anywhere.
        """
        return self._machine.unfinished

    def receive_data(self, data: Buffer) -> None:
        """Take the next bytes of the body; `b""` is its end.

        Only `next_event` finds errors, and there is no limit on unread input: call `next_event`
        until it returns `NEED_DATA`, then receive more. A buffer that is not `bytes` is copied, so
        it may be reused at once.

        Raises:
            RuntimeError: The input has ended already; this is a mistake of the caller.
            ResponseDecodeError: An earlier event was over the limit.
        """
        if self.at_rest and not self.plain and type(data) is bytes and len(data) <= MAX_PIECE:
            # `_take_plain` without the call, as most pieces are plain.
            events, rest = plain_events(data, self._max_event_size)
            if events:
                self.plain += events
                # These events skipped the line cutter, so it has not seen that the stream began.
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
        """Return the next event; `NEED_DATA` if more bytes are needed.

        After the last event every call returns `END_OF_STREAM`.

        Raises:
            ResponseDecodeError: An event is over the limit ("event_too_large"). Everything buffered
                is dropped, and every later call raises the same error. How the bytes were cut into
                pieces makes no difference to whether, and after which event, this happens.
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
        """Return the bytes to read line by line next; first move plain events to `plain`.

        If `plain` is not empty afterwards, ignore the result: the rest is queued again.
        """
        if not self._unread:
            self._received.reverse()
            self._unread, self._received = self._received, self._unread
        data = self._unread.pop()
        if self._machine.at_rest:
            rest = self._take_plain(data)
            if not self.plain:
                return data
        elif _LF not in data or self.bare_lines.json:
            # JSON may go on after a blank line, so the piece would be cut at every one.
            return data
        else:
            # Only a plain `\n\n` or `\r\n\r\n` is worth a cut; `EventMachine` finds all others.
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
        """Move the plain events at the front of a piece to `plain`, and return the rest."""
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
