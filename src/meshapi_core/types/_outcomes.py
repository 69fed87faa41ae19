"""The statuses of jobs that have ended; endpoints use different words."""

from typing import Final, Optional

__all__ = ["is_bad_end", "is_done", "is_end", "is_known"]

_GOOD: Final = frozenset({"succeeded", "completed", "ready", "done"})
_BAD: Final = frozenset({"failed", "error", "expired", "cancelled", "canceled"})

# "incomplete" is an end of responses, and good: there is an answer, if not all of it.
_INCOMPLETE: Final = "incomplete"
_GOING_ON: Final = frozenset(
    """
    pending queued created submitted validating processing running in_progress finalizing cancelling
    canceling
    """.split()
)


def is_known(status: Optional[str]) -> bool:
    """Return whether this version knows what a status means: that a job goes on, or has ended."""
    return (status or "").lower() in _GOOD | _BAD | _GOING_ON | {_INCOMPLETE}


def is_end(status: Optional[str]) -> bool:
    """Return whether a job with this status has ended, successfully or not."""
    return (status or "").lower() in _GOOD | _BAD | {_INCOMPLETE}


def is_done(status: Optional[str]) -> bool:
    """Return whether a job with this status has ended with all of its result."""
    return (status or "").lower() in _GOOD


def is_bad_end(status: Optional[str]) -> bool:
    """Return whether a job with this status has ended without a result."""
    return (status or "").lower() in _BAD
