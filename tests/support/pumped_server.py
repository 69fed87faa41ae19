"""An HTTP server without a thread or a loop, which does everything at the same step in each run.

A test calls `pump()` again and again, in turn with the client. Each call does what can be done
without waiting. A request names, as its model, the response that it wants: a list of pieces to send
and of pauses, counted in pumps. Several lists are for the first, the second, ... such request. A
request without a model names its response by its method and path, such as "GET /v1/batches".

An upgrade to a WebSocket names its response by the model in its query. After it, the server
responds to a Close with a Close, and to an event with the entry of its type in `EVENT_RESPONSES`.
"""

import base64
import hashlib
import json
import re
import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union
from urllib.parse import unquote

from typing_extensions import Self

Response = Sequence[Union[bytes, int]]
"""Bytes to send at once, and numbers of pumps to skip."""

PAUSE = 4
"""Pumps after which a client on the same loop has read what was sent."""


CLOSE = 0
"""In place of a number of pumps: close the connection."""

RESET = -1
"""The same, so that the client's next call fails."""


def whole(body: object, status: int = 200) -> bytes:
    """A complete JSON response."""
    data = json.dumps(body).encode()
    head = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(data)) + data


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(text: str, finish: Optional[str] = None) -> bytes:
    """One event of a streamed completion."""
    finish_reason = "null" if finish is None else f'"{finish}"'
    return (
        'data: {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices"'
        f': [{{"index": 0, "delta": {{"content": "{text}"}}, "finish_reason": {finish_reason}}}]}}'
        "\n\n"
    ).encode()


def completion(text: str) -> dict[str, Any]:
    """A whole completion."""
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}


_PLAIN = whole(completion("whole"))
_HEAD, _BODY = _PLAIN[: _PLAIN.index(b"{")], _PLAIN[_PLAIN.index(b"{") :]
_REFUSAL = whole({"error": {"code": "model_not_found", "message": "no"}}, 404)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def streamed(first: str, second: str) -> Response:
    """A streamed completion, in two chunks."""
    ends = (chunk(b"data: [DONE]\n\n"), PAUSE, b"0\r\n\r\n")
    chunks = (chunk(event(first)), PAUSE, chunk(event(second, "stop")))
    return [PAUSE, STREAM_HEAD, PAUSE, *chunks, PAUSE, *ends]


_NUMBER = whole(completion('{"value": 7}'))
RESPONSES: "dict[str, list[Response]]" = {
    "plain": [[PAUSE, _PLAIN]],
    "pieces": [[PAUSE, _HEAD[:9], PAUSE, _HEAD[9:], PAUSE, _BODY[:9], PAUSE, _BODY[9:]]],
    "stream": [streamed("a", "b")],
    "number": [[PAUSE, _NUMBER]],
    "number at last": [[PAUSE, _PLAIN], [PAUSE, _NUMBER]],
    "number in a stream": [streamed(r"{\"value\": ", "7}")],
    "no stream": [[PAUSE, _REFUSAL[:-9], PAUSE, _REFUSAL[-9:]]],
    "busy once": [[PAUSE, whole({"detail": "busy"}, 503)], [PAUSE, _PLAIN]],
    "last": [[PAUSE, _PLAIN, CLOSE]],
    "too large": [[PAUSE, whole({"detail": "too large"}, 413)]],
}
"""By model, what the server says to the first request for it, to the second, ..."""


def ask(model: str, text: str = "hi") -> dict[str, Any]:
    """The parameters of a request that wants this response."""
    return {"model": model, "messages": [{"role": "user", "content": text}]}


SWITCH = b"<101>"
"""In place of bytes: the head that completes an upgrade."""


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """A WebSocket frame of a server."""
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + payload


def message(kind: str) -> bytes:
    """A frame with an event."""
    return frame(json.dumps({"type": kind}).encode())


def goodbye(code: int) -> bytes:
    """A Close frame."""
    return frame(code.to_bytes(2, "big"), 8)


_PING = frame(b"", 9)
_CREATED = message("session.created")

# More frames than are parsed at once: the beginning of an empty text, and its end at last.
_IN_PIECES = b"\x01\x00" + b"\x00\x00" * 700 + _CREATED.replace(b"\x81", b"\x80", 1)

SESSIONS: "dict[str, list[Response]]" = {
    "open": [[PAUSE, SWITCH]],
    "talks": [[PAUSE, SWITCH, PAUSE, _CREATED, PAUSE, message("a")[:5], PAUSE, message("a")[5:]]],
    "says goodbye": [[PAUSE, SWITCH + _CREATED, PAUSE, goodbye(1000), CLOSE]],
    "chatters": [[PAUSE, SWITCH + _CREATED, PAUSE, _IN_PIECES]],
    "pings": [[PAUSE, SWITCH + _PING, PAUSE, _PING, PAUSE, _CREATED]],
    "falls over once": [
        [PAUSE, SWITCH, 4 * PAUSE, goodbye(1011), CLOSE],
        [PAUSE, SWITCH, PAUSE, _CREATED],
    ],
    "falls over, then is busy": [
        [PAUSE, SWITCH, 4 * PAUSE, goodbye(1011), CLOSE],
        [PAUSE, whole({"detail": "busy"}, 503)],
        [PAUSE, SWITCH, PAUSE, _CREATED],
    ],
    "no upgrade": [[PAUSE, _REFUSAL[:-9], PAUSE, _REFUSAL[-9:]]],
}
"""By model, what the server says to the first upgrade for it, to the second, ..."""


def _done(*items: "dict[str, object]", key: str) -> bytes:
    response = {"id": key, "status": "completed", "output": items}
    return frame(json.dumps({"type": "response.done", "response": response}).encode())


CALL = _done(
    {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
    {"type": "function_call", "call_id": "call_2", "name": "look_elsewhere", "arguments": "{}"},
    key="resp_1",
)
RESPONSE = _done(
    {"type": "message", "content": [{"type": "output_text", "text": "seen"}]}, key="resp_2"
)

EVENT_RESPONSES: "dict[str, Response]" = {
    "ask": [PAUSE, message("answer")],
    "ask for a ping": [PAUSE, _PING],
    "hang up": [PAUSE, CLOSE],
    "response.create": [PAUSE, RESPONSE[:9], PAUSE, RESPONSE[9:]],
    "ask for a call": [PAUSE, CALL],
    "reset": [RESET],
}
"""By type, what the server says to an event."""


class PumpedServer:
    """A server that listens on 127.0.0.1 during its `with` block.

    Args:
        responses: model names -> the responses to the first, the second, ... request, the last
            of which are for all further requests.
        context: the TLS context, if it is to speak TLS.
        patience: pumps to skip before it reads from a connection.
        interim: bytes to send when the first bytes of a connection have arrived.
        uds: the path of a Unix socket to listen on instead.
        proxy: what it is to its clients: "http", "https" (TLS on the outside, too) or "socks5"; a
            proxy that opens tunnels to this server only. "" is none.
        outer: the TLS context of an https proxy.
    """

    def __init__(
        self,
        responses: Mapping[str, Sequence[Response]],
        context: Optional[ssl.SSLContext] = None,
        patience: int = 0,
        interim: bytes = b"",
        uds: Optional[str] = None,
        proxy: str = "",
        outer: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._proxy = proxy
        self._outer = outer
        self._responses = responses
        self._context = context
        self._patience = patience
        self._interim = interim
        self._asked: dict[str, int] = {}
        self._connections: list[_Connection] = []
        self._listener = socket.socket() if uds is None else socket.socket(socket.AF_UNIX)
        self._listener.bind(("127.0.0.1", 0) if uds is None else uds)
        self._listener.listen(64)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1] if uds is None else 1
        self.accepted = 0

    @property
    def live(self) -> int:
        """Connections that the client has not closed."""
        return len(self._connections)

    def reset(self) -> None:
        """Start counting requests and connections again."""
        self._asked.clear()
        self.accepted = 0

    def pump(self) -> None:
        """Accept, read and send as much as is possible now."""
        try:
            sock = self._listener.accept()[0]
        except BlockingIOError:
            pass
        else:
            self.accepted += 1
            self._connections.append(
                _Connection(
                    sock,
                    self._context,
                    self._patience,
                    self._interim,
                    _GATES.get(self._proxy, ()),
                    self._outer,
                )
            )
        for connection in list(self._connections):
            try:
                asked = connection.pump()
            except OSError:
                connection.close()
            if connection.closed:
                self._connections.remove(connection)
            elif asked is not None:
                name, key = asked
                response = self._answer(name)
                connection.plan = [_switched(piece, key) for piece in response]
                connection.upgraded = connection.plan != list(response)

    def _answer(self, name: str) -> Response:
        count = self._asked[name] = self._asked.get(name, 0) + 1
        responses = self._responses[name]
        return responses[min(count, len(responses)) - 1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for connection in self._connections:
            connection.close()
        self._listener.close()


def _switched(piece: Union[bytes, int], key: str) -> Union[bytes, int]:
    if isinstance(piece, int) or not piece.startswith(SWITCH):
        return piece
    # RFC 6455, section 1.3
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: %s\r\n\r\n"
    )
    return head % base64.b64encode(digest) + piece[len(SWITCH) :]


# What a proxy is asked, and how it responds, until a tunnel is open. (A request that begins
# otherwise is one to be forwarded.)
_CONNECTS = [(re.compile(rb"CONNECT .*?\r\n\r\n", re.DOTALL), b"HTTP/1.1 200 OK\r\n\r\n")]
_GATES = {
    "http": _CONNECTS,
    "https": _CONNECTS,
    "socks5": [
        (re.compile(rb"\x05\x02\x00\x02"), b"\x05\x02"),
        (re.compile(rb"\x01\x01u\x01p"), b"\x01\x00"),
        (re.compile(rb"\x05\x01\x00\x01.{6}", re.DOTALL), b"\x05\x00\x00\x01" + bytes(6)),
    ],
}


class _Connection:
    def __init__(
        self,
        sock: socket.socket,
        context: Optional[ssl.SSLContext],
        patience: int,
        interim: bytes,
        gates: Sequence[tuple["re.Pattern[bytes]", bytes]] = (),
        outer: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._gates = list(gates)
        self._gate_data = b""
        self._outer = None if outer is None else _ServerTLS(outer)
        sock.setblocking(False)
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.plan: list[Union[bytes, int]] = []
        self.closed = False
        self._sock = sock
        self._patience = patience
        self._interim = interim
        self._received = bytearray()
        self.upgraded = False
        self._tls = None if context is None else _ServerTLS(context)

    def pump(self) -> Optional[tuple[str, str]]:
        """Return the name of the response to a request once it has arrived, and its key."""
        self._send()
        if self._patience:
            self._patience -= 1
            return None
        try:
            data = self._sock.recv(1 << 20)
        except BlockingIOError:
            return None
        if not data:
            self.close()
            return None
        if self._interim:
            self._sock.sendall(self._interim)
            self._interim = b""
            self._patience = PAUSE
        if self._outer is not None:
            data = self._outer.decrypt(data)
            self._push(b"")
        if self._gates:
            data = self._pass_gates(data)
        if self._tls is not None and data:
            data = self._tls.decrypt(data)
            self._flush()
        self._received += data
        if self.upgraded:
            while self._take_frame():
                pass
            return None
        return self._request()

    def _pass_gates(self, data: bytes) -> bytes:
        """Respond as a proxy; returns what is for the server behind it."""
        self._gate_data += data
        while self._gates:
            asks, response = self._gates[0]
            found = asks.match(self._gate_data)
            if found is None:
                if not self._gate_data.startswith((b"POST", b"GET", b"PUT")):
                    return b""
                self._gates.clear()
                break
            del self._gates[0]
            self._gate_data = self._gate_data[found.end() :]
            self._push(response)
        return self._gate_data

    def _push(self, data: bytes) -> None:
        """Send bytes, encrypted if this is an https proxy."""
        if self._outer is not None:
            if data:
                self._outer.encrypt(data)
            data = self._outer.outgoing.read()
        if data:
            self._sock.sendall(data)

    def _take_frame(self) -> bool:
        """Take one frame of the client, if a whole one has arrived."""
        data = self._received
        if len(data) < 2:
            return False
        length, start = data[1] & 0x7F, 2
        if length >= 126:
            start += 2 if length == 126 else 8
            length = int.from_bytes(data[2:start], "big")
        end = start + 4 + length
        if len(data) < end:
            return False
        opcode, mask = data[0] & 0x0F, data[start : start + 4]
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data[start + 4 : end][:125]))
        del data[:end]
        if opcode == 8:
            self.plan += [goodbye(1000), CLOSE]
        elif opcode == 1 and length <= 125:
            self.plan += EVENT_RESPONSES.get(json.loads(payload)["type"], ())
        return True

    def close(self) -> None:
        self.closed = True
        self._sock.close()

    def _send(self) -> None:
        if not self.plan:
            return
        piece = self.plan.pop(0)
        if piece in (CLOSE, RESET):
            if piece == RESET:
                linger = struct.pack("ii", 1, 0)
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close()
        elif isinstance(piece, int):
            if piece > 1:
                self.plan.insert(0, piece - 1)
        elif self._tls is not None:
            self._tls.encrypt(piece)
            self._flush()
        else:
            self._push(piece)

    def _flush(self) -> None:
        assert self._tls is not None
        data = self._tls.outgoing.read()
        if data:
            self._push(data)

    def _request(self) -> Optional[tuple[str, str]]:
        head, found, body = bytes(self._received).partition(b"\r\n\r\n")
        if not found:
            return None
        place = b" ".join(head.split(b"?")[0].split()[:2]).decode()
        if b"sec-websocket-key" in head:
            self._received.clear()
            model = re.findall(rb"[?&]model=([^& ]*)", head)[0]
            key = re.findall(rb"sec-websocket-key: (\S*)", head)[0]
            return unquote(model.decode()), key.decode()
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if len(body) < length:
            return None
        del self._received[: len(head) + 4 + length]
        asked = json.loads(body[:length] or b"{}")
        return asked.get("model", place), ""


class _ServerTLS:
    def __init__(self, context: ssl.SSLContext) -> None:
        self.outgoing = ssl.MemoryBIO()
        self._incoming = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self.outgoing, server_side=True)
        self._agreed = False

    def encrypt(self, data: bytes) -> None:
        self._ssl.write(data)

    def decrypt(self, data: bytes) -> bytes:
        self._incoming.write(data)
        decrypted = b""
        try:
            if not self._agreed:
                self._ssl.do_handshake()
                self._agreed = True
            while True:
                decrypted += self._ssl.read(1 << 16)
        except ssl.SSLWantReadError:
            return decrypted
