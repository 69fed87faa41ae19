"""Every transport, and the event loops on which it works."""

import ast
import contextlib
import functools
import inspect
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import httpcore
import httpx
import httpx2
import pytest

from meshapi.testing.fake.clock import VirtualClock
from meshapi.testing.fake.gateway import FakeNetworks
from meshapi.transports import AiohttpTransport, AsyncHTTPCoreTransport, HTTPCoreTransport, Request
from meshapi_backends import AsyncPoolTransport, PoolTransport
from meshapi_core import Limits
from support.asgi_server import APPS, is_of_a_server
from support.certificates import trusting
from support.flavours import FLAVOURS, World, nothing_left_open

try:
    import httpcore2
except ImportError:  # it needs Python 3.11
    httpcore2 = None  # type: ignore[assignment]

ALL = ("sync", "asyncio", "trio")
ROOT = Path(__file__).resolve().parents[2]


class Sender(NamedTuple):
    """One transport.

    Fields:
        name: what tests are called by.
        options: makes the options with which a client uses it; closes it afterwards.
        flavours: on which it works.
        http2: whether its requests go over HTTP/2, with TLS.
        keeps: whether it keeps connections.
        limits: whether it keeps the limit of a whole call, and of reading a body.
        tells: whether the server learns at once that a response was given up.
        closes: whether it ends its calls when it is closed.
        hides: whether it removes frames with the token from tracebacks.
        sockets: whether its connections are those of the system.
        waits: whether its calls take time to reach their limits.
        times: whether they reach them at all.
    """

    name: str
    options: Callable[[World], Any]
    flavours: tuple[str, ...] = ALL
    http2: bool = False
    keeps: bool = True
    limits: bool = True
    tells: bool = True
    closes: bool = True
    hides: bool = True
    sockets: bool = True
    waits: bool = True
    times: bool = True


def on_loop(world: World) -> bool:
    return world.name != "sync"


@contextlib.asynccontextmanager
async def _native(world: World) -> AsyncIterator[dict[str, Any]]:
    yield {}


@contextlib.asynccontextmanager
async def _pool(world: World) -> AsyncIterator[dict[str, Any]]:
    kind: Any = AsyncPoolTransport if on_loop(world) else PoolTransport
    pool = world.pool_class(world.network, Limits(), trusting())
    transport = kind(pool, lambda: world.network)
    try:
        yield {"transport": transport}
    finally:
        await close(transport)


async def _pass(request: Request, call_next: Any) -> Any:
    return await call_next(request)


@contextlib.asynccontextmanager
async def _behind(world: World) -> AsyncIterator[dict[str, Any]]:
    yield {"middleware": [world.middleware(_pass)]}


@contextlib.asynccontextmanager
async def _core_behind(world: World) -> AsyncIterator[dict[str, Any]]:
    async with core(world, None) as how:
        yield {**how, "middleware": [world.middleware(_pass)]}


@contextlib.asynccontextmanager
async def _httpx(world: World, library: Any) -> AsyncIterator[dict[str, Any]]:
    if on_loop(world):
        async with library.AsyncClient(verify=trusting(), trust_env=False) as http:
            yield {"async_httpx_client": http}
    else:
        with library.Client(verify=trusting(), trust_env=False) as http:
            yield {"httpx_client": http}


async def close(transport: Any) -> None:
    """Close a transport, blocking or not."""
    if hasattr(transport, "aclose"):
        await transport.aclose()
    else:
        transport.close()


@contextlib.asynccontextmanager
async def core(world: World, library: Any, **options: Any) -> AsyncIterator[dict[str, Any]]:
    kind = AsyncHTTPCoreTransport if on_loop(world) else HTTPCoreTransport
    transport = kind(library=library, **{"tls": trusting(), **options})
    try:
        yield {"transport": transport}
    finally:
        await close(transport)


@contextlib.asynccontextmanager
async def _aiohttp(world: World) -> AsyncIterator[dict[str, Any]]:
    connector = aiohttp.TCPConnector(ssl=trusting())
    async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as session:
        yield {"transport": AiohttpTransport(session)}


@contextlib.asynccontextmanager
async def _own(world: World) -> AsyncIterator[dict[str, Any]]:
    if on_loop(world):
        connector = aiohttp.TCPConnector(ssl=trusting())
        transport = documented("SessionTransport")(aiohttp.ClientSession(connector=connector))
    else:
        transport = documented("PlainTransport")()
    try:
        yield {"transport": transport}
    finally:
        await close(transport)


async def _played(scope: Any, receive: Any, send: Any) -> None:
    """The application of the server that a client believes to be connected to."""
    await APPS[scope["server"][1]](scope, receive, send)


@contextlib.asynccontextmanager
async def _fake(world: World, *, runs: bool) -> AsyncIterator[dict[str, Any]]:
    with FakeNetworks(_played, VirtualClock(runs=runs), cut=7) as transport:
        yield {"transport": transport}


@functools.cache
def documented(name: str) -> Any:
    """A class from docs/transports.md, as it stands there."""
    text = (ROOT / "docs" / "transports.md").read_text("utf-8")
    (source,) = (
        block
        for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if f"class {name}" in block
    )
    kinds = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    module = ast.parse(source)
    module.body = [node for node in module.body if isinstance(node, kinds)]
    space: dict[str, Any] = {}
    exec(compile(module, "docs/transports.md", "exec"), space)
    return space[name]


def lines_of(name: str) -> int:
    """The lines of a transport's classes in docs/transports.md, without blank ones."""
    text = (ROOT / "docs" / "transports.md").read_text("utf-8")
    found = re.search(
        rf"^class {name}.*?(?=^with |^async def main)", text, re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return len([line for line in found.group().splitlines() if line.strip()])


def _core_senders() -> list[Sender]:
    senders = []
    for library in (httpcore, httpcore2):
        if library is not None:
            name = library.__name__
            plain = functools.partial(core, library=library)
            multiplexed = functools.partial(core, library=library, http2=True)
            senders.append(Sender(name, plain))
            senders.append(Sender(f"{name} over HTTP/2", multiplexed, http2=True, tells=False))
    return senders


SENDERS = (
    Sender("native", _native),
    Sender("native, as a transport", _pool),
    Sender("native, behind middleware", _behind),
    Sender("httpcore, behind middleware", _core_behind),
    Sender("httpx", functools.partial(_httpx, library=httpx)),
    Sender("httpx2", functools.partial(_httpx, library=httpx2)),
    *_core_senders(),
    Sender("aiohttp", _aiohttp, ("asyncio",)),
    Sender("fake", functools.partial(_fake, runs=True), sockets=False, waits=False),
    Sender("fake, stopped", functools.partial(_fake, runs=False), sockets=False, times=False),
    Sender("own", _own, ("sync",), keeps=False, limits=False, closes=False, hides=False),
    Sender("own, async", _own, ("asyncio",), limits=False, closes=False, hides=False),
)


def on_every_transport(
    test: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """Make a test of each transport and flavour; it gets `world` and `sender` by these names."""
    return on_transports(lambda sender, world: True)(test)


def on_transports(
    chosen: Callable[[Sender, World], bool],
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """The same for some of them."""
    pairs = [
        pytest.param(sender, world, id=f"{sender.name}-{world.name}")
        for sender in SENDERS
        for world in FLAVOURS
        if world.name in sender.flavours and chosen(sender, world)
    ]

    def decorate(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(sender: Sender, world: World, **fixtures: Any) -> None:
            async def scenario(world: World) -> None:
                await test(world=world, sender=sender, **fixtures)

            with nothing_left_open(is_of_a_server):
                world.run(scenario)

        run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
        del run.__wrapped__  # type: ignore[attr-defined]
        return pytest.mark.parametrize(("sender", "world"), pairs)(run)

    return decorate
