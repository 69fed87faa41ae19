"""The words for how work ended, which are not the same everywhere."""

from typing import Final, Optional

__all__ = ["is_bad_end", "is_end"]

_GOOD: Final = frozenset({"succeeded", "completed", "ready", "done"})
_BAD: Final = frozenset({"failed", "error", "expired", "cancelled", "canceled"})


def is_end(status: Optional[str]) -> bool:
    """Return whether nothing more will come of work in this state."""
    return (status or "").lower() in _GOOD | _BAD


def is_bad_end(status: Optional[str]) -> bool:
    """Return whether work in this state has ended without a result."""
    return (status or "").lower() in _BAD
