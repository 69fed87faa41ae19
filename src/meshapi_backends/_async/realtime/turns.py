"""Turns at something that several want and one at a time does."""

from typing import Any, Optional

from meshapi_backends._async.networks import AsyncNetwork, AsyncWaiter


class AsyncTurns:
    """One at a time does something; the others wait until it is done, and then look again.

    Args:
        network: makes the waiters.
        lock: guards the state; `take` is called with it held.
    """

    def __init__(self, network: AsyncNetwork, lock: object) -> None:
        self._network = network
        self._lock: Any = lock
        self._taken = False
        self._waiters: set[AsyncWaiter] = set()

    @property
    def taken(self) -> bool:
        """Whether somebody is at it."""
        return self._taken

    def take(self) -> Optional[AsyncWaiter]:
        """None: it is yours, until `give_back`. Else what to `wait` for; the lock is held."""
        if not self._taken:
            self._taken = True
            return None
        waiter = self._network.waiter()
        self._waiters.add(waiter)
        return waiter

    async def wait(self, waiter: AsyncWaiter, timeout: Optional[float]) -> None:
        """Wait until the turn is over.

        Raises:
            TimeoutError: it lasts longer than that.
        """
        try:
            done = await waiter.wait(timeout)
        finally:
            with self._lock:
                self._waiters.discard(waiter)
        if not done:
            raise TimeoutError

    def give_back(self) -> None:
        """End the turn and wake everybody: it does not matter if one of them has gone."""
        with self._lock:
            self._taken = False
            if not self._waiters:
                return
            waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            waiter.set()
