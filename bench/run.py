"""CPU of a call, side by side in one run. `python bench/run.py [--quick] [CASE ...]`

Every case runs in a process of its own against the same server process, and reports the CPU time
that its process used for each call (user and system, `time.process_time`), the least of several
rounds: what the machine does besides makes rounds slower, never faster.

The floor is the least code that does the same on the same libraries: a bare socket, h11, msgspec.

The `echo` cases send events of 1 KiB through a realtime session, and receive them again: one after
the other, or (`-flow`) by one task that sends and another that receives. `official` is what the
official client does on `websockets`, with that library's defaults; `official-deflate` does it
where the server accepts the compression that those defaults offer. `bare` is the session's machine
on its byte stream, without the session; `floor` is wsproto and msgspec on an asyncio protocol, and
`wire` the event loop and the system alone.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import random
import socket
import subprocess
import sys
import threading
import time
from base64 import b64decode, b64encode
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path

HERE = Path(__file__).resolve().parent
MESSAGES = [{"role": "user", "content": "Hello!"}]


@contextmanager
def server(name="server.py", *args):
    process = subprocess.Popen(
        [sys.executable, str(HERE / name), *args],
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

    from meshapi_core.types import ChatCompletionParams, ChatCompletionResponse

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
        from meshapi_core import Headers
        from meshapi_core.accumulators.chat import ChatAccumulator
        from meshapi_core.chunks.decoder import ChunkDecoder
        from meshapi_core.signals import NEED_DATA
        from meshapi_core.types import ChatCompletionChunk

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
        from meshapi_core.types import ChatCompletionChunk

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
    from meshapi_core import Headers, Reply
    from meshapi_core.endpoints import JSONReader
    from meshapi_core.types import EmbeddingsResponse

    reader = JSONReader(EmbeddingsResponse)
    reply = Reply(200, Headers([("content-type", "application/json")]), vectors())

    def work():
        assert len(reader.read(reply).data) == 256

    work()
    return least(4 * rounds, lambda: measured(1, work))


def embeddings_floor(_port, _calls, rounds):
    """The same body by msgspec alone."""
    from meshapi_core.types import EmbeddingsResponse

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


# Events whose JSON is 1 KiB. Their sound is noise, and enough of it that a compressor's window has
# forgotten one when it comes again: recorded speech is not much easier to compress.
EVENTS = [
    {
        "type": "input_audio_buffer.append",
        "audio": b64encode(random.Random(seed).randbytes(732)).decode(),
    }
    for seed in range(16)
]
MESSAGES_EACH_WAY = 10_000
UPGRADE = "/v1/realtime?model=echo&api_key=rsk_test_bench"


async def one_by_one(send, receive, calls):
    for event in islice(cycle(EVENTS), calls):
        await send(event)
        await receive()


async def in_flow(send, receive, calls):
    async def feed():
        for event in islice(cycle(EVENTS), calls):
            await send(event)

    feeding = asyncio.create_task(feed())
    for _ in range(calls):
        await receive()
    await feeding


async def in_flow_on_trio(send, receive, calls):
    import trio

    async def feed():
        for event in islice(cycle(EVENTS), calls):
            await send(event)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed)
        for _ in range(calls):
            await receive()


async def measure_echo(send, receive, run, calls, rounds):
    await run(send, receive, calls // 10)
    results = []
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        await run(send, receive, calls)
        results.append((time.process_time() - start) / calls * 1e6)
    return min(results)


def echo_official(run, **options):
    """`send(dict)` and `receive()` as the official client has them."""

    async def main(port, calls, rounds):
        from websockets.asyncio.client import connect

        uri = f"ws://127.0.0.1:{port}{UPGRADE}"
        headers = {"X-MeshAPI-SDK": "python/0.1.11"}
        protocols = ["openai-realtime"]
        async with connect(
            uri, subprotocols=protocols, additional_headers=headers, **options
        ) as connection:

            async def send(event):
                await connection.send(json.dumps(event))

            async def receive():
                text = await connection.recv()
                event = json.loads(text)
                if event["type"] == "error":
                    raise ValueError(text)
                if event["type"] in ("response.output_audio.delta", "response.audio.delta"):
                    return text, b64decode(event["delta"]), event
                return text, None, event

            return await measure_echo(send, receive, run, calls, rounds)

    return lambda port, calls, rounds: asyncio.run(main(port, calls, rounds))


async def _echo_session(port, calls, rounds, run):
    from meshapi import AsyncMeshAPI

    client = AsyncMeshAPI(base_url=f"http://127.0.0.1:{port}", token="rsk_test_bench")
    async with client, client.realtime.connect(model="echo") as session:
        return await measure_echo(session.send, session.receive, run, calls, rounds)


def echo_asyncio(run):
    return lambda port, calls, rounds: asyncio.run(_echo_session(port, calls, rounds, run))


def echo_trio(run):
    def case(port, calls, rounds):
        import trio

        return trio.run(_echo_session, port, calls, rounds, run)

    return case


def echo_blocking(flow):
    def case(port, calls, rounds):
        from meshapi import MeshAPI

        client = MeshAPI(base_url=f"http://127.0.0.1:{port}", token="rsk_test_bench")
        with client, client.realtime.connect(model="echo") as session:

            def feed():
                for event in islice(cycle(EVENTS), calls):
                    session.send(event)

            def work():
                if flow:
                    thread = threading.Thread(target=feed)
                    thread.start()
                    for _ in range(calls):
                        session.receive()
                    thread.join()
                else:
                    for event in islice(cycle(EVENTS), calls):
                        session.send(event)
                        session.receive()

            work()
            return least(rounds, lambda: measured(calls, work))

    return case


def echo_official_blocking(flow):
    def case(port, calls, rounds):
        from websockets.sync.client import connect

        with connect(
            f"ws://127.0.0.1:{port}{UPGRADE}", subprotocols=["openai-realtime"]
        ) as connection:

            def feed():
                for event in islice(cycle(EVENTS), calls):
                    connection.send(json.dumps(event))

            def work():
                if flow:
                    thread = threading.Thread(target=feed)
                    thread.start()
                    for _ in range(calls):
                        json.loads(connection.recv())
                    thread.join()
                else:
                    for event in islice(cycle(EVENTS), calls):
                        connection.send(json.dumps(event))
                        json.loads(connection.recv())

            work()
            return least(rounds, lambda: measured(calls, work))

    return case


def echo_bare(run):
    """The machine on our byte stream: no session, no turns, no queue."""

    async def main(port, calls, rounds):
        from meshapi_backends import current_network
        from meshapi_core import NEED_DATA, MeshAPIConfig, RealtimeCall, RealtimeConnection

        network = current_network()
        (address,) = await network.resolve("127.0.0.1", port, None)
        stream = await network.connect(address, None)
        machine = RealtimeConnection(random_bytes=os.urandom)
        config = MeshAPIConfig(base_url=f"http://127.0.0.1:{port}", token="rsk_test_bench")
        await stream.write(machine.connect(RealtimeCall(model="echo").request(config)), None)

        async def send(event):
            await stream.write(machine.send(event), None)

        async def receive():
            while True:
                event = machine.next_event()
                if event is not NEED_DATA:
                    return event
                machine.receive_data(await stream.read(None))

        while not machine.is_open:
            machine.receive_data(await stream.read(None))
            assert machine.next_event() is NEED_DATA
        try:
            return await measure_echo(send, receive, run, calls, rounds)
        finally:
            stream.abort()

    return lambda port, calls, rounds: asyncio.run(main(port, calls, rounds))


class FloorProtocol(asyncio.Protocol):
    """wsproto's frames on a transport; neither limits nor back-pressure nor a close."""

    def __init__(self):
        from wsproto.frame_protocol import FrameDecoder, FrameProtocol

        self.frames = FrameDecoder(client=True)
        self.writer = FrameProtocol(client=True, extensions=[])
        self.upgraded = b""
        self.waiting = None

    def data_received(self, data):
        if not self.upgraded:
            _, self.upgraded, data = data.partition(b"\r\n\r\n")
        self.frames.receive_bytes(data)
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)

    async def more(self):
        self.waiting = asyncio.get_running_loop().create_future()
        await self.waiting


async def _on_the_floor(port):
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(FloorProtocol, "127.0.0.1", port)
    transport.write(
        f"GET {UPGRADE} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\n"
        "upgrade: websocket\r\nsec-websocket-version: 13\r\n"
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "sec-websocket-protocol: openai-realtime\r\n\r\n".encode()
    )
    while not protocol.upgraded:
        await protocol.more()
    return transport, protocol


def echo_floor(run):
    async def main(port, calls, rounds):
        import msgspec

        transport, protocol = await _on_the_floor(port)
        encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode

        async def send(event):
            transport.write(protocol.writer.send_data(encode(event).decode()))

        async def receive():
            payload = b""
            while True:
                frame = protocol.frames.process_buffer()
                if frame is None:
                    await protocol.more()
                    continue
                payload += frame.payload
                if frame.frame_finished:
                    text = payload.decode()
                    return text, decode(text)

        try:
            return await measure_echo(send, receive, run, calls, rounds)
        finally:
            transport.abort()

    return lambda port, calls, rounds: asyncio.run(main(port, calls, rounds))


def echo_wire(run):
    """No WebSocket at all: a frame made beforehand goes out, as many bytes are waited for."""

    async def main(port, calls, rounds):
        transport, protocol = await _on_the_floor(port)
        frame = bytes(protocol.writer.send_data(json.dumps(EVENTS[0])))
        received = protocol.frames.buffer.buffer
        # A server's frame has no mask.
        size = len(frame) - 4

        async def send(_event):
            transport.write(frame)

        async def receive():
            while len(received) < size:
                await protocol.more()
            del received[:size]

        try:
            return await measure_echo(send, receive, run, calls, rounds)
        finally:
            transport.abort()

    return lambda port, calls, rounds: asyncio.run(main(port, calls, rounds))


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
    "echo-asyncio": echo_asyncio(one_by_one),
    "echo-bare": echo_bare(one_by_one),
    "echo-floor": echo_floor(one_by_one),
    "echo-wire": echo_wire(one_by_one),
    "echo-official": echo_official(one_by_one),
    "echo-official-deflate": echo_official(one_by_one),
    "echo-trio": echo_trio(one_by_one),
    "echo-blocking": echo_blocking(flow=False),
    "echo-official-blocking": echo_official_blocking(flow=False),
    "echo-asyncio-flow": echo_asyncio(in_flow),
    "echo-bare-flow": echo_bare(in_flow),
    "echo-floor-flow": echo_floor(in_flow),
    "echo-wire-flow": echo_wire(in_flow),
    "echo-official-flow": echo_official(in_flow),
    "echo-official-deflate-flow": echo_official(in_flow),
    "echo-trio-flow": echo_trio(in_flow_on_trio),
    "echo-blocking-flow": echo_blocking(flow=True),
    "echo-official-blocking-flow": echo_official_blocking(flow=True),
}
PER_CHUNK = ("stream", "chunks", "chunks-floor", "chunks-whole", "chunks-whole-floor")
RATIOS = [
    ("create(), blocking / floor", "blocking", "floor"),
    ("create(), asyncio, 1,000 at once / 1 at once", "asyncio-1000", "asyncio-1"),
    ("create(), trio, 1,000 at once / 1 at once", "trio-1000", "trio-1"),
    ("bytes to chunks, a piece each / split and decode", "chunks", "chunks-floor"),
    ("bytes to chunks, in one piece / split and decode", "chunks-whole", "chunks-whole-floor"),
    ("256 embeddings of 1,536 floats / msgspec alone", "embeddings", "embeddings-floor"),
    ("echo, asyncio / the official client", "echo-asyncio", "echo-official"),
    ("echo, asyncio / the official client, compressing", "echo-asyncio", "echo-official-deflate"),
    ("echo, blocking / the official client", "echo-blocking", "echo-official-blocking"),
    ("echo in flow, asyncio / the official client", "echo-asyncio-flow", "echo-official-flow"),
    (
        "echo in flow, asyncio / the official client, compressing",
        "echo-asyncio-flow",
        "echo-official-deflate-flow",
    ),
    (
        "echo in flow, blocking / the official client",
        "echo-blocking-flow",
        "echo-official-blocking-flow",
    ),
]


def server_of(case):
    """The server's file and its arguments."""
    if not case.startswith("echo"):
        return ("server.py",)
    return ("echo_server.py", "--deflate") if "deflate" in case else ("echo_server.py",)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=", ".join(CASES))
    parser.add_argument("--quick", action="store_true", help="fewer calls: to see that it runs")
    parser.add_argument("--repeat", type=int, default=1, help="all again, and the least of each")
    parser.add_argument("--json", action="store_true", help="the figures alone")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "PORT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    calls, rounds = (1000, 1) if args.quick else (4000, 5)
    if args.one:
        name, port = args.one
        calls = MESSAGES_EACH_WAY if name.startswith("echo") and not args.quick else calls
        print(json.dumps(CASES[name](int(port), calls, rounds)))
        return
    results = {}
    with ExitStack() as stack:
        servers = {}
        for name in list(args.cases or CASES) * args.repeat:
            wanted = server_of(name)
            if wanted not in servers:
                servers[wanted] = stack.enter_context(server(*wanted))
            command = [sys.executable, __file__, "--one", name, str(servers[wanted])]
            if args.quick:
                command.append("--quick")
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=600)
            result = json.loads(done.stdout)
            results[name] = min(result, results.get(name, result))
    if args.json:
        print(json.dumps(results))
        return
    print(f"CPython {platform.python_version()}, {os.cpu_count()} cores, microseconds of CPU")
    for name, value in results.items():
        unit = "a chunk" if name in PER_CHUNK else "a call"
        unit = "a message" if name.startswith("echo") else unit
        print(f"  {name:27} {value:8.1f} {unit}")
    for title, above, below in RATIOS:
        if above in results and below in results:
            print(f"  {results[above] / results[below]:6.2f}  {title}")


if __name__ == "__main__":
    main()
