"""What differs between a blocking and an async `httpx` client: limits on reading, and closing.

httpx has one limit for all reads of a body, set when the first one begins, and knows none for the
whole of a call. An event loop can end a read at any time. A thread that blocks in one can not be
ended; instead its connection is shut down, which wakes it.
"""

import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Optional

from typing_extensions import Protocol, Self

from meshapi_backends._async.transports import AsyncWaiter
from meshapi_backends._httpx_requests import GRACE
from meshapi_backends._network_sync import NETWORK
from meshapi_backends._per_loop import current_network
from meshapi_core import INTERIM_TIMES


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

    def limit(self, seconds: Optional[float], response: Any, armed: Optional[float]) -> Scope:
        """Limit one read, or one exchange of heads."""
        scope: Scope = _loop().limit(seconds)
        return scope

    def limit_head(self, scope: Any, read: Optional[float]) -> None:
        """From now on, limit the head that is being waited for within a scope.

        httpx passes over interim answers without a word, so the limit is that of all of them.
        """
        if read is not None:
            scope.deadline = min(scope.deadline, self.now() + INTERIM_TIMES * read)

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

    def limit(self, seconds: Optional[float], response: Any, armed: Optional[float]) -> "Watch":
        """Limit one read; httpx itself gives up after `armed` seconds."""
        needless = seconds is None or (armed is not None and armed <= seconds + 2 * GRACE)
        return Watch(None if needless else seconds, response)

    def limit_head(self, scope: Any, read: Optional[float]) -> None:
        """Nothing: there is no answer yet whose connection could be shut down."""

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
    """A limit on one read of a thread: when it is over, the connection is shut down.

    Costs a thread for as long as the read takes, so it is used only where httpx's own limit is
    later than ours: at the end of a stream, and near the limit of a whole call.
    """

    def __init__(self, seconds: Optional[float], response: Any) -> None:
        self.cancelled_caught = False
        self._response = response
        self._timer: Optional[threading.Timer] = None
        self._over = threading.Lock()
        if seconds is not None and _socket(response) is not None:
            self._timer = threading.Timer(seconds, self._fire)
            self._timer.daemon = True

    def __enter__(self) -> Self:
        if self._timer is not None:
            self._timer.start()
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            # From here on the connection may serve others: a late timer finds this taken.
            self._over.acquire(blocking=False)

    def _fire(self) -> None:
        if self._over.acquire(blocking=False):
            self.cancelled_caught = True
            hang_up(self._response)


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

    def note(self, step: str, info: Any, request: Any) -> None:
        """Take note of a step of httpx's."""
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
