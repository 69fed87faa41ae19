"""Counts what calls cost, and compares it with what they may cost: the table `costs.json`.

    .venv/bin/python tests/support/costs.py            shows the table's counts and those of now
    .venv/bin/python tests/support/costs.py --write    writes those of now into the table

The table's counts are of CPython 3.11, and `tests/backends/test_cost.py` fails if one is exceeded
by more than a tenth. A count is for one call, chunk, connection or message, without what is loaded
or made only once.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from itertools import repeat
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

import trio

from meshapi import AsyncMeshAPI, Limits, MeshAPI
from meshapi_core import NEED_DATA, Headers, Response
from meshapi_core.endpoints import Completions
from support.bench_servers import bench_server
from support.counting import Calls, Instructions, Memory

TABLE = Path(__file__).with_name("costs.json")
COUNTED_ON = (3, 11)
AT_MOST = 1.1

MESSAGES = [{"role": "user", "content": "Hello!"}]
EVENT = {"type": "input_audio_buffer.append", "audio": "QUJD" * 245}
CHUNKS = 500
AT_ONCE = 50
FRAME = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)

Counts = dict[str, float]
Async = Callable[[], Awaitable[None]]


def options(port: int, path: str = "") -> dict[str, Any]:
    limits = Limits(max_connections=1000, max_keepalive=1000, keepalive_expiry=60)
    return {
        "base_url": f"http://127.0.0.1:{port}{path}",
        "token": "rsk_test_cost",
        "limits": limits,
    }


def blocking(port: int) -> Counts:
    """A `create()` on a kept connection, and a client."""
    with MeshAPI(**options(port)) as client:

        def create() -> None:
            client.chat.completions.create(model="bench", messages=MESSAGES)

        create()
        create()
        with Calls() as calls:
            create()
        with Instructions() as instructions:
            create()
        with Memory() as memory:
            create()
        policy = {"timeout": 5, "max_retries": 0, "request_id": "a"}
        client.with_options(**policy)
        with Calls() as option_calls:
            client.with_options(**policy)
        with Instructions() as option_instructions:
            client.with_options(**policy)
        with Memory() as made:
            clients = [MeshAPI(**options(port)) for _ in range(10)]
        embed = client.embeddings.create
        texts = ["Hello!"] * 256
        embed(model="bench", input=texts, encoding_format="base64")
        with Memory() as vectors:
            response = embed(model="bench", input=texts, encoding_format="base64")
        size = sum(len(row.embedding) for row in response.data)
    for each in clients:
        each.close()
    return {
        "create(), blocking: calls of ours": calls.ours,
        "create(), blocking: instructions": instructions.all,
        "create(), blocking: most bytes": memory.most,
        "a client: bytes": made.kept / 10,
        "with_options(): calls of ours": option_calls.ours,
        "with_options(): instructions": option_instructions.all,
        "vectors in base64, blocking: most bytes for one of the text": vectors.most / size,
    }


def streamed(port: int) -> Counts:
    """A chunk of a stream. The machine decides how many come in one read."""
    with MeshAPI(**options(port, f"/stream/{CHUNKS}")) as client:

        def stream() -> None:
            for _ in client.chat.completions.stream(model="bench", messages=MESSAGES):
                pass

        stream()
        with Calls() as calls:
            stream()
    return {"a chunk of a stream, blocking: calls of ours": calls.ours / CHUNKS}


def decoded(_port: int) -> Counts:
    """A chunk in the core alone; each chunk is one piece."""
    call = Completions.stream.build(model="bench", messages=MESSAGES)
    response = Response(200, Headers([("content-type", "text/event-stream")]), b"")

    def decode() -> None:
        decoder = call.reader.open(response)
        for _ in range(CHUNKS):
            decoder.receive_data(FRAME)
            while decoder.next_event() is not NEED_DATA:
                pass

    decode()
    with Calls() as calls:
        decode()
    with Instructions() as instructions:
        decode()
    return {
        "a chunk in the core: calls of ours": calls.ours / CHUNKS,
        "a chunk in the core: instructions": instructions.all / CHUNKS,
    }


async def _asynchronous(port: int, together: Callable[[list[Async]], Awaitable[None]]) -> Any:
    async with AsyncMeshAPI(**options(port)) as client:

        async def create() -> None:
            await client.chat.completions.create(model="bench", messages=MESSAGES)

        await create()
        await create()
        with Calls() as calls:
            await create()
        with Instructions() as instructions:
            await create()
        with Memory() as memory:
            await together([create] * (1 + AT_ONCE))
        return calls.ours, instructions.all, memory.kept / AT_ONCE


def _counts(loop: str, calls: int, instructions: int, kept: float) -> Counts:
    return {
        f"create(), {loop}: calls of ours": calls,
        f"create(), {loop}: instructions": instructions,
        f"an idle connection, {loop}: bytes": kept,
    }


async def gather(workers: list[Async]) -> None:
    await asyncio.gather(*(worker() for worker in workers))


async def nursery(workers: list[Async]) -> None:
    async with trio.open_nursery() as group:
        for worker in workers:
            group.start_soon(worker)


def on_asyncio(port: int) -> Counts:
    return _counts("asyncio", *asyncio.run(_asynchronous(port, gather)))


def on_trio(port: int) -> Counts:
    return _counts("trio", *trio.run(_asynchronous, port, nursery))


async def _mapped(port: int) -> Counts:
    async with AsyncMeshAPI(**options(port)) as client:

        async def run(count: int) -> None:
            asked = Completions.create.build(model="bench", messages=MESSAGES)
            async for item in client.map(repeat(asked, count), concurrency=AT_ONCE):
                assert item.error is None

        few, many = 2 * AT_ONCE, 8 * AT_ONCE
        await run(few)
        # What a run costs once is in both.
        with Calls() as fewer_calls:
            await run(few)
        with Calls() as calls:
            await run(many)
        with Instructions() as fewer_instructions:
            await run(few)
        with Instructions() as instructions:
            await run(many)
        return {
            "a call of map(), asyncio: calls of ours": (
                (calls.ours - fewer_calls.ours) / (many - few)
            ),
            "a call of map(), asyncio: instructions": (
                (instructions.all - fewer_instructions.all) / (many - few)
            ),
        }


def mapped(port: int) -> Counts:
    """A call of a run, made beforehand: what `build` costs is left out."""
    return asyncio.run(_mapped(port))


async def _open_streams(port: int) -> float:
    async with AsyncMeshAPI(**options(port, "/paced/51/2/20")) as client:
        started = 0
        all_started = asyncio.Event()

        async def listen() -> None:
            nonlocal started
            stream = client.chat.completions.stream(model="bench", messages=MESSAGES)
            async for _ in stream:
                started += 1
                if started == AT_ONCE + 1:
                    all_started.set()
                await all_started.wait()

        with Memory() as memory:
            tasks = [asyncio.ensure_future(listen()) for _ in range(AT_ONCE + 1)]
            await all_started.wait()
        await asyncio.gather(*tasks)
        return memory.kept / AT_ONCE


def open_streams(port: int) -> Counts:
    """A stream that has received a chunk, with its task and its connection."""
    asyncio.run(_open_streams(port))
    return {"an open stream, asyncio: bytes": asyncio.run(_open_streams(port))}


async def _echoed(port: int) -> Counts:
    client = AsyncMeshAPI(base_url=f"http://127.0.0.1:{port}", token="rsk_test_cost")
    async with client, client.realtime.connect(model="echo") as session:

        async def feed(times: int) -> None:
            for _ in range(times):
                await session.send(EVENT)

        async def in_turns(times: int) -> None:
            for _ in range(times):
                await session.send(EVENT)
                await session.receive()

        async def in_flow(times: int) -> None:
            feeding = asyncio.create_task(feed(times))
            for _ in range(times):
                await session.receive()
            await feeding

        await in_turns(10)
        with Calls() as turns:
            await in_turns(200)
        with Calls() as flow:
            await in_flow(500)
        return {
            "a realtime event, there and back: calls": turns.all / 200,
            "the same, in flow: calls": flow.all / 500,
        }


def echoed(port: int) -> Counts:
    return asyncio.run(_echoed(port))


MEASURES = {
    "blocking": blocking,
    "streamed": streamed,
    "decoded": decoded,
    "asyncio": on_asyncio,
    "trio": on_trio,
    "mapped": mapped,
    "open streams": open_streams,
    "realtime": echoed,
}


def counted(name: str) -> Counts:
    """Count a measure now."""
    server = "echo_server.py" if name == "realtime" else "server.py"
    with bench_server(server) as port:
        return MEASURES[name](port)


def table() -> Counts:
    counts: Counts = json.loads(TABLE.read_text("utf-8"))
    return counts


def held(name: str) -> bool:
    """Whether a count means the same on the Python that runs."""
    return sys.version_info[:2] == COUNTED_ON or "calls" in name


def main() -> None:
    before = table() if TABLE.exists() else {}
    now: Counts = {}
    for name in MEASURES:
        now.update(counted(name))
    for name, count in now.items():
        sys.stdout.write(f"{before.get(name, 0):12,.1f} {count:12,.1f}  {name}\n")
    if "--write" in sys.argv:
        if sys.version_info[:2] != COUNTED_ON:
            sys.exit(f"the table is of CPython {COUNTED_ON[0]}.{COUNTED_ON[1]}")
        rounded = {name: round(count, 1) for name, count in now.items()}
        TABLE.write_text(json.dumps(rounded, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
