"""While the network is blocked, no transport sends anything to another host.

The server listens on loopback, but is addressed as `0.0.0.0`: a system connects to itself then, and
to the client that is a foreign host.
"""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from meshapi import AsyncMeshAPI, InvalidParamsError, MeshAPI, MeshAPIError, NetworkBlockedError
from meshapi.testing import block_network
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.scripted_server import ScriptedServer
from support.transports import Sender, on_transports
from support.wire import serve


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(serve) as server:
        yield server


def foreign(url: str) -> str:
    return url.replace("127.0.0.1", "0.0.0.0")


# A fake gateway opens no connections: it is let through.
over_http1 = on_transports(lambda sender, world: sender.sockets and not sender.http2)


@over_http1
async def test_a_foreign_host_is_refused_and_this_machine_is_not(
    world: World, sender: Sender, server: ScriptedServer
):
    async with sender.options(world) as options:
        near = world.client(server.url, **options)
        async with near, world.client(foreign(server.url), **options) as far:
            await far.chat.completions.create(**ASK)  # its connection is kept
            with block_network():
                with pytest.raises(NetworkBlockedError) as caught:
                    await far.chat.completions.create(**ASK)
                with pytest.raises(NetworkBlockedError):
                    async for _ in far.chat.completions.stream(**ASK):
                        pass
                await near.chat.completions.create(**ASK)
            with block_network(allow=["0.0.0.0"]):
                await far.chat.completions.create(**ASK)
                with pytest.raises(NetworkBlockedError):
                    await near.chat.completions.create(**ASK)
            await near.chat.completions.create(**ASK)
    assert len(server.requests) == 4
    error = caught.value
    assert (error.host, error.attempts) == ("0.0.0.0", 1)
    assert "test_a_foreign_host_is_refused" in error.test
    assert error.test in error.message


@on_transports(lambda sender, world: sender.name in ("native", "httpx", "own"))
async def test_the_variable_refuses_a_foreign_host(
    world: World, sender: Sender, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MESHAPI_BLOCK_NETWORK", "1")
    async with sender.options(world) as options:  # noqa: SIM117
        async with world.client(foreign(server.url), **options) as far:
            with pytest.raises(NetworkBlockedError, match="MESHAPI_BLOCK_NETWORK=1"):
                await far.chat.completions.create(**ASK)
            with block_network(allow=["0.0.0.0"]):
                await far.chat.completions.create(**ASK)
            monkeypatch.setenv("MESHAPI_BLOCK_NETWORK", "yes please")
            if sender.name == "native":  # the connection is kept
                return
            with pytest.raises(InvalidParamsError, match="expected 1 or 0, got 'yes please'"):
                await far.chat.completions.create(**ASK)


@on_every_flavour
async def test_realtime_sessions_are_refused(world: World):
    with ScriptedServer(serve) as server:
        async with world.client(foreign(server.url)) as client:
            with block_network(), pytest.raises(NetworkBlockedError):
                async with client.realtime.connect(model="openai/gpt-realtime"):
                    pass
        assert server.requests == []


@on_every_flavour
async def test_a_host_name_is_not_even_looked_up(world: World):
    async with world.client("https://gateway.invalid") as client:
        with block_network(), pytest.raises(NetworkBlockedError) as caught:
            await client.models.list()
    assert caught.value.host == "gateway.invalid"


@on_every_flavour
async def test_a_proxy_on_another_machine_is_refused(world: World):
    with ScriptedServer(serve) as server:
        async with world.client(server.url, proxy=foreign(server.url)) as client:
            with block_network(), pytest.raises(NetworkBlockedError) as caught:
                await client.models.list()
        assert caught.value.host == "0.0.0.0"
        assert server.requests == []


def test_it_holds_for_other_threads_until_the_block_is_left():
    errors: list[Any] = []

    def call() -> None:
        with MeshAPI(base_url="http://gateway.invalid", token=TOKEN, max_retries=0) as client:
            try:
                client.models.list()
            except MeshAPIError as exc:
                errors.append(type(exc))

    for blocked in (True, False):
        thread = threading.Thread(target=call)
        with block_network(allow=["other.invalid"] if blocked else ["gateway.invalid"]):
            thread.start()
            thread.join()
    assert errors[0] is NetworkBlockedError
    assert errors[1] is not NetworkBlockedError


def test_the_block_entered_last_decides_in_whatever_order_they_are_left():
    with MeshAPI(base_url="http://gateway.invalid", token=TOKEN) as client:
        first, second = block_network(), block_network(allow=["other.invalid"])
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        with pytest.raises(NetworkBlockedError, match=r"allows other\.invalid"):
            client.models.list()
        second.__exit__(None, None, None)


def test_a_mock_of_httpx_opens_no_connection_and_is_let_through():
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": []})

    with block_network(), httpx.Client(transport=httpx.MockTransport(respond)) as http:
        client = MeshAPI(base_url="https://a.invalid", token=TOKEN, httpx_client=http)
        assert len(client.models.list()) == 0
        client.close()


def test_middleware_that_responds_by_itself_is_let_through():
    from meshapi.transports import BytesResponse

    def respond(request: Any, call_next: Any) -> Any:
        return BytesResponse.json({"data": []})

    client = MeshAPI(base_url="https://a.invalid", token=TOKEN, middleware=[respond])
    with block_network(), client:
        assert len(client.models.list()) == 0


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
def test_a_wrong_variable_is_refused_when_a_client_is_made(client_class, monkeypatch):
    monkeypatch.setenv("MESHAPI_BLOCK_NETWORK", "yes please")
    with pytest.raises(InvalidParamsError, match="expected 1 or 0, got 'yes please'"):
        client_class(token=TOKEN)
