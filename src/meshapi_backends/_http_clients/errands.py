"""Steps of an HTTP library that no cancellation reaches.

Libraries lose connections when a task is cancelled while it is in their code: only some of their
clean-up is shielded, and none of it against a second `task.cancel()`. So an `AsyncErrand` runs a
step in a task that nobody else can cancel, and its owner only waits for the outcome. Whoever leaves
ends the errand, by shutting down the socket below it, or by a cancel scope, which the libraries'
shields stop. A thread cannot be cancelled, so an `Errand` runs in the thread itself.

Source: https://github.com/encode/httpcore/issues/1093
"""

import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Optional

from meshapi_backends._http_clients.watchdog import WATCHDOG, Alarm
from meshapi_backends._networks.blocking import NETWORK
from meshapi_backends._networks.current import current_network

CLEANING = 5.0
"""Seconds that closing a connection may take in a scope that has been cancelled."""


class AsyncErrand:
    """One step, in a task of its own.

    Args:
        step: what to run.
        until: a time by which it must be done.
        end_wait: shuts down the socket on which the step waits; False if there is none, or others
            share it. The step's scope is cancelled then.
    """

    def __init__(
        self,
        step: Callable[[], Awaitable[Any]],
        until: Optional[float] = None,
        end_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        network = current_network()
        self._scope = network.limit(None)
        self._until: Optional[float] = None
        self._is_held = self._is_ended = False
        self.limit(until)
        self._end_wait = end_wait
        self._waiter = network.waiter()
        self._value: Any = None
        self._exc: Optional[BaseException] = TimeoutError()
        self._afterwards: Optional[Callable[[Any], object]] = None
        self.done = False
        network.start(self._run, step)

    async def _run(self, step: Callable[[], Awaitable[Any]]) -> None:
        try:
            with self._scope:
                self._value = await step()
                self._exc = None
        except Exception as exc:
            self._exc = exc
        except BaseException:
            self._exc = ConnectionAbortedError("the event loop was being shut down")
            raise
        finally:
            self.done = True
            self._waiter.set()
            if self._afterwards is not None:
                self._afterwards(self._value)

    async def outcome(self) -> Any:
        """What the step returned. An interrupted wait loses nothing: wait again, or `leave`.

        Raises:
            TimeoutError: the time was over, or the errand was ended.
            Exception: what the step raised.
        """
        if not self.done:
            await self._waiter.wait(None)
        exc = self._exc
        if exc is None:
            return self._value
        try:
            raise exc
        finally:
            # No cycle of the exception and this frame.
            del exc

    def limit(self, until: Optional[float]) -> None:
        """Set the time by which the step must be done."""
        self._until = until
        self._scope.deadline = float("inf") if until is None or self._is_held else until

    def hold(self, held: bool) -> None:
        """While held, the step is not ended: it is where the library cannot bear that."""
        self._is_held = held
        self.limit(self._until)
        if not held and self._is_ended:
            self._scope.cancel()

    def end(self) -> None:
        """End the step, without waiting. Harmless at any time, and twice."""
        if not self.done and not self._end_wait():
            self._is_ended = True
            if not self._is_held:
                self._scope.cancel()

    def leave(self, afterwards: Callable[[Any], object]) -> None:
        """End the step, and have a function called when it is over, with its value or None."""
        if self.done:
            afterwards(self._value)
            return
        self._afterwards = afterwards
        self.end()


class Errand:
    """One step, in the thread of whoever waits for its outcome. See `AsyncErrand`."""

    def __init__(
        self,
        step: Callable[[], Any],
        until: Optional[float] = None,
        end_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        self._step = step
        self._end_wait = end_wait
        self._alarm: Optional[Alarm] = None
        self._value: Any = None
        self._expired = False
        self._afterwards: Optional[Callable[[Any], object]] = None
        self.done = False
        self.limit(until)

    def outcome(self) -> Any:
        """Run the step, and return what it returned. See `AsyncErrand.outcome`."""
        try:
            self._value = self._step()
        except Exception:
            self.limit(None)
            if self._expired:
                raise TimeoutError from None
            raise
        finally:
            self.limit(None)
            self.done = True
            self._go_on()
        if self._expired:
            raise TimeoutError
        return self._value

    def limit(self, until: Optional[float]) -> None:
        """Set the time by which the step must be done."""
        WATCHDOG.disarm(self._alarm)
        self._alarm = None
        if until is not None:
            self._alarm = WATCHDOG.arm(max(0.0, until - NETWORK.now()), self._ring)

    def hold(self, held: bool) -> None:
        """Does nothing: threads are not cancelled."""

    def _ring(self) -> None:
        self._expired = self._end_wait()

    def end(self) -> None:
        """End the step, from another thread."""
        if not self.done:
            self._end_wait()

    def leave(self, afterwards: Callable[[Any], object]) -> None:
        """End the step, and have a function called when it is over. See `AsyncErrand`."""
        self._afterwards = afterwards
        if self.done:
            self._go_on()
        else:
            self.end()

    def _go_on(self) -> None:
        afterwards, self._afterwards = self._afterwards, None
        if afterwards is not None:
            afterwards(self._value)


class AsyncSteps:
    """What else differs for httpcore on an event loop."""

    pool = "AsyncConnectionPool"
    handle = "handle_async_request"
    # A read that was interrupted goes on, and its outcome waits for the next one.
    resumable = True
    # On HTTP/2, a read limit of httpcore ends the connection, and all of its calls with it.
    limits_shared_reads = False

    @staticmethod
    def shared(stream: Any) -> Any:
        """A stream of an HTTP/2 connection, as tasks can share it."""
        return stream

    @staticmethod
    def guard(pool: Any, lock: threading.Lock) -> None:
        """Does nothing: no task is suspended where another would disturb it."""

    @staticmethod
    def drop_kept() -> None:
        """Does nothing. See `guard`."""

    @staticmethod
    def backend(library: Any) -> Any:
        """The library's network for the running loop."""
        # As `current_network` does.
        trio = sys.modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_task():
            return library.TrioBackend()
        return library.AnyIOBackend()

    @staticmethod
    async def in_thread(function: Callable[[], Any], timeout: Optional[float]) -> Any:
        """Run a function that may block."""
        return await current_network().in_thread(function, timeout)

    @staticmethod
    def token() -> Any:
        """What identifies the running loop."""
        return current_network().token()

    @staticmethod
    def has_ended(token: Any) -> bool:
        """Whether that loop will never run again."""
        return current_network().has_ended(token)

    @staticmethod
    async def finish(pieces: AsyncIterator[bytes]) -> None:
        """Finish a generator, and all those below it.

        Otherwise they are left to the garbage collector, about which trio warns. It is resumed in a
        cancelled scope, so that it ends where it would wait.
        """
        scope = current_network().limit(None)
        scope.cancel()
        with scope:
            async for _ in pieces:
                pass

    @staticmethod
    async def shielded(step: Callable[[], Awaitable[Any]], seconds: Optional[float] = None) -> None:
        """Run a step to its end, or for some seconds, though the scope around it is cancelled."""
        scope = current_network().limit(seconds)
        scope.shield = True
        with scope:
            await step()


class Steps:
    """What else differs for httpcore in a thread. See `AsyncSteps`."""

    pool = "ConnectionPool"
    handle = "handle_request"
    resumable = False
    limits_shared_reads = True

    @staticmethod
    def shared(stream: Any) -> Any:
        """A stream of an HTTP/2 connection, as threads can share it."""
        from meshapi_backends._http_clients.guarded import GuardedStream

        return GuardedStream(stream)

    @staticmethod
    def guard(pool: Any, lock: threading.Lock) -> None:
        """Add the locks that new HTTP/2 connections of a pool lack."""
        from meshapi_backends._http_clients.guarded import guard_connections

        guard_connections(pool.connections, lock)

    @staticmethod
    def drop_kept() -> None:
        """Drop the lock that this thread keeps, after an exception."""
        guarded = sys.modules.get("meshapi_backends._http_clients.guarded")
        if guarded is not None:
            guarded.drop_kept()

    @staticmethod
    def backend(library: Any) -> Any:
        """The library's network for threads."""
        return library.SyncBackend()

    @staticmethod
    def in_thread(function: Callable[[], Any], timeout: Optional[float]) -> Any:
        """Run a function that may block."""
        return function()

    @staticmethod
    def token() -> Any:
        """Threads share a pool."""
        return None

    @staticmethod
    def has_ended(token: Any) -> bool:
        """Threads have no loop that could end."""
        return False

    @staticmethod
    def finish(pieces: Iterator[bytes]) -> None:
        """Finish a generator, and all those below it."""
        close: Any = getattr(pieces, "close", None)
        if close is not None:
            close()

    @staticmethod
    def shielded(step: Callable[[], Any], seconds: Optional[float] = None) -> None:
        """Run a step."""
        step()
