"""A realtime session on one connection, as a machine: events of the gateway in and out, no I/O.

Theory of operation. A `RealtimeConnection` has a `WebSocketConnection` and says what its messages
are: JSON events, sound and text. What concerns bytes, time and closing is that one's business, and
its methods are taken over as they are. Whether another connection follows one that was lost is not
decided here, but by `RealtimeExchange`.

    call = RealtimeCall(model="openai/gpt-realtime")
    connection = RealtimeConnection()
    write(connection.connect(call.request(config, os.urandom), now()))
    while True:
        event = connection.next_event()
        write(connection.data_to_send())
        if event is NEED_DATA:
            if (data := read(until=connection.timer)) is None:
                connection.handle_timer(now())
            else:
                connection.receive_data(data)    # b"" at the end of input
        elif isinstance(event, Closed): break    # event.error() says why
        else: ...                                # a RealtimeMessage; event.error(), where it is one

A host with a WebSocket of its own makes a `RealtimeMessage.of` what comes, sends the text that
`RealtimeConnection.encode` returns, and says how it ended by a `Closed`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Optional, Union

from typing_extensions import Buffer, Unpack

from meshapi_core._secret import Secret
from meshapi_core.headers import Headers
from meshapi_core.realtime.call import KEY_SUBPROTOCOL
from meshapi_core.realtime.events import (
    RealtimeMessage,
    encode,
    encode_audio,
    read_binary_message,
    read_message,
    update_event,
)
from meshapi_core.signals import NeedData
from meshapi_core.types.realtime_client import RealtimeClientEvent
from meshapi_core.websocket.closing import Closed, check_close
from meshapi_core.websocket.connection import State, WebSocketConnection
from meshapi_core.websocket.frames import MAX_MESSAGE_SIZE
from meshapi_core.websocket.timeouts import TimeLimits

__all__ = ["RealtimeConnection"]


class RealtimeConnection:
    """One session on one connection, from its upgrade to its end.

    Args:
        max_message_size, random_bytes, limits: as for `WebSocketConnection`.

    Attributes:
        websocket: the connection itself. These are its methods: `connect` or `start` to begin,
            `receive_data`, `data_to_send` and `handle_timer` to drive it, `send_text`,
            `send_bytes` and `ping` to send what is no event, `close`, `connection_lost` and
            `abandon` to end it, and `closed_error`.
    """

    def __init__(
        self,
        *,
        max_message_size: int = MAX_MESSAGE_SIZE,
        random_bytes: Optional[Callable[[int], bytes]] = None,
        **limits: Unpack[TimeLimits],
    ) -> None:
        self.websocket = websocket = WebSocketConnection(
            max_message_size=max_message_size, random_bytes=random_bytes, **limits
        )
        # Bound once: a method that only passes on would cost a call for each event.
        self.connect = websocket.connect
        self.start = websocket.start
        self.receive_data = websocket.receive_data
        self.next_message = websocket.next_message
        self.data_to_send = websocket.data_to_send
        self.handle_timer = websocket.handle_timer
        self.send_text = websocket.send_text
        self.send_bytes = websocket.send_bytes
        self.ping = websocket.ping
        self.close = websocket.close
        self.connection_lost = websocket.connection_lost
        self.abandon = websocket.abandon
        self.closed_error = websocket.closed_error
        self._reader = websocket.reader
        self._timeouts = websocket.timeouts

    encode = staticmethod(encode)
    encode_audio = staticmethod(encode_audio)
    update_event = staticmethod(update_event)
    check_close = staticmethod(check_close)

    def next_event(self, frames: Optional[int] = None) -> Union[RealtimeMessage, Closed, NeedData]:
        """The next message; then how the session ended.

        Args and Raises: as for `WebSocketConnection.next_message`.
        """
        event = self.next_message(frames)
        # As `RealtimeMessage.of` does it, which would be two calls more.
        if isinstance(event, str):
            return read_message(event)
        if isinstance(event, bytes):
            return read_binary_message(event)
        return event

    def send(self, event: Union[Mapping[str, Any], RealtimeClientEvent]) -> bytes:
        """Return the bytes that send an event.

        Raises:
            InvalidParamsError: it is no JSON object with a `type`.
            RealtimeConnectionClosed: the connection is not open.
        """
        return self.send_text(encode(event))

    def send_audio(self, pcm: Buffer) -> bytes:
        """Return the bytes that add sound to the input, in the session's format.

        Raises:
            InvalidParamsError: it is not bytes.
            RealtimeConnectionClosed: the connection is not open.
        """
        return self.send_text(encode_audio(pcm))

    @property
    def state(self) -> State:
        """Where the connection stands; for whoever looks, not for whoever drives it."""
        return self.websocket.state

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self.websocket.state is State.OPEN

    @property
    def closed(self) -> Optional[Closed]:
        """How it ended; None before that."""
        return self.websocket.closed

    @property
    def timer(self) -> float:
        """The time at which to call `handle_timer`; `-math.inf` is at once, `math.inf` never."""
        return self._timeouts.at

    @property
    def has_more(self) -> bool:
        """Whether `next_event` has stopped at its limit of frames, with data left to look at."""
        return self._reader.has_more

    @property
    def headers(self) -> Headers:
        """The header fields of the answer to the upgrade."""
        return self.websocket.headers

    @property
    def subprotocol(self) -> Optional[str]:
        """What the server chose; None before the upgrade, and where it chose none."""
        chosen = self.websocket.subprotocol
        if chosen is not None and chosen.startswith(KEY_SUBPROTOCOL):
            # It should not, but may choose whatever was offered.
            return Secret(chosen)
        return chosen
