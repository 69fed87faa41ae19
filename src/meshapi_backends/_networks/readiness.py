"""Asks the system whether a socket can be read or written without waiting."""

import math
import select
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Optional


def is_readable(sock: socket.socket) -> bool:
    """Whether a read would return at once, with bytes, the end of input, or an error."""
    return poll(sock, 0, write=False)


def look_at(sock: socket.socket) -> Callable[[], object]:
    """Return a function that says the same of this socket: what it returns is true if readable.

    A connection is checked before each request, so the poll object is made only once. Not for two
    threads at a time.
    """
    if not hasattr(select, "poll"):
        return partial(is_readable, sock)
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return partial(poller.poll, 0)


def is_writable(sock: socket.socket) -> bool:
    """Whether a write of some bytes would return at once, as there is room for them or an error."""
    return poll(sock, 0, write=True)


def poll(sock: socket.socket, timeout: Optional[float], *, write: bool) -> bool:
    """Wait until a socket can be read, or written to; False if the time is over first.

    Args:
        timeout: seconds; 0 only looks, None waits for ever.
    """
    try:
        if hasattr(select, "poll"):
            poller = select.poll()
            poller.register(sock, select.POLLOUT if write else select.POLLIN)
            # Milliseconds, rounded up: a wait that ends too early would have to be repeated.
            return bool(poller.poll(None if timeout is None else math.ceil(timeout * 1000)))
        # Windows, where select() takes descriptors of any number.
        readers, writers = ([], [sock]) if write else ([sock], [])
        # Windows reports a refused connection in the third list.
        return any(select.select(readers, writers, writers, timeout))
    except (OSError, ValueError):
        return True  # closed meanwhile: the next call on the socket will say so


def wait_connected(socks: Sequence[socket.socket], timeout: Optional[float]) -> list[socket.socket]:
    """Wait until some of the sockets have connected or failed, and return these.

    Args:
        socks: sockets that connect without blocking.
        timeout: seconds; None waits for ever.
    """
    try:
        if not hasattr(select, "poll"):
            # Windows reports a refused connection in the third list.
            _, writable, failed = select.select([], socks, socks, timeout)
            return [*writable, *(sock for sock in failed if sock not in writable)]
        poller = select.poll()
        found = {sock.fileno(): sock for sock in socks}
        for number in found:
            poller.register(number, select.POLLOUT)
        ready = poller.poll(None if timeout is None else math.ceil(timeout * 1000))
        return [found[number] for number, _ in ready]
    except (OSError, ValueError):
        return list(socks)  # closed meanwhile: the next call on each will say so
