"""Tests that are written once and run on three flavours: blocking, asyncio and trio.

    @on_every_flavour
    async def test_...(world):
        async with world.client(server.url) as client:
            response = await client.chat.completions.create(...)

is three tests. In the blocking one, nothing is really awaited: the blocking objects are wrapped so
that their methods can be awaited (`Awaited`), and the test runs to its end without being suspended.

Each run checks what must hold for all tests: no file descriptor stays open (with the garbage
collector off), no task is left, and the event loop logs no errors.
"""

import asyncio
import functools
import gc
import importlib
import inspect
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Optional

import anyio
import pytest
import trio

from meshapi import AsyncMeshAPI, MeshAPI, RetryPolicy
from meshapi._raw_clients import RawMeshAPI
from meshapi._realtime import RealtimeResource, RealtimeSession
from meshapi_backends._async import connecting as async_connecting
from meshapi_backends._async import connections as async_connections
from meshapi_backends._networks import asyncio as on_asyncio
from meshapi_backends._networks import blocking
from meshapi_backends._networks import trio as on_trio
from meshapi_backends._networks.socket_options import DEFAULT_OPTIONS
from meshapi_backends._networks.tls_source import TLSSource
from meshapi_backends._sync import connecting as sync_connecting
from meshapi_backends._sync import connections as sync_connections
from meshapi_backends._sync.chunk_stream import ChunkStream
from meshapi_core import Limits, Origin, PoolState, SocketOptions
from meshapi_core.endpoints import (
    Resource,
    endpoint,
    flow_endpoint,
    item_flow_endpoint,
    list_endpoint,
    stream_endpoint,
)
from meshapi_core.endpoints._descriptor import ItemFlowEndpointAs, StreamEndpointAs
from meshapi_core.endpoints._pairs import MadeAs, TypedStreamEndpoint

TOKEN = "rsk_test_canary_of_every_flavour"
ASK: dict[str, Any] = {
    "model": "openai/gpt-4o-mini",
    "messages": [{"role": "user", "content": "ping"}],
}

PATIENCE = 20.0
"""Seconds after which a test that hangs has failed."""

QUICK = RetryPolicy(max_retries=2, initial_delay=0.002)
"""Retries that cost a test nothing."""

AsyncFunction = Callable[[], Awaitable[Any]]


class World:
    """What a test needs of its flavour."""

    name: str
    client_class: Any
    network: Any
    connecting: Any
    pool_class: Any

    def client(self, url: str, **options: Any) -> Any:
        """A client with few and quick retries, and five seconds for everything."""
        options = {"token": TOKEN, "timeout": 5.0, "retry": QUICK, **options}
        return self.dress(self.client_class(base_url=url, **options))

    def dress(self, blocking: Any) -> Any:
        """An object, wrapped if need be so that its methods can be awaited."""
        return blocking

    async def open_stream(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        context: Any = None,
        timeout: Optional[float] = 5.0,
        network: Any = None,
        sockets: SocketOptions = DEFAULT_OPTIONS,
    ) -> Any:
        """A network stream to a server, with TLS if a context is given."""
        origin = Origin("http" if context is None else "https", host, port)
        opened = self.connecting.open_stream(
            network or self.network, origin, TLSSource.of(context), timeout, sockets=sockets
        )
        return self.dress(await self.settle(opened))

    async def settle(self, value: Any) -> Any:
        """The result of a call to the code under test."""
        return await value

    def middleware(self, function: Any) -> Any:
        """An async function as middleware of this flavour."""
        return function

    def pool(self, limits: Limits, network: Any = None, **options: Any) -> Any:
        """A pool of connections."""
        return self.dress(self.pool_class(network or self.network, limits, **options))

    def pool_state(self, client: Any) -> "PoolState[Any, Any]":
        """The state of a client's one pool."""
        (pool,) = client._sockets._pools.values()
        state: PoolState[Any, Any] = pool._state
        return state

    async def sleep(self, seconds: float) -> None:
        await self.network.sleep(seconds)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition holds."""
        end = time.monotonic() + PATIENCE / 4
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            await self.sleep(0.002)

    async def together(self, *functions: AsyncFunction) -> list[Any]:
        """Run functions at the same time, and return what each returned or raised."""
        outcomes: list[Any] = [None] * len(functions)

        async def run(position: int, function: AsyncFunction) -> None:
            try:
                outcomes[position] = await function()
            except Exception as exc:
                outcomes[position] = exc

        async with anyio.create_task_group() as group:
            for position, function in enumerate(functions):
                group.start_soon(run, position, function)
        return outcomes

    async def rows(self, rows: Any) -> list[Any]:
        """What a program gets that iterates over a page, or over pages."""
        return [row async for row in rows]

    def run(self, scenario: Callable[["World"], Coroutine[Any, Any, Any]]) -> Any:
        raise NotImplementedError


class BlockingWorld(World):
    """MeshAPI, and threads."""

    name = "sync"
    client_class = MeshAPI
    network = blocking.NETWORK
    connecting = sync_connecting
    pool_class = sync_connections.ConnectionPool

    def dress(self, blocking: Any) -> Any:
        return Awaited(blocking)

    async def settle(self, value: Any) -> Any:
        return value

    def middleware(self, function: Any) -> Any:
        @functools.wraps(function)
        def blocking(request: Any, call_next: Any) -> Any:
            async def go_on(request: Any) -> Any:
                return self.dress(call_next(request))

            returned = drive(function(request, go_on))
            return returned._target if isinstance(returned, Awaited) else returned

        del blocking.__wrapped__  # type: ignore[attr-defined]
        return blocking

    def pool_state(self, client: Any) -> "PoolState[Any, Any]":
        state: PoolState[Any, Any] = client._target._sockets._state
        return state

    async def sleep(self, seconds: float) -> None:
        self.network.sleep(seconds)

    async def rows(self, rows: Any) -> list[Any]:
        return list(rows)

    async def together(self, *functions: AsyncFunction) -> list[Any]:
        outcomes: list[Any] = [None] * len(functions)

        def run(position: int, function: AsyncFunction) -> None:
            try:
                outcomes[position] = drive(_settled(function))
            except Exception as exc:
                outcomes[position] = exc

        threads = [
            threading.Thread(target=run, args=item, daemon=True) for item in enumerate(functions)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a thread does not end"
        return outcomes

    def run(self, scenario: Callable[[World], Coroutine[Any, Any, Any]]) -> Any:
        return drive(scenario(self))


class AsyncioWorld(World):
    """AsyncMeshAPI on asyncio."""

    name = "asyncio"
    client_class = AsyncMeshAPI
    network = on_asyncio.NETWORK
    connecting = async_connecting
    pool_class = async_connections.AsyncConnectionPool

    def run(self, scenario: Callable[[World], Coroutine[Any, Any, Any]]) -> Any:
        complaints: list[dict[str, Any]] = []

        async def main() -> Any:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            try:
                return await asyncio.wait_for(scenario(self), PATIENCE)
            finally:
                left = asyncio.all_tasks() - {asyncio.current_task()}
                assert not left, f"a task is left: {left}"

        value = asyncio.run(main())
        assert complaints == []
        return value


class TrioWorld(World):
    """AsyncMeshAPI on trio."""

    name = "trio"
    client_class = AsyncMeshAPI
    network = on_trio.NETWORK
    connecting = async_connecting
    pool_class = async_connections.AsyncConnectionPool

    def run(self, scenario: Callable[[World], Coroutine[Any, Any, Any]]) -> Any:
        async def main() -> Any:
            with trio.fail_after(PATIENCE):
                return await scenario(self)

        return trio.run(main)


FLAVOURS = (BlockingWorld(), AsyncioWorld(), TrioWorld())


def on_every_flavour(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make three tests of one; its first parameter is the `World` that it runs in."""

    @functools.wraps(test)
    def run(world: World, **fixtures: Any) -> None:
        scenario = functools.partial(test, **fixtures)
        with nothing_left_open():
            world.run(scenario)

    # pytest reads these: the signature for fixtures, and that it is not a coroutine function.
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    # For tests that run it again in another way.
    run.scenario = test  # type: ignore[attr-defined]
    del run.__wrapped__  # type: ignore[attr-defined]
    return pytest.mark.parametrize("world", FLAVOURS, ids=lambda world: world.name)(run)


class nothing_left_open:
    """Fails where a file descriptor is open afterwards that was not before; needs /proc.

    Args:
        ignored: whether a descriptor's target, as text, is not the client's.
    """

    def __init__(self, ignored: Callable[[str], bool] = lambda target: False) -> None:
        self._ignored = ignored

    def __enter__(self) -> None:
        gc.collect()
        # As in `leaks`: exclude what exists now, and a collection takes 0.1 ms instead of 3.
        gc.freeze()
        gc.disable()
        self._before = descriptors()

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        # A gateway in a thread of this process notices with a delay that its client has left. Its
        # descriptors come and go while they are looked at, so one look says nothing.
        end = time.monotonic() + 2.0
        left = self._left()
        while kind is None and left and time.monotonic() < end:
            time.sleep(0.002)
            left = self._left()
        gc.enable()
        if kind is None:
            assert left == {}, "descriptors are left open"

    def _left(self) -> dict[str, str]:
        found = {fd: to for fd, to in descriptors().items() if self._before.get(fd) != to}
        return {fd: to for fd, to in found.items() if not self._ignored(to)}


def descriptors() -> dict[str, str]:
    """The open descriptors: numbers -> targets, as text; needs /proc."""
    found = {}
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return {}
    for name in names:
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
    return found


def drive(coroutine: Any) -> Any:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a blocking test awaited something that is not blocking")


_AWAITED = frozenset(
    {
        "close",
        "aclose",
        "read",
        "read_all",
        "write",
        "send",
        "connect",
        "resolve",
        "wait",
        "run",
        "run_flow",
    }
    | {"receive", "wait_for", "send_audio", "commit_audio", "update"}
    | {"read_ready", "write_some", "flush"}
    | {"until_done", "download", "estimate", "send_text", "say", "send_tool_output"}
)
"""Methods that block; those declared as endpoints need not be named."""

_DRESSED = (MeshAPI, RawMeshAPI, Resource, ChunkStream, RealtimeResource, RealtimeSession)


class Awaited:
    """A blocking object with the interface of its async twin."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, "close" if name == "aclose" else name)
        declared = getattr(type(self._target), name, None)
        opening = (
            stream_endpoint,
            item_flow_endpoint,
            StreamEndpointAs,
            TypedStreamEndpoint,
            ItemFlowEndpointAs,
            MadeAs,
        )
        if isinstance(declared, opening) or name in ("open_flow", "with_options"):
            return functools.partial(_opened, value)
        if isinstance(declared, list_endpoint):
            return functools.partial(_Listing, value)
        kind = _kind_in_twin(type(self._target), name)
        if kind is not None:
            return Awaited(value) if kind is property else functools.partial(kind, value)
        if isinstance(self._target, RealtimeSession) and name == "turns":
            return functools.partial(_opened, value)
        if isinstance(self._target, RealtimeResource) and name == "connect":
            return functools.partial(_Connecting, value)
        if isinstance(declared, (endpoint, flow_endpoint)) or name in _AWAITED:
            return functools.partial(_awaited, value)
        return Awaited(value) if isinstance(value, _DRESSED) else value

    def __aiter__(self) -> "Awaited":
        iterator = iter(self._target)
        return self if iterator is self._target else Awaited(iterator)

    async def __anext__(self) -> Any:
        try:
            return next(self._target)
        except StopIteration:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> "Awaited":
        assert self._target.__enter__() is self._target
        return self

    async def __aexit__(self, *args: Any) -> Any:
        return self._target.__exit__(*args)


async def _settled(function: AsyncFunction) -> Any:
    return await function()


class _Listing:
    """A list that is not asked for yet: `await` does that, and so does `async for`."""

    def __init__(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._ask = functools.partial(method, *args, **kwargs)

    def __await__(self) -> Generator[Any, Any, Any]:
        return _awaited(self._ask).__await__()

    def __aiter__(self) -> "Awaited":
        return Awaited(iter(self._ask()))

    def pages(self) -> "Awaited":
        return Awaited(self._ask().pages())


class _Connecting:
    """A session that is not connected yet: `async with` or `await` does that."""

    def __init__(self, connect: Callable[..., Any], **options: Any) -> None:
        self._connect = functools.partial(connect, **options)

    def __await__(self) -> Generator[Any, Any, Any]:
        return _awaited(self._connect).__await__()

    async def __aenter__(self) -> Any:
        self._session = await self
        return await self._session.__aenter__()

    async def __aexit__(self, *args: Any) -> Any:
        return await self._session.__aexit__(*args)


async def _awaited(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    value = method(*args, **kwargs)
    is_wrapper = type(value).__module__.startswith("meshapi_core._sync.")
    return Awaited(value) if is_wrapper or isinstance(value, _DRESSED) else value


@functools.cache
def _kind_in_twin(target: Any, name: str) -> Any:
    """How a test uses an attribute of a wrapper in the core: as its async twin declares it.

    Returns:
        `_awaited`, `_opened` or `property`; None where there is nothing to await.
    """
    if not target.__module__.startswith("meshapi_core._sync."):
        return None
    twins = importlib.import_module(target.__module__.replace("._sync.", "._async."))
    twin = getattr(twins, f"Async{target.__name__}", None)
    declared = getattr(twin, "aclose" if name == "close" else name, None)
    if inspect.iscoroutinefunction(declared):
        return _awaited
    function = declared.fget if isinstance(declared, property) else declared
    returned = str(getattr(function, "__annotations__", {}).get("return", ""))
    if "Async" not in returned:
        return None
    return property if isinstance(declared, property) else _opened


def _opened(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return Awaited(method(*args, **kwargs))
