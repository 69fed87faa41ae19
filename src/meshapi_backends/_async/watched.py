"""Hosts of observed calls: they tell a watch what happens. See `host`."""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Generic, Optional, TypeVar, Union

from meshapi_backends._async.client_host import AsyncClientHost
from meshapi_backends._async.connections import AsyncPools
from meshapi_backends._async.host import Acts, AsyncHost
from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._async.pipe_host import AsyncPipeHost
from meshapi_backends._watching import AsyncWatch
from meshapi_core import (
    AnyCall,
    Connect,
    MeshAPIConfig,
    Notify,
    PipeCall,
    RealtimeConnected,
    Release,
)
from meshapi_core.observing import ObservedClientCall, ObservedPipeCall

T = TypeVar("T")


class _AsyncWatched(AsyncHost[T], Generic[T]):
    """What a watched host adds to any other.

    Attributes:
        watch: is told what the call does.
    """

    watch: AsyncWatch

    async def _notify(self, action: Notify, now: float) -> float:
        await self.watch.tell(action.notice)
        return self._network.now()

    def leave(self) -> None:
        """Give up what the call holds, and tell what has not been told."""
        super().leave()
        # While a call is being driven, its driver learns that it was ended, and tells of it.
        if not self._is_driven:
            self.watch.tell_end(self.call.left(self._last_time()))

    def _last_time(self) -> Optional[float]:
        try:
            return self._network.now()
        except RuntimeError:
            # A stream may be closed after its event loop, which had the clock.
            return None

    _acts: ClassVar[Acts] = {Notify: _notify}


class AsyncWatchedPipeHost(_AsyncWatched[T], AsyncPipeHost[T]):
    """A host over connections of our own that tells what happens."""

    async def _connect(self, action: Connect, now: float) -> float:
        after = await super()._connect(action, now)
        connection = self._connection
        if connection is not None:
            is_kept = connection.http.served
            self.watch.tell_connection("used again" if is_kept else "opened", action.origin)
        return after

    async def _let_go(self, action: Release, now: float) -> float:
        after = await super()._let_go(action, now)
        what = "kept" if action.reusable else "closed: it cannot carry another request"
        self.watch.tell_connection(what, self.call.origin)
        return after

    def _give_up(self) -> None:
        has_one = self._connection is not None
        super()._give_up()
        if has_one:
            self.watch.tell_connection("closed: the call was given up", self.call.origin)

    _acts: ClassVar[Acts] = {
        **AsyncPipeHost._acts,
        **_AsyncWatched._acts,
        Connect: _connect,
        Release: _let_go,
    }


class AsyncWatchedClientHost(_AsyncWatched[T], AsyncClientHost[T]):
    """A host over a transport that tells what happens."""

    _acts: ClassVar[Acts] = {**AsyncClientHost._acts, **_AsyncWatched._acts}


def watched_host(
    call: AnyCall[T],
    config: MeshAPIConfig,
    transport: Any,
    network: AsyncNetwork,
    watch: Optional[AsyncWatch],
    watches: Sequence[AsyncWatch],
    *,
    now: float,
    unix_time: float,
) -> AsyncHost[T]:
    """Return the host of a call that tells a watch what it does.

    Args:
        call, config, transport, network: as a runner has them.
        watch: is told; None is the first of `watches`, or one that only logs.
        now, unix_time: the time, for the machine.
    """
    watch, config = (watch or AsyncWatch.first(watches)).begin(call, config)
    kind: Any = ObservedPipeCall if isinstance(transport, AsyncPools) else ObservedClientCall
    machine = kind(call, config, now=now, random_bytes=os.urandom, unix_time=unix_time)
    make_host: Any = AsyncWatchedClientHost
    if isinstance(transport, AsyncPools):
        make_host = AsyncWatchedPipeHost
    host: Union[AsyncWatchedPipeHost[T], AsyncWatchedClientHost[T]]
    host = make_host(machine, transport, network)
    host.watch = watch
    machine.tells_items = host.watch.wants_items
    return host


def watched_upgrade(
    session: Any,
    pools: AsyncPools,
    network: AsyncNetwork,
    sleep: Optional[Callable[[float], Awaitable[None]]],
    watch: AsyncWatch,
) -> "tuple[PipeCall[RealtimeConnected], AsyncPipeHost[RealtimeConnected]]":
    """Return the call that makes the next connection of an observed session, and its host."""
    machine = ObservedPipeCall.upgrade(session)
    host = AsyncWatchedPipeHost(machine, pools, network, sleep)
    host.watch = watch
    return machine, host
