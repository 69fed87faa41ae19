"""Opens TCP connections and Unix sockets: finds the addresses of a host, and tries them.

`meshapi_core.dialing` decides when to try which address, the network does it.
"""

import errno
import socket
from typing import Optional

from meshapi_backends._async.networks import AsyncNetwork, AsyncNetworkStream
from meshapi_backends._failures import TransportError, seconds_until
from meshapi_backends._networks.addresses import Address, interleaved
from meshapi_backends._networks.socket_options import DEFAULT_OPTIONS, connect_at_once, new_socket
from meshapi_backends._scopes import check_ended
from meshapi_core import (
    Dialing,
    Origin,
    SocketOptions,
    dial_failure,
    not_public,
)

# Seconds between two attempts while the queue of a Unix socket is full. Nothing tells when there is
# room in it.
_QUEUE_PAUSE = 0.01

# What connecting from a port raises that a connection to the same server has; it depends on the
# system.
_PORT_TAKEN = (errno.EADDRNOTAVAIL, errno.EADDRINUSE)


async def dial(
    network: AsyncNetwork,
    host: str,
    port: int,
    end: Optional[float],
    sockets: SocketOptions = DEFAULT_OPTIONS,
    *,
    named_by: Optional[Origin] = None,
) -> AsyncNetworkStream:
    """An open connection to a host, or to the Unix socket that the options name.

    Args:
        network: opens the connection.
        host: a name or an address.
        port: the port.
        end: the time, on the network's clock, by which it must be open; None is never.
        sockets: how to open it.
        named_by: the server whose response named this one; see `Request.named_by`.

    Raises:
        OSError: no address could be connected to. If the current scope was ended meanwhile, it may
            be any OSError.
        TimeoutError: the time is over.
        TransportError: we must not connect to the host, or cannot as the options say.
    """
    if sockets.uds is not None:
        return await _dial_unix(network, sockets.uds, host, end, sockets)
    left = None if end is None else end - network.now()
    found = await network.resolve(host, port, left)
    if named_by is not None:
        found = await permitted(network, Origin("", host, port), found, named_by, end)
    if sockets.local_address is not None:
        found = _of_the_family(found, sockets, host)
    try:
        if len(found) == 1:
            return await network.connect(found[0], seconds_until(end, network.now), sockets)
        if not found:
            raise OSError("the host name has no address")
        delay = sockets.delay(len(found), None if end is None else end - network.now())
        dialing = Dialing(interleaved(found), delay=delay, until=end)
        return await network.connect_first(dialing, sockets)
    except OSError as exc:
        if sockets.local_port is not None and exc.errno in _PORT_TAKEN:
            raise TransportError(dial_failure(sockets, host, exc, port_taken=True)) from exc
        raise


async def _dial_unix(
    network: AsyncNetwork, path: str, host: str, end: Optional[float], sockets: SocketOptions
) -> AsyncNetworkStream:
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise TransportError(dial_failure(sockets, host))
    while True:
        try:
            sock = new_socket(Address(family, path), sockets)
            is_connected = connect_at_once(sock, path)
        except OSError as exc:
            raise TransportError(dial_failure(sockets, host, exc)) from exc
        if is_connected:
            return await network.adopt(sock, sockets)
        left = seconds_until(end, network.now)
        await network.sleep(_QUEUE_PAUSE if left is None else min(_QUEUE_PAUSE, left))
        check_ended()


def _of_the_family(found: list[Address], sockets: SocketOptions, host: str) -> list[Address]:
    family = socket.AF_INET6 if ":" in (sockets.local_address or "") else socket.AF_INET
    fitting = [address for address in found if address.family == family]
    if found and not fitting:
        raise TransportError(dial_failure(sockets, host))
    return fitting


async def permitted(
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
