"""The time limits of reads on trio, all watched by one task; with a clock that jumps."""

import gc
import socket
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, Optional

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from meshapi_backends._networks.trio_streams import AsyncNetworkStream

Pair = tuple[Any, socket.socket]


@contextmanager
def pair() -> Generator[Pair, None, None]:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        stream: Any = AsyncNetworkStream(ours)
        try:
            yield stream, theirs
        finally:
            stream.abort()


def by_a_jumping_clock(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        trio.run(test, clock=MockClock(autojump_threshold=0))

    run.__name__ = test.__name__
    return run


async def time_until_late(stream: Any, timeout: float) -> float:
    started = trio.current_time()
    with pytest.raises(TimeoutError):
        await stream.read(timeout)
    return trio.current_time() - started


@by_a_jumping_clock
async def test_each_read_ends_at_its_own_limit() -> None:
    took: dict[float, float] = {}

    async def read(timeout: float) -> None:
        with pair() as (stream, _):
            took[timeout] = await time_until_late(stream, timeout)

    async with trio.open_nursery() as nursery:
        for timeout in (30.0, 2.0, 600.0, 7.0, 0.0):
            nursery.start_soon(read, timeout)
        await wait_all_tasks_blocked()
        # One that ends before those that are already waiting.
        nursery.start_soon(read, 1.0)
    assert took == {timeout: timeout for timeout in (0.0, 1.0, 2.0, 7.0, 30.0, 600.0)}


@by_a_jumping_clock
async def test_a_limit_that_moves_on_is_kept() -> None:
    with pair() as (stream, peer):
        for _ in range(3):
            peer.send(b"a")
            assert await stream.read(5.0) == b"a"
            await trio.sleep(3.0)
        assert await time_until_late(stream, 5.0) == 5.0
        assert await time_until_late(stream, 1.0) == 1.0
        peer.send(b"b")
        assert await stream.read(5.0) == b"b"


def test_a_read_ends_when_another_thread_closes_its_connection() -> None:
    async def main() -> None:
        with pair() as (stream, _), trio.fail_after(20):

            async def close() -> None:
                await wait_all_tasks_blocked()
                await trio.to_thread.run_sync(stream.abort)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(close)
                assert await stream.read(10.0) == b""

    trio.run(main)


@by_a_jumping_clock
async def test_a_second_reader_is_refused_and_takes_nothing_from_the_first() -> None:
    with pair() as (stream, _):

        async def read_too() -> None:
            await wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await stream.read(None)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_too)
            assert await time_until_late(stream, 5.0) == 5.0


@by_a_jumping_clock
async def test_without_a_limit_a_read_waits() -> None:
    with pair() as (stream, peer), pair() as (other, _):
        seen: list[Optional[bytes]] = []

        async def read() -> None:
            seen.append(await stream.read(None))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            assert await time_until_late(other, 1000.0) == 1000.0
            assert seen == []
            peer.send(b"a")
        assert seen == [b"a"]


@by_a_jumping_clock
async def test_a_limit_of_the_reader_wakes_no_writer() -> None:
    with pair() as (stream, peer):
        while stream._send(b"a"):
            pass
        sent: list[int] = []

        async def write() -> None:
            sent.append(await stream.write_some(b"a", None))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            assert await time_until_late(stream, 1.0) == 1.0
            await trio.sleep(1.0)
            assert sent == []
            peer.recv(1 << 20)
        assert sent == [1]


@by_a_jumping_clock
async def test_bytes_that_come_with_the_limit_are_not_lost() -> None:
    with pair() as (stream, peer):
        for size in range(1, 20):
            outcome: list[bytes] = []

            async def read(outcome: list[bytes] = outcome) -> None:
                try:
                    outcome.append(await stream.read(1.0))
                except TimeoutError:
                    outcome.append(await stream.read(None))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                # In the same round as the limit, before or after it, as trio shuffles tasks.
                await trio.sleep(1.0)
                peer.send(bytes(size))
            assert outcome == [bytes(size)]


@by_a_jumping_clock
async def test_the_watching_task_ends_with_the_last_limit_and_delays_nobody() -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    with pair() as (stream, peer):
        peer.send(b"a")
        assert await stream.read(5.0) == b"a"
        assert trio.lowlevel.current_statistics().tasks_living == before + 1
        assert not stream._limits.reading
        await trio.sleep(5.5)
        assert trio.lowlevel.current_statistics().tasks_living == before
        # And another one takes its place.
        assert await time_until_late(stream, 2.0) == 2.0


def test_neither_the_end_of_the_loop_nor_the_next_loop_waits_for_a_limit() -> None:
    async def main() -> None:
        with pair() as (stream, peer):
            peer.send(b"a")
            assert await stream.read(3600.0) == b"a"

    for _ in range(2):
        trio.run(main)
    gc.collect()


def test_a_reader_that_is_cancelled_is_forgotten() -> None:
    async def main() -> None:
        with pair() as (stream, peer):
            with trio.CancelScope() as scope:
                scope.cancel()
                await stream.read(3600.0)
            assert scope.cancelled_caught
            assert not stream._limits.reading
            peer.send(b"a")
            assert await stream.read(1.0) == b"a"

    trio.run(main)


def test_a_cancelled_task_sends_nothing_and_the_next_one_sends_all() -> None:
    async def main() -> None:
        with pair() as (stream, peer):
            peer.setblocking(False)
            with trio.CancelScope() as scope:
                scope.cancel()
                await stream.write(b"abc", 1.0)
            assert scope.cancelled_caught
            with pytest.raises(BlockingIOError):
                peer.recv(10)
            await stream.write(b"de", 1.0)
            assert peer.recv(10) == b"abcde"

    trio.run(main)


def test_large_writes_and_full_reads_let_others_run() -> None:
    async def main() -> None:
        with pair() as (stream, peer):
            rounds = 0

            async def count() -> None:
                nonlocal rounds
                while True:
                    await trio.lowlevel.checkpoint()
                    rounds += 1

            async with trio.open_nursery() as nursery:
                nursery.start_soon(count)
                for _ in range(8):
                    await stream.write(bytes(16384), 1.0)
                    peer.recv(16384)
                assert rounds > 4
                rounds = 0
                for _ in range(8):
                    stream._full = True
                    peer.send(b"a")
                    assert await stream.read(1.0) == b"a"
                assert rounds > 4
                # The last read was full, and now there is nothing.
                stream._full = True
                with pytest.raises(TimeoutError):
                    await stream.read(0.01)
                nursery.cancel_scope.cancel()

    trio.run(main)
