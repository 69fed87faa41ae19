"""Opening a connection: every address of a name in turn, then TLS."""

from typing import Any, Optional

from meshapi_backends._addresses import ATTEMPT_LIMIT, Address, interleaved
from meshapi_backends._async.transports import AsyncByteStream, AsyncNetwork
from meshapi_backends._failures import is_time_limit, seconds_until
from meshapi_core import Origin


async def open_stream(
    network: AsyncNetwork,
    origin: Origin,
    ssl_context: Optional[Any],
    timeout: Optional[float],
) -> AsyncByteStream:
    """An open connection to a server, TLS included where its scheme is https.

    Args:
        network: opens the TCP connection.
        origin: the server.
        ssl_context: an `ssl.SSLContext`; None makes the default one, which verifies.
        timeout: seconds for all of it.

    Raises:
        OSError, TimeoutError: none of the addresses answered, or TLS failed.
    """
    end = None if timeout is None else network.now() + timeout
    stream = await _open_tcp(network, origin, end)
    if origin.scheme != "https":
        return stream
    # ssl costs more to import than all the rest: only who speaks TLS pays for it.
    from meshapi_backends._async.tls import start_tls

    left = None if end is None else end - network.now()
    return await start_tls(stream, origin.host, ssl_context, network, left)


async def _open_tcp(network: AsyncNetwork, origin: Origin, end: Optional[float]) -> AsyncByteStream:
    left = None if end is None else end - network.now()
    addresses = interleaved(await network.resolve(origin.host, origin.port, left))
    slow: list[Address] = []
    error: OSError = OSError("the name has no address")
    for position, address in enumerate(addresses, 1):
        left = seconds_until(end, network.now)
        hasty = position < len(addresses) and (left is None or left > ATTEMPT_LIMIT)
        try:
            return await network.connect(address, ATTEMPT_LIMIT if hasty else left)
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
    raise error
