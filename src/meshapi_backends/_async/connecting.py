"""Opens connections: dials the host, then does the TLS handshake.

With a proxy on the way, all of that is done for the proxy. Unless it forwards requests, it is then
asked for a tunnel, and in the tunnel follows the TLS handshake with the server: TLS in TLS, if the
proxy speaks TLS as well.
"""

from typing import Optional

from meshapi_backends._async.dialing import dial, permitted
from meshapi_backends._async.networks import AsyncNetwork, AsyncNetworkStream
from meshapi_backends._failures import TransportError, mark_failed_at, seconds_until
from meshapi_backends._guards import check_connection
from meshapi_backends._networks.socket_options import DEFAULT_OPTIONS
from meshapi_backends._networks.tls_source import TLSSource
from meshapi_backends._scopes import WaitEnded, check_ended, waiting
from meshapi_core import Finished, Origin, Route, SecretBytes, SocketOptions, Write


async def open_stream(
    network: AsyncNetwork,
    origin: Origin,
    tls: TLSSource,
    timeout: Optional[float],
    named_by: Optional[Origin] = None,
    route: Optional[Route] = None,
    *,
    sockets: SocketOptions = DEFAULT_OPTIONS,
) -> AsyncNetworkStream:
    """An open connection to a server, with TLS if its scheme is https; or to a proxy on the way.

    Args:
        network: opens the TCP connection.
        origin: the server.
        tls: has the SSL context, or makes it.
        timeout: seconds for all of it.
        named_by: the server whose response named this one; see `Request.named_by`.
        route: the way to the server; None is straight to it.
        sockets: how to open the TCP connection, or the Unix socket.

    Raises:
        OSError: no address could be connected to, or TLS failed. If the current scope was ended
            meanwhile, it may be any OSError.
        TimeoutError: the time is over.
        TransportError: we must not connect to the server, or cannot as we were told to; or the
            proxy opens no tunnel to it.
    """
    check_connection(origin, route, sockets, network)
    end = None if timeout is None else network.now() + timeout
    received = b""
    if route is None or route.proxy is None:
        stream = await dial(network, origin.host, origin.port, end, sockets, named_by=named_by)
    else:
        stream, received = await _open_by_proxy(network, route, tls, end, named_by, sockets)
        if route.forwards:
            return stream
    if origin.scheme != "https" or not getattr(network, "needs_tls", True):
        return stream
    left = None if end is None else end - network.now()
    return await _secured(network, stream, origin.host, tls, left, received)


async def _secured(
    network: AsyncNetwork,
    stream: AsyncNetworkStream,
    host: str,
    tls: TLSSource,
    timeout: Optional[float],
    received: bytes = b"",
) -> AsyncNetworkStream:
    """TLS over a stream. See `start_tls`."""
    # Importing ssl costs more than everything else here, so only programs that use TLS pay for it.
    from meshapi_backends._async.tls import start_tls

    try:
        with waiting(stream.abort):
            return await start_tls(stream, host, tls, network, timeout, received)
    except WaitEnded:
        stream.abort()
        raise


async def _open_by_proxy(
    network: AsyncNetwork,
    route: Route,
    tls: TLSSource,
    end: Optional[float],
    named_by: Optional[Origin],
    sockets: SocketOptions,
) -> tuple[AsyncNetworkStream, bytes]:
    """An open connection to a route's proxy, or through it; and what the server has sent already.

    Args:
        network: opens the TCP connection.
        route: has a proxy.
        tls: for an https proxy, too; see `open_stream`.
        end: when the time is over.
        named_by, sockets: see `open_stream`.

    Raises: as `open_stream`. Failures of the proxy are marked (`failed_at`).
    """
    # This comes first: if it fails, that has nothing to do with the proxy.
    address = await _address(network, route, named_by, end) if route.resolves_here else None
    stream: Optional[AsyncNetworkStream] = None
    try:
        stream = await _open_proxy(network, route, tls, end, sockets)
        received = b""
        if route.tunnels:
            with waiting(stream.abort):
                received = await _ask(network, stream, route, address, end)
        return stream, received
    except BaseException as exc:
        if stream is not None:
            stream.abort()
        if isinstance(exc, OSError):
            mark_failed_at(exc, route.where)
        raise


async def _open_proxy(
    network: AsyncNetwork,
    route: Route,
    tls: TLSSource,
    end: Optional[float],
    sockets: SocketOptions,
) -> AsyncNetworkStream:
    assert route.proxy is not None
    origin = route.proxy.origin
    stream = await dial(network, origin.host, origin.port, end, sockets)
    if origin.scheme != "https":
        return stream
    left = None if end is None else end - network.now()
    return await _secured(network, stream, origin.host, tls.for_proxies, left)


async def _address(
    network: AsyncNetwork, route: Route, named_by: Optional[Origin], end: Optional[float]
) -> str:
    origin = route.origin
    left = None if end is None else end - network.now()
    found = await network.resolve(origin.host, origin.port, left)
    if named_by is not None:
        found = await permitted(network, origin, found, named_by, end)
    if not found:
        raise OSError("the host name has no address")
    # The proxy may have other routes than this machine, so which of several addresses is best can
    # not be known here.
    return found[0].sockaddr[0]


async def _ask(
    network: AsyncNetwork,
    stream: AsyncNetworkStream,
    route: Route,
    address: Optional[str],
    end: Optional[float],
) -> bytes:
    """Ask for a tunnel, and return the first bytes out of it."""
    tunnel = route.tunnel(address)
    while True:
        action = tunnel.next_action()
        if isinstance(action, Finished):
            break
        left = seconds_until(end, network.now)
        if isinstance(action, Write):
            await stream.write(action.data, left)
        else:
            # A proxy may quote its password, and error trackers show the locals of frames.
            data = SecretBytes(await stream.read(left))
            # Whoever ended the wait has closed the stream: that is not the proxy's doing.
            check_ended()
            tunnel.receive_data(data)
    if tunnel.failure is not None:
        raise TransportError(tunnel.failure)
    return tunnel.trailing_data
