# Generated from _async/hosts.py by `python tests/house/mirror.py --write`: edit that file.
"""Hosts of the core's call machines: they do what an action says, and tell what came of it.

`PipeHost` drives a `PipeCall` over the connections of a pool; `ClientHost`, in its own
file, a `ClientCall` over a transport that has an HTTP client. Whoever drives one may be interrupted
anywhere, by cancellation or by an exception of a signal handler, and `abort` ends it from any task
or thread.
"""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar, Union

from meshapi_backends._sync.pool import Connection, ConnectionPool, Pools
from meshapi_backends._sync.transports import Network
from meshapi_backends._failures import TransportError, advice, is_interrupt, proxy_hint
from meshapi_backends._scopes import Calls, Ended, Scope
from meshapi_backends._sources import open_source
from meshapi_core import (
    END_OF_STREAM,
    NEED_DATA,
    Advice,
    ClientCall,
    Connect,
    EndOfStream,
    Failure,
    Finished,
    Item,
    MeshAPIError,
    OpenBody,
    OpenFiles,
    Origin,
    PipeAction,
    PipeCall,
    Read,
    Release,
    Sleep,
    Write,
    client_closed,
)

T = TypeVar("T")


class Host(Generic[T]):
    """Drives one call; how its actions are done is the affair of the two below.

    Args:
        call: the machine.
        network: keeps the time.
    """

    call: Union[PipeCall[T], ClientCall[T]]

    def __init__(self, network: Network) -> None:
        self._network = network
        self._scope = Scope()
        self._body: Optional[OpenBody] = None
        # What has been asked for by `open` alone.
        self._held: Optional[Item[T]] = None
        self._is_driven = False

    def result(self) -> T:
        """The one item of a call that is no stream.

        Raises:
            MeshAPIError: the call has failed.
        """
        try:
            item = self._drive(open_only=False)
        finally:
            self.leave()
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
            item = self.call.next_item()
            if item is not NEED_DATA:
                return item
            held = self._drive(open_only=False)
        return END_OF_STREAM if held is None else held.value

    def open(self) -> None:
        """Send the request of a stream, and read the head of its answer."""
        self._held = self._drive(open_only=True)

    def _drive(self, *, open_only: bool) -> Optional[Item[T]]:
        """The next item; None where there is none any more, or an opened stream has none yet."""
        call, now = self.call, self._network.now
        self._is_driven = is_over = True
        try:
            while True:
                time = now()
                if self._scope.failure is not None:
                    call.close(self._scope.failure, time)
                action = call.next_action(time)
                if isinstance(action, Item):
                    is_over = False
                    return action
                if isinstance(action, Finished):
                    return None
                if open_only and call.decoder is not None:
                    is_over = False
                    return None
                self._do(action, time)
        except MeshAPIError:
            raise
        except BaseException:
            is_over = False
            raise
        finally:
            self._is_driven = False
            if is_over or self._scope.failure is not None:
                self._close_files()

    def _do(self, action: Any, now: float) -> None:
        """Do what only one of the two does."""
        raise NotImplementedError

    def _sleep(self, action: Sleep, now: float, calls: Calls) -> None:
        """Wait for the next attempt, or until the call or all of them are ended."""
        waiter = self._network.waiter()
        try:
            with self._scope.running(), calls.waiting() as scope, scope.waiting(waiter.set):
                waiter.wait(action.seconds(now))
        except Ended:
            pass  # as the scope knows

    def _open_files(self, action: OpenFiles, now: float) -> None:
        self._body = action.body.open(open_source)
        self.call.opened(self._body, now)

    def abort(self, failure: Optional[Failure] = None) -> None:
        """End it now, from any task or thread; `failure` is what whoever drives it raises."""
        self._scope.end(failure or client_closed())
        self.leave()

    def leave(self) -> None:
        """Give up what it holds: nobody goes on with it. Harmless after the end, and twice."""
        self._give_up()
        if not self._is_driven:
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

    def __init__(
        self,
        call: PipeCall[T],
        pools: Pools,
        network: Network,
        sleep: Optional[Callable[[float], None]] = None,
    ) -> None:
        super().__init__(network)
        self._sleep_until = sleep
        self.call: PipeCall[T] = call
        self._pools = pools
        self._pool: Optional[ConnectionPool] = None
        self._connection: Optional[Connection] = None
        # Whether a piece of the request has been written on this connection.
        self._has_written = False

    def _do(self, action: PipeAction[T], now: float) -> None:
        if isinstance(action, Read):
            self._read(action, now)
        elif isinstance(action, Release):
            self._let_go(action)
        elif isinstance(action, Write):
            self._write(action, now)
        elif isinstance(action, Connect):
            self._connect(action)
        elif isinstance(action, OpenFiles):
            self._open_files(action, now)
        else:
            assert isinstance(action, Sleep)
            if self._sleep_until is not None and action.until is not None:
                self._sleep_until(action.until)
            else:
                self._sleep(action, now, Calls() if self._pool is None else self._pool.calls)

    def _connect(self, action: Connect) -> None:
        call = self.call
        try:
            pool = self._pool = self._pools.connections()
            with self._scope.running():
                connection = pool.acquire(action, call)
        except TransportError as exc:
            call.receive_failure(exc.failure, self._network.now())
        except OSError as exc:
            if is_interrupt(exc):
                raise
            self._fail(exc)
        else:
            self._connection = connection
            self._has_written = False
            call.connected(self._network.now(), connection.http)

    def _write(self, action: Write, now: float) -> None:
        connection, call = self._connection, self.call
        if connection is None:
            return  # ended from elsewhere
        stream = connection.stream
        try:
            if self._has_written and stream.readable:
                # An answer that comes early, perhaps; or TLS talking to itself.
                data = stream.read_ready()
                if data is not None:
                    call.receive_data(data, now)
                    return
            stream.write(action.data, action.seconds(now))
        except OSError as exc:
            if not is_interrupt(exc):
                self._fail(exc)
                return
            call.written()
            raise
        except BaseException:
            # What is left of it is the stream's, which goes on with it.
            call.written()
            raise
        self._has_written = True
        call.written()

    def _read(self, action: Read, now: float) -> None:
        connection = self._connection
        if connection is None:
            return  # ended from elsewhere
        try:
            data = connection.stream.read(action.seconds(now))
        except OSError as exc:
            if is_interrupt(exc):
                self.call.interrupted(exc, self._network.now())
                raise
            self._fail(exc)
            return
        except BaseException as exc:
            self.call.interrupted(exc, self._network.now())
            raise
        if data:
            self.call.receive_data(data, self._network.now())
        elif not self._has_ended():
            # Else the end is of our own making, and not that of a body without a length.
            self.call.receive_data(b"", self._network.now(), cut=connection.stream.cut)

    def _fail(self, exc: OSError) -> None:
        if not self._has_ended():
            self.call.fail(exc, self._network.now(), advice=_advice(self.call.origin))

    def _has_ended(self) -> bool:
        """Whether all is over because the client has been closed, or the call ended."""
        if self._scope.failure is None and self._pool is not None and self._pool.closed:
            self._scope.end(client_closed())
        return self._scope.failure is not None

    def _let_go(self, action: Release) -> None:
        connection, self._connection = self._connection, None
        if connection is None or self._pool is None:
            return  # ended from elsewhere
        if action.reusable:
            self._pool.release(connection)
        else:
            self._pool.discard(connection)

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


def _advice(origin: Origin) -> Advice:
    return advice(proxy_hint(origin.scheme, origin.host))
