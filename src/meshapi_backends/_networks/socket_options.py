"""The socket options of all TCP connections."""

import socket
from collections.abc import Iterator
from typing import Any

# Seconds of silence before the first keep-alive probe, and between probes. NATs forget silent
# connections: RFC 5382, section 5 lets them after 2 hours 4 minutes, but real ones do so after five
# minutes, and a model may think for longer. The number of probes is the system's default.
_IDLE = 60
_INTERVAL = 15


def _keep_alive() -> Iterator[tuple[int, int, int]]:
    yield socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
    # A system that lacks an option has no constant for it. macOS calls the first one TCP_KEEPALIVE.
    for name, value in (
        ("TCP_KEEPIDLE", _IDLE),
        ("TCP_KEEPALIVE", _IDLE),
        ("TCP_KEEPINTVL", _INTERVAL),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            yield socket.IPPROTO_TCP, option, value


_KEEP_ALIVE = tuple(_keep_alive())


def set_options(sock: Any) -> None:
    """Turn on TCP_NODELAY, so that small pieces are sent at once, and keep-alive probes.

    Args:
        sock: a connected socket, the standard library's or trio's.

    Raises:
        OSError: the connection is already closed.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for level, option, value in _KEEP_ALIVE:
        try:
            sock.setsockopt(level, option, value)
        except OSError:
            pass  # the system refuses the option; the connection works without it
