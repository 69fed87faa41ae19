"""httpcore loses nothing to cancellation: no slot of its pool, no socket, no other call.

Each scenario runs again and again on a pool of one slot, and is cancelled just before or just after
the first network operation, the second, and so on: by `task.cancel()` once and twice, by a scope of
anyio's, and by one of trio's. Afterwards the one slot must serve another call, and after closing no
socket may be open.

The same sweep must find the leaks of httpcore where its steps run in the cancelled task itself.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Optional

import anyio
import anyio.lowlevel
import pytest
import trio

from meshapi import AsyncMeshAPI, Limits, MeshAPIError, RetryPolicy, Timeout
from meshapi.transports import AsyncHTTPCoreTransport
from meshapi_backends._async.httpcore import exchange as exchanges
from meshapi_backends._http_clients.errands import AsyncErrand, AsyncSteps
from support.asgi_server import ASGIServer
from support.certificates import serving, trusting
from support.flavours import ASK, FLAVOURS, TOKEN, nothing_left_open
from support.scripted_server import ScriptedServer
from support.transports import httpcore, httpcore2
from support.wire import serve

LIBRARIES = [each for each in (httpcore, httpcore2) if each is not None]
HOW = ("once", "twice", "scope")
MOST = 60
"""More network operations than any scenario has."""


class Strike:
    """Calls a function before or after the n-th network operation.

    Attributes:
        done: whether it has.
    """

    def __init__(self, at: int, after: bool, blow: Callable[[], object]) -> None:
        self._left = at
        self._after = after
        self._blow = blow
        self.done = False

    async def around(self, operation: Callable[[], Any]) -> Any:
        self._left -= 1
        strikes = self._left == 0
        if strikes and not self._after:
            await self._strike()
        value = await operation()
        if strikes and self._after:
            await self._strike()
        return value

    async def _strike(self) -> None:
        self.done = True
        self._blow()


class Striking:
    """A network or a stream of httpcore's, with a strike."""

    def __init__(self, inner: Any, strike: Callable[[], Optional[Strike]]) -> None:
        self._inner = inner
        self._strike = strike

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            strike = self._strike()

            async def operation() -> Any:
                return await method(*args, **kwargs)

            value = await (operation() if strike is None else strike.around(operation))
            opens = name in ("connect_tcp", "start_tls")
            return Striking(value, self._strike) if opens else value

        return call


async def _create(client: Any) -> str:
    response = await client.chat.completions.create(**ASK)
    return str(response.choices[0].message.content)


async def _stream(client: Any) -> str:
    parts = [part async for part in client.chat.completions.stream(**ASK)]
    return "".join(part.choices[0].delta.content or "" for part in parts)


async def _leaves(client: Any) -> str:
    async with client.chat.completions.stream(**ASK) as stream:
        await stream.__anext__()
    return "pong"


async def _twice(client: Any) -> str:
    await _create(client)
    return await _stream(client)


SCENARIOS: dict[str, Callable[[Any], Any]] = {
    "create": _create,
    "stream": _stream,
    "leaves": _leaves,
    "twice": _twice,
}


async def _cancelled(how: str, victim: Callable[[], Any], register: Callable[[Any], None]) -> None:
    """Run a victim that may be cancelled by what is registered."""
    if how == "scope":
        with anyio.CancelScope() as scope:
            register(scope.cancel)
            await victim()
        return
    task = asyncio.ensure_future(victim())

    def cancel() -> None:
        task.cancel()
        if how == "twice":
            asyncio.get_running_loop().call_soon(lambda: task.cancel())

    register(cancel)
    try:
        await task
    except asyncio.CancelledError:
        pass


async def _run(
    url: str, library: Any, scenario: Any, how: str, at: int, after: bool, monkeypatch: Any
) -> tuple[bool, str]:
    """One run; whether it was struck, and what was lost."""
    strike: Optional[Strike] = None
    backend = AsyncSteps.backend
    monkeypatch.setattr(
        AsyncSteps,
        "backend",
        staticmethod(lambda library: Striking(backend(library), lambda: strike)),
    )
    options: dict[str, Any] = {"http2": True} if url.startswith("https") and "/" in url[8:] else {}
    transport = AsyncHTTPCoreTransport(
        library=library, tls=trusting(), limits=Limits(max_connections=1), **options
    )
    lost = ""
    retry = RetryPolicy(max_retries=0)
    timeout = Timeout(pool=1.0, connect=5.0, read=5.0, write=5.0)
    client = AsyncMeshAPI(
        base_url=url, token=TOKEN, transport=transport, retry=retry, timeout=timeout
    )

    def register(blow: Callable[[], object]) -> None:
        nonlocal strike
        strike = Strike(at, after, blow)

    await _cancelled(how, lambda: scenario(client), register)
    struck, strike = strike is not None and strike.done, None
    try:
        assert await _create(client) == "pong"
    except MeshAPIError as exc:
        lost = f"the slot: {exc.error_code}"
    await client.aclose()
    with anyio.move_on_after(5):
        await transport.aclose()
    monkeypatch.setattr(AsyncSteps, "backend", staticmethod(backend))
    return struck, lost


def _sweep(
    world: Any, url: str, library: Any, scenario: Any, how: str, monkeypatch: Any
) -> Iterator[str]:
    for after in (False, True):
        for at in range(1, MOST):
            struck, lost = world.run(
                lambda _, at=at, after=after: _run(
                    url, library, scenario, how, at, after, monkeypatch
                )
            )
            if lost:
                yield f"{'after' if after else 'before'} {at}: {lost}"
            if not struck:
                break
        assert at > 2


PAIRS = [
    pytest.param(world, how, id=f"{world.name}-{how}")
    for world in FLAVOURS[1:]
    for how in (HOW if world.name == "asyncio" else HOW[2:])
]


def _cases() -> Iterator[Any]:
    """Each scenario, server and way with one library in turn: the second one continues the first,
    with the same pool. With the other library, they are exhaustive.
    """
    numbered = itertools.product(
        enumerate(PAIRS), enumerate(SCENARIOS), enumerate(("plain", "tls", "HTTP/2"))
    )
    for (first, pair), (second, name), (third, server) in numbered:
        for number, library in enumerate(LIBRARIES):
            own = (first + second + third) % len(LIBRARIES) == number
            yield pytest.param(
                library,
                *pair.values,
                name,
                server,
                id=f"{library.__name__}-{pair.id}-{name}-{server}",
                marks=() if own else pytest.mark.exhaustive,
            )


@pytest.mark.slow
@pytest.mark.parametrize(("library", "world", "how", "name", "server"), [*_cases()])
def test_a_cancellation_loses_nothing(library, world, how, name, server, monkeypatch):
    with _server(server) as (url, open_now), nothing_left_open(lambda target: server == "HTTP/2"):
        assert list(_sweep(world, url, library, SCENARIOS[name], how, monkeypatch)) == []
        trio.run(_until, lambda: open_now() == 0)


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(2500):
        if condition():
            return
        await trio.sleep(0.002)
    raise AssertionError("waited in vain")


class _server:
    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._server: Any
        if kind == "HTTP/2":
            self._server = ASGIServer(http2=True)
        else:
            self._server = ScriptedServer(serve, tls=serving() if kind == "tls" else None)

    def __enter__(self) -> tuple[str, Callable[[], int]]:
        server = self._server.__enter__()
        if self._kind == "HTTP/2":
            return server.place("good").url, lambda: 0
        return server.url, lambda: server.open_now

    def __exit__(self, *exc_info: Any) -> None:
        self._server.__exit__(*exc_info)


class InTheTask(AsyncErrand):
    """A step that runs where it is waited for, as httpx and httpcore do it."""

    def __init__(self, step: Any, until: Any = None, end_wait: Any = None) -> None:
        self._step = step
        self._afterwards = None
        self.done = False

    async def outcome(self) -> Any:
        try:
            return await self._step()
        finally:
            self.done = True

    def limit(self, until: Optional[float]) -> None:
        """Does nothing."""

    def hold(self, held: bool) -> None:
        """Does nothing."""

    def end(self) -> None:
        """Does nothing."""

    def leave(self, afterwards: Callable[[Any], object]) -> None:
        afterwards(None)


def test_the_sweep_finds_what_httpcore_loses(monkeypatch):
    monkeypatch.setattr(exchanges, "AsyncErrand", InTheTask)
    with ScriptedServer(serve) as server:
        found = list(_sweep(FLAVOURS[1], server.url, httpcore, _create, "twice", monkeypatch))
    assert found
