# Generated from _async/pool.py by `python tests/house/mirror.py --write`: edit that file.
"""Our own connections as a transport: a pool, and the driver of one HTTP/1.1 connection.

The pool decides under its lock, without I/O, and acts after it (`meshapi_core.pool` has the
books). What makes it safe to cancel anywhere:

- a connection is in the books before the next await, and giving it back or up is a plain
  function: nothing can interrupt it half-way;
- whatever is raised on the way, cancellation included, gives the slot back;
- a waiter that was woken and is cancelled wakes the next one.

An answer that its owner dropped without reading it is found on the pool's next step: a finaliser
may run anywhere, within a lock or on another thread, so it leaves a note and tells the peer.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Optional, Union

from meshapi_backends._sync.connecting import open_stream
from meshapi_backends._sync.transports import ByteStream, Network, Waiter
from meshapi_backends._failures import (
    TransportError,
    broken,
    client_closed,
    connect_failure,
    hint_at_tls,
    is_interrupt,
    is_time_limit,
    proxy_hint,
    time_left,
    timeout_error,
)
from meshapi_backends._forks import forget_after_fork
from meshapi_backends._scopes import Calls, Ended
from meshapi_core import (
    NEED_DATA,
    WAIT,
    APIConnectionError,
    Decision,
    Failure,
    Headers,
    HeadPace,
    HTTP11Connection,
    Limits,
    MeshAPIError,
    Origin,
    PoolState,
    ProtocolError,
    Request,
    ResponseHead,
    Stage,
    Timeout,
)

# Seconds between looks at dropped answers while every connection is taken.
_LOOK_AROUND = 1.0

# Seconds to wait for an answer after the request could not be written: it is there or it is not.
_LAST_WORD = 1.0


class Connection:
    """One HTTP/1.1 connection over a byte stream."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.http = HTTP11Connection()
        self.reused = False


class ConnectionPool:
    """A transport that keeps connections open and uses them again.

    Args:
        network: where the connections come from.
        limits: how many there may be.
        ssl_context: an `ssl.SSLContext`; None is the default one.
    """

    def __init__(
        self, network: Network, limits: Limits, ssl_context: Optional[Any] = None
    ) -> None:
        self._network = network
        self._limits = limits
        self._ssl_context = ssl_context
        self._dropped: deque[Connection] = deque()
        self._start()
        forget_after_fork(self)

    def _start(self) -> None:
        self._lock = self._network.lock()
        self._state: PoolState[Connection, Waiter] = PoolState(self._limits)
        self._dropped.clear()
        self.calls = Calls()

    def send(
        self, request: Request, *, timeout: Timeout, deadline: Optional[float], fresh: bool
    ) -> "PooledResponse":
        """Send on a free connection, or a new one. See `Transport.send`."""
        answer = self.prepare(
            request.origin, timeout, deadline, fresh, named_by=request.named_by
        )
        try:
            answer.begin(request)
        except BaseException:
            answer.abort()
            raise
        return answer

    def prepare(
        self,
        origin: Origin,
        timeout: Timeout,
        deadline: Optional[float],
        fresh: bool,
        *,
        named_by: Optional[Origin] = None,
    ) -> "PooledResponse":
        """A connection to send a request on; whoever has it begins or aborts it."""
        connection = self._acquire(origin, timeout, deadline, fresh, named_by)
        return PooledResponse(self, self._network, connection, timeout, deadline)

    def close(self) -> None:
        """Close every connection, and end every wait for one. Harmless twice."""
        self.shut()
        # An event loop closes sockets on its next round: by then nothing is left open.
        self._network.sleep(0)

    def shut(self) -> None:
        """Close, without waiting for the sockets to be closed."""
        with self._lock:
            waiters, connections = self._state.close()
        for connection in connections:
            connection.stream.abort()
        for waiter in waiters:
            waiter.set()
        self.calls.end(client_closed())

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._state.closed

    def _acquire(
        self,
        origin: Origin,
        timeout: Timeout,
        deadline: Optional[float],
        fresh: bool,
        named_by: Optional[Origin],
    ) -> Connection:
        now = self._network.now()
        pool_deadline = None if timeout.pool is None else now + timeout.pool
        waiter: Optional[Waiter] = None
        while True:
            self._collect_dropped()
            with self._lock:
                if self._state.closed:
                    raise TransportError(client_closed())
                if waiter is not None:
                    self._state.dequeue(waiter)
                got, to_close = self._state.acquire(
                    origin, self._network.now(), fresh=fresh, woken=waiter is not None
                )
                waiter = self._enqueue(waiter) if got is WAIT else None
            _abort_all(to_close)
            if waiter is not None:
                self._queue(waiter, timeout, pool_deadline, deadline)
            elif isinstance(got, Decision):
                return self._open(origin, timeout, deadline, named_by)
            elif got.stream.readable:
                # The server closed it, or said something nobody asked for.
                with self._lock:
                    self._state.replace(got)
                got.stream.abort()
                return self._open(origin, timeout, deadline, named_by)
            else:
                got.reused = True
                return got

    def _enqueue(self, woken: Optional[Waiter]) -> Waiter:
        waiter = self._network.waiter()
        self._state.enqueue(waiter, first=woken is not None)
        return waiter

    def _queue(
        self,
        waiter: Waiter,
        timeout: Timeout,
        pool_deadline: Optional[float],
        deadline: Optional[float],
    ) -> None:
        """Wait for a turn, or for the end of all waiting."""
        try:
            with self.calls.waiting() as scope, scope.waiting(waiter.set):
                self._wait(waiter, timeout, pool_deadline, deadline)
                scope.check()
        except Ended as exc:
            self._leave_queue(waiter)
            raise TransportError(exc.failure) from None

    def _wait(
        self,
        waiter: Waiter,
        timeout: Timeout,
        pool_deadline: Optional[float],
        deadline: Optional[float],
    ) -> None:
        try:
            while True:
                now = self._network.now()
                own = None if pool_deadline is None else max(0.0, pool_deadline - now)
                left = time_left(own, deadline, now)
                if waiter.wait(_LOOK_AROUND if left is None else min(left, _LOOK_AROUND)):
                    return
                self._collect_dropped()
                self._look_for_lost_hints()
                if left is not None and left <= _LOOK_AROUND:
                    break
        except BaseException:
            self._leave_queue(waiter)
            raise
        with self._lock:
            waited_in_vain = self._state.dequeue(waiter)
        if waited_in_vain:
            error = timeout_error("pool", timeout, deadline, self._network.now())
            raise TransportError(Failure(error, "pool"))

    def _look_for_lost_hints(self) -> None:
        # A thread that was interrupted between its wake-up and its next step took one along.
        with self._lock:
            self._state.void_hints()
            following = self._state.wake()
        if following is not None:
            following.set()

    def _leave_queue(self, waiter: Waiter) -> None:
        with self._lock:
            # Taken out by somebody else means woken: the hint goes on to the next.
            following = None if self._state.dequeue(waiter) else self._state.wake()
        if following is not None:
            following.set()

    def _open(
        self,
        origin: Origin,
        timeout: Timeout,
        deadline: Optional[float],
        named_by: Optional[Origin],
    ) -> Connection:
        with self.calls.waiting() as scope:
            try:
                left = time_left(timeout.connect, deadline, self._network.now())
                stream = open_stream(self._network, origin, self._ssl_context, left, named_by)
            except BaseException as exc:
                self._abandon()
                if not isinstance(exc, OSError):
                    raise
                if scope.failure is not None:
                    raise TransportError(scope.failure) from None
                if is_time_limit(exc):
                    now = self._network.now()
                    reason = str(exc) + proxy_hint(origin.scheme, origin.host)
                    error = timeout_error("connect", timeout, deadline, now, reason)
                    raise TransportError(Failure(error, "connect")) from exc
                hint = proxy_hint(origin.scheme, origin.host)
                raise TransportError(connect_failure(exc, str(origin), hint)) from exc
        connection = Connection(stream)
        with self._lock:
            closed = self._state.closed
            if not closed:
                self._state.opened(connection, origin)
        if closed:
            stream.abort()
            raise TransportError(client_closed())
        return connection

    def _abandon(self) -> None:
        with self._lock:
            waiter = self._state.abandon()
        if waiter is not None:
            waiter.set()

    def release(self, connection: Connection) -> None:
        """Take a connection back for the next request."""
        connection.http.start_next_cycle()
        with self._lock:
            waiter, to_close = self._state.release(connection, self._network.now())
        if waiter is not None:
            waiter.set()
        _abort_all(to_close)

    def detach(self, connection: Connection) -> None:
        """Let a connection go that speaks no HTTP any more: its slot is free.

        It is closed with the pool all the same, or by `discard`.
        """
        with self._lock:
            waiter = self._state.detach(connection)
        if waiter is not None:
            waiter.set()

    def discard(self, connection: Connection) -> None:
        """Take a connection back and close it."""
        connection.stream.abort()
        with self._lock:
            waiter = self._state.discard(connection)
        if waiter is not None:
            waiter.set()

    def drop(self, connection: Connection) -> None:
        """Note that nobody holds the connection's answer any more; safe in a finaliser."""
        connection.stream.hang_up()
        self._dropped.append(connection)

    def _collect_dropped(self) -> None:
        while self._dropped:
            try:
                connection = self._dropped.popleft()
            except IndexError:
                return  # another thread was faster
            self.discard(connection)

    def forget(self) -> None:
        """Start anew, in a forked child or after the loop's end: no connection is ours."""
        connections = self._state.close()[1]
        self._start()
        for connection in connections:
            connection.stream.forget()

    def __del__(self) -> None:
        # A client that nobody closed. No answer is being read: it would hold the pool. The lock
        # is not needed, and an event loop not touched: the peers are told, the rest follows.
        # Nor is there a state where a copy of the client was not finished.
        state: Optional[PoolState[Any, Any]] = vars(self).get("_state")
        for connection in () if state is None else state.close()[1]:
            connection.stream.hang_up()
            connection.stream.forget()


def _abort_all(connections: list[Connection]) -> None:
    for connection in connections:
        connection.stream.abort()


class PooledResponse:
    """One request and its answer on a connection of the pool. See `Response`."""

    resumable = True
    status = 0
    headers = Headers()
    cut = False
    _connection: Optional[Connection] = None
    # When the request began to be sent.
    _began: Optional[float] = None
    # What is still to be written of the request, once that has begun.
    _outgoing: Optional[Iterator[bytes]] = None
    _piece: Optional[bytes] = None
    # The limit of what is waited for: it goes on after an interrupt.
    _pace: Optional[HeadPace] = None

    def __init__(
        self,
        pool: ConnectionPool,
        network: Network,
        connection: Connection,
        timeout: Timeout,
        deadline: Optional[float],
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._network = network
        self._timeout = timeout
        self._deadline = deadline

    def begin(self, request: Request) -> None:
        """Send the request and read the head of its answer.

        One that was interrupted is called again, and goes on where it was.
        """
        connection = self._connection
        if connection is None:
            raise TransportError(Failure(broken(OSError("it was given up")), "request"))
        if self._began is None:
            self._began = self._network.now()
        try:
            early = self._write(connection, request)
            head = early or self._next(connection, None)
        except (OSError, APIConnectionError) as exc:
            if is_interrupt(exc):
                raise
            failed = self._failure(connection, exc)
            fresh = not connection.reused and not connection.http.answered
            if request.origin.scheme == "http" and fresh:
                hint_at_tls(failed.failure.error)
            raise failed from exc
        assert isinstance(head, ResponseHead)
        if not connection.http.sent and connection.reused and head.status < 400:
            # Too early to be an answer to this request: it answers nothing that was asked.
            error = ProtocolError("an answer came before the request was sent", error_code="desync")
            raise TransportError(Failure(error, "request", reused=True, silence=self._silence))
        self.status, self.headers = head.status, head.headers

    def _write(
        self, connection: Connection, request: Request
    ) -> Union[ResponseHead, bytes, object, None]:
        """Send the request; the head of its answer, if that is early and the rest is not sent."""
        first, outgoing = self._outgoing is None, self._outgoing
        if outgoing is None:
            outgoing = self._outgoing = self._started(connection, request)
        while True:
            if self._piece is None:
                self._piece = self._next_piece(outgoing)
            if self._piece is None:
                return None
            early = None if first else self._early_answer(connection)
            if early is not None:
                return early
            first = False
            left = self._left("write")
            # From here on it is the stream's, which goes on with it after an interrupt.
            piece, self._piece = self._piece, None
            try:
                connection.stream.write(piece, left)
            except OSError as exc:
                # A server that refuses a large request answers first and then closes.
                if is_interrupt(exc) or is_time_limit(exc):
                    raise
                if not self._has_last_word(connection):
                    raise
                return None

    def _started(self, connection: Connection, request: Request) -> Iterator[bytes]:
        try:
            return iter(connection.http.send(request))
        except BaseException:
            # Also where a signal came: the connection takes no second request.
            self.abort()
            raise

    def _next_piece(self, outgoing: Iterator[bytes]) -> Optional[bytes]:
        try:
            return next(outgoing, None)
        except BaseException:
            # A file that cannot be read, or an interrupt while it was: it will not go on.
            self.abort()
            raise

    def _early_answer(
        self, connection: Connection
    ) -> Union[ResponseHead, bytes, object, None]:
        # What has arrived may also be an interim answer, or TLS talking to itself (its session
        # tickets come after the handshake): then the request goes on.
        http, stream = connection.http, connection.stream
        while stream.readable:
            data = stream.read_ready()
            if data is None:
                return None
            http.receive_data(data)
            event = http.next_event()
            if event is not NEED_DATA:
                return event
        return None

    def _has_last_word(self, connection: Connection) -> bool:
        try:
            data = connection.stream.read(_LAST_WORD)
        except (OSError, TimeoutError):
            return False
        connection.http.receive_data(data)
        return bool(data)

    def read(self, until: Optional[float] = None) -> bytes:
        """The next piece of the body. See `Response.read`."""
        connection = self._connection
        if connection is None:
            return b""
        try:
            event = self._next(connection, until)
        except (OSError, APIConnectionError) as exc:
            if is_interrupt(exc):
                raise
            failure = self._failure(connection, exc)
            self.abort()
            raise failure from exc
        if isinstance(event, bytes):
            return event
        self._finish(connection)
        return b""

    def _next(
        self, connection: Connection, until: Optional[float]
    ) -> Union[ResponseHead, bytes, object]:
        http = connection.http
        event = http.next_event()
        if event is not NEED_DATA:
            return event
        now, pace = self._network.now(), self._pace
        if self._deadline is not None:
            until = self._deadline if until is None else min(until, self._deadline)
        if pace is None:
            pace = self._pace = HeadPace(self._timeout.read, now)
            # The first limit is the same each time, which spares a socket a system call.
            left = time_left(self._timeout.read, until, now)
        else:
            # A wait that was interrupted goes on, and what has come meanwhile came in time.
            left = time_left(None, pace.until, now)
            if left == 0 and connection.stream.readable:
                left = _LAST_WORD
            left = time_left(left, until, now)
        while event is NEED_DATA:
            if left is not None and left <= 0:
                # Also where bytes keep coming: nobody looks at the clock but here.
                raise TimeoutError
            data = connection.stream.read(left)
            if not data and (self._connection is None or self._pool.closed):
                # The end is of our own making, and not that of a body without a length.
                raise ConnectionAbortedError("it was closed on this side")
            http.receive_data(data)
            # Error trackers show the locals of what raises, and a server may quote a secret.
            del data
            event = http.next_event()
            if event is NEED_DATA:
                now = self._network.now()
                pace.receive_interim(http.interim, now)
                left = time_left(time_left(None, pace.until, now), until, now)
        self._pace = None
        return event

    def _left(self, phase: str) -> Optional[float]:
        limit: Optional[float] = getattr(self._timeout, phase)
        if self._deadline is None:
            return limit
        left = time_left(limit, self._deadline, self._network.now())
        if left is not None and left <= 0:
            raise TimeoutError
        return left

    def _finish(self, connection: Connection) -> None:
        self._connection = None
        self.cut = connection.stream.cut
        if connection.http.reusable:
            self._pool.release(connection)
        else:
            self._pool.discard(connection)

    def detach(self) -> Connection:
        """The connection, which the server has switched to another protocol.

        Whoever has it gives it to the pool's `discard` in the end.
        """
        connection, self._connection = self._connection, None
        assert connection is not None
        self._pool.detach(connection)
        return connection

    def abort(self) -> None:
        """Give the answer up; its connection is closed, as the rest of the body is still on it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.discard(connection)

    def __del__(self) -> None:
        connection = self._connection
        if connection is not None:
            self._pool.drop(connection)

    @property
    def _silence(self) -> Optional[float]:
        return None if self._began is None else self._network.now() - self._began

    def _failure(
        self, connection: Connection, exc: Union[OSError, MeshAPIError]
    ) -> TransportError:
        if self._pool.closed:
            return TransportError(client_closed())
        stage: Stage = "reply" if connection.http.answered else "request"
        error: MeshAPIError
        if is_time_limit(exc):
            phase = "read" if connection.http.sent else "write"
            error = timeout_error(phase, self._timeout, self._deadline, self._network.now())
        elif isinstance(exc, OSError):
            error = broken(exc)
        else:
            error = exc
        return TransportError(
            Failure(error, stage, reused=connection.reused, silence=self._silence)
        )
