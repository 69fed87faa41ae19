"""Uploading a gigabyte from a path, and downloading one to a file, takes constant memory.

Each runs in its own process, whose memory is read from /proc before and after. The server runs in
another process and keeps nothing of what it receives.
"""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

MIB = 1024 * 1024
GROWTH = 10 * MIB

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc/self/status"),
]

# Bytes for each flavour, as the event loops take several times as long for a piece.
SIZES = {"sync": 1024 * MIB, "asyncio": 256 * MIB, "trio": 256 * MIB}

sizes = pytest.mark.parametrize(
    ("flavour", "size"),
    [
        # A few times the time that it may take.
        pytest.param("sync", 4 * GROWTH, id="sync, some"),
        *(pytest.param(*row, id=row[0], marks=pytest.mark.exhaustive) for row in SIZES.items()),
    ],
)

SERVER = """
import socket, sys

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sock, _ = listener.accept()
buffer = memoryview(bytearray(1 << 20))
head = b""
while b"\\r\\n\\r\\n" not in head:
    head += sock.recv(1 << 16)
head, _, rest = head.partition(b"\\r\\n\\r\\n")
fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\\r\\n")[1:])
left = int(fields.get(b"content-length", b"0")) - len(rest)
while left:
    left -= sock.recv_into(buffer)
length = int(sys.argv[1]) if head.startswith(b"GET") else 2
sock.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n" % length)
if length == 2:
    sock.sendall(b"{}")
else:
    for _ in range(0, length, len(buffer)):
        sock.sendall(buffer)
sock.recv(1)
"""

CLIENT = """
import sys
from meshapi import AsyncMeshAPI, MeshAPI
from meshapi_core.endpoints import (
    ByteStreamReader, Call, FilePart, Multipart, EmptyReader, SignedPut, StreamCall, file_source,
)

flavour, task, url, path = sys.argv[1:]

def rss(name):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(name):
                return int(line.split()[1]) * 1024

def uploads(path):
    source = file_source("file", path)
    if task == "put":
        return SignedPut(url=url + "/x?s=1", content_type="a/b", source=source)
    form = Multipart((), (FilePart("file", source, "a"),))
    return Call(method="POST", path="/v1/x", body=form, reader=EmptyReader())

download = StreamCall(method="GET", path="/v1/x", reader=ByteStreamReader())
options = {"base_url": url, "token": "rsk_test_memory", "timeout": 60, "max_retries": 0}

def measured(before, received):
    print(rss("VmHWM") - before, received)

def blocking():
    with MeshAPI(**options) as client:
        client._runner
        before = rss("VmRSS")
        received = 0
        if task == "get":
            with client._runner.open(download) as stream, open(path, "wb") as file:
                for piece in stream:
                    received += file.write(piece)
        else:
            client._runner.run(uploads(path))
        measured(before, received)

async def on_a_loop():
    async with AsyncMeshAPI(**options) as client:
        before = rss("VmRSS")
        received = 0
        if task == "get":
            with open(path, "wb") as file:
                async with client._runner.open(download) as stream:
                    async for piece in stream:
                        received += file.write(piece)
        else:
            await client._runner.run(uploads(path))
        measured(before, received)

if flavour == "sync":
    blocking()
elif flavour == "asyncio":
    import asyncio
    asyncio.run(on_a_loop())
else:
    import trio
    trio.run(on_a_loop)
"""


def run(flavour: str, size: int, task: str, path: Path) -> tuple[int, int]:
    """The memory growth and the received bytes of one client process."""
    command = [sys.executable, "-c", SERVER, str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        # Whatever happens to the client, nobody waits for ever.
        timer = threading.Timer(600, server.kill)
        timer.start()
        try:
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            done = subprocess.run(
                [sys.executable, "-c", CLIENT, flavour, task, url, str(path)],
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        finally:
            timer.cancel()
            server.kill()
    growth, received = map(int, done.stdout.split())
    return growth, received


@sizes
@pytest.mark.parametrize("task", ["put", "form"])
def test_uploading_from_a_path_takes_no_memory(
    flavour: str, size: int, task: str, tmp_path: Path
) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(size)
    growth, _ = run(flavour, size, task, path)
    assert growth <= GROWTH


@sizes
def test_downloading_to_a_file_takes_no_memory(flavour: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / "received"
    growth, received = run(flavour, size, "get", path)
    assert received == path.stat().st_size == size
    path.unlink()
    assert growth <= GROWTH
