"""One pool for each event loop: connections belong to the loop that opened them.

The same client may be used by one loop after another (`asyncio.run` twice, then `trio.run`); each
gets connections of its own. Those that a loop has left open are closed when the next one begins.
"""

import sys
from collections.abc import Callable
from typing import Any, Optional

from typing_extensions import Protocol

from meshapi_backends._async.pool import AsyncConnectionPool
from meshapi_backends._async.transports import AsyncNetwork, AsyncResponse
from meshapi_backends._failures import TransportError, client_closed
from meshapi_core import Limits, Request, Timeout


class LoopNetwork(AsyncNetwork, Protocol):
    """A network that knows its loop."""

    def token(self) -> Any:
        """What stands for the running loop."""
        ...

    def has_ended(self, token: Any) -> bool:
        """Whether the loop that a token stands for will never run again."""
        ...


def current_network() -> LoopNetwork:
    """The network of the event loop that runs here: trio's or asyncio's.

    Raises:
        RuntimeError: no event loop runs.
    """
    # A loop that runs has been imported. trio comes first, because it may run as a guest of
    # asyncio, never the other way round.
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        from meshapi_backends import _network_trio

        return _network_trio.NETWORK
    from meshapi_backends import _network_asyncio

    return _network_asyncio.NETWORK


class PerLoopTransport:
    """Our own connections for whatever loop runs. See `transports.AsyncTransport`."""

    def __init__(
        self,
        limits: Limits,
        ssl_context: Optional[Any] = None,
        network: Callable[[], LoopNetwork] = current_network,
    ) -> None:
        self._limits = limits
        self._ssl_context = ssl_context
        self._network = network
        self._pools: dict[Any, AsyncConnectionPool] = {}
        self._networks: dict[Any, LoopNetwork] = {}
        self._closed = False

    async def send(
        self, request: Request, *, timeout: Timeout, deadline: Optional[float], fresh: bool
    ) -> AsyncResponse:
        """Send on a connection of the running loop."""
        return await self.pool().send(request, timeout=timeout, deadline=deadline, fresh=fresh)

    async def aclose(self) -> None:
        """Close the running loop's connections, and the client for every loop."""
        self._closed = True
        self._forget_ended()
        pool = self._pools.get(self._network().token())
        if pool is not None:
            await pool.aclose()

    def pool(self) -> AsyncConnectionPool:
        """The running loop's pool.

        Raises:
            TransportError: the client is closed.
        """
        if self._closed:
            raise TransportError(client_closed())
        network = self._network()
        token = network.token()
        pool = self._pools.get(token)
        if pool is None:
            self._forget_ended()
            self._networks[token] = network
            pool = self._pools[token] = AsyncConnectionPool(
                network, self._limits, self._ssl_context
            )
        return pool

    def _forget_ended(self) -> None:
        for token, network in list(self._networks.items()):
            if network.has_ended(token):
                del self._networks[token]
                self._pools.pop(token).forget()
