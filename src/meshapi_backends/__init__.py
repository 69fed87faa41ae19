"""Does what `meshapi_core` decides: connections, transports, runners. Never decides anything.

A transport of your own implements `Transport` or `AsyncTransport` and raises `TransportError`.
"""

from meshapi_backends._async.httpx_client import AsyncHTTPXTransport
from meshapi_backends._async.pool import AsyncConnectionPool
from meshapi_backends._async.runner import AsyncChunkStream, AsyncRunner
from meshapi_backends._async.transports import (
    AsyncByteStream,
    AsyncNetwork,
    AsyncResponse,
    AsyncTransport,
    AsyncWaiter,
)
from meshapi_backends._failures import TransportError
from meshapi_backends._httpx_requests import AsyncHTTPXClient, HTTPXClient
from meshapi_backends._network_sync import Network as SocketNetwork
from meshapi_backends._network_sync import current_network as current_blocking_network
from meshapi_backends._per_loop import PerLoopTransport, current_network
from meshapi_backends._sync.httpx_client import HTTPXTransport
from meshapi_backends._sync.pool import ConnectionPool
from meshapi_backends._sync.runner import ChunkStream, Runner
from meshapi_backends._sync.transports import (
    ByteStream,
    Network,
    Response,
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
    "AsyncResponse",
    "AsyncRunner",
    "AsyncTransport",
    "AsyncWaiter",
    "ByteStream",
    "ChunkStream",
    "ConnectionPool",
    "HTTPXClient",
    "HTTPXTransport",
    "Network",
    "PerLoopTransport",
    "Response",
    "Runner",
    "SocketNetwork",
    "Transport",
    "TransportError",
    "Waiter",
    "current_blocking_network",
    "current_network",
]
