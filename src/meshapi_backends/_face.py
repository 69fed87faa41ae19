"""The public names of `meshapi_backends`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

PACKAGE: Final = "meshapi_backends"

_NAMES: Final = {
    "meshapi_backends._async.chunk_stream": "AsyncChunkStream",
    "meshapi_backends._async.connections": "AsyncConnectionPool",
    "meshapi_backends._async.httpcore.transport": "AsyncHTTPCoreTransport",
    "meshapi_backends._async.httpx.transport": "AsyncHTTPXTransport",
    "meshapi_backends._async.middleware": "AsyncMiddlewareTransport",
    "meshapi_backends._async.middleware_responses": """
        AsyncBytesResponse AsyncCallNext AsyncMiddleware AsyncMiddlewareResponse
    """,
    "meshapi_backends._async.networks": """
        AsyncNetwork AsyncNetworkStream AsyncSharedNetworkStream AsyncWaiter
    """,
    "meshapi_backends._async.pool_transport": "AsyncPoolTransport",
    "meshapi_backends._async.raw_runner": "AsyncRawCallRunner",
    "meshapi_backends._async.realtime.session": "AsyncRealtimeSession",
    "meshapi_backends._async.runner": "AsyncCallRunner",
    "meshapi_backends._async.transports": """
        AsyncNetworkTransport AsyncTransport AsyncTransportResponse
    """,
    "meshapi_backends._failures": "TransportError",
    "meshapi_backends._guards": "GUARDS RECORDERS",
    "meshapi_backends._hooks": "Hooks check_hooks",
    "meshapi_backends._http_clients.aiohttp": "AiohttpTransport",
    "meshapi_backends._http_clients.requests": "AsyncHTTPXClient HTTPXClient",
    "meshapi_backends._logging": "log_on_stderr",
    "meshapi_backends._metering": "Budget UsageTracker",
    "meshapi_backends._networks.blocking": "SocketNetwork current_blocking_network",
    "meshapi_backends._networks.current": "current_network",
    "meshapi_backends._per_loop": "PerLoopTransport",
    "meshapi_backends._quotas": "new_retry_quota",
    "meshapi_backends._sources": "open_source",
    "meshapi_backends._sync.chunk_stream": "ChunkStream",
    "meshapi_backends._sync.connections": "ConnectionPool",
    "meshapi_backends._sync.httpcore.transport": "HTTPCoreTransport",
    "meshapi_backends._sync.httpx.transport": "HTTPXTransport",
    "meshapi_backends._sync.middleware": "MiddlewareTransport",
    "meshapi_backends._sync.middleware_responses": """
        BytesResponse CallNext Middleware MiddlewareResponse
    """,
    "meshapi_backends._sync.networks": "Network NetworkStream SharedNetworkStream Waiter",
    "meshapi_backends._sync.pool_transport": "PoolTransport",
    "meshapi_backends._sync.raw_runner": "RawCallRunner",
    "meshapi_backends._sync.realtime.session": "RealtimeSession",
    "meshapi_backends._sync.runner": "CallRunner",
    "meshapi_backends._sync.transports": "NetworkTransport Transport TransportResponse",
    "meshapi_backends._watching": "AsyncWatch Watch",
}
_HOMES: Final = {
    name: f"{module}:{name}" for module, names in _NAMES.items() for name in names.split()
}
EXPORTED: Final = sorted(name for name, home in _HOMES.items() if ":" in home)


def __getattr__(name: str) -> Any:
    """Import the module that has a name, when the name is used for the first time."""
    if name not in _HOMES:
        raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    __import__(module)
    value: Any = sys.modules[module]
    if attribute:
        value = getattr(value, attribute)
    vars(sys.modules[PACKAGE])[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*vars(sys.modules[PACKAGE]), *_HOMES})
