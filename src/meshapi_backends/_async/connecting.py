"""Opens connections: dials the host, then does the TLS handshake."""

from typing import Optional

from meshapi_backends._async.dialing import dial
from meshapi_backends._async.networks import AsyncNetwork, AsyncNetworkStream
from meshapi_backends._networks.socket_options import DEFAULT_OPTIONS
from meshapi_backends._networks.tls_source import TLSSource
from meshapi_backends._scopes import WaitEnded, waiting
from meshapi_core import Origin, SocketOptions


async def open_stream(
    network: AsyncNetwork,
    origin: Origin,
    tls: TLSSource,
    timeout: Optional[float],
    named_by: Optional[Origin] = None,
    *,
    sockets: SocketOptions = DEFAULT_OPTIONS,
) -> AsyncNetworkStream:
    """An open connection to a server, with TLS if its scheme is https.

    Args:
        network: opens the TCP connection.
        origin: the server.
        tls: has the SSL context, or makes it.
        timeout: seconds for all of it.
        named_by: the server whose response named this one; see `Request.named_by`.
        sockets: how to open the TCP connection, or the Unix socket.

    Raises:
        OSError: no address could be connected to, or TLS failed. If the current scope was ended
            meanwhile, it may be any OSError.
        TimeoutError: the time is over.
        TransportError: we must not connect to the server, or cannot as we were told to.
    """
    end = None if timeout is None else network.now() + timeout
    stream = await dial(network, origin.host, origin.port, end, sockets, named_by=named_by)
    if origin.scheme != "https":
        return stream
    # Importing ssl costs more than everything else here, so only programs that use TLS pay for it.
    from meshapi_backends._async.tls import start_tls

    left = None if end is None else end - network.now()
    try:
        with waiting(stream.abort):
            return await start_tls(stream, origin.host, tls, network, left)
    except WaitEnded:
        stream.abort()
        raise
