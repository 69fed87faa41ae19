"""Server-sent events: the bytes of a body in any pieces in, events out.

How it works. Bytes go through three stages, and each stage holds as little as it can::

    receive_data --> received pieces --> whole lines --> pending event --> next_event
                            |       lines          events                   |
                            +----------------- plain events ---------------+
                                               plain

* `plain` takes the events out of a piece that are one line of data and no more: nearly all. What is
  left, the other stages read; `decoder` gives each its part.
* `lines` cuts one piece at a time into whole lines.
* `events` reads them: a field adds to the pending event, a blank line dispatches it. What is read
  of the lines that are no field is in `bare_lines`.
* This module makes text of it, as the standard has it. Readers that parse the bytes themselves ask
  `RawSSEDecoder` for the bytes.

Everything is done on bytes. CR, LF, colon and space are never part of a longer UTF-8 sequence,
valid or not, so reading lines and decoding them afterwards gives what the standard's order gives
(decode the stream, then read lines), and a character that is cut by the network stays whole.

Two departures from the standard, both against hostile peers: an event larger than
`max_event_size` is an error, and a `retry` of more than 18 digits is ignored. A third one is asked
for with `bare_lines`: servers write JSON, and the error that ends a stream, without `data:` before
it.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6
"""

from typing import Optional, Union

import msgspec
from typing_extensions import Buffer

from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData
from meshapi_core.sse.bare_lines import BARE
from meshapi_core.sse.decoder import MAX_EVENT_SIZE, RawSSEDecoder
from meshapi_core.sse.events import RawEvent

__all__ = [
    "BARE",
    "MAX_EVENT_SIZE",
    "RawEvent",
    "RawSSEDecoder",
    "SSEDecoder",
    "ServerSentEvent",
]


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
