"""Opens the links of a session, each by a call that ends with a 101."""

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Optional, Union

from meshapi_backends._async.connections import AsyncConnectionPool
from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._async.pipe_host import AsyncPipeHost
from meshapi_backends._async.realtime.inbox import AsyncInbox
from meshapi_backends._async.realtime.link import AsyncLink
from meshapi_backends._masking import fast_mask
from meshapi_core import (
    Failure,
    GetToken,
    PipeCall,
    RealtimeConnected,
    RealtimeExchange,
    RealtimeOptions,
    Response,
    Send,
    Wait,
)


class _Upgrade:
    """The session's exchange, as a call drives it to connect.

    Others may close the session meanwhile, so each step is taken under the lock.
    """

    def __init__(self, exchange: RealtimeExchange, lock: AbstractContextManager[Any]) -> None:
        self._exchange = exchange
        self._lock = lock

    def next_action(self, now: float) -> Union[Send, Wait, RealtimeConnected, GetToken]:
        with self._lock:
            return self._exchange.next_action(now)

    def token(self, value: object) -> None:
        with self._lock:
            self._exchange.token(value)

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        with self._lock:
            self._exchange.receive(event, now)


class AsyncLinkOpener:
    """Opens the links of a session.

    Attributes:
        pool, network, options: as given.
        exchange: decides whether and when to connect.
        lock: guards the exchange.
        inbox: takes the messages of all links.
        secrets: strings that errors of the session must not show.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool,
        network: AsyncNetwork,
        exchange: RealtimeExchange,
        options: RealtimeOptions,
    ) -> None:
        self.pool = pool
        self.network = network
        self.exchange = exchange
        self.lock = network.lock()
        self.options = options
        self.inbox = AsyncInbox(network, exchange)
        self.secrets: tuple[str, ...] = ()
        self._host: Optional[AsyncPipeHost[RealtimeConnected]] = None

    async def open(
        self, sleep: Optional[Callable[[float], Awaitable[None]]] = None
    ) -> tuple[AsyncLink, RealtimeConnected]:
        """A link whose connection has been upgraded.

        Args:
            sleep: waits until the time of the next attempt; what it raises is raised here.
        """
        network, pool = self.network, self.pool
        upgrade = PipeCall.upgrade(_Upgrade(self.exchange, self.lock))
        host = self._host = AsyncPipeHost(upgrade, pool, network, sleep)
        try:
            connected = await host.next()
        except BaseException:
            host.leave()
            raise
        finally:
            self._host = None
        assert isinstance(connected, RealtimeConnected)
        assert upgrade.switched is not None
        connection = host.detach()
        request = upgrade.request
        self.secrets = request.secrets
        try:
            machine = self.options.connection(os.urandom, fast_mask())
            machine.start(request, upgrade.switched, connection.http.trailing_data)
            return AsyncLink(pool, network, connection, machine, self.inbox), connected
        except BaseException:
            pool.discard(connection)
            raise

    def give_up(self) -> None:
        """End the wait for a connection, or for a response, from any task or thread."""
        host = self._host
        if host is not None:
            host.abort()
