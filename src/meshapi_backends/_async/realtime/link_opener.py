"""Opens the links of a session, each by a call that ends with a 101."""

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from meshapi_backends._async.connections import AsyncConnectionPool
from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._async.pipe_host import AsyncPipeHost
from meshapi_backends._async.realtime.inbox import AsyncInbox
from meshapi_backends._async.realtime.link import AsyncLink
from meshapi_backends._guards import RECORDERS
from meshapi_backends._masking import fast_mask
from meshapi_core import (
    Failure,
    GetToken,
    PipeCall,
    RealtimeConnected,
    RealtimeExchange,
    RealtimeMessage,
    RealtimeOptions,
    Response,
    Send,
    Wait,
)

if TYPE_CHECKING:
    from meshapi_backends._watching import AsyncWatch
    from meshapi_core.observing import Notice, ObservedRealtimeExchange


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

    # For an observed call. An exchange that nobody watches has none of these.

    @property
    def notices(self) -> Any:
        observed: Any = self._exchange
        return observed.notices

    def take_notices(self, now: float) -> Any:
        observed: Any = self._exchange
        with self._lock:
            return observed.take_notices(now)


class AsyncLinkOpener:
    """Opens the links of a session.

    Attributes:
        pool, network, options: as given.
        exchange: decides whether and when to connect.
        lock: guards the exchange.
        inbox: takes the messages of all links.
        secrets: strings that errors of the session must not show.
        watch: is told what an observed session does; None is nobody.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool,
        network: AsyncNetwork,
        exchange: RealtimeExchange,
        options: RealtimeOptions,
        watch: "Optional[AsyncWatch]" = None,
    ) -> None:
        self.watch = watch
        self._tap = RECORDERS[-1].session() if RECORDERS else None
        if self._tap is not None:
            # Imported on first use: only tests record.
            from meshapi_backends._async.realtime.tapped_pool import AsyncTappedPool

            pool = AsyncTappedPool.over(pool, network, self._tap)
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
        network, pool, tap = self.network, self.pool, self._tap
        session: Any = _Upgrade(self.exchange, self.lock)
        if tap is not None:
            session = tap.upgrading(session)
        if self.watch is None:
            upgrade = PipeCall.upgrade(session)
            host = self._host = AsyncPipeHost(upgrade, pool, network, sleep)
        else:
            from meshapi_backends._async.watched import watched_upgrade

            upgrade, host = watched_upgrade(session, pool, network, sleep, self.watch)
            self._host = host
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
            if tap is not None:
                machine = tap.tapped(machine)
            machine.start(request, upgrade.switched, connection.http.trailing_data)
            return AsyncLink(pool, network, connection, machine, self.inbox), connected
        except BaseException:
            pool.discard(connection)
            raise

    async def tell(self) -> None:
        """Tell the watch what has happened between the upgrades."""
        watch = self.watch
        if watch is not None:
            for notice in self._take_notices():
                await watch.tell(notice)

    def tell_end(self) -> None:
        """Tell the watch, without waiting, that the session is over."""
        if self.watch is not None:
            self.watch.tell_end(self._take_notices())

    async def tell_message(self, message: RealtimeMessage) -> None:
        """Tell the watch of a message."""
        watch = self.watch
        if watch is not None:
            await watch.tell(self._observed.message_received(message, self.network.now()))

    def _take_notices(self) -> "list[Notice]":
        now = self.network.now()
        with self.lock:
            return self._observed.take_notices(now)

    @property
    def _observed(self) -> "ObservedRealtimeExchange":
        return cast("ObservedRealtimeExchange", self.exchange)

    def give_up(self) -> None:
        """End the wait for a connection, or for a response, from any task or thread."""
        host = self._host
        if host is not None:
            host.abort()
