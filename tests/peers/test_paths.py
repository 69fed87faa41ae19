"""Chat, a stream, an upload and a realtime session through every path to a gateway."""

from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple, Optional

import pytest
from peers import calls
from peers.http2_server import HTTP2Gateway
from peers.nginx import Nginx
from peers.options import transport_of, trusting_authority
from peers.programs import until
from peers.proxies import Dante, ForwardProxy, Microsocks, Squid, SquidOverTLS, Tinyproxy

from meshapi.testing import LocalGateway
from support.flavours import FLAVOURS, TOKEN, World, nothing_left_open

pytestmark = pytest.mark.slow

PROXIES: "dict[str, tuple[type[ForwardProxy], bool]]" = {
    "squid": (Squid, False),
    "squid-with-password": (Squid, True),
    "squid-over-tls": (SquidOverTLS, True),
    "tinyproxy": (Tinyproxy, False),
    "tinyproxy-with-password": (Tinyproxy, True),
    "microsocks": (Microsocks, False),
    "microsocks-with-password": (Microsocks, True),
    "dante": (Dante, False),
}


class Path(NamedTuple):
    """How requests reach a gateway.

    Fields:
        server: what stands before the gateway: nothing, nginx with TLS, with HTTP/2, or hypercorn.
        proxy: one of `PROXIES`, in front of all that.
        transport: what sends the requests, if not the client itself.
        flavours: of the client.
    """

    server: str = "gateway"
    proxy: Optional[str] = None
    transport: Optional[str] = None
    flavours: "tuple[str, ...]" = ("sync", "asyncio", "trio")

    def __str__(self) -> str:
        return "-".join(filter(None, (self.transport or "native", self.proxy, self.server)))


NATIVE = [
    Path(),
    Path("tls"),
    Path("http2"),
    *(Path(server, proxy) for proxy in PROXIES for server in ("gateway", "tls")),
]
OTHERS = [
    Path(server, None, transport, flavours)
    for transport, servers, flavours in (
        ("httpx", ("gateway", "tls"), Path().flavours),
        ("httpx2", ("gateway", "tls"), Path().flavours),
        ("httpcore", ("gateway", "tls"), Path().flavours),
        ("httpcore-http2", ("http2", "hypercorn"), Path().flavours),
        ("aiohttp", ("gateway", "tls"), ("asyncio",)),
    )
    for server in servers
]
# Theirs are other clients of the same proxies.
OTHERS += [
    Path("tls", proxy, transport)
    for transport in ("httpx", "httpcore")
    for proxy in ("squid-with-password", "squid-over-tls", "microsocks-with-password")
]
OTHERS += [Path("http2", proxy, "httpcore-http2") for proxy in ("squid", "microsocks")]


def rows() -> "list[Any]":
    table = [(path, call) for path in NATIVE for call in calls.ALL]
    table += [(path, call) for path in OTHERS for call in calls.REQUESTS]
    return [
        pytest.param(
            path,
            call,
            world,
            id=f"{path}-{call.__name__}-{world.name}",
        )
        for path, call in table
        for world in FLAVOURS
        if world.name in path.flavours
    ]


Peers = Callable[..., Any]


class Servers:
    """What a path leads through, started when it is first used."""

    def __init__(self, peers: Peers, gateway: LocalGateway) -> None:
        self._peers = peers
        self._gateway = gateway
        self._port = int(gateway.url.rpartition(":")[2])

    def url(self, path: Path) -> str:
        if path.server == "gateway":
            return self._gateway.url
        if path.server == "hypercorn":
            url: str = self._peers(HTTP2Gateway, TOKEN).url
            return url
        return self.nginx(path).url

    def versions(self) -> "list[str]":
        found: list[str] = self._peers(HTTP2Gateway, TOKEN).versions
        return found

    def nginx(self, path: Path) -> Nginx:
        found: Nginx = self._peers(Nginx, self._port, tls=True, http2=path.server == "http2")
        return found

    def proxy(self, path: Path) -> ForwardProxy:
        kind, with_password = PROXIES[path.proxy or ""]
        found: ForwardProxy = self._peers(kind, with_password=with_password)
        return found


@asynccontextmanager
async def client_through(world: World, path: Path, servers: Servers) -> Any:
    """A client that takes this path."""
    url = servers.url(path)
    options: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        proxy = servers.proxy(path).url if path.proxy else None
        if path.transport is not None:
            transport = transport_of(world, path.transport, proxy)
            options.update(await stack.enter_async_context(transport))
        elif path.server != "gateway" or path.proxy == "squid-over-tls":
            options.update(trusting_authority())
        if proxy is not None and path.transport is None:
            options["proxy"] = proxy
        client = world.client(url, timeout=10.0, **options)
        await stack.enter_async_context(client)
        yield client


@pytest.fixture(scope="module")
def servers(peers: Peers, gateway: LocalGateway) -> Servers:
    return Servers(peers, gateway)


@pytest.mark.parametrize(("path", "call", "world"), rows())
def test_every_call_goes_through_every_path(
    world: World, path: Path, call: Callable[[Any], Any], servers: Servers, gateway: LocalGateway
) -> None:
    async def scenario(world: World) -> None:
        async with client_through(world, path, servers) as client:
            await call(client)
            # And once more, over the connection that was kept.
            await call(client)

    gateway.reset()
    url = servers.url(path)
    proxy = servers.proxy(path) if path.proxy else None
    nginx = servers.nginx(path) if path.server in {"tls", "http2"} else None
    before = (len(proxy.seen()) if proxy else 0, len(nginx.requests()) if nginx else 0)
    with nothing_left_open():
        world.run(scenario)
    if proxy is not None:
        wanted = asked_for(proxy, url, call)
        until(lambda: len(proxy.seen()) - before[0] >= len(wanted))
        assert proxy.seen()[before[0] :] == wanted
        # What is for the proxy goes no further.
        assert not [one for one in gateway.requests if "proxy-authorization" in one.headers]
    if nginx is not None:
        until(lambda: len(nginx.requests()) - before[1] >= 2)
        served = nginx.requests()[before[1] :]
        version = "HTTP/2.0" if path.transport == "httpcore-http2" else "HTTP/1.1"
        assert [one.version for one in served] == [version] * 2
        # A WebSocket takes its connection along.
        assert len({one.connection for one in served}) == (2 if call is calls.realtime else 1)
    if path.server == "hypercorn":
        assert servers.versions()[-2:] == ["2", "2"]


def asked_for(proxy: ForwardProxy, url: str, call: Callable[[Any], Any]) -> "list[str]":
    """What a proxy must be asked for when a call is made twice."""
    tunnel = f"CONNECT {url.partition('://')[2]}"
    if call is calls.realtime:
        return [tunnel] * 2
    if url.startswith("https:") or proxy.scheme.startswith("socks"):
        return [tunnel]
    return [f"POST {url}{calls.PATHS[call]}"] * 2


def test_the_table_has_every_path() -> None:
    """Each proxy with and without TLS behind it, and each transport."""
    assert len({str(path) for path in [*NATIVE, *OTHERS]}) == len(NATIVE) + len(OTHERS) == 37
