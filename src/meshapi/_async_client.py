"""The client for asyncio and trio."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Optional, Union

from typing_extensions import Never, Self, TypedDict, Unpack

from meshapi._bulk import AsyncBulkClient
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
from meshapi._settings import NOT_GIVEN, Given, NotGiven, hidden_url
from meshapi_backends import AsyncCallRunner, AsyncTransport, PerLoopTransport, current_network
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
from meshapi_core.endpoints import AsyncRunner, explains_arguments, lists_keywords

if TYPE_CHECKING:
    from meshapi._connections import TLSArgument
    from meshapi._raw_clients import AsyncRawMeshAPI
    from meshapi._realtime import AsyncRealtimeResource
    from meshapi.telemetry.options import OpenTelemetryOptions
    from meshapi_backends import (
        AsyncHTTPXClient,
        AsyncMiddleware,
        AsyncNetworkTransport,
        AsyncWatch,
        Hooks,
    )
    from meshapi_core.flows import FilePath, OnProgress, SavedFile


class AsyncConnections(TypedDict, total=False):
    """The arguments of the client that are not in its configuration; see `AsyncMeshAPI`."""

    limits: Limits
    proxy: Union[None, str, Proxy, NotGiven]
    tls: "Optional[TLSArgument]"
    sockets: SocketOptions
    transport: "Union[None, AsyncTransport, AsyncNetworkTransport]"
    async_httpx_client: "Optional[AsyncHTTPXClient]"
    middleware: "Sequence[AsyncMiddleware]"
    hooks: "Optional[Hooks]"
    open_telemetry: "Optional[OpenTelemetryOptions]"


_HINTS = TransportHints("an async", "aclose", "async_httpx_client", "httpx.AsyncClient")


class AsyncMeshAPI(AsyncBulkClient):
    """A client for the gateway on asyncio and trio; it detects which of them runs.

    Each event loop gets connections of its own, so the same client works in one loop after another,
    and in several threads with a loop each. An `async_httpx_client`, however, belongs to one loop.
    Close the client with `aclose()`, in any of the loops, or use it in an `async with` block.

    Args and Raises: as for `MeshAPI`; a function in `token` may be async, `transport` is an
    `AsyncTransport`, and `async_httpx_client` an `httpx.AsyncClient` or `httpx2.AsyncClient`.
    Functions of `middleware` are async, and those of `hooks` may be.
    """

    _own: tuple[AsyncTransport, ...]
    _sockets: PerLoopTransport
    _transport: AsyncTransport

    def __init__(
        self,
        *positional: Never,
        base_url: Optional[str] = None,
        token: Union[None, str, Callable[[], Union[str, Awaitable[str]]]] = None,
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
        transport: "Union[None, AsyncTransport, AsyncNetworkTransport]" = None,
        async_httpx_client: "Optional[AsyncHTTPXClient]" = None,
        middleware: "Sequence[AsyncMiddleware]" = (),
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
            refuse_unknown(number, names, AsyncMeshAPI.__init__, _HINTS)
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
            async_httpx_client,
            middleware,
            hooks,
            open_telemetry,
        )
        self._set_up(hidden, given, arguments, _HINTS)

    _init = __init__

    @classmethod
    @explains_arguments
    @lists_keywords
    def from_config(cls, config: MeshAPIConfig, **connections: Unpack[AsyncConnections]) -> Self:
        """Return a client with a configuration that exists already; see `MeshAPI.from_config`.

        Args:
            config: the gateway, the token, the limits and the retries.
            connections: all arguments that are not in the configuration, such as `proxy`,
                `transport` and `async_httpx_client`, as for the client.
        """
        refuse_configured(connections)
        return cls._made(token=Configured(config), **connections)

    @cached_property
    def realtime(self) -> "AsyncRealtimeResource":
        """Realtime sessions: speech and text in both directions at once."""
        from meshapi._realtime import AsyncRealtimeResource

        return AsyncRealtimeResource(self._config, self._sockets, self._watches, self._own_network)

    @explains_arguments
    async def download(
        self,
        url: Optional[str],
        path: "FilePath",
        *,
        overwrite: bool = True,
        on_progress: "Optional[OnProgress]" = None,
        progress: bool = False,
    ) -> "SavedFile":
        """Save the file behind a URL of a response, such as a video, and return its path and size.

        For example, `await client.download(video.url, "fox.mp4")`. All of the file
        appears at the path, or nothing does. If the connection breaks, the download goes on from
        there, as often as the retry policy allows. The request carries neither the token nor the
        client's headers, and redirects are not followed.

        See `MeshAPI.download` for the arguments and the errors.
        """
        # Before anything can raise: error trackers show the locals of frames that raise.
        url = endpoints.Downloads.hidden(url)
        downloads = endpoints.Downloads(self._runner)
        return await downloads.download(
            url, path, overwrite=overwrite, on_progress=on_progress, progress=progress
        )

    @cached_property
    def with_raw_response(self) -> "AsyncRawMeshAPI":
        """The same methods, each of which returns its response as it came: a `RawResponse`."""
        from meshapi._raw_clients import AsyncRawMeshAPI

        return self._twin(AsyncRawMeshAPI, self._config)

    def _new_watch(self, hooks: Any, tracing: Any) -> "AsyncWatch":
        from meshapi_backends import AsyncWatch, check_hooks

        if hooks is not None:
            check_hooks(hooks, blocking=False)
        return AsyncWatch(hooks, tracing)

    def _new_pool(self, arguments: ConnectionArguments, proxies: Proxies) -> PerLoopTransport:
        transport = arguments.transport
        return PerLoopTransport(
            arguments.limits,
            arguments.tls,
            proxies=proxies,
            sockets=arguments.sockets,
            network=transport.async_network if is_network(transport) else current_network,
        )

    def _over(self, http_client: "AsyncHTTPXClient") -> AsyncTransport:
        from meshapi_backends import AsyncHTTPXTransport

        return AsyncHTTPXTransport(http_client)

    def _behind(self, middleware: "tuple[AsyncMiddleware, ...]") -> AsyncTransport:
        # Imported on first use: few clients have middleware.
        from meshapi_backends import AsyncMiddlewareTransport

        return AsyncMiddlewareTransport(middleware, self._transport, self._network)

    def _new_runner(self) -> AsyncRunner:
        return AsyncCallRunner(self._config, self._transport, self._network, self._watches)

    @property
    def _network(self) -> Callable[[], Any]:
        return network_of(self._arguments.transport, "async_network", current_network)

    async def aclose(self) -> None:
        """Close every connection. Calls that are under way raise APIConnectionError at once."""
        for transport in self._own:
            await transport.aclose()

    async def close(self) -> None:
        """The same as `aclose()`."""
        await self.aclose()

    if not TYPE_CHECKING:
        # Hidden from type checkers, which report the mistake only while these are missing.

        def __enter__(self) -> NoReturn:
            raise TypeError("use `async with` instead of `with`: AsyncMeshAPI is asynchronous")

        def __exit__(self, *exc_info: object) -> None:
            """Never called, but without it `with` would not call `__enter__`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        await self.aclose()
