"""Does what `meshapi_core` decides, and decides nothing: connections, transports, runners.

A client is a runner on top of connections, plus a few resources (`meshapi_core.endpoints` explains
how to write those). Here is a blocking one, and one for asyncio and trio:

    pool = ConnectionPool(SocketNetwork(), Limits())
    client = Completions(CallRunner(config, pool, current_blocking_network))
    client.create(...); pool.close()

    pool = PerLoopTransport(Limits())
    client = Completions(AsyncCallRunner(config, pool, current_network))
    await client.create(...); await pool.aclose()

Both pools take `tls` as their next argument, and `proxies=` and `sockets=`. Any number of runners
may share a pool, for example one for each config.

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
    from meshapi_backends._async.middleware import (
        AsyncMiddlewareTransport as AsyncMiddlewareTransport,
    )
    from meshapi_backends._async.middleware_responses import (
        AsyncBytesResponse as AsyncBytesResponse,
    )
    from meshapi_backends._async.middleware_responses import AsyncCallNext as AsyncCallNext
    from meshapi_backends._async.middleware_responses import AsyncMiddleware as AsyncMiddleware
    from meshapi_backends._async.middleware_responses import (
        AsyncMiddlewareResponse as AsyncMiddlewareResponse,
    )
    from meshapi_backends._async.networks import AsyncNetwork as AsyncNetwork
    from meshapi_backends._async.networks import AsyncNetworkStream as AsyncNetworkStream
    from meshapi_backends._async.networks import (
        AsyncSharedNetworkStream as AsyncSharedNetworkStream,
    )
    from meshapi_backends._async.networks import AsyncWaiter as AsyncWaiter
    from meshapi_backends._async.pool_transport import AsyncPoolTransport as AsyncPoolTransport
    from meshapi_backends._async.raw_runner import AsyncRawCallRunner as AsyncRawCallRunner
    from meshapi_backends._async.realtime.session import (
        AsyncRealtimeSession as AsyncRealtimeSession,
    )
    from meshapi_backends._async.runner import AsyncCallRunner as AsyncCallRunner
    from meshapi_backends._async.transports import AsyncNetworkTransport as AsyncNetworkTransport
    from meshapi_backends._async.transports import AsyncTransport as AsyncTransport
    from meshapi_backends._async.transports import AsyncTransportResponse as AsyncTransportResponse
    from meshapi_backends._failures import TransportError as TransportError
    from meshapi_backends._guards import GUARDS as GUARDS
    from meshapi_backends._guards import RECORDERS as RECORDERS
    from meshapi_backends._hooks import Hooks as Hooks
    from meshapi_backends._hooks import check_hooks as check_hooks
    from meshapi_backends._http_clients.aiohttp import AiohttpTransport as AiohttpTransport
    from meshapi_backends._http_clients.requests import AsyncHTTPXClient as AsyncHTTPXClient
    from meshapi_backends._http_clients.requests import HTTPXClient as HTTPXClient
    from meshapi_backends._logging import log_on_stderr as log_on_stderr
    from meshapi_backends._metering import Budget as Budget
    from meshapi_backends._metering import UsageTracker as UsageTracker
    from meshapi_backends._networks.blocking import SocketNetwork as SocketNetwork
    from meshapi_backends._networks.blocking import (
        current_blocking_network as current_blocking_network,
    )
    from meshapi_backends._networks.current import current_network as current_network
    from meshapi_backends._per_loop import PerLoopTransport as PerLoopTransport
    from meshapi_backends._quotas import new_retry_quota as new_retry_quota
    from meshapi_backends._sources import open_source as open_source
    from meshapi_backends._sync.chunk_stream import ChunkStream as ChunkStream
    from meshapi_backends._sync.connections import ConnectionPool as ConnectionPool
    from meshapi_backends._sync.httpcore.transport import HTTPCoreTransport as HTTPCoreTransport
    from meshapi_backends._sync.httpx.transport import HTTPXTransport as HTTPXTransport
    from meshapi_backends._sync.middleware import MiddlewareTransport as MiddlewareTransport
    from meshapi_backends._sync.middleware_responses import BytesResponse as BytesResponse
    from meshapi_backends._sync.middleware_responses import CallNext as CallNext
    from meshapi_backends._sync.middleware_responses import Middleware as Middleware
    from meshapi_backends._sync.middleware_responses import (
        MiddlewareResponse as MiddlewareResponse,
    )
    from meshapi_backends._sync.networks import Network as Network
    from meshapi_backends._sync.networks import NetworkStream as NetworkStream
    from meshapi_backends._sync.networks import SharedNetworkStream as SharedNetworkStream
    from meshapi_backends._sync.networks import Waiter as Waiter
    from meshapi_backends._sync.pool_transport import PoolTransport as PoolTransport
    from meshapi_backends._sync.raw_runner import RawCallRunner as RawCallRunner
    from meshapi_backends._sync.realtime.session import RealtimeSession as RealtimeSession
    from meshapi_backends._sync.runner import CallRunner as CallRunner
    from meshapi_backends._sync.transports import NetworkTransport as NetworkTransport
    from meshapi_backends._sync.transports import Transport as Transport
    from meshapi_backends._sync.transports import TransportResponse as TransportResponse
    from meshapi_backends._watching import AsyncWatch as AsyncWatch
    from meshapi_backends._watching import Watch as Watch
else:
    from meshapi_backends._face import EXPORTED as __all__
    from meshapi_backends._face import __dir__, __getattr__
