# Generated from _async/watched.py by `python tools/mirror.py --write`: edit that file.
"""Hosts of observed calls: they tell a watch what happens. See `host`."""

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, Optional, TypeVar, Union

from meshapi_backends._sync.client_host import ClientHost
from meshapi_backends._sync.connections import Pools
from meshapi_backends._sync.host import Acts, Host
from meshapi_backends._sync.networks import Network
from meshapi_backends._sync.pipe_host import PipeHost
from meshapi_backends._watching import Watch
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


class _Watched(Host[T], Generic[T]):
    """What a watched host adds to any other.

    Attributes:
        watch: is told what the call does.
    """

    watch: Watch

    def _notify(self, action: Notify, now: float) -> float:
        self.watch.tell(action.notice)
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


class WatchedPipeHost(_Watched[T], PipeHost[T]):
    """A host over connections of our own that tells what happens."""

    def _connect(self, action: Connect, now: float) -> float:
        after = super()._connect(action, now)
        connection = self._connection
        if connection is not None:
            is_kept = connection.http.served
            self.watch.tell_connection("used again" if is_kept else "opened", action.origin)
        return after

    def _let_go(self, action: Release, now: float) -> float:
        after = super()._let_go(action, now)
        what = "kept" if action.reusable else "closed: it cannot carry another request"
        self.watch.tell_connection(what, self.call.origin)
        return after

    def _give_up(self) -> None:
        has_one = self._connection is not None
        super()._give_up()
        if has_one:
            self.watch.tell_connection("closed: the call was given up", self.call.origin)

    _acts: ClassVar[Acts] = {
        **PipeHost._acts,
        **_Watched._acts,
        Connect: _connect,
        Release: _let_go,
    }


class WatchedClientHost(_Watched[T], ClientHost[T]):
    """A host over a transport that tells what happens."""

    _acts: ClassVar[Acts] = {**ClientHost._acts, **_Watched._acts}


def watched_host(
    call: AnyCall[T],
    config: MeshAPIConfig,
    transport: Any,
    network: Network,
    watch: Optional[Watch],
    watches: Sequence[Watch],
    *,
    now: float,
    unix_time: float,
) -> Host[T]:
    """Return the host of a call that tells a watch what it does.

    Args:
        call, config, transport, network: as a runner has them.
        watch: is told; None is the first of `watches`, or one that only logs.
        now, unix_time: the time, for the machine.
    """
    watch, config = (watch or Watch.first(watches)).begin(call, config)
    kind: Any = ObservedPipeCall if isinstance(transport, Pools) else ObservedClientCall
    machine = kind(call, config, now=now, random_bytes=os.urandom, unix_time=unix_time)
    make_host: Any = WatchedClientHost
    if isinstance(transport, Pools):
        make_host = WatchedPipeHost
    host: Union[WatchedPipeHost[T], WatchedClientHost[T]]
    host = make_host(machine, transport, network)
    host.watch = watch
    machine.tells_items = host.watch.wants_items
    return host


def watched_upgrade(
    session: Any,
    pools: Pools,
    network: Network,
    sleep: Optional[Callable[[float], None]],
    watch: Watch,
) -> "tuple[PipeCall[RealtimeConnected], PipeHost[RealtimeConnected]]":
    """Return the call that makes the next connection of an observed session, and its host."""
    machine = ObservedPipeCall.upgrade(session)
    host = WatchedPipeHost(machine, pools, network, sleep)
    host.watch = watch
    return machine, host
