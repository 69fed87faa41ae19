# Generated from _async/hosts.py by `python tools/mirror.py --write`: edit that file.
"""Hosts of the core's call machines: they do what an action says, and tell what came of it.

`PipeHost` drives a `PipeCall` over the connections of a pool; `ClientHost`, in its own
file, a `ClientCall` over a transport that has an HTTP client. Whoever drives one may be interrupted
anywhere, by cancellation or by an exception of a signal handler, and `abort` ends it from any task
or thread.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Generic, Optional, TypeVar, Union

from typing_extensions import TypeAlias

from meshapi_backends._sync.pool import Connection, ConnectionPool, Pools
from meshapi_backends._sync.transports import Network
from meshapi_backends._failures import TransportError, advice, is_interrupt, proxy_hint
from meshapi_backends._scopes import Calls, Ended, Scope
from meshapi_backends._sources import open_source
from meshapi_core import (
    END_OF_STREAM,
    NEED_DATA,
    Advice,
    Connect,
    EndOfStream,
    Failure,
    Finished,
    Item,
    MeshAPIError,
    NeedData,
    OpenBody,
    OpenFiles,
    Origin,
    PipeCall,
    Read,
    Release,
    Sleep,
    Write,
    client_closed,
)

T = TypeVar("T")

Acts: TypeAlias = dict[type, Callable[[Any, Any, float], float]]
"""What does each action, and returns the time after it."""


class Host(Generic[T]):
    """Drives one call; how its actions are done is the affair of the two below.

    Args:
        call: the machine.
        network: keeps the time.
    """

    call: Any  # the machine: one of the two
    _body: Optional[OpenBody] = None
    # What came while the stream was opened, without being asked for.
    _held: Optional[Item[T]] = None
    _is_driven = False

    def __init__(self, network: Network) -> None:
        self._network = network
        self._scope = Scope()

    def result(self) -> T:
        """The one item of a call that is no stream.

        Raises:
            MeshAPIError: the call has failed.
        """
        try:
            item = self._drive(open_only=False)
        except BaseException:
            self.leave()
            raise
        # The connection has been given back before.
        if self._body is not None:
            self._close_files()
        assert item is not None
        return item.value

    def next(self) -> Union[T, EndOfStream]:
        """The next item; END_OF_STREAM after the last one.

        One that was interrupted is called again, and goes on where it was.

        Raises:
            MeshAPIError: the call has failed.
        """
        held, self._held = self._held, None
        if held is None:
            item: Union[T, NeedData] = self.call.next_item()
            if item is not NEED_DATA:
                return item
            held = self._drive(open_only=False)
        return END_OF_STREAM if held is None else held.value

    def open(self) -> None:
        """Send the request of a stream, and read the head of its answer."""
        self._held = self._drive(open_only=True)

    def _drive(self, *, open_only: bool) -> Optional[Item[T]]:
        """The next item; None where there is none any more, or an opened stream has none yet."""
        call, scope, acts = self.call, self._scope, self._acts
        self._is_driven = is_over = True
        try:
            now = self._network.now()
            while True:
                if scope.failure is not None:
                    call.close(scope.failure, now)
                action: Any = call.next_action(now)
                act = acts.get(action.__class__)
                if act is None:
                    if isinstance(action, Finished):
                        return None
                    is_over = False
                    item: Item[T] = action
                    return item
                if open_only and call.decoder is not None and not isinstance(action, Release):
                    is_over = False
                    return None
                now = act(self, action, now)
        except MeshAPIError:
            raise
        except BaseException:
            is_over = False
            raise
        finally:
            self._is_driven = False
            if self._body is not None and (is_over or scope.failure is not None):
                self._close_files()

    def _wait(self, action: Sleep, now: float, calls: Calls) -> float:
        """Wait for the next attempt, or until the call or all of them are ended."""
        waiter = self._network.waiter()
        try:
            with self._scope.running(), calls.waiting() as scope, scope.waiting(waiter.set):
                waiter.wait(action.seconds(now))
        except Ended:
            pass  # as the scope knows
        return self._network.now()

    def _open_files(self, action: OpenFiles, now: float) -> float:
        self._body = action.body.open(open_source)
        self.call.opened(self._body, now)
        return now

    _acts: ClassVar[Acts] = {OpenFiles: _open_files}

    def abort(self, failure: Optional[Failure] = None) -> None:
        """End it now, from any task or thread; `failure` is what whoever drives it raises."""
        self._scope.end(failure or client_closed())
        self.leave()

    def leave(self) -> None:
        """Give up what it holds: nobody goes on with it. Harmless after the end, and twice."""
        self._give_up()
        if self._body is not None and not self._is_driven:
            self._close_files()

    def _give_up(self) -> None:
        """Give up the connection, or the answer."""
        raise NotImplementedError

    def _close_files(self) -> None:
        if self._body is not None:
            self._body.close()


class PipeHost(Host[T], Generic[T]):
    """Drives one call over connections of our own.

    Args:
        call: the machine.
        pools: where the connections come from.
        network: keeps the time.
        sleep: waits until a time for the next attempt; what it raises is raised from here, and
            another host may go on with the call.
    """

    _pool: Optional[ConnectionPool] = None
    _connection: Optional[Connection] = None
    # Whether a piece of the request has been written on this connection.
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
            if is_interrupt(exc):
                raise
            return self._fail(exc)
        self._connection = connection
        self._has_written = False
        if not connection.http.served:
            now = self._network.now()
        call.connected(now, connection.http)
        return now

    def _write(self, action: Write, now: float) -> float:
        connection, call = self._connection, self.call
        if connection is None:
            return now  # ended from elsewhere
        stream = connection.stream
        try:
            if self._has_written and stream.readable:
                # An answer that comes early, perhaps; or TLS talking to itself.
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
            # What is left of it is the stream's, which goes on with it.
            call.written()
            raise
        self._has_written = True
        call.written()
        return self._network.now()

    def _read(self, action: Read, now: float) -> float:
        connection, call = self._connection, self.call
        if connection is None:
            return now  # ended from elsewhere
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
            # Else the end is of our own making, and not that of a body without a length.
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
        # Without its frames, which hold this host: asyncio's own errors are parts of cycles, and a
        # stream that is dropped would keep its connection until garbage is collected.
        exc.__traceback__ = None
        if not self._has_ended():
            self.call.fail(exc, now, advice=_advice(self.call.origin))
        return now

    def _has_ended(self) -> bool:
        """Whether all is over because the client has been closed, or the call ended."""
        if self._scope.failure is None and self._pool is not None and self._pool.closed:
            self._scope.end(client_closed())
        return self._scope.failure is not None

    def _let_go(self, action: Release, now: float) -> float:
        connection, self._connection = self._connection, None
        if connection is None or self._pool is None:
            return now  # ended from elsewhere
        if action.reusable:
            self._pool.release(connection, now)
        else:
            self._pool.discard(connection)
        return now

    def detach(self) -> Connection:
        """The connection, which the server has switched to another protocol.

        Whoever has it gives it to the pool's `discard` in the end.
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
        connection = vars(self).get("_connection")
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


def _advice(origin: Origin) -> Advice:
    return advice(proxy_hint(origin.scheme, origin.host))
