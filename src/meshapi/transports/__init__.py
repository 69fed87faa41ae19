"""What sends the requests of a client in place of its own connections.

    from meshapi import MeshAPI
    from meshapi.transports import HTTPCoreTransport

    with MeshAPI(token="rsk_...", transport=HTTPCoreTransport(http2=True)) as client:
        ...

`Transport` and `AsyncTransport` say what a transport of your own needs. Each library is imported
when a transport that needs it is made. The other names are for writing middleware.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_backends import AiohttpTransport as AiohttpTransport
    from meshapi_backends import AsyncBytesResponse as AsyncBytesResponse
    from meshapi_backends import AsyncCallNext as AsyncCallNext
    from meshapi_backends import AsyncHTTPCoreTransport as AsyncHTTPCoreTransport
    from meshapi_backends import AsyncHTTPXTransport as AsyncHTTPXTransport
    from meshapi_backends import AsyncMiddleware as AsyncMiddleware
    from meshapi_backends import AsyncMiddlewareResponse as AsyncMiddlewareResponse
    from meshapi_backends import AsyncNetworkTransport as AsyncNetworkTransport
    from meshapi_backends import AsyncTransport as AsyncTransport
    from meshapi_backends import AsyncTransportResponse as AsyncTransportResponse
    from meshapi_backends import BytesResponse as BytesResponse
    from meshapi_backends import CallNext as CallNext
    from meshapi_backends import HTTPCoreTransport as HTTPCoreTransport
    from meshapi_backends import HTTPXTransport as HTTPXTransport
    from meshapi_backends import Middleware as Middleware
    from meshapi_backends import MiddlewareResponse as MiddlewareResponse
    from meshapi_backends import NetworkTransport as NetworkTransport
    from meshapi_backends import Transport as Transport
    from meshapi_backends import TransportError as TransportError
    from meshapi_backends import TransportResponse as TransportResponse
    from meshapi_core import Failure as Failure
    from meshapi_core import Request as Request
else:
    from meshapi.transports._face import EXPORTED as __all__
    from meshapi.transports._face import __dir__, __getattr__
