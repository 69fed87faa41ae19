"""Closing wakes whatever waits, wherever it waits, and at once.

`close()` of a stream ends its iteration; `close()` of a client makes all its calls raise
`client_closed`. Each wait has its test: the pool's queue, the name server, the connection, the TLS
handshake, the head of the response, the time before the next attempt.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from meshapi import APIConnectionError, Limits, RetryPolicy, StreamUsageError
from support.certificates import trusting
from support.flavours import ASK, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import serve

LONG = 60.0
"""Seconds that a wait would last if nobody ended it."""

SOON = 8.0
"""Seconds within which it has ended: far more than it takes, far less than the wait."""

ONE = Limits(max_connections=1)
PATIENT = RetryPolicy(initial_delay=LONG, max_delay=LONG, max_retries=1)


class Place:
    """Something to wait for.

    Attributes:
        url: the URL of the server that a call waits for.
        reached: whether the call waits.
        warm: whether to make a successful call before it.
        options: the options of the client.
    """

    def __init__(
        self, url: str, reached: Callable[[], bool], *, warm: bool = False, **options: Any
    ) -> None:
        self.url = url
        self.reached = reached
        self.warm = warm
        self.options = options


@contextlib.contextmanager
def before_the_head() -> Iterator[Place]:
    def script(peer: Peer) -> None:
        peer.receive()
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        yield Place(server.url, lambda: bool(server.requests))


@contextlib.contextmanager
def on_a_kept_connection() -> Iterator[Place]:
    def script(peer: Peer) -> None:
        request = peer.receive()
        assert request is not None
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
        peer.receive()
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        yield Place(server.url, lambda: len(server.requests) == 2, warm=True)


@contextlib.contextmanager
def within_the_handshake() -> Iterator[Place]:
    def script(peer: Peer) -> None:
        peer.take()
        arrived.set()
        peer.wait_until_left()

    arrived = threading.Event()
    with ScriptedServer(script) as server:
        url = server.url.replace("http:", "https:")
        yield Place(url, arrived.is_set, tls=trusting())


@contextlib.contextmanager
def while_a_tunnel_is_asked_for() -> Iterator[Place]:
    def script(peer: Peer) -> None:
        peer.take()
        arrived.set()
        peer.wait_until_left()

    arrived = threading.Event()
    with ScriptedServer(script) as server:
        yield Place("https://gateway.example", arrived.is_set, proxy=server.url)


@contextlib.contextmanager
def while_connecting() -> Iterator[Place]:
    """An address where connecting neither succeeds nor fails: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(listener.getsockname())
        begun = time.monotonic()
        port = listener.getsockname()[1]
        yield Place(f"http://127.0.0.1:{port}", lambda: time.monotonic() > begun + 0.2)


@contextlib.contextmanager
def while_a_name_is_looked_up() -> Iterator[Place]:
    asked, over = threading.Event(), threading.Event()
    real = socket.getaddrinfo

    def silent(host: Any, *args: Any, **options: Any) -> Any:
        # In its loop, trio checks whether it is a number.
        flags = options.get("flags", args[-1] if len(args) == 5 else 0)
        if host not in ("silent.example", b"silent.example") or flags & socket.AI_NUMERICHOST:
            return real(host, *args, **options)
        asked.set()
        over.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "no response")

    socket.getaddrinfo = silent
    try:
        yield Place("http://silent.example", asked.is_set)
    finally:
        socket.getaddrinfo = real
        over.set()


@contextlib.contextmanager
def before_the_next_attempt() -> Iterator[Place]:
    """Nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    begun = time.monotonic()
    yield Place(f"http://127.0.0.1:{port}", lambda: time.monotonic() > begun + 0.2, retry=PATIENT)


PLACES = {
    place.__name__.replace("_", " "): place
    for place in (
        before_the_head,
        on_a_kept_connection,
        within_the_handshake,
        while_a_tunnel_is_asked_for,
        while_connecting,
        while_a_name_is_looked_up,
        before_the_next_attempt,
    )
}


@contextlib.asynccontextmanager
async def waiting_client(world: World, place: Place, **options: Any) -> Any:
    if not options.keys() & {"httpx_client", "async_httpx_client"}:
        options = {"limits": ONE, **options}
    options = {"timeout": LONG, **place.options, **options}
    client = world.client(place.url, **options)
    async with client:
        if place.warm:
            await client.models.list()
        yield client


async def ended(world: World, reached: Callable[[], bool], end: Any, *waits: Any) -> list[Any]:
    """The outcomes of some waits that are ended once all of them wait."""
    begun: list[float] = []

    async def closer() -> None:
        await world.until(reached)
        await world.sleep(0.05)
        begun.append(time.monotonic())
        await end()

    outcomes = await world.together(*waits, closer)
    assert time.monotonic() - begun[0] < SOON, "it was not woken"
    return outcomes[:-1]


def reading(stream: Any) -> Any:
    async def read() -> Any:
        return [item async for item in stream]

    return read


def expect_closed(*outcomes: Any) -> None:
    for outcome in outcomes:
        assert isinstance(outcome, APIConnectionError), outcome
        assert outcome.error_code == "client_closed"


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
@on_every_flavour
async def test_closing_a_stream_ends_its_loop(world, name):
    with PLACES[name]() as place:
        async with waiting_client(world, place) as client:
            stream = client.chat.completions.stream(**ASK)
            outcome = await ended(world, place.reached, stream.close, reading(stream))
            assert outcome == [[]]
            assert stream.closed
            assert world.pool_state(client).slots == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
@on_every_flavour
async def test_closing_a_client_ends_its_streams_and_calls(world, name):
    with PLACES[name]() as place:
        async with waiting_client(world, place, limits=Limits()) as client:
            stream = client.chat.completions.stream(**ASK)
            call = lambda: client.chat.completions.create(**ASK)  # noqa: E731
            # The script of a kept connection holds a single request.
            waits = [reading(stream)] if place.warm else [reading(stream), call]
            expect_closed(*await ended(world, place.reached, client.close, *waits))


@pytest.mark.slow
@on_every_flavour
async def test_closing_wakes_calls_that_wait_for_a_connection(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url, limits=ONE, timeout=LONG) as client:
            holder = client.chat.completions.stream(**ASK)
            await holder.__anext__()
            first, second = (client.chat.completions.stream(**ASK) for _ in range(2))
            waiting = lambda: world.pool_state(client).waiting == 1  # noqa: E731
            assert await ended(world, waiting, first.close, reading(first)) == [[]]
            assert world.pool_state(client).waiting == 0
            expect_closed(*await ended(world, waiting, client.close, reading(second)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["before the head", "within the handshake", "while a tunnel is asked for", "while connecting"],
)
@on_every_flavour
async def test_closing_a_client_ends_the_connecting_of_a_session(world, name):
    with PLACES[name]() as place:
        if name == "before the head":
            place.reached = after(0.3)
        async with waiting_client(world, place) as client:
            connect = lambda: settled(client.realtime.connect(model="m"))  # noqa: E731
            expect_closed(*await ended(world, place.reached, client.close, connect))


async def settled(awaitable: Any) -> Any:
    return await awaitable


def after(seconds: float) -> Callable[[], bool]:
    begun = time.monotonic()
    return lambda: time.monotonic() > begun + seconds


@on_every_flavour
async def test_a_stream_closed_while_it_is_entered_says_so(world):
    with before_the_head() as place:
        async with waiting_client(world, place) as client:
            stream = client.chat.completions.stream(**ASK)
            (outcome,) = await ended(world, place.reached, stream.close, stream.__aenter__)
            assert isinstance(outcome, APIConnectionError)
            assert outcome.error_code == "stream_closed"


@on_every_flavour
async def test_a_stream_that_has_ended_is_no_empty_loop(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            assert len([item async for item in stream]) == 3
            for _ in range(2):
                with pytest.raises(StopAsyncIteration):
                    await stream.__anext__()
            with pytest.raises(StreamUsageError, match="has ended or was closed"):
                [item async for item in stream]
            with pytest.raises(StreamUsageError, match="has ended or was closed"):
                await stream.__aenter__()


@on_every_flavour
async def test_a_loop_in_which_the_stream_is_closed_ends(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            count = 0
            async for _ in stream:
                count += 1
                await stream.close()
            assert count == 1


# Over an injected client.

BLOCKING_HTTPX = ("before the head", "on a kept connection", "within the handshake")
"""Where a thread can be woken that waits in httpx; elsewhere it has no socket to shut down."""


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["stream", "client"])
@pytest.mark.parametrize("name", sorted(PLACES.keys() - {"while a tunnel is asked for"}))
@on_every_flavour
async def test_over_httpx_closing_wakes_as_well(world, name, whose):
    if world.name == "sync" and name not in (*BLOCKING_HTTPX, "before the next attempt"):
        return
    kind: Any = httpx.Client if world.name == "sync" else httpx.AsyncClient
    with PLACES[name]() as place:
        http = kind(verify=False, trust_env=False)
        field = "httpx_client" if world.name == "sync" else "async_httpx_client"
        place.options.pop("tls", None)
        async with waiting_client(world, place, **{field: http}) as client:
            stream = client.chat.completions.stream(**ASK)
            end = stream.close if whose == "stream" else client.close
            outcome = await ended(world, place.reached, end, reading(stream))
            if whose == "stream":
                assert outcome == [[]]
            else:
                expect_closed(*outcome)
        http.close() if world.name == "sync" else await http.aclose()
