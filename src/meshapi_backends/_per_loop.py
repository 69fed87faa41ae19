"""One pool for each event loop: connections belong to the loop that opened them.

One loop after another may use the same client (`asyncio.run` twice, then `trio.run`), and so may
loops in several threads at once; each has connections of its own. Connections that a loop left
open are closed when the next loop begins. Only the thread of its loop touches a pool; once the loop
has ended, only the thread that removed the pool from the table does.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

from typing_extensions import Protocol

from meshapi_backends._async.connections import AsyncConnectionPool, AsyncPools
from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._failures import TransportError
from meshapi_backends._forks import forget_after_fork
from meshapi_backends._networks.current import current_network
from meshapi_backends._networks.socket_options import DEFAULT_OPTIONS
from meshapi_backends._networks.tls_source import TLSSource
from meshapi_backends._scopes import Calls
from meshapi_core import Limits, Proxies, SocketOptions, TLSSettings, client_closed

_NO_PROXIES: Final = Proxies()


class LoopNetwork(AsyncNetwork, Protocol):
    """A network that knows its loop."""

    def token(self) -> Any:
        """A value that identifies the running loop."""
        ...

    def has_ended(self, token: Any) -> bool:
        """Whether the loop that a token identifies will never run again."""
        ...

    def call_soon(self, token: Any, function: Callable[[], object]) -> bool:
        """Call a function in that loop, from another thread; False if it has ended."""
        ...


class PerLoopTransport(AsyncPools):
    """Our own connections: a pool for each event loop. Stands in for an `AsyncTransport`.

    Args:
        limits, tls, sockets: as for `AsyncConnectionPool`.
        network: returns the network of the running loop.

    Raises:
        InvalidParamsError: `tls` cannot be used.
    """

    def __init__(
        self,
        limits: Limits,
        tls: object = None,
        *,
        proxies: Proxies = _NO_PROXIES,
        sockets: SocketOptions = DEFAULT_OPTIONS,
        network: Callable[[], LoopNetwork] = current_network,
    ) -> None:
        self._limits = limits
        tls = TLSSettings.hidden(tls)  # before anything can raise
        self._tls = TLSSource.of(tls)
        self._proxies = proxies
        self._sockets = sockets
        self._network = network
        self._pools: dict[Any, AsyncConnectionPool] = {}
        self._networks: dict[Any, LoopNetwork] = {}
        self._closed = False
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Make a new lock, in a forked child: the parent's may be held for ever."""
        self._lock = threading.Lock()

    @property
    def limits(self) -> Limits:
        """How many connections there may be at once in each loop."""
        return self._limits

    @property
    def calls(self) -> Calls:
        """The calls that wait in the running loop."""
        return self.connections().calls

    async def aclose(self) -> None:
        """Close the connections of every loop, and the client for all of them."""
        self._closed = True
        self._forget_ended()
        here = self._network().token()
        with self._lock:
            pools = dict(self._pools)
            networks = dict(self._networks)
        for token, pool in pools.items():
            if token != here and not networks[token].call_soon(token, pool.shut):
                self._forget_ended()
        own = pools.get(here)
        if own is not None:
            await own.aclose()

    def connections(self) -> AsyncConnectionPool:
        """The running loop's pool.

        Raises:
            TransportError: the client is closed.
        """
        if self._closed:
            raise TransportError(client_closed())
        network = self._network()
        token = network.token()
        pool = self._pools.get(token)
        return self._new_pool(network, token) if pool is None else pool

    def _new_pool(self, network: LoopNetwork, token: Any) -> AsyncConnectionPool:
        self._forget_ended()
        pool = AsyncConnectionPool(
            network, self._limits, self._tls, proxies=self._proxies, sockets=self._sockets
        )
        with self._lock:
            self._networks[token] = network
            self._pools[token] = pool
            closed = self._closed
        if closed:
            # Another thread closed the client, and may not have seen this pool.
            pool.shut()
        return pool

    def _forget_ended(self) -> None:
        with self._lock:
            ended = [token for token, network in self._networks.items() if network.has_ended(token)]
            pools = [self._pools.pop(token) for token in ended]
            for token in ended:
                del self._networks[token]
        for pool in pools:
            pool.forget()
