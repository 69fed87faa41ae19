"""What a message of a session costs, in function calls and bytes: counted, never timed.

`bench/run.py` has the same in microseconds of CPU beside the official client, `bench/soak.py` the
memory of a long conversation.
"""

import asyncio
import json
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from wsproto.utilities import generate_accept_token

from meshapi import AsyncMeshAPI
from meshapi_core import (
    NEED_DATA,
    Headers,
    MeshAPIConfig,
    RealtimeCall,
    RealtimeConnection,
    RealtimeMessage,
)
from support.bench_servers import BENCH, bench_server

MIB = 1024 * 1024

# Calls of functions, Python's and C's, for one event of 1 KiB that is sent and received again: a
# tenth more than there are, 201 and 93. One after the other, and in flow, where many come in one
# read.
MOST_CALLS = 221
MOST_CALLS_IN_FLOW = 102

EVENT = {"type": "input_audio_buffer.append", "audio": "QUJD" * 245}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with bench_server("echo_server.py") as port:
        yield port


class Counter:
    """Function calls while its `with` block lasts."""

    def __init__(self) -> None:
        self.calls = 0

    def __enter__(self) -> "Counter":
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, _frame: object, event: str, _arg: object) -> None:
        self.calls += event in ("call", "c_call")


async def one_by_one(session: Any, times: int) -> None:
    for _ in range(times):
        await session.send(EVENT)
        await session.receive()


async def in_flow(session: Any, times: int) -> None:
    async def feed() -> None:
        for _ in range(times):
            await session.send(EVENT)

    feeding = asyncio.create_task(feed())
    for _ in range(times):
        await session.receive()
    await feeding


async def calls_each(port: int, run: Callable[[Any, int], Any], times: int) -> float:
    client = AsyncMeshAPI(base_url=f"http://127.0.0.1:{port}", token="rsk_test_cost")
    async with client, client.realtime.connect(model="echo") as session:
        await run(session, 10)
        with Counter() as counter:
            await run(session, times)
    return counter.calls / times


@pytest.mark.slow
def test_a_message_sent_and_received_takes_few_calls(port: int) -> None:
    calls = asyncio.run(calls_each(port, one_by_one, 200))
    assert calls <= MOST_CALLS, calls


@pytest.mark.slow
def test_a_message_among_many_takes_fewer(port: int) -> None:
    calls = asyncio.run(calls_each(port, in_flow, 500))
    assert calls <= MOST_CALLS_IN_FLOW, calls


def connected() -> RealtimeConnection:
    config = MeshAPIConfig(base_url="http://127.0.0.1", token="rsk_test_cost")
    request = RealtimeCall(model="cost").request(config)
    key = dict(request.headers)["sec-websocket-key"]
    fields = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", generate_accept_token(key.encode()).decode()),
    ]
    connection = RealtimeConnection()
    connection.start(request, Headers(fields))
    return connection


def received(connection: RealtimeConnection, pieces: Iterator[bytes]) -> RealtimeMessage:
    for piece in pieces:
        connection.receive_data(piece)
        event = connection.next_event()
        if event is not NEED_DATA:
            assert isinstance(event, RealtimeMessage)
            return event
    raise AssertionError("no message")


def audio_delta(size: int) -> bytes:
    sound = "QUJD" * (size // 4)
    return json.dumps({"type": "response.output_audio.delta", "delta": sound}).encode()


@pytest.mark.slow
def test_a_large_message_takes_memory_in_proportion() -> None:
    text = audio_delta(16 * MIB)
    frame = struct.pack("!BBQ", 0x81, 127, len(text)) + text
    pieces = [frame[at : at + 65536] for at in range(0, len(frame), 65536)]
    connection = connected()
    tracemalloc.start()
    try:
        message = received(connection, iter(pieces))
        _, peak = tracemalloc.get_traced_memory()
        assert message.audio is not None
        assert len(message.audio) == 12 * MIB
        del message
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Its text, the text in its event, and its sound; while that is put together, the text twice.
    assert peak <= 3.5 * len(text), peak / len(text)
    assert kept <= MIB, kept


def fragments(size: int) -> Iterator[bytes]:
    """A text message of which each byte is a frame, and each byte of a frame a read."""
    for at in range(size):
        head = (0x80 if at == size - 1 else 0) | (at == 0)
        for byte in (head, 1, 97):
            yield bytes((byte,))


def test_fragments_of_one_byte_take_calls_in_proportion() -> None:
    def calls(size: int) -> int:
        connection = connected()
        with Counter() as counter:
            message = received(connection, fragments(size))
        assert message.text == "a" * size
        return counter.calls

    assert calls(1000) <= 2.1 * calls(500)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc/self/statm")
def test_two_minutes_of_sound_leave_memory_as_one_has() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH / "soak.py"), "--minutes", "2", "--speed", "1000", "--json"],
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    results = json.loads(done.stdout)
    assert set(results) == {"asyncio", "trio", "blocking"}
    for flavour, result in results.items():
        assert result["growth"] <= 5 * MIB, (flavour, result)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_echo_benchmark_runs_and_reports_its_ratio() -> None:
    cases = ["echo-asyncio-flow", "echo-official-flow"]
    done = subprocess.run(
        [sys.executable, str(BENCH / "run.py"), "--quick", *cases],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    assert "echo in flow, asyncio / the official client" in done.stdout
