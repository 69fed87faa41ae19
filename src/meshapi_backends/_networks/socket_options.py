"""What every TCP connection of ours is set to."""

import socket
from collections.abc import Iterator
from typing import Any

# Seconds of silence before the first probe, and between probes: a NAT forgets a silent connection
# after some minutes (RFC 5382 section 5 lets it after 2 hours 4 minutes, real ones do after five),
# and a model may think for longer than that. The number of probes is the system's.
_IDLE = 60
_INTERVAL = 15


def _keep_alive() -> Iterator[tuple[int, int, int]]:
    yield socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
    # What is not there, the system does not let one say. macOS calls the first one TCP_KEEPALIVE.
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
    """Send small pieces at once, and notice a peer or a NAT that has forgotten us.

    Args:
        sock: of the standard library's or of trio's, connected.

    Raises:
        OSError: the connection is gone already.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for level, option, value in _KEEP_ALIVE:
        try:
            sock.setsockopt(level, option, value)
        except OSError:
            pass  # a system that refuses it; the connection works without
