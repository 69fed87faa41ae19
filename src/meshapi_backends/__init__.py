"""Does what `meshapi_core` decides: connections, transports, runners. Never decides anything.

A client is a runner on connections, and a few resources (`meshapi_core.endpoints` says how to write
those). Blocking, and on asyncio and trio alike:

    pool = ConnectionPool(SocketNetwork(), Limits())
    client = Completions(CallRunner(config, pool, current_blocking_network))
    client.create(...); pool.close()

    pool = PerLoopTransport(Limits())
    client = Completions(AsyncCallRunner(config, pool, current_network))
    await client.create(...); await pool.aclose()

Both pools take an `ssl.SSLContext` as their next argument. They may be shared by any number of
runners: by one for each config, for example.

A transport of your own implements `Transport` or `AsyncTransport`; what it raises is understood.
"""

from typing import TYPE_CHECKING, Any

from meshapi_backends._failures import TransportError

if TYPE_CHECKING:
    from meshapi_backends._async.chunk_stream import AsyncChunkStream
    from meshapi_backends._async.connections import AsyncConnectionPool
    from meshapi_backends._async.httpx_client import AsyncHTTPXTransport
    from meshapi_backends._async.networks import (
        AsyncByteStream,
        AsyncNetwork,
        AsyncSharedByteStream,
        AsyncWaiter,
    )
    from meshapi_backends._async.realtime.session import AsyncRealtimeSession
    from meshapi_backends._async.runner import AsyncCallRunner
    from meshapi_backends._async.transports import AsyncResponse, AsyncTransport
    from meshapi_backends._httpx.requests import AsyncHTTPXClient, HTTPXClient
    from meshapi_backends._networks.blocking import Network as SocketNetwork
    from meshapi_backends._networks.blocking import current_network as current_blocking_network
    from meshapi_backends._networks.current import current_network
    from meshapi_backends._per_loop import PerLoopTransport
    from meshapi_backends._sources import open_source
    from meshapi_backends._sync.chunk_stream import ChunkStream
    from meshapi_backends._sync.connections import ConnectionPool
    from meshapi_backends._sync.httpx_client import HTTPXTransport
    from meshapi_backends._sync.networks import (
        ByteStream,
        Network,
        SharedByteStream,
        Waiter,
    )
    from meshapi_backends._sync.realtime.session import RealtimeSession
    from meshapi_backends._sync.runner import CallRunner
    from meshapi_backends._sync.transports import Response, Transport

__all__ = [
    "AsyncByteStream",
    "AsyncCallRunner",
    "AsyncChunkStream",
    "AsyncConnectionPool",
    "AsyncHTTPXClient",
    "AsyncHTTPXTransport",
    "AsyncNetwork",
    "AsyncRealtimeSession",
    "AsyncResponse",
    "AsyncSharedByteStream",
    "AsyncTransport",
    "AsyncWaiter",
    "ByteStream",
    "CallRunner",
    "ChunkStream",
    "ConnectionPool",
    "HTTPXClient",
    "HTTPXTransport",
    "Network",
    "PerLoopTransport",
    "RealtimeSession",
    "Response",
    "SharedByteStream",
    "SocketNetwork",
    "Transport",
    "TransportError",
    "Waiter",
    "current_blocking_network",
    "current_network",
    "open_source",
]


def __getattr__(name: str) -> Any:
    # Loaded when they are used: a program has one flavour, few are about speech, or bring an HTTP
    # client along.
    module: Any
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "AsyncCallRunner":
        from meshapi_backends._async import runner as module
    elif name == "CallRunner":
        from meshapi_backends._sync import runner as module
    elif name == "AsyncChunkStream":
        from meshapi_backends._async import chunk_stream as module
    elif name == "ChunkStream":
        from meshapi_backends._sync import chunk_stream as module
    elif name == "AsyncConnectionPool":
        from meshapi_backends._async import connections as module
    elif name == "ConnectionPool":
        from meshapi_backends._sync import connections as module
    elif name == "PerLoopTransport":
        from meshapi_backends import _per_loop as module
    elif name == "current_network":
        from meshapi_backends._networks import current as module
    elif name == "open_source":
        from meshapi_backends import _sources as module
    elif name == "SocketNetwork":
        from meshapi_backends._networks.blocking import Network

        return Network
    elif name == "current_blocking_network":
        from meshapi_backends._networks.blocking import current_network

        return current_network
    elif name == "AsyncRealtimeSession":
        from meshapi_backends._async.realtime import session as module
    elif name == "RealtimeSession":
        from meshapi_backends._sync.realtime import session as module
    elif name == "AsyncHTTPXTransport":
        from meshapi_backends._async import httpx_client as module
    elif name == "HTTPXTransport":
        from meshapi_backends._sync import httpx_client as module
    elif name in ("AsyncHTTPXClient", "HTTPXClient"):
        from meshapi_backends._httpx import requests as module
    elif name in ("AsyncResponse", "AsyncTransport"):
        from meshapi_backends._async import transports as module
    elif name in ("Response", "Transport"):
        from meshapi_backends._sync import transports as module
    elif name.startswith("Async"):
        from meshapi_backends._async import networks as module
    else:
        from meshapi_backends._sync import networks as module
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
