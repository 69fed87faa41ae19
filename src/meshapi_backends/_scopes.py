"""What a call is waiting for, so that closing its stream or its client can end the wait.

A call that may have to wait long runs in a `Scope`, and whoever waits within it says how the wait
is ended (`waiting`): a waiter is set, a socket shut down, a task cancelled. `Scope.end` does that,
from another task or thread, and the wait raises `WaitEnded`. The scope is found by the context that
runs, as event loops find theirs, so that neither networks nor transports have to pass it on.

There are no locks: whoever ends a scope first notes it and then looks for a wait, whoever waits
first says so and then looks whether it has ended, so that one of the two sees the other.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Optional

from meshapi_core import Failure


class WaitEnded(OSError):
    """The wait was ended from outside; `failure` says by what."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.error.message)
        self.failure = failure


class Scope:
    """One call, as far as it can be ended from outside."""

    __slots__ = ("_wake", "failure")

    def __init__(self) -> None:
        self.failure: Optional[Failure] = None
        self._wake: Optional[Callable[[], object]] = None

    def end(self, failure: Failure) -> None:
        """End what the call waits for, now and later. Harmless twice."""
        if self.failure is None:
            self.failure = failure
        wake = self._wake
        if wake is not None:
            wake()

    def check(self) -> None:
        """Raise Ended where the scope has been ended."""
        if self.failure is not None:
            raise WaitEnded(self.failure)

    @contextmanager
    def running(self) -> Generator[None, None, None]:
        """The block is the call."""
        outer = _current.get()
        _current.set(self)
        try:
            yield
        finally:
            # Not `reset`: a coroutine that is collected ends in another context.
            _current.set(outer)

    @contextmanager
    def waiting(self, wake: Callable[[], object]) -> Generator[None, None, None]:
        """The block waits, and `wake` ends that: from elsewhere, at any time, maybe twice.

        Raises:
            Ended: before it begins. Whoever was woken calls `check_ended`.
        """
        self._wake = wake
        try:
            self.check()
            yield
        finally:
            self._wake = None


_current: ContextVar[Optional[Scope]] = ContextVar("meshapi_scope", default=None)


class Calls:
    """The calls that wait on one transport, which its closing ends."""

    def __init__(self) -> None:
        self._scopes: set[Scope] = set()
        self._failure: Optional[Failure] = None

    @contextmanager
    def waiting(self) -> Generator[Scope, None, None]:
        """The block waits for the transport, in the scope that runs or in one of its own."""
        scope = _current.get() or Scope()
        self._scopes.add(scope)
        if self._failure is not None:
            scope.end(self._failure)
        try:
            with scope.running():
                yield scope
        finally:
            self._scopes.discard(scope)

    def end(self, failure: Failure) -> None:
        """End all of them, and those to come."""
        self._failure = failure
        for scope in self._scopes.copy():
            scope.end(failure)


@contextmanager
def waiting(wake: Callable[[], object]) -> Generator[None, None, None]:
    """The block waits in the scope that runs, if there is one. See `Scope.waiting`."""
    scope = _current.get()
    if scope is None:
        yield
    else:
        with scope.waiting(wake):
            yield


def check_ended() -> None:
    """Raise Ended where the scope that runs has been ended."""
    scope = _current.get()
    if scope is not None:
        scope.check()
