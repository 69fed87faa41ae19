"""WebSocket servers that are not ours, `websockets` and aiohttp, playing the same script.

    async def script(peer):
        assert json.loads(await peer.receive())["type"] == "session.update"
        await peer.send_pieces(['{"type": "sess', 'ion.updated"}'], pings=True)
        await peer.close(1011, "busy")

    with WebsocketsServer(script) as server:
        ...server.url, server.connections

Each has its own thread with an asyncio loop on 127.0.0.1, and accepts any path with the subprotocol
`openai-realtime`. With several scripts, the n-th connection plays the n-th script, and all further
ones the last. When a script returns, its connection is closed with 1000. When its client leaves,
the next send ends the script, and receiving returns None. Nothing lasts: a script gives up after
`PATIENCE`, and leaving the `with` block ends everything and raises failed assertions of scripts.
"""

import asyncio
import socket
import ssl
import struct
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any, Callable, Optional, Union

from aiohttp import WSMessage, WSMsgType, web
from typing_extensions import Self
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

PATIENCE = 10.0
"""Seconds after which whatever waits here has failed."""

# For what a client has sent before it left; longer only where a test has left it open.
_GRACE = 1.0
_CLOSE_TIMEOUT = 2.0
_MAX_SIZE = 64 * 1024 * 1024
_HOST = "127.0.0.1"

SUBPROTOCOL = "openai-realtime"

Message = Union[str, bytes]
Script = Callable[["ForeignPeer"], Awaitable[None]]


class ForeignPeer(ABC):
    """The server's end of one connection. aiohttp answers pings only while it receives.

    Attributes:
        number: the number of the connection, counted from 0.
        target: path and query of the upgrade.
        headers: the headers of the upgrade, by lower-case name.
        close_code: the code of the client's Close; None before it.
        close_reason: the reason of the client's Close; None before it.
    """

    ending: asyncio.Event

    def __init__(self, number: int, target: str, headers: Mapping[str, str]) -> None:
        self.number = number
        self.target = target
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.close_code: Optional[int] = None
        self.close_reason: Optional[str] = None

    @property
    @abstractmethod
    def transport(self) -> asyncio.Transport:
        """The transport that it writes to."""

    @abstractmethod
    async def send_text(self, text: str) -> None:
        """Send a text message in one frame."""

    @abstractmethod
    async def send_binary(self, data: bytes) -> None:
        """Send a binary message in one frame."""

    @abstractmethod
    async def send_pieces(self, pieces: Sequence[Message], *, pings: bool = False) -> None:
        """Send one message in several frames, all str or all bytes.

        Args:
            pings: send a ping between every two of them.
        """

    @abstractmethod
    async def ping(self, payload: bytes) -> None:
        """Send a ping, and wait for its pong; messages before that can still be received."""

    @abstractmethod
    async def receive(self) -> Optional[Message]:
        """The next message; None if the client has closed or left."""

    @abstractmethod
    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a Close, and wait a short time for the client's."""

    async def wait_for_the_end(self) -> None:
        """Neither receive nor send until the server ends."""
        await self.ending.wait()

    def drop(self) -> None:
        """End the TCP connection with FIN, without a Close."""
        self.transport.close()

    def abort(self) -> None:
        """End the TCP connection with RST; the client loses what it has not read yet."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class ForeignServer(ABC):
    """A server that listens during its `with` block.

    Args:
        scripts: for the first connection, the second, ...
        tls: the TLS context, if it is to speak TLS.
        bytewise: whether everything, the 101 included, is written byte by byte.

    Attributes:
        connections: how many upgrades there were.
    """

    def __init__(
        self,
        *scripts: Script,
        tls: Optional[ssl.SSLContext] = None,
        bytewise: bool = False,
    ) -> None:
        self.connections = 0
        self.failures: list[BaseException] = []
        self.port = 0
        self._scripts = scripts
        self._tls = tls
        self._loop = _BytewiseLoop() if bytewise else asyncio.SelectorEventLoop()
        self._playing: dict[asyncio.Task[Any], ForeignPeer] = {}
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://{_HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(PATIENCE), "the server does not start"
        if self.failures:
            raise self.failures[0]
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(3 * PATIENCE)
        assert not self._thread.is_alive(), "the server does not end"
        if kind is None and self.failures:
            raise self.failures[0]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        except BaseException as exc:
            self.failures.append(exc)
        finally:
            self._listening.set()
            asyncio.set_event_loop(None)
            self._loop.close()

    async def _serve(self) -> None:
        self._ending = asyncio.Event()  # Python 3.9 binds it to the running loop
        listener = socket.create_server((_HOST, 0))
        self.port = listener.getsockname()[1]
        await self.listen(listener)
        self._listening.set()
        await self._ending.wait()
        await self._end_scripts()
        await self.end()

    @abstractmethod
    async def listen(self, listener: socket.socket) -> None:
        """Start serving on a socket, which belongs to this server from now on."""

    @abstractmethod
    async def end(self) -> None:
        """Close the socket and every connection."""

    async def play(self, peer: ForeignPeer) -> None:
        """Play the script for this connection to its end."""
        task = asyncio.create_task(self._play(peer))
        self._playing[task] = peer
        peer.ending = self._ending
        try:
            await task
        finally:
            del self._playing[task]

    async def _play(self, peer: ForeignPeer) -> None:
        script = self._scripts[min(peer.number, len(self._scripts) - 1)]
        try:
            await asyncio.wait_for(_whole(script, peer), PATIENCE)
        except asyncio.TimeoutError as exc:  # an OSError since Python 3.11
            self.failures.append(exc)
            peer.drop()
        except (ConnectionClosed, OSError):
            pass  # the client left; what it makes of that is the test's matter
        except Exception as exc:
            self.failures.append(exc)
            peer.drop()

    async def _end_scripts(self) -> None:
        if self._playing:
            await asyncio.wait(list(self._playing), timeout=_GRACE)
        for task, peer in self._playing.items():
            peer.abort()
            task.cancel()


async def _whole(script: Script, peer: ForeignPeer) -> None:
    await script(peer)
    if not peer.transport.is_closing():
        await peer.close()


class WebsocketsServer(ForeignServer):
    """A server of the library `websockets`."""

    async def listen(self, listener: socket.socket) -> None:
        self._server = await serve(
            self._handle,
            sock=listener,
            ssl=self._tls,
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
            max_size=_MAX_SIZE,
            close_timeout=_CLOSE_TIMEOUT,
        )

    async def _handle(self, connection: ServerConnection) -> None:
        number = self.connections
        self.connections += 1
        await self.play(_WebsocketsPeer(number, connection))

    async def end(self) -> None:
        self._server.close()
        await self._server.wait_closed()


class _WebsocketsPeer(ForeignPeer):
    def __init__(self, number: int, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        super().__init__(number, request.path, dict(request.headers.raw_items()))
        self._connection = connection

    @property
    def transport(self) -> asyncio.Transport:
        return self._connection.transport

    async def send_text(self, text: str) -> None:
        await self._connection.send(text)

    async def send_binary(self, data: bytes) -> None:
        await self._connection.send(data)

    async def send_pieces(self, pieces: Sequence[Message], *, pings: bool = False) -> None:
        async def interleaved() -> AsyncIterator[Message]:
            for number, piece in enumerate(pieces):
                if number and pings:
                    await self._connection.ping()
                yield piece

        await self._connection.send(interleaved())

    async def ping(self, payload: bytes) -> None:
        await (await self._connection.ping(payload))

    async def receive(self) -> Optional[Message]:
        try:
            return await self._connection.recv()
        except ConnectionClosed as exc:
            if exc.rcvd is not None:
                self.close_code, self.close_reason = exc.rcvd.code, exc.rcvd.reason
            return None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._connection.close(code, reason)


class AiohttpServer(ForeignServer):
    """A server of aiohttp."""

    async def listen(self, listener: socket.socket) -> None:
        self._web = web.Server(self._handle, access_log=None)  # type: ignore[arg-type]
        self._server = await self._loop.create_server(self._web, sock=listener, ssl=self._tls)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        connection = web.WebSocketResponse(
            protocols=[SUBPROTOCOL], timeout=_CLOSE_TIMEOUT, autoping=False, max_msg_size=_MAX_SIZE
        )
        await connection.prepare(request)
        number = self.connections
        self.connections += 1
        await self.play(_AiohttpPeer(number, connection, request))
        return connection

    async def end(self) -> None:
        self._server.close()
        await self._web.shutdown(_CLOSE_TIMEOUT)
        await self._server.wait_closed()


class _AiohttpPeer(ForeignPeer):
    def __init__(
        self, number: int, connection: web.WebSocketResponse, request: web.BaseRequest
    ) -> None:
        super().__init__(number, request.path_qs, request.headers)
        assert request.transport is not None
        self._transport = request.transport
        self._connection = connection
        self._received: deque[Optional[Message]] = deque()
        self._pongs: set[bytes] = set()

    @property
    def transport(self) -> asyncio.Transport:
        return self._transport

    async def send_text(self, text: str) -> None:
        await self._connection.send_str(text)

    async def send_binary(self, data: bytes) -> None:
        await self._connection.send_bytes(data)

    async def send_pieces(self, pieces: Sequence[Message], *, pings: bool = False) -> None:
        # aiohttp receives fragments, but cannot send them: the frames are made here.
        for number, piece in enumerate(pieces):
            if number and pings:
                await self._connection.ping()
            opcode = 0 if number else WSMsgType.TEXT if isinstance(piece, str) else WSMsgType.BINARY
            data = piece.encode() if isinstance(piece, str) else piece
            self._transport.write(_frame(opcode, data, last=number == len(pieces) - 1))

    async def ping(self, payload: bytes) -> None:
        self._pongs.discard(payload)
        await self._connection.ping(payload)
        while payload not in self._pongs:
            if None in self._received:
                raise ConnectionResetError("the client left without a pong")
            await self._read()

    async def receive(self) -> Optional[Message]:
        while not self._received:
            await self._read()
        # None comes again and again.
        return self._received.popleft() if self._received[0] is not None else None

    async def _read(self) -> None:
        message: WSMessage = await self._connection.receive()
        if message.type is WSMsgType.PING:
            await self._connection.pong(message.data)
        elif message.type is WSMsgType.PONG:
            self._pongs.add(bytes(message.data))
        elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._received.append(message.data)
        else:
            if message.type is WSMsgType.CLOSE:
                self.close_code, self.close_reason = message.data, message.extra
            self._received.append(None)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._connection.close(code=code, message=reason.encode())


SERVERS: dict[str, type[ForeignServer]] = {
    "websockets": WebsocketsServer,
    "aiohttp": AiohttpServer,
}
"""To parametrize a test with."""


def _frame(opcode: int, payload: bytes, *, last: bool) -> bytes:
    """Return a frame as a server sends it (RFC 6455, section 5.2)."""
    size = len(payload)
    first = opcode | (0x80 if last else 0)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


class _BytewiseLoop(asyncio.SelectorEventLoop):
    """A loop whose servers write one byte at a time."""

    async def create_server(
        self, factory: Callable[[], asyncio.Protocol], *args: Any, **kwargs: Any
    ) -> Any:
        return await super().create_server(lambda: _BytewiseProtocol(factory()), *args, **kwargs)


class _BytewiseProtocol(asyncio.Protocol):
    """Passes on what it is told, but replaces the transport."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol
        for name in ("data_received", "eof_received", "pause_writing", "resume_writing"):
            setattr(self, name, getattr(protocol, name))
        self.connection_lost = protocol.connection_lost  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        bytewise: Any = _BytewiseTransport(transport)
        self._protocol.connection_made(bytewise)


class _BytewiseTransport:
    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        # asyncio sets TCP_NODELAY, so each byte is a packet while the client keeps up.
        for number in range(len(data)):
            self._transport.write(data[number : number + 1])

    def writelines(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            self.write(piece)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
