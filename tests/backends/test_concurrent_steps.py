"""Flows with several calls under way: they begin, end and are ended on every flavour."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

import meshapi_backends
from meshapi import AsyncMeshAPI, Hooks, Limits, MeshAPI, RetryPolicy, Timeout
from meshapi_backends._networks import blocking_calls
from meshapi_backends._scopes import Calls
from meshapi_core import APIConnectionError, APIStatusError, Failure, StreamUsageError
from meshapi_core.flows import (
    PULL,
    EndCalls,
    Flow,
    GetLimits,
    NextEnds,
    Now,
    Pause,
    StartCalls,
)
from support.concurrent_flows import Desk, asking, keeping, pulling
from support.flavours import FLAVOURS, PATIENCE, World, on_every_flavour
from support.scripted_server import ScriptedServer
from support.transports import Sender, on_transports

NOWHERE = "http://127.0.0.1:9"
OURS = ("native", "native, as a transport", "native, behind middleware")
LOOPS = [world for world in FLAVOURS if world.name != "sync"]
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
asked_by: ContextVar[str] = ContextVar("asked_by", default="nobody")


def opened(world: World, client: Any, flow: Any) -> Any:
    return world.dress(client._runner.open_flow(flow))


async def result(world: World, client: Any, flow: Any) -> Any:
    return await world.settle(client._runner.run_flow(flow))


def call_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "meshapi-call"]


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the end of a flow wait for its threads for as long as a loaded machine needs.

    Not where an HTTP client cannot be woken: its threads end when the server does.
    """
    callspec = getattr(request.node, "callspec", None)
    sender = callspec.params.get("sender") if callspec is not None else None
    if sender is None or sender.closes:
        monkeypatch.setattr(blocking_calls, "_PATIENCE", PATIENCE)


def texts(ends: Any) -> list[str]:
    return [end.value.text for end in ends]


over_http_1 = on_transports(lambda sender, world: sender.sockets and not sender.http2)


@over_http_1
async def test_so_many_calls_are_under_way_at_once(world: World, sender: Sender) -> None:
    desk = Desk(4)
    with ScriptedServer(desk.script) as server:
        async with sender.options(world) as options, world.client(server.url, **options) as client:
            run = opened(world, client, keeping(["together"] * 8, 4))
            ends = [end async for end in run]
            assert await run.until_done() == 8
    assert texts(ends) == ["together"] * 8
    assert sorted(end.number for end in ends) == [*range(8)]
    assert desk.most == 4
    assert not call_threads()


@over_http_1
async def test_closing_ends_what_is_under_way(world: World, sender: Sender) -> None:
    desk = Desk()
    with ScriptedServer(desk.script) as server:
        async with sender.options(world) as options, world.client(server.url, **options) as client:
            run = opened(world, client, keeping(["never", "never", "m"], 3))
            async for end in run:
                assert end.value.text == "m"
                break
            await world.until(lambda: len(server.requests) == 3)
            await run.aclose()
            assert not call_threads() or not sender.closes
            assert run.ended
            with pytest.raises(StreamUsageError):
                await run.until_done()
            assert (await client.chat.completions.create(**ASKED)).text == "m"
        assert desk.saw_leaving(2)


@on_every_flavour
async def test_each_call_has_one_attempt_and_its_error_is_its_end(world: World) -> None:
    with ScriptedServer(Desk().script) as server:
        async with world.client(server.url) as client:
            run = opened(world, client, keeping(["m", "busy", "m", "busy"], 2))
            ends = {end.number: end async for end in run}
    assert [type(ends[number].error) for number in range(4)] == [
        type(None),
        type(ends[1].error),
        type(None),
        type(ends[1].error),
    ]
    assert isinstance(ends[1].error, APIStatusError)
    assert ends[1].error.status == 503
    assert len(server.requests) == 4


@on_every_flavour
async def test_a_wait_ends_after_its_time_and_nothing_is_lost(world: World) -> None:
    def flow() -> Flow[Any]:
        yield StartCalls([(7, asking("never"))])
        first = yield NextEnds(0.01)
        yield StartCalls([(8, asking("m"))])
        second = yield NextEnds()
        yield EndCalls()
        third = yield NextEnds(0)
        yield StartCalls([(9, asking("m"))])
        fourth = yield NextEnds(5.0)
        return [first, second, third, fourth]

    with ScriptedServer(Desk().script) as server:
        async with world.client(server.url) as client:
            ends = await result(world, client, flow())
    assert [[end.number for end in each.ends] for each in ends] == [[], [8], [], [9]]
    assert ends[0].now < ends[1].now <= ends[2].now


@on_every_flavour
async def test_a_flow_may_take_some_of_what_has_ended(world: World) -> None:
    desk = Desk(5)

    def flow() -> Flow[Any]:
        yield StartCalls([(number, asking("together")) for number in range(5)])
        taken: list[Any] = []
        while len(taken) < 5:
            ended = yield NextEnds(most=2)
            assert 1 <= len(ended.ends) <= 2
            taken += ended.ends
        nothing = yield NextEnds(0)
        return taken if nothing.ends == [] else None

    with ScriptedServer(desk.script) as server:
        async with world.client(server.url) as client:
            ends = await result(world, client, flow())
    assert sorted(end.number for end in ends) == [*range(5)]


@on_every_flavour
async def test_calls_go_on_in_a_flow_that_never_waits(world: World) -> None:
    def flow() -> Flow[Any]:
        yield StartCalls([(1, asking("m"))])
        until = (yield Now()) + PATIENCE
        ended = yield NextEnds(0)
        while not ended.ends and ended.now < until:
            ended = yield NextEnds(0)
        return ended.ends

    with ScriptedServer(Desk().script) as server:
        async with world.client(server.url) as client:
            assert texts(await result(world, client, flow())) == ["m"]


@on_every_flavour
async def test_calls_go_on_while_the_flow_does_something_else(world: World) -> None:
    def flow() -> Flow[Any]:
        yield StartCalls([(number, asking("m")) for number in range(5)])
        ends: list[Any] = []
        while len(ends) < 5:
            yield Pause(0.01)
            ends += (yield NextEnds(0)).ends
        return ends

    with ScriptedServer(Desk().script) as server:
        async with world.client(server.url) as client:
            assert texts(await result(world, client, flow())) == ["m"] * 5


@on_every_flavour
async def test_to_wait_for_nothing_is_an_error_of_the_flow(world: World) -> None:
    def flow() -> Flow[Any]:
        yield NextEnds()

    async with world.client(NOWHERE) as client:
        with pytest.raises(RuntimeError, match="nothing is under way"):
            await result(world, client, flow())


@on_every_flavour
async def test_limits_are_those_of_our_own_connections(world: World) -> None:
    def flow() -> Flow[Any]:
        return (yield GetLimits())

    async def passes(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    limits = Limits(max_connections=7)
    async with world.client(NOWHERE, limits=limits) as client:
        assert await result(world, client, flow()) == limits
    behind = world.middleware(passes)
    async with world.client(NOWHERE, limits=limits, middleware=[behind]) as client:
        assert await result(world, client, flow()) == limits


@over_http_1
async def test_limits_of_other_connections_are_not_known(world: World, sender: Sender) -> None:
    def flow() -> Flow[Any]:
        return (yield GetLimits())

    async with sender.options(world) as options, world.client(NOWHERE, **options) as client:
        limits = await result(world, client, flow())
    assert (limits is None) is (sender.name not in OURS)


@on_every_flavour
async def test_no_more_calls_than_connections_never_wait_for_one(world: World) -> None:
    limits, timeout = Limits(max_connections=3), Timeout(pool=1e-6)
    with ScriptedServer(Desk(3).script) as server:
        async with world.client(server.url, limits=limits, timeout=timeout) as client:
            run = opened(world, client, keeping(["together"] * 12, 3))
            assert texts([end async for end in run]) == ["together"] * 12


# How it ends early.


@on_every_flavour
async def test_a_run_that_is_dropped_in_the_middle_ends_its_calls(world: World) -> None:
    desk = Desk()
    with ScriptedServer(desk.script) as server:
        async with world.client(server.url) as client:
            run = opened(world, client, keeping(["never", "m", "never"], 3))
            async for _ in run:
                break
            await world.until(lambda: len(server.requests) == 3)
            del run
            await world.until(lambda: desk.left.acquire(blocking=False))
            await world.until(lambda: desk.left.acquire(blocking=False))
            await world.until(lambda: not call_threads())


@on_every_flavour
async def test_a_run_that_is_kept_goes_on_where_it_was_left(world: World) -> None:
    with ScriptedServer(Desk().script) as server:
        async with world.client(server.url) as client:
            run = opened(world, client, keeping(["m"] * 5, 2))
            seen = []
            for _ in range(5):
                async for end in run:
                    seen.append(end.number)
                    break
                await world.sleep(0.002)
            assert await run.until_done() == 5
    assert sorted(seen) == [*range(5)]


@on_every_flavour
async def test_closing_from_elsewhere_ends_the_wait_and_the_loop(world: World) -> None:
    desk = Desk()
    with ScriptedServer(desk.script) as server:
        async with world.client(server.url) as client:
            run = opened(world, client, keeping(["never"] * 3, 2))

            async def iterate() -> list[Any]:
                return [end async for end in run]

            async def close() -> None:
                await world.until(lambda: len(server.requests) == 2)
                await run.aclose()

            assert await world.together(iterate, close) == [[], None]
            assert desk.saw_leaving(2)


@on_every_flavour
async def test_closing_the_client_ends_the_run_with_an_error(world: World) -> None:
    desk = Desk()
    with ScriptedServer(desk.script) as server:
        client = world.client(server.url)
        run = opened(world, client, keeping(["never"] * 3, 2))

        async def iterate() -> str:
            with pytest.raises(APIConnectionError) as caught:
                await run.until_done()
            return caught.value.error_code

        async def close() -> None:
            await world.until(lambda: len(server.requests) == 2)
            await client.aclose()

        assert await world.together(iterate, close) == ["client_closed", None]
        assert run.ended
        assert desk.saw_leaving(2)
    assert not call_threads()


def test_a_run_that_sees_its_calls_end_sees_that_the_client_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Although another thread has yet to say so to the run itself."""
    over = threading.Event()
    end_all = Calls.end

    def end_late(calls: Calls, failure: Failure) -> None:
        over.wait(PATIENCE)
        end_all(calls, failure)

    monkeypatch.setattr(Calls, "end", end_late)
    codes: list[str] = []
    desk = Desk()
    with ScriptedServer(desk.script) as server:
        client = MeshAPI(base_url=server.url, token="rsk_test_runs", timeout=5.0, max_retries=0)

        def iterate() -> None:
            try:
                client._runner.run_flow(keeping(["never"] * 3, 2))
            except APIConnectionError as error:
                codes.append(error.error_code or "")
            over.set()

        thread = threading.Thread(target=iterate)
        thread.start()
        while len(server.requests) < 2:
            time.sleep(0.001)
        client.close()
        thread.join()
    assert codes == ["client_closed"]


@on_every_flavour
async def test_a_client_that_was_closed_begins_nothing(world: World) -> None:
    client = world.client(NOWHERE)
    await client.aclose()
    with pytest.raises(APIConnectionError) as caught:
        await result(world, client, keeping(["m"], 1))
    assert caught.value.error_code == "client_closed"


@on_every_flavour
async def test_what_is_no_exception_reaches_the_program(world: World) -> None:
    class Stop(BaseException):
        pass

    async def stops(request: Any, call_next: Any) -> Any:
        if b'"stop"' in request.body:
            raise Stop
        return await call_next(request)

    desk = Desk()
    with ScriptedServer(desk.script) as server:
        async with world.client(server.url, middleware=[world.middleware(stops)]) as client:
            run = opened(world, client, keeping(["never", "stop"], 2))
            with pytest.raises(Stop):
                await run.until_done()
            assert run.ended
    assert not call_threads()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks_that_end_at_once_are_neither_kept_nor_lost() -> None:
    class Stop(BaseException):
        pass

    async def cached(request: Any, call_next: Any) -> Any:
        if b'"stop"' in request.body:
            raise Stop
        raise APIConnectionError("nothing is sent")

    async def main() -> None:
        eager: Any = vars(asyncio)["eager_task_factory"]
        asyncio.get_running_loop().set_task_factory(eager)
        async with AsyncMeshAPI(base_url=NOWHERE, token="rsk_test_eager", middleware=[cached]) as c:
            run: Any = c._runner.open_flow(keeping(["m"] * 5, 2))
            assert len([end async for end in run]) == 5
            assert run._steps._concurrent._under_way._tasks == {}
            with pytest.raises(Stop):
                await c._runner.open_flow(keeping(["stop"], 1)).until_done()

    asyncio.run(asyncio.wait_for(main(), 10.0))


@pytest.mark.parametrize("taken", [1, 5])
def test_tasks_on_trio_make_one_call_after_another_and_all_end(taken: int) -> None:
    def working() -> int:
        root: Any = trio.lowlevel.current_root_task()
        tasks = [task for nursery in root.child_nurseries for task in nursery.child_tasks]
        return sum("trio_calls" in task.name for task in tasks)

    async def main(server: ScriptedServer) -> None:
        async with AsyncMeshAPI(base_url=server.url, token="rsk_test_trio") as client:
            run: Any = client._runner.open_flow(keeping(["m"] * 5, 2))
            for _ in range(taken):
                await run.__anext__()
                assert 1 <= working() <= 2
            await run.aclose()
            assert working() == 0

    with ScriptedServer(Desk().script) as server:
        trio.run(main, server)


@on_every_flavour
async def test_calls_see_the_context_of_the_program(world: World) -> None:
    seen: list[str] = []

    def note(notice: Any) -> None:
        seen.append(asked_by.get())

    hooks = Hooks(on_request=note)
    with ScriptedServer(Desk().script) as server:
        async with world.client(server.url, hooks=hooks) as client:
            asked_by.set("first")
            run = opened(world, client, keeping(["m"] * 3, 1))
            with client.track_usage() as usage:
                async for end in run:
                    asked_by.set(f"after {end.number}")
    assert seen == ["first", "after 0", "after 1"]
    assert usage.total.requests == 3


# Sources.


async def items(*models: str) -> AsyncIterator[str]:
    for model in models:
        await anyio.lowlevel.checkpoint()
        yield model


def source_of(world: World, *models: str) -> Any:
    return iter(models) if world.name == "sync" else items(*models)


@on_every_flavour
async def test_items_of_a_source_are_pulled_as_they_are_needed(world: World) -> None:
    with ScriptedServer(Desk(2).script) as server:
        async with world.client(server.url) as client:
            source = source_of(world, *["together"] * 6)
            run = opened(world, client, pulling(source, 2))
            assert texts([end async for end in run]) == ["together"] * 6
            assert await run.until_done() == 6


@on_every_flavour
async def test_an_error_of_a_source_comes_as_its_end(world: World) -> None:
    def fails() -> Iterator[str]:
        yield "m"
        raise LookupError("no more")

    async def fails_later() -> AsyncIterator[str]:
        for model in fails():
            yield model

    source: Any = fails() if world.name == "sync" else fails_later()
    with ScriptedServer(Desk().script) as server:
        async with world.client(server.url) as client:
            run = opened(world, client, pulling(source, 1))
            ends = [end async for end in run]
    assert sorted((end.number, type(end.error)) for end in ends) == [
        (PULL, LookupError),
        (0, type(None)),
    ]


on_each_loop = pytest.mark.parametrize("world", LOOPS, ids=lambda world: world.name)


@on_each_loop
def test_a_source_runs_in_one_task_from_its_beginning_to_its_end(world: World) -> None:
    tasks: list[Any] = []

    def here() -> Any:
        current: Any = trio.lowlevel.current_task if world.name == "trio" else asyncio.current_task
        return current()

    async def in_a_nursery() -> AsyncIterator[str]:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 60)
                while True:
                    tasks.append(here())
                    yield "m"
        finally:
            tasks.append(here())

    async def main(world: World) -> None:
        with ScriptedServer(Desk().script) as server:
            async with world.client(server.url) as client:
                run = client._runner.open_flow(pulling(in_a_nursery(), 2))
                count = 0
                async with run:
                    async for _ in run:
                        count += 1
                        if count == 5:
                            break
                assert len(tasks) >= 6
                assert len(set(map(id, tasks))) == 1
                assert tasks[0] is not here()

    world.run(main)


@on_each_loop
def test_a_time_limit_of_a_source_ends_the_source_alone(world: World) -> None:
    async def limited() -> AsyncIterator[str]:
        with anyio.fail_after(0.05):
            while True:
                yield "m"

    async def main(world: World) -> None:
        with ScriptedServer(Desk().script) as server:
            async with world.client(server.url) as client:
                run = client._runner.open_flow(pulling(limited(), 2))
                ends = []
                async for end in run:
                    ends.append(end)
                    await world.sleep(0.01)
        *others, last = [end for end in ends if end.error is not None]
        assert not others
        assert (last.number, type(last.error)) == (PULL, TimeoutError)
        assert len(ends) > 1

    world.run(main)


@on_each_loop
def test_a_source_that_waits_is_cancelled(world: World) -> None:
    seen: list[str] = []

    async def waits() -> AsyncIterator[str]:
        try:
            yield "m"
            await anyio.sleep(60)
        finally:
            seen.append("closed")

    async def main(world: World) -> None:
        with ScriptedServer(Desk().script) as server:
            async with world.client(server.url) as client:
                run = client._runner.open_flow(pulling(waits(), 2))
                async for _ in run:
                    break
                await run.aclose()
                assert seen == ["closed"]

    world.run(main)


@on_each_loop
def test_a_run_whose_loop_has_ended_says_so(world: World) -> None:
    async def begin(server: ScriptedServer) -> Any:
        client = AsyncMeshAPI(base_url=server.url, token="rsk_test_loops", retry=RetryPolicy(0))
        run = client._runner.open_flow(keeping(["m", "never"], 2))
        async for _ in run:
            await world.until(lambda: len(server.requests) == 2)
            return client, run
        return None

    async def go_on(client: Any, run: Any) -> None:
        with pytest.raises(StreamUsageError, match="another event loop"):
            await run.until_done()
        assert run.ended
        await client.aclose()

    start: Any = trio.run if world.name == "trio" else lambda f, *args: asyncio.run(f(*args))
    desk = Desk()
    with ScriptedServer(desk.script) as server:
        client, run = start(begin, server)
        start(go_on, client, run)
        assert desk.saw_leaving(1)


# A blocking program.


@pytest.mark.slow
def test_ctrl_c_in_the_wait_of_a_blocking_program_ends_the_calls() -> None:
    desk = Desk()
    with (
        ScriptedServer(desk.script) as server,
        MeshAPI(base_url=server.url, token="rsk_test_interrupt") as client,
    ):
        run = client._runner.open_flow(keeping(["never"] * 3, 3))

        def press() -> None:
            end = time.monotonic() + 5
            while len(server.requests) < 3 and time.monotonic() < end:
                time.sleep(0.002)
            time.sleep(0.02)
            signal.raise_signal(signal.SIGINT) if os.name == "nt" else os.kill(
                os.getpid(), signal.SIGINT
            )

        thread = threading.Thread(target=press, daemon=True)
        # Whatever tests before this one have left there.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                run.until_done()
            thread.join()
        finally:
            signal.signal(signal.SIGINT, before)
        assert run.ended
        assert desk.saw_leaving(3)
    assert not call_threads()


TRACED = {
    str(Path(meshapi_backends.__file__).parent / name)
    for name in ("_sync/concurrent.py", "_sync/flows.py", "_networks/blocking_calls.py")
}


class Interrupter:
    """Raises KeyboardInterrupt at the n-th line that this thread runs in the files under test."""

    def __init__(self, at: int) -> None:
        self.lines = 0
        self._at = at

    def trace(self, frame: Any, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename not in TRACED:
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self._at:
                raise KeyboardInterrupt
        return self.trace


@pytest.mark.slow
def test_ctrl_c_at_any_line_leaves_no_thread_and_no_connection() -> None:
    """At every second line, of some 350."""
    with (
        ScriptedServer(Desk().script) as server,
        MeshAPI(base_url=server.url, token="rsk_test_interrupt") as client,
    ):
        at, is_over = 0, False
        while not is_over:
            at += 2
            interrupter, run, before = Interrupter(at), None, sys.gettrace()
            sys.settrace(interrupter.trace)
            try:
                run = client._runner.open_flow(keeping([*["m"] * 4, "never"], 3))
                with run:
                    next(run), next(run), next(run), next(run)
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(before)
            is_over = interrupter.lines < at
            if run is not None:
                run.close()
            del run
            until = time.monotonic() + 5
            while call_threads() and time.monotonic() < until:
                time.sleep(0.001)
            assert not call_threads(), at
        state: Any = client._transport._state
        assert (len(state._in_use), state.slots) == (0, state.idle)
    assert at > 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_leaves_the_calls_to_its_parent() -> None:
    desk = Desk()
    with (
        ScriptedServer(desk.script) as server,
        MeshAPI(base_url=server.url, token="rsk_test_forks") as client,
    ):
        run = client._runner.open_flow(keeping(["m", "wait", "m"], 2))
        assert next(run).value.text == "m"
        child = os.fork()
        if not child:
            status = 1
            with contextlib.suppress(BaseException):
                try:
                    run.until_done()
                except StreamUsageError:
                    run.close()
                    status = 0
            os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        desk.go_on.set()
        assert sorted(texts(run)) == ["m", "wait"]
    assert not call_threads()


def test_threads_begin_as_they_are_needed_and_make_one_call_after_the_other() -> None:
    names: set[str] = set()
    hooks = Hooks(on_request=lambda notice: names.add(str(threading.get_ident())))
    with (
        ScriptedServer(Desk().script) as server,
        MeshAPI(base_url=server.url, token="rsk_test_threads", hooks=hooks) as client,
    ):
        run = client._runner.open_flow(keeping(["m"] * 20, 2))
        most = max(len(call_threads()) for _ in run)
    assert most <= 2
    assert len(names) <= 2
    assert not call_threads()
