# Generated from _async/connecting.py by `python tools/mirror.py --write`: edit that file.
"""Opens connections: dials the host, then does the TLS handshake.

With a proxy on the way, all of that is done for the proxy. Unless it forwards requests, it is then
asked for a tunnel, and in the tunnel follows the TLS handshake with the server: TLS in TLS, if the
proxy speaks TLS as well.
"""

from typing import Optional

from meshapi_backends._sync.dialing import dial, permitted
from meshapi_backends._sync.networks import Network, NetworkStream
from meshapi_backends._failures import TransportError, mark_failed_at, seconds_until
from meshapi_backends._guards import check_connection
from meshapi_backends._networks.socket_options import DEFAULT_OPTIONS
from meshapi_backends._networks.tls_source import TLSSource
from meshapi_backends._scopes import WaitEnded, check_ended, waiting
from meshapi_core import Finished, Origin, Route, SecretBytes, SocketOptions, Write


def open_stream(
    network: Network,
    origin: Origin,
    tls: TLSSource,
    timeout: Optional[float],
    named_by: Optional[Origin] = None,
    route: Optional[Route] = None,
    *,
    sockets: SocketOptions = DEFAULT_OPTIONS,
) -> NetworkStream:
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
        stream = dial(network, origin.host, origin.port, end, sockets, named_by=named_by)
    else:
        stream, received = _open_by_proxy(network, route, tls, end, named_by, sockets)
        if route.forwards:
            return stream
    if origin.scheme != "https" or not getattr(network, "needs_tls", True):
        return stream
    left = None if end is None else end - network.now()
    return _secured(network, stream, origin.host, tls, left, received)


def _secured(
    network: Network,
    stream: NetworkStream,
    host: str,
    tls: TLSSource,
    timeout: Optional[float],
    received: bytes = b"",
) -> NetworkStream:
    """TLS over a stream. See `start_tls`."""
    # Importing ssl costs more than everything else here, so only programs that use TLS pay for it.
    from meshapi_backends._sync.tls import start_tls

    try:
        with waiting(stream.abort):
            return start_tls(stream, host, tls, network, timeout, received)
    except WaitEnded:
        stream.abort()
        raise


def _open_by_proxy(
    network: Network,
    route: Route,
    tls: TLSSource,
    end: Optional[float],
    named_by: Optional[Origin],
    sockets: SocketOptions,
) -> tuple[NetworkStream, bytes]:
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
    address = _address(network, route, named_by, end) if route.resolves_here else None
    stream: Optional[NetworkStream] = None
    try:
        stream = _open_proxy(network, route, tls, end, sockets)
        received = b""
        if route.tunnels:
            with waiting(stream.abort):
                received = _ask(network, stream, route, address, end)
        return stream, received
    except BaseException as exc:
        if stream is not None:
            stream.abort()
        if isinstance(exc, OSError):
            mark_failed_at(exc, route.where)
        raise


def _open_proxy(
    network: Network,
    route: Route,
    tls: TLSSource,
    end: Optional[float],
    sockets: SocketOptions,
) -> NetworkStream:
    assert route.proxy is not None
    origin = route.proxy.origin
    stream = dial(network, origin.host, origin.port, end, sockets)
    if origin.scheme != "https":
        return stream
    left = None if end is None else end - network.now()
    return _secured(network, stream, origin.host, tls.for_proxies, left)


def _address(
    network: Network, route: Route, named_by: Optional[Origin], end: Optional[float]
) -> str:
    origin = route.origin
    left = None if end is None else end - network.now()
    found = network.resolve(origin.host, origin.port, left)
    if named_by is not None:
        found = permitted(network, origin, found, named_by, end)
    if not found:
        raise OSError("the host name has no address")
    # The proxy may have other routes than this machine, so which of several addresses is best can
    # not be known here.
    return found[0].sockaddr[0]


def _ask(
    network: Network,
    stream: NetworkStream,
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
            stream.write(action.data, left)
        else:
            # A proxy may quote its password, and error trackers show the locals of frames.
            data = SecretBytes(stream.read(left))
            # Whoever ended the wait has closed the stream: that is not the proxy's doing.
            check_ended()
            tunnel.receive_data(data)
    if tunnel.failure is not None:
        raise TransportError(tunnel.failure)
    return tunnel.trailing_data
