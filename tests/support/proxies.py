"""Proxies for tests, on 127.0.0.1: HTTP and SOCKS5, with and without TLS and a password.

    with HTTPProxy(credentials="user:pass", names={"gateway.example": server.port}) as proxy:
        ...proxy.url, proxy.requests, proxy.tunnels

They share nothing with the code under test, and run on an event loop in a thread. A name leads to a
port of 127.0.0.1, as the test says; no other server can be reached. Nothing lasts: leaving the
`with` block ends every connection.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6,
    https://www.rfc-editor.org/rfc/rfc1928, https://www.rfc-editor.org/rfc/rfc1929
"""

import asyncio
import base64
import ssl
import struct
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from typing_extensions import Self

PATIENCE = 10.0
"""Seconds after which whatever waits here has failed."""


class Asked(NamedTuple):
    """What a client asked of a proxy: the head of its request (HTTP), or host and port (SOCKS)."""

    head: bytes
    target: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers by lower-case name."""
        fields = (line.partition(b":") for line in self.head.split(b"\r\n")[1:] if line)
        return {name.decode().lower(): value.decode().strip() for name, _, value in fields}


class _Proxy:
    """A proxy in a thread.

    Attributes:
        asked: what clients asked for.
        certificates: what clients have shown it over TLS; None or empty for none.
        port: where it listens.
        passed_on: everything that went through tunnels towards servers.
    """

    scheme = "http"

    def __init__(
        self,
        *,
        names: Optional[Mapping[str, int]] = None,
        credentials: Optional[str] = None,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        self.asked: list[Asked] = []
        self.passed_on = bytearray()
        self.connections = 0
        self.certificates: list[Any] = []
        self._names = dict(names or {})
        self._credentials = credentials
        self._tls = tls
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writers: list[Any] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._main(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    @property
    def url(self) -> str:
        """Its URL, without credentials."""
        return f"{self.scheme}{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def url_with(self, credentials: str) -> str:
        """Its URL with credentials, which are in it as they are."""
        return self.url.replace("://", f"://{credentials}@")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda loop, context: None)
        self._ending = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ending.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        # The loop closes the sockets in its next round, and those under TLS in the round after it.
        for _ in range(5):
            await asyncio.sleep(0)

    def _accept(self, reader: Any, writer: Any) -> None:
        self._writers.append(writer)
        self.connections += 1
        self.certificates.append(writer.get_extra_info("peercert"))
        self._tasks.add(self._loop.create_task(self._play(reader, writer)))

    async def _play(self, reader: Any, writer: Any) -> None:
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            writer.transport.abort()

    async def _serve(self, reader: Any, writer: Any) -> None:
        raise NotImplementedError

    async def _connect(self, host: str, port: int) -> Any:
        if host in self._names:
            port = self._names[host]
        elif host != "127.0.0.1":
            return None
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        self._writers.append(writer)
        return reader, writer

    async def _relay(self, client: Any, server: Any) -> None:
        ways = [
            asyncio.ensure_future(self._pump(client[0], server[1], self.passed_on)),
            asyncio.ensure_future(self._pump(server[0], client[1])),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            server[1].transport.abort()

    async def _pump(self, reader: Any, writer: Any, record: Optional[bytearray] = None) -> None:
        while True:
            data = await reader.read(65536)
            if not data:
                return
            if record is not None:
                record += data
            writer.write(data)
            await writer.drain()


class HTTPProxy(_Proxy):
    """Opens tunnels (CONNECT), and forwards plain HTTP."""

    async def _serve(self, reader: Any, writer: Any) -> None:
        upstream: Any = None
        answers: Any = None
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
                asked = Asked(head, target)
                self.asked.append(asked)
                if not self._may(asked):
                    await self._refuse(writer, 407, 'Proxy-Authenticate: Basic realm="test"')
                    continue
                authority = target if method == "CONNECT" else target.split("/")[2]
                host, _, port = authority.rpartition(":")
                if not host:
                    host, port = authority, "80"
                if upstream is None:
                    upstream = await self._connect(host.strip("[]"), int(port))
                if upstream is None:
                    await self._refuse(writer, 502)
                    return
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await self._relay((reader, writer), upstream)
                    return
                if answers is None:
                    answers = asyncio.ensure_future(self._pump(upstream[0], writer))
                await self._forward(asked, reader, upstream[1])
        finally:
            if answers is not None:
                answers.cancel()
            if upstream is not None:
                upstream[1].transport.abort()

    def _may(self, asked: Asked) -> bool:
        if self._credentials is None:
            return True
        expected = base64.b64encode(self._credentials.encode()).decode()
        return asked.headers.get("proxy-authorization") == f"Basic {expected}"

    async def _refuse(self, writer: Any, status: int, *fields: str) -> None:
        lines = [f"HTTP/1.1 {status} No", "Content-Length: 0", *fields, "", ""]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()

    async def _forward(self, asked: Asked, reader: Any, writer: Any) -> None:
        lines = asked.head.split(b"\r\n")
        method, target, version = lines[0].split(b" ")
        path = b"/" + target.split(b"/", 3)[3]
        kept = [line for line in lines[1:] if not line.lower().startswith(b"proxy-")]
        body = await reader.readexactly(int(asked.headers.get("content-length", "0")))
        writer.write(b"\r\n".join([b" ".join((method, path, version)), *kept]) + body)
        await writer.drain()


class SOCKSProxy(_Proxy):
    """Opens tunnels by SOCKS5; the head of what was asked is the method that was chosen."""

    scheme = "socks5h"

    def local(self, credentials: str = "") -> str:
        """The URL for clients that look names up themselves."""
        at = f"{credentials}@" if credentials else ""
        return f"socks5://{at}127.0.0.1:{self.port}"

    async def _serve(self, reader: Any, writer: Any) -> None:
        version, count = await reader.readexactly(2)
        assert version == 5
        methods = await reader.readexactly(count)
        wanted = 0 if self._credentials is None else 2
        if wanted not in methods:
            writer.write(b"\x05\xff")
            await writer.drain()
            await reader.read()
            return
        writer.write(bytes((5, wanted)))
        if wanted == 2 and not await self._check(reader, writer):
            return
        version, command, reserved, kind = await reader.readexactly(4)
        assert (version, command, reserved) == (5, 1, 0)
        if kind == 3:
            (size,) = await reader.readexactly(1)
            host = (await reader.readexactly(size)).decode()
        else:
            data = await reader.readexactly(4 if kind == 1 else 16)
            host = ".".join(map(str, data)) if kind == 1 else data.hex(":", 2)
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        self.asked.append(Asked(bytes((wanted, kind)), f"{host}:{port}"))
        upstream = await self._connect(host, port)
        if upstream is None:
            writer.write(b"\x05\x04\x00\x01" + bytes(6))
            await writer.drain()
            return
        # A name as the bound address: its length is another byte.
        writer.write(b"\x05\x00\x00\x03\x05bound" + bytes(2))
        await self._relay((reader, writer), upstream)

    async def _check(self, reader: Any, writer: Any) -> bool:
        assert await reader.readexactly(1) == b"\x01"
        (size,) = await reader.readexactly(1)
        name = await reader.readexactly(size)
        (size,) = await reader.readexactly(1)
        word = await reader.readexactly(size)
        good = f"{name.decode()}:{word.decode()}" == self._credentials
        writer.write(bytes((1, 0 if good else 1)))
        await writer.drain()
        return good
