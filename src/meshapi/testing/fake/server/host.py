"""The server: its connections, and the faults that are to happen to them."""

import errno
from collections import deque
from typing import Any, Optional

from meshapi.testing.fake.clock import VirtualClock
from meshapi.testing.fake.faults import ByteFault
from meshapi.testing.fake.server.connections import Connection
from meshapi.testing.fake.server.pipes import Pipe
from meshapi.testing.fake.server.tasks import Tasks


class Host:
    """Runs an ASGI application for its connections.

    Args:
        app: the application. All that it may wait for are requests, and what the clock of
            `meshapi.gateway.clock` offers.
        clock: its clock.
        cut: the most bytes that a client reads at once; None for as many as there are.
    """

    def __init__(self, app: Any, clock: VirtualClock, cut: Optional[int] = None) -> None:
        self.clock = clock
        self.cut = cut
        self._app = app
        self._tasks = Tasks(clock)
        self._faults: deque[ByteFault] = deque()
        self._open: dict[Pipe, Connection] = {}
        self._number = 0
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nobody can connect any more."""
        return self._is_closed

    def connect(self, server: tuple[str, int]) -> Pipe:
        """Open a connection.

        Raises:
            ConnectionRefusedError: a fault says so, or the server is closed.
        """
        with self.clock.lock:
            self.clock.activity += 1
            is_refused = bool(self._faults) and self._faults[0].kind == "refused"
            if is_refused:
                self._faults.popleft()
            if is_refused or self._is_closed:
                raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
            self._forget_ended()
            self._number += 1
            pipe = Pipe(self.clock, self._number)
            self._open[pipe] = Connection(pipe, self._tasks, self._app, server, self._next_fault)
        return pipe

    def add_fault(self, fault: ByteFault) -> None:
        """Have a fault happen to the next response that has none yet."""
        with self.clock.lock:
            self._faults.append(fault)
            self._close_idle()

    def _next_fault(self) -> Optional[ByteFault]:
        fault = self._faults.popleft() if self._faults else None
        self._close_idle()
        return fault

    def _close_idle(self) -> None:
        # A connection that is refused has to be a new one.
        if self._faults and self._faults[0].kind == "refused":
            for pipe, connection in self._open.items():
                if connection.is_idle:
                    pipe.end()

    def _forget_ended(self) -> None:
        for pipe in [pipe for pipe in self._open if pipe.ended is not None]:
            del self._open[pipe]

    def reset(self) -> None:
        """Forget the faults that have not happened."""
        with self.clock.lock:
            self._faults.clear()

    def close(self) -> None:
        """End all connections, and let nobody connect."""
        with self.clock.lock:
            self._is_closed = True
            pipes = list(self._open)
            self._open.clear()
            for pipe in pipes:
                pipe.end()
            self._tasks.close()
