"""Proxies that refuse, are not there, or die: what the caller is told, and what nobody sees."""

import os
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from peers import calls
from peers.calls import InSteps
from peers.nginx import Nginx
from peers.options import trusting_authority
from peers.programs import free_ports, until
from peers.proxies import (
    PLAIN_PASSWORD,
    USER,
    Dante,
    ForwardProxy,
    Microsocks,
    Squid,
    SquidOverTLS,
    Tinyproxy,
)

from meshapi import (
    APIConnectionError,
    InternalServerError,
    MeshAPIError,
    PermissionDeniedError,
    StreamInterruptedError,
)
from meshapi.testing import LocalGateway
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import chunk, chunked, frame, stream_head

pytestmark = pytest.mark.slow

Peers = Callable[..., Any]

EVERY = pytest.mark.parametrize("kind", [Squid, Tinyproxy, Microsocks, Dante])
WITH_PASSWORD = pytest.mark.parametrize("kind", [Squid, Tinyproxy, Microsocks])
BOTH_SCHEMES = pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])

WRONG = "canary-of-a-wrong-one"
SECRETS = ("canary", TOKEN)
"""Of which nothing may be shown: all passwords here begin with the first."""

REQUESTS: "dict[str, Callable[[Any], Any]]" = {
    "chat": calls.chat,
    "stream": calls.stream,
    "realtime": calls.realtime,
}


@pytest.fixture(scope="module")
def servers(peers: Peers, gateway: LocalGateway) -> "Callable[[bool], str]":
    """The URL of the gateway, without TLS or with it."""
    port = int(gateway.url.rpartition(":")[2])
    nginx = peers(Nginx, port, tls=True)
    return lambda tls: nginx.url if tls else gateway.url


async def error_of(call: Any, client: Any, *names: str) -> MeshAPIError:
    """The error of a call, which has these words in it and none of `SECRETS`."""
    with pytest.raises(MeshAPIError) as caught:
        await call(client)
    error = caught.value
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The locals of the tests have it all, of course.
    frames = [one for one in told.stack if f"{os.sep}tests{os.sep}" not in one.filename]
    told.stack = traceback.StackSummary.from_list(frames)
    texts = [str(error), repr(error), *told.format()]
    for text in texts:
        for secret in SECRETS:
            assert secret not in text
    for name in names:
        assert name in str(error)
    return error


# Streams


@EVERY
@BOTH_SCHEMES
@on_every_flavour
async def test_a_stream_arrives_chunk_by_chunk(
    world: World, kind: "type[ForwardProxy]", tls: bool, peers: Peers
) -> None:
    proxy = peers(kind)
    steps = InSteps()
    with ScriptedServer(steps) as server, Nginx(server.port, tls=True) as nginx:
        url = nginx.url if tls else server.url
        async with world.client(url, proxy=proxy.url, **trusting_authority()) as client:
            await steps.read(client)


@EVERY
@BOTH_SCHEMES
@on_every_flavour
async def test_a_proxy_that_dies_in_a_stream_interrupts_it(
    world: World, kind: "type[ForwardProxy]", tls: bool
) -> None:
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head(), chunked(frame(chunk("half")), end=False))
        peer.wait_until_left()

    with ScriptedServer(script) as server, Nginx(server.port, tls=True) as nginx, kind() as proxy:
        url = nginx.url if tls else server.url
        async with world.client(url, proxy=proxy.url, **trusting_authority()) as client:
            with pytest.raises(StreamInterruptedError):
                async with client.chat.completions.stream(**ASK) as chunks:
                    async for _ in chunks:
                        proxy.kill()


# A proxy that is gone


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
@pytest.mark.parametrize("call", REQUESTS)
@on_every_flavour
async def test_a_proxy_that_is_not_there(
    world: World, scheme: str, call: str, servers: "Callable[[bool], str]"
) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    proxy = f"{scheme}://{USER}:{PLAIN_PASSWORD}@{address}"
    async with world.client(servers(False), proxy=proxy) as client:
        error = await error_of(REQUESTS[call], client, address, "proxy")
    assert isinstance(error, APIConnectionError)
    assert error.error_code == "proxy_refused"


@EVERY
@BOTH_SCHEMES
@on_every_flavour
async def test_a_proxy_that_died_between_two_calls(
    world: World, kind: "type[ForwardProxy]", tls: bool, servers: "Callable[[bool], str]"
) -> None:
    with kind() as proxy:
        options = {"proxy": proxy.url, **trusting_authority()}
        async with world.client(servers(tls), **options) as client:
            await calls.chat(client)
            proxy.kill()
            error = await error_of(calls.chat, client, f"127.0.0.1:{proxy.port}", "proxy")
            assert error.error_code == "proxy_refused"
            proxy.restart()
            await calls.chat(client)
            await calls.stream(client)


# A proxy that refuses


@WITH_PASSWORD
@BOTH_SCHEMES
@pytest.mark.parametrize("password", [WRONG, None], ids=["wrong", "missing"])
@pytest.mark.parametrize("call", REQUESTS)
@on_every_flavour
async def test_a_wrong_password(
    world: World,
    kind: "type[ForwardProxy]",
    tls: bool,
    password: "str | None",
    call: str,
    peers: Peers,
    servers: "Callable[[bool], str]",
) -> None:
    proxy = peers(kind, with_password=True)
    url = proxy.address if password is None else proxy.url_with(password)
    before = len(proxy.seen())
    async with world.client(servers(tls), proxy=url, **trusting_authority()) as client:
        error = await error_of(REQUESTS[call], client, f"127.0.0.1:{proxy.port}", "password")
    assert isinstance(error, APIConnectionError)
    assert error.error_code == "proxy_auth"
    if kind is Squid:
        # Not tried again: some lock a user who errs too often.
        until(lambda: len(proxy.seen()) > before)
        assert [status for _, _, status in proxy.lines()[before:]] == ["407"]


@pytest.mark.parametrize("call", REQUESTS)
@on_every_flavour
async def test_a_proxy_that_forbids_the_port(
    world: World, call: str, servers: "Callable[[bool], str]"
) -> None:
    url = servers(True)
    port = int(url.rpartition(":")[2])
    with Squid(forbidden=port) as proxy:
        async with world.client(url, proxy=proxy.url, **trusting_authority()) as client:
            reason = "403 Forbidden; its rules do not allow this server or port"
            error = await error_of(REQUESTS[call], client, proxy.address, reason)
        assert isinstance(error, APIConnectionError)
        assert error.error_code == "proxy_connect"
        until(proxy.seen)
        assert proxy.lines() == [("CONNECT", f"127.0.0.1:{port}", "403")]


REASONS: "dict[type[ForwardProxy], str]" = {
    Squid: "it could not connect to the server (ERR_CONNECT_FAIL)",
    Tinyproxy: "50",
    Microsocks: "the server refused the connection",
    Dante: "the server refused the connection",
}


@EVERY
@pytest.mark.parametrize("scheme", ["http", "https"])
@on_every_flavour
async def test_a_gateway_that_the_proxy_cannot_reach(
    world: World, kind: "type[ForwardProxy]", scheme: str, peers: Peers
) -> None:
    proxy = peers(kind)
    url = f"{scheme}://127.0.0.1:{free_ports(1)[0]}"
    async with world.client(url, proxy=proxy.url) as client:
        for call in (calls.chat, calls.stream):
            error = await error_of(call, client, f"the proxy {proxy.address}", REASONS[kind])
            if scheme == "https" or proxy.scheme == "socks5":
                assert error.error_code == "proxy_connect"
            else:
                # As if the gateway had sent it.
                assert isinstance(error, InternalServerError)


@pytest.mark.parametrize("call", ["chat", "stream"])
@on_every_flavour
async def test_a_proxy_that_does_not_forward_to_the_port(
    world: World, call: str, gateway: LocalGateway
) -> None:
    with Squid(forbidden=int(gateway.url.rpartition(":")[2])) as proxy:
        async with world.client(gateway.url, proxy=proxy.url) as client:
            reason = f"HTTP 403 from the proxy {proxy.address}: its rules do not allow this server"
            error = await error_of(REQUESTS[call], client, reason)
        assert isinstance(error, PermissionDeniedError)


@EVERY
@on_every_flavour
async def test_a_name_that_the_proxy_cannot_resolve(
    world: World, kind: "type[ForwardProxy]", peers: Peers
) -> None:
    proxy = peers(kind)
    url = proxy.address.replace("socks5:", "socks5h:")
    options = {"proxy": url, "max_retries": 0}
    async with world.client("https://no-such-gateway.invalid", **options) as client:
        error = await error_of(calls.chat, client, f"the proxy {url} did not open a connection")
    assert error.error_code == "proxy_connect"


@pytest.mark.parametrize("kind", [Microsocks, SquidOverTLS])
@BOTH_SCHEMES
@on_every_flavour
async def test_a_proxy_of_another_kind(
    world: World, kind: "type[ForwardProxy]", tls: bool, peers: Peers
) -> None:
    proxy = peers(kind)
    url = f"http://127.0.0.1:{proxy.port}"
    target = f"{'https' if tls else 'http'}://127.0.0.1:{free_ports(1)[0]}"
    async with world.client(target, proxy=url, max_retries=0) as client:
        error = await error_of(calls.chat, client, f"the proxy {url}")
    assert isinstance(error, APIConnectionError)


# Names


@pytest.mark.parametrize(("scheme", "asked"), [("socks5h", "localhost"), ("socks5", "127.0.0.1")])
@on_every_flavour
async def test_who_looks_names_up(
    world: World, scheme: str, asked: str, peers: Peers, gateway: LocalGateway
) -> None:
    proxy = peers(Microsocks, with_password=True)
    url = gateway.url.replace("127.0.0.1", "localhost")
    before = len(proxy.seen())
    options = {"proxy": proxy.url_with(proxy.password, scheme)}
    async with world.client(url, **options) as client:
        await calls.chat(client)
    until(lambda: len(proxy.seen()) > before)
    assert proxy.seen()[before:] == [f"CONNECT {asked}:{gateway.url.rpartition(':')[2]}"]


# The environment


@EVERY
@on_every_flavour
async def test_the_proxy_of_the_environment(
    world: World,
    kind: "type[ForwardProxy]",
    peers: Peers,
    servers: "Callable[[bool], str]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = peers(kind, with_password=kind is not Dante)
    monkeypatch.setenv("MESHAPI_PROXY", proxy.url)
    before = len(proxy.seen())
    async with world.client(servers(True), **trusting_authority()) as client:
        await calls.chat(client)
        await calls.realtime(client)
    until(lambda: len(proxy.seen()) > before)
    # The session takes the connection of the call.
    assert proxy.seen()[before:] == [f"CONNECT {servers(True).partition('://')[2]}"]
