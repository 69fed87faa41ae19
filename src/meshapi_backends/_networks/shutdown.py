"""Shuts a connection down without closing its socket."""

import socket

__all__ = ["shut_down"]


def shut_down(sock: socket.socket) -> None:
    """Shut a connection down, from any thread. Also wakes a thread or task that waits for it."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # not connected yet, or closed already
