"""One client in many event loops, in forked children, and left to the garbage collector."""

import ast
import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

import meshapi
import meshapi_backends
import meshapi_core
from meshapi import APIConnectionError, AsyncMeshAPI, Limits, Timeout
from support.leaks import complaints_to, descriptors
from support.pumped_server import RESPONSES, PumpedServer, ask
from support.scripted_server import Peer, ScriptedServer
from support.wire import serve

Runner = Callable[[Callable[[], Awaitable[Any]]], Any]


def _asyncio(main: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(main())  # type: ignore[arg-type]


LOOPS = {"asyncio": _asyncio, "trio": trio.run}
on_each_loop = pytest.mark.parametrize("run", LOOPS.values(), ids=LOOPS)


def _client(server: PumpedServer, **options: Any) -> AsyncMeshAPI:
    url = f"http://127.0.0.1:{server.port}"
    timeout = Timeout(connect=9, read=9, write=9, pool=9)
    return AsyncMeshAPI(base_url=url, token="rsk_test_loops", timeout=timeout, **options)


def _served(server: PumpedServer, main: Callable[[], Awaitable[Any]]) -> Callable[[], Any]:
    """Run `main` while the server runs beside it."""

    async def together() -> Any:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_pump, server)
            result = await main()
            tasks.cancel_scope.cancel()
        return result

    return together


async def _pump(server: PumpedServer) -> None:
    while True:
        server.pump()
        await anyio.lowlevel.checkpoint()


async def _create(client: AsyncMeshAPI) -> Any:
    response = await client.chat.completions.create(**ask("plain"))
    return response.choices[0].message.content


async def _stream(client: AsyncMeshAPI) -> str:
    text = ""
    async for chunk in client.chat.completions.stream(**ask("stream")):
        text += chunk.choices[0].delta.content
    return text


def test_one_client_works_in_one_loop_after_another() -> None:
    complaints: list[str] = []
    before = descriptors()
    with complaints_to(complaints), PumpedServer(RESPONSES) as server:
        client = _client(server, limits=Limits(max_connections=1))

        async def main() -> Any:
            return await _create(client), await _stream(client), await _create(client)

        loops = [_asyncio, _asyncio, _asyncio, trio.run, _asyncio, trio.run]
        for number, run in enumerate(loops, 1):
            assert run(_served(server, main)) == ("whole", "ab", "whole")
            assert server.accepted == number, "a connection for each loop, used three times in it"
        _asyncio(client.aclose)
    assert descriptors() == before
    assert complaints == []


def test_the_connections_of_a_loop_that_has_ended_are_closed_when_the_next_one_begins() -> None:
    complaints: list[str] = []
    with complaints_to(complaints), PumpedServer(RESPONSES) as server:
        client = _client(server)
        for run in (_asyncio, _asyncio, trio.run, trio.run, _asyncio):
            run(_served(server, lambda: _create(client)))
            assert len(client._sockets._pools) == 1
            assert server.live <= 2

        async def last() -> None:
            await _create(client)
            await client.aclose()
            while server.live:
                await anyio.lowlevel.checkpoint()

        _asyncio(_served(server, last))
    assert complaints == []


def test_inside_trio_that_is_a_guest_of_asyncio_the_client_runs_on_trio() -> None:
    with PumpedServer(RESPONSES) as server:

        async def trio_main() -> Any:
            assert meshapi_backends.current_network().token() is trio.lowlevel.current_trio_token()
            async with _client(server) as client:
                return await _create(client)

        async def host() -> Any:
            loop = asyncio.get_running_loop()
            ended: asyncio.Future[Any] = loop.create_future()
            trio.lowlevel.start_guest_run(
                _served(server, trio_main),
                run_sync_soon_threadsafe=loop.call_soon_threadsafe,
                done_callback=ended.set_result,
            )
            outcome = await ended
            assert meshapi_backends.current_network().token() is loop
            return outcome.unwrap()

        assert asyncio.run(host()) == "whole"


@on_each_loop
def test_a_stream_that_is_dropped_ends_at_the_server_and_gives_its_slot_back(run: Runner) -> None:
    complaints: list[str] = []
    with complaints_to(complaints), PumpedServer(RESPONSES) as server:

        async def main() -> Any:
            async with _client(server, limits=Limits(max_connections=1)) as client:
                stream = client.chat.completions.stream(**ask("stream"))
                assert (await stream.__anext__()).choices[0].delta.content == "a"
                del stream
                gc.collect()
                # Nobody uses the pool meanwhile, so the finaliser itself has told the server.
                for _ in range(200):
                    if not server.live:
                        break
                    await anyio.lowlevel.checkpoint()
                assert server.live == 0
                return await _create(client)

        assert run(_served(server, main)) == "whole"
    assert complaints == []


@on_each_loop
def test_a_stream_that_is_dropped_where_no_loop_runs_touches_none(run: Runner) -> None:
    complaints: list[str] = []
    streams: list[Any] = []
    with complaints_to(complaints), PumpedServer(RESPONSES) as server:
        client = _client(server)

        async def main() -> None:
            streams.append(client.chat.completions.stream(**ask("stream")))
            await streams[0].__anext__()

        run(_served(server, main))
        streams.clear()
        gc.collect()
        for _ in range(20):
            server.pump()
        assert server.live == 0
        assert [text for text in complaints if not text.startswith("ResourceWarning")] == []
        run(_served(server, lambda: _create(client)))
        run(client.aclose)
    assert [text for text in complaints if not text.startswith("ResourceWarning")] == []


@pytest.mark.parametrize("next_run", LOOPS.values(), ids=LOOPS)
@on_each_loop
def test_a_stream_of_a_loop_that_has_ended_can_be_closed_in_another(
    run: Runner, next_run: Runner
) -> None:
    complaints: list[str] = []
    with complaints_to(complaints), PumpedServer(RESPONSES) as server:
        client = _client(server)

        async def begin() -> Any:
            stream = client.chat.completions.stream(**ask("stream"))
            await stream.__anext__()
            return stream

        async def end() -> None:
            await stream.aclose()
            while server.live:
                await anyio.lowlevel.checkpoint()
            await client.aclose()

        stream = run(_served(server, begin))
        next_run(_served(server, end))
    assert complaints == []


@on_each_loop
def test_breaking_out_of_a_stream_leaves_nothing_to_the_loop(run: Runner) -> None:
    complaints: list[str] = []
    generators: list[Any] = []
    with complaints_to(complaints), PumpedServer(RESPONSES) as server:

        async def main() -> None:
            sys.set_asyncgen_hooks(firstiter=generators.append)
            async with _client(server, limits=Limits(max_connections=1)) as client:
                async for _ in client.chat.completions.stream(**ask("stream")):
                    break
                gc.collect()
                assert await _create(client) == "whole"

        run(_served(server, main))
    assert generators == []
    assert complaints == []


def _sources() -> list[Path]:
    packages = (meshapi_core, meshapi_backends, meshapi)
    return [path for one in packages for path in Path(str(one.__file__)).parent.rglob("*.py")]


@pytest.mark.slow
def test_no_async_generator_is_left_to_an_event_loop() -> None:
    gateway = Path(str(meshapi.__file__)).parent / "gateway"
    for path in _sources():
        if gateway in path.parents:
            continue  # the local gateway streams as Starlette does, with this one
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node, "id", getattr(node, "attr", getattr(node, "name", "")))
            assert name != "asynccontextmanager", path
            if isinstance(node, ast.AsyncFunctionDef):
                yields = [one for one in ast.walk(node) if isinstance(one, ast.Yield)]
                assert not yields, (path, node.name)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

FORKING = """
    import os, sys, threading, time
    from support.pumped_server import RESPONSES, PumpedServer, ask
    from support.leaks import descriptors
    from meshapi import AsyncMeshAPI, Limits, MeshAPI

    server = PumpedServer(RESPONSES)
    options = dict(
        base_url=f"http://127.0.0.1:{server.port}",
        token="rsk_test_forks",
        timeout=9.0,
        limits=Limits(max_connections=1),
    )

    def in_child(play):
        sys.stdout.flush()
        child = os.fork()
        if not child:
            try:
                play()
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        return child

    def ended_well(child):
        return os.waitpid(child, 0)[1] == 0

    parent_hears, child_says = os.pipe()
    child_hears, parent_says = os.pipe()

    def lives_on():
        os.write(child_says, b"1")
        os.read(child_hears, 1)
"""

BLOCKING = """
    stop = threading.Event()

    def pump():
        while not stop.wait(0.0005):
            server.pump()

    pumping = threading.Thread(target=pump)
    pumping.start()
    client = MeshAPI(**options)

    def create():
        answer = client.chat.completions.create(**ask("plain"))
        assert answer.choices[0].message.content == "whole"

    # While idle.
    create()
    assert server.accepted == 1
    assert ended_well(in_child(create))
    assert server.accepted == 2
    create()
    assert server.accepted == 2, "the parent's connection is as it was"

    # While streaming: the child's only slot is free, the parent's stream is not disturbed.
    stream = client.chat.completions.stream(**ask("stream"))
    text = next(stream).choices[0].delta.content

    def child():
        create()
        try:
            next(stream)
        except Exception as exc:
            assert type(exc).__module__.startswith("meshapi"), exc
        stream.close()
        client.close()

    assert ended_well(in_child(child))
    assert server.accepted == 3
    text += "".join(chunk.choices[0].delta.content for chunk in stream)
    assert text == "ab"
    create()
    assert server.accepted == 3

    # While another thread holds the lock of the pool.
    with client._sockets._lock:
        held = in_child(create)
    assert ended_well(held)

    # The child holds no copy of what its parent closes: the server sees the end while it lives.
    child = in_child(lives_on)
    os.read(parent_hears, 1)
    client.close()
    end = time.monotonic() + 9
    while server.live:
        assert time.monotonic() < end
        time.sleep(0.001)
    os.write(parent_says, b"1")
    assert ended_well(child)
    stop.set()
    pumping.join()
    server.__exit__()
"""

ASYNC = """
    import anyio

    async def pump():
        while True:
            server.pump()
            await anyio.sleep(0)

    client = AsyncMeshAPI(**options)

    async def create():
        answer = await client.chat.completions.create(**ask("plain"))
        assert answer.choices[0].message.content == "whole"

    def child():
        # The event loop itself is the parent's: the child has one of its own, in a new thread,
        # as this one still counts as running the old.
        failures = []

        def run():
            async def main():
                for connection in list(server._connections):
                    server._connections.remove(connection)
                    connection.close()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(pump)
                    await create()
                    tasks.cancel_scope.cancel()

            try:
                anyio.run(main, backend=sys.argv[1])
            except BaseException as exc:
                failures.append(exc)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]

    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pump)
            await create()
            stream = client.chat.completions.stream(**ask("stream"))
            text = (await stream.__anext__()).choices[0].delta.content
            assert server.accepted == 1
            assert ended_well(in_child(child))
            async for chunk in stream:
                text += chunk.choices[0].delta.content
            assert text == "ab"
            await create()
            assert server.accepted == 1

            # The child holds no copy of what its parent closes.
            living = in_child(lives_on)
            os.read(parent_hears, 1)
            await client.aclose()
            end = time.monotonic() + 9
            while server.live:
                assert time.monotonic() < end
                await anyio.sleep(0)
            os.write(parent_says, b"1")
            assert ended_well(living)
            tasks.cancel_scope.cancel()

    anyio.run(main, backend=sys.argv[1])
    server.__exit__()
"""


def _run_script(script: str, *arguments: str) -> None:
    here = Path(__file__).resolve()
    folders = [str(here.parents[1]), *sys.path]
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            script,
            *arguments,
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_fork
@pytest.mark.slow
def test_a_forked_child_opens_connections_of_its_own_and_leaves_those_of_its_parent_alone() -> None:
    _run_script(textwrap.dedent(FORKING) + textwrap.dedent(BLOCKING))


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_a_child_forked_within_a_loop_leaves_the_stream_of_its_parent_alone(loop: str) -> None:
    _run_script(textwrap.dedent(FORKING) + textwrap.dedent(ASYNC), loop)


def _in_threads(count: int, work: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


@pytest.mark.slow
@on_each_loop
def test_loops_in_several_threads_share_a_client(run: Runner) -> None:
    with ScriptedServer(serve) as server:
        client = AsyncMeshAPI(base_url=server.url, token="rsk_test_threads")
        answered: list[Any] = []

        async def ask_twice() -> None:
            for _ in range(2):
                response = await client.chat.completions.create(**ask("m"))
                answered.append(response.choices[0].message.content)

        def work() -> None:
            for _ in range(15):
                run(ask_twice)

        _in_threads(5, work)
        run(client.aclose)
        assert answered == ["pong"] * 150
        # One connection for each loop, used twice in it.
        assert server.connections == 75


@pytest.mark.parametrize("closing", LOOPS.values(), ids=LOOPS)
@on_each_loop
def test_closing_in_one_loop_wakes_calls_in_the_loop_of_another_thread(
    run: Runner, closing: Runner
) -> None:
    def silent(peer: Peer) -> None:
        peer.receive()
        peer.wait_until_left()

    outcomes: list[Any] = []
    with ScriptedServer(silent) as server:
        client = AsyncMeshAPI(base_url=server.url, token="rsk_test_threads")

        async def wait() -> None:
            try:
                await client.chat.completions.create(**ask("m"))
            except Exception as exc:
                outcomes.append(exc)

        def close() -> None:
            while not server.requests:
                time.sleep(0.002)
            closing(client.aclose)

        parts = iter([lambda: run(wait), close])
        _in_threads(2, lambda: next(parts)())
        (error,) = outcomes
        assert isinstance(error, APIConnectionError)
        assert error.error_code == "client_closed"
