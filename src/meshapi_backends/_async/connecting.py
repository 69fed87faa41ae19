"""Opening a connection: every address of a name in turn, then TLS."""

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
    """An open connection to a server, TLS included where its scheme is https.

    Args:
        network: opens the TCP connection.
        origin: the server.
        ssl_context: an `ssl.SSLContext`; None makes the default one, which verifies.
        timeout: seconds for all of it.
        named_by: whose response named the server; see `Request.named_by`.

    Raises:
        OSError, TimeoutError: none of the addresses answered, or TLS failed; of any kind, where
            the scope that runs was ended meanwhile.
        TransportError: it may not be connected to.
    """
    end = None if timeout is None else network.now() + timeout
    stream = await _open_tcp(network, origin, end, named_by)
    if origin.scheme != "https":
        return stream
    # ssl costs more to import than all the rest: only who speaks TLS pays for it.
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
    error: OSError = OSError("the name has no address")
    for position, address in enumerate(addresses, 1):
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
    # Those that did not answer in haste get what time is left; the last one refused.
    for address in slow:
        return await network.connect(address, seconds_until(end, network.now))
    try:
        raise error
    finally:
        # Its traceback holds this frame, and who waits for the connection above it.
        del error


async def _permitted(
    network: AsyncNetwork,
    origin: Origin,
    found: list[Address],
    named_by: Origin,
    end: Optional[float],
) -> list[Address]:
    """Those of the addresses that may be connected to.

    Raises:
        TransportError: there are none.
    """
    permitted = [address for address in found if address.is_public]
    if len(permitted) < len(found):
        left = None if end is None else end - network.now()
        own = await network.resolve(named_by.host, named_by.port, left)
        if not all(address.is_public for address in own):
            return found
    if found and not permitted:
        raise TransportError(not_public(origin))
    return permitted
