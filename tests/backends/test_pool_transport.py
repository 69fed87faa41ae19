"""Our own connections as a transport, as middleware uses them.

The rows of the fault matrix are run again with middleware in between: the same faults must give
the same errors after the same number of attempts. The tests below it are about the contract of a
transport (`AsyncTransport`), used directly.
"""

import inspect
from typing import Any

import pytest
from backends import test_fault_matrix as matrix

from meshapi import APITimeoutError, Limits, Timeout
from meshapi_backends import AsyncPoolTransport, PoolTransport, TransportError
from meshapi_core import Origin, Request
from support.flavours import World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer, answering
from support.turns import by_turns
from support.wire import failed, good, head, make_response

PLENTY = Timeout(connect=5.0, read=5.0, write=5.0, pool=5.0)


async def passing(request: Any, call_next: Any) -> Any:
    return await call_next(request)


class Through(World):
    """A world whose clients have middleware that changes nothing."""

    def __init__(self, world: World) -> None:
        self._world = world

    def client(self, url: str, **options: Any) -> Any:
        return self._world.client(url, middleware=[self._world.middleware(passing)], **options)

    def __getattribute__(self, name: str) -> Any:
        if name in ("_world", "client"):
            return object.__getattribute__(self, name)
        return getattr(self._world, name)


def _again(test: Any) -> Any:
    """The same test, through middleware."""

    async def through(world: World, **fixtures: Any) -> None:
        await test.scenario(Through(world), **fixtures)

    through.__name__ = test.__name__
    through.__doc__ = test.__doc__
    through.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    run: Any = on_every_flavour(through)
    run.pytestmark = list(test.pytestmark)
    return by_turns(run)


for _name, _test in list(vars(matrix).items()):
    if hasattr(_test, "scenario"):
        globals()[f"{_name}_through_middleware"] = _again(_test)
del _name, _test


# The contract


class _Pool:
    """A pool as a transport."""

    def __init__(self, world: World, limits: Limits) -> None:
        kind: Any = PoolTransport if world.name == "sync" else AsyncPoolTransport
        pool = world.pool_class(world.network, limits)
        self.state = pool._state
        self.transport = kind(pool, lambda: world.network)
        self.send_on = world.dress(self.transport)
        self.world = world

    async def get(self, server: ScriptedServer, **options: Any) -> Any:
        request = Request("GET", Origin("http", "127.0.0.1", server.port), "/v1/models")
        options = {"timeout": PLENTY, "deadline": None, "fresh": False, **options}
        return self.world.dress(await self.send_on.send(request, **options))

    async def __aenter__(self) -> "_Pool":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.send_on.aclose()
        assert self.state.slots == 0


def opened(world: World, connections: int = 1) -> _Pool:
    return _Pool(world, Limits(max_connections=connections))


@pytest.mark.parametrize("status", [200, 204, 307, 404, 429, 500])
@on_every_flavour
async def test_a_response_of_any_status_comes_as_it_is(world, status):
    body = b"" if status == 204 else b"so it is"
    first = head(204) if status == 204 else make_response(status, body)
    with ScriptedServer(answering(first, make_response(200, b"good"))) as server:
        async with opened(world) as pool:
            for expected in ((status, body), (200, b"good")):
                response = await pool.get(server)
                assert response.headers["x-request-id"]
                assert (response.status, await _rest(response)) == expected
                assert await response.read() == b"", "the end stays the end"
                response.abort()
            assert server.connections == 1, "a body that was read to its end keeps the connection"


async def _rest(response: Any) -> bytes:
    pieces = []
    while True:
        piece = await response.read()
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


@on_every_flavour
async def test_pieces_are_given_out_as_they_come(world):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(head(200, "Content-Length: 4") + b"ab")
        assert peer.receive() is None

    with ScriptedServer(script) as server:
        async with opened(world) as pool:
            response = await pool.get(server)
            assert await response.read() == b"ab"
            response.abort()
            assert await response.read() == b""
            response.abort()
            await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_a_response_that_is_given_up_frees_its_slot(world):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(head(200, "Content-Length: 4") + b"ab")

    with ScriptedServer(script) as server:
        async with opened(world) as pool:
            for _ in range(3):
                response = await pool.get(server)
                response.abort()
            assert server.connections == 3


@on_every_flavour
async def test_a_response_that_is_dropped_frees_its_slot(world):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(head(200, "Content-Length: 4") + b"ab")

    with ScriptedServer(script) as server:
        async with opened(world) as pool:
            response = await pool.get(server)
            del response
            response = await pool.get(server)
            response.abort()


@on_every_flavour
async def test_a_fresh_connection_is_a_new_one(world):
    with ScriptedServer(answering(good(), good())) as server:
        async with opened(world, 2) as pool:
            await _rest(await pool.get(server))
            await _rest(await pool.get(server, fresh=True))
            assert server.connections == 2


@on_every_flavour
async def test_a_read_ends_when_its_reader_says(world):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(head(200, "Content-Length: 4") + b"ab")
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        async with opened(world) as pool:
            response = await pool.get(server)
            assert await response.read(world.network.now() + 5.0) == b"ab"
            with pytest.raises(TransportError) as caught:
                await response.read(world.network.now() + 0.02)
            assert isinstance(caught.value.failure.error, APITimeoutError)
            await world.until(lambda: server.open_now == 0)
            assert await response.read() == b""


@pytest.mark.parametrize(
    ("play", "stage", "code"),
    [
        (lambda peer: peer.receive(), "request", "disconnected"),
        (lambda peer: (peer.receive(), peer.send(b"HTTP/1.1 2")), "response", "disconnected"),
        (lambda peer: (peer.receive(), peer.reset()), "request", "reset"),
        (lambda peer: (peer.receive(), peer.send(b"220 x\r\n\r\n")), "response", "bad_response"),
    ],
    ids=["end", "end in the head", "reset", "not HTTP"],
)
@on_every_flavour
async def test_a_failure_says_how_far_it_got(world, play, stage, code):
    with ScriptedServer(play) as server:
        async with opened(world) as pool:
            with pytest.raises(TransportError) as caught:
                await pool.get(server)
            failure = caught.value.failure
            assert (failure.stage, failure.error.error_code) == (stage, code)
            assert not failure.reused
            assert failure.silence is not None


@on_every_flavour
async def test_a_dead_kept_connection_is_reported_as_one(world):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(good())
        peer.receive()

    with ScriptedServer(script) as server:
        async with opened(world) as pool:
            await _rest(await pool.get(server))
            with pytest.raises(TransportError) as caught:
                await pool.get(server)
            assert caught.value.failure.reused


@on_every_flavour
async def test_a_body_that_breaks_off_is_a_failure_after_its_pieces(world):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(head(200, "Content-Length: 4") + b"ab")

    with ScriptedServer(script) as server:
        async with opened(world) as pool:
            response = await pool.get(server)
            assert await response.read() == b"ab"
            with pytest.raises(TransportError) as caught:
                await response.read()
            assert caught.value.failure.stage == "response"
            assert caught.value.failure.error.error_code == "truncated"


@on_every_flavour
async def test_no_connection_in_time_is_a_failure_of_the_pool(world):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(head(200, "Content-Length: 4") + b"ab")
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        async with opened(world) as pool:
            first = await pool.get(server)
            with pytest.raises(TransportError) as caught:
                await pool.get(server, timeout=Timeout(pool=0.02))
            assert caught.value.failure.stage == "pool"
            assert caught.value.failure.error.error_code == "pool_timeout"
            first.abort()


@on_every_flavour
async def test_a_closed_pool_sends_nothing(world):
    with ScriptedServer(answering(good())) as server:
        pool = opened(world)
        await pool.send_on.aclose()
        with pytest.raises(TransportError) as caught:
            await pool.get(server)
        assert caught.value.failure.stage == "closed"
        assert server.connections == 0


@pytest.mark.parametrize("what", ["the head", "the body"])
@on_every_flavour
async def test_closing_the_pool_wakes_who_waits_for(world, what):
    def script(peer: Peer) -> None:
        peer.receive()
        if what == "the body":
            peer.send(head(200, "Content-Length: 4"))
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        async with opened(world) as pool:

            async def reads() -> None:
                await _rest(await pool.get(server))

            async def closes() -> None:
                await world.until(lambda: server.requests)
                await world.sleep(0.02)
                await pool.send_on.aclose()

            error, _ = await world.together(reads, closes)
            assert isinstance(error, TransportError)
            assert error.failure.stage == "closed"


@on_every_flavour
async def test_a_refusal_while_the_request_is_written_is_the_response(world):
    def script(peer: Peer) -> None:
        peer.receive_head()
        peer.send(failed(413, "content_too_large"))

    with ScriptedServer(script) as server:
        async with opened(world) as pool:
            origin = Origin("http", "127.0.0.1", server.port)
            request = Request("POST", origin, "/v1/x", body=b"x" * (8 * 1024 * 1024))
            response = world.dress(
                await pool.send_on.send(request, timeout=PLENTY, deadline=None, fresh=False)
            )
            assert response.status == 413
            response.abort()
