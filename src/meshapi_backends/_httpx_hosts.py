"""What differs between a blocking and an async `httpx` client: limits on reading, and closing.

httpx has one limit for all reads of a body, set when the first one begins, and knows none for the
whole of a call; each counts the time since the last bytes came, whatever they were. An event loop
can end a read at any time. A thread that blocks in one can not be ended; instead its connection is
shut down, which wakes it.
"""

import math
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Optional

from typing_extensions import Protocol, Self

from meshapi_backends._async.transports import AsyncWaiter
from meshapi_backends._network_sync import NETWORK
from meshapi_backends._per_loop import current_network
from meshapi_backends._watchdog import WATCHDOG, Alarm


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


class AsyncHost:
    """The event loops, for `httpx.AsyncClient`."""

    kind = "AsyncClient"
    stream = "AsyncByteStream"

    def __init__(self) -> None:
        self._closing: dict[AsyncWaiter, Any] = {}

    def now(self) -> float:
        """The time, on the clock that deadlines are given in."""
        return current_network().now()

    def pieces(self, response: Any) -> AsyncIterator[bytes]:
        """The body as it came over the wire."""
        pieces: AsyncIterator[bytes] = response.aiter_raw()
        return pieces

    def limit(self, seconds: Optional[float], response: Any) -> Scope:
        """Limit one read."""
        scope: Scope = _loop().limit(seconds)
        return scope

    def limit_exchange(self, until: Optional[float], line: "AsyncLine") -> Scope:
        """Limit one exchange of heads."""
        scope: Scope = _loop().limit(None if until is None else until - self.now())
        return scope

    def limit_head(self, scope: Any, until: Optional[float]) -> None:
        """Limit the head that is being waited for within a scope: now that all has been sent."""
        scope.deadline = math.inf if until is None else until

    def line(self, client: Any) -> "AsyncLine":
        """What ends the wait for an answer."""
        return AsyncLine()

    def start(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let an answer be closed beside what runs; it has happened when `settle` returns."""
        network = current_network()
        waiter = network.waiter()
        self._closing[waiter] = network.token()
        _loop().start(self._run, close, waiter)

    async def _run(
        self, close: Callable[[], Coroutine[Any, Any, None]], waiter: AsyncWaiter
    ) -> None:
        try:
            await close()
        except Exception:
            pass  # nobody is left who could do anything about it
        finally:
            self._closing.pop(waiter, None)
            waiter.set()

    async def settle(self) -> None:
        """Wait until every answer is closed that was to be."""
        token = current_network().token()
        for waiter, owner in list(self._closing.items()):
            # What a loop that has ended left behind is not waited for.
            if owner == token:
                await waiter.wait(None)

    def interrupt(self, response: Any) -> None:
        """End a read that another task is waiting in."""
        self.start(response.aclose)


def _loop() -> Any:
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        from meshapi_backends import _httpx_trio

        return _httpx_trio
    from meshapi_backends import _httpx_asyncio

    return _httpx_asyncio


class Host:
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

    def limit(self, seconds: Optional[float], response: Any) -> "Watch":
        """Limit one read."""
        return Watch(partial(shut_down, _socket(response)), seconds)

    def limit_exchange(self, until: Optional[float], line: "Line") -> "Watch":
        """Limit one exchange of heads: what httpx does not limit by itself is the last step."""
        return Watch(line.expire)

    def limit_head(self, scope: Any, until: Optional[float]) -> None:
        """From now on, limit the head that is being waited for. See `AsyncHost`."""
        scope.limit(None if until is None else until - self.now())

    def line(self, client: Any) -> "Line":
        """What ends the wait for an answer."""
        return Line(client)

    def start(self, close: Callable[[], None]) -> None:
        """Close an answer."""
        try:
            close()
        except Exception:
            pass  # nobody is left who could do anything about it

    def settle(self) -> None:
        """Nothing: what was to be closed has been."""

    def interrupt(self, response: Any) -> None:
        """End a read that another thread is waiting in."""
        hang_up(response)


class Watch:
    """A limit on one wait of a thread: when it is over, the connection is shut down.

    Args:
        end_wait: shuts it down; False where there is none, and then the wait goes on.
        seconds: for the whole of the block; None is for no more than `limit` says within it.
    """

    def __init__(self, end_wait: Callable[[], bool], seconds: Optional[float] = None) -> None:
        self.cancelled_caught = False
        self._end_wait = end_wait
        self._seconds = seconds
        self._alarm: Optional[Alarm] = None

    def limit(self, seconds: Optional[float]) -> None:
        """Limit what is waited for from now on; the first limit counts."""
        if self._alarm is None:
            self._alarm = None if seconds is None else WATCHDOG.arm(seconds, self._ring)

    def __enter__(self) -> Self:
        if self._seconds is not None:
            self.limit(self._seconds)
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> bool:
        # From here on the connection may serve others.
        WATCHDOG.disarm(self._alarm)
        # A connection that was shut down because of the limit breaks in any way it likes.
        return self.cancelled_caught and isinstance(exc, Exception)

    def _ring(self) -> None:
        self.cancelled_caught = self._end_wait()


class AsyncLine:
    """The wait for the head of an answer, which the scope that limits it can end.

    A new connection is shut down instead: httpx leaves the socket of a TLS handshake that is
    cancelled to the garbage collector.
    """

    def __init__(self) -> None:
        self._sock: Any = None

    def note(self, step: str, info: Any, request: Any) -> None:
        """Take note of a step of httpx's."""
        if step.endswith("connect_tcp.complete"):
            self._sock = info["return_value"].get_extra_info("socket")

    def end(self, scope: Any) -> None:
        """End the wait."""
        if not shut_down(self._sock):
            scope.cancel()

    def close(self) -> None:
        """Forget the connection."""


class Line:
    """The connection on which a thread waits for the head of an answer, to be shut down.

    httpx shows it only with the answer. That of a new one is reported when it is opened; an old one
    is looked for in httpx's pool, whose names are private: where they change, it is not found, and
    the thread waits for as long as its limits say.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._sock: Any = None
        self._copy: Optional[socket.socket] = None
        self._ended = False
        self._shared = False

    def note(self, step: str, info: Any, request: Any) -> None:
        """Take note of a step of httpx's."""
        if step.startswith("http2."):
            self._shared = True
        if step.endswith("connect_tcp.complete"):
            sock = info["return_value"].get_extra_info("socket")
            if isinstance(sock, socket.socket):
                # A copy, because TLS takes the descriptor away from the socket that there is now.
                self._sock = self._copy = sock.dup()
        elif self._sock is None and step == "http11.send_request_headers.started":
            self._sock = _used_socket(self._client, request, info.get("request"))
        if self._ended:
            shut_down(self._sock)

    def end(self, scope: Any) -> None:
        """End the wait, from another thread."""
        self._ended = True
        shut_down(self._sock)

    def expire(self) -> bool:
        """End the wait because its limit is over; not on HTTP/2, whose connections others share."""
        return not self._shared and shut_down(self._sock)

    def close(self) -> None:
        """Forget the connection, which goes on."""
        copy, self._copy, self._sock = self._copy, None, None
        if copy is not None:
            copy.close()


def _used_socket(client: Any, request: Any, sent: Any) -> Any:
    """The socket of the connection on which httpx's pool sends a request, None if not found."""
    try:
        pool = client._transport_for_url(request.url)._pool
        connection = next(
            each.connection for each in pool._requests if each.request.extensions is sent.extensions
        )
        while not hasattr(connection, "_network_stream"):
            connection = connection._connection
        return connection._network_stream.get_extra_info("socket")
    except (AttributeError, StopIteration):
        return None


def hang_up(response: Any) -> None:
    """Shut an answer's connection down: from any thread, also in a finaliser."""
    shut_down(_socket(response))


def shut_down(sock: Any) -> bool:
    """Shut a connection down, from any thread; False where there is none."""
    try:
        if isinstance(sock, socket.socket):
            # Not the method of ssl's sockets, which also forgets the encryption.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        elif sock is not None:
            sock.shutdown(socket.SHUT_RDWR)
    except Exception:
        return False  # gone already
    return sock is not None


def _socket(response: Any) -> Any:
    # An HTTP/2 connection carries the answers of others; a mocked answer has none.
    if response is None or not is_http1(response):
        return None
    stream = response.extensions.get("network_stream")
    return None if stream is None else stream.get_extra_info("socket")


def is_http1(response: Any) -> bool:
    """Whether the answer has a connection to itself, of httpx's own making."""
    extensions = response.extensions
    version = extensions.get("http_version", b"")
    return version.startswith(b"HTTP/1") and "network_stream" in extensions
