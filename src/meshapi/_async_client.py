"""The client for asyncio and trio."""

from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Optional, Union

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
from meshapi_backends import AsyncCallRunner, AsyncTransport, PerLoopTransport, current_network
from meshapi_core import Limits, RetryPolicy, Timeout
from meshapi_core.endpoints import AsyncRunner

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from meshapi._realtime import AsyncRealtimeResource
    from meshapi_backends import AsyncHTTPXClient, AsyncMiddleware


_HINTS = TransportHints("an async", "aclose", "async_httpx_client", "httpx.AsyncClient")


class AsyncMeshAPI(Client[AsyncRunner]):
    """A client for the gateway on asyncio and trio; it detects which of them runs.

    Each event loop gets connections of its own, so the same client works in one loop after another,
    and in several threads with a loop each. An `async_httpx_client`, however, belongs to one loop.
    Close the client with `aclose()`, in any of the loops, or use it in an `async with` block.

    Args and Raises: as for `MeshAPI`; `transport` is an `AsyncTransport`, `async_httpx_client` an
    `httpx.AsyncClient` or `httpx2.AsyncClient`, and the functions of `middleware` are async.
    """

    _own: tuple[AsyncTransport, ...]
    _sockets: PerLoopTransport
    _transport: AsyncTransport

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
        transport: Optional[AsyncTransport] = None,
        async_httpx_client: "Optional[AsyncHTTPXClient]" = None,
        middleware: "Sequence[AsyncMiddleware]" = (),
        **unknown: Never,
    ) -> None:
        # Before anything can raise: error trackers show the locals of frames that raise.
        number, names = len(positional), [*unknown]
        positional = ()
        unknown.clear()
        if number or names:
            del token
            refuse_unknown(number, names, AsyncMeshAPI.__init__, _HINTS)
        secret = secret_of(token)
        del token
        self._config = config_of(base_url, secret, timeout, max_retries, retry)
        check_connecting(limits, ssl_context)
        check_transport(transport, async_httpx_client, _HINTS)
        functions: tuple[Any, ...] = ()
        if middleware != ():
            from meshapi._middleware import checked_middleware

            functions = checked_middleware(middleware, of_async=True)
        sender = None if transport is None else "transport"
        sender = sender if async_httpx_client is None else _HINTS.field
        warn_of_unused(sender, limits, ssl_context, _HINTS)
        over_http_client: Optional[AsyncTransport] = None
        if async_httpx_client is not None:
            from meshapi_backends import AsyncHTTPXTransport

            over_http_client = AsyncHTTPXTransport(async_httpx_client)
        sockets = PerLoopTransport(limits, ssl_context)
        self._send_over(sockets, transport, over_http_client, functions)

    @cached_property
    def realtime(self) -> "AsyncRealtimeResource":
        """Realtime sessions: speech and text in both directions at once."""
        from meshapi._realtime import AsyncRealtimeResource

        return AsyncRealtimeResource(self._config, self._sockets)

    def _behind(self, middleware: "tuple[AsyncMiddleware, ...]") -> AsyncTransport:
        # Imported on first use: few clients have middleware.
        from meshapi_backends import AsyncMiddlewareTransport

        return AsyncMiddlewareTransport(middleware, self._transport, current_network)

    def _new_runner(self) -> AsyncRunner:
        return AsyncCallRunner(self._config, self._transport, current_network)

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
