"""A realtime session on one connection, as a machine: bytes and events in and out, no I/O.

Theory of operation. A `RealtimeConnection` wraps a `WebSocketConnection` and reads its messages:
JSON events, audio and text. Bytes, time limits and closing are up to the `WebSocketConnection`,
whose methods are passed through. `RealtimeExchange` decides whether to reconnect after a loss.

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
        else: ...                                # a RealtimeMessage; event.error() if it is one

A host that has its own WebSocket passes what it receives to `RealtimeMessage.of`, sends the text
that `RealtimeConnection.encode` returns, and describes the end with a `Closed`.
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
        websocket: the connection itself, whose methods a host may call directly.
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
        """Return the next message; at the end of the connection, its `Closed`.

        Args and Raises: as for `WebSocketConnection.next_message`.
        """
        event = self.websocket.next_message(frames)
        # The same as `RealtimeMessage.of`, with two calls less.
        if isinstance(event, str):
            return read_message(event)
        if isinstance(event, bytes):
            return read_binary_message(event)
        return event

    def send(self, event: Union[Mapping[str, Any], RealtimeClientEvent]) -> bytes:
        """Return the bytes that send an event.

        Raises:
            InvalidParamsError: the event is not a JSON object with a `type`.
            RealtimeConnectionClosed: the connection is not open.
        """
        return self.send_text(encode(event))

    def send_audio(self, pcm: Buffer) -> bytes:
        """Return the bytes that append audio, in the session's format, to the input buffer.

        Raises:
            InvalidParamsError: `pcm` is not bytes.
            RealtimeConnectionClosed: the connection is not open.
        """
        return self.send_text(encode_audio(pcm))

    # The methods below pass through to the WebSocket connection. A host with many events calls
    # those of `websocket` directly, and saves a call each time.

    def connect(self, request: Request, now: Optional[float] = None) -> bytes:
        """Return the bytes of the upgrade request. See `WebSocketConnection.connect`."""
        return self.websocket.connect(request, now)

    def start(self, request: Request, headers: Headers, received: Buffer = b"") -> None:
        """Begin after an upgrade that the host has made. See `WebSocketConnection.start`."""
        self.websocket.start(request, headers, received)

    def receive_data(self, data: Buffer) -> None:
        """Take received bytes, cut anywhere; `b""` is the end of input."""
        self.websocket.receive_data(data)

    def data_to_send(self) -> bytes:
        """Return the queued bytes, each of them once: pongs, a ping or a Close."""
        return self.websocket.data_to_send()

    def handle_timer(self, now: float) -> None:
        """Check the time limits. Call it at `timer` at the latest; earlier calls do no harm."""
        self.websocket.handle_timer(now)

    def next_message(self, frames: Optional[int] = None) -> Union[str, bytes, Closed, NeedData]:
        """Return the next message as received. See `WebSocketConnection.next_message`."""
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
        """Return the bytes of a Close. See `WebSocketConnection.close`."""
        return self.websocket.close(code, reason)

    def connection_lost(self, error_code: str, reason: str = "") -> None:
        """Record why input has ended; call it instead of `receive_data(b"")` if that is known."""
        self.websocket.connection_lost(error_code, reason)

    def abandon(self, error_code: str, reason: str = "") -> None:
        """End at once, and drop what was received but not read. Does nothing after the end."""
        self.websocket.abandon(error_code, reason)

    def closed_error(self) -> RealtimeConnectionClosed:
        """Return the error for a connection that is not open: not yet, or no longer."""
        return self.websocket.closed_error()

    @property
    def state(self) -> WebSocketState:
        """The state of the connection, for inspection; a host does not need it."""
        return self.websocket.state

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent now."""
        return self.websocket.state is WebSocketState.OPEN

    @property
    def closed(self) -> Optional[Closed]:
        """How the connection ended; None before that."""
        return self.websocket.closed

    @property
    def timer(self) -> float:
        """The time at which to call `handle_timer`: `-math.inf` means at once, `math.inf` never."""
        return self._timeouts.at

    @property
    def has_more(self) -> bool:
        """Whether `next_event` stopped at its limit of frames, with data left to read."""
        return self._reader.has_more

    @property
    def headers(self) -> Headers:
        """The headers of the response to the upgrade."""
        return self.websocket.headers

    @property
    def subprotocol(self) -> Optional[str]:
        """What the server chose; None before the upgrade, or if it chose none."""
        chosen = self.websocket.subprotocol
        if chosen is not None and chosen.startswith(KEY_SUBPROTOCOL):
            # A server should not choose the token, but it may choose whatever was offered.
            return Secret(chosen)
        return chosen
