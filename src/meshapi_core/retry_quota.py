"""The retry quota: how much retrying a client may do against one server. No clock, no I/O.

If a gateway is broken, each call that retries makes it worse. So retries are paid for from a bucket
of `RETRY_QUOTA` tokens, one bucket for each origin:

    what happens                                   tokens
    ---------------------------------------------  --------------------------
    a retry after a 429                            `THROTTLED_COST` are taken
    any other retry                                `TRANSIENT_COST` are taken
    a call succeeds without a retry                1 is put back
    a call succeeds after a retry                  what the last one cost is put back
    the connection was dead, the token was renewed nothing: not a retry

A bucket never has more than its capacity. If it has too few tokens for a retry, the last error is
raised at once, with `retry_quota_exhausted`. Only origins whose buckets are not full take memory.

Source: the standard retry mode of the AWS SDKs
    (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html),
    https://github.com/grpc/proposal/blob/master/A6-client-retries.md (throttling)
"""

from collections.abc import Callable
from typing import Any, Optional

from typing_extensions import Protocol

from meshapi_core.errors import MeshAPIError
from meshapi_core.retries import THROTTLED_COST, TRANSIENT_COST, Outcome

__all__ = ["RetryQuota", "cost_of", "paid"]

_THROTTLED = 429
_MOST_ORIGINS = 100
"""How many buckets are kept: a client has one gateway, and a few storage services."""


def cost_of(outcome: Outcome) -> int:
    """Return what a retry after this outcome costs."""
    return THROTTLED_COST if outcome.status == _THROTTLED else TRANSIENT_COST


class Lock(Protocol):
    """What a `with` block locks."""

    def __enter__(self) -> Any: ...
    def __exit__(self, kind: Any, value: Any, traceback: Any, /) -> Any: ...


class RetryQuota:
    """The buckets of one client, shared by its calls; safe to use from several threads.

    Args:
        lock: makes the lock that guards it, such as `threading.Lock`.
    """

    __slots__ = ("__weakref__", "_lock", "_new_lock", "taken")

    taken: dict[Any, int]
    """Origins -> how many tokens are missing in their buckets. Empty while all are full: then there
    is nothing to put back, and a call need not ask."""

    def __init__(self, lock: Callable[[], Lock]) -> None:
        self._new_lock = lock
        self._lock = lock()
        self.taken = {}

    def take(self, origin: object, cost: int, capacity: int) -> bool:
        """Pay for a retry; return False, and take nothing, if there are too few tokens."""
        with self._lock:
            taken = self.taken.pop(origin, 0)
            is_paid = taken + cost <= capacity
            if taken or is_paid:
                # At the end of the dict, so that the least recently used is the first.
                self.taken[origin] = taken + cost if is_paid else taken
            if len(self.taken) > _MOST_ORIGINS:
                del self.taken[next(iter(self.taken))]
            return is_paid

    def put_back(self, origin: object, tokens: int) -> None:
        """Put tokens back into a bucket, as far as there is room."""
        with self._lock:
            left = self.taken.get(origin, 0) - tokens
            if left > 0:
                self.taken[origin] = left
            else:
                self.taken.pop(origin, None)

    def left(self, origin: object, capacity: int) -> int:
        """Return how many tokens there are for retries against an origin."""
        return max(0, capacity - self.taken.get(origin, 0))

    def forget(self) -> None:
        """Fill all buckets, with a new lock: in a forked child, where the old one may be held."""
        self._lock = self._new_lock()
        self.taken = {}

    def __reduce__(self) -> Any:
        # A copy is for another client, and begins with full buckets.
        return RetryQuota, (self._new_lock,)

    def __repr__(self) -> str:
        return f"<RetryQuota with {len(self.taken)} buckets in use>"


def paid(
    quota: Optional[RetryQuota],
    capacity: Optional[int],
    origin: object,
    outcome: Outcome,
    error: MeshAPIError,
) -> Optional[int]:
    """Pay for a retry, and return what it cost; None if the quota is used up.

    Args:
        quota: of the client; None costs nothing.
        capacity: of its buckets (`RetryPolicy.quota`); None costs nothing.
        origin: the server.
        outcome: how the last attempt failed.
        error: what the caller gets if there is no retry; marked if the quota is the reason.
    """
    if quota is None or capacity is None:
        return 0
    cost = cost_of(outcome)
    if quota.take(origin, cost, capacity):
        return cost
    error.retry_quota_exhausted = True
    error.message += "; not retried, because too many retries have failed lately (retry quota)"
    error.args = (error.message,)
    return None
