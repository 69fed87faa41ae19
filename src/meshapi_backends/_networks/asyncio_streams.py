"""Network streams on asyncio's own transports.

A protocol that keeps what arrives until somebody reads it: a read that is cancelled loses no
bytes, and bytes that arrive while nobody reads are seen (`readable`). No asyncio.StreamReader,
whose layers cost more than all of ours together; no wait_for around reads, which costs a task.
"""

import asyncio
import socket
import threading
from contextvars import Context
from typing import Optional, cast

from meshapi_backends._networks.readiness import is_readable
from meshapi_backends._networks.shutdown import shut_down

# Bytes that wait to be read before the peer is told to pause.
_HIGH_WATER = 512 * 1024

# One read of the system's. The loop's own are of 256 KiB, each into memory that is taken for it and
# given back at once, which costs more than all else about a small message.
_READ_SIZE = 64 * 1024

# Seconds that the loop may need to bring what the system has: far more than a round takes.
_NEXT_ROUND = 1.0


class _ReadBuffer(threading.local):
    """What a thread's loop reads into. No two of its reads overlap."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(_READ_SIZE))


_read_buffer = _ReadBuffer()


class _TimeLimit:
    """The time limit of one wait after another, on as few of the loop's timers as possible.

    To set a timer and cancel it costs more than all else about a small read. So the one of an
    earlier wait is kept, and when it rings, a new one is set for what is left of the present wait.
    """

    __slots__ = ("_end", "_loop", "_rings_at", "_timer", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: Optional[asyncio.TimerHandle] = None
        self._rings_at = 0.0
        # The future of the present wait; whoever waits takes it away again.
        self.waiting: Optional[asyncio.Future[None]] = None
        self._end = 0.0

    def set(self, waiting: "asyncio.Future[None]", timeout: float) -> None:
        """Have a future raise TimeoutError after so many seconds, unless it is done by then."""
        self.waiting, self._end = waiting, self._loop.time() + timeout
        if self._timer is None or self._end < self._rings_at:
            self._start()

    def stop(self) -> None:
        """Take the timer back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self.stop()
        self._rings_at = self._end
        # It outlives who waits, and should not hold what the context of that does.
        self._timer = self._loop.call_at(self._end, self._ring, context=Context())

    def _ring(self) -> None:
        self._timer = None
        waiting = self.waiting
        if waiting is None or waiting.done():
            return
        # Not by the clock: a loop may call a little too early, and would do so again at once.
        if self._end > self._rings_at:
            self._start()
            return
        # Let go of it: an error holds the frames that it passes through, and they hold us.
        self.waiting = None
        waiting.set_exception(TimeoutError())


class AsyncNetworkStream(asyncio.BufferedProtocol):
    """A TCP connection on an asyncio transport. See `transports.AsyncNetworkStream`."""

    __slots__ = (
        "_aborted",
        "_ended",
        "_error",
        "_loop",
        "_read_limit",
        "_reader",
        "_reading_paused",
        "_received",
        "_sock",
        "_transport",
        "_write_limit",
        "_writer",
        "_writing_paused",
    )

    # TCP says how it ends.
    cut = False

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._loop = loop
        self._sock = sock
        self._transport: Optional[asyncio.Transport] = None
        self._received = bytearray()
        self._ended = False
        self._error: Optional[BaseException] = None
        self._aborted = False
        self._reading_paused = False
        self._writing_paused = False
        self._reader: Optional[asyncio.Future[None]] = None
        self._writer: Optional[asyncio.Future[None]] = None
        self._read_limit = _TimeLimit(loop)
        # Made when it is used: few writes have to wait.
        self._write_limit: Optional[_TimeLimit] = None

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: uvloop's transports are no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        # What write() has sent is with the system, not in a buffer of the loop's.
        self._transport.set_write_buffer_limits(high=0)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _read_buffer.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._received += _read_buffer.buffer[:nbytes]
        if len(self._received) > _HIGH_WATER and not self._reading_paused:
            self._reading_paused = True
            if self._transport is not None:
                self._transport.pause_reading()
        wake(self._reader)

    def eof_received(self) -> bool:
        self._ended = True
        wake(self._reader)
        # True keeps the transport open: bytes that are still being sent may matter.
        return not self._aborted

    def connection_lost(self, exc: Optional[BaseException]) -> None:
        if exc is not None:
            self._take_the_rest()
        self._ended = True
        self._error = exc
        self._read_limit.stop()
        if self._write_limit is not None:
            self._write_limit.stop()
        wake(self._reader)
        wake(self._writer)

    def _take_the_rest(self) -> None:
        # A write that fails closes the transport without another read, though the response that
        # explains it may be there: servers refuse a large request first and reset then.
        try:
            while len(self._received) < _HIGH_WATER:
                data = self._sock.recv(_HIGH_WATER)
                if not data:
                    return
                self._received += data
        except OSError:
            pass  # nothing more, or the reset itself

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        wake(self._writer)

    # What the pool calls.

    async def read(self, timeout: Optional[float]) -> bytes:
        while not self._received:
            if self._error is not None:
                raise self._error
            if self._ended or self._aborted:
                return b""
            self._reader = self._loop.create_future()
            if timeout is not None:
                self._read_limit.set(self._reader, timeout)
            try:
                await self._reader
            finally:
                self._reader = self._read_limit.waiting = None
        data = bytes(self._received)
        self._received.clear()
        if self._reading_paused:
            self._reading_paused = False
            if self._transport is not None and not self._transport.is_closing():
                # Its callback stays as long as the connection, with the context that it is made in.
                Context().run(self._transport.resume_reading)
        return data

    async def read_ready(self) -> Optional[bytes]:
        if not self.readable:
            return None
        try:
            # If it is not here yet, the loop brings it on its next round.
            return await self.read(_NEXT_ROUND)
        except TimeoutError:
            return None

    async def write(self, data: bytes, timeout: Optional[float]) -> None:
        transport = self._open_transport()
        transport.write(data)
        if self._writing_paused:
            await self._wait_for_room(transport, timeout)
        if self._error is not None:
            raise self._error

    def shared(self) -> "tuple[AsyncNetworkStream, None]":
        return self, None

    async def write_some(self, data: bytes, timeout: Optional[float]) -> int:
        # First the room, then the bytes: what is handed over is sent, also if this is cancelled.
        if self._writing_paused:
            await self._wait_for_room(self._open_transport(), timeout)
        self._open_transport().write(data)
        return len(data)

    def send_now(self, data: bytearray) -> int:
        transport = self._open_transport()
        if self._writing_paused:
            return 0
        # A copy: what the system does not take at once, the transport keeps.
        transport.write(bytes(data))
        return len(data)

    @property
    def writable(self) -> bool:
        return not self._writing_paused

    def _open_transport(self) -> asyncio.Transport:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise self._error or ConnectionResetError("the connection is closed")
        return transport

    async def _wait_for_room(self, transport: asyncio.Transport, timeout: Optional[float]) -> None:
        while self._writing_paused and not transport.is_closing():
            self._writer = self._loop.create_future()
            if timeout is not None:
                if self._write_limit is None:
                    self._write_limit = _TimeLimit(self._loop)
                self._write_limit.set(self._writer, timeout)
            try:
                await self._writer
            finally:
                self._writer = None
                if self._write_limit is not None:
                    self._write_limit.waiting = None

    @property
    def readable(self) -> bool:
        if self._received or self._ended or self._aborted or self._error is not None:
            return True
        # What has arrived since the loop looked last counts as well.
        return is_readable(self._sock)

    def abort(self) -> None:
        self._aborted = True
        if self._transport is None:
            self._sock.close()
        elif self._loop.is_closed():
            self.forget()
            return
        else:
            self._transport.abort()
        wake(self._reader)
        wake(self._writer)

    def hang_up(self) -> None:
        shut_down(self._sock)

    def forget(self) -> None:
        # The loop has ended, or belongs to the parent down to the epoll descriptor: nothing of it
        # is touched. Its transport will never be closed, but should not complain of that.
        self._aborted = True
        self._sock.close()
        getattr(self._transport, "__dict__", {})["_sock"] = None

    def abandon(self) -> None:
        self.hang_up()
        try:
            # A loop that lives knows the descriptor: if it is closed under it, the next connection
            # that gets the same number fails.
            self._loop.call_soon_threadsafe(self.abort)
        except RuntimeError:  # it has ended
            self.forget()


def wake(future: "Optional[asyncio.Future[None]]") -> None:
    """End the wait for a future, unless it has ended."""
    if future is not None and not future.done():
        future.set_result(None)
