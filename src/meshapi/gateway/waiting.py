"""Which connections have made the gateway wait for too long, or have to make room, and are closed.

uvicorn closes a connection that is idle after a response. It waits for ever for the first request,
for the end of a head of which a byte comes now and then, for the end of a body that nobody reads
any more, and for a client that does not read its response: whoever opens many such connections
would take all that there can be. Until they are closed, a new connection takes the place of the
oldest one without a request.
"""

import sys
from collections.abc import Iterable
from typing import Any, Final, Optional

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS: Final = 4096
"""Open at the same time; each may hold 64 KiB of a request that has no token."""

_OTHER_FILES: Final = 64
"""Files and sockets that the rest of the program can open when the gateway has no more room."""

PATIENCE: Final = 75.0
"""Seconds until a request must have arrived; a connection may be idle after one for as long."""


WRITING_PATIENCE: Final = 600.0
"""Seconds in which a client has to read something: its program may have stopped at a breakpoint."""


class Waiting:
    """The connections of one server that wait for their clients."""

    def __init__(self) -> None:
        # For each, its last request, how much it has to send, and when it was first seen to wait
        # like this.
        self._since: dict[H11Protocol, tuple[Any, int, float]] = {}

    def overdue(self, connections: Iterable[object], now: float) -> list[H11Protocol]:
        """Return the connections to close; call it about once a second."""
        before, self._since = self._since, {}
        found: list[H11Protocol] = []
        for one in connections:
            if not isinstance(one, H11Protocol) or not (_waits(one) or _is_unread(one)):
                continue
            unread = one.transport.get_write_buffer_size() if _is_unread(one) else 0
            cycle, size, since = before.get(one, (one.cycle, unread, now))
            if cycle is not one.cycle or size != unread:
                since = now
            self._since[one] = (one.cycle, unread, since)
            if now - since >= (WRITING_PATIENCE if unread else PATIENCE):
                found.append(one)
        return found


def most_connections() -> int:
    """Return how many may be open: fewer than the files that the system lets the program open."""
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return min(MOST_CONNECTIONS, max(most - _OTHER_FILES, 1))


def least_wanted(connections: Iterable[object]) -> Optional[H11Protocol]:
    """Return a connection that can go: one that never had a request, else one between requests.

    Args:
        connections: the oldest first.
    """
    idle: Optional[H11Protocol] = None
    for one in connections:
        if not isinstance(one, H11Protocol) or one.transport.is_closing():
            continue
        cycle: Any = one.cycle
        if cycle is None:
            return one
        if idle is None and cycle.response_complete:
            idle = one
    return idle


def _is_unread(connection: H11Protocol) -> bool:
    """Whether there is more to send than the client has read."""
    return connection.flow.write_paused


def _waits(connection: H11Protocol) -> bool:
    """Whether it is the client's turn, and uvicorn has no time limit for it."""
    # None until the first request, whatever uvicorn declares.
    cycle: Any = connection.cycle
    is_over = cycle is None or cycle.response_complete
    return is_over and connection.timeout_keep_alive_task is None
