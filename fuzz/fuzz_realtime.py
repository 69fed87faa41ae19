"""A realtime session against the reference: in one piece, in pieces, and byte by byte.

Input: one byte that seeds the cuts and whose bits say how the session is led (`Mode`), then what
the server sends: frames behind a 101 that is right, or the response to the upgrade itself.
"""

import random
import warnings
from codecs import IncrementalDecoder
from collections.abc import Iterable
from typing import NamedTuple, Optional

from held import held
from pieces import byte_by_byte, cut
from reference import websocket_reference

from meshapi_core import realtime
from meshapi_core.errors import (
    APIConnectionError,
    APIStatusError,
    MeshAPIError,
    ProtocolError,
    RealtimeConnectionClosed,
    RealtimeError,
    ResponseDecodeError,
    ResponseWarning,
)
from meshapi_core.messages import Origin, Request
from meshapi_core.signals import NEED_DATA
from meshapi_core.websocket.closing import Closed
from meshapi_core.websocket.connection import WebSocketState
from meshapi_core.websocket.frames import FrameReader

# `one` judges the documented errors itself, so nothing may come out of it.
ACCEPTED: tuple[type[Exception], ...] = ()

# The sample of RFC 6455 section 1.3, so that nothing here computes what it checks.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

REQUEST = Request(
    "GET",
    Origin("http", "localhost", 8000),
    "/v1/realtime?model=m",
    (
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
        ("sec-websocket-protocol", "openai-realtime"),
    ),
)

SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
)

DICTIONARY = (
    SWITCH,
    b"HTTP/1.1 101 \r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\n",
    b"HTTP/1.1 401 \r\nContent-Length: 2\r\n\r\n{}",
    b"Upgrade: websocket\r\n",
    b"Connection: keep-alive, Upgrade\r\n",
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n",
    b"Sec-WebSocket-Protocol: openai-realtime\r\n",
    b"Sec-WebSocket-Protocol: chat\r\n",
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n",
    b"\r\n",
    b"\x81\x02{}",
    b"\x01\x01{",
    b"\x00\x00",
    b"\x80\x01}",
    b"\x82\x02\x00\xff",
    b"\x82\x7e\x00\x7e",
    b"\x82\x7f\x40\x00\x00\x00\x00\x00\x00\x00",
    b"\x89\x01a",
    b"\x8a\x00",
    b"\x88\x00",
    b"\x88\x02\x03\xe8",
    b"\x88\x02\x03\xed",
    b"\x88\x05\x0f\xa0\xe2\x82\xac",
    b"\xe2\x82\xac",
    b"\xed\xa0\x80",
    b'{"type":"error","error":{"code":null,"message":"no"}}',
    b'{"type":"response.output_audio.delta","delta":"AAEC"}',
)

# One ping with all of its payload, and a part of the next frame's header.
LARGEST_BUFFER = 131
LARGEST_MESSAGE = 1 << 20

_NO_RESPONSE = (APIConnectionError, "disconnected")
_HANDSHAKE = frozenset(
    {
        "bad_response",
        "framing",
        "headers_too_large",
        "too_many_1xx",
        "handshake_accept",
        "handshake_extension",
        "handshake_status",
        "handshake_subprotocol",
        "handshake_upgrade",
    }
)
# The code of the Close that goes with each fault of the peer.
_FAULTS = {"message_too_big": 1009, "bad_frame": 1002, "bad_text": 1007, "flood": 1008}


class Mode(NamedTuple):
    """How a session is led.

    Fields:
        ends: the input ends behind the last byte.
        upgrades: the bytes start with the response to the upgrade; else that was a good one.
        small: messages may have 16 bytes.
        closes: this side says Close when it has got a message.
    """

    ends: bool
    upgrades: bool
    small: bool
    closes: bool

    @classmethod
    def of(cls, byte: int) -> "Mode":
        """The mode that the lowest bits of a byte stand for."""
        return cls(bool(byte & 1), bool(byte & 2), bool(byte & 4), bool(byte & 8))

    @property
    def limit(self) -> int:
        """Bytes of the largest message."""
        return 16 if self.small else LARGEST_MESSAGE


class Outcome(NamedTuple):
    """What a connection makes of the bytes that it receives.

    Fields:
        messages: text, audio and type of each.
        closed: how it ended, None where it did not, or not so.
        error: class, code and status of what the upgrade failed with.
        is_open: at the end.
        said_close: the payload of the Close that went out, None without one.
    """

    messages: list[tuple[Optional[str], Optional[bytes], str]]
    closed: Optional[Closed]
    error: Optional[tuple[type[MeshAPIError], str, int]]
    is_open: bool
    said_close: Optional[bytes]


def one(data: bytes) -> None:
    """Check one input.

    Raises:
        AssertionError: Two ways of reading the same bytes differ, or both from the reference, or
            an event or an error came that must not come, or something was sent that must not be.
    """
    mode = Mode.of(data[0] if data else 0)
    stream = data[1:]
    before = b"" if mode.upgrades else SWITCH
    expected = outcome(filter(None, [before + stream]), mode)
    if before:
        check_by_reference(expected, stream, mode)
    for pieces in (cut(stream, random.Random(data[:1])), byte_by_byte(stream)):
        actual = outcome(filter(None, [before, *pieces]), mode)
        assert actual == expected, f"{actual} is not {expected}, read as {pieces}"


def check_by_reference(got: Outcome, stream: bytes, mode: Mode) -> None:
    """Raise AssertionError unless frames behind an upgrade were read as the standard says."""
    messages, end = websocket_reference.read(stream, mode.limit, ends=mode.ends)
    said = mode.closes and bool(messages)
    if said:
        del messages[1:]
    assert [audio if text is None else text for text, audio, _ in got.messages] == messages
    closed = got.closed
    if closed is None or end is None:
        assert closed is end is None, f"{closed} is not {end}"
        assert got.said_close == (b"\x03\xe8" if said else None)
        return
    assert (closed.code, closed.error_code) == end[:2]
    if closed.clean:
        assert closed.reason == end.reason
        echo = b"" if closed.code == 1005 else closed.code.to_bytes(2, "big")
        assert got.said_close == (b"\x03\xe8" if said else echo)


def outcome(pieces: Iterable[bytes], mode: Mode) -> Outcome:
    """Return what a connection makes of the server's bytes.

    More bytes are received, and more is asked, after the end, too.
    """
    connection = realtime.RealtimeConnection(max_message_size=mode.limit)
    assert connection.connect(REQUEST)
    messages: list[tuple[Optional[str], Optional[bytes], str]] = []
    sent = bytearray()
    error: Optional[MeshAPIError] = None
    for piece in [*pieces, *([b""] if mode.ends else [])]:
        connection.receive_data(piece)
        try:
            _drain(connection, mode, messages, sent)
        except MeshAPIError as exc:
            error = exc
        _check_memory(connection, mode)
    if error is not None or connection.closed is not None:
        _check_the_end(connection, error)
    frames = client_frames(bytes(sent))
    closes = [payload for opcode, payload in frames if opcode == 8]
    assert len(closes) <= 1, "Close was said twice"
    assert not closes or frames[-1][0] == 8, "something was sent after Close"
    closed = connection.closed
    if closed is not None:
        _check_closed(closed, closes, mode)
    return Outcome(
        messages, closed, _kind(error), connection.is_open, closes[0] if closes else None
    )


def _drain(
    connection: realtime.RealtimeConnection,
    mode: Mode,
    messages: list[tuple[Optional[str], Optional[bytes], str]],
    sent: bytearray,
) -> None:
    closing = connection.state is WebSocketState.CLOSING
    while True:
        event = connection.next_event()
        sent += connection.data_to_send()
        if not isinstance(event, realtime.RealtimeMessage):
            break
        assert not closing, "a message after Close"
        _check_message(event, mode)
        messages.append((event.text, _audio(event), event.type))
        if mode.closes:
            sent += connection.close()
            closing = True
    assert event is NEED_DATA or event is connection.closed


def _audio(message: realtime.RealtimeMessage) -> Optional[bytes]:
    try:
        return message.audio
    except ResponseDecodeError:
        assert message.event
        return None


def _check_message(message: realtime.RealtimeMessage, mode: Mode) -> None:
    data = message.audio or b"" if message.text is None else message.text.encode("utf-8")
    assert len(data) <= mode.limit
    repr(message)
    error = message.error()
    assert (error is not None) == (message.type == "error")
    if error is not None:
        assert isinstance(error, RealtimeError)
        assert error.code
        str(error)
    with warnings.catch_warnings():
        # Whatever is odd in an event is told, and costs nothing else.
        warnings.simplefilter("ignore", ResponseWarning)
        try:
            typed = message.parse()
        except ResponseDecodeError:
            assert not message.event
        else:
            assert message.event
            repr(typed)


def _check_memory(connection: realtime.RealtimeConnection, mode: Mode) -> None:
    reader = connection.websocket.reader
    if connection.state in (WebSocketState.CLOSED, WebSocketState.FAILED):
        assert kept_by(reader) == 0
        assert not reader.pings
    else:
        assert kept_by(reader) <= mode.limit + LARGEST_BUFFER


def kept_by(reader: FrameReader) -> int:
    """Bytes that came and were not looked at, or are of a message that is not whole."""
    # A decoder of UTF-8 has three bytes at most, and the names of its settings.
    return held(reader, Closed, IncrementalDecoder) - held(reader.pings)


def _check_the_end(connection: realtime.RealtimeConnection, error: Optional[MeshAPIError]) -> None:
    for more in (SWITCH, b"\x81\x01a\x89\x00\x88\x00", b""):
        connection.receive_data(more)
        try:
            event = connection.next_event()
        except MeshAPIError as exc:
            assert exc is error
        else:
            assert error is None
            assert event is connection.closed
        assert connection.data_to_send() == b""
    assert connection.close() == b""
    assert not connection.is_open
    try:
        connection.send_text("")
    except RealtimeConnectionClosed:
        pass
    else:
        raise AssertionError("something could be sent after the end")


def _check_closed(closed: Closed, closes: list[bytes], mode: Mode) -> None:
    if closed.error_code in _FAULTS:
        code = _FAULTS[closed.error_code]
        assert (closed.code, closed.clean) == (code, False)
        if not mode.closes:
            assert closes, "the peer was not told"
            assert closes[0][:2] == code.to_bytes(2, "big")
    elif closed.clean:
        assert closed.error_code == "connection_closed"
        assert closes, "a Close got no response"
    else:
        assert closed == Closed(1006, error_code="disconnected")
        assert mode.ends
        assert not closes or mode.closes


def client_frames(data: bytes) -> list[tuple[int, bytes]]:
    """Return opcode and payload of the frames of a client: whole, masked and not in pieces."""
    frames: list[tuple[int, bytes]] = []
    while data:
        assert data[0] & 0x70 == 0
        assert data[0] & 0x80, "a fragment"
        assert data[1] & 0x80, "a frame without mask"
        size, place = data[1] & 0x7F, 2
        if size > 125:
            place = 4 if size == 126 else 10
            size = int.from_bytes(data[2:place], "big")
        mask, place = data[place : place + 4], place + 4
        payload = data[place : place + size]
        assert len(payload) == size, "an unfinished frame"
        frames.append((data[0] & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(payload))))
        data = data[place + size :]
    return frames


def _kind(error: Optional[MeshAPIError]) -> Optional[tuple[type[MeshAPIError], str, int]]:
    if error is None:
        return None
    kind, code = type(error), error.error_code
    if isinstance(error, APIStatusError):
        assert 300 <= error.status <= 599
    else:
        assert (kind, code) == _NO_RESPONSE or (kind is ProtocolError and code in _HANDSHAKE), error
    return kind, code, error.status
