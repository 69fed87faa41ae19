"""The first errors that users meet say what to do: TLS on the wrong port, proxies, CAs, names."""

import contextlib
import os
import socket
import ssl
import threading
import time
from typing import Any

import httpx
import pytest

from meshapi import APIConnectionError, APIStatusError, APITimeoutError, RetryPolicy, Timeout
from meshapi_backends._networks import resolving, workers
from support.certificates import serving, trusting
from support.flavours import World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import make_response, serve


async def error_of(client: Any) -> Any:
    with pytest.raises((APIConnectionError, APIStatusError)) as caught:
        await client.models.list()
    return caught.value


def over_httpx(world: World, url: str, **options: Any) -> Any:
    field, kind = ("httpx_client", httpx.Client)
    if world.name != "sync":
        field, kind = ("async_httpx_client", httpx.AsyncClient)  # type: ignore[assignment]
    return _both(world, url, field, kind(**{"trust_env": False, **options}))


@contextlib.asynccontextmanager
async def _both(world: World, url: str, field: str, http: Any) -> Any:
    async with world.client(url, **{field: http}) as client:
        yield client
    http.close() if world.name == "sync" else await http.aclose()


# TLS where there is none, and the reverse


def speak_plainly(peer: Peer) -> None:
    peer.take()
    peer.send(make_response(400, b"Bad Request"))
    peer.wait_until_left()


@on_every_flavour
async def test_tls_to_a_plain_port_is_said_at_once(world):
    with ScriptedServer(speak_plainly) as server:
        url = server.url.replace("http:", "https:")
        async with world.client(url, tls=trusting()) as client:
            error = await error_of(client)
        assert error.error_code == "tls_handshake"
        assert "use http://" in str(error)
        assert server.connections == 1


@on_every_flavour
async def test_over_httpx_tls_to_a_plain_port_is_said_at_once(world):
    with ScriptedServer(speak_plainly) as server:
        url = server.url.replace("http:", "https:")
        async with over_httpx(world, url) as client:
            error = await error_of(client)
        assert error.error_code == "tls_handshake"
        assert "use http://" in str(error)
        assert server.connections == 1


@on_every_flavour
async def test_a_tls_alert_to_a_plain_request_is_said_at_once(world):
    def alert(peer: Peer) -> None:
        peer.take()
        peer.send(b"\x15\x03\x03\x00\x02\x02\x46")

    with ScriptedServer(alert) as server:
        async with world.client(server.url) as client:
            error = await error_of(client)
        assert "use https://" in str(error)
        assert server.connections == 1


@pytest.mark.parametrize(
    "page",
    [
        b"<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
        b"Client sent an HTTP request to an HTTPS server.\n",
    ],
)
@on_every_flavour
async def test_a_page_that_asks_for_tls_is_said_at_once(world, page):
    def refuse(peer: Peer) -> None:
        peer.receive_head()
        peer.send(make_response(400, page, kind="text/html"))

    with ScriptedServer(refuse) as server:
        async with world.client(server.url) as client:
            error = await error_of(client)
        assert "use https://" in str(error)
        assert server.connections == 1


@on_every_flavour
async def test_a_tls_server_that_just_hangs_up_is_hinted_at(world):
    with ScriptedServer(serve, tls=serving("127.0.0.1")) as server:
        server.failures = []
        async with world.client(server.url.replace("https:", "http:")) as client:
            error = await error_of(client)
        assert "https://" in str(error)


# Authorities


@on_every_flavour
async def test_an_unknown_authority_says_what_to_pass(world, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with ScriptedServer(serve, tls=serving("127.0.0.1")) as server:
        async with world.client(server.url) as client:
            error = await error_of(client)
    assert error.error_code == "tls_verify"
    assert 'write tls="/path/to/ca.pem", the path of its certificate, or set SSL_C' in str(error)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@on_every_flavour
async def test_a_missing_file_of_authorities_is_named(world, monkeypatch, name):
    monkeypatch.setenv(name, "/nowhere/ca.pem")
    context = ssl.create_default_context()
    with ScriptedServer(serve, tls=serving("127.0.0.1")) as server:
        async with world.client(server.url, tls=context) as client:
            error = await error_of(client)
    assert error.error_code == "tls_verify"
    assert f"{name} names /nowhere/ca.pem" in str(error)


@on_every_flavour
async def test_of_several_folders_of_authorities_the_missing_one_is_named(world, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join(["/", "/nowhere"]))
    with ScriptedServer(serve, tls=serving("127.0.0.1")) as server:
        async with world.client(server.url, tls=ssl.create_default_context()) as client:
            error = await error_of(client)
    assert "SSL_CERT_DIR names /nowhere, which" in str(error)


# Proxies


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize("scheme", ["http", "https"])
@on_every_flavour
async def test_over_httpx_a_dead_proxy_is_named_as_the_proxy(world, scheme):
    port = free_port()
    proxy = f"http://127.0.0.1:{port}"
    async with over_httpx(world, f"{scheme}://gateway.example", proxy=proxy) as client:
        error = await error_of(client)
    assert error.error_code == "proxy_refused"
    assert f"the proxy 127.0.0.1:{port}" in str(error)
    assert "gateway.example" not in str(error)


@on_every_flavour
async def test_over_httpx_the_untrusted_certificate_of_a_proxy_is_the_proxys(world):
    with ScriptedServer(serve, tls=serving("127.0.0.1")) as server:
        proxy = httpx.Proxy(server.url, ssl_context=ssl.create_default_context())
        async with over_httpx(world, "https://gateway.example", proxy=proxy) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_tls"
        assert f"the proxy 127.0.0.1:{server.port}" in str(error)
        assert server.connections == 1


OF_TINYPROXY = b"Server: tinyproxy/1.11.1\r\nWWW-Authenticate: Basic realm=x\r\n"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("status", "headers"),
    [(b"407 Proxy Authentication Required", b""), (b"401 Unauthorized", OF_TINYPROXY)],
    ids=["407", "401"],
)
@on_every_flavour
async def test_over_httpx_a_proxy_that_wants_a_password_says_so(world, status, headers, scheme):
    def refuse(peer: Peer) -> None:
        peer.receive_head()
        peer.send(b"HTTP/1.1 %b\r\n%bContent-Length: 0\r\n\r\n" % (status, headers))
        peer.wait_until_left()

    with ScriptedServer(refuse) as server:
        async with over_httpx(world, f"{scheme}://gateway.example", proxy=server.url) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_auth"
        assert status.decode() in str(error)
        assert f"the proxy 127.0.0.1:{server.port}" in str(error)
        assert server.connections == 1


# Names


@pytest.mark.parametrize("transport", ["own", "httpx"])
@on_every_flavour
async def test_a_name_with_a_dot_at_its_end_works_with_tls(world, monkeypatch, transport):
    real, asked = socket.getaddrinfo, []

    def look_up(host: Any, *args: Any, **options: Any) -> Any:
        name = host if isinstance(host, str) else host.decode()
        asked.append(name)
        return real("127.0.0.1" if name == "localhost." else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    context, names = serving("localhost"), []
    context.sni_callback = lambda sock, name, _: names.append(name)
    with ScriptedServer(_no_models, tls=context) as server:
        url = f"https://localhost.:{server.port}"
        if transport == "own":
            opened = world.client(url, tls=trusting())
        else:
            opened = over_httpx(world, url, verify=trusting())
        async with opened as client:
            await client.models.list()
        assert names == ["localhost"]
        assert "localhost." in asked
        # As curl does: the server may want to know.
        assert server.requests[0].headers["host"] == f"localhost.:{server.port}"


def _no_models(peer: Peer) -> None:
    for _ in peer.requests():
        peer.send(make_response(200, b"[]"))


class Silent:
    """A resolver that never returns for some names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real = socket.getaddrinfo
        self._over = threading.Event()
        self.asked = 0
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)
        monkeypatch.setattr(resolving, "RESOLVER", workers.Workers("test"))

    def _look_up(self, host: Any, *args: Any, **options: Any) -> Any:
        if not str(host).endswith(".silent"):
            return self._real(host, *args, **options)
        self.asked += 1
        self._over.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "no response")

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()


BRIEF = Timeout(connect=0.05)
NEVER = RetryPolicy(max_retries=0)


@on_every_flavour
async def test_a_name_server_that_does_not_answer_is_not_waited_for(world, monkeypatch):
    with Silent(monkeypatch):
        begun = time.monotonic()
        async with world.client("http://a.silent", timeout=BRIEF, retry=NEVER) as client:
            error = await error_of(client)
        assert time.monotonic() - begun < 8
    assert isinstance(error, APITimeoutError)
    assert error.phase == "connect"
    assert "the name server did not respond in time for a.silent" in str(error)


@pytest.mark.slow
@on_every_flavour
async def test_look_ups_take_a_bounded_number_of_threads(world, monkeypatch):
    with Silent(monkeypatch) as silent:
        clients = [
            world.client(f"http://{number}.silent", timeout=BRIEF, retry=NEVER)
            for number in range(workers.MOST + 4)
        ]
        errors = await world.together(*(client.models.list for client in clients))
        assert all(isinstance(error, APITimeoutError) for error in errors), errors
        assert silent.asked == workers.MOST
        assert sum("earlier look-ups" in str(error) for error in errors) == 4
        for client in clients:
            await client.close()


@on_every_flavour
async def test_after_the_name_server_is_back_names_are_found(world, monkeypatch):
    monkeypatch.setattr(workers, "MOST", 1)
    with ScriptedServer(_no_models) as server:
        with Silent(monkeypatch):
            async with world.client("http://a.silent", timeout=BRIEF, retry=NEVER) as client:
                await error_of(client)
        async with world.client(f"http://localhost:{server.port}") as client:
            await client.models.list()


@on_every_flavour
async def test_connections_are_kept_alive_by_the_system(world):
    with ScriptedServer(_no_models) as server:
        stream = await world.open_stream(server.port)
        sock = stream._sock
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 15
        stream.abort()
        await world.sleep(0)


# The messages, which are the same on every flavour


@on_every_flavour
async def test_a_refused_connection_has_the_same_words_everywhere(world):
    url = f"http://127.0.0.1:{free_port()}"
    said = f"cannot connect to {url}: connection refused; is the gateway running? (connect_refused)"
    async with world.client(url, max_retries=0) as client:
        assert str(await error_of(client)) == said
    async with over_httpx(world, url) as client:
        assert str(await error_of(client.with_options(max_retries=0))) == said


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            {"read": 0.05},
            (
                "waiting for the response, or for more of it, took longer than 0.05 s; to allow"
                " more time, pass timeout=Timeout(read=...) (read_timeout)"
            ),
        ),
        (
            {"total": 0.05},
            (
                "the whole call took longer than 0.05 s; to allow more time, pass"
                " timeout=Timeout(total=...) (total_timeout)"
            ),
        ),
    ],
)
@on_every_flavour
async def test_a_time_limit_names_itself_its_value_and_what_to_change(world, limits, said):
    with ScriptedServer(lambda peer: peer.wait_until_left()) as server:
        options = {"timeout": Timeout(**limits), "max_retries": 0}
        async with world.client(server.url).with_options(**options) as client:
            assert str(await error_of(client)) == said
        async with over_httpx(world, server.url) as client:
            assert str(await error_of(client.with_options(**options))) == said


@on_every_flavour
async def test_over_httpx_a_tls_server_that_just_hangs_up_is_hinted_at(world):
    with ScriptedServer(serve, tls=serving("127.0.0.1")) as server:
        server.failures = []
        async with over_httpx(world, server.url.replace("https:", "http:")) as client:
            error = await error_of(client)
        assert "use https:// in the base URL" in str(error)
        server.failures = []


@on_every_flavour
async def test_a_certificate_for_another_name_says_what_to_check(world):
    with ScriptedServer(serve, tls=serving("other.example")) as server:
        server.failures = []
        async with world.client(server.url, tls=trusting()) as client:
            error = await error_of(client)
        assert error.error_code == "tls_verify"
        assert error.message.endswith("; check the host name in the base URL")
        server.failures = []
