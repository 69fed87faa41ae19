"""A WebSocket server that does what a test tells it to, down to the bytes.

    def script(peer):
        peer.event("session.created")
        assert peer.receive_event()["type"] == "session.update"
        peer.close(1011, "busy")

    async with connected(world, upgraded(script)) as (session, server):
        ...server.connections, server.requests

Frames are made and parsed here, so that they share nothing with the code under test. A server's
frames are not masked, a client's must be.

Source: https://www.rfc-editor.org/rfc/rfc6455 (sections 4.2.2 and 5.2)
"""

import base64
import hashlib
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Optional

from support.scripted_server import Peer, Received, Script, ScriptedServer

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MODEL = "openai/gpt-realtime"
SUBPROTOCOL = "openai-realtime"
REQUEST_ID = "req_01REALTIME"

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Frame(NamedTuple):
    """One frame of the client, unmasked."""

    opcode: int
    payload: bytes
    last: bool = True


@asynccontextmanager
async def connected(
    world: Any, *scripts: Script, client: Optional[dict[str, Any]] = None, **options: Any
) -> AsyncIterator[tuple[Any, ScriptedServer]]:
    """A session with a server that plays some scripts, and the server.

    Args:
        client: arguments of the client.
        options: of `connect`.
    """
    with ScriptedServer(*scripts) as server:
        caller = world.client(server.url, **(client or {}))
        async with caller, caller.realtime.connect(model=MODEL, **options) as session:
            yield session, server


class RealtimePeer:
    """The server's end of one upgraded connection.

    Attributes:
        peer: the connection below it.
        number: of the connection, counted from 0.
        request: the upgrade.
    """

    def __init__(self, peer: Peer, request: Received) -> None:
        self.peer = peer
        self.number = peer.number
        self.request = request
        self._received = bytearray()

    def event(self, kind: str, **members: Any) -> None:
        """Send an event."""
        self.peer.send(event_frame(kind, **members))

    def text(self, text: str) -> None:
        self.peer.send(frame(TEXT, text.encode()))

    def ping(self, payload: bytes = b"") -> None:
        self.peer.send(frame(PING, payload))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a Close, and wait until the client has sent one, or left."""
        self.peer.send(close_frame(code, reason))
        self.receive_until(CLOSE)

    def receive(self) -> Optional[Frame]:
        """The next frame; None if the client has left."""
        head = self._exactly(2)
        if head is None:
            return None
        if head[0] & 0x70 and self.peer.server.ending.is_set():
            # A TLS socket whose wait is interrupted returns bytes that are still encrypted.
            return None
        assert head[0] & 0x70 == 0, "a reserved bit is set"
        assert head[1] & 0x80, "a client's frame must be masked"
        size = head[1] & 0x7F
        for short, form in ((126, "!H"), (127, "!Q")):
            if size == short:
                more = self._exactly(struct.calcsize(form))
                if more is None:
                    return None
                (size,) = struct.unpack(form, more)
                break
        rest = self._exactly(4 + size)
        if rest is None:
            return None
        payload = _unmasked(rest[:4], rest[4:])
        return Frame(head[0] & 0x0F, payload, bool(head[0] & 0x80))

    def receive_until(self, *opcodes: int) -> Optional[Frame]:
        """The next frame of these kinds; the frames before it are dropped."""
        while True:
            received = self.receive()
            if received is None or received.opcode in opcodes:
                return received

    def receive_text(self) -> Optional[str]:
        """The next text message, sent in one frame; None if the client is leaving."""
        received = self.receive_until(TEXT, CLOSE)
        if received is None or received.opcode == CLOSE:
            return None
        assert received.last, "this client never sends fragments"
        return received.payload.decode()

    def receive_event(self) -> Any:
        """The next event; None if the client is leaving."""
        text = self.receive_text()
        return None if text is None else json.loads(text)

    def _exactly(self, size: int) -> Optional[bytes]:
        while len(self._received) < size:
            data = self.peer.take()
            if not data:
                # The first half of a frame must not be taken for the beginning of one.
                self._received.clear()
                return None
            self._received += data
        data = bytes(self._received[:size])
        del self._received[:size]
        return data


RealtimeScript = Callable[[RealtimePeer], None]


def upgraded(script: RealtimeScript, *, protocol: Optional[str] = SUBPROTOCOL) -> Script:
    """A script for a connection: accept the upgrade, then play."""

    def play(peer: Peer) -> None:
        talk = accept(peer, protocol=protocol)
        if talk is not None:
            script(talk)

    return play


def accept(
    peer: Peer, then: bytes = b"", *, protocol: Optional[str] = SUBPROTOCOL
) -> Optional[RealtimePeer]:
    """Accept an upgrade; None if the client left instead.

    Args:
        then: bytes to send in the same packet as the response.
    """
    request = peer.receive()
    if request is None:
        return None
    peer.send(acceptance(request, protocol=protocol) + then)
    return RealtimePeer(peer, request)


def acceptance(request: Received, *, protocol: Optional[str] = SUBPROTOCOL) -> bytes:
    """The response that accepts an upgrade."""
    key = request.headers["sec-websocket-key"].encode()
    token = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
    fields = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {token}",
        f"X-Request-Id: {REQUEST_ID}",
    ]
    if protocol is not None:
        fields.append(f"Sec-WebSocket-Protocol: {protocol}")
    return "\r\n".join([*fields, "", ""]).encode()


def frame(opcode: int, payload: bytes = b"", *, last: bool = True) -> bytes:
    """A server's frame, as short as its length allows."""
    first, size = opcode | (0x80 if last else 0), len(payload)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def event_frame(kind: str, **members: Any) -> bytes:
    return frame(TEXT, json.dumps({"type": kind, **members}).encode())


def error_frame(code: Optional[str], message: str = "It does not work.", **members: Any) -> bytes:
    """An `error` event."""
    return event_frame("error", error={"code": code, "message": message, **members})


def close_frame(code: Optional[int] = 1000, reason: str = "") -> bytes:
    """A Close; empty without a code."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason.encode())


def _unmasked(mask: bytes, payload: bytes) -> bytes:
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")
