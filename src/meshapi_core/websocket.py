"""One WebSocket connection of a client as a machine: bytes in, messages out, and the reverse.

Theory of operation. The upgrade is HTTP and goes through `HTTP11Connection`, so that its limits
and its errors are those of any other call; the frames go through wsproto, but for texts that are
whole and short, which are nearly all and have a way of their own, in and out. The states:

    NEW ──connect──▶ CONNECTING ──101──▶ OPEN ──close()──▶ CLOSING ──Close or end──▶ CLOSED
     └──────────────start────────────────▲└──Close, end, or a fault of the peer────────▲
                        └──anything else──▶ FAILED

What is added to wsproto, which reads and writes frames and leaves the rest open:

- a limit on messages, judged by the header of a frame, before the message is there;
- limits on pongs that wait to be sent, and on frames that bring nothing; no answer after a Close;
- an end that is said once: after a fault of the peer its Close code goes out, the buffers are
  dropped, and `next_message` gives the same `Closed` for ever;
- no compression: wsproto inflates without a limit, and audio in base64 gains little.

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

Source: https://www.rfc-editor.org/rfc/rfc6455, https://python-hyper.org/projects/wsproto
"""

from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Any, Optional, Union, cast

from msgspec import Struct
from msgspec.structs import replace
from typing_extensions import Buffer
from wsproto.frame_protocol import (
    CloseReason,
    Frame,
    FrameDecoder,
    FrameProtocol,
    MessageDecoder,
    Opcode,
    ParseFailed,
)
from wsproto.utilities import generate_accept_token

from meshapi_core._secret import SecretBytes
from meshapi_core.content_codings import readable
from meshapi_core.envelopes import error_from_reply
from meshapi_core.errors import (
    APIConnectionError,
    APITimeoutError,
    MeshAPIError,
    ProtocolError,
)
from meshapi_core.errors import RealtimeConnectionClosed as ConnectionClosed
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.http11 import HTTP11Connection, ResponseHead
from meshapi_core.messages import Reply, Request
from meshapi_core.redaction import conceal, concealed
from meshapi_core.signals import END_OF_BODY, NEED_DATA, NeedData
from meshapi_core.texts import GrowingText

__all__ = ["Closed", "WebSocketConnection"]

MAX_MESSAGE_SIZE = 64 * 1024 * 1024
"""Bytes of one message where nothing else is asked for: 15 minutes of 24 kHz PCM16 in base64."""

PING_INTERVAL = 20.0
PING_TIMEOUT = 20.0
"""Seconds; as with most WebSocket libraries, so below the idle limits of what stands between."""

HANDSHAKE_TIMEOUT = 60.0
"""Seconds for the answer to the upgrade: those of `Timeout.read` where nothing else is said."""

CLOSE_TIMEOUT = 5.0
"""Seconds for the answer to a Close: a peer has it at once, unless it has gone."""

# Between two ticks of the timer, without a message. Real peers send a few.
_MOST_CONTROL_FRAMES = 1_000
_MOST_EMPTY_FRAMES = 10_000

# Bytes of the answer to a refused upgrade: more than any error envelope, less than a flood.
_MAX_REFUSAL = 64 * 1024

# RFC 6455 section 7.4.1: stands for a Close that names none, and is never sent.
_NO_CODE = 1005

# A frame's first byte that says: text, in one frame; and the length that is said in two bytes.
_WHOLE_TEXT = 0x81
_TWO_BYTES = 126

# A frame's second byte that says: masked.
_MASKED = 0x80

# Characters of a text up to which masking it as one number is faster than wsproto's way: 2.0
# against 6.4 us for 20 bytes, 3.4 against 5.6 for 1 KiB, the same for 4 KiB (CPython 3.11).
_SHORT = 4096

# Answers to pings that wait to be sent; 2 KiB.
_MOST_PONGS = 16

_LONGEST_PING = 125
_LONGEST_REASON = 123


_NO_HEADERS = Headers()


class State(Enum):
    """Where a connection stands."""

    NEW = "new"
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    FAILED = "failed"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.NEW: frozenset({State.CONNECTING, State.OPEN, State.FAILED}),
    State.CONNECTING: frozenset({State.OPEN, State.FAILED}),
    State.OPEN: frozenset({State.CLOSING, State.CLOSED}),
    State.CLOSING: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
    State.FAILED: frozenset(),
}


class Closed(Struct, frozen=True, eq=False):
    """The connection is over; nothing follows.

    A host with a WebSocket of its own makes one of what that says about its end: in a browser
    `Closed(event.code, event.reason, event.wasClean)`.

    Fields:
        code: of the WebSocket close: the peer's, or ours where it broke the rules. 1005 stands
            for a Close without a code, 1006 for an end without a Close.
        reason: what was said about it, "" where nothing was.
        clean: whether both sides have said Close.
        error_code: what went wrong in one word: "connection_closed" where the peer closed,
            "disconnected" for an end without a Close, "ping_timeout", "message_too_big",
            "bad_frame", "bad_text", "flood".
        headers: of the answer to the upgrade, for the error; two ends are equal without it.
    """

    code: int
    reason: str = ""
    clean: bool = False
    error_code: str = "connection_closed"
    headers: Headers = _NO_HEADERS

    @property
    def is_normal(self) -> bool:
        """Whether it ended as it should: with 1000, 1001, or a Close without a code."""
        return self.clean and self.code in (1000, 1001, _NO_CODE)

    def error(self) -> Optional[ConnectionClosed]:
        """The error that the end is; None where it is none, but a normal end (`is_normal`)."""
        return None if self.is_normal else as_error(self)

    def _facts(self) -> tuple[int, str, bool, str]:
        return self.code, self.reason, self.clean, self.error_code

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Closed) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def __repr__(self) -> str:
        code, reason, clean, error_code = self._facts()
        return f"Closed({code}, {reason!r}, clean={clean}, error_code={error_code!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Else rich shows the header fields, too.
        return [("code", self.code), ("reason", self.reason), ("clean", self.clean)]


def as_error(closed: Closed) -> ConnectionClosed:
    """Return the error for whoever uses a connection that is over, a normal end or not."""
    return ConnectionClosed(
        closed.code,
        closed.reason,
        clean=closed.clean,
        error_code=closed.error_code,
        request_id=find_request_id(closed.headers),
        headers=closed.headers,
    )


class WebSocketConnection:
    """One connection of a client, from its upgrade to its end.

    Args:
        max_message_size: bytes of one message; a larger one ends the connection with 1009.
        ping_interval: seconds of silence after which the peer is asked whether it is there; None
            does not ask.
        ping_timeout: seconds it has to answer; None waits for ever.
        handshake_timeout: seconds for the whole answer to the upgrade, from `connect` on; None
            waits for ever.
        close_timeout: seconds for the answer to a Close of this side; None waits for ever.
        random_bytes: gives so many bytes that nobody can predict, as `os.urandom` does, for the
            masks of short texts, which are faster made with it. Without it wsproto draws them.
    """

    def __init__(
        self,
        *,
        max_message_size: int = MAX_MESSAGE_SIZE,
        ping_interval: Optional[float] = PING_INTERVAL,
        ping_timeout: Optional[float] = PING_TIMEOUT,
        handshake_timeout: Optional[float] = HANDSHAKE_TIMEOUT,
        close_timeout: Optional[float] = CLOSE_TIMEOUT,
        random_bytes: Optional[Callable[[int], bytes]] = None,
    ) -> None:
        self.state = State.NEW
        self.subprotocol: Optional[str] = None
        """What the server chose; None before the upgrade, and where it chose none."""
        self.headers = Headers()
        """The header fields of the answer to the upgrade."""
        self.has_more = False
        """Whether `next_message` has stopped at its limit of frames, with data left to look at."""
        self._max_message_size = max_message_size
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._handshake_timeout = handshake_timeout
        self._close_timeout = close_timeout
        self._timer = inf
        self._random_bytes = random_bytes
        self._http: Optional[HTTP11Connection] = None
        self._request: Optional[Request] = None
        self._refusal: Optional[ResponseHead] = None
        self._refusal_body = bytearray()
        self._writer = FrameProtocol(client=True, extensions=[])
        self._closed: Optional[Closed] = None
        self._error: Optional[MeshAPIError] = None
        self._secrets: tuple[str, ...] = ()
        self._pongs: list[bytes] = []
        self._outgoing = b""
        self._ended = False
        self._lost_code = "disconnected"
        self._lost_reason = ""
        self._heard = False
        self._pinged = False
        self._drop_buffers()

    def _drop_buffers(self) -> None:
        self._frames = FrameDecoder(client=True, extensions=[])
        self._messages = MessageDecoder()
        self._text = GrowingText()
        self._binary = bytearray()
        self._size = 0
        self._control_frames = 0
        self._empty_frames = 0

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self.state is State.OPEN

    @property
    def closed(self) -> Optional[Closed]:
        """How it ended; None before that."""
        return self._closed

    @property
    def timer(self) -> float:
        """The time at which to call `handle_timer`, on the clock that it is given.

        `-math.inf` is at once: the connection has not been told the time since it needs it, which
        is so after `connect` without a time, after the upgrade, when a ping was answered, and
        after `close`. `math.inf` is never: before `connect`, and at the end.
        """
        return self._timer

    # The upgrade.

    def connect(self, request: Request, now: Optional[float] = None) -> bytes:
        """Return the bytes of the upgrade request. From here the answer has `handshake_timeout`.

        Args:
            request: a GET with all the header fields of an upgrade, Sec-WebSocket-Key included.
            now: the time; without it, the limit begins with the first `handle_timer`.

        Raises:
            RuntimeError: it has been connected before: a connection is made for each.
        """
        self._check_new(State.NEW)
        self._move(State.CONNECTING)
        self._request = request
        self._secrets = request.secrets
        self._timer = -inf
        if now is not None:
            self.handle_timer(now)
        self._http = HTTP11Connection()
        return SecretBytes(b"".join(self._http.send(request)))

    def start(self, request: Request, headers: Headers, received: Buffer = b"") -> None:
        """Begin after an upgrade that somebody else has made.

        Args:
            request: what was sent.
            headers: of the answer, whose status was 101.
            received: what came behind it.

        Raises:
            ProtocolError: the answer is not what RFC 6455 asks for. Its `error_code`:
                handshake_upgrade, handshake_accept, handshake_subprotocol, handshake_extension.
            RuntimeError: it has been started before.
        """
        self._check_new(State.NEW, State.CONNECTING)
        self._secrets = request.secrets
        try:
            self.subprotocol = check_upgrade(request, headers)
        except ProtocolError as exc:
            self._give_up(exc)
            raise
        self.headers = headers
        self._http = None
        self._move(State.OPEN)
        self._timer = -inf
        self._frames.receive_bytes(bytes(received))

    def _shake_hands(self, http: HTTP11Connection, request: Request) -> Optional[NeedData]:
        """Go on with the upgrade; None when it is done."""
        while True:
            try:
                event = http.next_event()
            except APIConnectionError:
                if self._refusal is None:
                    raise
                event = END_OF_BODY
            if event is NEED_DATA:
                return NEED_DATA
            if isinstance(event, ResponseHead):
                if event.status == 101:
                    self.start(request, event.headers, http.trailing_data)
                    return None
                self._refusal = event
            elif isinstance(event, bytes):
                self._refusal_body += event
            if event is END_OF_BODY or len(self._refusal_body) > _MAX_REFUSAL:
                raise self._refused()

    def _refused(self) -> MeshAPIError:
        assert self._refusal is not None
        head, body = self._refusal, bytes(self._refusal_body)
        reply, _ = readable(Reply(head.status, head.headers, body))
        return refused_upgrade(reply)

    # What comes in.

    def receive_data(self, data: Buffer) -> None:
        """Take received bytes, cut anywhere; `b""` is the end of input.

        Args:
            data: bytes, a bytearray or a memoryview, which may be used again afterwards.
        """
        data = bytes(data)
        if self._ended or self.state in (State.CLOSED, State.FAILED):
            return
        self._heard = True
        if self._pinged:
            # It lives: from here the silence counts anew.
            self._pinged, self._timer = False, -inf
        self._ended = not data
        if self._http is not None:
            self._http.receive_data(data)
        elif data:
            self._frames.receive_bytes(data)

    def next_message(self, frames: Optional[int] = None) -> Union[str, bytes, Closed, NeedData]:
        """The next message, text as str and binary as bytes; then how the connection ended.

        Args:
            frames: how many to look at before `NEED_DATA` says that none of them ended a message:
                a peer can send 170,000 in half a MiB, which take seconds. Where `has_more` is
                True then, call again, before or after more data; None looks at all there is.

        Raises:
            MeshAPIError: the upgrade failed: the typed error of an HTTP answer that refuses it,
                ProtocolError, APIConnectionError, APITimeoutError (phase "read"). It is raised
                again for whoever asks again.
        """
        if self._error is not None:
            raise self._error
        if self._http is not None and self._request is not None:
            try:
                if self._shake_hands(self._http, self._request) is NEED_DATA:
                    return NEED_DATA
            except MeshAPIError as exc:
                self._give_up(exc)
                raise
        try:
            return self._closed or self._read_on(frames)
        except ParseFailed as exc:
            if exc.code == CloseReason.INVALID_FRAME_PAYLOAD_DATA:
                # Python's words would say where in a piece, so depend on how the bytes were cut.
                return self._fail(1007, "text that is not UTF-8", "bad_text")
            return self._fail(int(exc.code), str(exc), "bad_frame")

    def _read_on(self, most: Optional[int]) -> Union[str, bytes, Closed, NeedData]:
        frames = self._frames
        received = frames.buffer.buffer
        self.has_more = False
        while True:
            if not received:
                # wsproto would say the same, but not as soon.
                return self._lost() if self._ended else NEED_DATA
            if most is not None:
                if most == 0:
                    self.has_more = True
                    return NEED_DATA
                most -= 1
            if frames.header is None and self._messages.opcode is None:
                text = self._text_at_once()
                if text is not None:
                    if self.state is State.OPEN:
                        return text
                    continue
            frame = frames.process_buffer()
            message: Union[None, str, bytes, Closed]
            if frame is not None and frame.opcode.iscontrol():
                message = self._control(frame)
            else:
                if frame is not None:
                    self._size += len(frame.payload)
                if self._is_too_big():
                    message = self._too_big()
                elif frame is None:
                    return self._lost() if self._ended else NEED_DATA
                else:
                    message = self._assemble(frame)
            # Nothing but the end matters to a side that has said Close.
            if message is not None and (self.state is State.OPEN or self._closed is not None):
                return message

    def _text_at_once(self) -> Optional[str]:
        """The next message, where it is a text in one frame, and that frame is there.

        Most are: this is the same as what wsproto does with them, without what it does for all
        others. Whatever is unusual in any way stays where it is, and wsproto judges it.
        """
        data = self._frames.buffer.buffer
        if len(data) < 2 or data[0] != _WHOLE_TEXT:
            return None
        size, start = data[1], 2
        if size == _TWO_BYTES:
            size, start = int.from_bytes(data[2:4], "big"), 4
            if size < _TWO_BYTES:
                return None  # too long a way to say it, or not all of it
        elif size > _TWO_BYTES:
            return None
        end = start + size
        if len(data) < end or size > self._max_message_size:
            return None
        try:
            text = str(data[start:end], "utf-8")
        except UnicodeDecodeError:
            return None
        del data[:end]
        self._control_frames = self._empty_frames = 0
        return text

    def _is_too_big(self) -> bool:
        """Whether what has come of a message, and what its frame announces, is too much."""
        frames = self._frames
        header = frames.header
        if header is None or header.opcode.iscontrol():
            return self._size > self._max_message_size
        coming = header.payload_len - frames.payload_consumed
        return self._size + coming > self._max_message_size

    def _assemble(self, frame: Frame) -> Union[None, str, bytes, Closed]:
        """Take a part of a message; the message, where it is the last part."""
        ends = frame.frame_finished and frame.message_finished
        if frame.payload:
            self._control_frames = self._empty_frames = 0
        elif not ends:
            self._empty_frames += 1
            if self._empty_frames > _MOST_EMPTY_FRAMES:
                return self._flooded("empty frames")
        frame = self._messages.process_frame(frame)
        if frame.opcode is Opcode.TEXT:
            self._text.add(cast(str, frame.payload))
        else:
            self._binary += cast(bytes, frame.payload)
        return self._whole(frame.opcode) if ends else None

    def _whole(self, opcode: Opcode) -> Union[str, bytes]:
        self._size = 0
        if opcode is Opcode.TEXT:
            text = self._text.value() or ""
            self._text.clear()
            return text
        binary, self._binary = bytes(self._binary), bytearray()
        return binary

    def _control(self, frame: Frame) -> Optional[Closed]:
        payload = cast(bytes, frame.payload)
        if frame.opcode is Opcode.CLOSE:
            return self._closed_by_peer(payload)
        self._control_frames += 1
        if self._control_frames > _MOST_CONTROL_FRAMES:
            return self._flooded("control frames")
        if frame.opcode is Opcode.PING and self.state is State.OPEN:
            if len(self._pongs) == _MOST_PONGS:
                # A pong answers for the pings before it, too (RFC 6455 section 5.5.3).
                self._pongs.pop()
            self._pongs.append(payload)
        return None

    def _closed_by_peer(self, payload: bytes) -> Closed:
        code, reason = _read_close(payload)
        if self.state is State.OPEN:
            echo = None if code == _NO_CODE else code
            self._outgoing = bytes(self._writer.close(echo))
        return self._end(Closed(code, reason, clean=True))

    # What goes out.

    def send_text(self, text: str) -> bytes:
        """Return the bytes of a text message.

        Raises:
            RealtimeConnectionClosed: the connection is not open.
        """
        self._check_open()
        if self._random_bytes is not None and len(text) <= _SHORT:
            return _text_frame(text.encode("utf-8"), self._random_bytes(4))
        return bytes(self._writer.send_data(text))

    def send_bytes(self, data: bytes) -> bytes:
        """Return the bytes of a binary message. Raises as `send_text` does."""
        self._check_open()
        return bytes(self._writer.send_data(data))

    def ping(self, payload: bytes = b"") -> bytes:
        """Return the bytes of a ping, with up to 125 bytes in it. Raises as `send_text` does."""
        self._check_open()
        if len(payload) > _LONGEST_PING:
            raise ValueError(f"payload: expected at most 125 bytes, got {len(payload)}")
        return bytes(self._writer.ping(payload))

    def close(self, code: int = 1000, reason: str = "") -> bytes:
        """Return the bytes that say Close; none where that was said, or there is no connection.

        What the peer still sends is passed over from now on; `Closed` follows when it has
        answered.

        Raises:
            TypeError, ValueError: the code or the reason is not one that may be sent.
        """
        self.check_close(code, reason)
        if self.state is not State.OPEN:
            return b""
        self._move(State.CLOSING)
        self._timer, self._pinged = -inf, False
        self._pongs.clear()
        self._outgoing = b""
        return bytes(self._writer.close(code, reason))

    @staticmethod
    def check_close(code: object, reason: object) -> None:
        """Raise unless a Close may carry these.

        Raises:
            TypeError, ValueError: as the name of the error says.
        """
        if isinstance(code, bool) or not isinstance(code, int):
            raise TypeError(f"code: expected int, got {type(code).__name__}")
        if not isinstance(reason, str):
            raise TypeError(f"reason: expected str, got {type(reason).__name__}")
        if not (code in _SENDABLE or 3000 <= code <= 4999):
            raise ValueError("code: expected 1000 to 1003, 1007 to 1014, or 3000 to 4999")
        try:
            size = len(reason.encode("utf-8"))
        except UnicodeEncodeError:
            raise ValueError("reason: expected text that UTF-8 can hold") from None
        if size > _LONGEST_REASON:
            expected = f"at most {_LONGEST_REASON} bytes of UTF-8"
            raise ValueError(f"reason: expected {expected}, got {size}")

    def data_to_send(self) -> bytes:
        """Return the bytes that the peer must get because of what it sent; they are given once."""
        data = b""
        if self._pongs:
            data = b"".join(map(self._writer.pong, self._pongs))
            self._pongs.clear()
        if self._outgoing:
            data, self._outgoing = data + self._outgoing, b""
        return data

    # Time.

    def handle_timer(self, now: float) -> None:
        """Look at the clock: at any time, at the latest when `timer` is over.

        An upgrade that has not been answered whole by then has failed, which `next_message` says.
        A peer that was silent for the whole of `ping_interval` is sent a ping (`data_to_send`),
        one that is silent for `ping_timeout` after that has gone, and so has one that does not
        answer a Close within `close_timeout`. What was received, but not yet read by
        `receive_data`, does not count: read before this is called.
        """
        if now < self._timer:
            return
        if self.state is State.CONNECTING:
            self._time_handshake(now)
        elif self.state is State.CLOSING:
            self._time_close(now)
        elif self._timer == -inf:
            self._wait(now)
        elif self.state is State.OPEN:
            self._control_frames = self._empty_frames = 0
            if self._heard or self._ping_interval is None:
                self._wait(now)
            elif not self._pinged:
                self._outgoing += bytes(self._writer.ping())
                if self._ping_timeout is None:
                    self._wait(now)
                else:
                    self._pinged, self._timer = True, now + self._ping_timeout
            else:
                reason = f"no sign of life within {self._ping_timeout} s of a ping"
                self._fail(1011, reason, "ping_timeout")

    def _time_close(self, now: float) -> None:
        limit = self._close_timeout
        if limit is None:
            self._timer = inf
        elif self._timer == -inf:
            self._timer = now + limit
        else:
            # The answer may have come, and nobody has looked at it. Nothing else matters now.
            self.next_message()
            self.abandon("disconnected", "the close was not answered")

    def _time_handshake(self, now: float) -> None:
        limit = self._handshake_timeout
        if limit is None:
            self._timer = inf
            return
        if self._timer == -inf:
            self._timer = now + limit
            return
        assert self._http is not None
        assert self._request is not None
        try:
            # The answer may have come, and nobody has looked at it.
            if self._shake_hands(self._http, self._request) is None:
                return
            if self._refusal is not None:
                # It has said no: that is known, and what it said about it is not waited for.
                raise self._refused()
            late = f"the upgrade to a WebSocket was not answered within {limit} s"
            raise APITimeoutError(late, phase="read")
        except MeshAPIError as exc:
            self._give_up(exc)

    def _wait(self, now: float) -> None:
        self._heard = self._pinged = False
        interval = self._ping_interval
        self._timer = now + (PING_INTERVAL if interval is None else interval)

    # The end.

    def connection_lost(self, error_code: str, reason: str = "") -> None:
        """Take note of why input ends, where that is known; instead of `receive_data(b"")`.

        Messages that have been received are still given out before the end is.
        """
        if not self._ended:
            self._lost_code, self._lost_reason = error_code, reason
            self.receive_data(b"")

    def abandon(self, error_code: str, reason: str = "") -> None:
        """End at once: what was received and not yet read is dropped. Harmless at the end."""
        if self.state in (State.OPEN, State.CLOSING):
            self._end(Closed(1006, reason, error_code=error_code))

    def closed_error(self) -> ConnectionClosed:
        """The error for a connection that is not open: over, closed by this side, or not yet."""
        closed = self._closed
        if closed is None and self.state is State.CLOSING:
            closed = self._with_headers(CLOSED_BY_US)
        elif closed is None:
            closed = Closed(1006, "the upgrade failed, or is not done", error_code="disconnected")
        return as_error(closed)

    def _with_headers(self, closed: Closed) -> Closed:
        """The same end, with what there is to know of the connection, and without secrets."""
        reason = concealed(closed.reason, self._secrets)
        known = conceal(as_error(replace(closed, headers=self.headers)), self._secrets)
        return replace(closed, reason=reason, headers=Headers(known.headers))

    def _too_big(self) -> Closed:
        limit = self._max_message_size
        return self._fail(1009, f"a message of more than {limit} bytes", "message_too_big")

    def _flooded(self, what: str) -> Closed:
        return self._fail(1008, f"a flood of {what}", "flood")

    def _lost(self) -> Closed:
        return self._end(Closed(1006, self._lost_reason, error_code=self._lost_code))

    def _fail(self, code: int, reason: str, error_code: str) -> Closed:
        """The peer is at fault: tell it, once, and listen no more."""
        if self.state is State.OPEN:
            self._pongs.clear()
            self._outgoing = bytes(self._writer.close(code, reason))
        return self._end(Closed(code, reason, error_code=error_code))

    def _end(self, closed: Closed) -> Closed:
        self._move(State.CLOSED)
        self._timer = inf
        self._closed = closed = self._with_headers(closed)
        self._drop_buffers()
        return closed

    def _give_up(self, error: MeshAPIError) -> None:
        if self.state is not State.FAILED:
            self._move(State.FAILED)
        self._timer = inf
        self._error = conceal(error, self._secrets)
        self._http = None
        self._refusal_body.clear()

    def _check_new(self, *states: State) -> None:
        if self.state not in states:
            raise RuntimeError("this connection has been used: make another one")

    def _check_open(self) -> None:
        if self.state is not State.OPEN:
            raise self.closed_error()

    def _move(self, state: State) -> None:
        assert state in TRANSITIONS[self.state], (self.state, state)
        self.state = state


def refused_upgrade(reply: Reply) -> MeshAPIError:
    """Return the error of an upgrade that was answered with something else than 101."""
    status, headers = reply.status, reply.headers
    if 200 <= status < 300:
        return ProtocolError(
            f"the server answered HTTP {status} and did not switch to a WebSocket",
            status=status,
            error_code="handshake_status",
            request_id=find_request_id(headers),
            headers=headers,
        )
    return error_from_reply(status, headers, reply.body, received_at=reply.received_at)


CLOSED_BY_US = Closed(1000, "closed by this side", clean=True)
"""The end for whoever uses a connection that this side has closed, before the peer has answered."""

# https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
_SENDABLE = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


def _text_frame(payload: bytes, mask: bytes) -> bytes:
    """Return a text in one frame, masked.

    Source: https://www.rfc-editor.org/rfc/rfc6455 sections 5.2 and 5.3
    """
    size = len(payload)
    if size < _TWO_BYTES:
        head = bytes((_WHOLE_TEXT, _MASKED | size))
    else:
        head = bytes((_WHOLE_TEXT, _MASKED | _TWO_BYTES)) + size.to_bytes(2, "big")
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    masked = int.from_bytes(payload, "little") ^ key
    return head + mask + masked.to_bytes(size, "little")


def _read_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a Close frame.

    Source: https://www.rfc-editor.org/rfc/rfc6455 sections 5.5.1 and 7.4
    """
    if not payload:
        return _NO_CODE, ""
    if len(payload) == 1:
        raise ParseFailed("a Close of one byte")
    code = int.from_bytes(payload[:2], "big")
    if not (code in _SENDABLE or 3000 <= code <= 4999):
        raise ParseFailed(f"a Close with the code {code}")
    try:
        return code, payload[2:].decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ParseFailed(str(exc), CloseReason.INVALID_FRAME_PAYLOAD_DATA) from None


def check_upgrade(request: Request, headers: Headers) -> Optional[str]:
    """Return the subprotocol that a 101 chose, None where it chose none.

    Raises:
        ProtocolError: the answer is not one to this request.

    Source: https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    """
    sent = dict(request.headers)
    if headers.get("upgrade", "").strip().lower() != "websocket":
        raise _bad_handshake("upgrade", "it does not upgrade to websocket")
    if "upgrade" not in _words(headers.get("connection", "").lower()):
        raise _bad_handshake("upgrade", "its Connection field does not say upgrade")
    expected = generate_accept_token(sent["sec-websocket-key"].encode("ascii")).decode("ascii")
    # Joined, so that a second one is no match.
    if headers.get("sec-websocket-accept", "").strip() != expected:
        raise _bad_handshake("accept", "its Sec-WebSocket-Accept does not fit the key")
    if headers.get("sec-websocket-extensions", "").strip():
        raise _bad_handshake("extension", "it chose an extension that was not offered")
    chosen = headers.get("sec-websocket-protocol", "").strip()
    if chosen and chosen not in _words(str.__str__(sent.get("sec-websocket-protocol", ""))):
        raise _bad_handshake("subprotocol", "it chose a subprotocol that was not offered")
    return chosen or None


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",")]


def _bad_handshake(what: str, why: str) -> ProtocolError:
    return ProtocolError(
        f"the answer to the WebSocket upgrade is wrong: {why}", error_code=f"handshake_{what}"
    )
