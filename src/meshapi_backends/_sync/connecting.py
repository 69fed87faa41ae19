# Generated from _async/connecting.py by `python tools/mirror.py --write`: edit that file.
"""Opens connections: tries every address of a name in turn, then does the TLS handshake.

With a proxy on the way, all that leads to the proxy first, which is then asked for a tunnel. In it,
there is a TLS handshake with the server: TLS in TLS, if the proxy speaks it, too.
"""

from typing import Any, Optional

from meshapi_backends._sync.networks import Network, NetworkStream
from meshapi_backends._failures import (
    TransportError,
    is_time_limit,
    mark_failed_at,
    seconds_until,
)
from meshapi_backends._networks.addresses import ATTEMPT_LIMIT, Address, interleaved
from meshapi_backends._scopes import WaitEnded, check_ended, waiting
from meshapi_core import Finished, Origin, Route, Write, not_public


def open_stream(
    network: Network,
    origin: Origin,
    ssl_context: Optional[Any],
    timeout: Optional[float],
    named_by: Optional[Origin] = None,
    route: Optional[Route] = None,
) -> NetworkStream:
    """An open connection to a server, with TLS if its scheme is https; or to a proxy on the way.

    Args:
        network: opens the TCP connection.
        origin: the server.
        ssl_context: an `ssl.SSLContext`; None is the default one, which verifies.
        timeout: seconds for all of it.
        named_by: the server whose response named this one; see `Request.named_by`.
        route: the way to the server; None is straight to it.

    Raises:
        OSError: no address could be connected to, or TLS failed. If the current scope was ended
            meanwhile, it may be any OSError.
        TimeoutError: the time is over.
        TransportError: we must not connect to the server, or the proxy opens no tunnel to it.
    """
    end = None if timeout is None else network.now() + timeout
    received = b""
    if route is None or route.proxy is None:
        stream = _open_tcp(network, origin, end, named_by)
    else:
        stream, received = _open_by_proxy(network, route, ssl_context, end, named_by)
        if route.forwards:
            return stream
    if origin.scheme != "https":
        return stream
    left = None if end is None else end - network.now()
    return _secured(network, stream, origin.host, ssl_context, left, received)


def _secured(
    network: Network,
    stream: NetworkStream,
    host: str,
    ssl_context: Optional[Any],
    timeout: Optional[float],
    received: bytes = b"",
) -> NetworkStream:
    """TLS over a stream. See `start_tls`."""
    # Importing ssl costs more than everything else here, so only programs that use TLS pay for it.
    from meshapi_backends._sync.tls import start_tls

    try:
        with waiting(stream.abort):
            return start_tls(stream, host, ssl_context, network, timeout, received)
    except WaitEnded:
        stream.abort()
        raise


def _open_by_proxy(
    network: Network,
    route: Route,
    ssl_context: Optional[Any],
    end: Optional[float],
    named_by: Optional[Origin],
) -> tuple[NetworkStream, bytes]:
    """An open connection to a route's proxy, or through it; and what the server has sent already.

    Args:
        network: opens the TCP connection.
        route: has a proxy.
        ssl_context: for an https proxy; see `open_stream`.
        end: when the time is over.
        named_by: see `open_stream`.

    Raises: as `open_stream`. What is about the proxy is marked (`failed_at`).
    """
    # First of all: where this fails, the proxy need not be bothered, and is not the reason.
    address = _address(network, route, named_by, end) if route.resolves_here else None
    stream: Optional[NetworkStream] = None
    try:
        stream = _open_proxy(network, route, ssl_context, end)
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
    network: Network, route: Route, ssl_context: Optional[Any], end: Optional[float]
) -> NetworkStream:
    assert route.proxy is not None
    origin = route.proxy.origin
    stream = _open_tcp(network, origin, end, None)
    if origin.scheme != "https":
        return stream
    left = None if end is None else end - network.now()
    return _secured(network, stream, origin.host, ssl_context, left)


def _address(
    network: Network, route: Route, named_by: Optional[Origin], end: Optional[float]
) -> str:
    origin = route.origin
    left = None if end is None else end - network.now()
    found = network.resolve(origin.host, origin.port, left)
    if named_by is not None:
        found = _permitted(network, origin, found, named_by, end)
    if not found:
        raise OSError("the host name has no address")
    # The proxy may have other routes than this machine: which of several addresses is best, only
    # it could know.
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
            data = stream.read(left)
            # Whoever ended the wait has closed the stream: that is not the proxy's doing.
            check_ended()
            tunnel.receive_data(data)
    if tunnel.failure is not None:
        raise TransportError(tunnel.failure)
    return tunnel.trailing_data


def _open_tcp(
    network: Network, origin: Origin, end: Optional[float], named_by: Optional[Origin]
) -> NetworkStream:
    left = None if end is None else end - network.now()
    found = network.resolve(origin.host, origin.port, left)
    if named_by is not None:
        found = _permitted(network, origin, found, named_by, end)
    addresses = interleaved(found)
    slow: list[Address] = []
    error: OSError = OSError("the host name has no address")
    for position, address in enumerate(addresses, 1):
        # In the spirit of RFC 8305, without its parallel attempts: an address that does not respond
        # gets ATTEMPT_LIMIT for now, so that a broken IPv6 route does not use up all the time.
        left = seconds_until(end, network.now)
        hasty = position < len(addresses) and (left is None or left > ATTEMPT_LIMIT)
        try:
            return network.connect(address, ATTEMPT_LIMIT if hasty else left)
        except WaitEnded:
            raise
        except OSError as exc:
            if not is_time_limit(exc):
                error = exc
            elif hasty:
                slow.append(address)
            else:
                raise
    # The last address has refused. The first slow one gets all the time that is left.
    for address in slow:
        return network.connect(address, seconds_until(end, network.now))
    try:
        raise error
    finally:
        # Breaks a cycle: its traceback holds this frame, and the frames of the callers.
        del error


def _permitted(
    network: Network,
    origin: Origin,
    found: list[Address],
    named_by: Origin,
    end: Optional[float],
) -> list[Address]:
    """The addresses that we may connect to: only public ones, unless `named_by` is not public.

    Raises:
        TransportError: none may be connected to.
    """
    # A response must not lead the client into the network that it runs in. But a gateway that is in
    # that network itself may name its neighbours.
    permitted = [address for address in found if address.is_public]
    if len(permitted) < len(found):
        left = None if end is None else end - network.now()
        own = network.resolve(named_by.host, named_by.port, left)
        if not all(address.is_public for address in own):
            return found
    if found and not permitted:
        raise TransportError(not_public(origin))
    return permitted
