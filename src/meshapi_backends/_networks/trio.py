"""The network on trio: connections, name look-ups, clock, waiters."""

import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any, Optional, TypeVar

import trio

from meshapi_backends._networks.addresses import Address
from meshapi_backends._networks.resolving import looking_up, numeric_address
from meshapi_backends._networks.socket_options import set_options
from meshapi_backends._networks.trio_streams import AsyncNetworkStream, limit
from meshapi_backends._scopes import check_ended, waiting

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

    async def connect(self, address: Address, timeout: Optional[float]) -> AsyncNetworkStream:
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            with limit(timeout) as scope, waiting(scope.cancel):
                await trio.socket.from_stdlib_socket(sock).connect(address.sockaddr)
                set_options(sock)
                return AsyncNetworkStream(sock)
            check_ended()
            raise TimeoutError
        except BaseException:
            sock.close()
            raise

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

    def waiter(self) -> AsyncWaiter:
        return AsyncWaiter()

    def lock(self) -> AbstractContextManager[Any]:
        # Never contended within one loop. It is written in C, and cheaper than a `nullcontext`.
        return RLock()


NETWORK = AsyncNetwork()
