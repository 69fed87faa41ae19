"""The blocking client."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Optional, Union

from typing_extensions import Never, Self, TypedDict, Unpack

from meshapi._bulk import BulkClient
from meshapi._client import (
    Configured,
    hidden_given_token,
    refuse_configured,
    refuse_unknown,
)
from meshapi._connections import (
    DEFAULT_LIMITS,
    DEFAULT_SOCKETS,
    ConnectionArguments,
    TransportHints,
    hidden_proxy,
    is_network,
    network_of,
)
from meshapi._settings import (
    NOT_GIVEN,
    Given,
    NotGiven,
    hidden_url,
)
from meshapi_backends import (
    CallRunner,
    ConnectionPool,
    SocketNetwork,
    Transport,
    current_blocking_network,
)
from meshapi_core import (
    Limits,
    MeshAPIConfig,
    Proxies,
    Proxy,
    RetryPolicy,
    SocketOptions,
    Timeout,
    TLSSettings,
    endpoints,
    hidden_values,
)
from meshapi_core.endpoints import Runner, explains_arguments, lists_keywords

if TYPE_CHECKING:
    from meshapi._connections import TLSArgument
    from meshapi._raw_clients import RawMeshAPI
    from meshapi._realtime import RealtimeResource
    from meshapi.telemetry.options import OpenTelemetryOptions
    from meshapi_backends import Hooks, HTTPXClient, Middleware, NetworkTransport, Watch
    from meshapi_core.flows import FilePath, OnProgress, SavedFile


class Connections(TypedDict, total=False):
    """The arguments of the client that are not in its configuration; see `MeshAPI`."""

    limits: Limits
    proxy: Union[None, str, Proxy, NotGiven]
    tls: "Optional[TLSArgument]"
    sockets: SocketOptions
    transport: "Union[None, Transport, NetworkTransport]"
    httpx_client: "Optional[HTTPXClient]"
    middleware: "Sequence[Middleware]"
    hooks: "Optional[Hooks]"
    open_telemetry: "Optional[OpenTelemetryOptions]"


_HINTS = TransportHints("a blocking", "close", "httpx_client", "httpx.Client")


class MeshAPI(BulkClient):
    """A blocking client for the gateway; safe to share between threads.

    Connections are opened when they are needed, and kept for the next call. To close them, close
    the client or use it in a `with` block.

    Args:
        base_url: the URL of the gateway, without `/v1`. The default is `MESHAPI_BASE_URL`, or the
            public gateway if that is not set.
        token: the API key, or a function that returns it. The function is called for each call, and
            once more if the gateway refuses the token with a 401; it should keep the token until
            that expires. The default is `MESHAPI_TOKEN` or `MESHAPI_API_KEY`.
        timeout: seconds for each of connecting, reading, writing and waiting for a connection; None
            is no limit. A `Timeout` sets each of them, and limits for a whole call. The default is
            `MESHAPI_TIMEOUT`, or 60 seconds.
        max_retries: the most retries of a call, if it may be retried at all. The default is
            `MESHAPI_MAX_RETRIES`, or 3.
        limits: how many connections may be open, and how many are kept.
        retry: the whole retry policy; `max_retries` beside it replaces its number of retries.
        default_headers: headers of every request, which replace ours of the same name; a value of
            None removes ours. They are never sent to signed URLs. `MESHAPI_CUSTOM_HEADERS` adds
            further ones, a line `name: value` for each.
        default_query: query parameters of every request.
        user_agent: your program, such as "my-app/1.0"; added to the User-Agent header.
        api_version: the version of the API, such as "2026-09"; sent as X-Mesh-Version.
        proxy: the proxy on the way to every server: a URL, such as
            `http://user:password@10.0.0.1:3128` or `socks5h://10.0.0.1`, or a `Proxy`; None is
            none. The default is what `MESHAPI_PROXY`, or else `HTTPS_PROXY`, `HTTP_PROXY`,
            `ALL_PROXY` and `NO_PROXY`, say when the client is made.
        tls: the path of a file or folder of certificate authorities, which alone are trusted then;
            or (certificate, key) or (certificate, key, password), the files of a client
            certificate; or an `ssl.SSLContext`, for both together. The default trusts the
            system's authorities, and what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
        sockets: how connections are opened: a Unix socket, the local address and port, keep-alive
            probes, several addresses of a host.
        transport: sends the requests instead of the client's own connections. It stays open when
            the client is closed. `limits`, `proxy`, `tls` and `sockets` have no effect on it, only
            on realtime sessions, which do not use it.
        httpx_client: an `httpx.Client` or `httpx2.Client` of yours that sends the requests, with
            `base_url`, `timeout` and the token given here. Its default headers, cookies and query
            parameters are sent to the API, but never to signed URLs. Its `auth` is not used, and
            redirects are not followed. It stays open when the client is closed. `limits`, `proxy`,
            `tls` and `sockets` are refused beside it; for realtime sessions that need them, make
            another client.
        middleware: functions that are called with `(request, call_next)` around every attempt, the
            first one outermost; each returns a response. Realtime sessions do not use them.
        hooks: functions that are called when something happens in a call; see `Hooks`.
        open_telemetry: traces and metrics for OpenTelemetry; `{}` switches them on, see
            `OpenTelemetryOptions`.

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
        token: Union[None, str, Callable[[], str]] = None,
        timeout: Union[None, float, Timeout, NotGiven] = NOT_GIVEN,
        max_retries: Union[int, NotGiven] = NOT_GIVEN,
        limits: Limits = DEFAULT_LIMITS,
        retry: Optional[RetryPolicy] = None,
        default_headers: Optional[Mapping[str, Optional[str]]] = None,
        default_query: Optional[Mapping[str, Any]] = None,
        user_agent: Optional[str] = None,
        api_version: Optional[str] = None,
        proxy: Union[None, str, Proxy, NotGiven] = NOT_GIVEN,
        tls: "Optional[TLSArgument]" = None,
        sockets: SocketOptions = DEFAULT_SOCKETS,
        transport: "Union[None, Transport, NetworkTransport]" = None,
        httpx_client: "Optional[HTTPXClient]" = None,
        middleware: "Sequence[Middleware]" = (),
        hooks: "Optional[Hooks]" = None,
        open_telemetry: "Optional[OpenTelemetryOptions]" = None,
        **unknown: Never,
    ) -> None:
        # Before anything can raise: error trackers show the locals of frames that raise.
        base_url = hidden_url(base_url)
        hidden_tls, hidden_route = TLSSettings.hidden(tls), hidden_proxy(proxy)
        del tls, proxy
        number, names = len(positional), [*unknown]
        positional = ()
        unknown.clear()
        default_headers = hidden_values(default_headers)
        default_query = hidden_values(default_query)
        if number or names:
            del token
            refuse_unknown(number, names, MeshAPI.__init__, _HINTS)
        hidden = hidden_given_token(token)
        del token
        given = Given(
            base_url,
            timeout,
            max_retries,
            retry,
            default_headers,
            default_query,
            user_agent,
            api_version,
        )
        arguments = ConnectionArguments(
            limits,
            hidden_route,
            hidden_tls,
            sockets,
            transport,
            httpx_client,
            middleware,
            hooks,
            open_telemetry,
        )
        self._set_up(hidden, given, arguments, _HINTS)

    _init = __init__

    @classmethod
    @explains_arguments
    @lists_keywords
    def from_config(cls, config: MeshAPIConfig, **connections: Unpack[Connections]) -> Self:
        """Return a client with a configuration that exists already.

        It reads no variables: it logs nowhere, and goes through no proxy, unless the program says
        so. Only OpenSSL still looks at `SSL_CERT_FILE` and `SSL_CERT_DIR`; `tls` overrides them.

        Args:
            config: the gateway, the token, the limits and the retries.
            connections: all arguments that are not in the configuration, such as `proxy`,
                `transport` and `httpx_client`, as for the client.
        """
        refuse_configured(connections)
        return cls._made(token=Configured(config), **connections)

    @cached_property
    def realtime(self) -> "RealtimeResource":
        """Realtime sessions: speech and text in both directions at once."""
        from meshapi._realtime import RealtimeResource

        return RealtimeResource(self._config, self._sockets, self._watches, self._own_network)

    @explains_arguments
    def download(
        self,
        url: Optional[str],
        path: "FilePath",
        *,
        overwrite: bool = True,
        on_progress: "Optional[OnProgress]" = None,
        progress: bool = False,
    ) -> "SavedFile":
        """Save the file behind a URL of a response, such as a video, and return its path and size.

        For example, `client.download(video.url, "fox.mp4")`. All of the file appears
        at the path, or nothing does. If the connection breaks, the download goes on from there, as
        often as the retry policy allows. The request carries neither the token nor the client's
        headers, and redirects are not followed.

        Args:
            url: where the file is; None, if the response has no URL, is refused. No error, log or
                repr shows its query, which may grant access.
            path: where to save it. Only you can read the file.
            overwrite, on_progress, progress: as for `files.download`.

        Raises:
            InvalidParamsError: a parameter is not usable; nothing was sent.
            OSError: the file cannot be written; see `files.download`.
            ResponseDecodeError: the URL is not https although the base URL is, or leads into your
                own network (`unsafe_url`); nothing was sent.
            APIStatusError: the server refuses the download, for example because the URL has
                expired.
            StreamInterruptedError: the connection broke too often.
        """
        # Before anything can raise: error trackers show the locals of frames that raise.
        url = endpoints.Downloads.hidden(url)
        downloads = endpoints.Downloads(self._runner)
        return downloads.download(
            url, path, overwrite=overwrite, on_progress=on_progress, progress=progress
        )

    @cached_property
    def with_raw_response(self) -> "RawMeshAPI":
        """The same methods, each of which returns its response as it came: a `RawResponse`."""
        from meshapi._raw_clients import RawMeshAPI

        return self._twin(RawMeshAPI, self._config)

    def _new_watch(self, hooks: Any, tracing: Any) -> "Watch":
        from meshapi_backends import Watch, check_hooks

        if hooks is not None:
            check_hooks(hooks, blocking=True)
        return Watch(hooks, tracing)

    def _new_pool(self, arguments: ConnectionArguments, proxies: Proxies) -> ConnectionPool:
        transport = arguments.transport
        return ConnectionPool(
            transport.network() if is_network(transport) else SocketNetwork(),
            arguments.limits,
            arguments.tls,
            proxies=proxies,
            sockets=arguments.sockets,
        )

    def _over(self, http_client: "HTTPXClient") -> Transport:
        from meshapi_backends import HTTPXTransport

        return HTTPXTransport(http_client)

    def _behind(self, middleware: "tuple[Middleware, ...]") -> Transport:
        # Imported on first use: few clients have middleware.
        from meshapi_backends import MiddlewareTransport

        return MiddlewareTransport(middleware, self._transport, self._network)

    def _new_runner(self) -> Runner:
        return CallRunner(self._config, self._transport, self._network, self._watches)

    @property
    def _network(self) -> Callable[[], Any]:
        return network_of(self._arguments.transport, "network", current_blocking_network)

    def close(self) -> None:
        """Close every connection. Calls that are under way raise APIConnectionError at once."""
        for transport in self._own:
            transport.close()

    if not TYPE_CHECKING:
        # Hidden from type checkers, which report the mistake only while these are missing.

        async def __aenter__(self) -> NoReturn:
            raise TypeError("use AsyncMeshAPI in `async with`: MeshAPI is blocking")

        async def __aexit__(self, *exc_info: object) -> None:
            """Never called, but without it `async with` would not call `__aenter__`."""

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
