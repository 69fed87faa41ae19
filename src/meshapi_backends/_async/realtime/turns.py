"""Turns at something that only one task or thread may do at a time."""

from typing import Any, Optional

from meshapi_backends._async.networks import AsyncNetwork, AsyncWaiter


class AsyncTurns:
    """One at a time has the turn; the others wait for its end, and then check again.

    Args:
        network: makes the waiters.
        lock: guards the state; `take` must be called with it held.
    """

    def __init__(self, network: AsyncNetwork, lock: object) -> None:
        self._network = network
        self._lock: Any = lock
        self._taken = False
        self._waiters: set[AsyncWaiter] = set()

    @property
    def taken(self) -> bool:
        """Whether somebody has the turn."""
        return self._taken

    def take(self) -> Optional[AsyncWaiter]:
        """Take the turn, until `give_back`, and return None; if it is taken, what to `wait` for."""
        if not self._taken:
            self._taken = True
            return None
        waiter = self._network.waiter()
        self._waiters.add(waiter)
        return waiter

    async def wait(self, waiter: AsyncWaiter, timeout: Optional[float]) -> None:
        """Wait until the turn is over.

        Raises:
            TimeoutError: it was not over in time.
        """
        try:
            done = await waiter.wait(timeout)
        finally:
            with self._lock:
                self._waiters.discard(waiter)
        if not done:
            raise TimeoutError

    def give_back(self) -> None:
        """End the turn and wake all who wait, so that it does not matter if one of them is gone."""
        with self._lock:
            self._taken = False
            if not self._waiters:
                return
            waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            waiter.set()
