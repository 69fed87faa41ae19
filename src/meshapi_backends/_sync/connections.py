# Generated from _async/connections.py by `python tools/mirror.py --write`: edit that file.
"""Our own connections, kept open and used again.

The pool decides under its lock, without I/O, and acts after releasing it (`meshapi_core.pool` has
the state). It can be cancelled anywhere, because of these rules:

- A new connection is entered in the state before the next await. Giving a connection back or up is
  a plain function, which cancellation cannot interrupt.
- If anything is raised while connecting, cancellation included, the slot is given back.
- A waiter that was woken and is then cancelled wakes the next one.

A finaliser may run anywhere, with the lock held or in another thread. So when the owner of a
connection is dropped, the finaliser only notes the connection and shuts it down, and the next call
of the pool removes it.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Optional, Union

from typing_extensions import TypeAlias

from meshapi_backends._sync.connecting import open_stream
from meshapi_backends._sync.networks import Network, NetworkStream, Waiter
from meshapi_backends._failures import TransportError
from meshapi_backends._forks import forget_after_fork
from meshapi_backends._guards import GUARDS, check_connection
from meshapi_backends._networks.socket_options import DEFAULT_OPTIONS
from meshapi_backends._networks.tls_source import TLSSource
from meshapi_backends._scopes import Calls, Scope, WaitEnded
from meshapi_core import (
    Connect,
    Decision,
    HTTP11Connection,
    Limits,
    Origin,
    PipeCall,
    PoolState,
    Proxies,
    Route,
    SocketOptions,
    TLSSettings,
    client_closed,
)

# Seconds between checks for dropped responses while every connection is in use.
_LOOK_AROUND = 1.0

_NO_PROXIES: Final = Proxies()

_Place: TypeAlias = Union[Origin, Route]
"""What the pool keeps a connection by: a server; or the route to it, if there are proxies."""


class Connection:
    """One HTTP/1.1 connection over a network stream."""

    __slots__ = ("http", "stream")

    def __init__(self, stream: NetworkStream, http: HTTP11Connection) -> None:
        self.stream = stream
        self.http = http


class Pools:
    """Connections of our own: one pool, or a pool for each event loop.

    Attributes:
        limits: how many connections there may be at once, in each loop.
    """

    limits: Limits

    def connections(self) -> "ConnectionPool":
        """The pool of the running program.

        Raises:
            TransportError: the client is closed.
        """
        raise NotImplementedError


class ConnectionPool(Pools):
    """Keeps connections open and uses them again.

    Args:
        network: opens the connections.
        limits: how many connections there may be.
        tls: see `TLSSettings.of`, which may raise. None trusts the default authorities.
        proxies: which of them lead to which servers.
        sockets: how connections are opened.
    """

    # Made for the first connection, as many clients open none.
    _new_http: Optional[Callable[[], HTTP11Connection]] = None

    def __init__(
        self,
        network: Network,
        limits: Limits,
        tls: object = None,
        *,
        proxies: Proxies = _NO_PROXIES,
        sockets: SocketOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._network = network
        self.limits = limits
        tls = TLSSettings.hidden(tls)  # before anything can raise
        self._tls = TLSSource.of(tls)
        # None, not an empty value: without proxies, a call does not ask for one.
        self._proxies = proxies if proxies else None
        self._sockets = sockets
        self._dropped: deque[Connection] = deque()
        self._start()
        forget_after_fork(self)

    def _start(self) -> None:
        self._lock = self._network.lock()
        self._state: PoolState[Connection, Waiter] = PoolState(self.limits)
        self._dropped.clear()
        self.calls = Calls()

    def connections(self) -> "ConnectionPool":
        """This pool."""
        return self

    def close(self) -> None:
        """Close every connection, and end every wait for one. Harmless twice."""
        self.shut()
        self._network.sleep(0)  # an event loop closes the sockets in its next round

    def shut(self) -> None:
        """Close, without waiting until the sockets are closed."""
        self.calls.refuse(client_closed())  # first: a run that sees calls end begins no others
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

    def acquire(
        self, action: Connect, call: PipeCall[Any], scope: Scope, now: float
    ) -> Connection:
        """A connection for the next request of a call: a kept one, or a new one.

        Args:
            action: what kind of connection, and to which server.
            call, scope: know the time limits, and may end the wait.
            now: the time.

        Raises:
            TransportError: the pool is closed, or the call was ended.
            OSError: no connection could be opened, or none was free in time (TimeoutError).
        """
        waiter: Optional[Waiter] = None
        place = action.origin if self._proxies is None else _route(self._proxies, action)
        if GUARDS:
            check_connection(action.origin, place, self._sockets, self._network)
        while True:
            if self._dropped:
                self._collect_dropped()
            with self._lock:
                if self._state.closed:
                    raise TransportError(client_closed())
                if waiter is not None:
                    # A wake-up is a hint, and given back here: see `meshapi_core.pool`.
                    self._state.dequeue(waiter)
                got, to_close = self._state.acquire(
                    place, now, fresh=action.fresh, woken=waiter is not None
                )
                waiter = self._enqueue(waiter) if got is Decision.QUEUE else None
            if to_close:
                _abort_all(to_close)
            if waiter is not None:
                with scope.running():
                    self._queue(waiter, call.queued(now))
                now = self._network.now()
            elif isinstance(got, Decision):
                with scope.running():
                    return self._open(action, call, place)
            elif got.stream.readable:
                # The server closed it, or sent bytes without being asked.
                with self._lock:
                    self._state.replace(got)
                got.stream.abort()
                with scope.running():
                    return self._open(action, call, place)
            else:
                return got

    def _enqueue(self, woken: Optional[Waiter]) -> Waiter:
        waiter = self._network.waiter()
        self._state.enqueue(waiter, first=woken is not None)
        return waiter

    def _queue(self, waiter: Waiter, until: Optional[float]) -> None:
        """Wait in the queue, until woken or ended."""
        try:
            with self.calls.waiting() as scope, scope.waiting(waiter.set):
                self._wait(waiter, until)
                scope.check()
        except WaitEnded as exc:
            self._leave_queue(waiter)
            raise TransportError(exc.failure) from None

    def _wait(self, waiter: Waiter, until: Optional[float]) -> None:
        try:
            while True:
                left = None if until is None else max(0.0, until - self._network.now())
                if waiter.wait(_LOOK_AROUND if left is None else min(left, _LOOK_AROUND)):
                    return
                self._collect_dropped()
                self._look_for_lost_hints()
                if left is not None and left <= _LOOK_AROUND:
                    break
        except BaseException:
            self._leave_queue(waiter)
            raise
        # It may have been woken just as its time ran out: then it has its turn.
        with self._lock:
            waited_in_vain = self._state.dequeue(waiter)
        if waited_in_vain:
            raise TimeoutError

    def _look_for_lost_hints(self) -> None:
        # A thread that was interrupted right after it had been woken has lost its hint.
        with self._lock:
            self._state.void_hints()
            following = self._state.wake()
        _wake(following)

    def _leave_queue(self, waiter: Waiter) -> None:
        with self._lock:
            # If it was not in the queue, it had been woken: pass the hint on to the next waiter.
            following = None if self._state.dequeue(waiter) else self._state.wake()
        _wake(following)

    def _open(self, action: Connect, call: PipeCall[Any], place: _Place) -> Connection:
        origin, network = action.origin, self._network
        route = place if isinstance(place, Route) else None
        with self.calls.waiting() as scope:
            try:
                now = network.now()
                until = call.opening(now)
                left = None if until is None else until - now
                stream = open_stream(
                    network, origin, self._tls, left, action.named_by, route, sockets=self._sockets
                )
            except BaseException as exc:
                self._abandon()
                # Closing ends a wait by closing sockets, which fails in many ways. The scope has
                # the reason.
                if isinstance(exc, OSError) and scope.failure is not None:
                    raise TransportError(scope.failure) from None
                raise
        if self._new_http is None:
            self._new_http = HTTP11Connection.of_one_client()
        connection = Connection(stream, _http(route) or self._new_http())
        # The pool may have been closed meanwhile, when it did not know this connection yet.
        with self._lock:
            closed = self._state.closed
            if not closed:
                self._state.opened(connection, place)
        if closed:
            stream.abort()
            raise TransportError(client_closed())
        return connection

    def _abandon(self) -> None:
        with self._lock:
            waiter = self._state.abandon()
        _wake(waiter)

    def release(self, connection: Connection, now: float) -> None:
        """Take a connection back for the next request."""
        with self._lock:
            waiter, to_close = self._state.release(connection, now)
        if waiter is not None:
            waiter.set()
        if to_close:
            _abort_all(to_close)

    def detach(self, connection: Connection) -> None:
        """Free the slot of a connection that does not speak HTTP any more.

        `discard` or closing the pool will close it.
        """
        with self._lock:
            waiter = self._state.detach(connection)
        _wake(waiter)

    def discard(self, connection: Connection) -> None:
        """Take a connection back and close it."""
        connection.stream.abort()
        with self._lock:
            waiter = self._state.discard(connection)
        _wake(waiter)

    def drop(self, connection: Connection) -> None:
        """Note that nobody holds the connection's response any more. Safe in a finaliser."""
        connection.stream.hang_up()
        self._dropped.append(connection)

    def _collect_dropped(self) -> None:
        while self._dropped:
            try:
                connection = self._dropped.popleft()
            except IndexError:
                return  # another thread took the last one
            self.discard(connection)

    def forget(self) -> None:
        """Start afresh, in a forked child or after the loop's end, without any connection."""
        connections = self._state.close()[1]
        self._start()
        for connection in connections:
            connection.stream.forget()

    def __del__(self) -> None:
        # The client was not closed. No response is being read, as it would hold the pool, so the
        # lock is not needed. `abandon` touches no event loop. There is no `_state` if `__init__`
        # has not run.
        state: Optional[PoolState[Any, Any]] = vars(self).get("_state")
        for connection in () if state is None else state.close()[1]:
            connection.stream.abandon()


def _http(route: Optional[Route]) -> Optional[HTTP11Connection]:
    """The machine of a connection that its route decides on; None for any other."""
    return None if route is None else route.forwarding()


def _route(proxies: Proxies, action: Connect) -> _Place:
    return proxies.route(action.origin, upgrades=action.upgrades)


def _wake(waiter: Optional[Waiter]) -> None:
    if waiter is not None:
        waiter.set()


def _abort_all(connections: list[Connection]) -> None:
    for connection in connections:
        connection.stream.abort()
