"""Opens connections: tries every address of a name in turn, then does the TLS handshake.

With a proxy on the way, all that leads to the proxy first, which is then asked for a tunnel. In it,
there is a TLS handshake with the server: TLS in TLS, if the proxy speaks it, too.
"""

from typing import Any, Optional

from meshapi_backends._async.networks import AsyncNetwork, AsyncNetworkStream
from meshapi_backends._failures import (
    TransportError,
    is_time_limit,
    mark_failed_at,
    seconds_until,
)
from meshapi_backends._networks.addresses import ATTEMPT_LIMIT, Address, interleaved
from meshapi_backends._scopes import WaitEnded, check_ended, waiting
from meshapi_core import Finished, Origin, Route, Write, not_public


async def open_stream(
    network: AsyncNetwork,
    origin: Origin,
    ssl_context: Optional[Any],
    timeout: Optional[float],
    named_by: Optional[Origin] = None,
    route: Optional[Route] = None,
) -> AsyncNetworkStream:
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
        stream = await _open_tcp(network, origin, end, named_by)
    else:
        stream, received = await _open_by_proxy(network, route, ssl_context, end, named_by)
        if route.forwards:
            return stream
    if origin.scheme != "https":
        return stream
    left = None if end is None else end - network.now()
    return await _secured(network, stream, origin.host, ssl_context, left, received)


async def _secured(
    network: AsyncNetwork,
    stream: AsyncNetworkStream,
    host: str,
    ssl_context: Optional[Any],
    timeout: Optional[float],
    received: bytes = b"",
) -> AsyncNetworkStream:
    """TLS over a stream. See `start_tls`."""
    # Importing ssl costs more than everything else here, so only programs that use TLS pay for it.
    from meshapi_backends._async.tls import start_tls

    try:
        with waiting(stream.abort):
            return await start_tls(stream, host, ssl_context, network, timeout, received)
    except WaitEnded:
        stream.abort()
        raise


async def _open_by_proxy(
    network: AsyncNetwork,
    route: Route,
    ssl_context: Optional[Any],
    end: Optional[float],
    named_by: Optional[Origin],
) -> tuple[AsyncNetworkStream, bytes]:
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
    address = await _address(network, route, named_by, end) if route.resolves_here else None
    stream: Optional[AsyncNetworkStream] = None
    try:
        stream = await _open_proxy(network, route, ssl_context, end)
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
    network: AsyncNetwork, route: Route, ssl_context: Optional[Any], end: Optional[float]
) -> AsyncNetworkStream:
    assert route.proxy is not None
    origin = route.proxy.origin
    stream = await _open_tcp(network, origin, end, None)
    if origin.scheme != "https":
        return stream
    left = None if end is None else end - network.now()
    return await _secured(network, stream, origin.host, ssl_context, left)


async def _address(
    network: AsyncNetwork, route: Route, named_by: Optional[Origin], end: Optional[float]
) -> str:
    origin = route.origin
    left = None if end is None else end - network.now()
    found = await network.resolve(origin.host, origin.port, left)
    if named_by is not None:
        found = await _permitted(network, origin, found, named_by, end)
    if not found:
        raise OSError("the host name has no address")
    # The proxy may have other routes than this machine: which of several addresses is best, only
    # it could know.
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
            data = await stream.read(left)
            # Whoever ended the wait has closed the stream: that is not the proxy's doing.
            check_ended()
            tunnel.receive_data(data)
    if tunnel.failure is not None:
        raise TransportError(tunnel.failure)
    return tunnel.trailing_data


async def _open_tcp(
    network: AsyncNetwork, origin: Origin, end: Optional[float], named_by: Optional[Origin]
) -> AsyncNetworkStream:
    left = None if end is None else end - network.now()
    found = await network.resolve(origin.host, origin.port, left)
    if named_by is not None:
        found = await _permitted(network, origin, found, named_by, end)
    addresses = interleaved(found)
    slow: list[Address] = []
    error: OSError = OSError("the host name has no address")
    for position, address in enumerate(addresses, 1):
        # In the spirit of RFC 8305, without its parallel attempts: an address that does not respond
        # gets ATTEMPT_LIMIT for now, so that a broken IPv6 route does not use up all the time.
        left = seconds_until(end, network.now)
        hasty = position < len(addresses) and (left is None or left > ATTEMPT_LIMIT)
        try:
            return await network.connect(address, ATTEMPT_LIMIT if hasty else left)
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
        return await network.connect(address, seconds_until(end, network.now))
    try:
        raise error
    finally:
        # Breaks a cycle: its traceback holds this frame, and the frames of the callers.
        del error


async def _permitted(
    network: AsyncNetwork,
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
        own = await network.resolve(named_by.host, named_by.port, left)
        if not all(address.is_public for address in own):
            return found
    if found and not permitted:
        raise TransportError(not_public(origin))
    return permitted
