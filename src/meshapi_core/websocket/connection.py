"""One WebSocket connection of a client as a machine: bytes in, messages out, and the reverse.

Theory of operation. A connection holds three machines and says which of them is asked:
`Handshake` until the 101, `FrameReader` and `FrameWriter` from there, `Timeouts` all the time. Its
own are the states, the responses that the peer must get, and the end:

    NEW ──connect──▶ CONNECTING ──101──▶ OPEN ──close()──▶ CLOSING ──Close or end──▶ CLOSED
     └──────────────start────────────────▲└──Close, end, or a fault of the peer────────▲
                        └──anything else──▶ FAILED

- A ping is answered when the host takes `data_to_send`; of too many, the first and the last are.
  After a Close nothing is sent.
- The end is said once: after a fault of the peer its Close code goes out, the buffers are dropped,
  and `next_message` gives the same `Closed` for ever.
- What the server quotes of the request's secrets is in no error and no `Closed`.

    connection = WebSocketConnection()
    write(connection.connect(request, now()))
    while True:
        event = connection.next_message()
        write(connection.data_to_send())         # what the last event made necessary, if anything
        if event is NEED_DATA:
            if (data := read(until=connection.timer)) is None:
                connection.handle_timer(now())
            else:
                connection.receive_data(data)    # b"" at the end of input
        elif isinstance(event, Closed): break    # event.error() says why
        else: ...                                # str or bytes: a message

`timer` is the time at which `handle_timer` wants to be called: it gives up an upgrade that is not
answered, pings a silent peer, and gives up one that stays silent, or does not answer a Close. What
is sent while `is_open` is False raises `RealtimeConnectionClosed`.

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
    """Where a connection stands."""

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

# What is waited for in each of them; in OPEN for the answer to a ping, too.
_PHASES = {
    WebSocketState.CONNECTING: Phase.UPGRADING,
    WebSocketState.OPEN: Phase.TALKING,
    WebSocketState.CLOSING: Phase.CLOSING,
    WebSocketState.CLOSED: Phase.OFF,
    WebSocketState.FAILED: Phase.OFF,
}

_OVER = (WebSocketState.CLOSED, WebSocketState.FAILED)

# Looked up for each message. By the name of its class, a member takes ten times as long up to 3.11.
_OPEN = WebSocketState.OPEN
_PINGED = Phase.PINGED

_USED = "this connection has been used: make another one"

# The ends of a connection of which nothing else is known, and of one that was never open.
_LOST = Closed(LOST, error_code="disconnected")
_NOT_OPEN = Closed(LOST, "the upgrade failed, or is not done", error_code="disconnected")


class WebSocketConnection:
    """One connection of a client, from its upgrade to its end.

    Args:
        max_message_size: bytes of one message; a larger one ends the connection with 1009.
        random_bytes: `os.urandom` or the like, for masks; without it wsproto makes them, slowly.
        apply_mask: masks messages of any length, in C; without it wsproto masks the long ones.
        limits: in seconds; see `meshapi_core.websocket.timeouts.TimeLimits`.

    Attributes:
        state: where it stands; for whoever looks, not for whoever drives it.
        subprotocol: what the server chose; None before the upgrade, and where it chose none.
        headers: the header fields of the answer to the upgrade.
        closed: how it ended; None before that.
        data_to_send: returns the bytes that the peer must get because of what it sent; once.
        reader, timeouts: its parts for received frames and for the time; to be looked at only.
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
        # While CONNECTING; and why it is FAILED.
        self._handshake: Optional[Handshake] = None
        self._error: Optional[MeshAPIError] = None
        self._secrets: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self.state is WebSocketState.OPEN

    @property
    def has_more(self) -> bool:
        """Whether `next_message` has stopped at its limit of frames, with data left to look at."""
        return self.reader.has_more

    @property
    def timer(self) -> float:
        """The time at which to call `handle_timer`; `-math.inf` is at once, `math.inf` never."""
        return self.timeouts.at

    def connect(self, request: Request, now: Optional[float] = None) -> bytes:
        """Return the bytes of the upgrade request. From here the response has `handshake_timeout`.

        Args:
            request: a GET with all the header fields of an upgrade, Sec-WebSocket-Key included.
            now: the time; without it, the limit begins with the first `handle_timer`.

        Raises:
            RuntimeError: it has been connected before: a connection is made for each.
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
        """Begin after an upgrade that somebody else has made.

        Args:
            request: what was sent.
            headers: of the response, whose status was 101.
            received: what came behind it.

        Raises:
            ProtocolError: the response is not what RFC 6455 asks for (see `check_upgrade`).
            RuntimeError: it has been started before.
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
            data: bytes, a bytearray or a memoryview, which may be used again afterwards.
        """
        data = bytes(data)
        if self.reader.lost is not None or self.state in _OVER:
            return
        self.timeouts.heard = True
        if self.timeouts.phase is _PINGED:
            # It lives: from here the silence counts anew.
            self.timeouts.begin(Phase.TALKING)
        if not data:
            self.reader.lost = _LOST
        if self._handshake is not None:
            self._handshake.receive_data(data)
        elif data:
            self.reader.receive_data(data)

    def next_message(self, frames: Optional[int] = None) -> Union[str, bytes, Closed, NeedData]:
        """The next message, text as str and binary as bytes; then how the connection ended.

        Args:
            frames: how many to look at before `NEED_DATA` says that none of them ended a message:
                a peer can send 170,000 in half a MiB, which take seconds. Where `has_more` is
                True then, call again, before or after more data; None looks at all there is.

        Raises:
            MeshAPIError: the upgrade failed: the error of the response that refuses it, or what is
                wrong with it, or that there is none in time. It is raised again, too.
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
        """Return the bytes that say Close; none where that was said, or there is no connection.

        What the peer still sends is passed over; `Closed` follows when it has answered.

        Raises:
            TypeError, ValueError: the code or the reason is not one that may be sent.
        """
        check_close(code, reason)
        if self.state is not _OPEN:
            return b""
        self._move(WebSocketState.CLOSING)
        self.reader.ignore()
        return self._writer.close(code, reason)

    check_close = staticmethod(check_close)

    def handle_timer(self, now: float) -> None:
        """Look at the clock: at any time, at the latest when `timer` is over.

        An upgrade that is not answered whole has failed then. A peer that was silent for all of
        `ping_interval` is sent a ping (`data_to_send`); it has gone where it stays silent for
        `ping_timeout`, or does not answer a Close in `close_timeout`. Read what has come before.
        """
        due = self.timeouts.due(now)
        if due is TimeoutAction.TICK or due is TimeoutAction.PING:
            self.reader.tick()
            if due is TimeoutAction.PING:
                self._writer.queue_ping()
        elif due is TimeoutAction.GONE:
            silence = f"no sign of life within {self.timeouts.limit} s of a ping"
            self._end(Closed(1011, silence, error_code="ping_timeout"))
        # The answer to the other two may have come, and nobody has looked at it.
        elif due is TimeoutAction.NOT_CLOSED:
            self.next_message()
            self.abandon("disconnected", "the close was not answered")
        elif due is TimeoutAction.NOT_UPGRADED and self._handshake is not None:
            try:
                self._open(self._handshake.last_event(self.timeouts.limit))
            except MeshAPIError as exc:
                self._give_up(exc)

    def connection_lost(self, error_code: str, reason: str = "") -> None:
        """Take note of why input ends, where that is known; instead of `receive_data(b"")`.

        Messages that have been received are still given out before the end is.
        """
        if self.reader.lost is None:
            self.receive_data(b"")
            self.reader.lost = Closed(LOST, reason, error_code=error_code)

    def abandon(self, error_code: str, reason: str = "") -> None:
        """End at once: what was received and not yet read is dropped. Harmless at the end."""
        if self.state in (WebSocketState.OPEN, WebSocketState.CLOSING):
            self._end(Closed(LOST, reason, error_code=error_code))

    def closed_error(self) -> RealtimeConnectionClosed:
        """The error for a connection that is not open: over, closed by this side, or not yet."""
        over = CLOSED_BY_US if self.state is WebSocketState.CLOSING else _NOT_OPEN
        return as_error(self.closed or with_headers(over, self.headers, self._secrets))

    def _end(self, closed: Closed) -> Closed:
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
