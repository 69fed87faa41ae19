"""What sends the requests of a client in place of its own connections.

    from meshapi import MeshAPI
    from meshapi.transports import HTTPCoreTransport

    with MeshAPI(token="rsk_...", transport=HTTPCoreTransport(http2=True)) as client:
        ...

`Transport` and `AsyncTransport` say what a transport of your own needs. Each library is imported
when a transport that needs it is made.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_backends import AiohttpTransport as AiohttpTransport
    from meshapi_backends import AsyncHTTPCoreTransport as AsyncHTTPCoreTransport
    from meshapi_backends import AsyncHTTPXTransport as AsyncHTTPXTransport
    from meshapi_backends import AsyncTransport as AsyncTransport
    from meshapi_backends import AsyncTransportResponse as AsyncTransportResponse
    from meshapi_backends import HTTPCoreTransport as HTTPCoreTransport
    from meshapi_backends import HTTPXTransport as HTTPXTransport
    from meshapi_backends import Transport as Transport
    from meshapi_backends import TransportError as TransportError
    from meshapi_backends import TransportResponse as TransportResponse
else:
    from meshapi.transports._face import EXPORTED as __all__
    from meshapi.transports._face import __dir__, __getattr__
