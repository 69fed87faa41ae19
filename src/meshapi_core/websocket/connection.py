"""One WebSocket connection of a client, as a machine: bytes in and messages out, and back.

Theory of operation. A connection holds smaller machines and decides which one is used: `Handshake`
until the 101, `FrameReader` and `FrameWriter` after it, `Timeouts` throughout. It adds the states,
what the peer must be sent in response, and the end:

    NEW ──connect──▶ CONNECTING ──101──▶ OPEN ──close()──▶ CLOSING ──Close or end──▶ CLOSED
     └──────────────start────────────────▲└──Close, end, or a fault of the peer────────▲
                        └──anything else──▶ FAILED

- Pings get their pongs when the host takes `data_to_send`. If there are too many, only the first
  ones and the last one do. After our Close nothing more is sent (RFC 6455, section 5.5.1).
- There is one end. After a fault of the peer, a Close with the code of the fault goes out, the
  buffers are dropped, and `next_message` returns the same `Closed` from then on.
- If the server quotes a secret of the request, no error and no `Closed` shows it.

    connection = WebSocketConnection()
    write(connection.connect(request, now()))
    while True:
        event = connection.next_message()
        write(connection.data_to_send())         # pongs, pings or a Close; often nothing
        if event is NEED_DATA:
            if (data := read(until=connection.timer)) is None:
                connection.handle_timer(now())
            else:
                connection.receive_data(data)    # b"" at the end of input
        elif isinstance(event, Closed): break    # event.error() says why
        else: ...                                # str or bytes: a message

`timer` is the time at which to call `handle_timer`. That gives up an upgrade without a response,
pings a silent peer, and gives up a peer that stays silent or does not respond to a Close. Sending
while `is_open` is False raises `RealtimeConnectionClosed`.

Source: https://www.rfc-editor.org/rfc/rfc6455
"""

from collections.abc import Callable
from enum import Enum
from typing import Optional, Union

from typing_extensions import Buffer, Unpack

from meshapi_core.errors import MeshAPIError, ProtocolError, RealtimeConnectionClosed
from meshapi_core.headers import Headers
from meshapi_core.messages import Request
from meshapi_core.redaction import conceal
from meshapi_core.signals import NEED_DATA, NeedData
from meshapi_core.websocket.closing import (
    CLOSED_BY_US,
    LOST,
    Closed,
    as_error,
    check_close,
    with_headers,
)
from meshapi_core.websocket.frames import (
    MAX_MESSAGE_SIZE,
    ApplyMask,
    FrameReader,
    FrameWriter,
)
from meshapi_core.websocket.handshake import Handshake, Upgraded, check_upgrade
from meshapi_core.websocket.timeouts import Phase, TimeLimits, TimeoutAction, Timeouts

__all__ = ["WebSocketConnection"]


class WebSocketState(Enum):
    """The states of a connection."""

    NEW = "new"
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    FAILED = "failed"


TRANSITIONS: dict[WebSocketState, frozenset[WebSocketState]] = {
    WebSocketState.NEW: frozenset(
        {WebSocketState.CONNECTING, WebSocketState.OPEN, WebSocketState.FAILED}
    ),
    WebSocketState.CONNECTING: frozenset({WebSocketState.OPEN, WebSocketState.FAILED}),
    WebSocketState.OPEN: frozenset({WebSocketState.CLOSING, WebSocketState.CLOSED}),
    WebSocketState.CLOSING: frozenset({WebSocketState.CLOSED}),
    WebSocketState.CLOSED: frozenset(),
    WebSocketState.FAILED: frozenset(),
}

# What each state waits for. While OPEN, `Timeouts` itself goes back and forth to PINGED.
_PHASES = {
    WebSocketState.CONNECTING: Phase.UPGRADING,
    WebSocketState.OPEN: Phase.TALKING,
    WebSocketState.CLOSING: Phase.CLOSING,
    WebSocketState.CLOSED: Phase.OFF,
    WebSocketState.FAILED: Phase.OFF,
}

_OVER = (WebSocketState.CLOSED, WebSocketState.FAILED)

# Used for each message. Up to Python 3.11, looking a member up on its Enum takes ten times as long.
_OPEN = WebSocketState.OPEN
_PINGED = Phase.PINGED

_USED = "this connection has been used already: make a new one for each upgrade"

# The end of a connection about which nothing else is known, and of one that was never open.
_LOST = Closed(LOST, error_code="disconnected")
_NOT_OPEN = Closed(
    LOST, "the upgrade to WebSocket failed, or is not complete", error_code="disconnected"
)


class WebSocketConnection:
    """One connection of a client, from its upgrade to its end.

    Args:
        max_message_size: bytes of one message; a larger one ends the connection with 1009.
        random_bytes: makes masking keys, like `os.urandom`; without it wsproto masks, slowly.
        apply_mask: masks messages of any length, in C. Without it wsproto masks the long ones.
        limits: the time limits, in seconds; see `meshapi_core.websocket.timeouts.TimeLimits`.

    Attributes:
        state: the current state, for inspection; a host does not need it.
        subprotocol: what the server chose; None before the upgrade, or if it chose none.
        headers: the headers of the response to the upgrade.
        closed: how the connection ended; None before that.
        data_to_send: returns the queued bytes, each of them once: pongs, then a ping or a Close.
        reader, timeouts: the machines for received frames and for time limits, for inspection.
    """

    def __init__(
        self,
        *,
        max_message_size: int = MAX_MESSAGE_SIZE,
        random_bytes: Optional[Callable[[int], bytes]] = None,
        apply_mask: Optional[ApplyMask] = None,
        **limits: Unpack[TimeLimits],
    ) -> None:
        self.state = WebSocketState.NEW
        self.subprotocol: Optional[str] = None
        self.headers = Headers()
        self.closed: Optional[Closed] = None
        self.reader = FrameReader(max_message_size)
        self.timeouts = Timeouts(**limits)
        self._writer = FrameWriter(self.reader.pings, random_bytes, apply_mask)
        self.data_to_send = self._writer.data_to_send
        self._handshake: Optional[Handshake] = None  # while CONNECTING
        self._error: Optional[MeshAPIError] = None  # when FAILED
        self._secrets: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent now."""
        return self.state is WebSocketState.OPEN

    @property
    def has_more(self) -> bool:
        """Whether `next_message` stopped at its limit of frames, with data left to read."""
        return self.reader.has_more

    @property
    def timer(self) -> float:
        """The time at which to call `handle_timer`: `-math.inf` means at once, `math.inf` never."""
        return self.timeouts.at

    def connect(self, request: Request, now: Optional[float] = None) -> bytes:
        """Return the bytes of the upgrade request. From now on `handshake_timeout` is running.

        Args:
            request: a GET with all the headers of an upgrade, including Sec-WebSocket-Key.
            now: the time; without it, the limit starts with the first `handle_timer`.

        Raises:
            RuntimeError: this connection has been used already.
        """
        if self.state is not WebSocketState.NEW:
            raise RuntimeError(_USED)
        self._secrets = request.secrets
        self._move(WebSocketState.CONNECTING)
        self._handshake = Handshake(request)
        if now is not None:
            self.handle_timer(now)
        return self._handshake.send()

    def start(self, request: Request, headers: Headers, received: Buffer = b"") -> None:
        """Begin after an upgrade that the host has made itself.

        Args:
            request: the upgrade request that was sent.
            headers: the headers of its response, whose status was 101.
            received: the bytes that arrived after the response.

        Raises:
            ProtocolError: the response is not what RFC 6455 asks for (see `check_upgrade`).
            RuntimeError: this connection has been used already.
        """
        if self.state not in (WebSocketState.NEW, WebSocketState.CONNECTING):
            raise RuntimeError(_USED)
        self._secrets = request.secrets
        try:
            chosen = check_upgrade(request, headers)
        except ProtocolError as exc:
            self._give_up(exc)
            raise
        self._open(Upgraded(chosen, headers, bytes(received)))

    def _open(self, upgraded: Upgraded) -> None:
        self._handshake = None
        self.subprotocol, self.headers = upgraded.subprotocol, upgraded.headers
        self.reader.receive_data(upgraded.received)
        self._move(WebSocketState.OPEN)

    def _give_up(self, error: MeshAPIError) -> None:
        self._handshake = None
        self._error = conceal(error, self._secrets)
        self._move(WebSocketState.FAILED)

    def receive_data(self, data: Buffer) -> None:
        """Take received bytes, cut anywhere; `b""` is the end of input.

        Args:
            data: bytes, a bytearray or a memoryview; it is copied, so it may be reused at once.
        """
        data = bytes(data)
        if self.reader.lost is not None or self.state in _OVER:
            return
        self.timeouts.heard = True
        if self.timeouts.phase is _PINGED:
            # Any byte shows that the peer is alive, not only a pong.
            self.timeouts.begin(Phase.TALKING)
        if not data:
            self.reader.lost = _LOST
        if self._handshake is not None:
            self._handshake.receive_data(data)
        elif data:
            self.reader.receive_data(data)

    def next_message(self, frames: Optional[int] = None) -> Union[str, bytes, Closed, NeedData]:
        """Return the next message, text as str and binary as bytes; at the end, the `Closed`.

        Args:
            frames: the most frames to read before returning `NEED_DATA`: half a MiB may hold
                170,000, which take seconds. If `has_more` is True then, call again, before or
                after receiving more data. None reads all there is.

        Raises:
            MeshAPIError: the upgrade failed: the server refused it, its response was invalid, or
                none arrived in time. Every later call raises the same error.
        """
        if self._error is not None:
            raise self._error
        if self.closed is not None:
            return self.closed
        try:
            if self._handshake is not None:
                upgraded = self._handshake.next_event()
                if upgraded is NEED_DATA:
                    return NEED_DATA
                self._open(upgraded)
            message = self.reader.next_message(frames)
        except MeshAPIError as exc:
            self._give_up(exc)
            raise
        return self._end(message) if isinstance(message, Closed) else message

    def send_text(self, text: str) -> bytes:
        """Return the bytes of a text message.

        Raises:
            RealtimeConnectionClosed: the connection is not open.
        """
        if self.state is not _OPEN:
            raise self.closed_error()
        return self._writer.text(text)

    def send_bytes(self, data: bytes) -> bytes:
        """Return the bytes of a binary message. Raises as `send_text` does."""
        if self.state is not _OPEN:
            raise self.closed_error()
        return self._writer.binary(data)

    def ping(self, payload: bytes = b"") -> bytes:
        """Return the bytes of a ping, with up to 125 bytes in it. Raises as `send_text` does."""
        if self.state is not _OPEN:
            raise self.closed_error()
        return self._writer.ping(payload)

    def close(self, code: int = 1000, reason: str = "") -> bytes:
        """Return the bytes of a Close; `b""` if one was sent already, or if nothing is open.

        Messages that still come are ignored; after the peer's Close, the `Closed` follows.

        Raises:
            TypeError, ValueError: the code or the reason must not be sent (see `check_close`).
        """
        check_close(code, reason)
        # Section 5.5.1: nothing follows a Close, so there is no second one.
        if self.state is not _OPEN:
            return b""
        self._move(WebSocketState.CLOSING)
        self.reader.ignore()
        return self._writer.close(code, reason)

    check_close = staticmethod(check_close)

    def handle_timer(self, now: float) -> None:
        """Check the time limits: at `timer` at the latest, after passing on what was received.

        An upgrade whose response is not complete in time has failed. A peer that was silent for
        all of `ping_interval` gets a ping (`data_to_send`). It counts as gone if it then stays
        silent for `ping_timeout`, or leaves a Close unanswered for `close_timeout`.
        """
        due = self.timeouts.due(now)
        if due is TimeoutAction.TICK or due is TimeoutAction.PING:
            self.reader.tick()
            if due is TimeoutAction.PING:
                self._writer.queue_ping()
        elif due is TimeoutAction.GONE:
            silence = f"nothing was received within {self.timeouts.limit} s of a ping"
            self._end(Closed(1011, silence, error_code="ping_timeout"))
        # For these two, what was waited for may have been received and not been read yet.
        elif due is TimeoutAction.NOT_CLOSED:
            self.next_message()
            self.abandon("disconnected", "the peer did not respond to the close")
        elif due is TimeoutAction.NOT_UPGRADED and self._handshake is not None:
            try:
                self._open(self._handshake.last_event(self.timeouts.limit))
            except MeshAPIError as exc:
                self._give_up(exc)

    def connection_lost(self, error_code: str, reason: str = "") -> None:
        """Record why input has ended; call it instead of `receive_data(b"")` if that is known.

        `next_message` still returns the messages that were received before, then the end.
        """
        if self.reader.lost is None:
            self.receive_data(b"")
            self.reader.lost = Closed(LOST, reason, error_code=error_code)

    def abandon(self, error_code: str, reason: str = "") -> None:
        """End at once, and drop what was received but not read. Does nothing after the end."""
        if self.state in (WebSocketState.OPEN, WebSocketState.CLOSING):
            self._end(Closed(LOST, reason, error_code=error_code))

    def closed_error(self) -> RealtimeConnectionClosed:
        """Return the error for a connection that is not open: not yet, or no longer."""
        over = CLOSED_BY_US if self.state is WebSocketState.CLOSING else _NOT_OPEN
        return as_error(self.closed or with_headers(over, self.headers, self._secrets))

    def _end(self, closed: Closed) -> Closed:
        # Section 5.5.1: respond to a Close, unless ours was sent. A lost peer would not receive it.
        if self.state is WebSocketState.OPEN and closed.code != LOST:
            self._writer.queue_close(closed)
        self.closed = closed = with_headers(closed, self.headers, self._secrets)
        self.reader.drop()
        self._move(WebSocketState.CLOSED)
        return closed

    def _move(self, state: WebSocketState) -> None:
        assert state in TRANSITIONS[self.state], (self.state, state)
        self.state = state
        self.timeouts.begin(_PHASES[state])
