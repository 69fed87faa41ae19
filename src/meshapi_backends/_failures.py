"""Failures as the backends see them: limits of ours, exceptions of the program, everything else.

`meshapi_core.failures` decides what a failure means.
"""

from collections.abc import Callable
from typing import Any, Optional, Union

from meshapi_core import Advice, Failure, MeshAPIError, Stage, not_connected, type_name

__all__ = [
    "TransportError",
    "advice",
    "failed_at",
    "is_interrupt",
    "is_of_transport",
    "is_time_limit",
    "mark_failed_at",
    "mark_foreign",
    "mark_interrupt",
    "mark_of_transport",
    "seconds_until",
]


class TransportError(Exception):
    """An attempt got no response, or only a part of one; `failure` says how far it got.

    Args:
        failure: why; or a message or an error, of which a `Failure` is made.
        stage: how far the attempt got, for a message or an error. After "connect", the default,
            nothing has been sent, so that the call is retried. See `Stage`.

    Raises:
        TypeError, ValueError: it is none of these, or there is no such stage.
    """

    def __init__(
        self, failure: Union[Failure, MeshAPIError, str], *, stage: Optional[Stage] = None
    ) -> None:
        if not isinstance(failure, Failure):
            failure = _made(failure, "connect" if stage is None else stage)
        elif stage is not None:
            raise TypeError("stage: given together with a Failure, which has one; leave it out")
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.error.message


_STAGES = ("pool", "closed", "connect", "verify", "request", "response")


def _made(given: Any, stage: Stage) -> Failure:
    if stage not in _STAGES:
        expected = ", ".join(_STAGES)
        raise ValueError(f"stage: expected one of {expected}, got {stage!r}")
    if isinstance(given, MeshAPIError):
        return Failure(given, stage)
    if isinstance(given, str):
        return not_connected(given, stage)
    hint = "; raise it as it is" if isinstance(given, Exception) else ""
    raise TypeError(
        "TransportError: expected a message (str), a MeshAPIError or a Failure, got"
        f" {type_name(given)}{hint}"
    )


def seconds_until(end: Optional[float], now: Callable[[], float]) -> Optional[float]:
    """Seconds until a time; None where no time is given.

    Raises:
        TimeoutError: the time has passed.
    """
    if end is None:
        return None
    left = end - now()
    if left <= 0:
        raise TimeoutError
    return left


def is_time_limit(exc: BaseException) -> bool:
    """Whether a time limit of ours ran out; the system's own ETIMEDOUT has an errno."""
    return isinstance(exc, TimeoutError) and exc.errno is None


def mark_interrupt(exc: BaseException) -> bool:
    """Whether a signal handler raised an exception that came out of a system call; if so, mark it.

    Call it in the frame of the system call. A handler may raise any class, TimeoutError and other
    OSErrors included, but its exception has passed through the handler's frame.
    """
    traceback = exc.__traceback__
    if traceback is None or traceback.tb_next is None:
        return False
    exc.__dict__[_INTERRUPT] = True
    return True


def mark_foreign(exc: BaseException) -> None:
    """Mark an exception of the program's, which is no transport failure and is raised unchanged."""
    exc.__dict__[_INTERRUPT] = True


def is_interrupt(exc: BaseException) -> bool:
    """Whether an exception is marked as the program's: a signal handler or a hook raised it."""
    return _INTERRUPT in exc.__dict__


def mark_failed_at(exc: BaseException, where: str) -> None:
    """Mark an exception with what it is about, if that is not the server: `failure_of` says how."""
    exc.__dict__[_WHERE] = where


def advice() -> Advice:
    """The hints that this process can give for the error of a connection."""
    try:
        # Imported on first use: most calls do not fail.
        from meshapi_backends._advice import advice as found
    except OSError:
        # The process may open no more files, so this module cannot be read either.
        return Advice()
    return found()


def failed_at(exc: BaseException) -> str:
    """What an exception is about; "" for the server itself."""
    return str(exc.__dict__.get(_WHERE, ""))


def mark_of_transport(exc: BaseException) -> None:
    """Mark an exception that a transport raised: if middleware lets it through, it is judged."""
    exc.__dict__[_OF_TRANSPORT] = True


def out_of_time() -> TimeoutError:
    """The exception of a transport whose time ran out."""
    exc = TimeoutError()
    mark_of_transport(exc)
    return exc


def is_of_transport(exc: BaseException) -> bool:
    """Whether an exception is marked as a transport's."""
    return _OF_TRANSPORT in exc.__dict__


_INTERRUPT = "_meshapi_interrupt"
_OF_TRANSPORT = "_meshapi_of_transport"
_WHERE = "_meshapi_where"
