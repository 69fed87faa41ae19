"""Flows on every flavour: their steps, their items, and how they end."""

import time
from threading import Event
from typing import Any

import pytest

from meshapi_core import APIConnectionError, StreamUsageError
from meshapi_core.endpoints import Models
from meshapi_core.flows import Emit, Flow, ItemFlow, Now, Pause, RandomBytes, Tell
from support.flavours import World, on_every_flavour
from support.scripted_server import ScriptedServer, answering
from support.wire import make_response

NOWHERE = "http://127.0.0.1:9"


def _opened(world: World, client: Any, flow: ItemFlow[Any, Any]) -> Any:
    return world.dress(client._runner.open_flow(flow))


@on_every_flavour
async def test_each_step_is_sent_its_result(world: World) -> None:
    told: list[Any] = []

    def tell(*arguments: Any) -> str:
        told.append(arguments)
        return "heard"

    def flow() -> Flow[list[Any]]:
        before = yield Now()
        yield Pause(0.02)
        after = yield Now()
        drawn = yield RandomBytes(5)
        heard = yield Tell(tell, (1, "two"))
        return [after - before >= 0.02, len(drawn), heard]

    async with world.client(NOWHERE) as client:
        result = await world.settle(client._runner.run_flow(flow()))
    assert result == [True, 5, "heard"]
    assert told == [(1, "two")]


@on_every_flavour
async def test_an_error_of_a_step_is_thrown_into_the_flow(world: World) -> None:
    def fails() -> None:
        raise LookupError("told")

    def flow() -> Flow[str]:
        try:
            yield Tell(fails)
        except LookupError as exc:
            yield Pause(0)
            return f"caught {exc}"
        return "not raised"

    def careless() -> Flow[None]:
        yield Tell(fails)

    async with world.client(NOWHERE) as client:
        assert await world.settle(client._runner.run_flow(flow())) == "caught told"
        with pytest.raises(LookupError):
            await world.settle(client._runner.run_flow(careless()))


def _counting(until: int) -> ItemFlow[int, str]:
    for number in range(until):
        yield Emit(number)
        yield Pause(0)
    return f"{until} items"


@on_every_flavour
async def test_items_come_one_by_one_and_then_the_result(world: World) -> None:
    async with world.client(NOWHERE) as client:
        items = _opened(world, client, _counting(3))
        assert [item async for item in items] == [0, 1, 2]
        assert items.ended
        assert await items.until_done() == "3 items"
        assert await items.until_done() == "3 items"
        with pytest.raises(StreamUsageError):
            async for _ in items:
                pass


@on_every_flavour
async def test_until_done_passes_over_the_items_that_are_left(world: World) -> None:
    async with world.client(NOWHERE) as client:
        async with _opened(world, client, _counting(4)) as items:
            async for item in items:
                if item == 1:
                    break
            assert await items.until_done() == "4 items"
        assert await items.until_done() == "4 items"


@on_every_flavour
async def test_what_was_closed_has_no_result_and_no_more_items(world: World) -> None:
    ended: list[str] = []

    def flow() -> ItemFlow[int, None]:
        try:
            yield Emit(1)
            yield Emit(2)
        finally:
            ended.append("closed")

    async with world.client(NOWHERE) as client:
        items = _opened(world, client, flow())
        async with items:
            async for _ in items:
                break
        assert ended == ["closed"]
        await items.close()
        with pytest.raises(StreamUsageError):
            await items.until_done()


@on_every_flavour
async def test_an_error_ends_the_items(world: World) -> None:
    def flow() -> ItemFlow[int, None]:
        yield Emit(1)
        raise LookupError("over")

    async with world.client(NOWHERE) as client:
        items = _opened(world, client, flow())
        seen = []
        with pytest.raises(LookupError):
            async for item in items:
                seen.append(item)
        assert (seen, items.ended) == ([1], True)
        with pytest.raises(StreamUsageError):
            await items.until_done()


@on_every_flavour
async def test_closing_wakes_a_flow_that_waits(world: World) -> None:
    def flow() -> ItemFlow[int, None]:
        yield Emit(1)
        yield Pause(60)
        yield Emit(2)

    async with world.client(NOWHERE) as client:
        items = _opened(world, client, flow())
        seen: list[int] = []

        async def read() -> None:
            async for item in items:
                seen.append(item)

        async def end() -> None:
            while not seen:
                await world.sleep(0.01)
            await world.sleep(0.05)
            await items.close()

        began = time.monotonic()
        assert await world.together(read, end) == [None, None]
        assert (seen, items.ended) == ([1], True)
        assert time.monotonic() - began < 30


@on_every_flavour
async def test_closing_the_client_ends_the_wait_of_a_flow(world: World) -> None:
    begun: list[int] = []

    def flow() -> Flow[None]:
        yield Tell(begun.append, (1,))
        yield Pause(60)

    client = world.client(NOWHERE)

    async def run() -> None:
        with pytest.raises(APIConnectionError, match="closed"):
            await world.settle(client._runner.run_flow(flow()))

    async def end() -> None:
        while not begun:
            await world.sleep(0.01)
        await world.sleep(0.05)
        await client.close()

    assert await world.together(run, end) == [None, None]


@on_every_flavour
async def test_calls_within_a_flow(world: World) -> None:
    def flow() -> ItemFlow[int, int]:
        models = yield Models.list.build()
        yield Emit(len(models))
        return len(models)

    with ScriptedServer(answering(make_response(200, b'{"data":[]}'))) as server:
        async with world.client(server.url) as client:
            items = _opened(world, client, flow())
            counts = [count async for count in items]
            assert [await items.until_done()] == counts
        assert len(server.requests) == 1


@on_every_flavour
async def test_two_readers_of_one_flow_are_refused(world: World) -> None:
    def flow() -> ItemFlow[int, None]:
        yield Pause(0.2)
        yield Emit(1)

    async with world.client(NOWHERE) as client:
        items = _opened(world, client, flow())

        async def read() -> list[int]:
            return [item async for item in items]

        first, second = await world.together(read, read)
    assert sorted([type(first).__name__, type(second).__name__]) == ["StreamUsageError", "list"]


@on_every_flavour
async def test_what_was_closed_is_left_to_the_task_that_iterates(world: World) -> None:
    """Otherwise the flow is sent nothing in place of the result that this task waits for."""
    begun, done = Event(), Event()
    told: list[Any] = []

    def blocks() -> str:
        begun.set()
        done.wait(10)
        return "result"

    async def waits() -> str:
        begun.set()
        await world.until(done.is_set)
        return "result"

    def flow() -> ItemFlow[int, None]:
        told.append((yield Tell(blocks if world.name == "sync" else waits, ())))
        yield Emit(1)

    async with world.client(NOWHERE) as client:
        items = _opened(world, client, flow())

        async def read() -> list[int]:
            return [item async for item in items]

        async def end() -> None:
            await world.until(begun.is_set)
            await items.close()
            try:
                with pytest.raises(StreamUsageError):
                    await items.until_done()
            finally:
                done.set()

        assert await world.together(read, end) == [[], None]
    assert told == ["result"]
