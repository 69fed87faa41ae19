"""Server-sent events: the bytes of a body in, in any pieces; events out.

Theory of operation. Bytes go through stages, each of which holds as little as it can::

    receive_data --> received pieces --> whole lines --> pending event --> next_event
                            |       lines          events                   |
                            +----------------- plain events ---------------+
                                               plain

* `plain` takes the events out of a piece that consist of a single data line, as nearly all do. It
  leaves the rest to the other stages; `decoder` gives each stage its part.
* `lines` cuts one piece at a time into whole lines.
* `events` reads the lines: a field adds to the pending event, a blank line dispatches it.
  `bare_lines` reads the lines that are not fields.
* This module decodes the bytes of an event to text, as the standard asks. Readers that parse the
  bytes themselves use `RawSSEDecoder`.

Lines are found before the text is decoded. The standard decodes first, and the result is the same:
CR, LF, colon and space are never part of a longer UTF-8 sequence, valid or not. This order keeps a
character whole that the network has cut.

There are two departures from the standard, both against hostile peers: an event larger than
`max_event_size` is an error, and a `retry` of more than 18 digits is ignored. `bare_lines=True`
asks for a third one: it reads JSON, and errors that end a stream, which servers write without
`data:` in front.

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
        event: The event type; "message" if the stream names none.
        data: The `data` lines of the event, joined by LF.
        id: The last event ID of the stream when the event was dispatched. It stays the same for
            later events without an ID.
        retry: The reconnection time in milliseconds that the stream last asked for, with this
            event or before it; None if it never did.
    """

    event: str = "message"
    data: str = ""
    id: str = ""
    retry: Optional[int] = None


class SSEDecoder:
    r"""Turns the bytes of a `text/event-stream` body into `ServerSentEvent`s.

        >>> decoder = SSEDecoder()
        >>> decoder.receive_data(b"data: 1\n\nda")
        >>> decoder.next_event()
        ServerSentEvent(event='message', data='1', id='', retry=None)
        >>> decoder.next_event()
        NEED_DATA

    As in the standard, bytes that are not UTF-8 become U+FFFD, and an event is discarded if the
    input ends before its blank line.

    Args:
        max_event_size: The most bytes of one event: all its lines since the last blank line,
            including comments, without their line ends.

    Raises:
        ValueError: `max_event_size` is less than 1.
    """

    __slots__ = ("_raw",)

    def __init__(self, *, max_event_size: int = MAX_EVENT_SIZE) -> None:
        self._raw = RawSSEDecoder(max_event_size=max_event_size)

    def receive_data(self, data: Buffer) -> None:
        """Take the next bytes of the body; `b""` is its end.

        Nothing is read before `next_event` is called, and there is no limit on unread input: call
        `next_event` until it returns `NEED_DATA`, then receive more. A buffer that is not `bytes`
        is copied, so it may be reused at once.

        Raises:
            RuntimeError: The input has ended already; this is a mistake of the caller.
            ResponseDecodeError: An earlier event was over the limit.
        """
        self._raw.receive_data(data)

    def next_event(self) -> Union[ServerSentEvent, NeedData, EndOfStream]:
        """Return the next event; `NEED_DATA` if more bytes are needed.

        After the last event every call returns `END_OF_STREAM`.

        Raises:
            ResponseDecodeError: An event is over the limit ("event_too_large"). Everything buffered
                is dropped, and every later call raises the same error. How the bytes were cut into
                pieces makes no difference to whether, and after which event, this happens.
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
