"""Does what `meshapi_core` decides: connections, transports, runners. Never decides anything.

A transport of your own implements `Transport` or `AsyncTransport` and raises `TransportError`.
"""

from typing import TYPE_CHECKING, Any

from meshapi_backends._failures import TransportError

if TYPE_CHECKING:
    from meshapi_backends._async.httpx_client import AsyncHTTPXTransport
    from meshapi_backends._async.pool import AsyncConnectionPool
    from meshapi_backends._async.realtime import AsyncRealtimeSession
    from meshapi_backends._async.runner import AsyncChunkStream, AsyncRunner
    from meshapi_backends._async.transports import (
        AsyncByteStream,
        AsyncNetwork,
        AsyncResponse,
        AsyncSharedByteStream,
        AsyncTransport,
        AsyncWaiter,
    )
    from meshapi_backends._httpx_requests import AsyncHTTPXClient, HTTPXClient
    from meshapi_backends._network_sync import Network as SocketNetwork
    from meshapi_backends._network_sync import current_network as current_blocking_network
    from meshapi_backends._per_loop import PerLoopTransport, current_network
    from meshapi_backends._sync.httpx_client import HTTPXTransport
    from meshapi_backends._sync.pool import ConnectionPool
    from meshapi_backends._sync.realtime import RealtimeSession
    from meshapi_backends._sync.runner import ChunkStream, Runner
    from meshapi_backends._sync.transports import (
        ByteStream,
        Network,
        Response,
        SharedByteStream,
        Transport,
        Waiter,
    )

__all__ = [
    "AsyncByteStream",
    "AsyncChunkStream",
    "AsyncConnectionPool",
    "AsyncHTTPXClient",
    "AsyncHTTPXTransport",
    "AsyncNetwork",
    "AsyncRealtimeSession",
    "AsyncResponse",
    "AsyncRunner",
    "AsyncSharedByteStream",
    "AsyncTransport",
    "AsyncWaiter",
    "ByteStream",
    "ChunkStream",
    "ConnectionPool",
    "HTTPXClient",
    "HTTPXTransport",
    "Network",
    "PerLoopTransport",
    "RealtimeSession",
    "Response",
    "Runner",
    "SharedByteStream",
    "SocketNetwork",
    "Transport",
    "TransportError",
    "Waiter",
    "current_blocking_network",
    "current_network",
]


# Loaded when they are used: a program has one flavour, few are about speech, or bring a client
# along. Each name with its module; below, its name there where that is another.
_LAZY = {
    **dict.fromkeys(
        (
            "AsyncByteStream",
            "AsyncNetwork",
            "AsyncResponse",
            "AsyncSharedByteStream",
            "AsyncTransport",
            "AsyncWaiter",
        ),
        "_async.transports",
    ),
    **dict.fromkeys(
        ("ByteStream", "Network", "Response", "SharedByteStream", "Transport", "Waiter"),
        "_sync.transports",
    ),
    **dict.fromkeys(("AsyncChunkStream", "AsyncRunner"), "_async.runner"),
    **dict.fromkeys(("ChunkStream", "Runner"), "_sync.runner"),
    **dict.fromkeys(("AsyncHTTPXClient", "HTTPXClient"), "_httpx_requests"),
    **dict.fromkeys(("PerLoopTransport", "current_network"), "_per_loop"),
    "AsyncConnectionPool": "_async.pool",
    "AsyncHTTPXTransport": "_async.httpx_client",
    "AsyncRealtimeSession": "_async.realtime",
    "ConnectionPool": "_sync.pool",
    "HTTPXTransport": "_sync.httpx_client",
    "RealtimeSession": "_sync.realtime",
    "SocketNetwork": "_network_sync",
    "current_blocking_network": "_network_sync",
}
_NAMES_THERE = {"SocketNetwork": "Network", "current_blocking_network": "current_network"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    there = _NAMES_THERE.get(name, name)
    value = getattr(__import__(f"{__name__}.{_LAZY[name]}", fromlist=[there]), there)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
