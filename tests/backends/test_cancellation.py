"""Cancellation at every place loses nothing: no slot, no connection, no turn of a waiter.

Each scenario is run again and again on a pool of one slot, and cancelled at its first step, its
second, and so on, once and twice, alone and with others that wait for the slot. After each run the
state of the pool must balance, the others must have their responses, and a further request must
succeed. After closing, nothing may be open, pending, warned of, or left to a finaliser.

The same sweep over pools that are broken in the classic ways must find every one of them.
"""

import ast
import asyncio
import gc
import json
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any, NamedTuple, Optional

import anyio
import anyio.lowlevel
import pytest
import trio

import meshapi_backends
from meshapi import (
    APIConnectionError,
    AsyncMeshAPI,
    ContentTooLargeError,
    Hooks,
    Limits,
    MeshAPIError,
    NotFoundError,
    RealtimeConnectionClosed,
    Reconnect,
    RetryPolicy,
    Timeout,
    _async_client,
)
from meshapi.testing import cassette
from meshapi_backends import (
    AsyncBytesResponse,
    AsyncConnectionPool,
    AsyncMiddlewareResponse,
    PerLoopTransport,
)
from meshapi_backends._async import connecting as async_connecting
from meshapi_backends._async import connections as async_connections
from meshapi_backends._async import tls as async_tls
from meshapi_backends._async.pipe_host import AsyncPipeHost
from meshapi_backends._async.realtime.link import _SENDS_IN_A_ROW
from meshapi_backends._async.runner import AsyncCallRunner
from meshapi_backends._networks import asyncio as on_asyncio
from meshapi_backends._networks import trio as on_trio
from meshapi_backends._networks.addresses import Address
from meshapi_backends._networks.tls import TLSState
from meshapi_core import FileSource, HTTP11Connection, Proxies, SignedPut, SocketOptions
from meshapi_core.endpoints import Completions, Flow
from meshapi_core.flows import Progress
from support import swept_flows
from support.cancellation import (
    Attack,
    Await,
    Blow,
    EdgeAttack,
    Place,
    ScopeAttack,
    awaits_in,
)
from support.certificates import authority, serving, trusting
from support.leaks import complaints_to, descriptors
from support.pumped_server import PAUSE, RESPONSES, SESSIONS, PumpedServer, ask

SETTLING = 200
"""Rounds of the loop after which what has not been closed never will be."""

RUN_LIMIT = 20.0
"""Seconds for one run, which takes a few thousandths of one."""

LARGE = 1024 * 1024
"""Bytes of a body that a socket with a small buffer does not take in one go."""


async def _rounds(count: int) -> None:
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await _rounds(1)


class Network:
    """A loop's own network, with the changes of a scenario."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class RefusingOnce(Network):
    """The first connection is refused by the system."""

    async def connect(self, address: Address, timeout: Optional[float], sockets: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            address = Address(address.family, ("127.0.0.1", _port_without_a_server()))
        return await self._real.connect(address, timeout, sockets)


class SlowAtFirst(Network):
    """Three addresses: the first never responds, the second refuses, the third is the server's."""

    async def resolve(self, host: str, port: int, timeout: Optional[float]) -> list[Address]:
        (address,) = await self._real.resolve(host, port, timeout)
        deaf = Address(address.family, _deaf_address())
        dead = Address(address.family, ("127.0.0.1", _port_without_a_server()))
        return [deaf, dead, address]

    async def connect_first(self, dialing: Any, sockets: Any) -> Any:
        dialing._delay = 0.002
        return await self._real.connect_first(dialing, sockets)


class TooSlowOnce(Network):
    """The first connection takes too long."""

    async def connect(self, address: Address, timeout: Optional[float], sockets: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            address, timeout = Address(address.family, _deaf_address()), 0.002
        return await self._real.connect(address, timeout, sockets)


class Deafened(Network):
    """The body of a large request cannot be written, as the server has responded and closed."""

    async def connect(self, address: Address, timeout: Optional[float], sockets: Any) -> Any:
        stream = await self._real.connect(address, timeout, sockets)
        return _Deafened(stream)


class SmallBuffer(Network):
    """Sockets that take little at a time."""

    async def connect(self, address: Address, timeout: Optional[float], sockets: Any) -> Any:
        stream = await self._real.connect(address, timeout, sockets)
        stream._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 * 1024)
        return stream


class TicketsFirst(SmallBuffer):
    """The server's TLS tickets arrive while the request is being sent."""

    async def connect(self, address: Address, timeout: Optional[float], sockets: Any) -> Any:
        return _TicketsFirst(await super().connect(address, timeout, sockets))


class WithThreads(Network):
    """Knows what its threads still do."""

    async def in_thread(self, function: Callable[[], Any], timeout: Optional[float]) -> Any:
        def counted() -> Any:
            try:
                return function()
            finally:
                self.calls -= 1

        self.calls += 1
        return await self._real.in_thread(counted, timeout)


class _TicketsFirst(Network):
    async def write(self, data: bytes, timeout: Optional[float]) -> None:
        await self._real.write(data, timeout)
        self.calls += 1
        # Two messages of the handshake, and the head of the request.
        if self.calls == 3:
            await _until(lambda: self._real.readable)

    async def read_ready(self) -> Optional[bytes]:
        # For several steps: at which one the tickets arrive is not the same in each run.
        await _rounds(PAUSE)
        data: Optional[bytes] = await self._real.read_ready()
        return data


class _Deafened(Network):
    readable = False

    async def write(self, data: bytes, timeout: Optional[float]) -> None:
        if not data.startswith(b"POST"):
            raise ConnectionResetError("no more")
        if data.endswith(b"\r\n\r\n"):
            # The server reads only the head of a large request.
            head = bytes(data).partition(b"content-length: ")[0]
            body = b'{"model": "too large"}'
            data = b"%scontent-length: %d\r\n\r\n%s" % (head, len(body), body)
        await self._real.write(data, timeout)


@lru_cache(maxsize=1)
def _deaf_address() -> tuple[str, int]:
    """An address where connecting neither succeeds nor fails: its queue is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address: tuple[str, int] = listener.getsockname()
    queued = [socket.socket() for _ in range(2)]
    for sock in queued:
        sock.setblocking(False)
        sock.connect_ex(address)
    _kept.extend([listener, *queued])
    return address


_kept: list[socket.socket] = []


@pytest.fixture(autouse=True, scope="module")
def _keep_a_deaf_address() -> Iterator[None]:
    _deaf_address()
    yield
    _deaf_address.cache_clear()
    while _kept:
        _kept.pop().close()


def _port_without_a_server() -> int:
    return 1


class WatchedPool(AsyncConnectionPool):
    """Counts the responses that were left to the finaliser, which nobody closed."""

    dropped = 0

    def drop(self, connection: Any) -> None:
        self.dropped += 1
        super().drop(connection)


class World:
    """The server, the client and the pool of one run of a scenario."""

    def __init__(
        self,
        flavour: "Flavour",
        scenario: "Scenario",
        server: PumpedServer,
        pool_class: type[WatchedPool],
        patience: float,
    ) -> None:
        network = flavour.network
        if scenario.network is not None:
            network = scenario.network(network)
        context = _trusting() if scenario.trusting else None
        if scenario.by_the_system:
            context = _verifying_slowly()
        limits = Limits(max_connections=1)
        sockets = SocketOptions(uds=_path() if scenario.server == "unix" else None)
        self.server = server
        self.network = network
        proxies = Proxies()
        if scenario.proxy:
            kind = scenario.proxy
            at = "u:p@" if kind == "socks5" else ""
            proxies = Proxies.through(f"{kind}://{at}127.0.0.1:{server.port}")
        self._middleware, self._watched = scenario.middleware, scenario.watched
        self.pool = pool_class(network, limits, context, proxies=proxies, sockets=sockets)
        self.transport = PerLoopTransport(limits, context, network=lambda: network, proxies=proxies)
        self.transport._pools[network.token()] = self.pool
        scheme = "https" if scenario.server.startswith("tls") else "http"
        self.distrusts = scheme == "https" and not scenario.trusting
        self.url = f"{scheme}://{scenario.host}:{server.port}"
        seconds = None if scenario.unlimited else patience
        self.client = self._client(seconds)
        # After the run, a request finds a free slot at once, or never.
        self.further = self._client(min(patience, 0.5))
        self.holder: Any = None
        self.running = swept_flows.Running()

    def _client(self, pool_seconds: Optional[float]) -> AsyncMeshAPI:
        limit = None if pool_seconds is None else RUN_LIMIT
        client = AsyncMeshAPI(
            base_url=self.url,
            token=_token if self._watched else "rsk_test_cancellation",
            timeout=Timeout(
                connect=limit,
                read=limit,
                write=limit,
                pool=pool_seconds,
                # So that a token that is asked for has a limit.
                total=RUN_LIMIT if self._watched else None,
            ),
            retry=RetryPolicy(max_retries=1, initial_delay=0.0005, max_delay=0.0005),
            transport=self.transport,
            middleware=self._middleware,
            hooks=_HOOKS if self._watched else None,
        )
        # Sessions run on the client's own connections, which are the watched ones here.
        client._sockets = self.transport
        return client

    async def ask(self, model: str = "plain", text: str = "hi") -> Any:
        return await _text(self.client, model, text)

    def stream(self) -> Any:
        return self.client.chat.completions.stream(**ask("stream"))


async def _text(client: AsyncMeshAPI, model: str, text: str = "hi") -> Any:
    response = await client.chat.completions.create(**ask(model, text))
    return response.choices[0].message.content


async def _nothing(world: World) -> None:
    """No preparation."""


async def _create(world: World) -> Any:
    return await world.ask()


async def _raw(world: World) -> Any:
    raw = await world.client.with_raw_response.chat.completions.create(**ask("plain"))
    return raw.parse().choices[0].message.content


async def _last(world: World) -> None:
    await world.ask("last")
    while world.server.live:
        await anyio.lowlevel.checkpoint()


async def _large(world: World) -> Any:
    return await world.ask("plain", "x" * LARGE)


async def _too_large(world: World) -> Any:
    try:
        return await world.ask("too large", "x" * 100_000)
    except ContentTooLargeError:
        return "too large"


async def _busy_once(world: World) -> Any:
    return await world.ask("busy once")


async def _pieces(world: World) -> Any:
    return await world.ask("pieces")


async def _refused_by_us(world: World) -> Any:
    try:
        return await world.ask()
    except APIConnectionError as exc:
        return exc.error_code


async def _stream(world: World) -> Any:
    text = ""
    async for part in world.stream():
        text += part.choices[0].delta.content
    return text


async def _stream_in_block(world: World) -> Any:
    text = ""
    async with world.stream() as stream:
        async for part in stream:
            text += part.choices[0].delta.content
    return text


async def _text_of_a_stream(world: World) -> Any:
    return "".join([text async for text in world.stream().text_stream])


async def _events_in_block(world: World) -> Any:
    async with world.stream() as stream:
        events = [event async for event in stream.events()]
        return events[-1].response.text


async def _whole_stream(world: World) -> Any:
    return await world.stream().get_final_text()


async def _value(world: World) -> Any:
    asked = ask("number")
    return (await world.client.chat.completions.parse(**asked, response_format=int)).parsed


async def _value_at_last(world: World) -> Any:
    parse = world.client.chat.completions.parse
    response = await parse(**ask("number at last"), response_format=int, validation_retries=1)
    return [*(each.text for each in response.rejected), response.parsed]


async def _value_of_a_stream(world: World) -> Any:
    stream = world.client.chat.completions.stream(**ask("number in a stream"), response_format=int)
    return (await stream.get_final_completion()).parsed


async def _broken_off(world: World) -> Any:
    async with world.stream() as stream:
        first = await stream.__anext__()
        return first.choices[0].delta.content


async def _no_stream(world: World) -> Any:
    try:
        async with world.client.chat.completions.stream(**ask("no stream")):
            return "a stream"
    except NotFoundError:
        return "not found"


async def _flow(world: World) -> Any:
    return await world.client._runner.run_flow(_upload(world, _written("")))


async def _flow_with_a_large_file(world: World) -> Any:
    return await world.client._runner.run_flow(_upload(world, _written("x" * LARGE)))


async def _flow_that_goes_on_after_a_refusal(world: World) -> Any:
    def flow() -> Flow[Any]:
        try:
            yield Completions.create.build(**ask("too large"))
        except ContentTooLargeError:
            response = yield Completions.create.build(**ask("plain"))
            return response.choices[0].message.content

    return await world.client._runner.run_flow(flow())


def _upload(world: World, path: str) -> "Flow[Any]":
    """Ask, put a file somewhere, and say what was answered."""
    response = yield Completions.create.build(**ask("plain"))
    source = FileSource(path)
    # By its address, which is another origin where the client knows the server by its name.
    place = world.url.replace("localhost", "127.0.0.1")
    yield SignedPut(url=f"{place}/file?signature=1", content_type="a/b", source=source)
    return response.choices[0].message.content


async def _saves(world: World) -> Any:
    """Saves a file whose download breaks off, and is told of it."""

    async def on_progress(progress: Progress) -> None:
        await anyio.lowlevel.checkpoint()

    path = os.path.join(_saving_folder(), "saved")
    runner: Any = world.client._runner
    runner._network = lambda: world.network
    return (await world.client.files.download("broken", path, on_progress=on_progress)).size


async def _writes_a_table(world: World) -> Any:
    path = os.path.join(_saving_folder(), "saved")
    runner: Any = world.client._runner
    runner._network = lambda: world.network
    return await runner.run_flow(swept_flows.table(path))


@lru_cache(maxsize=1)
def _saving_folder() -> str:
    """Where files are saved."""
    folder = TemporaryDirectory()
    _saved_in.append(folder)
    return folder.name


_saved_in: list[Any] = []


def _half_saved() -> list[str]:
    """What a download has left behind: any file that is not complete."""
    if not _saved_in:
        return []
    found = []
    for name in os.listdir(_saving_folder()):
        with open(os.path.join(_saving_folder(), name)) as file:
            if (name, file.read()) != ("saved", "abcdef"):
                found.append(name)
        os.unlink(os.path.join(_saving_folder(), name))
    return found


@lru_cache(maxsize=2)
def _written(text: str) -> str:
    """The path of a file whose upload the server takes as a request."""
    with NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(ask("plain", text), file)
    _written_files.append(file.name)
    return file.name


_written_files: list[str] = []


@pytest.fixture(autouse=True, scope="module")
def _keep_the_files() -> Iterator[None]:
    yield
    _written.cache_clear()
    _saving_folder.cache_clear()
    _cassette.cache_clear()
    for folders in (_saved_in, _recorded_in):
        while folders:
            folders.pop().cleanup()
    while _written_files:
        os.unlink(_written_files.pop())


def _session(world: World, model: str, **options: Any) -> Any:
    return world.client.realtime.connect(model=model, **options)


async def _realtime(world: World) -> Any:
    async with _session(world, "talks") as session:
        return [(await session.receive()).type, (await session.receive(5)).type]


async def _realtime_recorded(world: World) -> Any:
    with cassette(_cassette(), mode="all"):
        return await _realtime(world)


async def _realtime_played(world: World) -> Any:
    # Others may call the gateway meanwhile.
    with cassette(_cassette(), mode="new_episodes"):
        return await _realtime(world)


@lru_cache(maxsize=1)
def _cassette() -> str:
    """The path of a recording."""
    folder = TemporaryDirectory()
    _recorded_in.append(folder)
    return os.path.join(folder.name, "session.json")


_recorded_in: list[Any] = []


async def _realtime_awaited(world: World) -> Any:
    session = await _session(world, "open")
    try:
        await session.send({"type": "ask"})
        return (await session.wait_for("answer")).type
    finally:
        # No await here: cancelled code must not have to wait.
        session._link.current.abort()


async def _realtime_to_its_end(world: World) -> Any:
    async with _session(world, "says goodbye") as session:
        return [message.type async for message in session]


async def _realtime_with_pings(world: World) -> Any:
    async with _session(world, "pings") as session:
        first = (await session.receive()).type
        await session.send({"type": "ask for a ping"})
        await _rounds(2 * PAUSE)
        await session.send({"type": "ask"})
        return [first, (await session.receive()).type]


async def _realtime_in_steps(world: World) -> Any:
    async with _session(world, "chatters") as session:
        return [(await session.receive()).type, (await session.receive()).type]


async def _realtime_sends(world: World) -> Any:
    async with _session(world, "open") as session:
        await session.update({"instructions": "x" * 200})
        await session.send_audio(b"x" * 200)
        await session.commit_audio()
        await session.send({"type": "ask"})
        return (await session.receive()).type


async def _realtime_sends_much(world: World) -> Any:
    async with _session(world, "open") as session:
        await session.send_audio(b"x" * LARGE)
        await session.send({"type": "ask"})
        return (await session.receive()).type


async def _realtime_sends_often(world: World) -> Any:
    async with _session(world, "open") as session:
        for _ in range(_SENDS_IN_A_ROW):
            await session.send({"type": "nothing"})
        return "sent"


async def _realtime_turns(world: World) -> Any:
    """A response that calls functions, and the one after it."""

    async def look() -> str:
        with world.running.noting():
            await _rounds(2)
        return "something"

    def look_elsewhere() -> str:
        return "nothing"

    async with _session(world, "open") as session:
        turns = session.turns(tools=[look, look_elsewhere], on_message=_look_at)
        await session.send({"type": "ask for a call"})
        first, second = await turns.receive(), await turns.receive()
        return [*(call.name for call in first.tool_calls), second.text]


async def _look_at(message: Any) -> None:
    await _rounds(1)


async def _realtime_text(world: World) -> Any:
    async with _session(world, "open") as session:
        await session.send_text("Hello?")
        return (await session.turns().receive(5)).text


async def _realtime_behind_another(world: World) -> Any:
    """Waits for the turn of another sender, and for that of a receiver."""
    async with _session(world, "open") as session, anyio.create_task_group() as others:
        others.start_soon(session.send_audio, b"x" * LARGE)
        others.start_soon(_to_the_end, session)
        await _rounds(2)
        await session.send({"type": "ask"})
        await session.close()
        return "closed"


async def _realtime_behind_who_closes(world: World) -> Any:
    async with _session(world, "open") as session, anyio.create_task_group() as others:
        await session.send({"type": "nothing"})
        others.start_soon(session.close)
        await _until(
            lambda: session._link.current.reader.turns.taken or session.close_code is not None
        )
        return [message.type async for message in session]


async def _to_the_end(session: Any) -> None:
    async for _ in session:
        pass


async def _realtime_refused(world: World) -> Any:
    try:
        async with _session(world, "no upgrade"):
            return "a session"
    except NotFoundError:
        return "not found"


async def _realtime_again(world: World) -> Any:
    reconnect = Reconnect(attempts=2)
    async with _session(world, "falls over once", reconnect=reconnect) as session:
        await session.update({"instructions": "x"})
        return [(await session.receive()).type, (await session.receive()).type]


async def _realtime_again_behind_another(world: World) -> Any:
    reconnect = Reconnect(attempts=2)
    async with (
        _session(world, "falls over once", reconnect=reconnect) as session,
        anyio.create_task_group() as others,
    ):
        others.start_soon(session.receive)
        await _until(lambda: session._link._turns.taken)
        await session.send({"type": "nothing"})
        return "sent"


async def _realtime_hung_up(world: World) -> Any:
    async with _session(world, "open") as session:
        await session.send({"type": "hang up"})
        try:
            while True:
                await session.send({"type": "nothing"})
                await _rounds(1)
        except RealtimeConnectionClosed as exc:
            return exc.code


async def _realtime_hung_up_and_again(world: World) -> Any:
    async with _session(world, "open", reconnect=Reconnect(attempts=2)) as session:
        await session.send({"type": "hang up"})
        link = session._link.current
        while session._link.current is link:
            await session.send({"type": "nothing"})
            await _rounds(1)
        return (await session.receive()).type


async def _realtime_reset(world: World) -> Any:
    async with _session(world, "open") as session:
        try:
            await _send_into_a_reset(session)
        except RealtimeConnectionClosed as exc:
            return exc.error_code


async def _realtime_reset_and_again(world: World) -> Any:
    async with _session(world, "open", reconnect=Reconnect(attempts=2)) as session:
        await _send_into_a_reset(session)
        return (await session.receive()).type


async def _send_into_a_reset(session: Any) -> None:
    await session.send({"type": "ask"})
    await session.receive()
    await session.send({"type": "reset"})
    await _rounds(3 * PAUSE)
    await session.send({"type": "nothing"})


async def _realtime_after_a_send_given_up(world: World) -> Any:
    async with _session(world, "open") as session:
        await session.send({"type": "ask"})
        with anyio.move_on_after(0):
            await session.send_audio(b"x" * LARGE)
        return (await session.receive()).type


async def _realtime_again_after_a_refusal(world: World) -> Any:
    reconnect = Reconnect(attempts=3)
    async with _session(world, "falls over, then is busy", reconnect=reconnect) as session:
        return (await session.receive()).type


def _flow_of(play: Callable[[Any, swept_flows.Running], Awaitable[Any]]) -> Any:
    """What a program does with flows."""

    async def played(world: World) -> Any:
        return await play(world.client, world.running)

    return played


async def _hold_slot(world: World) -> None:
    world.holder = world.stream()
    await world.holder.__aenter__()


async def _close(world: World) -> Any:
    await world.transport.aclose()


async def _close_below(world: World) -> Any:
    transport: Any = world.client._transport
    await transport.aclose()


async def _passes(request: Any, call_next: Any) -> Any:
    return await call_next(request)


async def _reads(request: Any, call_next: Any) -> Any:
    response = await call_next(request)
    body = await response.read_all()
    return AsyncBytesResponse(response.status, response.headers, body)


class _Wrapping(AsyncMiddlewareResponse):
    async def read(self, until: Optional[float] = None) -> bytes:
        return await super().read(until)


async def _wraps(request: Any, call_next: Any) -> Any:
    return _Wrapping(await call_next(request))


async def _asks_twice(request: Any, call_next: Any) -> Any:
    first = await call_next(request)
    first.abort()
    return await call_next(request)


class Scenario(NamedTuple):
    """Something to cancel.

    Fields:
        play: what the victim does.
        outcome: what it returns when it is not cancelled.
        steps: how often that suspends it, on asyncio and on trio; None if the system decides. A new
            number means a new await: is it safe?
        prepare: what to do before it.
        server: "plain", "unix", "tls", "tls with tickets", "slow" (reads nothing for a while) or
            "chatty" (sends interim responses).
        network: the changed network.
        host: the host name in the URL.
        trusting: whether the client accepts the server's certificate.
        by_the_system: whether the client has it verified in another thread, as by truststore.
        unlimited: whether there are no time limits.
        grouped: whether it has tasks or time limits of its own, which cancel, too.
        resumable: whether what it leaves half-way could go on, and therefore ends with its owner.
        proxy: the kind of the proxy on the way, if there is one.
        middleware: the middleware of the client.
        watched: whether the client has hooks that wait, and a token that is asked for.
        with_tasks: whether the steps of the tasks that it runs count, too.
    """

    play: Callable[[World], Awaitable[Any]]
    outcome: Any
    steps: tuple[Optional[int], Optional[int]]
    prepare: Callable[[World], Awaitable[Any]] = _nothing
    server: str = "plain"
    network: Optional[type[Network]] = None
    host: str = "127.0.0.1"
    trusting: bool = False
    by_the_system: bool = False
    unlimited: bool = False
    grouped: bool = False
    resumable: bool = False
    proxy: str = ""
    middleware: tuple[Any, ...] = ()
    watched: bool = False
    with_tasks: bool = False


async def _notice(notice: Any) -> None:
    await anyio.lowlevel.checkpoint()


async def _token() -> str:
    await anyio.lowlevel.checkpoint()
    return "rsk_test_cancellation"


_HOOKS = Hooks(
    on_request=_notice, on_response=_notice, on_retry=_notice, on_error=_notice, on_event=_notice
)


SCENARIOS: dict[str, Scenario] = {
    "create": Scenario(_create, "whole", (3, 3)),
    "create without time limits": Scenario(_create, "whole", (3, 3), unlimited=True),
    "create on a kept connection": Scenario(_create, "whole", (1, 1), prepare=_create),
    "create, answered in pieces": Scenario(_pieces, "whole", (6, 6)),
    "create, the body is large": Scenario(
        _large, "whole", (None, None), server="slow", network=SmallBuffer
    ),
    "create, the body is large, interim responses": Scenario(
        _large, "whole", (None, None), server="chatty", network=SmallBuffer
    ),
    "create after the server has closed": Scenario(_create, "whole", (3, 3), prepare=_last),
    "create, refused while sending": Scenario(_too_large, "too large", (3, 3), network=Deafened),
    "stream": Scenario(_stream, "ab", (7, 7), resumable=True),
    "stream in a block": Scenario(_stream_in_block, "ab", (7, 7)),
    "stream, its text": Scenario(_text_of_a_stream, "ab", (7, 7), resumable=True),
    "stream, its events": Scenario(_events_in_block, "ab", (7, 7)),
    "stream, all of it": Scenario(_whole_stream, "ab", (7, 7), resumable=True),
    "parse": Scenario(_value, 7, (3, 3)),
    "parse, after a wrong value": Scenario(_value_at_last, ["whole", 7], (4, 4)),
    "stream, its value": Scenario(_value_of_a_stream, 7, (7, 7), resumable=True),
    "stream that is broken off": Scenario(_broken_off, "a", (4, 4)),
    "stream that is refused": Scenario(_no_stream, "not found", (4, 4)),
    "stream after a refused connection": Scenario(
        _stream, "ab", (9, 10), network=RefusingOnce, resumable=True
    ),
    "waiting for a slot": Scenario(_create, "whole", (4, 4), prepare=_hold_slot),
    # The number of steps depends on whether the wait is over before it begins.
    "waiting to try again": Scenario(_busy_once, "whole", (None, None)),
    "connecting to a name": Scenario(_create, "whole", (4, 3), host="localhost"),
    "connecting to slow addresses": Scenario(_create, "whole", (None, None), network=SlowAtFirst),
    "connecting for too long": Scenario(_create, "whole", (None, None), network=TooSlowOnce),
    "connecting to a Unix socket": Scenario(_create, "whole", (2, 1), server="unix"),
    "TLS": Scenario(_create, "whole", (4, 4), server="tls", trusting=True),
    "TLS that the system verifies": Scenario(
        _create, "whole", (None, None), server="tls", trusting=True, by_the_system=True
    ),
    "TLS, the body is large": Scenario(
        _large,
        "whole",
        (None, None),
        server="tls with tickets",
        trusting=True,
        network=SmallBuffer,
    ),
    "TLS, tickets come before the body is sent": Scenario(
        _large,
        "whole",
        (None, None),
        server="tls with tickets",
        trusting=True,
        network=TicketsFirst,
    ),
    "TLS that is refused": Scenario(_refused_by_us, "tls_verify", (4, 4), server="tls"),
    "a flow that uploads a file": Scenario(_flow, "whole", (4, 4)),
    "a flow that uploads a file to elsewhere": Scenario(
        _flow, "whole", (None, None), host="localhost"
    ),
    "a flow that uploads a large file": Scenario(
        _flow_with_a_large_file, "whole", (None, None), server="slow", network=SmallBuffer
    ),
    "a flow that goes on after a refusal": Scenario(
        _flow_that_goes_on_after_a_refusal, "whole", (4, 4)
    ),
    "a flow that saves a file": Scenario(_saves, 6, (None, None), network=WithThreads),
    "a flow that writes a table": Scenario(
        _writes_a_table, "written", (None, None), network=WithThreads
    ),
    "a tool run": Scenario(
        _flow_of(swept_flows.tool_run), [2, "seen"], (None, None), with_tasks=True
    ),
    "a tool run, streamed": Scenario(
        _flow_of(swept_flows.streamed_tool_run),
        ["ModelResponded", "ModelResponded", "seen"],
        (None, None),
        with_tasks=True,
    ),
    "a tool run that is broken off": Scenario(
        _flow_of(swept_flows.tool_run_broken_off), "se", (None, None), with_tasks=True
    ),
    "a function that ends the others": Scenario(
        _flow_of(swept_flows.failing_functions), "stopped", (None, None), with_tasks=True
    ),
    "a turn of a conversation": Scenario(
        _flow_of(swept_flows.turn), ["seen", 5], (None, None), with_tasks=True
    ),
    "a turn, streamed": Scenario(
        _flow_of(swept_flows.streamed_turn), [["se", "en"], 5], (None, None), with_tasks=True
    ),
    "a turn, streamed, all of it": Scenario(
        _flow_of(swept_flows.whole_streamed_turn), ["seen", 5], (None, None), with_tasks=True
    ),
    "calls at once": Scenario(
        _flow_of(swept_flows.calls_at_once),
        ["busy", "whole", "whole"],
        (None, None),
        with_tasks=True,
    ),
    "calls at once, of a source": Scenario(
        _flow_of(swept_flows.calls_of_a_source), ["whole", "whole"], (None, None), with_tasks=True
    ),
    "many calls": Scenario(
        _flow_of(swept_flows.many_calls),
        ["whole", "whole", "whole", "completed"],
        (None, None),
        with_tasks=True,
    ),
    "many calls of a source, left": Scenario(
        _flow_of(swept_flows.many_calls_of_a_source),
        ["whole", "cancelled"],
        (None, None),
        with_tasks=True,
    ),
    "calls at once, looked at": Scenario(
        _flow_of(swept_flows.calls_looked_at), "whole", (None, None), with_tasks=True
    ),
    "calls at once, closed": Scenario(
        _flow_of(swept_flows.calls_closed), "whole", (None, None), with_tasks=True
    ),
    "calls at once, of a source, closed": Scenario(
        _flow_of(swept_flows.calls_of_a_source_closed), "whole", (None, None), with_tasks=True
    ),
    "calls at once, of a source with a scope": Scenario(
        _flow_of(swept_flows.calls_of_a_source_with_a_scope),
        ["whole", "whole"],
        (None, None),
        with_tasks=True,
    ),
    "calls at once that the flow ends": Scenario(
        _flow_of(swept_flows.calls_ended), True, (None, None), with_tasks=True
    ),
    "waiting for a job": Scenario(
        _flow_of(swept_flows.job),
        ["completed", ["in_progress", "completed"]],
        (None, None),
    ),
    "the rows on all pages": Scenario(
        _flow_of(swept_flows.rows_of_pages), ["batch_1", "batch_2"], (4, 4)
    ),
    "all pages": Scenario(_flow_of(swept_flows.pages), [["batch_1"], ["batch_2"]], (4, 4)),
    "submitting calls": Scenario(
        _flow_of(swept_flows.submitted_calls), ["batch_1", "batch_2"], (4, 4)
    ),
    "submitting calls, and their results": Scenario(
        _flow_of(swept_flows.results_of_submitted_calls),
        [["text 1", "text 2"], ["completed", "completed"]],
        (None, None),
    ),
    "calls in batches": Scenario(
        _flow_of(swept_flows.batched_calls),
        [["text 1", "text 2"], ["batch_1", "batch_2"]],
        (None, None),
    ),
    "the results of a batch": Scenario(
        _flow_of(swept_flows.results_of_a_batch), ["batch_1"], (None, None)
    ),
    "tracking usage": Scenario(_flow_of(swept_flows.tracked), 2, (None, None)),
    "realtime": Scenario(_realtime, ["session.created", "a"], (7, 8)),
    "realtime, recorded": Scenario(_realtime_recorded, ["session.created", "a"], (None, None)),
    "realtime, played": Scenario(
        _realtime_played, ["session.created", "a"], (None, None), prepare=_realtime_recorded
    ),
    "realtime, awaited": Scenario(_realtime_awaited, "answer", (4, 5)),
    "realtime, to its end": Scenario(_realtime_to_its_end, ["session.created"], (4, None)),
    "realtime, with pings": Scenario(
        _realtime_with_pings, ["session.created", "answer"], (None, None)
    ),
    "realtime, in steps": Scenario(_realtime_in_steps, ["session.created"] * 2, (None, None)),
    "realtime, sending": Scenario(_realtime_sends, "answer", (5, 10)),
    "realtime, sending much": Scenario(
        _realtime_sends_much, "answer", (None, None), server="slow", network=SmallBuffer
    ),
    "realtime, sending often": Scenario(_realtime_sends_often, "sent", (5, None)),
    "realtime, turns with functions": Scenario(
        _realtime_turns, ["look", "look_elsewhere", "seen"], (None, None), with_tasks=True
    ),
    "realtime, a text": Scenario(_realtime_text, "seen", (None, None)),
    "realtime, behind another": Scenario(
        _realtime_behind_another,
        "closed",
        (None, None),
        server="slow",
        network=SmallBuffer,
        grouped=True,
    ),
    "realtime, behind who closes": Scenario(
        _realtime_behind_who_closes, [], (None, None), grouped=True
    ),
    "realtime, refused": Scenario(_realtime_refused, "not found", (4, 4)),
    "realtime, connecting again": Scenario(
        _realtime_again, ["meshapi.reconnected", "session.created"], (None, None)
    ),
    "realtime, connecting again behind another": Scenario(
        _realtime_again_behind_another, "sent", (None, None), grouped=True
    ),
    "realtime, the server hangs up": Scenario(_realtime_hung_up, 1006, (None, None)),
    "realtime, the server hangs up, again": Scenario(
        _realtime_hung_up_and_again, "meshapi.reconnected", (None, None)
    ),
    "realtime, the server resets": Scenario(_realtime_reset, "reset", (None, None)),
    "realtime, the server resets, again": Scenario(
        _realtime_reset_and_again, "meshapi.reconnected", (None, None)
    ),
    "realtime, after a send given up": Scenario(
        _realtime_after_a_send_given_up,
        "answer",
        (None, None),
        server="slow",
        network=SmallBuffer,
        grouped=True,
    ),
    "realtime, connecting again after a refusal": Scenario(
        _realtime_again_after_a_refusal, "meshapi.reconnected", (None, None)
    ),
    "realtime over TLS": Scenario(
        _realtime, ["session.created", "a"], (None, None), server="tls", trusting=True
    ),
    "realtime over TLS, with pings": Scenario(
        _realtime_with_pings,
        ["session.created", "answer"],
        (None, None),
        server="tls",
        trusting=True,
    ),
    "through a proxy that forwards": Scenario(_create, "whole", (3, 3), proxy="http"),
    "through a proxy": Scenario(
        _create, "whole", (5, 5), server="tls", trusting=True, proxy="http"
    ),
    "through an https proxy": Scenario(
        _create, "whole", (6, 6), server="tls", trusting=True, proxy="https"
    ),
    "through SOCKS": Scenario(_create, "whole", (6, 7), proxy="socks5"),
    "through SOCKS to a name": Scenario(
        _create, "whole", (None, None), proxy="socks5", host="localhost"
    ),
    "through SOCKS, a flow that uploads a file to elsewhere": Scenario(
        _flow, "whole", (None, None), proxy="socks5", host="localhost"
    ),
    "realtime through an https proxy": Scenario(
        _realtime_with_pings,
        ["session.created", "answer"],
        (None, None),
        server="tls",
        trusting=True,
        proxy="https",
    ),
    "middleware": Scenario(_create, "whole", (3, 3), middleware=(_passes, _passes)),
    "middleware, waiting for a slot": Scenario(
        _create, "whole", (4, 4), prepare=_hold_slot, middleware=(_passes,)
    ),
    "middleware, waiting to try again": Scenario(
        _busy_once, "whole", (None, None), middleware=(_passes,)
    ),
    "middleware, a stream": Scenario(_stream, "ab", (7, 7), resumable=True, middleware=(_passes,)),
    "middleware, a stream in a block": Scenario(
        _stream_in_block, "ab", (7, 7), middleware=(_passes,)
    ),
    "middleware that reads": Scenario(_pieces, "whole", (6, 6), middleware=(_reads,)),
    "middleware that wraps": Scenario(_stream_in_block, "ab", (7, 7), middleware=(_wraps, _passes)),
    "middleware that asks twice": Scenario(_create, "whole", (6, 6), middleware=(_asks_twice,)),
    "middleware, the body is large": Scenario(
        _large, "whole", (None, None), server="slow", network=SmallBuffer, middleware=(_passes,)
    ),
    "middleware, a flow that uploads a file": Scenario(
        _flow, "whole", (4, 4), middleware=(_passes,)
    ),
    "middleware, closing": Scenario(
        _close_below, None, (1, 1), prepare=_hold_slot, middleware=(_passes,)
    ),
    "raw": Scenario(_raw, "whole", (3, 3)),
    "watched": Scenario(_create, "whole", (None, None), watched=True),
    "watched, waiting to try again": Scenario(_busy_once, "whole", (None, None), watched=True),
    "watched, a stream": Scenario(_stream, "ab", (None, None), resumable=True, watched=True),
    "watched, a stream that is broken off": Scenario(_broken_off, "a", (None, None), watched=True),
    "watched, realtime": Scenario(
        _realtime_with_pings, ["session.created", "answer"], (None, None), watched=True
    ),
    "watched, realtime, connecting again": Scenario(
        _realtime_again, ["meshapi.reconnected", "session.created"], (None, None), watched=True
    ),
    "watched, realtime, the server hangs up": Scenario(
        _realtime_hung_up, 1006, (None, None), watched=True
    ),
    "closing": Scenario(_close, None, (1, 1), prepare=_hold_slot),
    "closing when all is idle": Scenario(_close, None, (1, 1), prepare=_create),
}


class Flavour:
    """A kind of event loop: how to run it, and the kinds of blows on it."""

    name: str
    network: Any
    attack: type[Attack]
    single: tuple[str, ...]
    twice: tuple[str, ...]

    def run(self, main: Callable[[], Awaitable[Any]]) -> Any:
        raise NotImplementedError

    def tasks(self) -> set[Any]:
        """The tasks of the loop."""
        raise NotImplementedError


class OnAsyncio(Flavour):
    name = "asyncio"
    network = on_asyncio.NETWORK
    attack = EdgeAttack
    single = ("blocked", "race", "level")
    twice = ("blocked", "race")

    def run(self, main: Callable[[], Awaitable[Any]]) -> Any:
        return asyncio.run(main())  # type: ignore[arg-type]

    def tasks(self) -> set[Any]:
        return set(asyncio.all_tasks())


class OnTrio(Flavour):
    name = "trio"
    network = on_trio.NETWORK
    attack = ScopeAttack
    single = ("after", "before")
    twice = ()

    def run(self, main: Callable[[], Awaitable[Any]]) -> Any:
        return trio.run(main)

    def tasks(self) -> set[Any]:
        parent = trio.lowlevel.current_task().parent_nursery
        assert parent is not None
        return {task for nursery in [parent] for task in nursery.child_tasks}


class Leak(NamedTuple):
    """Something was different after a run than before it."""

    blow: Blow
    contended: bool
    faults: list[str]


class Sweep:
    """All runs of one scenario on one flavour, in one loop."""

    def __init__(
        self,
        flavour: Flavour,
        scenario: Scenario,
        pool_class: type[WatchedPool] = WatchedPool,
        patience: float = RUN_LIMIT / 2,
    ) -> None:
        self.flavour = flavour
        self.scenario = scenario
        self.pool_class = pool_class
        self.patience = patience
        self.runs = 0
        self.leaks: list[Leak] = []
        self.struck_at: set[Place] = set()
        self.steps_in_peace = 0
        self._complaints: list[str] = []

    def run(self, *, thorough: bool = True, until_found: bool = False) -> "Sweep":
        """Run the scenario, cancelled at every place.

        Args:
            thorough: whether to cancel twice in a row, too, and to let others wait for the slot.
            until_found: whether to stop at the first leak.
        """
        with complaints_to(self._complaints), _server(self.scenario) as server:
            self.flavour.run(lambda: self._main(server, thorough, until_found))
        if self._complaints:
            self.leaks.append(Leak(Blow("any"), False, self._complaints))
        return self

    async def _main(self, server: PumpedServer, thorough: bool, until_found: bool) -> None:
        if self.flavour.name == "asyncio":
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: self._complaints.append(str(context)))
        async with anyio.create_task_group() as background:
            background.start_soon(_pump, server)
            await self._warm_up(server)
            for blow_of, contended in self._ways(thorough):
                for step in range(1, 100):
                    blow = blow_of(step)
                    attack = await self._attempt(server, blow, contended)
                    if (self.leaks and until_found) or attack.steps < step:
                        break
                if self.leaks and until_found:
                    break
            background.cancel_scope.cancel()

    def _ways(self, thorough: bool) -> Iterator[tuple[Callable[[int], Blow], bool]]:
        for contended in (False, True) if thorough else (False,):
            for how in self.flavour.single:
                yield (lambda n, how=how: Blow(how, (n,))), contended
            for how in self.flavour.twice if thorough else ():
                for distance in (1, 2, 3):
                    yield (lambda n, how=how, d=distance: Blow(how, (n, n + d))), contended

    async def _warm_up(self, server: PumpedServer) -> None:
        """Run it twice undisturbed, so that threads, caches, imports and descriptors exist."""
        for _ in range(2):
            attack = await self._attempt(server, Blow("none"), contended=False)
        self.steps_in_peace = attack.steps

    async def _attempt(self, server: PumpedServer, blow: Blow, contended: bool) -> Attack:
        self.runs += 1
        server.reset()
        faults: list[str] = []
        open_before, tasks = descriptors(), self.flavour.tasks()
        world = World(self.flavour, self.scenario, server, self.pool_class, self.patience)
        await self.scenario.prepare(world)
        victim = _played(self.scenario, world, faults)
        attack = self.flavour.attack(victim, blow, with_tasks=self.scenario.with_tasks)
        with anyio.move_on_after(RUN_LIMIT) as limit:
            await self._play(world, attack, contended, faults)
        if limit.cancelled_caught:
            faults.append("it hangs")
        faults += self._outcome(attack, world)
        await self._verdict(world, open_before, faults)
        extra = self.flavour.tasks() - tasks
        if extra:
            faults.append(f"tasks are left: {extra}")
        faults += self._complaints
        self._complaints.clear()
        self.struck_at |= attack.struck_at
        if faults:
            self.leaks.append(Leak(blow, contended, faults))
        return attack

    async def _play(self, world: World, attack: Attack, contended: bool, faults: list[str]) -> None:
        async with anyio.create_task_group() as players:
            if self.flavour.name == "asyncio":
                # A plain task: anyio would cancel one of its own again whenever it survives.
                victim = asyncio.ensure_future(attack.run())
            else:
                players.start_soon(attack.run)
            await _rounds(1)
            if contended:
                players.start_soon(_contender, world, faults)
                players.start_soon(_contender, world, faults)
            if world.holder is not None:
                await _rounds(PAUSE)
                await world.holder.aclose()
                world.holder = None
            if self.flavour.name == "asyncio":
                await asyncio.wait({victim})

    def _outcome(self, attack: Attack, world: World) -> Iterator[str]:
        if attack.finished and attack.value != self.scenario.outcome:
            yield f"it returned {attack.value!r}"
        if attack.finished and attack.delivered is not None and not self.scenario.grouped:
            yield "it swallowed its cancellation"
        if not attack.finished and not attack.cancelled:
            yield f"it raised {attack.raised!r}"
        if self.scenario.grouped or attack.raised is None:
            return
        if attack.cancelled and attack.raised is not attack.delivered:
            yield f"it raised {attack.raised!r} instead of {attack.delivered!r}"

    async def _verdict(self, world: World, open_before: int, faults: list[str]) -> None:
        pool, server, state = world.pool, world.server, world.pool._state
        pool._collect_dropped()
        if isinstance(world.network, WithThreads):
            # What was begun in a thread goes on there.
            end = time.monotonic() + 5.0
            await _until(lambda: world.network.calls == 0 or time.monotonic() > end)
        faults += [f"a part of a file is left: {name}" for name in _half_saved()]
        if state._in_use:
            faults.append("a connection waits for the garbage collector")
        # The exception's traceback holds objects of the victim; now they are gone, too.
        gc.collect()
        if self.scenario.resumable:
            pool._collect_dropped()
        elif pool.dropped:
            faults.append(f"{pool.dropped} answers were left to the finaliser")
        for _ in range(SETTLING):
            if server.live == state.idle and descriptors() == open_before + 2 * state.idle:
                break
            await _rounds(1)
        else:
            faults.append(f"{descriptors() - open_before} descriptors, {server.live} connections")
        if (state.slots, len(state._in_use), state.waiting) != (state.idle, 0, 0):
            faults.append(
                f"books: {state.slots} slots, {len(state._in_use)} in use, {state.idle} idle,"
                f" {state.waiting} waiting"
            )
        if not pool.closed:
            await _further(world, faults)
        await pool.aclose()
        for _ in range(SETTLING):
            if server.live == 0 and descriptors() == open_before:
                break
            await _rounds(1)
        else:
            faults.append(f"open: {descriptors() - open_before} descriptors, {server.live} live")
        gc.collect()


async def _played(scenario: Scenario, world: World, faults: list[str]) -> Any:
    try:
        return await scenario.play(world)
    finally:
        if world.running.count:
            faults.append(f"functions that have outlived it: {world.running.count}")


async def _contender(world: World, faults: list[str]) -> None:
    faults += [f"a contender: {fault}" for fault in await _asking(world, world.client)]


async def _further(world: World, faults: list[str]) -> None:
    faults += [f"a further request: {fault}" for fault in await _asking(world, world.further)]


async def _asking(world: World, client: AsyncMeshAPI) -> list[str]:
    try:
        with anyio.fail_after(RUN_LIMIT):
            text = await _text(client, "plain")
    except (MeshAPIError, TimeoutError) as exc:
        codes = (
            {"tls_verify"} if world.distrusts else {"client_closed"} if world.pool.closed else ()
        )
        return [] if getattr(exc, "error_code", "") in codes else [repr(exc)]
    return [] if text == "whole" else [repr(text)]


async def _pump(server: PumpedServer) -> None:
    while True:
        server.pump()
        await anyio.lowlevel.checkpoint()


_contexts: dict[str, Any] = {}


def _trusting() -> Any:
    if "trusting" not in _contexts:
        _contexts["trusting"] = trusting()
    return _contexts["trusting"]


class _SlowContext(ssl.SSLContext):
    """A context whose handshakes may block."""


# What is recognised; truststore itself does not run on every version of Python.
_SlowContext.__module__ = "truststore"


def _verifying_slowly() -> Any:
    if "slow" not in _contexts:
        _contexts["slow"] = _SlowContext(ssl.PROTOCOL_TLS_CLIENT)
        authority().configure_trust(_contexts["slow"])
    return _contexts["slow"]


def _server(scenario: Scenario) -> PumpedServer:
    context = None
    if scenario.server.startswith("tls"):
        context = serving()
        context.num_tickets = 0 if scenario.server == "tls" else 2
    interim = b"HTTP/1.1 102 Processing\r\n\r\n" if scenario.server == "chatty" else b""
    patience = 20 if scenario.server == "slow" else 0
    uds = None
    if scenario.server == "unix":
        uds = _path()
        with suppress(FileNotFoundError):
            os.unlink(uds)
    outer = serving() if scenario.proxy == "https" else None
    if outer is not None:
        outer.num_tickets = 0
    return PumpedServer(
        {**RESPONSES, **SESSIONS, **swept_flows.RESPONSES},
        context,
        patience,
        interim,
        uds=uds,
        proxy=scenario.proxy,
        outer=outer,
    )


_folders: "list[TemporaryDirectory[str]]" = []


@lru_cache(maxsize=1)
def _path() -> str:
    """The path of a Unix socket."""
    _folders.append(TemporaryDirectory())
    return os.path.join(_folders[0].name, "s")


@pytest.fixture(autouse=True, scope="module")
def _keep_the_folder() -> Iterator[None]:
    yield
    _path.cache_clear()
    while _folders:
        _folders.pop().cleanup()


FLAVOURS = [OnAsyncio(), OnTrio()]
on_each_flavour = pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda flavour: flavour.name)


@pytest.mark.slow
@on_each_flavour
@pytest.mark.parametrize(
    "thorough",
    [
        pytest.param(False, id="once"),
        pytest.param(True, id="also twice and contended", marks=pytest.mark.exhaustive),
    ],
)
@pytest.mark.parametrize("name", SCENARIOS)
def test_cancelling_at_any_place_leaks_nothing(
    flavour: Flavour, thorough: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if SCENARIOS[name].resumable:
        # A call that waits for the slot of a dropped stream finds it at its next check.
        monkeypatch.setattr(async_connections, "_LOOK_AROUND", 0.002)
    sweep = Sweep(flavour, SCENARIOS[name]).run(thorough=thorough)
    print(f"{sweep.runs} runs")  # noqa: T201  # `pytest -rP` shows it
    assert sweep.leaks == []
    expected = SCENARIOS[name].steps[FLAVOURS.index(flavour)]
    assert expected is None or sweep.steps_in_peace == expected


RESUMED = {
    name: SCENARIOS[name]
    for name in (
        "stream",
        "stream after a refused connection",
        "TLS",
        "connecting to a name",
    )
}


@pytest.mark.slow
@on_each_flavour
@pytest.mark.parametrize("name", RESUMED)
def test_a_stream_that_is_cancelled_at_any_place_can_be_gone_on_with(
    flavour: Flavour, name: str
) -> None:
    """The items are those of an undisturbed stream, and no request is sent twice."""
    scenario = RESUMED[name]

    async def main(server: PumpedServer) -> None:
        async with anyio.create_task_group() as background:
            background.start_soon(_pump, server)
            for how in flavour.single:
                for step in range(1, 100):
                    server.reset()
                    world = World(flavour, scenario, server, WatchedPool, RUN_LIMIT)
                    steps, items = await _resumed(flavour, world.stream(), Blow(how, (step,)))
                    assert items == ["a", "b"], (how, step)
                    assert server._asked == {"stream": 1}, (how, step)
                    assert world.pool.dropped == 0
                    await world.pool.aclose()
                    if steps < step:
                        break
            background.cancel_scope.cancel()

    with _server(scenario) as server:
        flavour.run(lambda: main(server))


async def _texts(stream: Any, seen: list[Any]) -> None:
    async for text in stream.text_stream:
        seen.append(text)


async def _events(stream: Any, seen: list[Any]) -> None:
    async for event in stream.events():
        seen.append(event.type)


async def _final(stream: Any, seen: list[Any]) -> None:
    seen.append((await stream.get_final_completion()).text)


HELPERS: dict[str, tuple[Callable[[Any, list[Any]], Coroutine[Any, Any, None]], list[str]]] = {
    "text_stream": (_texts, ["a", "b"]),
    "events": (_events, ["content.delta", "content.delta", "content.done", "done"]),
    "get_final_completion": (_final, ["ab"]),
}


@pytest.mark.slow
@on_each_flavour
@pytest.mark.parametrize("name", HELPERS)
def test_what_reads_a_stream_can_be_cancelled_at_any_place_and_begun_again(
    flavour: Flavour, name: str
) -> None:
    read, whole = HELPERS[name]
    scenario = SCENARIOS["stream"]

    async def main(server: PumpedServer) -> None:
        async with anyio.create_task_group() as background:
            background.start_soon(_pump, server)
            for how in flavour.single:
                for step in range(1, 100):
                    server.reset()
                    world = World(flavour, scenario, server, WatchedPool, RUN_LIMIT)
                    stream, seen = world.stream(), list[Any]()
                    first = await _attacked(flavour, read(stream, seen), Blow(how, (step,)))
                    if first.cancelled:
                        again = await _attacked(flavour, read(stream, seen), Blow(how))
                        assert again.finished, (how, step, again.raised)
                    assert seen == whole, (how, step)
                    assert stream.response.text == stream.partial.text == "ab"
                    assert server._asked == {"stream": 1}, (how, step)
                    assert world.pool.dropped == 0
                    await world.pool.aclose()
                    if first.steps < step:
                        break
            background.cancel_scope.cancel()

    with _server(scenario) as server:
        flavour.run(lambda: main(server))


async def _attacked(flavour: Flavour, victim: "Coroutine[Any, Any, Any]", blow: Blow) -> Attack:
    attack = flavour.attack(victim, blow)
    async with anyio.create_task_group() as tasks:
        if flavour.name == "asyncio":
            await asyncio.wait({asyncio.ensure_future(attack.run())})
        else:
            tasks.start_soon(attack.run)
    return attack


async def _resumed(flavour: Flavour, stream: Any, blow: Blow) -> tuple[int, list[str]]:
    """The number of waits of a stream, and its items, if it is cancelled once and read on."""
    steps, items = 0, []
    while True:
        left = Blow(blow.how, tuple(step - steps for step in blow.steps))
        attack = await _attacked(flavour, stream.__anext__(), left)
        steps += attack.steps
        if attack.finished:
            items.append(attack.value.choices[0].delta.content)
        elif not attack.cancelled:
            assert isinstance(attack.raised, StopAsyncIteration), attack.raised
            return steps, items


PACKAGE = Path(meshapi_backends.__file__).parent
FILES = [
    # Another library's client has a pool of its own: see test_httpx_client, and
    # transports/test_cancelled_steps.
    *sorted(
        path
        for path in (PACKAGE / "_async").rglob("*.py")
        if path.name != "client_host.py" and path.parent.name not in ("httpx", "httpcore")
    ),
    *sorted((PACKAGE / "_networks").glob("*.py")),
    PACKAGE / "_per_loop.py",
]

_QUEUE_IS_FULL = "await network.sleep(_QUEUE_PAUSE if left is None else min(_QUEUE_PAUSE, left))"

OUT_OF_REACH = {
    # TLS writes while reading, or reads while writing, only for a renegotiation or a new key. A
    # server that uses Python's ssl module can ask for neither.
    ("tls.py", "read", "await self._flush(timeout)"),
    ("tls.py", "write", "await self._flush(timeout)"),
    ("tls.py", "write", "await self._feed(timeout)"),
    # There is always room for the few bytes of a handshake, so nothing waits.
    ("tls.py", "handshake", "await self._flush(left)"),
    ("tls.py", "handshake", "await self._try_flush(left)"),
    ("tls.py", "_try_flush", "await self._flush(timeout)"),
    # Giving a connection back waits for nothing, and no hook is for the end of a session.
    ("watched.py", "_let_go", "await super()._let_go(action, now)"),
    ("session.py", "aclose", "await self._opener.tell()"),
    # Closing a stream waits for nothing: see the test below.
    ("flows.py", "leave", "await stream.close()"),
    ("flows.py", "_close_stream", "await step.stream.close()"),
    ("flows.py", "next", "await self.leave()"),
    ("flows.py", "_next", "await self._steps.leave()"),
    # Only a task that was cancelled waits there, until the tasks that it began have ended, too.
    ("asyncio.py", "_result", "await end_tasks((task,))"),
    ("asyncio.py", "connect_first", "await end_tasks(attempts.close())"),
    # While the queue of a Unix socket is full; nothing is open then.
    ("dialing.py", "_dial_unix", _QUEUE_IS_FULL),
    ("connecting.py", "_ask", "await stream.write(action.data, left)"),
    # Only after an interrupted write: see test_interrupted_reads.
    ("trio_streams.py", "read", 'await self.write(b"", timeout)'),
    # In a task that only the end of the loop cancels; and after 64 KiB in one read.
    ("trio_streams.py", "_watch", "await trio.sleep_forever()"),
    ("trio.py", "_watch", "await trio.lowlevel.wait_writable(sock)"),
    ("trio_streams.py", "read", "await trio.lowlevel.checkpoint()"),
}
"""Awaits that no scenario suspends: file, function, text. Those that cannot suspend are found."""


@pytest.mark.exhaustive
@pytest.mark.slow
def test_every_await_of_the_backends_has_been_cancelled() -> None:
    struck_at: set[Place] = set()
    for scenario in SCENARIOS.values():
        for flavour in FLAVOURS:
            struck_at |= Sweep(flavour, scenario).run(thorough=False).struck_at
    missed = {
        (Path(one.file).name, one.function, one.text)
        for path in FILES
        for one in awaits_in(path)
        if not any(one.is_at(place) for place in struck_at) and not _never_suspends(one)
    }
    assert sorted(missed ^ OUT_OF_REACH) == []


@on_each_flavour
@pytest.mark.parametrize("name", ["stream", "middleware, a stream", "watched, a stream"])
def test_closing_a_stream_waits_for_nothing(flavour: Flavour, name: str) -> None:
    async def main(server: PumpedServer) -> None:
        async with anyio.create_task_group() as background:
            background.start_soon(_pump, server)
            world = World(flavour, SCENARIOS[name], server, WatchedPool, RUN_LIMIT)
            stream = world.stream()
            await stream.__anext__()
            with pytest.raises(StopIteration):
                stream.close().send(None)
            await world.pool.aclose()
            background.cancel_scope.cancel()

    with _server(SCENARIOS[name]) as server:
        flavour.run(lambda: main(server))


def _never_suspends(one: Await) -> bool:
    """Whether it awaits a method of the same file that does not await anything."""
    if not one.text.startswith("await self."):
        return False
    name = one.text[len("await self.") :].partition("(")[0]
    methods = [
        node
        for node in ast.walk(ast.parse(Path(one.file).read_text("utf-8")))
        if isinstance(node, ast.AsyncFunctionDef) and node.name == name
    ]
    awaits = [inner for method in methods for inner in ast.walk(method)]
    return bool(methods) and not any(isinstance(inner, ast.Await) for inner in awaits)


class KeepsSlot(WatchedPool):
    """Gives the slot back when connecting fails, but not when it is cancelled."""

    async def _open(self, action: Any, call: Any, place: Any) -> Any:
        origin = action.origin
        try:
            stream = await async_connecting.open_stream(self._network, origin, self._tls, None)
        except Exception:
            self._abandon()
            raise
        connection = async_connections.AsyncConnection(stream, HTTP11Connection())
        self._state.opened(connection, origin)
        return connection


class RegistersLate(WatchedPool):
    """Awaits something between opening a connection and entering it in the state."""

    async def _open(self, action: Any, call: Any, place: Any) -> Any:
        connection = await super()._open(action, call, place)
        self._state._in_use.clear()
        self._state._opening += 1
        await self._network.sleep(0)
        self._state.opened(connection, action.origin)
        return connection


class LosesWakeUp(WatchedPool):
    """A waiter that is woken and then cancelled keeps the hint to itself."""

    def _leave_queue(self, waiter: Any) -> None:
        self._state.dequeue(waiter)


class LosesWaiter(WatchedPool):
    """A waiter that is cancelled stays in the queue."""

    def _leave_queue(self, waiter: Any) -> None:
        pass


class AwaitsRelease(AsyncPipeHost[Any]):
    """Gives a connection up after an await."""

    async def result(self) -> Any:
        try:
            item = await self._drive(open_only=False)
        except BaseException:
            await self._network.sleep(0)
            self.leave()
            raise
        assert item is not None
        return item.value


class CatchesExceptionOnly(AsyncPipeHost[Any]):
    """Gives a connection up for an Exception, which cancellation is not."""

    async def result(self) -> Any:
        try:
            item = await self._drive(open_only=False)
        except Exception:
            self.leave()
            raise
        assert item is not None
        return item.value


class Wraps(AsyncPipeHost[Any]):
    """Turns cancellation into an error of its own."""

    async def result(self) -> Any:
        try:
            return await super().result()
        except BaseException as exc:
            raise RuntimeError("it failed") from exc


class Swallows(AsyncPipeHost[Any]):
    """Goes on after a cancellation."""

    async def result(self) -> Any:
        try:
            item = await self._drive(open_only=False)
        except asyncio.CancelledError:
            item = await self._drive(open_only=False)
        assert item is not None
        return item.value


class HostedBy(AsyncCallRunner):
    """Drives its calls with another class of host."""

    host_class: type[AsyncPipeHost[Any]]

    def host(self, call: Any) -> Any:
        host: Any = super().host(call)
        host.__class__ = self.host_class
        return host


BROKEN: list[tuple[type, str, str]] = [
    (KeepsSlot, "create", "asyncio trio"),
    (RegistersLate, "create", "asyncio trio"),
    # On trio a task that has been woken is not cancelled any more.
    (LosesWakeUp, "waiting for a slot", "asyncio"),
    (LosesWaiter, "waiting for a slot", "asyncio trio"),
    (AwaitsRelease, "create", "asyncio trio"),
    (CatchesExceptionOnly, "create", "asyncio trio"),
    (CatchesExceptionOnly, "create on a kept connection", "asyncio trio"),
    (Wraps, "create", "asyncio trio"),
    # trio's cancellation raises again at the next checkpoint.
    (Swallows, "create", "asyncio"),
]
FOUND_BY_DEFAULT = BROKEN[:1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "name", "flavours"),
    [
        pytest.param(*row, marks=() if row in FOUND_BY_DEFAULT else pytest.mark.exhaustive)
        for row in BROKEN
    ],
)
def test_the_sweep_finds_a_pool_that_is_broken(
    broken: type, name: str, flavours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool_class: type[WatchedPool] = WatchedPool
    if issubclass(broken, WatchedPool):
        pool_class = broken
    else:
        monkeypatch.setattr(HostedBy, "host_class", broken, raising=False)
        monkeypatch.setattr(_async_client, "AsyncCallRunner", HostedBy)
    for flavour in FLAVOURS:
        if flavour.name in flavours.split():
            sweep = Sweep(flavour, SCENARIOS[name], pool_class, patience=0.3).run(until_found=True)
            assert sweep.leaks, flavour.name
            assert sweep.leaks[0].blow.how != "none", sweep.leaks


@pytest.mark.slow
@on_each_flavour
def test_the_sweep_finds_a_handshake_that_leaves_its_socket_open(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start_tls(
        stream: Any, host: str, tls: Any, network: Any, timeout: Any, received: bytes
    ) -> Any:
        encrypted = async_tls.AsyncTLSStream(stream, TLSState(tls.context, host))
        try:
            await encrypted.handshake(network, None)
        except Exception:
            stream.abort()
            raise
        return encrypted

    monkeypatch.setattr(async_tls, "start_tls", start_tls)
    assert Sweep(flavour, SCENARIOS["TLS"], patience=0.3).run(until_found=True).leaks


@pytest.mark.slow
@on_each_flavour
def test_the_sweep_finds_functions_that_outlive_their_caller(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def together(network: Any, functions: Any) -> None:
        left = len(functions)
        waiter = network.waiter()

        async def counted(function: Any) -> None:
            nonlocal left
            await function()
            left -= 1
            if not left:
                waiter.set()

        for function in functions:
            network.start(counted, function)
        await waiter.wait(None)

    monkeypatch.setattr(type(flavour.network), "together", together)
    sweep = Sweep(flavour, SCENARIOS["a tool run"], patience=0.3).run(until_found=True)
    assert sweep.leaks
    assert sweep.leaks[0].blow.how != "none", sweep.leaks


@on_each_flavour
def test_a_long_wait_for_a_slot_looks_around_and_lets_the_loop_run(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_connections, "_LOOK_AROUND", 0.002)
    server = PumpedServer(RESPONSES)
    looks: list[int] = []

    class Looking(WatchedPool):
        def _collect_dropped(self) -> None:
            looks.append(1)
            super()._collect_dropped()

    async def main() -> None:
        world = World(flavour, SCENARIOS["create"], server, Looking, RUN_LIMIT)
        responses: list[str] = []

        async def wait() -> None:
            responses.append(await world.ask())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_pump, server)
            async with world.stream():
                tasks.start_soon(wait)
                looks.clear()
                with anyio.fail_after(RUN_LIMIT):
                    await _until(lambda: len(looks) >= 4)
            with anyio.fail_after(RUN_LIMIT):
                await _until(lambda: bool(responses))
            assert responses == ["whole"]
            await world.pool.aclose()
            tasks.cancel_scope.cancel()

    with server:
        flavour.run(main)


@pytest.mark.parametrize("name", ["release", "discard", "abort", "drop", "hang_up", "forget"])
def test_giving_a_connection_back_or_up_cannot_be_interrupted(name: str) -> None:
    found = [
        type(node)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name
    ]
    assert found
    assert set(found) == {ast.FunctionDef}
