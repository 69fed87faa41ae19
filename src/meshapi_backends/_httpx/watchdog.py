"""Time limits for threads that wait in code of somebody else's, which knows no limit of ours.

One thread for the whole process looks after all of them. Whoever waits says until when, and what
is to be done if it is not disarmed by then. That costs two turns of a lock; the thread is woken
only where a limit ends before all others, and it ends when there is nothing to look after.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Optional

from typing_extensions import Self

from meshapi_backends._forks import forget_after_fork

# Seconds of the longest sleep: no more than any system's lock can wait.
_LONGEST_SLEEP = 3600.0


class Alarm:
    """One limit that is armed."""

    __slots__ = ("ring", "until")

    def __init__(self, until: float, ring: Callable[[], object]) -> None:
        self.until = until
        self.ring = ring


class Watchdog:
    """The limits of all threads that wait."""

    def __init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Start anew, in a forked child: it has no threads."""
        self._changed = threading.Condition()
        self._armed: set[Alarm] = set()
        self._running = False
        self._wakes = 0.0

    def arm(self, seconds: float, ring: Callable[[], object]) -> Alarm:
        """Call `ring` when the time is over, once, from another thread.

        Args:
            ring: is quick, and neither raises nor arms anything.
        """
        alarm = Alarm(time.monotonic() + seconds, ring)
        with self._changed:
            self._armed.add(alarm)
            if not self._running:
                self._start()
            elif alarm.until < self._wakes:
                self._changed.notify()
        return alarm

    def disarm(self, alarm: Optional[Alarm]) -> None:
        """Forget a limit. When this returns it has rung, or never will. Harmless twice."""
        if alarm is not None:
            with self._changed:
                self._armed.discard(alarm)

    def _start(self) -> None:
        self._wakes = 0.0
        thread = threading.Thread(target=self._watch, name="meshapi-watchdog", daemon=True)
        try:
            thread.start()
            self._running = True
        except RuntimeError:
            pass  # no more threads, or the program ends: then there is no such limit

    def _watch(self) -> None:
        changed = self._changed
        with changed:
            while self._armed:
                self._wakes = min(alarm.until for alarm in self._armed)
                left = self._wakes - time.monotonic()
                if left > 0:
                    changed.wait(min(left, _LONGEST_SLEEP))
                self._ring(time.monotonic())
            self._running = False

    def _ring(self, now: float) -> None:
        # With the lock, so that nothing rings for a wait that is over.
        for alarm in [alarm for alarm in self._armed if alarm.until <= now]:
            self._armed.discard(alarm)
            alarm.ring()


WATCHDOG = Watchdog()


class WatchedWait:
    """A limit on one wait of a thread: when it is over, the connection is shut down.

    Args:
        end_wait: shuts it down; False where there is none, and then the wait goes on.
        seconds: for the whole of the block; None is for no more than `limit` says within it.
    """

    def __init__(self, end_wait: Callable[[], bool], seconds: Optional[float] = None) -> None:
        self.cancelled_caught = False
        self._end_wait = end_wait
        self._seconds = seconds
        self._alarm: Optional[Alarm] = None

    def limit(self, seconds: Optional[float]) -> None:
        """Limit what is waited for from now on; the first limit counts."""
        if self._alarm is None:
            self._alarm = None if seconds is None else WATCHDOG.arm(seconds, self._ring)

    def __enter__(self) -> Self:
        if self._seconds is not None:
            self.limit(self._seconds)
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> bool:
        # From here on the connection may serve others.
        WATCHDOG.disarm(self._alarm)
        # A connection that was shut down because of the limit breaks in any way it likes.
        return self.cancelled_caught and isinstance(exc, Exception)

    def _ring(self) -> None:
        self.cancelled_caught = self._end_wait()
