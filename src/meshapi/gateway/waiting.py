"""Which connections have made the gateway wait for too long, or have to make room, and are closed.

uvicorn closes a connection that is idle after a response. It waits for ever for the first request,
for the end of a head of which a byte comes now and then, and for the end of a body that nobody
reads any more: whoever opens many such connections would take all that there can be. Until they
are closed, a new connection takes the place of the oldest of them.
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
"""Seconds until a request has to be there, as long as a connection may be idle after one."""


class Waiting:
    """The connections of one server that wait for a request."""

    def __init__(self) -> None:
        # For each, its last request, and when it was first seen to wait for the next one.
        self._since: dict[H11Protocol, tuple[Any, float]] = {}

    def overdue(self, connections: Iterable[object], now: float) -> list[H11Protocol]:
        """Return those that are to be closed; call it about once a second."""
        waiting = [one for one in connections if isinstance(one, H11Protocol) and _waits(one)]
        before, self._since = self._since, {}
        for one in waiting:
            cycle, since = before.get(one, (one.cycle, now))
            self._since[one] = (one.cycle, since if cycle is one.cycle else now)
        return [one for one in waiting if now - self._since[one][1] >= PATIENCE]


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


def _waits(connection: H11Protocol) -> bool:
    """Whether the client has to send something, and uvicorn sees to no time limit."""
    # None until the first request, whatever uvicorn declares.
    cycle: Any = connection.cycle
    is_over = cycle is None or cycle.response_complete
    return is_over and connection.timeout_keep_alive_task is None
