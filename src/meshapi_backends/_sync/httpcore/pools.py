# Generated from _async/httpcore/pools.py by `python tools/mirror.py --write`: edit that file.
"""A pool of httpcore's and the exchanges on it; the pools of all event loops."""

import threading
from typing import Any, Optional

from meshapi_backends._sync.httpcore.network import WatchedBackend, WatchedStream
from meshapi_backends._forks import forget_after_fork
from meshapi_backends._http_clients import httpcore
from meshapi_backends._http_clients.errands import Steps
from meshapi_backends._http_clients.flavours import Flavour
from meshapi_backends._http_clients.sockets import shut_down
from meshapi_core import Request


class UsedPool:
    """A pool, and who uses it.

    Args:
        options: what the transport was made with.
        tls: the TLS contexts, or None for a pool of plain connections.
        flavour: closes the pool.
    """

    def __init__(
        self, options: httpcore.Options, tls: Optional[httpcore.Contexts], flavour: Flavour
    ) -> None:
        self.has_tls = tls is not None
        self._flavour = flavour
        self._streams: set[WatchedStream] = set()
        self._users: set[Any] = set()
        self._retired = False
        self._guarding = threading.Lock()
        only_http2 = options.http2 and not options.http1
        network = Steps.backend(options.library)
        backend = WatchedBackend(network, only_http2, self._streams)
        self._pool = httpcore.pool_of(options, Steps.pool, backend, tls)
        self.handle: Any = getattr(self._pool, Steps.handle)

    def guard(self) -> None:
        """Prepare a new HTTP/2 connection for all that will share it."""
        Steps.guard(self._pool, self._guarding)

    def enter(self, user: Any) -> None:
        """Note that an exchange begins."""
        self._users.add(user)

    def leave(self, user: Any) -> None:
        """Note that an exchange is over. Harmless twice."""
        self._users.discard(user)
        if self._retired and not self._users:
            self._flavour.start(self.close)

    def retire(self) -> None:
        """Close the pool when its last exchange is over."""
        self._retired = True
        self.leave(None)

    @property
    def retired(self) -> bool:
        """Whether the pool takes no more exchanges."""
        return self._retired

    def hang_up(self) -> None:
        """Shut down all connections, from any thread."""
        for stream in list(self._streams):
            shut_down(stream.get_extra_info("socket"))

    def close(self) -> None:
        """Close all connections, also those that the pool has lost."""
        try:
            # May raise, as when a server has just closed an HTTP/2 connection.
            self._pool.close()
        finally:
            for stream in list(self._streams):
                self._flavour.start(stream.close)


class LoopPools:
    """The pool of each event loop, because connections belong to the loop that opened them."""

    def __init__(self, options: httpcore.Options, flavour: Flavour) -> None:
        self._options = options
        self._flavour = flavour
        self._tls: Optional[httpcore.Contexts] = None
        self._pools: dict[Any, UsedPool] = {}
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Start afresh, in a forked child, whose connections are its parent's."""
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        # Kept, so that no finaliser says goodbye on the parent's connections.
        self._inherited = self._pools
        self._pools = {}

    def pool(
        self, request: Request, *, fresh: bool, timeout: Optional[float]
    ) -> UsedPool:
        """The running loop's pool for a request; with `fresh`, one with this exchange alone.

        Args:
            timeout: seconds for reading certificates.

        Raises:
            TimeoutError: they were not enough.
            TransportError: a certificate cannot be loaded.
        """
        tls = None
        if request.origin.scheme == "https" or self._options.has_tls_proxy:
            if self._tls is None:
                Steps.in_thread(self._load_contexts, timeout)
            tls = self._tls
        if fresh:
            return UsedPool(self._options, tls, self._flavour)
        token = Steps.token()
        retired: Optional[UsedPool] = None
        with self._lock:
            pool = self._pools.get(token)
            if pool is not None and tls is not None and not pool.has_tls:
                retired = pool
            if pool is None or retired is not None or pool.retired:
                self._drop_ended()
                pool = self._pools[token] = UsedPool(self._options, tls, self._flavour)
        if retired is not None:
            retired.retire()
        return pool

    def _load_contexts(self) -> None:
        # Locked, because httpcore changes contexts: there must be one of each.
        with self._loading:
            self._tls = self._tls or httpcore.make_contexts(self._options)

    def _drop_ended(self) -> None:
        for token in [each for each in self._pools if Steps.has_ended(each)]:
            self._pools.pop(token).hang_up()

    def close(self) -> None:
        """Close all pools; those of other loops by shutting their connections down."""
        token = Steps.token()
        with self._lock:
            pools, self._pools = self._pools, {}
        for owner, pool in pools.items():
            pool.hang_up()
            if owner == token:
                self._flavour.start(pool.close)
