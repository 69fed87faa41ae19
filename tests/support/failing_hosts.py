"""How sockets, TLS and HTTP clients fail: one function per host, which requests a URL in vain.

Each takes a URL and a time limit in seconds, and returns the exception and the stage of the
attempt, as a host would report them. Hosts whose event loop can run only once in a process get a
process of their own: `python -m support.failing_hosts twisted "LIMIT URL"...` prints what the core
makes of it.
"""

import asyncio
import contextlib
import json
import ssl
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def _split(url: str) -> Any:
    parts = urlsplit(url)
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    return parts.hostname, parts.port, tls


class Stages:
    """Notes how far an attempt got, and what ended it."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.exc: Any = None

    def __enter__(self) -> "Stages":
        return self

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> bool:
        self.exc = value
        return True

    def failed(self) -> Any:
        assert self.exc is not None, "it did not fail"
        return self.exc, self.stage


# Hosts with pipes, which know the exact stage


def sockets(url: str, limit: float) -> Any:
    import socket

    host, port, tls = _split(url)
    with Stages("connect") as stages, contextlib.ExitStack() as stack:
        sock: Any = stack.enter_context(socket.create_connection((host, port), limit))
        if tls:
            sock = stack.enter_context(tls.wrap_socket(sock, server_hostname=host))
        stages.stage = "request"
        sock.sendall(HEAD)
        if not sock.recv(1):
            raise EOFError
    return stages.failed()


def asyncio_streams(url: str, limit: float) -> Any:
    host, port, tls = _split(url)
    stages = Stages("connect")

    async def run() -> None:
        with stages:
            streams = asyncio.open_connection(host, port, ssl=tls)
            reader, writer = await asyncio.wait_for(streams, limit)
            try:
                stages.stage = "request"
                writer.write(HEAD)
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), limit)
                stages.stage = "response"
                await reader.readexactly(100)
            finally:
                writer.transport.abort()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    asyncio.run(run())
    return stages.failed()


def trio_streams(url: str, limit: float) -> Any:
    import trio

    host, port, tls = _split(url)
    stages = Stages("connect")

    async def run() -> None:
        with stages, trio.fail_after(limit):
            stream: Any = await trio.open_tcp_stream(host, port)
            if tls:
                stream = trio.SSLStream(stream, tls, server_hostname=host)
            try:
                if tls:
                    await stream.do_handshake()
                stages.stage = "request"
                await stream.send_all(HEAD)
                if not await stream.receive_some(1):
                    raise EOFError
            finally:
                await trio.aclose_forcefully(stream)

    trio.run(run)
    return stages.failed()


def curio_streams(url: str, limit: float) -> Any:
    import curio

    host, port, tls = _split(url)
    stages = Stages("connect")

    async def run() -> None:
        with stages:
            options = {"ssl": tls, "server_hostname": host} if tls else {}
            opened = curio.open_connection(host, port, **options)
            sock = await curio.timeout_after(limit, opened)
            async with sock:
                stages.stage = "request"
                await sock.sendall(HEAD)
                if not await curio.timeout_after(limit, sock.recv, 1):
                    raise EOFError

    curio.run(run)
    return stages.failed()


def gevent_sockets(url: str, limit: float) -> Any:
    from gevent import Timeout, socket
    from gevent import ssl as gevent_ssl

    host, port, tls = _split(url)
    with Stages("connect") as stages, Timeout(limit), contextlib.ExitStack() as stack:
        sock: Any = stack.enter_context(socket.create_connection((host, port)))
        if tls:
            context = gevent_ssl.create_default_context()
            sock = stack.enter_context(context.wrap_socket(sock, server_hostname=host))
        stages.stage = "request"
        sock.sendall(HEAD)
        if not sock.recv(1):
            raise EOFError
    return stages.failed()


def eventlet_sockets(url: str, limit: float) -> Any:
    from eventlet import Timeout
    from eventlet.green import socket
    from eventlet.green import ssl as eventlet_ssl

    host, port, tls = _split(url)
    with Stages("connect") as stages, Timeout(limit), contextlib.ExitStack() as stack:
        sock: Any = socket.create_connection((host, port))
        stack.callback(sock.close)
        if tls:
            sock = eventlet_ssl.create_default_context().wrap_socket(sock, server_hostname=host)
            stack.callback(sock.close)
        stages.stage = "request"
        sock.sendall(HEAD)
        if not sock.recv(1):
            raise EOFError
    return stages.failed()


def tornado_streams(url: str, limit: float) -> Any:
    from tornado.iostream import IOStream, StreamClosedError
    from tornado.tcpclient import TCPClient

    host, port, tls = _split(url)
    stages = Stages("connect")

    async def run() -> None:
        with stages:
            stream: IOStream = await TCPClient().connect(host, port, ssl_options=tls)
            try:
                stages.stage = "request"
                await stream.write(HEAD)
                await asyncio.wait_for(stream.read_until(b"\r\n\r\n"), limit)
                stages.stage = "response"
                await stream.read_bytes(100)
            finally:
                stream.close()
                assert issubclass(StreamClosedError, OSError)

    asyncio.run(run())
    return stages.failed()


# HTTP clients, which connect by themselves: their stage is always "request"


def http_client(url: str, limit: float) -> Any:
    import http.client

    host, port, tls = _split(url)
    kind: Any = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    client = kind(host, port, timeout=limit)
    with Stages("request") as stages, contextlib.closing(client):
        client.request("GET", "/")
        response = client.getresponse()
        stages.stage = "response"
        with response:
            response.read()
    return stages.failed()


def urllib_request(url: str, limit: float) -> Any:
    import urllib.request

    with Stages("request") as stages:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=limit) as response:
            stages.stage = "response"
            response.read()
    return stages.failed()


def httpx_client(url: str, limit: float) -> Any:
    import httpx

    client = httpx.Client(timeout=limit, trust_env=False)
    with Stages("request") as stages, client, client.stream("GET", url) as response:
        stages.stage = "response"
        response.read()
    return stages.failed()


def httpx_async_client(url: str, limit: float) -> Any:
    import httpx

    stages = Stages("request")

    async def run() -> None:
        async with httpx.AsyncClient(timeout=limit, trust_env=False) as client:
            with stages:
                async with client.stream("GET", url) as response:
                    stages.stage = "response"
                    await response.aread()

    asyncio.run(run())
    return stages.failed()


def aiohttp_client(url: str, limit: float) -> Any:
    import aiohttp

    stages = Stages("request")

    async def run() -> None:
        timeout = aiohttp.ClientTimeout(total=limit)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with stages:
                async with session.get(url) as response:
                    stages.stage = "response"
                    await response.read()

    asyncio.run(run())
    return stages.failed()


def urllib3_pool(url: str, limit: float) -> Any:
    import urllib3

    with Stages("request") as stages, urllib3.PoolManager(timeout=limit, retries=1) as pool:
        retries = urllib3.Retry(0, backoff_factor=0)
        response = pool.request("GET", url, retries=retries, preload_content=False)
        stages.stage = "response"
        try:
            response.read()
        finally:
            response.close()
    return stages.failed()


def requests_session(url: str, limit: float) -> Any:
    import requests

    return _requests(requests, url, limit)


def niquests_session(url: str, limit: float) -> Any:
    import niquests

    return _requests(niquests, url, limit)


def _requests(library: Any, url: str, limit: float) -> Any:
    with Stages("request") as stages, library.Session() as session:
        session.trust_env = False
        with session.get(url, timeout=limit, stream=True) as response:
            stages.stage = "response"
            _ = response.content
    return stages.failed()


def pycurl_easy(url: str, limit: float) -> Any:
    import pycurl

    curl = pycurl.Curl()
    with Stages("request") as stages, contextlib.closing(curl):

        def receive(data: bytes) -> None:
            stages.stage = "response"

        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.TIMEOUT_MS, int(limit * 1000))
        curl.setopt(pycurl.WRITEFUNCTION, receive)
        curl.setopt(pycurl.PROXY, "")
        curl.perform()
    return stages.failed()


def curl_cffi_session(url: str, limit: float) -> Any:
    from curl_cffi import requests

    with Stages("request") as stages, requests.Session(trust_env=False) as session:
        session.get(url, timeout=limit)
    return stages.failed()


def tornado_client(url: str, limit: float) -> Any:
    from tornado.simple_httpclient import SimpleAsyncHTTPClient

    stages = Stages("request")

    async def run() -> None:
        client = SimpleAsyncHTTPClient(force_instance=True)
        with stages:
            await client.fetch(url, request_timeout=limit, connect_timeout=limit)
        client.close()

    asyncio.run(run())
    return stages.failed()


# Hosts in a process of their own


def twisted_agent(asked: "list[tuple[str, float]]") -> "list[Any]":
    from twisted.internet import reactor, task
    from twisted.web.client import Agent, readBody

    results: list[Any] = []

    async def ask(url: str, limit: float) -> None:
        with Stages("request") as stages:
            head = Agent(reactor, connectTimeout=limit).request(b"GET", url.encode())
            head.addTimeout(limit, reactor)
            response = await head
            stages.stage = "response"
            await readBody(response)
        results.append(stages.failed())

    async def run(_: Any) -> None:
        for url, limit in asked:
            await ask(url, limit)

    with contextlib.suppress(SystemExit):
        task.react(run)
    return results


def qt_network(asked: "list[tuple[str, float]]") -> "list[Any]":
    from PySide6.QtCore import QCoreApplication, QEventLoop, QUrl
    from PySide6.QtNetwork import QNetworkAccessManager, QNetworkReply, QNetworkRequest

    app = QCoreApplication([])
    manager = QNetworkAccessManager(app)
    results: list[Any] = []
    for url, limit in asked:
        request = QNetworkRequest(QUrl(url))
        request.setTransferTimeout(int(limit * 1000))
        response = manager.get(request)
        loop = QEventLoop()
        response.finished.connect(loop.quit)
        loop.exec()
        assert response.error() is not QNetworkReply.NetworkError.NoError
        status = response.attribute(QNetworkRequest.Attribute.HttpStatusCodeAttribute)
        exc = OSError(response.error(), response.errorString())
        results.append((exc, "request" if status is None else "response"))
    return results


def each(host: Callable[..., Any]) -> Callable[..., "list[Any]"]:
    """Make a host for several URLs from a host for one."""
    return lambda asked: [host(url, limit) for url, limit in asked]


ALONE: "dict[str, Callable[..., list[Any]]]" = {
    "twisted": twisted_agent,
    "PySide6": qt_network,
    "gevent": each(gevent_sockets),
    "curio": each(curio_streams),
    "eventlet": each(eventlet_sockets),
}


def main(name: str, *given: str) -> None:
    """Print what the core makes of each URL: the error code, the stage and the exception."""
    from meshapi_core import failure_of

    rows = []
    asked = [(url, float(limit)) for limit, url in (each.split() for each in given)]
    for exc, stage in ALONE[name](asked):
        failure = failure_of(exc, stage)  # type: ignore[arg-type]
        rows.append([failure.error.error_code, failure.stage, repr(exc)])
    sys.stdout.write(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
