"""`httpcore2` or `httpcore` as a transport: HTTP/2, SOCKS, Unix sockets, and their own pools.

The library sends each request and reads each response in steps that a cancellation does not reach
(`_http_clients.errands`), because its pools lose connections to cancellations.

Source: https://www.encode.io/httpcore/, https://github.com/encode/httpcore/issues/1093
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional, Union

from meshapi_backends._async.httpcore.exchange import AsyncExchange, AsyncHTTPCoreResponse
from meshapi_backends._async.httpcore.pools import AsyncLoopPools
from meshapi_backends._failures import TransportError
from meshapi_backends._http_clients import httpcore
from meshapi_backends._http_clients.failures import Attempt
from meshapi_backends._http_clients.flavours import AsyncFlavour
from meshapi_backends._http_clients.requests import Progress, TimeLimits
from meshapi_backends._scopes import Calls
from meshapi_core import Limits, Proxy, Request, Timeout, TLSSettings, client_closed

if TYPE_CHECKING:
    from meshapi_backends._networks.tls_source import TLSArgument

_LIMITS = Limits()


class AsyncHTTPCoreTransport:
    """Sends requests through httpcore2, or httpcore where that is not installed.

    For what the client's own connections do not do: HTTP/2, and SOCKS where httpcore is to speak
    it. Install it with the extra `http2` or `socks`. Redirects are not followed, and the
    environment's proxies are not used. Close it when the client is closed; it may serve several
    clients.

    Args:
        http1: whether to offer HTTP/1.1; without it, `http://` URLs speak HTTP/2 as well.
        http2: whether to offer HTTP/2 to servers with TLS.
        proxy: what the client's `proxy` takes: a `Proxy`, or its URL, which begins with `http://`,
            `https://`, `socks5://` or `socks5h://` and may have a user name and a password. With
            either kind of SOCKS, the proxy looks host names up.
        socks: the same for a SOCKS proxy; `socks5://` may be left out.
        uds: the path of a Unix socket, to connect to that instead of the host in the URL.
        local_address: the address to connect from.
        tls: what the client's `tls` takes: whom to trust, and how to identify yourself; for an
            https proxy, too. An `ssl.SSLContext` must be this transport's own, because httpcore
            sets the protocols to offer in it.
        limits: how many connections may be open, and how many are kept, for each event loop.
        library: the module `httpcore` or `httpcore2`, to choose between them.

    Raises:
        ImportError: a package is missing; the message says which extra installs it.
        TypeError, ValueError: an argument cannot be used. No password is in the message.
    """

    tells_sent = True

    def __init__(
        self,
        *,
        http1: bool = True,
        http2: bool = False,
        proxy: "Union[None, str, Proxy]" = None,
        socks: "Union[None, str, Proxy]" = None,
        uds: Optional[str] = None,
        local_address: Optional[str] = None,
        tls: "Optional[TLSArgument]" = None,
        limits: Limits = _LIMITS,
        library: Any = None,
    ) -> None:
        # Error trackers show the locals of frames that raise.
        hidden = TLSSettings.hidden(tls)
        proxies = httpcore.hidden_proxy(proxy), httpcore.hidden_proxy(socks)
        del tls, proxy, socks
        name, route = type(self).__name__, httpcore.one_proxy(*proxies)
        self._options = httpcore.options_of(
            name, library, http1, http2, route, uds, local_address, hidden, limits
        )
        self.flavour = AsyncFlavour()
        self._pools = AsyncLoopPools(self._options, self.flavour)
        self._open: set[AsyncExchange] = set()
        self._dropped: deque[AsyncExchange] = deque()
        self._closed = False
        self.calls = Calls()

    @property
    def closed(self) -> bool:
        """Whether `aclose` has been called."""
        return self._closed

    async def send(
        self,
        request: Request,
        *,
        timeout: Timeout,
        deadline: Optional[float] = None,
        fresh: bool = False,
        until: Optional[float] = None,
        sent: Optional[Callable[[float], Optional[float]]] = None,
    ) -> AsyncHTTPCoreResponse:
        """Send through a pool of the library's. See `AsyncTransport`."""
        self._collect_dropped()
        self._check_open()
        attempt = Attempt(
            request, timeout, Progress(self.flavour.now), credentials=bool(self._options.secrets)
        )
        limits = TimeLimits(timeout, deadline if until is None else until, self.flavour.now)
        pool = await self._pools.pool(request, fresh=fresh, timeout=limits.get("connect"))
        self._check_open()
        exchange = AsyncExchange(self, self._options, pool, attempt, limits)
        self._open.add(exchange)
        if fresh:
            # Nobody else will use it; and it is open as long as the exchange is.
            pool.retire()
        response = await exchange.head(sent)
        if self.closed:
            exchange.close()
            raise TransportError(client_closed())
        return AsyncHTTPCoreResponse(exchange, response)

    def _check_open(self) -> None:
        if self._closed:
            raise TransportError(client_closed())

    async def aclose(self) -> None:
        """Close all connections, and the responses that are being read."""
        self._closed = True
        self.calls.end(client_closed())
        self._collect_dropped()
        for exchange in list(self._open):
            exchange.close()
        self._pools.close()
        await self.flavour.settle()

    def drop(self, exchange: "AsyncExchange") -> None:
        """Note that nobody holds a response any more. Safe in a finaliser."""
        exchange.hang_up()
        self._dropped.append(exchange)

    def forget(self, exchange: "AsyncExchange") -> None:
        """Remove an exchange that has ended."""
        self._open.discard(exchange)

    def _collect_dropped(self) -> None:
        while self._dropped:
            try:
                exchange = self._dropped.popleft()
            except IndexError:
                return  # another thread took the last one
            exchange.close()

    def __repr__(self) -> str:
        # Works without `_options`, too: error trackers show transports whose `__init__` raised.
        options: Optional[httpcore.Options] = vars(self).get("_options")
        name = "(not made)" if options is None else f"on {options.library.__name__}"
        return f"<{type(self).__name__} {name}>"
