"""A clock that does not wait.

It stands still while the program works. When everything waits, it jumps to the next moment at which
something is due: the end of a wait, or of a sleep of the application.

In each thread, one wait is the driver and makes the clock jump; the others sleep until they are
woken. When the driver is done, another takes its place. So a blocking wait, which has its thread to
itself, makes the clock jump at once; on an event loop, it jumps when no task has anything to do.
"""

import threading
import time
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any, Optional


class Timer:
    """A call that is due at a moment."""

    __slots__ = ("call", "moment")

    def __init__(self, moment: float, call: Optional[Callable[[], object]]) -> None:
        self.moment = moment
        self.call = call

    def cancel(self) -> None:
        """Do not make the call."""
        self.call = None


class Wait:
    """One wait, in one thread.

    Attributes:
        ready: whether what the wait is for has come.
        until: when the wait ends at the latest.
        waiter: the event that the network waits for meanwhile.
    """

    def __init__(self, ready: Callable[[], bool], until: Optional[float]) -> None:
        self.ready = ready
        self.until = until
        self.thread = threading.get_ident()
        self.waiter: Any = None
        self.timer: Optional[Timer] = None

    def wake(self) -> None:
        """Have it check again whether it is over."""
        waiter = self.waiter
        if waiter is None:
            return
        if self.thread == threading.get_ident():
            waiter.set()
        else:
            waiter.set_from_thread()


class Changing:
    """Something that others wait for."""

    def __init__(self, clock: "VirtualClock") -> None:
        self._clock = clock
        self.waits: list[Wait] = []

    def changed(self) -> None:
        """Have all waits for it check again."""
        with self._clock.lock:
            self._clock.activity += 1
            for wait in self.waits:
                wait.wake()


class VirtualClock:
    """The clock of a `FakeGateway` and of its clients. It begins at 0.

    Attributes:
        runs: whether it jumps by itself; otherwise only `FakeGateway.advance` moves it.
        waits: the seconds of each wait that a client has finished, such as a pause before a retry.
    """

    def __init__(self, *, runs: bool = True) -> None:
        self.runs = runs
        self.waits: list[float] = []
        # Held for moments only, and never while anything is awaited.
        self.lock = threading.RLock()
        # Counts what the clients do, so that the driver sees whether anything happened.
        self.activity = 0
        self.after: Callable[[], object] = _nothing
        self._began = time.time()
        self._now = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._number = 0
        self._present: dict[int, list[Wait]] = {}
        self._threads: set[int] = set()
        # Calls of runs: those that have not begun, and the threads of those that have.
        self.coming = 0
        self.workers: set[int] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self._now:g} s>"

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._now

    @property
    def unix_time(self) -> float:
        """The Unix time: the computer's when the clock began, plus the seconds since then."""
        return self._began + self._now

    def at(self, moment: float, call: Callable[[], object]) -> Timer:
        """Make a call when a moment has come."""
        timer = Timer(moment, call)
        with self.lock:
            self._number += 1
            heappush(self._timers, (moment, self._number, timer))
            for present in self._present.values():
                present[0].wake()
        return timer

    def next_moment(self) -> Optional[float]:
        """Return when something is due next; None for never, or if the clock does not run."""
        if not self.runs:
            return None
        with self.lock:
            timers = self._timers
            while timers and timers[0][2].call is None:
                heappop(timers)
            return timers[0][0] if timers else None

    def go_to(self, moment: float) -> None:
        """Go forward to a moment, past all that is due by then."""
        with self.lock:
            timers = self._timers
            while timers and timers[0][0] <= moment:
                due, _, timer = heappop(timers)
                call, timer.call = timer.call, None
                if call is not None:
                    self._now = max(self._now, due)
                    call()
                    self.after()
            self._now = max(self._now, moment)

    # Waits.

    def enter(self, wait: Wait) -> None:
        """Begin a wait."""
        with self.lock:
            self.activity += 1
            self._threads.add(wait.thread)
            self._present.setdefault(wait.thread, []).append(wait)
            if wait.until is not None and wait.until < inf:
                wait.timer = self.at(wait.until, wait.wake)

    def leave(self, wait: Wait) -> None:
        """End a wait. Another one in its thread may be the driver now."""
        with self.lock:
            self.activity += 1
            if wait.timer is not None:
                wait.timer.cancel()
            present = self._present[wait.thread]
            was_driver = present[0] is wait
            present.remove(wait)
            if not present:
                del self._present[wait.thread]
            elif was_driver:
                present[0].wake()

    def is_driver(self, wait: Wait) -> bool:
        """Whether a wait makes the clock jump."""
        return self._present[wait.thread][0] is wait

    def is_shared(self) -> bool:
        """Whether more than one thread has waited, of those that are alive."""
        with self.lock:
            if len(self._threads) > 1:
                self._threads &= _alive()
            return len(self._threads) > 1

    def jump(self, seen: int, ignored: Optional[int]) -> None:
        """Go to the next moment, unless anything happens, or is about to.

        Args:
            seen: the activity until now.
            ignored: a thread in which nothing can happen, because it waits here.
        """
        with self.lock:
            moment = self.next_moment()
            if moment is not None and seen == self.activity and not self._is_busy(ignored):
                self.go_to(moment)

    def _is_busy(self, ignored: Optional[int]) -> bool:
        """Whether a wait is over, or a run has calls that do not wait."""
        if self.coming or self.workers - self._present.keys():
            return True
        waits = [
            wait
            for thread, present in self._present.items()
            if thread != ignored
            for wait in present
            if wait.ready() or (wait.until is not None and wait.until <= self._now)
        ]
        return bool(waits) and not {wait.thread for wait in waits}.isdisjoint(_alive())


def _alive() -> set[int]:
    return {thread.ident for thread in threading.enumerate() if thread.ident is not None}


def _nothing() -> None:
    pass
