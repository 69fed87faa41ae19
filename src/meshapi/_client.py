"""The two clients: the same resources, the same options, one of them blocking."""

import os
from collections.abc import Mapping
from enum import Enum
from functools import cached_property
from inspect import iscoroutinefunction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Optional, Union, cast

import msgspec
from typing_extensions import Self

from meshapi._resources import Resources
from meshapi_backends import (
    AsyncRunner,
    AsyncTransport,
    ConnectionPool,
    PerLoopTransport,
    Runner,
    SocketNetwork,
    Transport,
    current_blocking_network,
    current_network,
)
from meshapi_core import (
    DEFAULT_BASE_URL,
    Extras,
    Limits,
    MeshAPIConfig,
    R_co,
    RetryPolicy,
    Secret,
    Timeout,
    hidden_values,
)
from meshapi_core import AsyncRunner as AnyAsyncRunner
from meshapi_core import Runner as AnyRunner

if TYPE_CHECKING:
    import ssl

    from meshapi._realtime import AsyncRealtimeResource, RealtimeResource
    from meshapi_backends import AsyncHTTPXClient, HTTPXClient

DEFAULT_LIMITS = Limits()


def _secret(token: object) -> Secret:
    if token is None:
        token = os.environ.get("MESHAPI_TOKEN")
    if token is None:
        raise ValueError("token: not given, and MESHAPI_TOKEN is not set")
    if isinstance(token, str):
        return Secret(token)
    # Bytes may be the right token in the wrong type. The config refuses this by the same name.
    return cast("Secret", type(type(token).__name__, (), {})())


def _config(
    base_url: Optional[str],
    token: Secret,
    timeout: Union[None, float, Timeout],
    max_retries: int,
    retry: Optional[RetryPolicy],
) -> MeshAPIConfig:
    if base_url is None:
        base_url = os.environ.get("MESHAPI_BASE_URL") or DEFAULT_BASE_URL
    return MeshAPIConfig(
        base_url=base_url, token=token, timeout=timeout, max_retries=max_retries, retry=retry
    )


class _AsBefore(Enum):
    AS_BEFORE = "as before"


_AS_BEFORE: Final = _AsBefore.AS_BEFORE


def _changed(
    config: MeshAPIConfig,
    timeout: Union[None, float, Timeout, _AsBefore],
    max_retries: Optional[int],
    retry: Optional[RetryPolicy],
    extras: Extras,
) -> MeshAPIConfig:
    policy = config.retry_policy if retry is None else retry
    _check_policy(policy)
    if max_retries is not None:
        policy = msgspec.structs.replace(policy, max_retries=max_retries)
    # Not `replace`, after which older versions of msgspec check nothing.
    return MeshAPIConfig(
        base_url=config.base_url,
        token=config.token,
        timeout=config.timeout if timeout is _AS_BEFORE else timeout,
        max_retries=policy.max_retries,
        retry=policy,
        extras=config.extras.merged(extras),
        service=config.service,
    )


def _check_policy(policy: object) -> None:
    if not isinstance(policy, RetryPolicy):
        raise TypeError(f"retry: expected RetryPolicy or None, got {type(policy).__name__}")


def _check_connecting(limits: object, ssl_context: object) -> None:
    if not isinstance(limits, Limits):
        raise TypeError(f"limits: expected Limits, got {type(limits).__name__}")
    # By what it can do: `ssl` is loaded by the first https call.
    if ssl_context is not None and not callable(getattr(ssl_context, "wrap_bio", None)):
        kind = type(ssl_context).__name__
        raise TypeError(f"ssl_context: expected ssl.SSLContext or None, got {kind}")


def _check_transport(transport: object, side: str, close: str) -> None:
    if transport is None:
        return
    send = getattr(transport, "send", None)
    fits = callable(send) and callable(getattr(transport, close, None))
    # A function that is none may still return an awaitable, so that only one side is sure.
    if not fits or (side == "a blocking" and iscoroutinefunction(send)):
        kind = type(transport).__name__
        raise TypeError(
            f"transport: expected {side} transport, with send() and {close}(), got {kind}"
        )


def _check_one(transport: object, field: str) -> None:
    if transport is not None:
        raise TypeError(f"{field}: expected nothing beside transport, which sends the requests")


class _Client(Resources[R_co]):
    """What both clients do alike."""

    _config: MeshAPIConfig
    _own: tuple[Any, ...]
    _sockets: Any
    _transport: Any

    def _new_runner(self) -> R_co:
        """Return what runs calls by the client's config, on its transport."""
        raise NotImplementedError

    def with_options(
        self,
        *,
        timeout: Union[None, float, Timeout, _AsBefore] = _AS_BEFORE,
        max_retries: Optional[int] = None,
        retry: Optional[RetryPolicy] = None,
        extra_headers: Optional[Mapping[str, Optional[str]]] = None,
        extra_query: Optional[Mapping[str, Any]] = None,
        extra_body: Optional[Mapping[str, Any]] = None,
    ) -> Self:
        """Return a client with other options on the same connections; this one stays as it is.

        It is cheap: make one for a single call, `client.with_options(timeout=5).models.list()`.
        Only the client that it came from closes the connections.

        Args:
            timeout, max_retries, retry: as for the client; what is not given stays.
            extra_headers: replace ours of the same name; None removes ours. They never go to
                signed URLs. With `accept-encoding` you may ask for compressed answers.
            extra_query: query parameters of every request; booleans and lists as elsewhere.
            extra_body: members of every JSON or form body, for what the gateway knows and the
                parameters do not.
                All three add to those of this client.

        Raises:
            InvalidParamsError, TypeError, ValueError: an option is not usable.
        """
        # First of all: the locals of a frame that raises are shown by error trackers.
        extra_headers, extra_query = hidden_values(extra_headers), hidden_values(extra_query)
        extras = Extras(headers=extra_headers, query=extra_query, body=extra_body)
        twin = object.__new__(type(self))
        twin._config = _changed(self._config, timeout, max_retries, retry, extras)
        twin._own, twin._sockets, twin._transport = (), self._sockets, self._transport
        twin._runner = twin._new_runner()
        return twin

    def __repr__(self) -> str:
        # Also of a client whose `__init__` raised, which error trackers show.
        config: Optional[MeshAPIConfig] = vars(self).get("_config")
        where = "(not made)" if config is None else config.base_url
        return f"<{type(self).__name__} {where}>"

    def __reduce__(self) -> Any:
        raise TypeError("a client cannot be pickled: it holds a token and connections")


class MeshAPI(_Client[AnyRunner]):
    """A blocking client for the gateway; safe to share between threads.

    Connections are opened when they are needed and kept for the next call. Close the client, or
    use it in a `with` block, to close them.

    Args:
        base_url: of the gateway, without `/v1`; `MESHAPI_BASE_URL`, else the public gateway.
        token: the API key; `MESHAPI_TOKEN` where it is not given.
        timeout: seconds for each of connecting, reading, writing and waiting for a connection;
            None is without limit; a `Timeout` sets each, and limits for a whole call.
        max_retries: attempts beyond the first for what may be repeated.
        limits: how many connections are open and kept.
        retry: the whole retry policy, instead of `max_retries`.
        ssl_context: for a private certificate authority or client certificates; the default
            verifies against the system's authorities.
        transport: sends the requests instead of the client's own connections. Stays open when
            the client is closed; `limits` and `ssl_context` do not reach it, and realtime
            sessions don't run over it.
        httpx_client: an `httpx.Client` or `httpx2.Client` of yours that sends the requests.
            `base_url`, `timeout` and the token are those given here. Its default headers, cookies
            and query parameters go with requests to the API, never with one to a signed URL. Its
            `auth` is not used, redirects are not followed. Stays open when the client is closed.

    Raises:
        TypeError, ValueError: an argument is not usable. The token is never part of the message.
    """

    def __init__(
        self,
        *,
        base_url: Optional[str] = None,
        token: Optional[str] = None,
        timeout: Union[None, float, Timeout] = 60.0,
        max_retries: int = 3,
        limits: Limits = DEFAULT_LIMITS,
        retry: Optional[RetryPolicy] = None,
        ssl_context: "Optional[ssl.SSLContext]" = None,
        transport: Optional[Transport] = None,
        httpx_client: "Optional[HTTPXClient]" = None,
    ) -> None:
        # First of all: the locals of a frame that raises are shown by error trackers.
        token = _secret(token)
        self._config = _config(base_url, token, timeout, max_retries, retry)
        _check_connecting(limits, ssl_context)
        _check_transport(transport, "a blocking", "close")
        # There in any case, for realtime sessions; it opens nothing by itself.
        self._sockets = ConnectionPool(SocketNetwork(), limits, ssl_context)
        self._own: tuple[Transport, ...] = (self._sockets,)
        if httpx_client is not None:
            _check_one(transport, "httpx_client")
            from meshapi_backends import HTTPXTransport

            transport = HTTPXTransport(httpx_client)
            self._own += (transport,)
        self._transport: Transport = self._sockets if transport is None else transport
        self._runner = self._new_runner()

    @cached_property
    def realtime(self) -> "RealtimeResource":
        """Speech and text in both directions at once."""
        from meshapi._realtime import RealtimeResource

        return RealtimeResource(self._config, self._sockets)

    def _new_runner(self) -> AnyRunner:
        return Runner(self._config, self._transport, current_blocking_network)

    def close(self) -> None:
        """Close every connection; what goes on or waits raises APIConnectionError at once."""
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


class AsyncMeshAPI(_Client[AnyAsyncRunner]):
    """A client for the gateway on asyncio and on trio; it finds out which of them runs.

    Connections belong to the event loop that opened them: the same client works in one loop
    after another, and in threads with loops of their own at the same time, except over an
    `async_httpx_client`, which belongs to one loop. Close it with `aclose()`, from any of them, or
    use it in an `async with` block.

    Args and Raises: as for `MeshAPI`; `transport` is an `AsyncTransport`, and
    `async_httpx_client` an `httpx.AsyncClient` or `httpx2.AsyncClient`.
    """

    def __init__(
        self,
        *,
        base_url: Optional[str] = None,
        token: Optional[str] = None,
        timeout: Union[None, float, Timeout] = 60.0,
        max_retries: int = 3,
        limits: Limits = DEFAULT_LIMITS,
        retry: Optional[RetryPolicy] = None,
        ssl_context: "Optional[ssl.SSLContext]" = None,
        transport: Optional[AsyncTransport] = None,
        async_httpx_client: "Optional[AsyncHTTPXClient]" = None,
    ) -> None:
        # First of all: the locals of a frame that raises are shown by error trackers.
        token = _secret(token)
        self._config = _config(base_url, token, timeout, max_retries, retry)
        _check_connecting(limits, ssl_context)
        _check_transport(transport, "an async", "aclose")
        # There in any case, for realtime sessions; it opens nothing by itself.
        self._sockets = PerLoopTransport(limits, ssl_context)
        self._own: tuple[AsyncTransport, ...] = (self._sockets,)
        if async_httpx_client is not None:
            _check_one(transport, "async_httpx_client")
            from meshapi_backends import AsyncHTTPXTransport

            transport = AsyncHTTPXTransport(async_httpx_client)
            self._own += (transport,)
        self._transport: AsyncTransport = self._sockets if transport is None else transport
        self._runner = self._new_runner()

    @cached_property
    def realtime(self) -> "AsyncRealtimeResource":
        """Speech and text in both directions at once."""
        from meshapi._realtime import AsyncRealtimeResource

        return AsyncRealtimeResource(self._config, self._sockets)

    def _new_runner(self) -> AnyAsyncRunner:
        return AsyncRunner(self._config, self._transport, current_network)

    async def aclose(self) -> None:
        """Close every connection; what goes on or waits raises APIConnectionError at once."""
        for transport in self._own:
            await transport.aclose()

    async def close(self) -> None:
        """The same as `aclose()`."""
        await self.aclose()

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
