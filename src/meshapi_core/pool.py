"""Which connection to reuse, open or close: the state of a pool, O(1) for each request.

Theory of operation. A slot is a connection that is being opened, in use, or idle; there are at most
`max_connections` of them. A caller that wants one calls `acquire`, and gets

- an idle connection to the same origin, the most recently used one, so that older ones can expire;
- else a new slot, if there is room, or if closing an idle connection to another origin makes room:
  the one that has been idle longest;
- else nothing: the caller enqueues a waiter and sleeps. Waiters are served first come, first
  served: free connections are theirs, and a newcomer gets only what they leave.

A wake-up is a hint, and hands nothing over: the woken caller calls `acquire` again, which has kept
a slot free for it. A caller that was cancelled instead passes the hint on: `dequeue`, then `wake`.
Hints may still get lost; a caller that has waited for long voids them (`void_hints`).

Nothing is opened or closed here: the methods return the connections to close. The caller holds its
lock, if it needs one, during each method, and closes connections after it.

Ctrl-C may strike between any two lines. It may cost a slot, but the state stays consistent: the
number of slots is computed, not stored; a connection is added to its new place before it is removed
from the old one; and every connection in `_idle_at` is in `_idle`, too.
"""

import math
from collections import OrderedDict
from collections.abc import Hashable
from enum import Enum
from typing import Final, Generic, Optional, TypeVar, Union

from typing_extensions import TypeAlias

from meshapi_core.config import Limits

C = TypeVar("C")
W = TypeVar("W")


class Decision(Enum):
    """What `acquire` returns where there is no connection to reuse."""

    OPEN = "open a new connection"
    QUEUE = "all are taken: wait"


OPEN: Final = Decision.OPEN
QUEUE: Final = Decision.QUEUE

_Order: TypeAlias = "OrderedDict[C, None]"


class PoolState(Generic[C, W]):
    """The state of one pool. C is a connection and W a waiter; both may be any hashable object."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.closed = False
        self._opening = 0
        # No idle connection expires before this time.
        self._expires_at = math.inf
        # The newest is last in each. The first finds a connection by its origin, the second the one
        # that has been idle longest. OrderedDicts, because finding the first item of a dict costs
        # O(n) after removals.
        self._idle_at: dict[Hashable, _Order[C]] = {}
        self._idle: OrderedDict[C, tuple[Hashable, float]] = OrderedDict()  # origin, since when
        self._in_use: dict[C, Hashable] = {}
        self._detached: set[C] = set()
        self._waiters: OrderedDict[W, None] = OrderedDict()
        self._hinted: dict[W, None] = {}  # woken, and not back yet

    @property
    def slots(self) -> int:
        """The number of connections that are being opened, in use or idle."""
        return self._opening + len(self._in_use) + len(self._idle)

    @property
    def idle(self) -> int:
        """The number of connections that are open and not in use."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """The number of callers that wait for a connection and have not been woken."""
        return len(self._waiters)

    def acquire(
        self, origin: Hashable, now: float, *, fresh: bool = False, woken: bool = False
    ) -> tuple[Union[C, Decision], list[C]]:
        """A connection to use, or OPEN, or QUEUE; and the connections to close.

        OPEN has taken a slot already: call `opened` or `abandon` afterwards, whatever happens.

        Args:
            origin: where the request goes.
            now: the current time.
            fresh: do not use an idle connection.
            woken: the caller was queued, has been woken, and has called `dequeue`.
        """
        expired = self._expire(now) if now >= self._expires_at else []
        ahead = 0 if woken else len(self._waiters) + len(self._hinted)
        if self._spare() <= ahead:
            return QUEUE, expired
        if not fresh:
            connection = self._take_idle(origin)
            if connection is not None:
                return connection, expired
        if self.slots >= self.limits.max_connections:
            expired.append(self._drop_oldest())
        self._opening += 1
        return OPEN, expired

    def opened(self, connection: C, origin: Hashable) -> None:
        """Put a new connection, which is in use, into the slot that OPEN took."""
        self._in_use[connection] = origin
        self._opening -= 1

    def abandon(self) -> Optional[W]:
        """Free the slot that OPEN took, as no connection was opened. Returns a waiter to wake."""
        self._opening -= 1
        return self.wake()

    def replace(self, connection: C) -> None:
        """Take out a connection that was acquired and is dead; its slot is now as after OPEN."""
        self._opening += 1
        self._in_use.pop(connection, None)

    def release(self, connection: C, now: float) -> tuple[Optional[W], list[C]]:
        """Make a connection idle again. Returns a waiter to wake, and the connections to close."""
        origin = self._in_use.get(connection)
        if origin is None:
            return None, []
        to_close = self._expire(now) if now >= self._expires_at else []
        if self.closed or not self.limits.max_keepalive:
            to_close.append(connection)
        else:
            if not self._idle:
                self._expires_at = now + self.limits.keepalive_expiry
            self._idle[connection] = (origin, now)
            self._idle_at.setdefault(origin, OrderedDict())[connection] = None
        self._in_use.pop(connection, None)
        if len(self._idle) > self.limits.max_keepalive:
            to_close.append(self._drop_oldest())
        return self.wake() if self._waiters else None, to_close

    def detach(self, connection: C) -> Optional[W]:
        """Take out a connection that now serves something else. Returns a waiter to wake.

        It no longer takes a slot, but `close` still returns it, unless it is discarded first.
        """
        if connection not in self._in_use:
            return None  # closed meanwhile
        self._detached.add(connection)
        self._in_use.pop(connection, None)
        return self.wake()

    def discard(self, connection: C) -> Optional[W]:
        """Take out a connection that cannot be reused. Returns a waiter to wake. Harmless twice."""
        self._detached.discard(connection)
        if self._in_use.pop(connection, None) is None:
            return None
        return self.wake()

    def enqueue(self, waiter: W, *, first: bool = False) -> None:
        """Queue a waiter; with `first` at the front, where it was woken and found nothing."""
        self._waiters[waiter] = None
        if first:
            self._waiters.move_to_end(waiter, last=False)

    def dequeue(self, waiter: W) -> bool:
        """Take a waiter out; False where it had been woken, and then its hint is given up."""
        self._hinted.pop(waiter, None)
        return self._waiters.pop(waiter, self) is None

    def wake(self) -> Optional[W]:
        """The waiter whose turn it is, if there is one, and a connection or slot for it."""
        if not self._waiters or self._spare() <= len(self._hinted):
            return None
        waiter = next(iter(self._waiters))
        self._hinted[waiter] = None
        self._waiters.pop(waiter, None)
        return waiter

    def void_hints(self) -> None:
        """Forget the waiters that were woken and have not come back: they lose their claim."""
        self._hinted.clear()

    def close(self) -> tuple[list[W], list[C]]:
        """Close for good. Returns the waiters to wake, and every connection, idle or in use."""
        self.closed = True
        waiters = list(self._waiters)
        connections = list(dict.fromkeys([*self._idle, *self._in_use, *self._detached]))
        self._waiters.clear()
        self._hinted.clear()
        self._idle.clear()
        self._idle_at.clear()
        self._in_use.clear()
        self._detached.clear()
        return waiters, connections

    def _spare(self) -> int:
        """How many more connections can be in use: idle ones, and new ones, also in their place."""
        return self.limits.max_connections - self._opening - len(self._in_use)

    def _take_idle(self, origin: Hashable) -> Optional[C]:
        here = self._idle_at.get(origin)
        if not here:
            return None
        connection = next(reversed(here))
        self._in_use[connection] = origin
        self._remove_idle(connection, origin, here)
        return connection

    def _drop_oldest(self) -> C:
        connection, (origin, _) = next(iter(self._idle.items()))
        self._in_use.pop(connection, None)
        self._remove_idle(connection, origin, self._idle_at.get(origin))
        return connection

    def _remove_idle(self, connection: C, origin: Hashable, here: "Optional[_Order[C]]") -> None:
        if here is not None:
            here.pop(connection, None)
            if not here:
                self._idle_at.pop(origin, None)
        del self._idle[connection]

    def _expire(self, now: float) -> list[C]:
        # Amortised O(1): each connection is closed once.
        expired: list[C] = []
        expiry = self.limits.keepalive_expiry
        while self._idle:
            _, since = next(iter(self._idle.values()))
            if now - since < expiry:
                self._expires_at = since + expiry
                break
            expired.append(self._drop_oldest())
        return expired
