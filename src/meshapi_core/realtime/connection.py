"""A realtime session on one connection, as a machine: events of the gateway in and out, no I/O.

Theory of operation. A `RealtimeConnection` has a `WebSocketConnection` and says what its messages
are: JSON events, audio and text. What concerns bytes, time and closing is that one's business, and
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
from meshapi_core.errors import RealtimeConnectionClosed
from meshapi_core.headers import Headers
from meshapi_core.messages import Request
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
from meshapi_core.websocket.connection import WebSocketConnection, WebSocketState
from meshapi_core.websocket.frames import MAX_MESSAGE_SIZE, ApplyMask
from meshapi_core.websocket.timeouts import TimeLimits

__all__ = ["RealtimeConnection"]


class RealtimeConnection:
    """One session on one connection, from its upgrade to its end.

    Args:
        max_message_size, random_bytes, apply_mask, limits: as for `WebSocketConnection`.

    Attributes:
        websocket: the connection itself, whose methods a host may call as well.
    """

    def __init__(
        self,
        *,
        max_message_size: int = MAX_MESSAGE_SIZE,
        random_bytes: Optional[Callable[[int], bytes]] = None,
        apply_mask: Optional[ApplyMask] = None,
        **limits: Unpack[TimeLimits],
    ) -> None:
        self.websocket = websocket = WebSocketConnection(
            max_message_size=max_message_size,
            random_bytes=random_bytes,
            apply_mask=apply_mask,
            **limits,
        )
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
        event = self.websocket.next_message(frames)
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
        """Return the bytes that add audio to the input, in the session's format.

        Raises:
            InvalidParamsError: it is not bytes.
            RealtimeConnectionClosed: the connection is not open.
        """
        return self.send_text(encode_audio(pcm))

    # What a host drives it with is the WebSocket connection's. Hosts with many events take the
    # methods of `websocket` itself, and save a call each.

    def connect(self, request: Request, now: Optional[float] = None) -> bytes:
        """Return the bytes of the upgrade request. See `WebSocketConnection.connect`."""
        return self.websocket.connect(request, now)

    def start(self, request: Request, headers: Headers, received: Buffer = b"") -> None:
        """Begin after an upgrade that somebody else has made. See `WebSocketConnection.start`."""
        self.websocket.start(request, headers, received)

    def receive_data(self, data: Buffer) -> None:
        """Take received bytes, cut anywhere; `b""` is the end of input."""
        self.websocket.receive_data(data)

    def data_to_send(self) -> bytes:
        """Return the bytes that the peer must get because of what it sent; once."""
        return self.websocket.data_to_send()

    def handle_timer(self, now: float) -> None:
        """Look at the clock: at any time, at the latest when `timer` is over."""
        self.websocket.handle_timer(now)

    def next_message(self, frames: Optional[int] = None) -> Union[str, bytes, Closed, NeedData]:
        """The next message as it came; see `WebSocketConnection.next_message`."""
        return self.websocket.next_message(frames)

    def send_text(self, text: str) -> bytes:
        """Return the bytes of a text message. Raises RealtimeConnectionClosed as `send` does."""
        return self.websocket.send_text(text)

    def send_bytes(self, data: bytes) -> bytes:
        """Return the bytes of a binary message. Raises as `send_text` does."""
        return self.websocket.send_bytes(data)

    def ping(self, payload: bytes = b"") -> bytes:
        """Return the bytes of a ping, with up to 125 bytes in it. Raises as `send_text` does."""
        return self.websocket.ping(payload)

    def close(self, code: int = 1000, reason: str = "") -> bytes:
        """Return the bytes that say Close. See `WebSocketConnection.close`."""
        return self.websocket.close(code, reason)

    def connection_lost(self, error_code: str, reason: str = "") -> None:
        """Take note of why input ends, where that is known; instead of `receive_data(b"")`."""
        self.websocket.connection_lost(error_code, reason)

    def abandon(self, error_code: str, reason: str = "") -> None:
        """End at once: what was received and not yet read is dropped. Harmless at the end."""
        self.websocket.abandon(error_code, reason)

    def closed_error(self) -> RealtimeConnectionClosed:
        """The error for a connection that is not open: over, closed by this side, or not yet."""
        return self.websocket.closed_error()

    @property
    def state(self) -> WebSocketState:
        """Where the connection stands; for whoever looks, not for whoever drives it."""
        return self.websocket.state

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self.websocket.state is WebSocketState.OPEN

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
