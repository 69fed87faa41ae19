"""Whether a socket can be read or written without waiting, asked of the system itself."""

import math
import select
import socket
from collections.abc import Callable
from functools import partial
from typing import Optional


def is_readable(sock: socket.socket) -> bool:
    """Whether reading would not block: bytes, the end, or an error is there."""
    return poll(sock, 0, write=False)


def look_at(sock: socket.socket) -> Callable[[], object]:
    """Return what says the same of this socket whenever it is called: something, or nothing.

    A connection is looked at before each request, so what asks the system is made once. Not for
    two threads at a time.
    """
    if not hasattr(select, "poll"):
        return partial(is_readable, sock)
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return partial(poller.poll, 0)


def is_writable(sock: socket.socket) -> bool:
    """Whether writing some bytes would not block: there is room, or an error is there."""
    return poll(sock, 0, write=True)


def poll(sock: socket.socket, timeout: Optional[float], *, write: bool) -> bool:
    """Wait until a socket can be read, or written to; False where the time is over.

    Args:
        timeout: seconds; 0 only looks, None waits for ever.
    """
    try:
        if hasattr(select, "poll"):
            poller = select.poll()
            poller.register(sock, select.POLLOUT if write else select.POLLIN)
            # Milliseconds; upwards, so that nobody wakes up too early for nothing.
            return bool(poller.poll(None if timeout is None else math.ceil(timeout * 1000)))
        # Windows; its select has no limit on descriptors, other than elsewhere.
        readers, writers = ([], [sock]) if write else ([sock], [])
        # The third list is where it tells of a connection that was refused.
        return any(select.select(readers, writers, writers, timeout))
    except (OSError, ValueError):
        return True  # closed under our feet: the next call will tell
