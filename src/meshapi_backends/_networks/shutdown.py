"""How a peer is told that it is over, without closing our side."""

import socket

__all__ = ["shut_down"]


def shut_down(sock: socket.socket) -> None:
    """Shut a connection down, from any thread: whoever waits for it is woken, too."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # never connected, or gone already
