# Generated from _async/realtime/tapped_pool.py by `python tools/mirror.py --write`: edit that file.
"""The pool of a session that is recorded or played: some of its connections lead to a recording."""

from typing import Any

from meshapi_backends._sync.connections import Connection, ConnectionPool, Pools
from meshapi_backends._sync.networks import Network
from meshapi_backends._failures import TransportError
from meshapi_backends._guards import SessionTap
from meshapi_backends._scopes import Scope
from meshapi_core import Connect, HTTP11Connection, PipeCall, client_closed


class TappedPool(Pools):
    """A pool, except that what plays the gateway is asked for a connection first.

    A connection to that is never in the pool, so that no other call gets it. It ends with the pool
    by a scope among the pool's calls.

    Args:
        pool: the client's.
        network: the session's.
        tap: decides, and has the network streams.
    """

    def __init__(self, pool: ConnectionPool, network: Network, tap: SessionTap) -> None:
        self.limits = pool.limits
        self._pool = pool
        self._network = network
        self._tap = tap
        self._scopes: dict[Connection, Scope] = {}

    @classmethod
    def over(cls, pool: ConnectionPool, network: Network, tap: SessionTap) -> Any:
        """A tapped pool, which stands for the pool."""
        return cls(pool, network, tap)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def connections(self) -> Any:
        """This pool."""
        return self

    def acquire(
        self, action: Connect, call: PipeCall[Any], scope: Scope, now: float
    ) -> Connection:
        """A connection to the gateway, or to what plays it. See `ConnectionPool`."""
        if not self._tap.is_played:
            return self._pool.acquire(action, call, scope, now)
        self._network.sleep(0)
        if self._pool.closed:
            raise TransportError(client_closed())
        stream = self._tap.streams["NetworkStream"](self._network)
        connection = Connection(stream, HTTP11Connection())
        until_closed = self._scopes[connection] = Scope()
        until_closed.wake_by(stream.abort)
        self._pool.calls.add(until_closed)
        return connection

    def release(self, connection: Connection, now: float) -> None:
        """Take a connection back."""
        if connection in self._scopes:
            self.discard(connection)
        else:
            self._pool.release(connection, now)

    def discard(self, connection: Connection) -> None:
        """Take a connection back and close it."""
        scope = self._scopes.pop(connection, None)
        if scope is not None:
            self._pool.calls.discard(scope)
        self._pool.discard(connection)
