"""The memory that messages of a session take, also when they arrive in many pieces.

`support.costs` has the function calls that an event costs, `bench/run.py` the microseconds beside
the official client, and `bench/soak.py` the memory of a long conversation.
"""

import json
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from wsproto.utilities import generate_accept_token

from meshapi_core import (
    NEED_DATA,
    Headers,
    MeshAPIConfig,
    RealtimeCall,
    RealtimeConnection,
    RealtimeMessage,
)
from support.bench_servers import BENCH
from support.counting import Calls

MIB = 1024 * 1024


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
    # Its text, the text in its event, and its audio; and the text twice while it is put together.
    assert peak <= 3.5 * len(text), peak / len(text)
    assert kept <= MIB, kept


def fragments(size: int) -> Iterator[bytes]:
    """A text message with a frame for each byte, and a read for each byte of a frame."""
    for at in range(size):
        head = (0x80 if at == size - 1 else 0) | (at == 0)
        for byte in (head, 1, 97):
            yield bytes((byte,))


def test_fragments_of_one_byte_take_calls_in_proportion() -> None:
    def calls(size: int) -> int:
        connection = connected()
        with Calls() as counted:
            message = received(connection, fragments(size))
        assert message.text == "a" * size
        return counted.all

    assert calls(1000) <= 2.1 * calls(500)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc/self/statm")
def test_two_minutes_of_audio_leave_memory_as_one_has() -> None:
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
