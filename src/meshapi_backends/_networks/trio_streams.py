"""Network streams on trio.

They use the standard library's sockets, and ask trio when these can be read or written. trio's own
sockets try to read first, which is always in vain for a response. A cancel scope around a wait
costs as much as the wait itself, so only waits for room to write have one.
"""

import math
import socket
from typing import Optional, Union

import trio

from meshapi_backends._networks.readiness import is_readable, is_writable
from meshapi_backends._networks.shutdown import shut_down

_READ_SIZE = 64 * 1024

# Bytes from which a write lets other tasks run even if it need not wait, because many such writes
# may follow each other. After a smaller one, the caller waits for the response.
_LARGE = 16 * 1024


class TimeLimits:
    """The time limits of all reads in one loop, watched by a single task.

    The task sleeps at most until the first limit, ends the reads whose time is over, and sleeps
    again. It ends when it wakes and nobody is reading any more.
    """

    __slots__ = ("_rings_at", "_scope", "reading", "token")

    def __init__(self) -> None:
        self.token = trio.lowlevel.current_trio_token()
        self.reading: set[AsyncNetworkStream] = set()
        self._rings_at = math.inf
        # The scope in which the task sleeps; None while there is no task.
        self._scope: Optional[trio.CancelScope] = None

    def add(self, stream: "AsyncNetworkStream") -> None:
        """Call `stream.end_read()` at its `read_end`, unless the read has ended by then."""
        self.reading.add(stream)
        if stream.read_end >= self._rings_at:
            return
        self._rings_at = stream.read_end
        if self._scope is None:
            self._scope = trio.CancelScope(deadline=self._rings_at)
            trio.lowlevel.spawn_system_task(self._watch)
        else:
            self._scope.deadline = self._rings_at

    async def _watch(self) -> None:
        try:
            while self._scope is not None:
                with self._scope:
                    await trio.sleep_forever()
                self._ring()
        finally:
            self._scope = None
            self._rings_at = math.inf

    def _ring(self) -> None:
        now = trio.current_time()
        for stream in [stream for stream in self.reading if stream.read_end <= now]:
            self.reading.discard(stream)
            stream.end_read()
        self._rings_at = min((stream.read_end for stream in self.reading), default=math.inf)
        self._scope = trio.CancelScope(deadline=self._rings_at) if self.reading else None


_limits: "trio.lowlevel.RunVar[TimeLimits]" = trio.lowlevel.RunVar("meshapi_time_limits")


class AsyncNetworkStream:
    """A TCP connection on a non-blocking socket. See `networks.AsyncNetworkStream`."""

    __slots__ = ("_closed", "_full", "_limits", "_sock", "_unsent", "read_end")

    # TCP itself tells a proper end (FIN) from a broken connection.
    cut = False

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._closed = False
        try:
            self._limits = _limits.get()
        except LookupError:
            self._limits = TimeLimits()
            _limits.set(self._limits)
        self.read_end = math.inf
        # Whether the last read filled its buffer, so that there is probably more.
        self._full = False
        # The rest of an interrupted write; the next read or write sends it first.
        self._unsent = b""

    async def read(self, timeout: Optional[float]) -> bytes:
        if self in self._limits.reading:
            raise trio.BusyResourceError("another task is reading from this connection")
        if self._unsent:
            await self.write(b"", timeout)
        self.read_end = math.inf if timeout is None else trio.current_time() + timeout
        while True:
            if self._full:
                await trio.lowlevel.checkpoint()
                self._full = False
            else:
                await self._wait_readable()
            if self._closed:
                return b""
            try:
                data = self._sock.recv(_READ_SIZE)
            except BlockingIOError:
                continue
            self._full = len(data) == _READ_SIZE
            return data

    async def _wait_readable(self) -> None:
        if self._closed:
            return
        self._limits.add(self)
        try:
            await trio.lowlevel.wait_readable(self._sock)
        except trio.ClosedResourceError:
            if not self._closed:
                raise TimeoutError from None
        finally:
            self._limits.reading.discard(self)

    def end_read(self) -> None:
        """Make the waiting read raise TimeoutError."""
        # This wakes a task that writes as well, which then waits again.
        trio.lowlevel.notify_closing(self._sock)

    async def read_ready(self) -> Optional[bytes]:
        return await self.read(None) if self.readable else None

    async def write(self, data: bytes, timeout: Optional[float]) -> None:
        if self._unsent:
            data, self._unsent = self._unsent + data, b""
        rest = memoryview(data)
        try:
            # Send nothing for a task that is already cancelled.
            await trio.lowlevel.checkpoint_if_cancelled()
            rest = rest[self._send(rest) :]
            if rest:
                with limit(timeout):
                    while rest:
                        await self._wait_writable()
                        rest = rest[self._send(rest) :]
                    return
                raise TimeoutError
            if len(data) >= _LARGE:
                await trio.lowlevel.checkpoint()
        except OSError:
            raise
        except BaseException:
            # trio.Cancelled; or KeyboardInterrupt, which trio raises in the main task.
            self._unsent = bytes(rest)
            raise

    def shared(self) -> "tuple[AsyncNetworkStream, None]":
        return self, None

    async def write_some(self, data: bytes, timeout: Optional[float]) -> int:
        with limit(timeout):
            while not self._closed:
                try:
                    return await trio.socket.from_stdlib_socket(self._sock).send(data)
                except trio.ClosedResourceError:
                    pass  # closed; or the limit of a read ran out, which wakes both
            raise ConnectionResetError("the connection is closed")
        raise TimeoutError

    def send_now(self, data: bytearray) -> int:
        return 0

    def _send(self, data: "Union[bytes, memoryview]") -> int:
        if self._closed:
            raise ConnectionResetError("the connection is closed")
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    async def _wait_writable(self) -> None:
        try:
            await trio.lowlevel.wait_writable(self._sock)
        except trio.ClosedResourceError:
            pass  # closed, which `_send` notices; or the limit of a read ran out

    @property
    def writable(self) -> bool:
        return self._closed or is_writable(self._sock)

    @property
    def readable(self) -> bool:
        return self._closed or is_readable(self._sock)

    def abort(self) -> None:
        if self._closed:
            return
        try:
            trio.lowlevel.notify_closing(self._sock)
        except RuntimeError:
            # On another thread, or the loop has ended.
            try:
                self._limits.token.run_sync_soon(self.abort)
                return
            except trio.RunFinishedError:
                pass
        self._closed = True
        self._sock.close()

    def hang_up(self) -> None:
        shut_down(self._sock)

    def forget(self) -> None:
        # Without telling trio, which would wake tasks: the loop may be the parent process's.
        self._closed = True
        self._sock.close()

    def abandon(self) -> None:
        # Nobody waits for this socket, so trio does not watch it.
        self.hang_up()
        self.forget()


def limit(timeout: Optional[float]) -> trio.CancelScope:
    """A scope that cancels its block after some seconds; None is never."""
    return trio.CancelScope() if timeout is None else trio.move_on_after(max(0.0, timeout))
