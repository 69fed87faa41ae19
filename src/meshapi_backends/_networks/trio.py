"""trio: byte streams on its sockets, cancel scopes as time limits."""

import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any, Optional

import trio

from meshapi_backends._networks.addresses import Address
from meshapi_backends._networks.readiness import is_readable, is_writable
from meshapi_backends._networks.resolving import looking_up, numeric_address
from meshapi_backends._networks.socket_options import set_options
from meshapi_backends._scopes import check_ended, waiting

_READ_SIZE = 64 * 1024


class AsyncByteStream:
    """A TCP connection on a trio socket. See `transports.AsyncByteStream`."""

    __slots__ = ("_closed", "_sock", "_unsent")

    # TCP says how it ends.
    cut = False

    def __init__(self, sock: "trio.socket.SocketType") -> None:
        self._sock = sock
        self._closed = False
        # What a write was interrupted with: whoever reads or writes next sends it first.
        self._unsent = b""

    async def read(self, timeout: Optional[float]) -> bytes:
        if self._unsent:
            await self.write(b"", timeout)
        try:
            with _limit(timeout) as scope:
                return await self._sock.recv(_READ_SIZE)
        except trio.ClosedResourceError:
            return b""
        assert scope.cancelled_caught
        raise TimeoutError

    async def read_ready(self) -> Optional[bytes]:
        return await self.read(None) if self.readable else None

    async def write(self, data: bytes, timeout: Optional[float]) -> None:
        view = memoryview(data)
        if self._unsent:
            view, self._unsent = memoryview(self._unsent + data), b""
        try:
            with _limit(timeout):
                while view:
                    # trio sends nothing where it raises Cancelled.
                    view = view[await self._sock.send(view) :]
                return
        except trio.ClosedResourceError:
            raise ConnectionResetError("the connection is closed") from None
        except trio.Cancelled:
            self._unsent = bytes(view)
            raise
        raise TimeoutError

    def shared(self) -> "tuple[AsyncByteStream, None]":
        return self, None

    async def write_some(self, data: bytes, timeout: Optional[float]) -> int:
        try:
            with _limit(timeout):
                return await self._sock.send(data)
        except trio.ClosedResourceError:
            raise ConnectionResetError("the connection is closed") from None
        raise TimeoutError

    def send_now(self, data: bytearray) -> int:
        return 0

    @property
    def writable(self) -> bool:
        return self._closed or is_writable(self._sock)  # type: ignore[arg-type]  # as is_readable

    @property
    def readable(self) -> bool:
        return self._closed or _readable(self._sock)

    def abort(self) -> None:
        self._closed = True
        try:
            self._sock.close()
        except RuntimeError:  # outside of trio: the loop has ended
            self.forget()

    def hang_up(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except (OSError, trio.ClosedResourceError):
            pass  # gone already

    def forget(self) -> None:
        # trio's own close() would wake tasks, and the loop may be another process's by now.
        self._closed = True
        descriptor = self._sock.detach()
        if descriptor >= 0:
            socket.close(descriptor)


def _limit(timeout: Optional[float]) -> trio.CancelScope:
    return trio.CancelScope() if timeout is None else trio.move_on_after(max(0.0, timeout))


def _nothing() -> None:
    """What a loop can be asked to do to see whether it lives."""


def _readable(sock: "trio.socket.SocketType") -> bool:
    return is_readable(sock)  # type: ignore[arg-type]  # polling needs the fileno() alone


class AsyncWaiter:
    """One task waits, another wakes it."""

    __slots__ = ("_event", "_token")

    def __init__(self) -> None:
        self._event = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def set(self) -> None:
        self._event.set()

    def set_from_thread(self) -> None:
        """The same from another thread."""
        try:
            self._token.run_sync_soon(self.set)
        except trio.RunFinishedError:
            pass  # the loop has ended, and whoever waited in it

    async def wait(self, timeout: Optional[float]) -> bool:
        with _limit(timeout):
            await self._event.wait()
        return self._event.is_set()


class AsyncNetwork:
    """The network and clock of the running trio loop."""

    def token(self) -> Any:
        """What stands for the running loop."""
        return trio.lowlevel.current_trio_token()

    def has_ended(self, token: Any) -> bool:
        """Whether that loop will never run again."""
        try:
            token.run_sync_soon(_nothing, idempotent=True)
        except trio.RunFinishedError:
            return True
        return False

    def call_soon(self, token: Any, function: Callable[[], object]) -> bool:
        """Call a function in that loop, from another thread; False where it has ended."""
        try:
            token.run_sync_soon(function)
        except trio.RunFinishedError:
            return False
        return True

    def now(self) -> float:
        return trio.current_time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def resolve(self, host: str, port: int, timeout: Optional[float]) -> list[Address]:
        numeric = numeric_address(host, port)
        if numeric is not None:
            await trio.lowlevel.checkpoint()
            return [numeric]
        # Not trio's getaddrinfo(): before its thread it asks the resolver in the loop's own.
        waiter = AsyncWaiter()
        with looking_up(host, port, waiter) as look_up:
            in_time = await waiter.wait(timeout)
        return look_up.addresses(in_time)

    async def connect(self, address: Address, timeout: Optional[float]) -> AsyncByteStream:
        sock = trio.socket.socket(address.family, socket.SOCK_STREAM)
        try:
            with _limit(timeout) as scope, waiting(scope.cancel):
                await sock.connect(address.sockaddr)
                set_options(sock)
                return AsyncByteStream(sock)
            check_ended()
            raise TimeoutError
        except BaseException:
            sock.close()
            raise

    def limit(self, seconds: Optional[float]) -> trio.CancelScope:
        """A scope that ends what runs within it after some seconds."""
        return _limit(seconds)

    def start(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run a function beside the one that runs. It raises nothing but cancellation."""
        trio.lowlevel.spawn_system_task(function, *args)

    def waiter(self) -> AsyncWaiter:
        return AsyncWaiter()

    def lock(self) -> AbstractContextManager[Any]:
        # Nobody has to wait for it. As it is in C, it costs less than a `nullcontext`.
        return RLock()


NETWORK = AsyncNetwork()
