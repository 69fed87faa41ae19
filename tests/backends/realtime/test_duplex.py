"""A connection that is read and written at once: order, room, time limits, cancellation."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_backends._async.realtime.duplex import AsyncDuplexStream
from meshapi_backends._sync.realtime.duplex import DuplexStream
from support.certificates import serving, trusting
from support.examples import one_in
from support.flavours import FLAVOURS, Awaited, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer

SHORT = 0.05
"""A limit that is meant to pass."""

HIGH_WATER = 1024 * 1024
LARGE = 6 * 1024 * 1024
"""Bytes: more than the buffers of both ends and the queue hold."""

asynchronous = pytest.mark.parametrize("world", FLAVOURS[1:], ids=lambda world: world.name)


async def opened(world: World, port: int, *, tls: bool = False) -> Any:
    """A duplex stream to a server."""
    stream = await world.open_stream(port, context=trusting() if tls else None)
    if world.name == "sync":
        return Awaited(DuplexStream(stream._target, world.network))
    return AsyncDuplexStream(stream, world.network)


def unsent(duplex: Any) -> int:
    """The number of bytes in the queue."""
    return len(getattr(duplex, "_target", duplex)._unsent)


class Reading:
    """A script that reads nothing until `may_read` is set, then everything into `received`."""

    def __init__(self) -> None:
        self.may_read = threading.Event()
        self.received = bytearray()

    def __call__(self, peer: Peer) -> None:
        self.may_read.wait(10)
        while True:
            data = peer.take()
            if not data:
                return
            self.received += data


def labelled(sender: int, number: int, size: int) -> bytes:
    """A message whose bytes tell its size and its sender."""
    return size.to_bytes(4, "big") + bytes([sender, number]) + bytes([sender]) * size


def parsed(data: bytes) -> list[tuple[int, int]]:
    """The sender and number of each message; fails if one is not whole."""
    found, position = [], 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        sender, number = data[position + 4], data[position + 5]
        body = data[position + 6 : position + 6 + size]
        assert body == bytes([sender]) * size, "a message is torn"
        found.append((sender, number))
        position += 6 + size
    assert position == len(data)
    return found


def echo(peer: Peer) -> None:
    while True:
        data = peer.take()
        if not data:
            return
        peer.send(data)


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@on_every_flavour
async def test_one_reads_while_many_write_and_every_message_is_whole_and_in_order(world, tls):
    sizes = [1, 200, 70_000, 300_000]
    total = 4 * sum(6 + size for size in sizes)
    received = bytearray()
    with ScriptedServer(echo, tls=serving() if tls else None) as server:
        duplex = await opened(world, server.port, tls=tls)

        def writer(sender: int) -> Callable[[], Awaitable[None]]:
            async def write() -> None:
                for number, size in enumerate(sizes):
                    await duplex.write(partial(labelled, sender, number, size), 10.0)

            return write

        async def read() -> None:
            while len(received) < total:
                data = await duplex.read(10.0)
                assert data
                received.extend(data)

        outcomes = await world.together(*map(writer, range(4)), read)
        assert outcomes == [None] * 5
        duplex.abort()
    messages = parsed(bytes(received))
    assert len(messages) == 16
    for sender in range(4):
        assert [number for who, number in messages if who == sender] == [0, 1, 2, 3]


@on_every_flavour
async def test_the_queue_is_bounded_and_a_writer_waits_before_it_makes_anything(world):
    reading = Reading()
    with ScriptedServer(reading, receive_buffer=4096) as server:
        duplex = await opened(world, server.port)
        with pytest.raises(TimeoutError):
            await duplex.write(lambda: bytes(LARGE), SHORT)
        assert unsent(duplex) > HIGH_WATER
        with pytest.raises(TimeoutError):
            await duplex.write(lambda: pytest.fail("made too early"), SHORT)
        reading.may_read.set()
        await duplex.write(lambda: b"the last", 10.0)
        assert unsent(duplex) == 0
        await world.until(lambda: len(reading.received) == LARGE + 8)
        duplex.abort()
    assert reading.received.endswith(b"\0the last")


@on_every_flavour
async def test_what_cannot_be_made_sends_nothing_and_harms_nobody(world):
    def refuse() -> bytes:
        raise ValueError("not today")

    with ScriptedServer(echo) as server:
        duplex = await opened(world, server.port)
        with pytest.raises(ValueError, match="not today"):
            await duplex.write(refuse, 5.0)
        await duplex.write(lambda: b"abc", 5.0)
        assert await duplex.read(5.0) == b"abc"
        duplex.abort()


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@on_every_flavour
async def test_what_has_arrived_is_read_without_waiting(world, tls):
    with ScriptedServer(echo, tls=serving() if tls else None) as server:
        duplex = await opened(world, server.port, tls=tls)
        if not tls:
            # TLS 1.3 may send tickets at any time: something arrives, but no bytes for us.
            assert not duplex.readable
        assert await duplex.read_ready() is None
        with pytest.raises(TimeoutError):
            await duplex.read(0.01)
        await duplex.write(lambda: b"abc", 5.0)
        await world.until(lambda: duplex.readable)
        received = b""
        while not received:
            received = await duplex.read_ready() or b""
        assert received == b"abc"
        duplex.abort()
        with pytest.raises(OSError):  # noqa: PT011 - each flavour has another
            await duplex.write(lambda: bytes(LARGE), 5.0)


@on_every_flavour
async def test_queued_pongs_go_out_by_flush_and_without_waiting(world):
    reading = Reading()
    with ScriptedServer(reading, receive_buffer=4096) as server:
        duplex = await opened(world, server.port)
        await duplex.flush()
        with duplex.lock:
            duplex.queue(b"")
            duplex.queue(b"pong")
        await duplex.flush()
        assert unsent(duplex) == 0
        with pytest.raises(TimeoutError):
            await duplex.write(lambda: bytes(LARGE), SHORT)
        left = unsent(duplex)
        await duplex.flush()
        assert unsent(duplex) == left, "there is no room, and nobody waits"
        reading.may_read.set()
        while unsent(duplex):
            await duplex.flush()
            await world.sleep(0.001)
        await world.until(lambda: len(reading.received) == LARGE + 4)
        duplex.abort()


@on_every_flavour
async def test_abort_wakes_the_reader_and_the_writers(world):
    with ScriptedServer(lambda peer: peer.wait_for_the_end(), receive_buffer=4096) as server:
        duplex = await opened(world, server.port)

        async def read() -> bytes:
            data: bytes = await duplex.read(None)
            return data

        async def write() -> None:
            await duplex.write(lambda: bytes(LARGE), None)

        async def abort() -> None:
            await world.until(lambda: HIGH_WATER < unsent(duplex) < LARGE)
            await world.sleep(0.01)
            duplex.abort()

        reader, writer, _ = await world.together(read, write, abort)
        assert reader == b"" or isinstance(reader, OSError)
        assert isinstance(writer, OSError)
        assert not isinstance(writer, TimeoutError)


@on_every_flavour
async def test_a_peer_that_leaves_is_the_end_of_input(world):
    with ScriptedServer(lambda peer: peer.send(b"bye")) as server:
        duplex = await opened(world, server.port)
        assert await duplex.read(5.0) == b"bye"
        assert await duplex.read(5.0) == b""
        assert await duplex.read(5.0) == b"", "and stays so"
        assert await duplex.read_ready() == b""
        duplex.abort()


# Interrupts and cancellation


class Interrupted:
    """A stream with a Ctrl-C after the system has taken some bytes, and before it says how many."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream = stream
        self._most = most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def send_now(self, data: bytes) -> int:
        self._stream.send_now(data[: self._most])
        raise KeyboardInterrupt

    async def write_some(self, data: bytes, timeout: float) -> int:
        await self._stream.write_some(data[: self._most], timeout)
        raise KeyboardInterrupt


class BlockingInterrupted(Interrupted):
    def write_some(self, data: bytes, timeout: float) -> int:  # type: ignore[override]  # its twin
        self._stream.write_some(data[: self._most], timeout)
        raise KeyboardInterrupt


@pytest.mark.parametrize("size", [10, 70_000], ids=["at once", "in turn"])
@on_every_flavour
async def test_an_interrupted_send_is_the_end_and_nothing_goes_out_twice(world, size):
    reading = Reading()
    reading.may_read.set()
    with ScriptedServer(reading) as server:
        duplex = await opened(world, server.port)
        own = getattr(duplex, "_target", duplex)
        interrupted = BlockingInterrupted if world.name == "sync" else Interrupted
        own._stream = interrupted(own._stream, 7)
        with pytest.raises(KeyboardInterrupt):
            await duplex.write(lambda: b"a" * size, 5.0)
        own._stream = own._stream._stream
        with pytest.raises(OSError):  # noqa: PT011 - each flavour has another
            await duplex.write(lambda: b"b" * size, 5.0)
        await world.until(lambda: server.open_now == 0)
        duplex.abort()
    assert bytes(reading.received) in (b"", b"a" * 7)


@asynchronous
def test_a_write_cancelled_in_the_middle_is_completed_by_the_next_one(world):
    async def scenario(world: World) -> None:
        reading = Reading()
        with ScriptedServer(reading, receive_buffer=4096) as server:
            duplex = await opened(world, server.port)
            large = labelled(1, 0, LARGE)
            with anyio.move_on_after(SHORT) as scope:
                await duplex.write(lambda: large, None)
            assert scope.cancelled_caught
            assert HIGH_WATER < unsent(duplex) < LARGE
            with anyio.move_on_after(0.01):
                await duplex.write(lambda: labelled(2, 0, 5), None)
            reading.may_read.set()
            outcomes = await world.together(
                *(
                    partial(duplex.write, partial(labelled, sender, 0, 70_000), 10.0)
                    for sender in (3, 4)
                )
            )
            assert outcomes == [None, None]
            await world.until(lambda: len(reading.received) == LARGE + 6 + 2 * 70_006)
            duplex.abort()
        # The second was cancelled while it waited for room, so nothing of it was sent.
        senders = [sender for sender, _ in parsed(bytes(reading.received))]
        assert (senders[0], sorted(senders)) == (1, [1, 3, 4])

    world.run(scenario)


@asynchronous
def test_a_write_cancelled_behind_others_is_completed_too(world):
    async def scenario(world: World) -> None:
        reading = Reading()
        with ScriptedServer(reading, receive_buffer=4096) as server:
            duplex = await opened(world, server.port)
            filled = 0
            while not unsent(duplex):
                with anyio.move_on_after(0.02):
                    await duplex.write(partial(labelled, 1, 0, 100_000), None)
                filled += 1
            with anyio.move_on_after(0.02) as scope:
                await duplex.write(partial(labelled, 2, 0, 5_000_000), None)
            assert scope.cancelled_caught

            async def third() -> None:
                reading.may_read.set()
                await duplex.write(partial(labelled, 3, 0, 10), 10.0)

            assert await world.together(third) == [None]
            total = filled * 100_006 + 5_000_006 + 16
            await world.until(lambda: len(reading.received) == total)
            duplex.abort()
        senders = [sender for sender, _ in parsed(bytes(reading.received))]
        assert senders == [1] * filled + [2, 3]

    world.run(scenario)


@one_in(8)
@given(
    delays=st.lists(st.floats(0, 0.004), min_size=1, max_size=12),
    sizes=st.lists(st.integers(1, 200_000), min_size=1, max_size=4),
)
def test_reads_cancelled_at_any_time_lose_no_bytes(delays, sizes):
    def script(peer: Peer) -> None:
        for number, size in enumerate(sizes):
            peer.send(labelled(number, 0, size))

    async def main() -> bytes:
        world = FLAVOURS[1]
        received = bytearray()
        with ScriptedServer(script) as server:
            duplex = await opened(world, server.port)
            pending = list(delays)
            while True:
                reader = asyncio.ensure_future(duplex.read(10.0))
                if pending:
                    await asyncio.wait([reader], timeout=pending.pop())
                    # Also where it is done: then its bytes were taken, and are the caller's.
                    if not reader.done():
                        reader.cancel()
                try:
                    data = await reader
                except asyncio.CancelledError:
                    continue
                if not data:
                    break
                received += data
            duplex.abort()
        return bytes(received)

    messages = parsed(asyncio.run(main()))
    assert [sender for sender, _ in messages] == list(range(len(sizes)))
