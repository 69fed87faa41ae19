"""A server that does what a test tells it to, down to the bytes, on 127.0.0.1.

    def script(peer):
        peer.receive()
        peer.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{", b"}")

    with ScriptedServer(script) as server:
        ...server.url, server.connections, server.requests

Every connection has its own thread, which plays the script. With several scripts, the n-th
connection plays the n-th script, and all further ones the last. When a script returns, its
connection is closed. Nothing lasts: a script that waits gives up after `PATIENCE`, and leaving the
`with` block ends every connection, waits for the threads, and raises failed assertions of scripts.
"""

import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Optional

from typing_extensions import Self

PATIENCE = 10.0
"""Seconds after which whatever waits here has failed."""


class Received(NamedTuple):
    """One request as it arrived, and the number of its connection, counted from 0."""

    connection: int
    head: bytes
    body: bytes

    @property
    def line(self) -> bytes:
        return self.head.partition(b"\r\n")[0]

    @property
    def headers(self) -> dict[str, str]:
        """The headers by lower-case name; a repeated one fails."""
        fields: dict[str, str] = {}
        for field in self.head.split(b"\r\n")[1:]:
            name, _, value = field.decode("latin-1").partition(":")
            assert name.lower() not in fields
            fields[name.lower()] = value.strip()
        return fields

    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[["Peer"], None]


class ScriptedServer:
    """A server that listens as soon as it is made; leaving its `with` block ends it.

    Attributes:
        most_open: the most connections that were open at once.
        requests: the requests that `Peer.receive` has read.
        sources: the addresses that the connections come from.
        healthy: for scripts that fail until a test sets it.
        ending: set when the `with` block ends.
    """

    def __init__(
        self,
        *scripts: Script,
        tls: Optional[ssl.SSLContext] = None,
        host: str = "127.0.0.1",
        receive_buffer: Optional[int] = None,
        uds: Optional[str] = None,
    ) -> None:
        self._connections = 0
        self.most_open = 0
        self.requests: list[Received] = []
        self.sources: list[Any] = []
        self.failures: list[BaseException] = []
        self.healthy = threading.Event()
        self.ending = threading.Event()
        self._scripts = scripts
        self._tls = tls
        self._peers: set[Peer] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        if uds is not None:
            family = socket.AF_UNIX
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind((host, 0) if uds is None else uds)
        self._listener.listen(256)
        self.host = host
        # The port stands in the URL of a Unix socket, too, but nobody listens there.
        self.port: int = self._listener.getsockname()[1] if uds is None else 1
        self._stop, self._stopped = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """The number of connections, including any that a client left before it was accepted."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with self._lock:
                if self._listener.fileno() < 0 or not _is_waiting(self._listener):
                    break
            time.sleep(0.001)
        return self._connections

    @property
    def open_now(self) -> int:
        """Connections that neither side has closed."""
        with self._lock:
            return len(self._peers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        self.close()
        if kind is None and self.failures:
            raise self.failures[0]

    def close(self) -> None:
        """End everything."""
        # A client may have come and gone; its connection still counts.
        _ = self.connections
        self.ending.set()
        self._stop.close()
        self._acceptor.join(PATIENCE)
        self._listener.close()
        self._stopped.close()
        with self._lock:
            peers = list(self._peers)
        for peer in peers:
            peer.interrupt()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a script does not end"

    def _accept(self) -> None:
        while True:
            ready = select.select([self._listener, self._stopped], [], [])[0]
            if self._stopped in ready:
                return
            with self._lock:
                sock, source = self._listener.accept()
                self.sources.append(source)
                sock.settimeout(PATIENCE)
                if sock.family != getattr(socket, "AF_UNIX", None):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer = Peer(self, sock, self._connections)
                self._peers.add(peer)
                self._connections += 1
                self.most_open = max(self.most_open, len(self._peers))
            thread = threading.Thread(target=self._play, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, peer: "Peer") -> None:
        try:
            if self._tls is not None:
                peer.start_tls(self._tls)
            self._scripts[min(peer.number, len(self._scripts) - 1)](peer)
        except OSError:
            pass  # the client left, which is up to the test
        except BaseException as exc:
            self.failures.append(exc)
        finally:
            peer.close()

    def _gone(self, peer: "Peer") -> None:
        with self._lock:
            self._peers.discard(peer)

    def _record(self, request: Received) -> None:
        with self._lock:
            self.requests.append(request)


def _is_waiting(listener: socket.socket) -> bool:
    return bool(select.select([listener], [], [], 0)[0])


class Peer:
    """The server's end of one connection."""

    def __init__(self, server: ScriptedServer, sock: socket.socket, number: int) -> None:
        self.server = server
        self.number = number
        self._sock = sock
        self._received = bytearray()
        self._ended = False

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._sock = context.wrap_socket(self._sock, server_side=True)

    def receive(self) -> Optional[Received]:
        """The next whole request, which is recorded; None if the client closed instead."""
        head = self.receive_head()
        if head is None:
            return None
        received = Received(self.number, head, b"")
        size = int(received.headers.get("content-length", "0"))
        while len(self._received) < size:
            if not self._fill():
                return None
        received = received._replace(body=bytes(self._received[:size]))
        del self._received[:size]
        self.server._record(received)
        return received

    def receive_head(self) -> Optional[bytes]:
        """Only the head of the next request, which is not recorded."""
        while b"\r\n\r\n" not in self._received:
            if not self._fill():
                return None
        head, _, rest = bytes(self._received).partition(b"\r\n\r\n")
        self._received[:] = rest
        return head

    def requests(self) -> Iterator[Received]:
        """Requests until the client closes."""
        while True:
            request = self.receive()
            if request is None:
                return
            yield request

    def take(self) -> bytes:
        """The bytes that have arrived, at least one; empty if the client closed."""
        if not self._received:
            self._fill()
        data = bytes(self._received)
        self._received.clear()
        return data

    def send(self, *pieces: bytes) -> None:
        """Send each piece in a packet of its own."""
        for piece in pieces:
            self._sock.sendall(piece)

    def drip(self, data: bytes, pause: float, step: int = 1) -> None:
        """Send some bytes at a time, with pauses, until the client leaves."""
        for i in range(0, len(data), step):
            self.send(data[i : i + step])
            if self.left_within(pause):
                return

    def wait_until_left(self) -> None:
        """Send nothing until the client has closed, or reset, the connection."""
        try:
            while self._sock.recv(65536):
                pass
        except ConnectionError:
            pass

    def wait_for_the_end(self) -> None:
        """Neither read nor send until the server ends."""
        self.server.ending.wait(PATIENCE)

    def half_close(self) -> None:
        """Shut down the sending side, and go on reading."""
        self._sock.shutdown(socket.SHUT_WR)

    def say_goodbye(self) -> None:
        """Send TLS's close_notify."""
        self._sock.settimeout(0)
        try:
            self._sock.unwrap()  # type: ignore[attr-defined]
        except (OSError, ValueError):
            pass  # it is sent; do not wait for the client's
        self._sock.settimeout(PATIENCE)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._sock.close()
        self.server._gone(self)

    def interrupt(self) -> None:
        """Wake the script, which then ends."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _fill(self) -> bool:
        data = self._sock.recv(65536)
        self._received += data
        return bool(data)

    def left_within(self, seconds: float) -> bool:
        """Wait until the time is over or the client leaves; whether it has left."""
        end = time.monotonic() + seconds
        if not select.select([self._sock], [], [], max(0.0, end - time.monotonic()))[0]:
            return False
        return not self._fill()


def answering(*responses: bytes) -> Script:
    """A script: the n-th response for the n-th request, however many connections there are."""
    left = list(responses)

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(left.pop(0))

    return script
