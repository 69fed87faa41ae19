"""What stands between a client and the network: middleware, and what it returns.

`docs/transports.md` explains it.
"""

from meshapi_backends import (
    AsyncBytesResponse,
    AsyncCallNext,
    AsyncMiddleware,
    AsyncMiddlewareResponse,
    AsyncTransport,
    AsyncTransportResponse,
    BytesResponse,
    CallNext,
    Middleware,
    MiddlewareResponse,
    Transport,
    TransportError,
    TransportResponse,
)
from meshapi_core import Failure, Request

__all__ = [
    "AsyncBytesResponse",
    "AsyncCallNext",
    "AsyncMiddleware",
    "AsyncMiddlewareResponse",
    "AsyncTransport",
    "AsyncTransportResponse",
    "BytesResponse",
    "CallNext",
    "Failure",
    "Middleware",
    "MiddlewareResponse",
    "Request",
    "Transport",
    "TransportError",
    "TransportResponse",
]
