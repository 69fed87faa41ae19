# Generated from _async/pipe_host.py by `python tools/mirror.py --write`: edit that file.
"""The host of a call over connections of our own. See `host`."""

from collections.abc import Callable
from typing import ClassVar, Generic, Optional, TypeVar

from meshapi_backends._sync.connections import Connection, ConnectionPool, Pools
from meshapi_backends._sync.host import Acts, Host
from meshapi_backends._sync.networks import Network
from meshapi_backends._failures import TransportError, advice, failed_at, is_interrupt
from meshapi_backends._scopes import Calls
from meshapi_core import (
    Connect,
    PipeCall,
    Read,
    Release,
    Sleep,
    Write,
    client_closed,
)

T = TypeVar("T")


class PipeHost(Host[T], Generic[T]):
    """Drives one call over connections of our own.

    Args:
        call: the machine.
        pools: the connections.
        network: the clock, and how to wait.
        sleep: waits until the time of the next attempt. What it raises is raised here, and another
            host may go on with the call.
    """

    _pool: Optional[ConnectionPool] = None
    _connection: Optional[Connection] = None
    # Whether some of the request has been written on this connection.
    _has_written = False

    def __init__(
        self,
        call: PipeCall[T],
        pools: Pools,
        network: Network,
        sleep: Optional[Callable[[float], None]] = None,
    ) -> None:
        super().__init__(network)
        self.call: PipeCall[T] = call
        self._pools = pools
        self._sleep_until = sleep
        # Here, too, as many calls may begin before the first is connected: see `Conversation`.
        self._connection = None
        self._has_written = False

    def _connect(self, action: Connect, now: float) -> float:
        call = self.call
        try:
            pool = self._pool = self._pools.connections()
            connection = pool.acquire(action, call, self._scope, now)
        except TransportError as exc:
            now = self._network.now()
            call.receive_failure(exc.failure, now)
            return now
        except OSError as exc:
            # A signal handler of the program may raise an OSError, too: that is not the network's.
            if is_interrupt(exc):
                raise
            return self._fail(exc)
        # Nothing is waited for until the call has the connection: no cancellation can come between.
        self._connection = connection
        self._has_written = False
        # A kept connection took no time, so the clock need not be read.
        if not connection.http.served:
            now = self._network.now()
        call.connected(now, connection.http)
        return now

    def _write(self, action: Write, now: float) -> float:
        connection, call = self._connection, self.call
        if connection is None:
            return now  # ended from outside
        stream = connection.stream
        try:
            if self._has_written and stream.readable:
                # Perhaps an early response (RFC 9112, section 9.5); or only TLS's own messages.
                data = stream.read_ready()
                if data is not None:
                    call.receive_data(data, now)
                    return now
            stream.write(action.data, None if action.until is None else action.until - now)
        except OSError as exc:
            if not is_interrupt(exc):
                return self._fail(exc)
            call.written()
            raise
        except BaseException:
            # The network stream keeps the unsent rest, and the next read or write sends it.
            call.written()
            raise
        self._has_written = True
        call.written()
        return self._network.now()

    def _read(self, action: Read, now: float) -> float:
        connection, call = self._connection, self.call
        if connection is None:
            return now  # ended from outside
        try:
            data = connection.stream.read(
                None if action.until is None else action.until - now
            )
        except OSError as exc:
            if is_interrupt(exc):
                call.interrupted(exc, self._network.now())
                raise
            return self._fail(exc)
        except BaseException as exc:
            call.interrupted(exc, self._network.now())
            raise
        now = self._network.now()
        if data:
            call.receive_data(data, now)
        elif not self._has_ended():
            # Otherwise we closed the connection, and a body without a length has not ended here.
            call.receive_data(b"", now, cut=connection.stream.cut)
        return now

    def _sleep(self, action: Sleep, now: float) -> float:
        if self._sleep_until is None:
            calls = Calls() if self._pool is None else self._pool.calls
            return self._wait(action, now, calls)
        self._sleep_until(action.until)
        return self._network.now()

    def _fail(self, exc: OSError) -> float:
        now = self._network.now()
        # Drop the frames, which hold this host. asyncio's errors are parts of cycles, so a stream
        # that is dropped would keep its connection until the next garbage collection.
        exc.__traceback__ = None
        if not self._has_ended():
            self.call.fail(exc, now, advice=advice(), where=failed_at(exc))
        return now

    def _has_ended(self) -> bool:
        """Whether the call was ended from outside, by closing its stream or the client."""
        if self._scope.failure is None and self._pool is not None and self._pool.closed:
            self._scope.end(client_closed())
        return self._scope.failure is not None

    def _let_go(self, action: Release, now: float) -> float:
        connection, self._connection = self._connection, None
        if connection is None or self._pool is None:
            return now  # ended from outside
        if action.reusable:
            self._pool.release(connection, now)
        else:
            self._pool.discard(connection)
        return now

    def detach(self) -> Connection:
        """The connection, after the server has switched it to another protocol.

        Its new owner has to call the pool's `discard` when it is done.
        """
        connection, self._connection = self._connection, None
        assert connection is not None
        assert self._pool is not None
        self._pool.detach(connection)
        return connection

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._pool is not None:
            self._pool.discard(connection)

    def __del__(self) -> None:
        # `drop`, not `discard`: a finaliser must not take the pool's lock.
        connection = self._connection
        if connection is not None and self._pool is not None:
            self._pool.drop(connection)

    _acts: ClassVar[Acts] = {
        **Host._acts,
        Connect: _connect,
        Read: _read,
        Release: _let_go,
        Sleep: _sleep,
        Write: _write,
    }
