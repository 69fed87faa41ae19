"""Scopes: closing a stream or a client ends the waits of its calls.

A call that may have to wait for long runs in a `Scope`. Code that waits in the scope registers how
to end the wait (`waiting`): set a waiter, shut a socket down, cancel a task. `Scope.end` does that
from another task or thread, and the wait raises `WaitEnded`. The current scope is in a context
variable, so that neither networks nor transports have to pass it on.

There are no locks. `end` first notes the failure and then looks for a wait; a wait first registers
and then looks for a failure. So at least one of the two sees the other.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Optional

from meshapi_core import Failure


class WaitEnded(OSError):
    """A wait was ended from outside; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.error.message)
        self.failure = failure


class Scope:
    """What can be ended from outside in one call: its present wait, and those to come."""

    __slots__ = ("_wake", "failure")

    def __init__(self) -> None:
        self.failure: Optional[Failure] = None
        self._wake: Optional[Callable[[], object]] = None

    def end(self, failure: Failure) -> None:
        """End the call's present wait and all later ones. Harmless twice."""
        if self.failure is None:
            self.failure = failure
        wake = self._wake
        if wake is not None:
            wake()

    def check(self) -> None:
        """Raise WaitEnded if the scope has been ended."""
        if self.failure is not None:
            raise WaitEnded(self.failure)

    def wake_by(self, wake: Callable[[], object]) -> None:
        """Register how to end the waits outside of any `waiting`, as long as the scope lives."""
        self._wake = wake

    @contextmanager
    def running(self) -> Generator[None, None, None]:
        """Make this the current scope for the block."""
        outer = _current.get()
        _current.set(self)
        try:
            yield
        finally:
            # Not `reset`, which needs the same context: a coroutine that is garbage-collected ends
            # in another one.
            _current.set(outer)

    @contextmanager
    def waiting(self, wake: Callable[[], object]) -> Generator[None, None, None]:
        """Register how to end the wait in the block; waits may be nested.

        Args:
            wake: ends the wait; called from elsewhere, at any time, perhaps twice.

        Raises:
            WaitEnded: the scope had been ended before. A block that is woken has to call
                `check_ended` itself.
        """
        outer, self._wake = self._wake, wake
        try:
            self.check()
            yield
        finally:
            self._wake = outer


_current: ContextVar[Optional[Scope]] = ContextVar("meshapi_scope", default=None)


class Calls:
    """The calls that wait on one transport, which its closing ends."""

    def __init__(self) -> None:
        self._scopes: set[Scope] = set()
        self._failure: Optional[Failure] = None

    @contextmanager
    def waiting(self) -> Generator[Scope, None, None]:
        """Run the block, which waits for the transport, in the current scope or in a new one."""
        scope = _current.get() or Scope()
        self._scopes.add(scope)
        if self._failure is not None:
            scope.end(self._failure)
        try:
            with scope.running():
                yield scope
        finally:
            self._scopes.discard(scope)

    def add(self, scope: Scope) -> None:
        """Have a scope end with these calls, until `discard`. Harmless twice."""
        self._scopes.add(scope)
        if self._failure is not None:
            scope.end(self._failure)

    def discard(self, scope: Scope) -> None:
        """Forget a scope. Safe in a finaliser, and harmless twice."""
        self._scopes.discard(scope)

    def refuse(self, failure: Failure) -> None:
        """End the waits to come. Those that there are may be ended in other ways, before `end`."""
        self._failure = failure

    def end(self, failure: Failure) -> None:
        """End the waits of all these calls, and of those to come."""
        self.refuse(failure)
        for scope in self._scopes.copy():
            scope.end(failure)


@contextmanager
def waiting(wake: Callable[[], object]) -> Generator[None, None, None]:
    """Register how to end the wait in the block, if there is a current scope: `Scope.waiting`."""
    scope = _current.get()
    if scope is None:
        yield
    else:
        with scope.waiting(wake):
            yield


def check_ended() -> None:
    """Raise WaitEnded if the current scope has been ended."""
    scope = _current.get()
    if scope is not None:
        scope.check()


def leave_scope() -> None:
    """Leave the current scope for the rest of this context: what runs here ends in its own way."""
    # To change a context takes longer than to look.
    if _current.get() is not None:
        _current.set(None)


def current_scope() -> Optional[Scope]:
    """The scope that this code runs in; None outside of any."""
    return _current.get()
