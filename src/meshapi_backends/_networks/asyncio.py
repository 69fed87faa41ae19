"""The network on asyncio: connections, name look-ups, clock, waiters."""

import asyncio
import socket
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import AbstractContextManager
from contextvars import Context
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from meshapi_backends._networks.addresses import Address
from meshapi_backends._networks.asyncio_streams import AsyncNetworkStream, wake
from meshapi_backends._networks.resolving import looking_up, numeric_address
from meshapi_backends._networks.socket_options import DEFAULT_OPTIONS, new_socket, set_options
from meshapi_backends._networks.workers import TLS_WORKERS, value_of, working
from meshapi_backends._scopes import check_ended, waiting
from meshapi_core import AwaitAttempts, Dialing, SocketOptions, StartAttempt

if TYPE_CHECKING:
    import anyio

_T = TypeVar("_T")

# References to the tasks of `start`: the loop holds weak ones only, and a task without another
# could be garbage-collected before it ends.
_TASKS: "set[asyncio.Task[None]]" = set()


class AsyncWaiter:
    """An event that one task waits for and another sets."""

    __slots__ = ("_future", "_loop", "_set")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: Optional[asyncio.Future[None]] = None
        self._set = False

    def set(self) -> None:
        self._set = True
        wake(self._future)

    def set_from_thread(self) -> None:
        """The same as `set()`, from another thread."""
        try:
            self._loop.call_soon_threadsafe(self.set)
        except RuntimeError:
            pass  # the loop has ended, and with it the task that waited

    async def wait(self, timeout: Optional[float]) -> bool:
        if self._set:
            return True
        # A new future each time: one that has timed out is done, and would never block again.
        self._future = self._loop.create_future()
        timer = None if timeout is None else self._loop.call_later(timeout, wake, self._future)
        try:
            await self._future
        finally:
            self._future = None
            if timer is not None:
                timer.cancel()
        return self._set


class AsyncNetwork:
    """The network and clock of the running loop."""

    def token(self) -> Any:
        """A value that identifies the running loop."""
        return asyncio.get_running_loop()

    def has_ended(self, token: Any) -> bool:
        """Whether that loop will never run again."""
        return bool(token.is_closed())

    def call_soon(self, token: Any, function: Callable[[], object]) -> bool:
        """Call a function in that loop, from another thread; False if it has ended."""
        try:
            token.call_soon_threadsafe(function)
        except RuntimeError:
            return False
        return True

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def resolve(self, host: str, port: int, timeout: Optional[float]) -> list[Address]:
        numeric = numeric_address(host, port)
        if numeric is not None:
            return [numeric]
        # Not loop.getaddrinfo(): it takes threads from the program's pool, and the program waits
        # for them when it ends.
        waiter = AsyncWaiter()
        with looking_up(host, port, waiter) as look_up:
            in_time = await waiter.wait(timeout)
        return look_up.addresses(in_time)

    async def connect(
        self, address: Address, timeout: Optional[float], sockets: SocketOptions = DEFAULT_OPTIONS
    ) -> AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        sock = new_socket(address, sockets)
        connecting = loop.create_task(loop.sock_connect(sock, address.sockaddr))
        try:
            with waiting(connecting.cancel):
                await _result(connecting, timeout)
        except BaseException:
            # Not before the loop has let go of it: another socket may get its descriptor at once.
            connecting.add_done_callback(lambda _: sock.close())
            raise
        return await self.adopt(sock, sockets)

    async def connect_first(
        self, dialing: Dialing[Address], sockets: SocketOptions
    ) -> AsyncNetworkStream:
        attempts = _Attempts(dialing, sockets)
        try:
            with waiting(attempts.cancel):
                sock = await attempts.run()
        except BaseException:
            await end_tasks(attempts.close())
            raise
        attempts.close()
        return await self.adopt(sock, sockets)

    async def adopt(self, sock: socket.socket, sockets: SocketOptions) -> AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        stream = AsyncNetworkStream(loop, sock)
        try:
            set_options(sock, sockets)
            # In a context of its own. The loop keeps the context while the connection is open, and
            # the caller's may hold anything, such as the request that a web server is handling.
            open_ = loop.create_connection if sockets.uds is None else loop.create_unix_connection
            await Context().run(loop.create_task, open_(lambda: stream, sock=sock))
            if not sockets.no_delay:
                set_options(sock, sockets)  # the loop has turned it on
        except BaseException:
            stream.abort()
            raise
        return stream

    async def in_thread(self, function: Callable[[], _T], timeout: Optional[float]) -> _T:
        waiter = AsyncWaiter()
        with working(function, waiter, TLS_WORKERS) as work:
            in_time = await waiter.wait(timeout)
        return value_of(work, in_time=in_time)

    def limit(self, seconds: Optional[float]) -> "anyio.CancelScope":
        """A scope that cancels its block after some seconds; None is never."""
        # Loaded when it is used: only clients over an injected HTTP client need it.
        import anyio

        return anyio.move_on_after(None if seconds is None else max(0.0, seconds))

    async def in_time(self, coroutine: Coroutine[Any, Any, _T], seconds: float) -> _T:
        """The result of a coroutine.

        Raises:
            TimeoutError: the time is over; the coroutine was cancelled.
        """
        return await _result(asyncio.get_running_loop().create_task(coroutine), seconds)

    def start(self, function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        """Run a function as a new task. It must raise nothing but cancellation."""
        task = asyncio.get_running_loop().create_task(function(*args))
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)

    async def together(
        self, functions: "Sequence[Callable[[], Coroutine[Any, Any, None]]]"
    ) -> None:
        """Run functions as tasks, until all have ended.

        Where one raises, the caller is interrupted or the current scope is ended, all the tasks are
        cancelled, and awaited.

        Raises:
            WaitEnded: the current scope was ended.
            BaseException: what a function raised.
        """
        # Loaded when it is used: only functions of the program's run side by side.
        from meshapi_backends._networks.asyncio_tasks import together

        await together(functions)

    def waiter(self) -> AsyncWaiter:
        return AsyncWaiter()

    def lock(self) -> AbstractContextManager[Any]:
        # Never contended within one loop. It is written in C, and cheaper than a `nullcontext`.
        return RLock()


class _Attempts:
    """Tasks that connect at the same time; does what a `Dialing` says."""

    def __init__(self, dialing: Dialing[Address], sockets: SocketOptions) -> None:
        self._dialing = dialing
        self._sockets = sockets
        self._loop = asyncio.get_running_loop()
        self._running: dict[asyncio.Task[None], tuple[int, socket.socket]] = {}
        self._connected: dict[int, socket.socket] = {}

    async def run(self) -> socket.socket:
        """The socket that has connected first; it is the caller's from then on.

        Raises:
            OSError, TimeoutError, TransportError: none has connected.
            WaitEnded: the current scope has been ended.
        """
        while True:
            action = self._dialing.next_action(self._loop.time())
            if isinstance(action, StartAttempt):
                self._start(action)
            elif isinstance(action, AwaitAttempts):
                await self._wait(action.until)
            else:
                return self._connected.pop(action.number)

    def _start(self, action: StartAttempt[Address]) -> None:
        try:
            sock = new_socket(action.address, self._sockets)
        except OSError as exc:
            self._dialing.failed(action.number, exc, self._loop.time())
            return
        task = self._loop.create_task(self._loop.sock_connect(sock, action.address.sockaddr))
        self._running[task] = (action.number, sock)

    async def _wait(self, until: Optional[float]) -> None:
        left = None if until is None else max(0.0, until - self._loop.time())
        done, _ = await asyncio.wait(
            [*self._running], timeout=left, return_when=asyncio.FIRST_COMPLETED
        )
        check_ended()
        for task in done:
            number, sock = self._running.pop(task)
            try:
                task.result()
            except BaseException as exc:
                sock.close()
                if not isinstance(exc, OSError):
                    raise
                self._dialing.failed(number, exc, self._loop.time())
            else:
                self._connected[number] = sock
                self._dialing.connected(number)

    def cancel(self) -> None:
        """Wake the task that waits."""
        for task in self._running:
            task.cancel()

    def close(self) -> "list[asyncio.Task[None]]":
        """Close the sockets that are left, and return the tasks that still connect, cancelled.

        Their sockets are closed when the loop lets go of them.
        """
        while self._connected:
            self._connected.popitem()[1].close()
        for task, (_, sock) in self._running.items():
            task.add_done_callback(_forget_result)
            task.add_done_callback(partial(_close, sock))
            task.cancel()
        return [*self._running]


def _close(sock: socket.socket, task: "asyncio.Task[None]") -> None:
    sock.close()


async def _result(task: "asyncio.Task[_T]", timeout: Optional[float]) -> _T:
    """A task's result. If the wait for it is cancelled or times out, so is the task.

    Not wait_for, which before Python 3.12 swallows a cancellation that comes with the result.
    """
    try:
        done, _ = await asyncio.wait((task,), timeout=timeout)
        if not done:
            task.cancel()
            await asyncio.wait((task,))  # it ends at once
            raise TimeoutError
        if task.cancelled():
            check_ended()
        return task.result()
    except BaseException:
        task.add_done_callback(_forget_result)
        await end_tasks((task,))
        raise


async def end_tasks(tasks: "Collection[asyncio.Task[Any]]") -> None:
    """Cancel tasks, and wait until they have ended, so that nothing outlives its caller.

    A caller that is cancelled again cancels them again, and is told when they have ended.
    """
    interruption: Optional[asyncio.CancelledError] = None
    left: list[asyncio.Task[Any]] = [task for task in tasks if task.cancel()]
    while left:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as exc:
            interruption = exc
        left = [task for task in left if task.cancel()]
    if interruption is not None:
        raise interruption


def _forget_result(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()  # retrieved, so that the loop does not log it


NETWORK = AsyncNetwork()
