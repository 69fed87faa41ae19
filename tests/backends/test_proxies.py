"""Calls and realtime sessions through proxies, over real sockets, in every flavour."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from meshapi import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    InternalServerError,
    MeshAPIError,
    Proxy,
    Timeout,
)
from support.certificates import serving, trusting
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.proxies import HTTPProxy, SOCKSProxy
from support.realtime_server import MODEL, RealtimePeer, upgraded
from support.reporters import seen
from support.scripted_server import Peer, Script, ScriptedServer
from support.turns import by_turns
from support.wire import good, make_response, serve

NAME = "gateway.example"
PASSWORD = "pr0xy-passw0rd-canary"
CREDENTIALS = f"us.er%40:{PASSWORD}"
PLAIN_CREDENTIALS = f"us.er@:{PASSWORD}"


@pytest.fixture(autouse=True)
def _only_local_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name server is asked: names other than this machine's do not exist."""
    real = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **options: Any) -> Any:
        if host == "localhost":
            return real("127.0.0.1", *args, **options)
        if host == "127.0.0.1":
            return real(host, *args, **options)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


class Way:
    """One way to a server: the kind of proxy, and whether it has a password and speaks TLS."""

    def __init__(self, kind: Any, scheme: str, *, tls: bool = False, password: bool = False):
        self.kind, self.scheme, self.tls, self.password = kind, scheme, tls, password

    @contextlib.contextmanager
    def proxy(self, server: ScriptedServer) -> Iterator[Any]:
        with self.kind(
            names={NAME: server.port},
            credentials=PLAIN_CREDENTIALS if self.password else None,
            tls=serving("127.0.0.1") if self.tls else None,
        ) as proxy:
            yield proxy

    def url(self, proxy: Any) -> str:
        url = proxy.url_with(CREDENTIALS) if self.password else proxy.url
        return f"{self.scheme}://{url.partition('://')[2]}"


WAYS = {
    "http": Way(HTTPProxy, "http"),
    "http with password": Way(HTTPProxy, "http", password=True),
    "https with password": Way(HTTPProxy, "https", tls=True, password=True),
    "socks5h": Way(SOCKSProxy, "socks5h"),
    "socks5h with password": Way(SOCKSProxy, "socks5h", password=True),
}

through_each = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
to_both = pytest.mark.parametrize("scheme", ["http", "https"])


def server_of(scheme: str, *scripts: Script) -> ScriptedServer:
    return ScriptedServer(*scripts, tls=serving(NAME) if scheme == "https" else None)


def client_of(world: World, scheme: str, proxy: Any, **options: Any) -> Any:
    port = options.pop("port", 8443)
    url = f"{scheme}://{NAME}:{port}"
    return world.client(url, proxy=proxy, tls=trusting(), **options)


async def error_of(client: Any) -> Any:
    with pytest.raises(APIConnectionError) as caught:
        await client.chat.completions.create(**ASK)
    return caught.value


@to_both
@through_each
@on_every_flavour
async def test_a_call_goes_through_a_proxy_and_keeps_its_connection(world, way, scheme):
    with server_of(scheme, serve) as server, way.proxy(server) as proxy:
        async with client_of(world, scheme, way.url(proxy)) as client:
            for _ in range(2):
                response = await client.chat.completions.create(**ASK)
                assert response.choices[0].message.text == "pong"
        assert server.connections == proxy.connections == 1
        assert len(server.requests) == 2
        for request in server.requests:
            assert request.line == b"POST /v1/chat/completions HTTP/1.1"
            assert request.headers["host"] == f"{NAME}:8443"
            assert request.headers["authorization"] == f"Bearer {TOKEN}"
            assert "proxy-authorization" not in request.headers
            assert PASSWORD.encode() not in request.head


@to_both
@through_each
@on_every_flavour
async def test_a_stream_goes_through_a_proxy(world, way, scheme):
    with server_of(scheme, serve) as server, way.proxy(server) as proxy:
        async with client_of(world, scheme, way.url(proxy)) as client:
            stream = client.chat.completions.stream(**ASK)
            words = [chunk.text async for chunk in stream]
        assert "".join(words) == "pong"


def echo(peer: RealtimePeer) -> None:
    while (event := peer.receive_event()) is not None:
        peer.event("session.updated", session=event["session"], event_id="ev")
    peer.close()


@to_both
@through_each
@on_every_flavour
async def test_a_session_goes_through_a_proxy_in_a_tunnel(world, way, scheme):
    with server_of(scheme, upgraded(echo)) as server, way.proxy(server) as proxy:
        caller = client_of(world, scheme, way.url(proxy))
        async with caller as client, client.realtime.connect(model=MODEL) as session:
            for size in (1, 70_000, 300_000):
                await session.update({"instructions": "x" * size})
                message = await session.receive()
                assert len(message.event["session"]["instructions"]) == size
        (asked,) = proxy.asked
        assert asked.target == f"{NAME}:8443"
        assert "proxy-authorization" not in server.requests[0].headers


@pytest.mark.parametrize("way", [WAYS["http with password"], WAYS["https with password"]])
@on_every_flavour
async def test_a_connect_has_only_what_is_for_the_proxy(world, way):
    with server_of("https", serve) as server, way.proxy(server) as proxy:
        async with client_of(world, "https", way.url(proxy)) as client:
            await client.chat.completions.create(**ASK)
        (asked,) = proxy.asked
        assert asked.head.startswith(b"CONNECT gateway.example:8443 HTTP/1.1\r\n")
        assert asked.headers.keys() == {"host", "proxy-authorization"}
        assert asked.headers["host"] == "gateway.example:8443"
        assert TOKEN.encode() not in asked.head


@on_every_flavour
async def test_a_proxy_that_forwards_gets_the_whole_url_and_its_own_password(world):
    way = WAYS["http with password"]
    with server_of("http", serve) as server, way.proxy(server) as proxy:
        async with client_of(world, "http", way.url(proxy), port=80) as client:
            await client.chat.completions.create(**ASK)
            await client.chat.completions.create(**ASK)
        for asked in proxy.asked:
            line = asked.head.partition(b"\r\n")[0]
            assert line == b"POST http://gateway.example/v1/chat/completions HTTP/1.1"
            assert asked.headers["host"] == NAME
            assert asked.headers["proxy-authorization"].startswith("Basic ")
        assert len(proxy.asked) == 2


@on_every_flavour
async def test_a_connection_to_a_proxy_that_forwards_does_not_carry_a_session(world):
    def play(peer: Peer) -> None:
        (serve if peer.number == 0 else upgraded(echo))(peer)

    way = WAYS["http"]
    with server_of("http", play) as server, way.proxy(server) as proxy:
        async with client_of(world, "http", proxy.url) as client:
            await client.chat.completions.create(**ASK)
            async with client.realtime.connect(model=MODEL) as session:
                await session.update({"instructions": "x"})
                await session.receive()
        assert [asked.head.split(b" ")[0] for asked in proxy.asked] == [b"POST", b"CONNECT"]


@to_both
@on_every_flavour
async def test_with_socks5_names_are_looked_up_here_and_with_socks5h_there(world, scheme):
    with server_of(scheme, serve) as server, SOCKSProxy(names={NAME: server.port}) as proxy:
        context = trusting()
        context.check_hostname = False
        url = f"{scheme}://localhost:{server.port}"
        async with world.client(url, proxy=proxy.local(), tls=context) as client:
            await client.chat.completions.create(**ASK)
        async with client_of(world, scheme, proxy.url) as client:
            await client.chat.completions.create(**ASK)
        here, there = proxy.asked
        assert here.head[1] in (1, 4), "an address"
        assert (there.head[1], there.target) == (3, f"{NAME}:8443")


@on_every_flavour
async def test_a_name_that_cannot_be_resolved_here_is_not_the_proxys(world):
    with SOCKSProxy() as proxy:
        url = "https://no-such-host.invalid"
        async with world.client(url, proxy=proxy.local(), max_retries=0) as client:
            error = await error_of(client)
        assert error.error_code == "dns"
        assert "the proxy" not in str(error)
        assert proxy.connections == 0


# What goes wrong


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@to_both
@pytest.mark.parametrize("kind", ["http", "https", "socks5", "socks5h"])
@on_every_flavour
async def test_a_dead_proxy_is_named_and_tried_again(world, scheme, kind):
    url = f"{kind}://127.0.0.1:{free_port()}"
    credentials = url.replace("://", f"://{CREDENTIALS}@")
    origin = f"{scheme}://127.0.0.1:1"
    async with world.client(origin, proxy=credentials) as client:
        error = await error_of(client)
    assert error.error_code == "proxy_refused"
    assert f"the proxy {url}" in str(error)
    assert "is the proxy running?" in str(error)
    assert PASSWORD not in seen(error)


@on_every_flavour
async def test_a_proxy_whose_name_cannot_be_resolved_is_said_to_be_the_proxy(world):
    async with client_of(world, "https", "http://no-such-proxy.invalid:3128") as client:
        error = await error_of(client)
    assert error.error_code == "proxy_refused"
    assert "the proxy http://no-such-proxy.invalid:3128" in str(error)
    assert "the proxy's host name could not be resolved" in str(error)


@on_every_flavour
async def test_an_error_names_the_variable_that_named_the_proxy(world, monkeypatch):
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("HTTPS_PROXY", url)
    async with world.client("https://gateway.example", max_retries=0) as client:
        error = await error_of(client)
    assert f"the proxy {url} (named by HTTPS_PROXY)" in str(error)


@to_both
@pytest.mark.parametrize("given", ["", "us.er:wrong-canary-123"])
@pytest.mark.parametrize("kind", [HTTPProxy, SOCKSProxy])
@on_every_flavour
async def test_a_proxy_that_wants_another_password_is_not_asked_again(world, scheme, kind, given):
    with (
        server_of(scheme, serve) as server,
        kind(names={NAME: server.port}, credentials=PLAIN_CREDENTIALS) as proxy,
    ):
        async with client_of(
            world, scheme, proxy.url_with(given) if given else proxy.url
        ) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_auth"
        assert f"the proxy {proxy.url}" in str(error)
        assert ("check" if given else f"{proxy.scheme}://user:password@") in str(error)
        assert "wrong-canary" not in seen(error)
        assert server.connections == 0
        assert proxy.connections == 1


def answering_connect(response: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(response)
        peer.wait_until_left()

    return script


@by_turns
@pytest.mark.parametrize(
    ("status", "attempts"), [(403, 1), (405, 1), (302, 1), (500, 3), (502, 3), (503, 3), (504, 3)]
)
@on_every_flavour
async def test_a_refused_connect_is_retried_if_the_proxy_could_not_reach_the_server(
    world, status, attempts
):
    with ScriptedServer(answering_connect(make_response(status, b"no"))) as proxy:
        async with client_of(world, "https", proxy.url) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_connect"
        assert f"the proxy {proxy.url} did not open a connection: {status}" in str(error)
        assert proxy.connections == attempts


@on_every_flavour
async def test_a_server_that_a_socks_proxy_cannot_reach_is_said(world):
    with SOCKSProxy() as proxy:
        async with client_of(world, "https", proxy.url) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_connect"
        assert "SOCKS reply 4" in str(error)
        assert proxy.connections == 3


def stall(peer: Peer) -> None:
    peer.take()
    peer.wait_until_left()


def flood(peer: Peer) -> None:
    peer.take()
    peer.send(b"HTTP/1.1 200 OK\r\n")
    with contextlib.suppress(OSError):
        for _ in range(100):
            peer.send(b"x: " + b"y" * 65536 + b"\r\n")


def echo_first(peer: Peer) -> None:
    peer.send(peer.take())


ODD: dict[str, tuple[Script, str]] = {
    "closes": (lambda peer: peer.take() and None, "it closed the connection"),
    "floods": (flood, "did not open a connection"),
    "garbage": (answering_connect(b"SSH-2.0-nonsense\r\n"), "not HTTP/1.1"),
    "echo": (echo_first, "did not open a connection"),
    "101": (answering_connect(b"HTTP/1.1 101 No\r\n\r\n"), "did not open a connection"),
}


@pytest.mark.parametrize("odd", ODD)
@on_every_flavour
async def test_a_proxy_that_does_not_speak_http_is_a_typed_error(world, odd):
    script, words = ODD[odd]
    with ScriptedServer(script) as proxy:
        url = proxy.url.replace("://", f"://{CREDENTIALS}@")
        async with client_of(world, "https", url, max_retries=0) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_connect"
        assert f"the proxy {proxy.url}" in str(error)
        assert words in str(error)
        assert PASSWORD not in seen(error)


@pytest.mark.parametrize("kind", ["http", "socks5h"])
@on_every_flavour
async def test_a_proxy_that_stalls_costs_the_limit_of_connecting(world, kind):
    with ScriptedServer(stall) as proxy:
        url = proxy.url.replace("http:", f"{kind}:")
        limits = Timeout(connect=0.05)
        async with client_of(world, "https", url, timeout=limits, max_retries=0) as client:
            error = await error_of(client)
        assert isinstance(error, APITimeoutError)
        assert error.phase == "connect"
        assert f"to the proxy {url}" in str(error)


@on_every_flavour
async def test_a_proxy_that_stalls_in_the_tls_handshake_is_named(world):
    with ScriptedServer(stall) as proxy:
        url = proxy.url.replace("http:", "https:")
        limits = Timeout(connect=0.05)
        async with client_of(world, "https", url, timeout=limits, max_retries=0) as client:
            error = await error_of(client)
        assert isinstance(error, APITimeoutError)
        assert f"to the proxy {url}" in str(error)


@on_every_flavour
async def test_an_https_proxy_that_is_not_trusted_is_named(world):
    with HTTPProxy(tls=serving("127.0.0.1")) as proxy:
        async with world.client(f"https://{NAME}", proxy=proxy.url) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_tls"
        assert f"the TLS certificate of the proxy {proxy.url} was not accepted" in str(error)
        assert proxy.asked == []


@on_every_flavour
async def test_a_plain_proxy_with_an_https_url_is_said_at_once(world):
    def speak_plainly(peer: Peer) -> None:
        peer.take()
        peer.send(make_response(400, b"Bad Request"))
        peer.wait_until_left()

    with ScriptedServer(speak_plainly) as proxy:
        url = proxy.url.replace("http:", "https:")
        async with client_of(world, "https", url) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_tls"
        assert f"the proxy {url} does not speak TLS" in str(error)
        assert proxy.connections == 1


@pytest.mark.parametrize("tls", [False, True])
@on_every_flavour
async def test_the_untrusted_certificate_of_the_server_is_the_servers(world, tls):
    context = ssl.create_default_context() if not tls else trusting()
    outer = serving("127.0.0.1") if tls else None
    with (
        ScriptedServer(serve, tls=serving("another.example")) as server,
        HTTPProxy(names={NAME: server.port}, tls=outer) as proxy,
    ):
        server.failures = []
        url = f"https://{NAME}"
        async with world.client(url, proxy=proxy.url, tls=context) as client:
            error = await error_of(client)
        assert error.error_code == "tls_verify"
        assert f"the TLS certificate of {url} was not accepted" in str(error)


@on_every_flavour
async def test_bytes_after_the_200_belong_to_the_server(world):
    """They are the first ones of the TLS handshake, or of a server that speaks too early."""

    def early(peer: Peer) -> None:
        peer.receive_head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + good())
        peer.wait_until_left()

    with ScriptedServer(early) as proxy:
        async with client_of(world, "https", proxy.url, max_retries=0) as client:
            error = await error_of(client)
        assert error.error_code == "tls_handshake"
        assert f"https://{NAME}:8443" in str(error)
        async with client_of(world, "http", proxy.url, max_retries=0) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.realtime.connect(model=MODEL)
        assert caught.value.error_code == "desync"


@on_every_flavour
async def test_a_407_instead_of_a_response_is_the_proxys(world):
    with ScriptedServer(answering_connect(make_response(407, b"no"))) as proxy:
        async with client_of(world, "http", proxy.url) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_auth"
        assert f"the proxy {proxy.url} did not pass the request on" in str(error)
        assert proxy.connections == 1


def responding(status: int, *headers: str) -> Script:
    head = "\r\n".join(
        [f"HTTP/1.1 {status} X", *headers, "Content-Length: 0", "Connection: close", "", ""]
    )
    return answering_connect(head.encode())


TINYPROXY = "Server: tinyproxy/1.11.1"
BASIC = 'WWW-Authenticate: Basic realm="x"'


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("headers", [(TINYPROXY, BASIC), ('Proxy-Authenticate: Basic realm="x"',)])
@on_every_flavour
async def test_a_401_of_a_proxy_that_forwards_is_about_its_password(world, headers, given):
    """What tinyproxy responds with to a wrong password."""
    with ScriptedServer(responding(401, *headers)) as proxy:
        url = proxy.url.replace("://", f"://{CREDENTIALS}@") if given else proxy.url
        async with client_of(world, "http", url) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_auth"
        assert f"the proxy {proxy.url} did not pass the request on: 401 Unauthorized" in str(error)
        assert ("check the user name" if given else "http://user:password@") in str(error)
        assert proxy.connections == 1


@pytest.mark.parametrize(
    "headers",
    [
        ("WWW-Authenticate: Bearer",),
        (BASIC,),
        (TINYPROXY, "WWW-Authenticate: Bearer"),
        (TINYPROXY,),
        # Through the proxy came what another tinyproxy says, which stands before the gateway.
        (TINYPROXY, BASIC, "Via: 1.1 tinyproxy (tinyproxy/1.11.1)"),
        (BASIC, 'Proxy-Authenticate: Basic realm="x"'),
        (),
    ],
)
@on_every_flavour
async def test_a_401_of_the_gateway_is_about_the_token(world, headers):
    with ScriptedServer(responding(401, *headers)) as proxy:
        url = proxy.url.replace("://", f"://{CREDENTIALS}@")
        async with client_of(world, "http", url) as client:
            with pytest.raises(AuthenticationError):
                await client.chat.completions.create(**ASK)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (lambda peer: peer.take() and None, "closed the connection"),
        (lambda peer: (peer.take(), peer.reset()), ""),
        (answering_connect(b"\x15\x03\x01\x00\x02\x02\x46"), "speaks TLS at this port"),
        (answering_connect(b"SSH-2.0-nonsense\r\n"), "not HTTP/1.1"),
    ],
    ids=["closes", "resets", "tls", "garbage"],
)
@on_every_flavour
async def test_a_proxy_that_forwards_nothing_is_named(world, script, words):
    with ScriptedServer(script) as proxy:
        url = proxy.url.replace("://", f"://{CREDENTIALS}@")
        async with client_of(world, "http", url, max_retries=0) as client:
            error = await error_of(client)
        assert words in error.message
        assert error.message.endswith(f"; the connection was to the proxy {proxy.url}")
        assert PASSWORD not in seen(error)


SQUID = ("Server: squid/5.7", "X-Squid-Error: ERR_DNS_FAIL 0")


@pytest.mark.parametrize("stream", [False, True], ids=["create", "stream"])
@pytest.mark.parametrize("between", [False, True], ids=["native", "middleware"])
@on_every_flavour
async def test_an_error_of_a_proxy_that_forwards_names_it(world, between, stream):
    async def pass_on(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    def pass_on_blocking(request: Any, call_next: Any) -> Any:
        return call_next(request)

    own = pass_on_blocking if world.name == "sync" else pass_on
    middleware = [own] if between else []
    with ScriptedServer(responding(503, *SQUID)) as proxy:
        url = proxy.url.replace("://", f"://{CREDENTIALS}@")
        async with client_of(world, "http", url, middleware=middleware) as client:
            with pytest.raises(InternalServerError) as caught:
                if stream:
                    async for _ in client.chat.completions.stream(**ASK):
                        pass
                else:
                    await client.chat.completions.create(**ASK)
        error = caught.value
        assert error.message == (
            f"HTTP 503 from the proxy {proxy.url}: it could not resolve the server's host name"
            " (ERR_DNS_FAIL)"
        )
        assert error.error_code == "upstream_error"
        # As with any other 503.
        assert proxy.connections == (1 if stream else 3)


@on_every_flavour
async def test_an_error_of_the_gateway_does_not_name_the_proxy(world):
    with ScriptedServer(responding(503, "Via: 1.1 squid")) as proxy:
        async with client_of(world, "http", proxy.url) as client:
            with pytest.raises(InternalServerError) as caught:
                await client.chat.completions.create(**ASK)
        assert caught.value.message == "HTTP 503"


@on_every_flavour
async def test_an_error_that_may_be_the_proxys_own_names_it(world):
    with ScriptedServer(responding(503)) as proxy:
        url = proxy.url.replace("://", f"://u:{PASSWORD}@")
        async with client_of(world, "http", url) as client:
            with pytest.raises(InternalServerError) as caught:
                await client.chat.completions.create(**ASK)
    said = f"HTTP 503; the request went through the proxy {proxy.url}"
    assert caught.value.message == said
    assert PASSWORD not in seen(caught.value)


@on_every_flavour
async def test_a_forwarding_proxy_that_wants_another_method_says_so(world):
    refusal = b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"
    with ScriptedServer(answering_connect(refusal)) as proxy:
        async with client_of(world, "http", proxy.url) as client:
            error = await error_of(client)
        assert error.error_code == "proxy_auth"
        assert "it asks for NTLM, and this client offers Basic only" in str(error)


@on_every_flavour
async def test_a_forwarding_proxy_that_echoes_its_password_does_not_show_it(world):
    def echo_head(peer: Peer) -> None:
        head = peer.receive_head() or b""
        peer.send(make_response(400, head, kind="text/plain"))
        peer.wait_until_left()

    with ScriptedServer(echo_head) as proxy:
        url = proxy.url.replace("://", f"://{CREDENTIALS}@")
        async with client_of(world, "http", url) as client:
            with pytest.raises(MeshAPIError) as caught:
                await client.chat.completions.create(**ASK)
        basic = Proxy.of(url).authorization
        assert basic is not None
        for secret in (PASSWORD, basic[1].encode()[6:].decode(), TOKEN):
            assert secret not in seen(caught.value)


# Which proxy


def clear(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "MESHAPI_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("variables", "argument", "through"),
    [
        ({"HTTP_PROXY": "P"}, {}, True),
        ({"HTTP_PROXY": "P"}, {"proxy": None}, False),
        ({"HTTP_PROXY": "P", "NO_PROXY": ".example"}, {}, False),
        ({"MESHAPI_PROXY": "P", "NO_PROXY": ".example"}, {}, True),
        ({"MESHAPI_PROXY": "none", "HTTP_PROXY": "P"}, {}, False),
        ({"all_proxy": "P"}, {}, True),
        ({}, {"proxy": "P"}, True),
        ({}, {}, False),
    ],
)
@on_every_flavour
async def test_the_argument_comes_before_the_environment(
    world, monkeypatch, variables, argument, through
):
    clear(monkeypatch)
    with server_of("http", serve) as server, HTTPProxy(names={NAME: server.port}) as proxy:
        for name, value in variables.items():
            monkeypatch.setenv(name, value.replace("P", proxy.url, value == "P"))
        given = {name: value and proxy.url for name, value in argument.items()}
        url = f"http://{NAME}:{server.port}"
        async with world.client(url, max_retries=0, **given) as client:
            if through:
                await client.chat.completions.create(**ASK)
            else:
                assert (await error_of(client)).error_code == "dns"
        assert proxy.connections == through


@on_every_flavour
async def test_the_environments_proxy_does_not_stand_before_this_machine(world, monkeypatch):
    clear(monkeypatch)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            await client.chat.completions.create(**ASK)
