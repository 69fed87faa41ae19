"""Which connections have made the gateway wait for too long, and are closed.

uvicorn closes a connection that is idle after a response. It waits for ever for the first request,
for the end of a head of which a byte comes now and then, and for the end of a body that nobody
reads any more: whoever opens many such connections would take all that there can be.
"""

from collections.abc import Iterable
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS: Final = 4096
"""Open at the same time; each may hold 64 KiB of a request that has no token."""

PATIENCE: Final = 75.0
"""Seconds until a request must have arrived; a connection may be idle after one for as long."""


class Waiting:
    """The connections of one server that wait for a request."""

    def __init__(self) -> None:
        # For each, its last request, and when it was first seen waiting for the next one.
        self._since: dict[H11Protocol, tuple[Any, float]] = {}

    def overdue(self, connections: Iterable[object], now: float) -> list[H11Protocol]:
        """Return the connections to close; call it about once a second."""
        waiting = [one for one in connections if isinstance(one, H11Protocol) and _waits(one)]
        before, self._since = self._since, {}
        for one in waiting:
            cycle, since = before.get(one, (one.cycle, now))
            self._since[one] = (one.cycle, since if cycle is one.cycle else now)
        return [one for one in waiting if now - self._since[one][1] >= PATIENCE]


def _waits(connection: H11Protocol) -> bool:
    """Whether it is the client's turn, and uvicorn has no time limit for it."""
    # None until the first request, whatever uvicorn declares.
    cycle: Any = connection.cycle
    is_over = cycle is None or cycle.response_complete
    return is_over and connection.timeout_keep_alive_task is None
