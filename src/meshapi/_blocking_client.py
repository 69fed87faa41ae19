"""The blocking client."""

from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Union

from typing_extensions import Never, Self

from meshapi._client import (
    DEFAULT_LIMITS,
    Client,
    TransportHints,
    check_connecting,
    check_transport,
    config_of,
    refuse_unknown,
    secret_of,
    warn_of_unused,
)
from meshapi_backends import (
    CallRunner,
    ConnectionPool,
    SocketNetwork,
    Transport,
    current_blocking_network,
)
from meshapi_core import Limits, RetryPolicy, Timeout
from meshapi_core.endpoints import Runner

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from meshapi._realtime import RealtimeResource
    from meshapi_backends import HTTPXClient, Middleware


_HINTS = TransportHints("a blocking", "close", "httpx_client", "httpx.Client")


class MeshAPI(Client[Runner]):
    """A blocking client for the gateway; safe to share between threads.

    Connections are opened when they are needed, and kept for the next call. To close them, close
    the client or use it in a `with` block.

    Args:
        base_url: the URL of the gateway, without `/v1`. The default is `MESHAPI_BASE_URL`, or the
            public gateway if that is not set.
        token: the API key. The default is `MESHAPI_TOKEN`.
        timeout: seconds for each of connecting, reading, writing and waiting for a connection; None
            is no limit. A `Timeout` sets each of them, and limits for a whole call.
        max_retries: the most retries of a call, if it may be retried at all.
        limits: how many connections may be open, and how many are kept.
        retry: the whole retry policy, instead of `max_retries`.
        ssl_context: for a private certificate authority or client certificates. The default
            verifies against the system's authorities.
        transport: sends the requests instead of the client's own connections. It stays open when
            the client is closed. `limits` and `ssl_context` have no effect on it, and realtime
            sessions do not use it.
        httpx_client: an `httpx.Client` or `httpx2.Client` of yours that sends the requests, with
            `base_url`, `timeout` and the token given here. Its default headers, cookies and query
            parameters are sent to the API, but never to signed URLs. Its `auth` is not used, and
            redirects are not followed. It stays open when the client is closed.
        middleware: functions that are called with `(request, call_next)` around every attempt, the
            first one outermost; each returns a response. Realtime sessions do not use them.

    Raises:
        TypeError, ValueError: an argument cannot be used. The token is never part of the message.
    """

    _own: tuple[Transport, ...]
    _sockets: ConnectionPool
    _transport: Transport

    def __init__(
        self,
        *positional: Never,
        base_url: Optional[str] = None,
        token: Optional[str] = None,
        timeout: Union[None, float, Timeout] = 60.0,
        max_retries: int = 3,
        limits: Limits = DEFAULT_LIMITS,
        retry: Optional[RetryPolicy] = None,
        ssl_context: "Optional[ssl.SSLContext]" = None,
        transport: Optional[Transport] = None,
        httpx_client: "Optional[HTTPXClient]" = None,
        middleware: "Sequence[Middleware]" = (),
        **unknown: Never,
    ) -> None:
        # Before anything can raise: error trackers show the locals of frames that raise.
        number, names = len(positional), [*unknown]
        positional = ()
        unknown.clear()
        if number or names:
            del token
            refuse_unknown(number, names, MeshAPI.__init__, _HINTS)
        secret = secret_of(token)
        del token
        self._config = config_of(base_url, secret, timeout, max_retries, retry)
        check_connecting(limits, ssl_context)
        check_transport(transport, httpx_client, _HINTS)
        functions: tuple[Any, ...] = ()
        if middleware != ():
            from meshapi._middleware import checked_middleware

            functions = checked_middleware(middleware, of_async=False)
        sender = None if transport is None else "transport"
        sender = sender if httpx_client is None else _HINTS.field
        warn_of_unused(sender, limits, ssl_context, _HINTS)
        over_http_client: Optional[Transport] = None
        if httpx_client is not None:
            from meshapi_backends import HTTPXTransport

            over_http_client = HTTPXTransport(httpx_client)
        sockets = ConnectionPool(SocketNetwork(), limits, ssl_context)
        self._send_over(sockets, transport, over_http_client, functions)

    @cached_property
    def realtime(self) -> "RealtimeResource":
        """Realtime sessions: speech and text in both directions at once."""
        from meshapi._realtime import RealtimeResource

        return RealtimeResource(self._config, self._sockets)

    def _behind(self, middleware: "tuple[Middleware, ...]") -> Transport:
        # Imported on first use: few clients have middleware.
        from meshapi_backends import MiddlewareTransport

        return MiddlewareTransport(middleware, self._transport, current_blocking_network)

    def _new_runner(self) -> Runner:
        return CallRunner(self._config, self._transport, current_blocking_network)

    def close(self) -> None:
        """Close every connection. Calls that are under way raise APIConnectionError at once."""
        for transport in self._own:
            transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        self.close()
