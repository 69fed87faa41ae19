"""The cost of a call must not depend on how many are under way: counted, never timed.

`bench/run.py` shows the same in microseconds. Here a profile hook counts the function calls
(Python's and C's) of one `create()`, which is exact enough for a test to rely on. `support.costs`
counts everything else that can be counted, and has its limits.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator

import pytest
import trio

from meshapi import AsyncMeshAPI, Limits
from support import costs
from support.bench_servers import bench_server

MESSAGES = [{"role": "user", "content": "Hello!"}]
LIMIT = 1.3
AT_ONCE = 1000

Worker = Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with bench_server("server.py") as port:
        yield port


async def gather(workers: list[Worker]) -> None:
    await asyncio.gather(*(worker() for worker in workers))


async def nursery(workers: list[Worker]) -> None:
    async with trio.open_nursery() as group:
        for worker in workers:
            group.start_soon(worker)


async def calls_each(port: int, together: Callable[[list[Worker]], Awaitable[None]]) -> list[float]:
    """Function calls for one create(): one at a time, then AT_ONCE at once."""
    client = AsyncMeshAPI(
        base_url=f"http://127.0.0.1:{port}",
        token="rsk_test_cost",
        limits=Limits(max_connections=AT_ONCE, max_keepalive=AT_ONCE, keepalive_expiry=60),
    )

    async def create() -> None:
        await client.chat.completions.create(model="bench", messages=MESSAGES)

    async with client:
        await together([create] * AT_ONCE)  # opens the connections
        costs = []
        for workers, times in ((1, 200), (AT_ONCE, 1)):
            seen = 0

            def count(_frame: object, event: str, _arg: object) -> None:
                nonlocal seen
                seen += event in ("call", "c_call")

            sys.setprofile(count)
            try:
                for _ in range(times):
                    await together([create] * workers)
            finally:
                sys.setprofile(None)
            costs.append(seen / (workers * times))
        return costs


@pytest.mark.slow
def test_a_call_among_a_thousand_costs_what_one_alone_does_on_asyncio(port: int) -> None:
    alone, among = asyncio.run(calls_each(port, gather))
    assert among <= LIMIT * alone, (alone, among)


@pytest.mark.exhaustive
def test_a_call_among_a_thousand_costs_what_one_alone_does_on_trio(port: int) -> None:
    alone, among = trio.run(calls_each, port, nursery)
    assert among <= LIMIT * alone, (alone, among)


@pytest.mark.slow
@pytest.mark.parametrize("measure", costs.MEASURES)
def test_the_counts_are_at_most_a_tenth_above_the_table(measure: str) -> None:
    """If they are meant to change: `python tests/support/costs.py --write`."""
    table = costs.table()
    counts = {name: count for name, count in costs.counted(measure).items() if costs.held(name)}
    over = {
        name: (count, table[name])
        for name, count in counts.items()
        if count > costs.AT_MOST * table[name]
    }
    assert over == {}
