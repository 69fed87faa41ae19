"""What differs between a blocking and an async `httpx` client: limits on reading, and closing.

httpx has one limit for all reads of a body, set when the first one begins, and knows none for the
whole of a call; each counts the time since the last bytes came, whatever they were. An event loop
can end a read at any time. A thread that blocks in one can not be ended; instead its connection is
shut down, which wakes it.
"""

import math
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Optional

from typing_extensions import Protocol

from meshapi_backends._httpx.head_waits import AsyncHeadWait, HeadWait
from meshapi_backends._httpx.sockets import hang_up, shut_down, socket_of
from meshapi_backends._httpx.watchdog import WatchedWait
from meshapi_backends._networks.blocking import NETWORK
from meshapi_backends._networks.current import current_network


class Scope(Protocol):
    """A time limit in a `with` statement, as anyio and trio have it."""

    def __enter__(self) -> Any: ...

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> Optional[bool]: ...

    @property
    def cancelled_caught(self) -> bool:
        """Whether the limit ended what ran within."""
        ...


class AsyncFlavour:
    """The event loops, for `httpx.AsyncClient`."""

    kind = "AsyncClient"
    stream = "AsyncByteStream"

    def __init__(self) -> None:
        # What is set when a response has been closed -> the loop in which it is.
        self._closing: dict[Any, Any] = {}

    def now(self) -> float:
        """The time, on the clock that deadlines are given in."""
        return current_network().now()

    def pieces(self, response: Any) -> AsyncIterator[bytes]:
        """The body as it came over the wire."""
        pieces: AsyncIterator[bytes] = response.aiter_raw()
        return pieces

    def limit(self, seconds: Optional[float], response: Any) -> Scope:
        """Limit one read."""
        return current_network().limit(seconds)

    def limit_exchange(self, until: Optional[float], wait: AsyncHeadWait) -> Scope:
        """Limit one exchange of heads."""
        network = current_network()
        return network.limit(None if until is None else until - network.now())

    def limit_head(self, scope: Any, until: Optional[float]) -> None:
        """Limit the head that is being waited for within a scope: now that all has been sent."""
        scope.deadline = math.inf if until is None else until

    def head_wait(self, client: Any) -> AsyncHeadWait:
        """What ends the wait for a response."""
        return AsyncHeadWait()

    def start(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let a response be closed beside what runs; it has happened when `settle` returns."""
        network = current_network()
        waiter = network.waiter()
        self._closing[waiter] = network.token()
        network.start(self._run, close, waiter)

    async def _run(self, close: Callable[[], Coroutine[Any, Any, None]], waiter: Any) -> None:
        try:
            await close()
        except Exception:
            pass  # nobody is left who could do anything about it
        finally:
            self._closing.pop(waiter, None)
            waiter.set()

    async def settle(self) -> None:
        """Wait until every response is closed that was to be."""
        token = current_network().token()
        for waiter, owner in list(self._closing.items()):
            # What a loop that has ended left behind is not waited for.
            if owner == token:
                await waiter.wait(None)

    def interrupt(self, response: Any) -> None:
        """End a read that another task is waiting in."""
        self.start(response.aclose)


class Flavour:
    """The threads, for `httpx.Client`."""

    kind = "Client"
    stream = "SyncByteStream"

    def now(self) -> float:
        """The time, on the clock that deadlines are given in."""
        return NETWORK.now()

    def pieces(self, response: Any) -> Iterator[bytes]:
        """The body as it came over the wire."""
        pieces: Iterator[bytes] = response.iter_raw()
        return pieces

    def limit(self, seconds: Optional[float], response: Any) -> WatchedWait:
        """Limit one read."""
        return WatchedWait(partial(shut_down, socket_of(response)), seconds)

    def limit_exchange(self, until: Optional[float], wait: HeadWait) -> WatchedWait:
        """Limit one exchange of heads: what httpx does not limit by itself is the last step."""
        return WatchedWait(wait.expire)

    def limit_head(self, scope: Any, until: Optional[float]) -> None:
        """From now on, limit the head that is being waited for. See `AsyncFlavour`."""
        scope.limit(None if until is None else until - self.now())

    def head_wait(self, client: Any) -> HeadWait:
        """What ends the wait for a response."""
        return HeadWait(client)

    def start(self, close: Callable[[], None]) -> None:
        """Close a response."""
        try:
            close()
        except Exception:
            pass  # nobody is left who could do anything about it

    def settle(self) -> None:
        """Nothing: what was to be closed has been."""

    def interrupt(self, response: Any) -> None:
        """End a read that another thread is waiting in."""
        hang_up(response)
