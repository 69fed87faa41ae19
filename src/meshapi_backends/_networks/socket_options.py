"""Opens sockets as `SocketOptions` says."""

import errno
import socket
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from meshapi_backends._failures import TransportError
from meshapi_backends._networks.addresses import Address
from meshapi_core import SocketOptions, dial_failure

DEFAULT_OPTIONS = SocketOptions()

CONNECTING = frozenset({errno.EINPROGRESS, errno.EINTR, errno.EWOULDBLOCK, 10035})
"""What connect_ex() returns on a non-blocking socket while it connects; 10035 is Windows'."""

# What Windows calls SO_REUSEADDR lets another program take the port.
_REUSE = not hasattr(socket, "SO_EXCLUSIVEADDRUSE")


def new_socket(address: Address, options: SocketOptions) -> socket.socket:
    """A non-blocking socket that is ready to connect to an address.

    Raises:
        TransportError: it cannot be bound to the local address or port.
        OSError: the system has no sockets of this family, or no more of them.
    """
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if options.local_address is not None or options.local_port is not None:
            _bind(sock, options)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, options: SocketOptions) -> None:
    port = options.local_port or 0
    host = options.local_address or ("::" if sock.family == socket.AF_INET6 else "0.0.0.0")
    try:
        if port and _REUSE:
            # So that attempts to several addresses can start from one port, and a connection that
            # was closed does not keep it for minutes.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as exc:
        raise TransportError(dial_failure(options, "", exc)) from exc


def connect_at_once(sock: socket.socket, path: str) -> bool:
    """Connect to a Unix socket, without waiting; False if its queue is full right now.

    Unless it returns True, the socket is closed.

    Raises:
        OSError: it cannot be connected to.
    """
    try:
        sock.connect(path)
    except BlockingIOError:
        sock.close()
        return False
    except BaseException:
        sock.close()
        raise
    return True


@lru_cache(maxsize=32)
def _values(options: SocketOptions) -> tuple[tuple[int, int, int], ...]:
    return tuple(_each(options))


def _each(options: SocketOptions) -> Iterator[tuple[int, int, int]]:
    yield socket.IPPROTO_TCP, socket.TCP_NODELAY, int(options.no_delay)
    if options.keep_alive is None:
        return
    yield socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
    # A system that lacks an option has no constant for it. macOS calls the first one TCP_KEEPALIVE.
    for name, value in (
        ("TCP_KEEPIDLE", options.keep_alive),
        ("TCP_KEEPALIVE", options.keep_alive),
        ("TCP_KEEPINTVL", options.keep_alive_interval),
        ("TCP_KEEPCNT", options.keep_alive_count),
    ):
        option = getattr(socket, name, None)
        if option is not None and value is not None:
            yield socket.IPPROTO_TCP, option, value


def set_options(sock: Any, options: SocketOptions = DEFAULT_OPTIONS) -> None:
    """Set the options of a TCP connection: small pieces are sent at once, keep-alive probes.

    Args:
        sock: a connected socket, the standard library's or trio's.
        options: as the client was told; nothing is set on a Unix socket.

    Raises:
        OSError: the connection is already closed.
    """
    if options.uds is not None:
        return
    no_delay, *keep_alive = _values(options)
    sock.setsockopt(*no_delay)
    for each in keep_alive:
        try:
            sock.setsockopt(*each)
        except OSError:
            pass  # the system refuses the option; the connection works without it
