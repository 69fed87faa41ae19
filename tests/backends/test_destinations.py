"""Requests to servers that a response named: their addresses are checked before connecting."""

import socket
from collections.abc import Coroutine
from typing import Any, Optional

import pytest

from meshapi_backends._networks.addresses import Address
from meshapi_core import Limits, MeshAPIError, Origin, Proxies, Request
from support.flavours import World, on_every_flavour
from support.raw_calls import send
from support.scripted_server import Peer, ScriptedServer
from support.wire import make_response

GATEWAY = Origin("http", "gateway.example", 80)


class Names:
    """The real network, but with these names only."""

    def __init__(self, world: World, **addresses: list[str]) -> None:
        self._world = world
        self._addresses = addresses
        self.asked: list[str] = []
        self.tried: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.network, name)

    def resolve(self, host: str, port: int, timeout: Optional[float]) -> Any:
        self.asked.append(host)
        found = [_address(text, port) for text in self._addresses[host.partition(".")[0]]]
        return found if self._world.name == "sync" else _returning(found)

    def connect(self, address: Address, timeout: Optional[float], sockets: Any) -> Any:
        self.tried.append(address.sockaddr[0])
        return self._world.network.connect(address, timeout, sockets)

    def connect_first(self, dialing: Any, sockets: Any) -> Any:
        raise AssertionError("no test has several addresses that may be tried")


def _address(text: str, port: int) -> Address:
    if ":" in text:
        return Address(socket.AF_INET6, (text, port, 0, 0))
    return Address(socket.AF_INET, (text, port))


def _returning(value: Any) -> Coroutine[Any, Any, Any]:
    async def response() -> Any:
        return value

    return response()


def put(port: int, named_by: Optional[Origin] = GATEWAY) -> Request:
    origin = Origin("http", "storage.example", port)
    return Request("PUT", origin, "/f?sig=s3cret", body=b"abc", named_by=named_by)


async def sent(world: World, names: Names, request: Request, proxy: str = "") -> int:
    proxies = Proxies.through(proxy) if proxy else Proxies()
    pool = world.dress(world.pool_class(names, Limits(), proxies=proxies))
    try:
        return (await send(world, pool, request, names)).status
    finally:
        await pool.aclose()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.0.0.2", "10.1.2.3", "169.254.169.254", "::1", "fe80::1%lo", "::ffff:7f00:1"],
)
@on_every_flavour
async def test_a_name_that_leads_into_the_callers_own_network_is_refused(
    world: World, address: str
) -> None:
    names = Names(world, storage=[address], gateway=["8.8.8.8"])
    with pytest.raises(MeshAPIError) as caught:
        await sent(world, names, put(1))
    assert caught.value.error_code == "unsafe_url"
    assert "storage.example" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert names.tried == []


@on_every_flavour
async def test_a_gateway_in_the_callers_own_network_may_name_its_neighbours(world: World) -> None:
    with ScriptedServer(
        lambda peer: peer.receive() and peer.send(make_response(200, b""))
    ) as server:
        names = Names(world, storage=["127.0.0.1"], gateway=["10.0.0.1"])
        assert await sent(world, names, put(server.port)) == 200
        assert names.asked == ["storage.example", "gateway.example"]


@on_every_flavour
async def test_a_server_that_no_response_named_is_not_checked(world: World) -> None:
    with ScriptedServer(
        lambda peer: peer.receive() and peer.send(make_response(200, b""))
    ) as server:
        names = Names(world, storage=["127.0.0.1"])
        assert await sent(world, names, put(server.port, None)) == 200
        assert names.asked == ["storage.example"]


@on_every_flavour
async def test_of_several_addresses_only_the_public_ones_are_tried(world: World) -> None:
    names = Names(world, storage=["127.0.0.1", "8.8.8.8", "::1"], gateway=["8.8.8.8"])

    class Refusing(Names):
        def connect(self, address: Address, timeout: Optional[float], sockets: Any) -> Any:
            names.tried.append(address.sockaddr[0])
            raise ConnectionRefusedError("no")

    names.__class__ = Refusing
    with pytest.raises(MeshAPIError) as caught:
        await sent(world, names, put(1))
    assert caught.value.error_code == "connect_refused"
    assert names.tried == ["8.8.8.8"]


@on_every_flavour
async def test_an_address_that_a_socks_proxy_is_to_be_asked_for_is_checked(world: World) -> None:
    names = Names(world, storage=["10.1.2.3"], gateway=["8.8.8.8"])
    with ScriptedServer(Peer.wait_until_left) as proxy:
        url = f"socks5://127.0.0.1:{proxy.port}"
        with pytest.raises(MeshAPIError) as caught:
            await sent(world, names, put(1), url)
        assert caught.value.error_code == "unsafe_url"
        assert proxy.connections == 0


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@on_every_flavour
async def test_a_name_that_the_proxy_looks_up_is_for_its_rules(world: World, scheme: str) -> None:
    names = Names(world, **{"127": ["127.0.0.1"]})

    def refuse(peer: Peer) -> None:
        peer.take()
        peer.send(b"\x05\xff" if scheme == "socks5h" else make_response(403, b""))
        peer.wait_until_left()

    with ScriptedServer(refuse) as proxy:
        url = f"{scheme}://127.0.0.1:{proxy.port}"
        with pytest.raises(MeshAPIError) as caught:
            await sent(world, names, put(1), url)
        expected = "proxy_auth" if scheme == "socks5h" else "forbidden"
        assert caught.value.error_code == expected
        assert names.asked == ["127.0.0.1"]
