"""Does what `meshapi_core` decides: connections, transports, runners. Never decides anything.

A client is a runner on connections, and a few resources (`meshapi_core.endpoints` says how to write
those). Blocking, and on asyncio and trio alike:

    pool = ConnectionPool(SocketNetwork(), Limits())
    client = Completions(Runner(config, pool, current_blocking_network))
    client.create(...); pool.close()

    pool = PerLoopTransport(Limits())
    client = Completions(AsyncRunner(config, pool, current_network))
    await client.create(...); await pool.aclose()

Both pools take an `ssl.SSLContext` as their next argument. They may be shared by any number of
runners: by one for each config, for example.

A transport of your own implements `Transport` or `AsyncTransport`; what it raises is understood.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_backends._async.httpx_client import AsyncHTTPXTransport as AsyncHTTPXTransport
    from meshapi_backends._async.pool import AsyncConnectionPool as AsyncConnectionPool
    from meshapi_backends._async.realtime import AsyncRealtimeSession as AsyncRealtimeSession
    from meshapi_backends._async.runner import AsyncChunkStream as AsyncChunkStream
    from meshapi_backends._async.runner import AsyncRunner as AsyncRunner
    from meshapi_backends._async.transports import AsyncByteStream as AsyncByteStream
    from meshapi_backends._async.transports import AsyncNetwork as AsyncNetwork
    from meshapi_backends._async.transports import AsyncResponse as AsyncResponse
    from meshapi_backends._async.transports import AsyncSharedByteStream as AsyncSharedByteStream
    from meshapi_backends._async.transports import AsyncTransport as AsyncTransport
    from meshapi_backends._async.transports import AsyncWaiter as AsyncWaiter
    from meshapi_backends._failures import TransportError as TransportError
    from meshapi_backends._httpx_requests import AsyncHTTPXClient as AsyncHTTPXClient
    from meshapi_backends._httpx_requests import HTTPXClient as HTTPXClient
    from meshapi_backends._network_sync import SocketNetwork as SocketNetwork
    from meshapi_backends._network_sync import current_blocking_network as current_blocking_network
    from meshapi_backends._per_loop import PerLoopTransport as PerLoopTransport
    from meshapi_backends._per_loop import current_network as current_network
    from meshapi_backends._sources import open_source as open_source
    from meshapi_backends._sync.httpx_client import HTTPXTransport as HTTPXTransport
    from meshapi_backends._sync.pool import ConnectionPool as ConnectionPool
    from meshapi_backends._sync.realtime import RealtimeSession as RealtimeSession
    from meshapi_backends._sync.runner import ChunkStream as ChunkStream
    from meshapi_backends._sync.runner import Runner as Runner
    from meshapi_backends._sync.transports import ByteStream as ByteStream
    from meshapi_backends._sync.transports import Network as Network
    from meshapi_backends._sync.transports import Response as Response
    from meshapi_backends._sync.transports import SharedByteStream as SharedByteStream
    from meshapi_backends._sync.transports import Transport as Transport
    from meshapi_backends._sync.transports import Waiter as Waiter
else:
    from meshapi_backends._face import EXPORTED as __all__
    from meshapi_backends._face import __dir__, __getattr__
