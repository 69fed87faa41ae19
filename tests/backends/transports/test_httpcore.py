"""What only the transports over httpcore do: HTTP/2, proxies, Unix sockets, several event loops."""

import asyncio
import contextlib
import logging
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import traceback
from binascii import b2a_base64
from typing import Any
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import pytest
import trio

from meshapi import (
    APIConnectionError,
    APITimeoutError,
    AsyncMeshAPI,
    MeshAPIError,
    RetryPolicy,
    Timeout,
)
from meshapi.transports import AsyncHTTPCoreTransport, HTTPCoreTransport
from meshapi_backends._networks.tls_source import TLSSource
from support.asgi_server import ASGIServer
from support.certificates import authority, serving, trusting
from support.flavours import ASK, FLAVOURS, QUICK, TOKEN, World, on_every_flavour
from support.proxies import HTTPProxy
from support.reporters import seen
from support.scripted_server import Peer, ScriptedServer
from support.transports import core, httpcore, httpcore2
from support.wire import failed, good, serve

LIBRARIES = [each for each in (httpcore, httpcore2) if each is not None]
on_both_libraries = pytest.mark.parametrize("library", LIBRARIES, ids=lambda each: each.__name__)

NEVER = RetryPolicy(max_retries=0)
NOT_ACCEPTED = "; it did not accept the user name and the password that it was given"

PASSWORD = "p%40ss-w0rd-0123456789"
PLAIN_PASSWORD = "p@ss-w0rd-0123456789"


async def text_of(client: Any) -> str:
    response = await client.chat.completions.create(**ASK)
    return str(response.choices[0].message.content)


def client_on(world: World, url: str, how: Any, **options: Any) -> Any:
    return world.client(url, **how, **options)


@on_both_libraries
@on_every_flavour
async def test_fifty_calls_share_one_http2_connection(world, library):
    with ASGIServer(http2=True) as server:
        place = server.place("good")
        async with (
            core(world, library, http2=True) as how,
            client_on(world, place.url, how, timeout=15.0) as client,
        ):
            outcomes = await world.together(*[lambda: text_of(client)] * 50)
        assert outcomes == ["pong"] * 50
        assert {request.version for request in place.requests} == {"2"}
        assert place.connections == 1
        assert "connection" not in place.requests[0].headers


@pytest.fixture
def restless():
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("way", ["tls", "plain", "tls in tls"])
@on_both_libraries
def test_threads_share_an_http2_connection(library, way, restless):
    if library is not httpcore and sys.version_info < (3, 11):
        pytest.skip(
            "before 2.5, which Python 3.9 cannot have, it loses connections that are shared"
        )
    world = FLAVOURS[0]
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {"http2": True, "http1": way != "plain"}
        if way == "plain":
            server = stack.enter_context(ScriptedServer(_multiplexing))
            url = server.url
        else:
            place = stack.enter_context(ASGIServer(http2=True)).place("good")
            url = place.url
        if way == "tls in tls":
            proxy = stack.enter_context(HTTPProxy(tls=serving()))
            options["proxy"] = proxy.url

        async def scenario(world: World) -> None:
            async def call() -> str:
                return await text_of(client)

            async with (
                core(world, library, **options) as how,
                client_on(world, url, how, timeout=15.0, retry=NEVER) as client,
            ):
                if way == "tls in tls":
                    # Through a proxy, calls share a connection at most when it is open.
                    assert await call() == "pong"
                assert await world.together(*[call] * 50) == ["pong"] * 50

        world.run(scenario)
        # A few, if threads ask for a connection before the first has said that it can be shared.
        if way == "plain":
            assert server.connections < 5
        elif way == "tls":
            assert place.connections < 5


class HTTP2Peer:
    """A script's end of an HTTP/2 connection without TLS."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._whole: list[int] = []
        self.http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.http2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.peer.send(self.http2.data_to_send())

    def request(self) -> int:
        """Wait for a whole request, and return the number of its stream."""
        while not self._whole:
            data = self.peer.take()
            if not data:
                raise ConnectionAbortedError
            for event in self.http2.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    size = event.flow_controlled_length or 0
                    self.http2.acknowledge_received_data(size, int(event.stream_id or 0))
                elif isinstance(event, h2.events.StreamEnded):
                    self._whole.append(int(event.stream_id or 0))
            self.flush()
        return self._whole.pop(0)

    def respond(self, stream: int) -> None:
        _head, _, body = good().partition(b"\r\n\r\n")
        self.http2.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
        self.http2.send_data(stream, body, end_stream=True)
        self.flush()


def _multiplexing(peer: Peer) -> None:
    server = HTTP2Peer(peer)
    with contextlib.suppress(ConnectionAbortedError):
        while True:
            server.respond(server.request())


def _resetting(peer: Peer) -> None:
    server = HTTP2Peer(peer)
    server.http2.reset_stream(server.request(), error_code=2)
    server.flush()
    server.respond(server.request())
    peer.wait_until_left()


def _going_away(peer: Peer) -> None:
    server = HTTP2Peer(peer)
    if peer.number == 0:
        server.request()
        server.http2.close_connection(error_code=11)
        server.flush()
    else:
        server.respond(server.request())
    peer.wait_until_left()


@pytest.mark.parametrize("script", [_resetting, _going_away])
@on_both_libraries
@on_every_flavour
async def test_a_reset_stream_and_a_goodbye_are_typed_errors(world, library, script):
    with ScriptedServer(script) as server:
        async with (
            core(world, library, http1=False, http2=True) as how,
            client_on(world, server.url, how, retry=NEVER) as client,
        ):
            with pytest.raises(APIConnectionError) as caught:
                await text_of(client)
            assert caught.value.error_code in ("reset", "disconnected")
            assert await text_of(client) == "pong"


# Proxies


def _socks(accepts: bool) -> Any:
    """A script: a SOCKS5 proxy that wants a password, and is also the server behind it."""

    def script(peer: Peer) -> None:
        peer.take()
        peer.send(b"\x05\x02")
        wanted = b"\x01\x04user" + bytes([len(PLAIN_PASSWORD)]) + PLAIN_PASSWORD.encode()
        assert peer.take() == wanted
        peer.send(b"\x01\x00" if accepts else b"\x01\x01")
        if accepts:
            peer.take()
            peer.send(b"\x05\x00\x00\x01" + socket.inet_aton("127.0.0.1") + struct.pack("!H", 80))
            serve(peer)

    return script


@on_both_libraries
@on_every_flavour
async def test_a_socks_proxy_is_used_with_its_password(world, library, caplog):
    caplog.set_level(logging.DEBUG)
    with ScriptedServer(_socks(accepts=True)) as server:
        proxy = f"user:{PASSWORD}@127.0.0.1:{server.port}"
        async with (
            core(world, library, socks=proxy) as how,
            client_on(world, "http://gateway.example", how) as client,
        ):
            assert await text_of(client) == "pong"
            assert PLAIN_PASSWORD not in repr(how["transport"])
    expect_no_password("".join(record.getMessage() for record in caplog.records))


def expect_no_password(told: str) -> None:
    assert PLAIN_PASSWORD not in told
    assert PASSWORD not in told


@on_both_libraries
@on_every_flavour
async def test_a_socks_proxy_that_refuses_is_a_typed_error_that_names_it(world, library, caplog):
    caplog.set_level(logging.DEBUG)
    with ScriptedServer(_socks(accepts=False)) as server:
        proxy = f"socks5h://user:{PASSWORD}@127.0.0.1:{server.port}"
        async with (
            core(world, library, proxy=proxy) as how,
            client_on(world, "http://gateway.example", how, retry=QUICK) as client,
        ):
            with pytest.raises(APIConnectionError) as caught:
                await text_of(client)
    assert caught.value.error_code == "proxy_auth"
    assert f"the proxy 127.0.0.1:{server.port}" in caught.value.message
    assert caught.value.message.endswith(NOT_ACCEPTED)
    expect_no_password(seen(caught.value))
    expect_no_password("".join(record.getMessage() for record in caplog.records))


@on_both_libraries
@on_every_flavour
async def test_a_socks_proxy_that_says_nothing_is_not_waited_for(world, library):
    with ScriptedServer(lambda peer: peer.wait_until_left()) as server:
        async with (
            core(world, library, socks=f"127.0.0.1:{server.port}") as how,
            client_on(
                world,
                "http://gateway.example",
                how,
                timeout=Timeout(connect=0.2),
                retry=NEVER,
            ) as client,
        ):
            began = time.monotonic()
            with pytest.raises(APITimeoutError) as caught:
                await text_of(client)
            assert caught.value.error_code == "connect_timeout"
            # The server gives up after ten seconds.
            assert time.monotonic() - began < 8


@on_both_libraries
@on_every_flavour
async def test_an_http_proxy_that_wants_a_password_is_a_typed_error(world, library):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with ScriptedServer(script) as server:
        for url in ("http://gateway.example", "https://gateway.example"):
            async with (
                core(
                    world, library, proxy=f"http://user:{PASSWORD}@127.0.0.1:{server.port}"
                ) as how,
                client_on(world, url, how) as client,
            ):
                with pytest.raises(APIConnectionError) as caught:
                    await text_of(client)
            assert caught.value.error_code == "proxy_auth"
            assert f"the proxy 127.0.0.1:{server.port}" in caught.value.message
            assert caught.value.message.endswith(NOT_ACCEPTED)
            expect_no_password(seen(caught.value))


@pytest.mark.parametrize("behind", [False, True], ids=["alone", "behind middleware"])
@on_both_libraries
@on_every_flavour
async def test_a_proxy_that_was_given_no_password_asks_for_one(world, library, behind):
    async def passing(request, call_next):
        return await call_next(request)

    def passing_blocking(request, call_next):
        return call_next(request)

    middleware = [passing_blocking if world.name == "sync" else passing] if behind else []
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with ScriptedServer(lambda peer: [peer.send(refusal) for _ in peer.requests()]) as server:
        proxy = f"127.0.0.1:{server.port}"
        for user, said in (("", "a user name and a password"), (f"u:{PASSWORD}@", NOT_ACCEPTED)):
            for url in ("http://gateway.example", "https://gateway.example"):
                async with (
                    core(world, library, proxy=f"http://{user}{proxy}") as how,
                    client_on(world, url, how, middleware=middleware) as client,
                ):
                    with pytest.raises(APIConnectionError) as caught:
                        await text_of(client)
                assert caught.value.error_code == "proxy_auth"
                assert caught.value.message.endswith(said)


@on_both_libraries
@on_every_flavour
async def test_a_proxy_that_echoes_its_password_does_not_show_it(world, library):
    password = unquote(PASSWORD)
    basic = b2a_base64(f"user:{password}".encode(), newline=False).decode()

    def echo(peer: Peer) -> None:
        for request in peer.requests():
            assert basic.encode() in request.head
            peer.send(failed(401, "unauthorized", f"no: {basic}, {password}"))

    with ScriptedServer(echo) as server:
        async with (
            core(world, library, proxy=f"http://user:{PASSWORD}@127.0.0.1:{server.port}") as how,
            client_on(world, "http://gateway.example", how) as client,
        ):
            with pytest.raises(MeshAPIError) as caught:
                await text_of(client)
    assert "no: ***" in str(caught.value)
    assert basic not in repr(vars(caught.value)) + str(caught.value)


# Addresses


@on_both_libraries
@on_every_flavour
async def test_a_unix_socket_is_used(world, library, tmp_path):
    path = str(tmp_path / "gateway.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def play() -> None:
            sock = listener.accept()[0]
            with sock:
                sock.recv(65536)
                sock.sendall(good())
                sock.recv(65536)

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        async with (
            core(world, library, uds=path) as how,
            client_on(world, "http://gateway.example", how) as client,
        ):
            assert await text_of(client) == "pong"
        thread.join(5)


@on_both_libraries
def test_one_loop_after_another_uses_the_same_transport(library):
    async def main(transport: Any, last: bool) -> str:
        async with AsyncMeshAPI(base_url=server.url, token=TOKEN, transport=transport) as client:
            text = await text_of(client)
        if last:
            await transport.aclose()
        return text

    with ScriptedServer(serve) as server:
        transport = AsyncHTTPCoreTransport(library=library)
        for last in (False, True):
            loop = asyncio.new_event_loop()
            assert loop.run_until_complete(main(transport, last)) == "pong"
            if not last:
                for pool in transport._pools._pools.values():
                    loop.run_until_complete(pool.aclose())
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
        another = AsyncHTTPCoreTransport(library=library)
        assert trio.run(main, another, True) == "pong"


@on_both_libraries
@on_every_flavour
async def test_tls_is_verified(world, library):
    with ScriptedServer(serve, tls=serving("elsewhere.example")) as server:
        async with core(world, library) as how, client_on(world, server.url, how) as client:
            with pytest.raises(APIConnectionError) as caught:
                await text_of(client)
        assert caught.value.error_code == "tls_verify"


@on_both_libraries
@on_every_flavour
async def test_an_unknown_authority_says_what_to_pass(world, library, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with ScriptedServer(serve, tls=serving()) as server:
        context = ssl.create_default_context()
        async with (
            core(world, library, tls=context) as how,
            client_on(world, server.url, how) as client,
        ):
            with pytest.raises(APIConnectionError) as caught:
                await text_of(client)
    assert 'write tls="/path/to/ca.pem"' in str(caught.value)


@pytest.fixture
def authorities(tmp_path):
    """The path of the test authority's certificate."""
    path = tmp_path / "authority.pem"
    authority().cert_pem.write_to_path(str(path))
    return path


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
@on_both_libraries
@on_every_flavour
async def test_tls_is_the_path_of_authorities(world, library, http2, authorities):
    with ASGIServer(http2=True) as server:
        place = server.place("good")
        async with (
            core(world, library, tls=authorities, http2=http2) as how,
            client_on(world, place.url, how) as client,
        ):
            outcomes = await world.together(*[lambda: text_of(client)] * 3)
        assert outcomes == ["pong"] * 3
        assert {request.version for request in place.requests} == {"2" if http2 else "1.1"}


@on_both_libraries
@on_every_flavour
async def test_tls_is_a_client_certificate(world, library, tmp_path, authorities, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    issued = authority().issue_cert("client@example.org")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    wanting = serving()
    wanting.verify_mode = ssl.CERT_REQUIRED
    authority().configure_trust(wanting)
    with ScriptedServer(serve, tls=wanting) as server:
        async with (
            core(world, library, tls=(certificate, key)) as how,
            client_on(world, server.url, how) as client,
        ):
            assert await text_of(client) == "pong"


@pytest.mark.parametrize("form", ["context", "path"])
@on_both_libraries
@on_every_flavour
async def test_tls_is_for_an_https_proxy_too(world, library, form, authorities):
    tls = trusting() if form == "context" else authorities
    with ASGIServer(http2=True) as server, HTTPProxy(tls=serving()) as proxy:
        place = server.place("good")
        async with (
            core(world, library, tls=tls, proxy=proxy.url, http2=True) as how,
            client_on(world, place.url, how) as client,
        ):
            assert await text_of(client) == "pong"
        assert {request.version for request in place.requests} == {"2"}
        assert len(proxy.asked) == 1


@on_both_libraries
@on_every_flavour
async def test_an_https_proxy_is_verified(world, library):
    with HTTPProxy(tls=serving("elsewhere.example")) as proxy:
        for url in ("http://gateway.example", "https://gateway.example"):
            async with (
                core(world, library, proxy=proxy.url) as how,
                client_on(world, url, how) as client,
            ):
                with pytest.raises(APIConnectionError) as caught:
                    await text_of(client)
            assert caught.value.error_code == "proxy_tls"
            assert f"the proxy 127.0.0.1:{proxy.port}" in caught.value.message
        assert proxy.asked == []


@on_every_flavour
async def test_certificates_are_not_read_on_an_event_loop(world, authorities, monkeypatch):
    readers = []
    make = TLSSource.make_separate

    def noted(source: TLSSource) -> Any:
        readers.append(threading.get_ident())
        return make(source)

    monkeypatch.setattr(TLSSource, "make_separate", noted)
    with ScriptedServer(serve, tls=serving()) as server:
        async with (
            core(world, None, tls=authorities) as how,
            client_on(world, server.url, how) as client,
        ):
            assert readers == []
            assert await text_of(client) == "pong"
    assert len(readers) == 1
    assert (readers[0] == threading.get_ident()) is (world.name == "sync")


@on_both_libraries
@on_every_flavour
async def test_a_kept_connection_that_dies_with_a_request_costs_no_error(world, library):
    def script(peer: Peer) -> None:
        for n, _ in enumerate(peer.requests()):
            if n and peer.number == 0:
                return
            peer.send(good())

    with ScriptedServer(script) as server:
        async with (
            core(world, library) as how,
            client_on(world, server.url, how, retry=NEVER) as client,
        ):
            for _ in range(3):
                assert await text_of(client) == "pong"


# What is refused


@pytest.mark.parametrize("kind", [HTTPCoreTransport, AsyncHTTPCoreTransport])
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"http1": False}, ValueError, "http1: False needs http2=True"),
        ({"tls": True}, TypeError, "tls: expected an ssl.SSLContext, the path of a CA file"),
        ({"tls": "/nowhere"}, ValueError, "'/nowhere': it does not exist"),
        ({"tls": ("/no.pem", "/no", PASSWORD)}, ValueError, "'/no.pem': it does not exist"),
        ({"tls": (PASSWORD, "c.pem", "k.pem")}, ValueError, "tls[0]: expected the file of a"),
        ({"proxy": 5}, TypeError, "proxy: expected a URL, a Proxy or None, got int"),
        ({"proxy": f"ftp://u:{PASSWORD}@h"}, ValueError, "proxy: expected http://, https://"),
        ({"proxy": f"http://u:{PASSWORD}@h:x"}, ValueError, "proxy: its port"),
        ({"proxy": f"http://u:{PASSWORD}@\u2603 :1"}, ValueError, "proxy: "),
        ({"proxy": f"u:{PASSWORD}@h", "socks": "h:1"}, TypeError, "given together with proxy"),
        ({"proxy": f"u:{PASSWORD}@h", "uds": "/a"}, TypeError, "given together with proxy"),
        ({"socks": f"http://u:{PASSWORD}@h:1"}, ValueError, "expected socks5://host:port"),
        ({"socks": PASSWORD.encode()}, TypeError, "socks: expected a URL, a Proxy or None"),
        ({"proxy": f"u:{PASSWORD}@h", "limits": 5}, TypeError, "limits: expected"),
    ],
)
def test_a_wrong_argument_is_refused_without_the_password(kind, options, error, words):
    with pytest.raises(error) as caught:
        kind(**options)
    assert words in str(caught.value)
    expect_no_password(seen(caught.value))
    # The standard library's traceback with locals fails if a repr does.
    traceback.TracebackException.from_exception(caught.value, capture_locals=True)


@pytest.mark.parametrize(
    ("missing", "options", "extra"),
    [
        (("httpcore", "httpcore2"), {}, "http2"),
        (("httpcore", "httpcore2"), {"socks": "127.0.0.1:1080"}, "socks"),
        (("httpcore", "httpcore2"), {"proxy": "socks5h://127.0.0.1:1080"}, "socks"),
        (("httpcore", "httpcore2"), {"proxy": "http://127.0.0.1:3128"}, "http2"),
        (("h2",), {"http2": True}, "http2"),
        (("socksio",), {"socks": "127.0.0.1:1080"}, "socks"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(missing, options, extra, monkeypatch):
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError) as caught:
        HTTPCoreTransport(**options)
    # Not by its name: the index has another package of that name.
    assert str(caught.value).endswith(f": in a checkout, pip install '.[{extra}]'")


def test_httpcore2_is_preferred_where_it_is_installed():
    expected = "httpcore2" if httpcore2 is not None else "httpcore"
    assert repr(HTTPCoreTransport()) == f"<HTTPCoreTransport on {expected}>"


def test_no_library_is_imported_before_it_is_used():
    program = (
        "import sys, meshapi.transports as t; t.HTTPCoreTransport, t.AiohttpTransport;"
        "t.AsyncHTTPCoreTransport, t.HTTPXTransport;"
        "print([m for m in 'httpcore httpcore2 aiohttp httpx h2'.split() if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
