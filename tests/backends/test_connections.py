"""The pool as its users see it: how many connections there are, and which call gets one when.

Its state alone is tested in `core/test_pool.py`.
"""

import gc
import threading
import time
from collections import deque
from typing import Any

import pytest

from meshapi import (
    APIConnectionError,
    APITimeoutError,
    Limits,
    MeshAPI,
    StreamUsageError,
    Timeout,
)
from meshapi_backends import ConnectionPool, SocketNetwork
from meshapi_backends._scopes import Scope
from meshapi_core import Connect, MeshAPIConfig, PipeCall
from support.flavours import ASK, FLAVOURS, TOKEN, World, on_every_flavour
from support.randomness import always
from support.raw_calls import RawCall, send
from support.scripted_server import Peer, ScriptedServer
from support.wire import (
    DONE,
    chunk,
    chunked,
    completion,
    dump,
    frame,
    good,
    make_response,
    serve,
    stream_head,
    streamed,
    texts,
)

ONE = Limits(max_connections=1)


async def create(client: Any, text: str = "ping") -> str:
    """Make a call, and return the text of its response."""
    response = await client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": text}]
    )
    content: str = response.choices[0].message.content
    return content


async def words(stream: Any) -> str:
    return "".join(
        [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    )


def repeat(peer: Peer) -> None:
    """A script: respond to every request with its own text."""
    for request in peer.requests():
        text = request.json()["messages"][0]["content"]
        peer.send(make_response(200, dump(completion(text))))


def count(world: World, client: Any) -> tuple[int, int, int]:
    """Slots, idle connections and waiting callers of a client's pool."""
    pool_state = world.pool_state(client)
    return pool_state.slots, pool_state.idle, pool_state.waiting


# Reuse


@on_every_flavour
async def test_one_after_another_is_one_connection(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            for _ in range(5):
                assert await create(client) == "pong"
                assert await words(client.chat.completions.stream(**ASK)) == "pong"
            assert count(world, client) == (1, 1, 0)
        await world.until(lambda: server.open_now == 0)
        assert (server.connections, len(server.requests)) == (1, 10)


@on_every_flavour
async def test_the_last_chunk_may_come_after_done_in_a_packet_of_its_own(world):
    done_was_read = threading.Event()

    def script(peer):
        for _ in peer.requests():
            peer.send(stream_head() + chunked(*texts("a"), end=False))
            # The reader has seen [DONE] when it asks for more; this only makes it a packet.
            done_was_read.wait(0.02)
            peer.send(b"0\r\n", b"\r\n")

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            for _ in range(3):
                assert await words(client.chat.completions.stream(**ASK)) == "a"
                assert count(world, client) == (1, 1, 0)
        assert server.connections == 1


@on_every_flavour
async def test_a_server_that_never_ends_the_body_costs_its_connection_and_no_time(world):
    def script(peer):
        peer.receive()
        peer.send(stream_head() + chunked(*texts("a"), end=False))
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            assert await words(client.chat.completions.stream(**ASK)) == "a"
            assert count(world, client) == (0, 0, 0)
            await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_the_most_recently_used_connection_is_used_first(world):
    both = threading.Barrier(2, timeout=10)

    def script(peer):
        for n, _ in enumerate(peer.requests()):
            if n == 0:
                both.wait()
            peer.send(good(str(peer.number)))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            await world.together(lambda: create(client), lambda: create(client))
            last = await create(client)
            assert [await create(client) for _ in range(4)] == [last] * 4


@on_every_flavour
async def test_connections_of_different_servers_are_not_mixed_up(world):
    with ScriptedServer(serve) as one, ScriptedServer(serve) as other:
        pool = world.pool(Limits())
        requests = [request_to(server) for server in (one, other, one, other)]
        for request in requests:
            await send(world, pool, request)
        await pool.aclose()
        assert [server.connections for server in (one, other)] == [1, 1]


@on_every_flavour
async def test_a_full_pool_makes_room_for_another_server(world):
    with ScriptedServer(serve) as one, ScriptedServer(serve) as other:
        pool = world.pool(ONE)
        for server in (one, other, one):
            request = request_to(server)
            await send(world, pool, request)
        await world.until(lambda: other.open_now == 0)
        await pool.aclose()
        assert [server.connections for server in (one, other)] == [2, 1]


def request_to(server: ScriptedServer) -> Any:
    """The request that a client of that server would send."""
    from meshapi_core import MeshAPIConfig
    from meshapi_core.endpoints import Completions

    config = MeshAPIConfig(base_url=server.url, token=TOKEN)
    return Completions.create.build(**ASK).request(config)


@on_every_flavour
async def test_a_fresh_connection_is_opened_where_one_is_wanted(world):
    with ScriptedServer(serve) as server:
        pool = world.pool(ONE)
        request = request_to(server)
        await send(world, pool, request)
        call = PipeCall(
            RawCall(request), MeshAPIConfig(token=TOKEN), now=0.0, random_bytes=always(0.5)
        )
        call.next_action(world.network.now())
        fresh = Connect(origin=request.origin, fresh=True)
        now = world.network.now()
        pool.discard(await world.settle(pool.acquire(fresh, call, Scope(), now)))
        await world.until(lambda: server.connections == 2)
        await pool.aclose()
        assert server.most_open <= 2


# Limits


@on_every_flavour
async def test_waiters_are_served_in_the_order_in_which_they_came(world):
    go = threading.Event()

    def script(peer):
        for request in peer.requests():
            assert go.wait(10)
            peer.send(
                make_response(200, dump(completion(request.json()["messages"][0]["content"])))
            )

    with ScriptedServer(script) as server:
        async with world.client(server.url, limits=ONE) as client:

            def asker(position):
                async def ask():
                    # They join the queue in the order of their numbers.
                    await world.until(
                        lambda: (
                            len(server.requests) == 1
                            and world.pool_state(client).waiting == position - 1
                            if position
                            else True
                        )
                    )
                    return await create(client, str(position))

                return ask

            async def let_go():
                await world.until(lambda: server.requests and world.pool_state(client).waiting == 5)
                go.set()

            outcomes = await world.together(let_go, *(asker(n) for n in range(6)))
        assert outcomes == [None, *(str(n) for n in range(6))]
        asked = [request.json()["messages"][0]["content"] for request in server.requests]
        assert asked == [str(n) for n in range(6)]
        assert server.most_open == 1
        assert server.connections == 1


@on_every_flavour
async def test_a_waiter_that_was_woken_in_vain_goes_to_the_front_of_the_queue(world):
    pool = world.pool(ONE)
    other = pool._enqueue(None)
    woken = pool._enqueue(pool._network.waiter())
    assert list(pool._state._waiters) == [woken, other]
    await pool.aclose()


@on_every_flavour
async def test_a_call_that_waits_too_long_for_a_connection_times_out(world):
    with ScriptedServer(held_then_good) as server:
        options = {"limits": ONE, "timeout": Timeout(pool=0.05, read=5)}
        async with world.client(server.url, **options) as client:

            async def holds():
                return await create(client)

            async def waits():
                await world.until(lambda: server.requests)
                try:
                    return await create(client)
                finally:
                    server.healthy.set()

            held, error = await world.together(holds, waits)
            assert held == "pong"
            assert type(error) is APITimeoutError
            assert (error.phase, error.error_code) == ("pool", "pool_timeout")
            assert count(world, client) == (1, 1, 0)
            assert await create(client) == "pong"
        assert server.connections == 1


def held_then_good(peer: Peer) -> None:
    """A script: respond once the server is `healthy`."""
    for _ in peer.requests():
        assert peer.server.healthy.wait(10)
        peer.send(good())


@pytest.mark.parametrize("kept", [0, 2])
@on_every_flavour
async def test_only_so_many_idle_connections_are_kept(world, kept):
    together = threading.Barrier(4, timeout=10)

    def script(peer):
        for _ in peer.requests():
            together.wait()
            peer.send(good())

    with ScriptedServer(script) as server:
        async with world.client(server.url, limits=Limits(max_keepalive=kept)) as client:
            await world.together(*[lambda: create(client)] * 4)
            assert count(world, client) == (kept, kept, 0)
            await world.until(lambda: server.open_now == kept)


@on_every_flavour
async def test_a_connection_that_was_idle_for_too_long_is_closed_and_not_used(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url, limits=Limits(keepalive_expiry=0.02)) as client:
            for n in (1, 2):
                await create(client)
                await world.sleep(0.03)
                assert server.connections == n
            await create(client)
            await world.until(lambda: server.open_now == 1)
        assert server.connections == 3


@on_every_flavour
async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(world):
    def once(peer):
        peer.receive()
        peer.send(good())

    with ScriptedServer(once) as server:
        async with world.client(server.url) as client:
            for n in (1, 2, 3):
                await create(client)
                await world.until(lambda: all_readable(world, client))
                assert server.connections == len(server.requests) == n


def all_readable(world: World, client: Any) -> bool:
    """Whether the server's bytes, or its end, have arrived on all idle connections."""
    return all(connection.stream.readable for connection in world.pool_state(client)._idle)


@pytest.mark.slow
@on_every_flavour
async def test_many_at_once_share_few_connections_and_get_their_own_responses(world):
    def caller(number, client):
        async def call():
            return [await create(client, f"{number}.{n}") for n in range(calls)]

        return call

    callers, calls = (32, 50) if world.name == "sync" else (64, 10)
    with ScriptedServer(repeat) as server:
        options = {"limits": Limits(max_connections=8), "timeout": 20.0}
        async with world.client(server.url, **options) as client:
            outcomes = await world.together(*(caller(n, client) for n in range(callers)))
            pool_state = world.pool_state(client)
            assert (pool_state.slots, pool_state.waiting) == (pool_state.idle, 0)
        assert outcomes == [[f"{m}.{n}" for n in range(calls)] for m in range(callers)]
        assert server.most_open <= 8
        assert server.connections <= 8
        assert len(server.requests) == callers * calls


# Closing


@on_every_flavour
async def test_closing_the_client_ends_calls_streams_and_waits(world):
    def script(peer):
        request = peer.receive()
        if request.json()["stream"]:
            peer.send(stream_head() + chunked(frame(chunk("a")), end=False))
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        async with world.client(server.url, limits=Limits(max_connections=2)) as client:

            async def calls():
                return await create(client)

            async def streams():
                return await words(client.chat.completions.stream(**ASK))

            async def waits():
                await world.until(lambda: len(server.requests) == 2)
                return await create(client)

            async def closes():
                await world.until(
                    lambda: len(server.requests) == 2 and world.pool_state(client).waiting == 1
                )
                await client.aclose()

            *errors, closed = await world.together(calls, streams, waits, closes)
            assert closed is None
            assert [type(error) for error in errors] == [APIConnectionError] * 3
            assert [error.error_code for error in errors] == ["client_closed"] * 3
            await world.until(lambda: server.open_now == 0)
            assert server.connections == 2, "nothing is tried again on a closed client"


@on_every_flavour
async def test_a_closed_client_sends_nothing(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            await create(client)
        for attempt in (lambda: create(client), client.chat.completions.stream(**ASK).__anext__):
            with pytest.raises(APIConnectionError, match="closed") as caught:
                await attempt()
            assert caught.value.error_code == "client_closed"
        await client.aclose()
        await world.until(lambda: server.open_now == 0)
        assert len(server.requests) == 1


@on_every_flavour
async def test_closing_a_client_that_was_never_used_is_harmless(world):
    async with world.client("http://127.0.0.1:9") as client:
        pass
    await client.aclose()
    with pytest.raises(APIConnectionError, match="closed"):
        await create(client)
    await client.close()


# Streams


def endless(peer: Peer) -> None:
    """A script: streams that go on until the client leaves, and good responses in between."""
    for request in peer.requests():
        if request.json()["stream"]:
            peer.send(stream_head() + chunked(frame(chunk("a")), frame(chunk("b")), end=False))
            peer.wait_until_left()
            return
        peer.send(good())


@on_every_flavour
async def test_a_stream_sends_nothing_before_it_is_iterated_or_entered(world):
    """In other clients `stream()` is a bare generator without close, headers or request ID."""
    with ScriptedServer(endless) as server:
        async with world.client(server.url) as client:
            idle = client.chat.completions.stream(**ASK)
            assert idle.request_id is None
            assert dict(idle.headers) == {}
            await idle.close()
            with pytest.raises(StreamUsageError, match="has ended or was closed"):
                idle.__aiter__()
            assert server.connections == 0
            async with client.chat.completions.stream(**ASK) as stream:
                assert stream.request_id == "req_01TEST"
                assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
                assert len(server.requests) == 1
            await world.until(lambda: server.open_now == 0)
            assert count(world, client) == (0, 0, 0)
            with pytest.raises(StreamUsageError, match="has ended or was closed"):
                stream.__aiter__()
            with pytest.raises(StopAsyncIteration):
                await stream.__anext__()


@on_every_flavour
async def test_leaving_a_stream_early_closes_its_connection_at_once(world):
    with ScriptedServer(endless) as server:
        async with world.client(server.url, limits=ONE) as client:
            async with client.chat.completions.stream(**ASK) as stream:
                async for part in stream:
                    assert part.choices[0].delta.content == "a"
                    break
            assert count(world, client) == (0, 0, 0)
            await world.until(lambda: server.open_now == 0)
            assert await create(client) == "pong"


@on_every_flavour
async def test_an_exception_within_the_block_closes_the_stream_and_goes_on(world):
    with ScriptedServer(endless) as server:
        async with world.client(server.url) as client:
            with pytest.raises(KeyError):
                async with client.chat.completions.stream(**ASK) as stream:
                    async for _ in stream:
                        raise KeyError
            assert count(world, client) == (0, 0, 0)
            await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_closing_a_stream_ends_its_iteration(world):
    with ScriptedServer(endless) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            received = []
            async for part in stream:
                received.append(part.choices[0].delta.content)
                await stream.close()
                await stream.aclose()
            assert received == ["a"]
            assert count(world, client) == (0, 0, 0)
            await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_closing_a_stream_wakes_its_reader(world):
    with ScriptedServer(endless) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            received = []

            async def reads():
                async for part in stream:
                    received.append(part.choices[0].delta.content)

            async def closes():
                await world.until(lambda: received == ["a", "b"])
                await world.sleep(0.01)
                await stream.aclose()

            assert await world.together(reads, closes) == [None, None]
            assert count(world, client) == (0, 0, 0)
            await world.until(lambda: server.open_now == 0)


async def begin_and_drop(client: Any) -> None:
    async for part in client.chat.completions.stream(**ASK):
        assert part.choices[0].delta.content == "a"
        break


@on_every_flavour
async def test_a_stream_that_is_dropped_frees_its_connection_and_tells_the_server(world):
    """Breaking out used to leave the connection in use until the generator was collected."""
    with ScriptedServer(endless) as server:
        async with world.client(server.url, limits=ONE) as client:
            for _ in range(3):
                await begin_and_drop(client)
                gc.collect()
                await world.until(lambda: server.open_now == 0)
                assert await create(client) == "pong"
                assert count(world, client) == (1, 1, 0)


@on_every_flavour
async def test_a_client_that_is_dropped_leaves_the_loop_to_the_next_one(world):
    """asyncio still watched the closed descriptor, and refused the next connection on it."""
    with ScriptedServer(serve) as server:
        for _ in range(3):
            client = world.client(server.url)
            assert await create(client) == "pong"
            del client
            gc.collect()
        await world.until(lambda: server.open_now == 0)


@pytest.mark.slow
@on_every_flavour
async def test_a_waiting_call_gets_the_connection_of_a_dropped_stream(world):
    with ScriptedServer(endless) as server:
        async with world.client(server.url, limits=ONE) as client:
            held = [client.chat.completions.stream(**ASK)]
            await held[0].__anext__()

            async def waits():
                return await create(client)

            async def drops():
                await world.until(lambda: world.pool_state(client).waiting == 1)
                held.clear()
                gc.collect()

            assert await world.together(waits, drops) == ["pong", None]


def test_threads_that_find_the_same_dropped_response_do_not_quarrel():
    """Another thread may take the response between the check of the list and the removal."""

    class TakenMeanwhile(deque):
        tries = 0

        def popleft(self):
            self.tries += 1
            self.clear()
            return super().popleft()

    pool = ConnectionPool(SocketNetwork(), Limits())
    pool._dropped = dropped = TakenMeanwhile([None])
    pool._collect_dropped()
    pool.close()
    assert dropped.tries == 1


# Using a client


def test_the_blocking_client_works_without_a_with_block():
    with ScriptedServer(serve) as server:
        client = MeshAPI(base_url=server.url, token=TOKEN)
        assert client.chat.completions.create(**ASK).choices[0].message.content == "pong"
        stream = client.chat.completions.stream(**ASK)
        assert next(stream).choices[0].delta.content == "po"
        assert [part.choices[0].delta.content for part in stream] == ["ng", None]
        client.close()
        client.close()


def test_the_names_of_the_flavours_are_those_of_the_report():
    assert [world.name for world in FLAVOURS] == ["sync", "asyncio", "trio"]


@on_every_flavour
async def test_a_stream_of_many_packets_is_put_together(world):
    body = b"".join(texts("a" * 5000, "\U0001f600é", "c"))

    def script(peer):
        for _ in peer.requests():
            coded = streamed(body)
            peer.send(*(coded[i : i + 7] for i in range(0, len(coded), 7)))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            assert await words(client.chat.completions.stream(**ASK)) == "a" * 5000 + "\U0001f600éc"
            assert count(world, client) == (1, 1, 0)
    assert DONE in body


@pytest.mark.slow
@on_every_flavour
async def test_the_time_in_the_queue_is_not_that_of_connecting(world):
    def slowly(peer: Peer) -> None:
        peer.receive()
        time.sleep(0.3)
        peer.send(good().replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))

    timeout = Timeout(connect=0.2, pool=20, read=20)
    with ScriptedServer(slowly) as server:
        async with world.client(server.url, limits=ONE, timeout=timeout) as client:
            outcomes = await world.together(*[lambda: create(client)] * 3)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
