"""An interrupted read of a stream loses nothing, and never makes the stream look complete.

A read is interrupted when a task or a time limit of the program cancels it, or when a signal
handler raises in it. The usual pattern is a heartbeat: `wait_for(stream.__anext__(), 0.3)`, again
and again, also before there is a response.
"""

import contextlib
import gc
import json
import select
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trio
import trio.testing

from meshapi import (
    APIStatusError,
    APITimeoutError,
    Limits,
    MeshAPI,
    StreamInterruptedError,
    Timeout,
)
from support.certificates import serving, trusting
from support.flavours import ASK, TOKEN, TrioWorld, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import DONE, chunk, failed, frame, head, serve, streamed, texts

BEAT = 0.02
"""Seconds after which a read is interrupted."""


class Interrupted(Exception):
    """An exception of a signal handler, not one of this library."""


WAITS = {
    ("blocking.py", "write"),
    ("blocking.py", "read"),
    ("readiness.py", "poll"),
    ("threading.py", "wait"),
    ("sync.py", "read"),
}
"""Functions in which a thread waits. Nothing makes Python code safe against an exception between
any two of its lines; what is promised is that a wait can be interrupted."""


async def take(world: World, step: Callable[[], Any], seconds: float = BEAT) -> Any:
    """The result of a step, which is interrupted after so many seconds."""
    if world.name == "sync":
        with alarm(seconds):
            return await step()
    with anyio.move_on_after(seconds):
        return await step()
    raise Interrupted


def is_waiting(frame: Any) -> bool:
    """Whether the thread that a signal interrupts is waiting."""
    code = frame.f_code
    place = (Path(code.co_filename).name, code.co_name)
    if place == ("blocking.py", "write"):
        # It has begun to send, and the buffers are full.
        return not select.select([], [frame.f_locals["self"]._sock], [], 0)[1]
    return place in WAITS


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[None]:
    is_over = False

    def ring(_: int, frame: Any) -> None:
        nonlocal is_over
        if not is_over and is_waiting(frame):
            is_over = True
            raise Interrupted

    before = signal.signal(signal.SIGALRM, ring)
    # Repeatedly, as a signal that comes just before the thread waits does not wake it.
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.01)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Halting:
    """A script that sends a response in pieces, each when it is told to."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self._gate = threading.Semaphore(0)
        self._sent = threading.Semaphore(0)
        self.begun = threading.Event()
        self.left = len(pieces)
        self.over = threading.Event()

    def __call__(self, peer: Peer) -> None:
        peer.receive()
        self.begun.set()
        for piece in self._pieces:
            assert self._gate.acquire(timeout=10)
            peer.send(piece)
            self._sent.release()
        peer.wait_until_left()
        self.over.set()

    def go_on(self) -> None:
        self.left -= 1
        self._gate.release()
        if self.begun.is_set():
            # Bytes that arrive together with a signal may be lost between two lines of Python.
            assert self._sent.acquire(timeout=10)


async def heartbeats(world: World, stream: Any, script: Halting, beats: int = 2) -> list[Any]:
    """All items of a stream whose every wait is interrupted, before the server goes on."""
    items, waits = [], 0
    while True:
        try:
            # On a busy machine a TLS handshake may take longer than a heartbeat.
            seconds = BEAT if script.begun.is_set() else 20 * BEAT
            items.append(await take(world, stream.__anext__, seconds))
        except Interrupted:
            waits += 1
            if waits % beats == 0 and script.left:
                script.go_on()
        except StopAsyncIteration:
            return items


async def interrupt(world: World, step: Callable[[], Any], server: ScriptedServer) -> None:
    """Interrupt a step repeatedly, until its request has been sent."""
    while not server.requests:
        try:
            await take(world, step)
        except Interrupted as exc:
            # The frames of a traceback own the objects that they hold.
            exc.with_traceback(None)


def cut(response: bytes, count: int) -> list[bytes]:
    """A response in pieces, with its head and its chunk lengths cut, too."""
    size = -(-len(response) // count)
    return [response[i : i + size] for i in range(0, len(response), size)]


def sse(*events: dict[str, Any], done: bytes = DONE) -> bytes:
    frames = [
        b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events
    ]
    return streamed(*frames, done)


RESPONSE = {"id": "r", "object": "response", "created_at": 1, "model": "m", "output": []}
DELTA = {"type": "response.output_text.delta", "delta": "po", "item_id": "i", "output_index": 0}
RESPONSES: dict[str, tuple[bytes, Callable[[Any], Any]]] = {
    "chat": (streamed(*texts("po", "ng")), lambda c: c.chat.completions.stream(**ASK)),
    "files": (
        head(200, "Content-Length: 10", kind="application/jsonl") + b"helloworld",
        lambda c: c.files.stream("f"),
    ),
    "audio": (
        head(200, "Content-Length: 10", kind="audio/mpeg") + b"helloworld",
        lambda c: c.audio.stream(model="m", input="x"),
    ),
    "responses": (
        sse(DELTA, DELTA, {"type": "response.completed", "response": RESPONSE}),
        lambda c: c.responses.stream(model="m", input="x"),
    ),
}


def shown(items: list[Any]) -> Any:
    """The contents of items, however their bytes were cut."""
    if items and isinstance(items[0], bytes):
        return b"".join(items)
    return [repr(item) for item in items]


@pytest.mark.slow
@pytest.mark.parametrize("kind", RESPONSES)
@on_every_flavour
async def test_heartbeats_lose_nothing_before_or_after_the_head(world, kind):
    response, ask = RESPONSES[kind]
    script = Halting(*cut(response, 4))
    whole = ScriptedServer(lambda peer: (peer.receive(), peer.send(response)))
    with whole, ScriptedServer(script) as server:
        async with world.client(whole.url) as client:
            expected = [item async for item in ask(client)]
        async with world.client(server.url) as client:
            items = await heartbeats(world, ask(client), script)
        assert shown(items) == shown(expected)
        assert len(server.requests) == server.connections == 1


@pytest.mark.slow
@on_every_flavour
async def test_heartbeats_lose_nothing_under_tls(world):
    response, ask = RESPONSES["chat"]
    script = Halting(*cut(response, 4))
    with ScriptedServer(script, tls=serving("127.0.0.1")) as server:
        async with world.client(server.url, tls=trusting()) as client:
            items = await heartbeats(world, ask(client), script)
        assert [item.choices[0].delta.content for item in items] == ["po", "ng", None]
        assert server.connections == 1


@pytest.mark.slow
@on_every_flavour
async def test_the_usage_after_the_finish_reason_is_not_lost(world):
    usage = {**chunk(None), "choices": [], "usage": {"total_tokens": 3}}
    start = streamed(frame(chunk("po", "stop")))[: -len(b"0\r\n\r\n")]
    rest = streamed(frame(usage), DONE).partition(b"\r\n\r\n")[2]
    script = Halting(start, rest)
    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            items = await heartbeats(world, client.chat.completions.stream(**ASK), script, 1)
    assert items[-1].usage.total_tokens == 3


@pytest.mark.parametrize("kind", [TimeoutError, ConnectionResetError, OSError])
@pytest.mark.parametrize("pieces", [1, 2])
def test_the_exception_of_a_signal_handler_may_be_of_any_class(kind, pieces):
    def ring(*_: object) -> None:
        script.go_on()
        raise kind("from the handler")

    script = Halting(*cut(RESPONSES["files"][0], pieces))
    before = signal.signal(signal.SIGALRM, ring)
    with ScriptedServer(script) as server, MeshAPI(base_url=server.url, token=TOKEN) as client:
        stream, got = client.files.stream("f"), b""
        for _ in range(pieces):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(kind, match="from the handler"):
                while True:
                    got += next(stream)
        got += b"".join(stream)
    signal.signal(signal.SIGALRM, before)
    assert got == b"helloworld"


@on_every_flavour
async def test_a_stream_interrupted_before_it_could_connect_sends_one_request(world):
    """Nothing has been sent yet, so it starts again."""
    with ScriptedServer(serve) as server:
        async with world.client(server.url, limits=Limits(max_connections=1)) as client:
            holder = client.chat.completions.stream(**ASK)
            await holder.__anext__()
            stream = client.chat.completions.stream(**ASK)
            with pytest.raises(Interrupted):
                await take(world, stream.__anext__)
            await holder.close()
            assert [item.choices[0].delta.content async for item in stream] == ["po", "ng", None]
        assert len(server.requests) == 2


async def outlasted(world: World, stream: Any) -> APITimeoutError:
    """The time limit that ends a stream whose every read is interrupted before it runs out."""
    with pytest.raises(APITimeoutError) as caught:
        for _ in range(50):
            with contextlib.suppress(Interrupted):
                await take(world, stream.__anext__)
    return caught.value


@on_every_flavour
async def test_limits_run_on_while_reads_are_interrupted(world):
    silent = Halting(*cut(RESPONSES["chat"][0], 1))
    with ScriptedServer(silent) as server:
        async with world.client(server.url, timeout=Timeout(read=4 * BEAT)) as client:
            stream = client.chat.completions.stream(**ASK)
            error = await outlasted(world, stream)
        silent.go_on()
    assert error.phase == "read"


@on_every_flavour
async def test_a_connection_that_is_never_there_in_time_for_a_heartbeat_has_its_limit(world):
    with ScriptedServer(Peer.wait_until_left) as server:
        url = server.url.replace("http:", "https:")
        limits = Timeout(connect=2 * BEAT, pool=2 * BEAT)
        async with world.client(url, timeout=limits, max_retries=0) as client:
            stream = client.chat.completions.stream(**ASK)
            error = await outlasted(world, stream)
    assert error.phase == "connect"


@on_every_flavour
async def test_the_idle_limit_runs_on_while_reads_are_interrupted(world):
    first, rest = streamed(*texts("a")).partition(b"\n\n")[::2]
    script = Halting(first + b"\n\n\r\n", rest)
    with ScriptedServer(script) as server:
        async with world.client(server.url, timeout=Timeout(idle=4 * BEAT)) as client:
            stream = client.chat.completions.stream(**ASK)
            script.go_on()
            await stream.__anext__()
            error = await outlasted(world, stream)
        script.go_on()
    assert error.phase == "idle"


@on_every_flavour
async def test_a_refusal_that_was_interrupted_is_still_a_refusal(world):
    start, rest = failed(400, "bad_request").split(b"{", 1)
    script = Halting(start + b"{", rest)
    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            script.go_on()
            with pytest.raises(APIStatusError) as caught:
                for _ in range(100):
                    with contextlib.suppress(Interrupted):
                        await take(world, stream.__anext__)
        assert len(server.requests) == 1
        script.go_on()
    assert caught.value.status == 400


@on_every_flavour
async def test_an_interrupted_stream_gives_its_connection_up_when_it_is_closed(world):
    script = Halting(*cut(RESPONSES["chat"][0], 1))
    with ScriptedServer(script, serve) as server:
        async with world.client(server.url, limits=Limits(max_connections=1)) as client:
            stream = client.chat.completions.stream(**ASK)
            await interrupt(world, stream.__anext__, server)
            await stream.close()
            script.go_on()
            await world.until(script.over.is_set)
            assert [item async for item in client.chat.completions.stream(**ASK)]


@on_every_flavour
async def test_an_interrupted_stream_gives_its_connection_up_with_its_owner(world):
    script = Halting(*cut(RESPONSES["chat"][0], 1))
    with ScriptedServer(script, serve) as server:
        async with world.client(server.url, limits=Limits(max_connections=1)) as client:
            stream = client.chat.completions.stream(**ASK)
            await interrupt(world, stream.__anext__, server)
            del stream
            gc.collect()
            script.go_on()
            await world.until(script.over.is_set)
            assert [item async for item in client.chat.completions.stream(**ASK)]


@on_every_flavour
async def test_a_block_that_was_interrupted_while_it_was_entered_has_let_go(world):
    script = Halting(*cut(RESPONSES["chat"][0], 1))
    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            with pytest.raises(Interrupted):
                await take(world, stream.__aenter__, 10 * BEAT)
            script.go_on()
            await world.until(script.over.is_set)
            with pytest.raises(StreamInterruptedError):
                await stream.__anext__()
        assert len(server.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [10.0, None])
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "TLS"])
@on_every_flavour
async def test_a_write_that_is_interrupted_goes_on_with_the_next_one(world, encrypted, timeout):
    data = bytes(range(256)) * 4096 * 8
    received = bytearray()

    def take_late(peer: Peer) -> None:
        assert peer.server.healthy.wait(10)
        while len(received) < len(data) + 3:
            received.extend(peer.take())
        peer.send(b"thanks")

    tls = serving("127.0.0.1") if encrypted else None
    with ScriptedServer(take_late, tls=tls) as server:
        stream = await world.open_stream(server.port, context=trusting() if encrypted else None)
        with pytest.raises(Interrupted):
            await take(world, lambda: stream.write(data, timeout), 0.2)
        server.healthy.set()
        await stream.write(b"end", 10.0)
        assert await stream.read(10.0) == b"thanks"
        stream.abort()
        await world.sleep(0)
    assert received == data + b"end"


def test_a_write_that_ctrl_c_interrupts_on_trio_goes_on_with_the_next_one():
    data = bytes(range(256)) * 4096 * 8
    received = bytearray()

    def take_late(peer: Peer) -> None:
        assert peer.server.healthy.wait(10)
        while len(received) < len(data) + 3:
            received.extend(peer.take())
        peer.send(b"thanks")

    @trio.lowlevel.enable_ki_protection
    async def press_ctrl_c() -> None:
        await trio.testing.wait_all_tasks_blocked(0.05)
        signal.raise_signal(signal.SIGINT)

    async def main(port: int) -> None:
        stream = await TrioWorld().open_stream(port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(press_ctrl_c)
            with pytest.raises(KeyboardInterrupt):
                await stream.write(data, 10.0)
        server.healthy.set()
        await stream.write(b"end", 10.0)
        assert await stream.read(10.0) == b"thanks"
        stream.abort()

    # Trio leaves a signal alone that is ignored, as in the background of a shell.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ScriptedServer(take_late) as server:
            trio.run(main, server.port)
    finally:
        signal.signal(signal.SIGINT, before)
    assert received == data + b"end"


# Over an injected client, whose reads cannot go on.


@pytest.mark.parametrize("kind", RESPONSES)
@on_every_flavour
async def test_over_httpx_a_read_after_an_interrupted_one_says_so(world, kind):
    response, ask = RESPONSES[kind]
    script = Halting(response[:-8], response[-8:])
    async with injected(world) as http:
        with ScriptedServer(script) as server:
            async with on_httpx(world, server.url, http) as client:
                stream = ask(client)
                script.go_on()
                with contextlib.suppress(Interrupted):
                    while True:
                        await take(world, stream.__anext__)
                script.go_on()
                for _ in range(2):
                    with pytest.raises(StreamInterruptedError, match="interrupted"):
                        while True:
                            await stream.__anext__()


@on_every_flavour
async def test_over_httpx_a_request_that_was_interrupted_is_not_sent_again(world):
    script = Halting(*cut(RESPONSES["chat"][0], 1))
    async with injected(world) as http:
        with ScriptedServer(script) as server:
            async with on_httpx(world, server.url, http) as client:
                stream = client.chat.completions.stream(**ASK)
                with pytest.raises(Interrupted):
                    await take(world, stream.__anext__, 0.1)
                for _ in range(2):
                    with pytest.raises(StreamInterruptedError, match="not sent again"):
                        await stream.__anext__()
                script.go_on()
            assert len(server.requests) <= 1


@contextlib.asynccontextmanager
async def injected(world: World) -> Any:
    kind: Any = httpx.Client if world.name == "sync" else httpx.AsyncClient
    http = kind(verify=False, trust_env=False)
    try:
        yield http
    finally:
        if world.name == "sync":
            http.close()
        else:
            await http.aclose()


def on_httpx(world: World, url: str, http: Any) -> Any:
    field = "httpx_client" if world.name == "sync" else "async_httpx_client"
    return world.client(url, **{field: http})
