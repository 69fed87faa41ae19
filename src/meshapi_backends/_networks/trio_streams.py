"""Network streams on trio.

They stand on the standard library's sockets, and trio says when these can be read or written. Its
own sockets try first, which for a response is always in vain, and a cancel scope around a wait
costs as much as the wait: only waits for room to write have one.
"""

import math
import socket
from typing import Optional, Union

import trio

from meshapi_backends._networks.readiness import is_readable, is_writable
from meshapi_backends._networks.shutdown import shut_down

_READ_SIZE = 64 * 1024

# Bytes from which on a write lets others run, though it need not wait: many may come in a row.
# After a smaller one a response is waited for.
_LARGE = 16 * 1024


class TimeLimits:
    """The time limits of all the reads of one loop, which one of its tasks watches.

    The task sleeps until the first of them, or earlier, looks what has become of them meanwhile,
    and sleeps again. It ends when nobody is reading any more as it wakes.
    """

    __slots__ = ("_rings_at", "_scope", "reading", "token")

    def __init__(self) -> None:
        self.token = trio.lowlevel.current_trio_token()
        self.reading: set[AsyncNetworkStream] = set()
        self._rings_at = math.inf
        # What the task sleeps in, if there is one.
        self._scope: Optional[trio.CancelScope] = None

    def add(self, stream: "AsyncNetworkStream") -> None:
        """Have `stream.end_read` called at its `read_end`."""
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
    """A TCP connection on a socket that does not block. See `transports.AsyncNetworkStream`."""

    __slots__ = ("_closed", "_full", "_limits", "_sock", "_unsent", "read_end")

    # TCP says how it ends.
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
        # Whether the last read brought as much as one can, so that there is more.
        self._full = False
        # What a write was interrupted with: whoever reads or writes next sends it first.
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
        """Have the read that waits raise TimeoutError."""
        # Whoever writes beside it is woken as well, and waits again.
        trio.lowlevel.notify_closing(self._sock)

    async def read_ready(self) -> Optional[bytes]:
        return await self.read(None) if self.readable else None

    async def write(self, data: bytes, timeout: Optional[float]) -> None:
        if self._unsent:
            data, self._unsent = self._unsent + data, b""
        rest = memoryview(data)
        try:
            # Nothing is sent for a task that has been cancelled before.
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
        except trio.Cancelled:
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
                    pass  # or the time of whoever reads is over, which wakes both
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
            pass  # as `_send` sees; or the time of whoever reads is over

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
        # Without a word to trio, which would wake tasks: the loop may be another process's by now.
        self._closed = True
        self._sock.close()

    def abandon(self) -> None:
        # Nobody waits for it, so that trio does not know it.
        self.hang_up()
        self.forget()


def limit(timeout: Optional[float]) -> trio.CancelScope:
    """A scope that ends what runs within it after some seconds; None is never."""
    return trio.CancelScope() if timeout is None else trio.move_on_after(max(0.0, timeout))
