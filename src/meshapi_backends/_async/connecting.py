"""Opens connections: tries every address of a name in turn, then does the TLS handshake."""

from typing import Any, Optional

from meshapi_backends._async.networks import AsyncNetwork, AsyncNetworkStream
from meshapi_backends._failures import TransportError, is_time_limit, seconds_until
from meshapi_backends._networks.addresses import ATTEMPT_LIMIT, Address, interleaved
from meshapi_backends._scopes import WaitEnded, waiting
from meshapi_core import Origin, not_public


async def open_stream(
    network: AsyncNetwork,
    origin: Origin,
    ssl_context: Optional[Any],
    timeout: Optional[float],
    named_by: Optional[Origin] = None,
) -> AsyncNetworkStream:
    """An open connection to a server, with TLS if its scheme is https.

    Args:
        network: opens the TCP connection.
        origin: the server.
        ssl_context: an `ssl.SSLContext`; None is the default one, which verifies.
        timeout: seconds for all of it.
        named_by: the server whose response named this one; see `Request.named_by`.

    Raises:
        OSError: no address could be connected to, or TLS failed. If the current scope was ended
            meanwhile, it may be any OSError.
        TimeoutError: the time is over.
        TransportError: we must not connect to the server.
    """
    end = None if timeout is None else network.now() + timeout
    stream = await _open_tcp(network, origin, end, named_by)
    if origin.scheme != "https":
        return stream
    # Importing ssl costs more than everything else here, so only programs that use TLS pay for it.
    from meshapi_backends._async.tls import start_tls

    left = None if end is None else end - network.now()
    try:
        with waiting(stream.abort):
            return await start_tls(stream, origin.host, ssl_context, network, left)
    except WaitEnded:
        stream.abort()
        raise


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
