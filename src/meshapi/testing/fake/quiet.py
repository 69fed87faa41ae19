"""How long a driver lets others run before it makes the clock jump."""

import threading
from typing import Optional

from meshapi.testing.fake.clock import VirtualClock


class AsyncQuiet:
    """On an event loop, where every task has had its turn after one round.

    There are several rounds, because some pass between the end of a task and the next step of
    another that waits for it.
    """

    @staticmethod
    def rounds(clock: VirtualClock) -> tuple[int, float]:
        """Return how many rounds there are, and the seconds of each."""
        return 32, 0.0

    @staticmethod
    def blocked() -> Optional[int]:
        """Return the thread that does nothing else while one of its tasks waits: there is none."""
        return None


class Quiet:
    """In threads, each of which may do something at any time. A single thread needs no rounds."""

    @staticmethod
    def rounds(clock: VirtualClock) -> tuple[int, float]:
        """Return how many rounds there are, and the seconds of each."""
        return (4, 0.0005) if clock.is_shared() else (0, 0.0)

    @staticmethod
    def blocked() -> Optional[int]:
        """Return the thread that does nothing else while it waits: this one."""
        return threading.get_ident()
