"""The memory of a run does not grow with the number of its calls: its bytes are counted."""

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from meshapi_core.endpoints import Completions
from support.bench_servers import bench_server
from support.flavours import World, on_every_flavour

TRACED = 50
"""Calls after which memory is traced: what was allocated before is not counted, and half of that
is replaced, so counted, some calls later."""
WINDOW = 50
WINDOWS = [range(first, first + WINDOW, 10) for first in range(150, 500, WINDOW)]
"""Calls after which the memory is read. The least of each window counts: between two readings,
there may be a response of some 100 KB under way."""
MOST = 40
"""Bytes a call, where those of calls under way differ."""
KEPT = 60
"""Bytes a call of the index of a journal, with room to grow."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with bench_server("server.py") as port:
        yield port


async def grown(world: World, port: int, **options: Any) -> float:
    """Return the bytes by which the memory grows with each call, as a rule.

    That is the median of what it grows by from one window to the next: a thread that is needed late
    has a buffer of 64 KB, which is no growth.
    """
    calls = (
        Completions.create.build(model="bench", messages=[{"role": "user", "content": str(number)}])
        for number in range(WINDOWS[-1].stop)
    )
    readings = {number for window in WINDOWS for number in window}
    sizes: dict[int, int] = {}
    seen = 0
    try:
        async with world.client(f"http://127.0.0.1:{port}") as client:
            async for item in world.dress(client.map(calls, concurrency=2, **options)):
                assert item.error is None
                seen += 1
                if seen == TRACED:
                    tracemalloc.start()
                if seen in readings:
                    gc.collect()
                    sizes[seen] = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    least = [min(sizes[number] for number in window) for window in WINDOWS]
    return median(after - before for before, after in zip(least, least[1:])) / WINDOW


@pytest.mark.slow
@on_every_flavour
async def test_it_does_not_grow(world: World, port: int) -> None:
    assert await grown(world, port) <= MOST


@pytest.mark.slow
@on_every_flavour
async def test_with_a_journal_it_grows_by_what_the_index_needs(
    world: World, port: int, tmp_path: Path
) -> None:
    assert await grown(world, port, journal=tmp_path / "run.jsonl") <= MOST + KEPT
