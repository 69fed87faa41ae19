"""What only a host knows about a failed attempt; what that means, `meshapi_core.failures` decides.

The one place where a backend's exceptions become ours.
"""

from collections.abc import Callable
from typing import Optional

from meshapi_core import Failure

__all__ = [
    "TransportError",
    "is_interrupt",
    "is_time_limit",
    "mark_foreign",
    "mark_interrupt",
    "seconds_until",
]


class TransportError(Exception):
    """An attempt brought no response, or not all of it; `failure` says how far it came."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.error.message


def seconds_until(end: Optional[float], now: Callable[[], float]) -> Optional[float]:
    """Seconds until a time, None where there is none.

    Raises:
        TimeoutError: it is over.
    """
    if end is None:
        return None
    left = end - now()
    if left <= 0:
        raise TimeoutError
    return left


def is_time_limit(exc: BaseException) -> bool:
    """Whether a limit of ours has passed; the system's own ETIMEDOUT has an errno."""
    return isinstance(exc, TimeoutError) and exc.errno is None


def mark_interrupt(exc: BaseException) -> bool:
    """Look at an exception where a system call raised it: whether a signal's handler did.

    It may be of any class, TimeoutError and other OSErrors included; but it has passed through a
    frame of its own.
    """
    traceback = exc.__traceback__
    if traceback is None or traceback.tb_next is None:
        return False
    exc.__dict__[_INTERRUPT] = True
    return True


def mark_foreign(exc: BaseException) -> None:
    """Mark what is no failure of a transport's, but of the program: it leaves as it is."""
    exc.__dict__[_INTERRUPT] = True


def is_interrupt(exc: BaseException) -> bool:
    """Whether an exception that was looked at is the program's: a signal handler's or a hook's."""
    return _INTERRUPT in exc.__dict__


_INTERRUPT = "_meshapi_interrupt"
