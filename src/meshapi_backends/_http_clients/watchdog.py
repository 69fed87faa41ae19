"""Time limits for threads that wait in other people's code, which does not know our limits.

One thread watches the limits of the whole process. A thread that is about to wait arms an alarm: a
time, and a function to call if the alarm is not disarmed by then. That costs taking a lock twice.
The watching thread is woken only for an alarm that is earlier than all others, and ends when no
alarm is armed.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Optional

from typing_extensions import Self

from meshapi_backends._forks import forget_after_fork

# Seconds of the longest sleep, which the locks of every system can wait.
_LONGEST_SLEEP = 3600.0


class Alarm:
    """One armed limit."""

    __slots__ = ("ring", "until")

    def __init__(self, until: float, ring: Callable[[], object]) -> None:
        self.until = until
        self.ring = ring


class Watchdog:
    """The armed limits of all threads, and the thread that watches them."""

    def __init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Start afresh, in a forked child, which has none of its parent's threads."""
        self._changed = threading.Condition()
        self._armed: set[Alarm] = set()
        self._running = False
        self._wakes = 0.0

    def arm(self, seconds: float, ring: Callable[[], object]) -> Alarm:
        """Arm an alarm: call `ring` once when the time is over, in another thread.

        Args:
            ring: must be quick, and must neither raise nor arm an alarm.
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
        """Disarm an alarm. When this returns, it has rung or never will. Harmless twice."""
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
            pass  # no thread can be started, or the program ends: then this limit is not kept

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
        # The lock is held, so that no alarm rings for a wait that is over.
        for alarm in [alarm for alarm in self._armed if alarm.until <= now]:
            self._armed.discard(alarm)
            alarm.ring()


WATCHDOG = Watchdog()


class WatchedWait:
    """A time limit on one wait of a thread: when it runs out, the connection is shut down.

    Args:
        end_wait: shuts the connection down; returns False if there is none, and the wait goes on.
        seconds: the limit of the whole block; None is none, until `limit` is called within it.
    """

    def __init__(self, end_wait: Callable[[], bool], seconds: Optional[float] = None) -> None:
        self.cancelled_caught = False
        self._end_wait = end_wait
        self._seconds = seconds
        self._alarm: Optional[Alarm] = None

    def limit(self, seconds: Optional[float]) -> None:
        """Set the limit, counted from now, unless one is set already."""
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
        # From here on the connection may be used by other requests.
        WATCHDOG.disarm(self._alarm)
        # Shutting a connection down may make httpx raise any exception.
        return self.cancelled_caught and isinstance(exc, Exception)

    def _ring(self) -> None:
        self.cancelled_caught = self._end_wait()
