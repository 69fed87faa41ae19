"""The network on trio: connections, name look-ups, clock, waiters."""

import os
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any, Optional, TypeVar

import trio

from meshapi_backends._networks.addresses import Address
from meshapi_backends._networks.resolving import looking_up, numeric_address
from meshapi_backends._networks.socket_options import (
    CONNECTING,
    DEFAULT_OPTIONS,
    new_socket,
    set_options,
)
from meshapi_backends._networks.trio_streams import AsyncNetworkStream, limit
from meshapi_backends._networks.workers import TLS_WORKERS, value_of, working
from meshapi_backends._scopes import check_ended, waiting
from meshapi_core import AwaitAttempts, Dialing, SocketOptions, StartAttempt

T = TypeVar("T")

_T = TypeVar("_T")


def _nothing() -> None:
    """Run in a loop in order to see whether it still runs."""


class AsyncWaiter:
    """An event that one task waits for and another sets."""

    __slots__ = ("_event", "_token")

    def __init__(self) -> None:
        self._event = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def set(self) -> None:
        self._event.set()

    def set_from_thread(self) -> None:
        """The same as `set()`, from another thread."""
        try:
            self._token.run_sync_soon(self.set)
        except trio.RunFinishedError:
            pass  # the loop has ended, and with it the task that waited

    async def wait(self, timeout: Optional[float]) -> bool:
        with limit(timeout):
            await self._event.wait()
        return self._event.is_set()


class AsyncNetwork:
    """The network and clock of the running trio loop."""

    def token(self) -> Any:
        """A value that identifies the running loop."""
        return trio.lowlevel.current_trio_token()

    def has_ended(self, token: Any) -> bool:
        """Whether that loop will never run again."""
        try:
            token.run_sync_soon(_nothing, idempotent=True)
        except trio.RunFinishedError:
            return True
        return False

    def call_soon(self, token: Any, function: Callable[[], object]) -> bool:
        """Call a function in that loop, from another thread; False if it has ended."""
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
        # Not trio's getaddrinfo(): it first calls the system's resolver in the loop's own thread.
        waiter = AsyncWaiter()
        with looking_up(host, port, waiter) as look_up:
            in_time = await waiter.wait(timeout)
        return look_up.addresses(in_time)

    async def connect(
        self, address: Address, timeout: Optional[float], sockets: SocketOptions = DEFAULT_OPTIONS
    ) -> AsyncNetworkStream:
        sock = new_socket(address, sockets)
        try:
            with limit(timeout) as scope, waiting(scope.cancel):
                await trio.socket.from_stdlib_socket(sock).connect(address.sockaddr)
                set_options(sock, sockets)
                return AsyncNetworkStream(sock)
            check_ended()
            raise TimeoutError
        except BaseException:
            sock.close()
            raise

    async def connect_first(
        self, dialing: Dialing[Address], sockets: SocketOptions
    ) -> AsyncNetworkStream:
        attempts = _Attempts(dialing, sockets)
        try:
            with trio.CancelScope() as scope, waiting(scope.cancel):
                sock = await attempts.run()
                return await self.adopt(sock, sockets)
        finally:
            attempts.close()
        check_ended()
        raise TimeoutError

    async def adopt(self, sock: socket.socket, sockets: SocketOptions) -> AsyncNetworkStream:
        try:
            set_options(sock, sockets)
            return AsyncNetworkStream(sock)
        except BaseException:
            sock.close()
            raise

    async def in_thread(self, function: Callable[[], T], timeout: Optional[float]) -> T:
        waiter = AsyncWaiter()
        with working(function, waiter, TLS_WORKERS) as work:
            in_time = await waiter.wait(timeout)
        return value_of(work, in_time=in_time)

    def limit(self, seconds: Optional[float]) -> trio.CancelScope:
        """A scope that cancels its block after some seconds; None is never."""
        return limit(seconds)

    async def in_time(self, coroutine: Coroutine[Any, Any, _T], seconds: float) -> _T:
        """The result of a coroutine.

        Raises:
            TimeoutError: the time is over; the coroutine was cancelled.
        """
        with trio.move_on_after(seconds):
            return await coroutine
        raise TimeoutError

    def start(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run a function as a new task. It must raise nothing but cancellation."""
        trio.lowlevel.spawn_system_task(function, *args)

    async def together(self, functions: "Sequence[Callable[[], Awaitable[None]]]") -> None:
        """Run functions as tasks, until all have ended.

        Where one raises, the caller is interrupted or the current scope is ended, all the tasks are
        cancelled, and awaited.

        Raises:
            WaitEnded: the current scope was ended.
            BaseException: what a function raised.
        """
        # Loaded when it is used: only functions of the program's run side by side.
        from meshapi_backends._networks.trio_tasks import together

        await together(functions)

    def waiter(self) -> AsyncWaiter:
        return AsyncWaiter()

    def lock(self) -> AbstractContextManager[Any]:
        # Never contended within one loop. It is written in C, and cheaper than a `nullcontext`.
        return RLock()


class _Attempts:
    """Sockets that connect at the same time; does what a `Dialing` says.

    Each is watched by a system task, which ends when its socket is closed: so giving the attempts
    up needs no `await`, unlike leaving a nursery.
    """

    def __init__(self, dialing: Dialing[Address], sockets: SocketOptions) -> None:
        self._dialing = dialing
        self._sockets = sockets
        self._open: dict[int, socket.socket] = {}
        self._changed = trio.Event()

    async def run(self) -> socket.socket:
        """The socket that has connected first; it is the caller's from then on.

        Raises:
            OSError, TimeoutError, TransportError: none has connected.
        """
        while True:
            action = self._dialing.next_action(trio.current_time())
            if isinstance(action, StartAttempt):
                self._start(action)
            elif isinstance(action, AwaitAttempts):
                with limit(None if action.until is None else action.until - trio.current_time()):
                    await self._changed.wait()
                    self._changed = trio.Event()
            else:
                return self._open.pop(action.number)

    def _start(self, action: StartAttempt[Address]) -> None:
        number = action.number
        try:
            sock = self._open[number] = new_socket(action.address, self._sockets)
        except OSError as exc:
            self._dialing.failed(number, exc, trio.current_time())
            return
        code = sock.connect_ex(action.address.sockaddr)
        if code in CONNECTING:
            trio.lowlevel.spawn_system_task(self._watch, number, sock)
        else:
            self._report(number, code)

    async def _watch(self, number: int, sock: socket.socket) -> None:
        if number not in self._open:
            return  # given up before this task has begun
        try:
            await trio.lowlevel.wait_writable(sock)
        except trio.ClosedResourceError:
            return  # given up
        if number in self._open:
            self._report(number, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _report(self, number: int, code: int) -> None:
        if code:
            self._open.pop(number).close()
            self._dialing.failed(number, OSError(code, os.strerror(code)), trio.current_time())
        else:
            self._dialing.connected(number)
        self._changed.set()

    def close(self) -> None:
        """Close the sockets that are left, and end the tasks that watch them."""
        while self._open:
            sock = self._open.popitem()[1]
            trio.lowlevel.notify_closing(sock)
            sock.close()


NETWORK = AsyncNetwork()
