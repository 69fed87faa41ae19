"""The blocking client."""

from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Optional, Union

from typing_extensions import Never, Self

from meshapi._client import (
    DEFAULT_LIMITS,
    DEFAULT_SOCKETS,
    Client,
    TransportHints,
    check_connecting,
    check_transport,
    config_of,
    options_given,
    refuse_beside_http_client,
    refuse_unknown,
    secret_of,
)
from meshapi_backends import (
    CallRunner,
    ConnectionPool,
    SocketNetwork,
    Transport,
    current_blocking_network,
)
from meshapi_core import Limits, RetryPolicy, SocketOptions, Timeout, TLSSettings
from meshapi_core.endpoints import Runner

if TYPE_CHECKING:
    from meshapi._client import TLSArgument
    from meshapi._realtime import RealtimeResource
    from meshapi_backends import HTTPXClient


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
        tls: the path of a file or folder of certificate authorities, which alone are trusted then;
            or (certificate, key) or (certificate, key, password), the files of a client
            certificate; or an `ssl.SSLContext`, for both together. The default trusts the
            system's authorities, and what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
        sockets: how connections are opened: a Unix socket, the local address and port, keep-alive
            probes, several addresses of a host.
        transport: sends the requests instead of the client's own connections. It stays open when
            the client is closed. `limits`, `tls` and `sockets` have no effect on it, only
            on realtime sessions, which do not use it.
        httpx_client: an `httpx.Client` or `httpx2.Client` of yours that sends the requests, with
            `base_url`, `timeout` and the token given here. Its default headers, cookies and query
            parameters are sent to the API, but never to signed URLs. Its `auth` is not used, and
            redirects are not followed. It stays open when the client is closed. `limits`, `tls`
            and `sockets` are refused beside it; for realtime sessions that need them, make another
            client.

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
        tls: "Optional[TLSArgument]" = None,
        sockets: SocketOptions = DEFAULT_SOCKETS,
        transport: Optional[Transport] = None,
        httpx_client: "Optional[HTTPXClient]" = None,
        **unknown: Never,
    ) -> None:
        # Before anything can raise: error trackers show the locals of frames that raise.
        hidden = TLSSettings.hidden(tls)
        del tls
        number, names = len(positional), [*unknown]
        positional = ()
        unknown.clear()
        if number or names:
            del token
            refuse_unknown(number, names, MeshAPI.__init__, _HINTS)
        secret = secret_of(token)
        del token
        self._config = config_of(base_url, secret, timeout, max_retries, retry)
        check_connecting(limits, sockets)
        check_transport(transport, httpx_client, _HINTS)
        given = options_given(
            tls=(hidden, None), sockets=(sockets, DEFAULT_SOCKETS), limits=(limits, DEFAULT_LIMITS)
        )
        if given:
            refuse_beside_http_client(httpx_client, transport, given, _HINTS)
        over_http_client: Optional[Transport] = None
        if httpx_client is not None:
            from meshapi_backends import HTTPXTransport

            over_http_client = HTTPXTransport(httpx_client)
        pool = ConnectionPool(SocketNetwork(), limits, hidden, sockets=sockets)
        self._send_over(pool, transport, over_http_client)

    @cached_property
    def realtime(self) -> "RealtimeResource":
        """Realtime sessions: speech and text in both directions at once."""
        from meshapi._realtime import RealtimeResource

        return RealtimeResource(self._config, self._sockets)

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
