"""What differs between a blocking and an async `httpx` client: time limits, and closing.

httpx takes one time limit for all reads of a body, when the first one begins. It counts from the
last bytes that arrived, whatever they were, and there is none for a whole call. An event loop can
end a read at any time. A thread that is blocked in a read cannot be interrupted; its connection is
shut down instead, which wakes it.
"""

import math
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Optional

from typing_extensions import Protocol

from meshapi_backends._http_clients.head_waits import AsyncHeadWait, HeadWait
from meshapi_backends._http_clients.sockets import hang_up, shut_down, socket_of
from meshapi_backends._http_clients.watchdog import WatchedWait
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
        """Whether the limit ended the block."""
        ...


class AsyncFlavour:
    """The event loops, for `httpx.AsyncClient`."""

    kind = "AsyncClient"
    stream = "AsyncByteStream"

    def __init__(self) -> None:
        # The waiters of responses that are being closed -> the loop that closes them.
        self._closing: dict[Any, Any] = {}

    def now(self) -> float:
        """The time, on the clock of all deadlines."""
        return current_network().now()

    def pieces(self, response: Any) -> AsyncIterator[bytes]:
        """The body as it arrived, with its content coding."""
        pieces: AsyncIterator[bytes] = response.aiter_raw()
        return pieces

    def limit(self, seconds: Optional[float], response: Any) -> Scope:
        """Limit one read."""
        return current_network().limit(seconds)

    def limit_exchange(self, until: Optional[float], wait: AsyncHeadWait) -> Scope:
        """Limit one exchange: the request, and the head of its response."""
        network = current_network()
        return network.limit(None if until is None else until - network.now())

    def limit_head(self, scope: Any, until: Optional[float]) -> None:
        """Limit the wait for the head within a scope, now that the whole request has been sent."""
        scope.deadline = math.inf if until is None else until

    def head_wait(self, client: Any) -> AsyncHeadWait:
        """A wait for the head of a response, to be ended from elsewhere."""
        return AsyncHeadWait()

    def start(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Close a response in a task of its own; `settle` waits for that."""
        network = current_network()
        waiter = network.waiter()
        self._closing[waiter] = network.token()
        network.start(self._run, close, waiter)

    async def _run(self, close: Callable[[], Coroutine[Any, Any, None]], waiter: Any) -> None:
        try:
            await close()
        except Exception:
            pass  # nobody could do anything about it
        finally:
            self._closing.pop(waiter, None)
            waiter.set()

    async def settle(self) -> None:
        """Wait until all responses are closed whose closing has begun."""
        token = current_network().token()
        while True:
            # Only those of this loop: another one may have ended, and would never set its waiters.
            own = [waiter for waiter, owner in self._closing.items() if owner == token]
            if not own:
                return
            await own[0].wait(None)

    def interrupt(self, response: Any) -> None:
        """End a read in which another task waits."""
        self.start(response.aclose)


class Flavour:
    """The threads, for `httpx.Client`."""

    kind = "Client"
    stream = "SyncByteStream"

    def now(self) -> float:
        """The time, on the clock of all deadlines."""
        return NETWORK.now()

    def pieces(self, response: Any) -> Iterator[bytes]:
        """The body as it arrived, with its content coding."""
        pieces: Iterator[bytes] = response.iter_raw()
        return pieces

    def limit(self, seconds: Optional[float], response: Any) -> WatchedWait:
        """Limit one read."""
        return WatchedWait(partial(shut_down, socket_of(response)), seconds)

    def limit_exchange(self, until: Optional[float], wait: HeadWait) -> WatchedWait:
        """Limit one exchange: from `limit_head` on, as httpx itself limits the earlier steps."""
        return WatchedWait(wait.expire)

    def limit_head(self, scope: Any, until: Optional[float]) -> None:
        """Limit the wait for the head from now on. See `AsyncFlavour`."""
        scope.limit(None if until is None else until - self.now())

    def head_wait(self, client: Any) -> HeadWait:
        """A wait for the head of a response, to be ended from elsewhere."""
        return HeadWait(client)

    def start(self, close: Callable[[], None]) -> None:
        """Close a response."""
        try:
            close()
        except Exception:
            pass  # nobody could do anything about it

    def settle(self) -> None:
        """Does nothing, because `start` has closed the responses."""

    def interrupt(self, response: Any) -> None:
        """End a read in which another thread waits."""
        hang_up(response)
