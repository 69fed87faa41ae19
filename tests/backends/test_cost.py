"""What a call costs must not depend on how many are under way: counted, never timed.

`bench/run.py` shows the same in microseconds. Here the function calls (Python's and C's) that one
`create()` needs are counted by a profile hook, which is exact enough to be a gate.
"""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
import trio

import meshapi
import meshapi_backends
import meshapi_core as core
from meshapi import AsyncMeshAPI, Limits, MeshAPI
from meshapi_core.endpoints.chat import Completions
from support.bench_servers import BENCH, bench_server

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


@pytest.mark.slow
def test_a_call_among_a_thousand_costs_what_one_alone_does_on_trio(port: int) -> None:
    alone, among = trio.run(calls_each, port, nursery)
    assert among <= LIMIT * alone, (alone, among)


OURS = tuple(str(Path(package.__file__).parent) for package in (meshapi, meshapi_backends, core))


def calls_of_ours(run: Callable[[], object]) -> int:
    """How many functions of this library a run calls."""
    seen = 0

    def count(frame: FrameType, event: str, _arg: object) -> None:
        nonlocal seen
        seen += event == "call" and frame.f_code.co_filename.startswith(OURS)

    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.slow
def test_a_call_makes_few_calls_of_ours(port: int) -> None:
    """On CPython 3.11: 152 for a `create()` on a kept connection, 6.4 for a chunk of a stream."""
    with MeshAPI(base_url=f"http://127.0.0.1:{port}", token="rsk_test_cost") as client:

        def create() -> None:
            client.chat.completions.create(model="bench", messages=MESSAGES)

        create()
        assert calls_of_ours(create) <= 160
    with MeshAPI(base_url=f"http://127.0.0.1:{port}/stream/1000", token="rsk_test_cost") as client:

        def stream() -> None:
            for _ in client.chat.completions.stream(model="bench", messages=MESSAGES):
                pass

        stream()
        assert calls_of_ours(stream) <= 1000 * 7.1


CHUNK = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)


@pytest.mark.parametrize(("at_once", "most"), [(1, 7.8), (8, 3.1), (1000, 2.3)])
def test_a_chunk_makes_few_calls_of_the_core(at_once: int, most: float) -> None:
    """On CPython 3.11: 7.1 where it is a piece of its own, 2.8 of eight, 2.1 of a thousand."""
    call = Completions.stream.build(model="bench", messages=MESSAGES)
    headers = core.Headers([("content-type", "text/event-stream")])
    decoder = call.reader.open(core.Reply(200, headers, b"", 0.0))

    def read() -> None:
        for _ in range(1000 // at_once):
            decoder.receive_data(CHUNK * at_once)
            while decoder.next_event() is not core.NEED_DATA:
                pass

    read()
    assert calls_of_ours(read) <= 1000 * most


@pytest.mark.slow
def test_the_benchmark_runs_and_reports_its_ratios() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH / "run.py"), "--quick", "floor", "blocking"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    assert "create(), blocking / floor" in done.stdout
