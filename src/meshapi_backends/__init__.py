"""Does what `meshapi_core` decides, and decides nothing: connections, transports, runners.

A client is a runner on top of connections, plus a few resources (`meshapi_core.endpoints` explains
how to write those). Here is a blocking one, and one for asyncio and trio:

    pool = ConnectionPool(SocketNetwork(), Limits())
    client = Completions(CallRunner(config, pool, current_blocking_network))
    client.create(...); pool.close()

    pool = PerLoopTransport(Limits())
    client = Completions(AsyncCallRunner(config, pool, current_network))
    await client.create(...); await pool.aclose()

Both pools take an `ssl.SSLContext` as their next argument. Any number of runners may share a pool,
for example one for each config.

To bring your own transport, implement `Transport` or `AsyncTransport`. The exceptions that it
raises become errors of this library.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_backends._async.chunk_stream import AsyncChunkStream as AsyncChunkStream
    from meshapi_backends._async.connections import AsyncConnectionPool as AsyncConnectionPool
    from meshapi_backends._async.httpcore.transport import (
        AsyncHTTPCoreTransport as AsyncHTTPCoreTransport,
    )
    from meshapi_backends._async.httpx.transport import AsyncHTTPXTransport as AsyncHTTPXTransport
    from meshapi_backends._async.networks import AsyncNetwork as AsyncNetwork
    from meshapi_backends._async.networks import AsyncNetworkStream as AsyncNetworkStream
    from meshapi_backends._async.networks import (
        AsyncSharedNetworkStream as AsyncSharedNetworkStream,
    )
    from meshapi_backends._async.networks import AsyncWaiter as AsyncWaiter
    from meshapi_backends._async.realtime.session import (
        AsyncRealtimeSession as AsyncRealtimeSession,
    )
    from meshapi_backends._async.runner import AsyncCallRunner as AsyncCallRunner
    from meshapi_backends._async.transports import AsyncTransport as AsyncTransport
    from meshapi_backends._async.transports import AsyncTransportResponse as AsyncTransportResponse
    from meshapi_backends._failures import TransportError as TransportError
    from meshapi_backends._http_clients.aiohttp import AiohttpTransport as AiohttpTransport
    from meshapi_backends._http_clients.requests import AsyncHTTPXClient as AsyncHTTPXClient
    from meshapi_backends._http_clients.requests import HTTPXClient as HTTPXClient
    from meshapi_backends._networks.blocking import SocketNetwork as SocketNetwork
    from meshapi_backends._networks.blocking import (
        current_blocking_network as current_blocking_network,
    )
    from meshapi_backends._networks.current import current_network as current_network
    from meshapi_backends._per_loop import PerLoopTransport as PerLoopTransport
    from meshapi_backends._sources import open_source as open_source
    from meshapi_backends._sync.chunk_stream import ChunkStream as ChunkStream
    from meshapi_backends._sync.connections import ConnectionPool as ConnectionPool
    from meshapi_backends._sync.httpcore.transport import HTTPCoreTransport as HTTPCoreTransport
    from meshapi_backends._sync.httpx.transport import HTTPXTransport as HTTPXTransport
    from meshapi_backends._sync.networks import Network as Network
    from meshapi_backends._sync.networks import NetworkStream as NetworkStream
    from meshapi_backends._sync.networks import SharedNetworkStream as SharedNetworkStream
    from meshapi_backends._sync.networks import Waiter as Waiter
    from meshapi_backends._sync.realtime.session import RealtimeSession as RealtimeSession
    from meshapi_backends._sync.runner import CallRunner as CallRunner
    from meshapi_backends._sync.transports import Transport as Transport
    from meshapi_backends._sync.transports import TransportResponse as TransportResponse
else:
    from meshapi_backends._face import EXPORTED as __all__
    from meshapi_backends._face import __dir__, __getattr__
