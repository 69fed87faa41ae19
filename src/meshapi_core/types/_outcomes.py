"""The statuses of jobs that have ended; endpoints use different words."""

from typing import Final, Optional

__all__ = ["is_bad_end", "is_end"]

_GOOD: Final = frozenset({"succeeded", "completed", "ready", "done"})
_BAD: Final = frozenset({"failed", "error", "expired", "cancelled", "canceled"})


def is_end(status: Optional[str]) -> bool:
    """Return whether a job with this status has ended, successfully or not."""
    return (status or "").lower() in _GOOD | _BAD


def is_bad_end(status: Optional[str]) -> bool:
    """Return whether a job with this status has ended without a result."""
    return (status or "").lower() in _BAD
