"""Network streams on asyncio's own transports.

The protocol keeps what arrives until it is read: a cancelled read loses no bytes, and `readable`
sees bytes that arrive while nobody reads. It uses no asyncio.StreamReader, whose layers cost more
than all of ours together, and no wait_for around reads, which costs a task each.
"""

import asyncio
import socket
import threading
from contextvars import Context
from typing import Optional, cast

from meshapi_backends._networks.readiness import is_readable
from meshapi_backends._networks.shutdown import shut_down

# Unread bytes beyond which we stop reading, so that TCP slows the peer down.
_HIGH_WATER = 512 * 1024

# Bytes of one read. The loop would allocate and free a buffer of 256 KiB for each read, which costs
# more than everything else about a small message.
_READ_SIZE = 64 * 1024

# Seconds in which the loop has to deliver what the system has: far more than one round takes.
_NEXT_ROUND = 1.0


class _ReadBuffer(threading.local):
    """The buffer that a thread's loop reads into. No two of its reads overlap."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(_READ_SIZE))


_read_buffer = _ReadBuffer()


class _TimeLimit:
    """The time limits of consecutive waits, with as few of the loop's timers as possible.

    Setting and cancelling a timer costs more than everything else about a small read. So the timer
    of an earlier wait is kept. When it fires, a new one is set for the rest of the present wait.
    """

    __slots__ = ("_end", "_loop", "_rings_at", "_timer", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: Optional[asyncio.TimerHandle] = None
        self._rings_at = 0.0
        # The future of the present wait; the reader or writer that waits resets it.
        self.waiting: Optional[asyncio.Future[None]] = None
        self._end = 0.0

    def set(self, waiting: "asyncio.Future[None]", timeout: float) -> None:
        """Make a future raise TimeoutError after so many seconds, unless it is done by then."""
        self.waiting, self._end = waiting, self._loop.time() + timeout
        if self._timer is None or self._end < self._rings_at:
            self._start()

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self.stop()
        self._rings_at = self._end
        # The timer outlives the wait, and must not keep the waiting task's context alive.
        self._timer = self._loop.call_at(self._end, self._ring, context=Context())

    def _ring(self) -> None:
        self._timer = None
        waiting = self.waiting
        if waiting is None or waiting.done():
            return
        # Compared with the time that was asked for, not with the clock: a loop may fire a little
        # early, and a timer that is set again for the same time would do so at once.
        if self._end > self._rings_at:
            self._start()
            return
        # Breaks a cycle: the error holds the frames that it passes through, and they hold us.
        self.waiting = None
        waiting.set_exception(TimeoutError())


class AsyncNetworkStream(asyncio.BufferedProtocol):
    """A TCP connection on an asyncio transport. See `networks.AsyncNetworkStream`."""

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

    # TCP itself tells a proper end (FIN) from a broken connection.
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
        # Made on first use: few writes have to wait.
        self._write_limit: Optional[_TimeLimit] = None

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        # So that write() returns when the system has the bytes, and the loop buffers none.
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
        # True keeps the transport open for bytes that are still being sent.
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
        # A failed write closes the transport without another read, although the response that
        # explains the failure may have arrived: servers refuse a large request, then reset.
        try:
            while len(self._received) < _HIGH_WATER:
                data = self._sock.recv(_HIGH_WATER)
                if not data:
                    return
                self._received += data
        except OSError:
            pass  # nothing left to read, or the reset itself

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        wake(self._writer)

    # Called by the connection above.

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
                # The callback that it registers keeps its context as long as the connection lives.
                Context().run(self._transport.resume_reading)
        return data

    async def read_ready(self) -> Optional[bytes]:
        if not self.readable:
            return None
        try:
            # What the loop has not read yet, it reads in its next round.
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
        # Wait before the bytes are handed over: from then on they are sent, cancelled or not.
        if self._writing_paused:
            await self._wait_for_room(self._open_transport(), timeout)
        self._open_transport().write(data)
        return len(data)

    def send_now(self, data: bytearray) -> int:
        transport = self._open_transport()
        if self._writing_paused:
            return 0
        # A copy, because the transport keeps what the system does not take at once.
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
        # Bytes that have arrived since the loop last read count as well.
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
        # The loop has ended, or is the parent process's, epoll descriptor included: leave it alone.
        # The transport will never be closed, and without its socket does not warn about that.
        self._aborted = True
        self._sock.close()
        getattr(self._transport, "__dict__", {})["_sock"] = None

    def abandon(self) -> None:
        self.hang_up()
        try:
            # A loop that still runs watches the descriptor. If we closed it here, the next
            # connection that gets the same number would fail.
            self._loop.call_soon_threadsafe(self.abort)
        except RuntimeError:  # it has ended
            self.forget()


def wake(future: "Optional[asyncio.Future[None]]") -> None:
    """Wake whoever waits for a future, unless it is done."""
    if future is not None and not future.done():
        future.set_result(None)
