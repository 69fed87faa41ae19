"""Functions of the program's that a flow calls at the same time, on every flavour."""

import math
import threading
import time
from contextvars import ContextVar
from typing import Any

import pytest

from meshapi_core import APIConnectionError
from meshapi_core.flows import Flow, FunctionCall, FunctionOutcome, RunFunctions
from support.flavours import World, on_every_flavour

NOWHERE = "http://127.0.0.1:9"
asked_by: ContextVar[str] = ContextVar("asked_by", default="nobody")


def flow_of(
    calls: "list[FunctionCall]", at_once: int = 8, told: "dict[int, FunctionOutcome] | None" = None
) -> Flow[list[FunctionOutcome]]:
    ended = {} if told is None else told
    outcomes = yield RunFunctions(tuple(calls), at_once, ended.__setitem__)
    assert outcomes == [ended[position] for position in range(len(calls))]
    return list(outcomes)


async def run(world: World, client: Any, calls: "list[FunctionCall]", **options: Any) -> Any:
    return await world.settle(client._runner.run_flow(flow_of(calls, **options)))


def tasks_of(world: World, *functions: Any) -> list[FunctionCall]:
    return [FunctionCall(function, is_async=world.name != "sync") for function in functions]


def either(world: World, plain: Any, coroutine_function: Any) -> Any:
    return plain if world.name == "sync" else coroutine_function


@on_every_flavour
async def test_outcomes_come_in_the_order_of_the_calls(world: World) -> None:
    barrier = threading.Barrier(3)

    def meet(number: int, *, pause: float) -> int:
        barrier.wait(10)
        time.sleep(pause)
        return number

    def fail() -> None:
        barrier.wait(10)
        raise LookupError("no such thing")

    calls = [
        FunctionCall(meet, (1,), {"pause": 0.02}),
        FunctionCall(fail),
        FunctionCall(meet, (3,), {"pause": 0.0}),
    ]
    async with world.client(NOWHERE) as client:
        first, second, third = await run(world, client, calls)
    assert (first.value, third.value, type(second.error)) == (1, 3, LookupError)


@on_every_flavour
async def test_no_more_run_at_once_than_asked_for(world: World) -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def plain() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.005)
        with lock:
            running[0] -= 1

    async def coroutine_function() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await world.sleep(0.005)
        running[0] -= 1

    async with world.client(NOWHERE) as client:
        for at_once in (1, 2):
            most[0] = 0
            calls = tasks_of(world, *[either(world, plain, coroutine_function)] * 6)
            await run(world, client, calls, at_once=at_once)
            assert most[0] == at_once


@on_every_flavour
async def test_functions_see_the_context_of_the_caller(world: World) -> None:
    asked_by.set("me")

    async def coroutine_function() -> str:
        return asked_by.get()

    calls = [FunctionCall(asked_by.get), *tasks_of(world, either(world, asked_by.get, None))[:0]]
    if world.name != "sync":
        calls += tasks_of(world, coroutine_function)
    async with world.client(NOWHERE) as client:
        for at_once in (1, 8):
            outcomes = await run(world, client, calls, at_once=at_once)
            assert {outcome.value for outcome in outcomes} == {"me"}


@on_every_flavour
async def test_one_at_a_time_on_a_blocking_client_stays_in_its_thread(world: World) -> None:
    async with world.client(NOWHERE) as client:
        (outcome,) = await run(world, client, [FunctionCall(threading.get_ident)], at_once=1)
    assert (outcome.value == threading.get_ident()) == (world.name == "sync")


@on_every_flavour
async def test_a_function_that_takes_too_long_is_an_error_and_the_rest_goes_on(
    world: World,
) -> None:
    go_on = threading.Event()
    cancelled = []

    async def sleeps() -> None:
        try:
            await world.sleep(60)
        finally:
            cancelled.append("task")

    calls = [FunctionCall(go_on.wait, (20,), timeout=0.02), FunctionCall(lambda: 5, timeout=10)]
    if world.name != "sync":
        calls.append(FunctionCall(sleeps, is_async=True, timeout=0.02))
    async with world.client(NOWHERE) as client:
        late, in_time, *tasks = await run(world, client, calls)
    go_on.set()
    assert isinstance(late.error, TimeoutError)
    assert "0.02 seconds" in str(late.error)
    assert in_time.value == 5
    assert [type(task.error) for task in tasks] == [TimeoutError] * len(tasks)
    assert len(cancelled) == len(tasks)


@pytest.mark.parametrize("timeout", [math.inf, 1e12])
@on_every_flavour
async def test_a_time_limit_may_be_longer_than_clocks_reach(world: World, timeout: float) -> None:
    calls = [FunctionCall(lambda: 5, timeout=timeout)]
    async with world.client(NOWHERE) as client:
        (outcome,) = await run(world, client, calls)
    assert outcome.value == 5


@on_every_flavour
async def test_a_timeout_of_the_functions_own_keeps_its_words(world: World) -> None:
    def raises() -> None:
        raise TimeoutError("the weather service is slow")

    async def raises_too() -> None:
        raises()

    calls = [FunctionCall(raises, timeout=10)]
    if world.name != "sync":
        calls.append(FunctionCall(raises_too, is_async=True, timeout=10))
    async with world.client(NOWHERE) as client:
        outcomes = await run(world, client, calls)
    assert {str(outcome.error) for outcome in outcomes} == {"the weather service is slow"}


@on_every_flavour
async def test_what_is_no_exception_ends_the_flow(world: World) -> None:
    class Leave(BaseException):
        pass

    def leaves() -> None:
        raise Leave

    async def leaves_too() -> None:
        raise Leave

    async def sleeps() -> None:
        await world.sleep(60)

    async with world.client(NOWHERE) as client:
        for at_once in (1, 8):
            with pytest.raises(Leave):
                await run(world, client, [FunctionCall(leaves)], at_once=at_once)
        if world.name != "sync":
            with pytest.raises(Leave):
                await run(world, client, tasks_of(world, sleeps, leaves_too))


@on_every_flavour
async def test_closing_the_client_ends_the_functions(world: World) -> None:
    begun, told = threading.Event(), dict[int, FunctionOutcome]()
    go_on = threading.Event()

    def waits() -> None:
        begun.set()
        go_on.wait(20)

    async def sleeps() -> None:
        begun.set()
        await world.sleep(60)

    client = world.client(NOWHERE)
    calls = [FunctionCall(str), *tasks_of(world, either(world, waits, sleeps))]

    async def call() -> None:
        with pytest.raises(APIConnectionError, match="closed"):
            await run(world, client, calls, told=told)

    async def end() -> None:
        await world.until(lambda: begun.is_set() and 0 in told)
        await client.close()

    assert await world.together(call, end) == [None, None]
    go_on.set()
    assert [*told] == [0]


@on_every_flavour
async def test_a_function_may_use_the_client_itself(world: World) -> None:
    def inner() -> Flow[str]:
        yield RunFunctions((FunctionCall(lambda: None),), 2, lambda *_: None)
        return "inner"

    async with world.client(NOWHERE) as client:

        def plain() -> Any:
            return client._target._runner.run_flow(inner())

        async def coroutine_function() -> Any:
            return await client._runner.run_flow(inner())

        calls = tasks_of(world, *[either(world, plain, coroutine_function)] * 3)
        outcomes = await run(world, client, calls)
    assert [outcome.value for outcome in outcomes] == ["inner"] * 3
