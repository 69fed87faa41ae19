"""CPU of a call, side by side in one run. `python bench/run.py [--quick] [CASE ...]`

Every case runs in a process of its own against the same server process, and reports the CPU time
that its process used for each call (user and system, `time.process_time`), the least of several
rounds: what the machine does besides makes rounds slower, never faster.

The floor is the least code that does the same on the same libraries: a bare socket, h11, msgspec.
"""

import argparse
import gc
import json
import os
import platform
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
MESSAGES = [{"role": "user", "content": "Hello!"}]


@contextmanager
def server():
    process = subprocess.Popen(
        [sys.executable, str(HERE / "server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)


def least(rounds, measure):
    results = []
    for _ in range(rounds):
        gc.collect()
        results.append(measure())
    return min(results)


def measured(calls, work):
    start = time.process_time()
    work()
    return (time.process_time() - start) / calls * 1e6


def blocking(port, calls, rounds):
    from meshapi import MeshAPI

    with MeshAPI(base_url=f"http://127.0.0.1:{port}", token="rsk_test_bench") as client:
        create = client.chat.completions.create

        def work():
            for _ in range(calls):
                create(model="bench", messages=MESSAGES)

        work()
        return least(rounds, lambda: measured(calls, work))


def floor(port, calls, rounds):
    """One socket, h11 for the framing, msgspec for the JSON; no pool, no limits, no checks."""
    import h11
    import msgspec

    from meshapi_core import ChatCompletionParams, ChatCompletionResponse

    encoder = msgspec.json.Encoder()
    decoder = msgspec.json.Decoder(ChatCompletionResponse)
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    http = h11.Connection(h11.CLIENT)

    def call():
        body = encoder.encode(ChatCompletionParams(model="bench", messages=MESSAGES))
        head = h11.Request(
            method="POST",
            target="/v1/chat/completions",
            headers=[
                ("host", "127.0.0.1"),
                ("authorization", "Bearer rsk_test_bench"),
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
            ],
        )
        data = http.send(head) + http.send(h11.Data(body)) + http.send(h11.EndOfMessage())
        sock.sendall(data)
        pieces = []
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(sock.recv(65536))
            elif type(event) is h11.Data:
                pieces.append(bytes(event.data))
            elif type(event) is h11.EndOfMessage:
                break
        http.start_next_cycle()
        return decoder.decode(b"".join(pieces))

    def work():
        for _ in range(calls):
            call()

    work()
    try:
        return least(rounds, lambda: measured(calls, work))
    finally:
        sock.close()


async def _at_once(client, group, calls, at_once):
    """`calls` calls by `at_once` workers; the workers' start is part of the cost."""
    left = iter(range(calls))

    async def worker():
        for _ in left:
            await client.chat.completions.create(model="bench", messages=MESSAGES)

    await group([worker for _ in range(at_once)])


def asyncio_at_once(at_once):
    def case(port, calls, rounds):
        import asyncio

        from meshapi import AsyncMeshAPI

        async def group(workers):
            await asyncio.gather(*(worker() for worker in workers))

        return asyncio.run(_measure_async(AsyncMeshAPI, group, port, calls, rounds, at_once))

    return case


def trio_at_once(at_once):
    def case(port, calls, rounds):
        import trio

        from meshapi import AsyncMeshAPI

        async def group(workers):
            async with trio.open_nursery() as nursery:
                for worker in workers:
                    nursery.start_soon(worker)

        return trio.run(_measure_async, AsyncMeshAPI, group, port, calls, rounds, at_once)

    return case


async def _measure_async(client_class, group, port, calls, rounds, at_once):
    from meshapi import Limits

    # As many are kept as are used at once: opening connections is another measurement.
    limits = Limits(max_connections=1000, max_keepalive=1000)
    base_url = f"http://127.0.0.1:{port}"
    async with client_class(base_url=base_url, token="rsk_test_bench", limits=limits) as client:
        await _at_once(client, group, max(calls, at_once), at_once)
        results = []
        for _ in range(rounds):
            gc.collect()
            start = time.process_time()
            await _at_once(client, group, calls, at_once)
            results.append((time.process_time() - start) / calls * 1e6)
        return min(results)


def stream(port, chunks, rounds):
    from meshapi import MeshAPI

    with MeshAPI(
        base_url=f"http://127.0.0.1:{port}/stream/{chunks}", token="rsk_test_bench"
    ) as client:

        def work():
            seen = sum(1 for _ in client.chat.completions.stream(model="bench", messages=MESSAGES))
            assert seen == chunks + 1, seen

        work()
        return least(rounds, lambda: measured(chunks, work))


BENCH_FRAME = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)
FRAMES = 2000


def core_chunks(pieces):
    """Body bytes to typed chunks by the core alone, with neither a server nor a client."""

    def case(_port, _chunks, rounds):
        from meshapi_core import ChatAccumulator, ChatCompletionChunk, Headers
        from meshapi_core.chunks import ChunkDecoder
        from meshapi_core.sse import NEED_DATA

        headers = Headers([("content-type", "text/event-stream"), ("x-request-id", "req_bench")])
        json_decoder = msgspec_decoder(ChatCompletionChunk)

        def work():
            decoder = ChunkDecoder(
                json_decoder, ChatAccumulator(), headers=headers, marker=b'"choices"'
            )
            seen = 0
            for piece in pieces:
                decoder.receive_data(piece)
                while decoder.next_event() is not NEED_DATA:
                    seen += 1
            assert seen == FRAMES, seen

        work()
        return least(4 * rounds, lambda: measured(FRAMES, work))

    return case


def core_floor(pieces):
    """The least that gives the same chunks of the same frames: split, cut, decode."""

    def case(_port, _chunks, rounds):
        from meshapi_core import ChatCompletionChunk

        decode = msgspec_decoder(ChatCompletionChunk).decode

        def work():
            seen = 0
            for piece in pieces:
                for frame in piece.split(b"\n\n"):
                    if frame:
                        decode(frame[6:])
                        seen += 1
            assert seen == FRAMES, seen

        work()
        return least(4 * rounds, lambda: measured(FRAMES, work))

    return case


def msgspec_decoder(kind):
    import msgspec

    return msgspec.json.Decoder(kind)


def embeddings(_port, _calls, rounds):
    """An answer with 256 vectors of 1,536 floats, read as a call reads it."""
    from meshapi_core import EmbeddingsResponse, Headers, JSONReader, Reply

    reader = JSONReader(EmbeddingsResponse)
    reply = Reply(200, Headers([("content-type", "application/json")]), vectors())

    def work():
        assert len(reader.read(reply).data) == 256

    work()
    return least(4 * rounds, lambda: measured(1, work))


def embeddings_floor(_port, _calls, rounds):
    """The same body by msgspec alone."""
    from meshapi_core import EmbeddingsResponse

    decode, body = msgspec_decoder(EmbeddingsResponse).decode, vectors()

    def work():
        assert len(decode(body).data) == 256

    work()
    return least(4 * rounds, lambda: measured(1, work))


def vectors():
    rows = [
        {"object": "embedding", "index": i, "embedding": [(i * j) % 997 / 997 for j in range(1536)]}
        for i in range(256)
    ]
    return json.dumps({"object": "list", "model": "bench", "data": rows}).encode()


# As a network brings a stream, each piece an object of its own; and as one that lagged behind.
PIECES = [bytes(bytearray(BENCH_FRAME)) for _ in range(FRAMES)]
WHOLE = [BENCH_FRAME * FRAMES]

CASES = {
    "floor": floor,
    "blocking": blocking,
    "asyncio-1": asyncio_at_once(1),
    "asyncio-100": asyncio_at_once(100),
    "asyncio-1000": asyncio_at_once(1000),
    "trio-1": trio_at_once(1),
    "trio-100": trio_at_once(100),
    "trio-1000": trio_at_once(1000),
    "stream": stream,
    "chunks": core_chunks(PIECES),
    "chunks-floor": core_floor(PIECES),
    "chunks-whole": core_chunks(WHOLE),
    "chunks-whole-floor": core_floor(WHOLE),
    "embeddings": embeddings,
    "embeddings-floor": embeddings_floor,
}
PER_CHUNK = ("stream", "chunks", "chunks-floor", "chunks-whole", "chunks-whole-floor")
RATIOS = [
    ("create(), blocking / floor", "blocking", "floor"),
    ("create(), asyncio, 1,000 at once / 1 at once", "asyncio-1000", "asyncio-1"),
    ("create(), trio, 1,000 at once / 1 at once", "trio-1000", "trio-1"),
    ("bytes to chunks, a piece each / split and decode", "chunks", "chunks-floor"),
    ("bytes to chunks, in one piece / split and decode", "chunks-whole", "chunks-whole-floor"),
    ("256 embeddings of 1,536 floats / msgspec alone", "embeddings", "embeddings-floor"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=", ".join(CASES))
    parser.add_argument("--quick", action="store_true", help="fewer calls: to see that it runs")
    parser.add_argument("--json", action="store_true", help="the figures alone")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "PORT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    calls, rounds = (1000, 1) if args.quick else (4000, 5)
    if args.one:
        name, port = args.one
        print(json.dumps(CASES[name](int(port), calls, rounds)))
        return
    results = {}
    with server() as port:
        for name in args.cases or CASES:
            command = [sys.executable, __file__, "--one", name, str(port)]
            if args.quick:
                command.append("--quick")
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=600)
            results[name] = json.loads(done.stdout)
    if args.json:
        print(json.dumps(results))
        return
    print(f"CPython {platform.python_version()}, {os.cpu_count()} cores, microseconds of CPU")
    for name, value in results.items():
        unit = "a chunk" if name in PER_CHUNK else "a call"
        print(f"  {name:18} {value:8.1f} {unit}")
    for title, above, below in RATIOS:
        if above in results and below in results:
            print(f"  {results[above] / results[below]:6.2f}  {title}")


if __name__ == "__main__":
    main()
