"""Blocks that run middleware, and how they are ended from outside. See `middleware`."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Optional

from meshapi_backends._failures import TransportError, out_of_time
from meshapi_backends._networks.ending import AsyncEnding
from meshapi_backends._scopes import Calls, Scope, WaitEnded
from meshapi_core import Failure


class AsyncBlock:
    """A block that runs code of the program's."""

    def __init__(self, until: Optional[float], end: Optional[Callable[[Failure], bool]]) -> None:
        self.ending = AsyncEnding(until)
        # The program's code may use another client, whose waits end with this scope.
        self.inner = Scope()
        self._end = end
        self._outer = Scope()

    def end(self, scope: Scope) -> None:
        """End the block from outside."""
        self._outer = scope
        assert scope.failure is not None
        self.inner.end(scope.failure)
        if self._end is None or not self._end(scope.failure):
            self.ending.end()

    def check(self) -> None:
        """Raise what ended the block, if it did not come to its own end.

        Raises:
            TransportError: its call or the client was closed.
            TimeoutError: its time ran out.
        """
        if self._outer.failure is not None:
            raise TransportError(self._outer.failure)
        if self.ending.ended:
            raise out_of_time()


@contextmanager
def block_of(
    calls: Calls, until: Optional[float], end: Optional[Callable[[Failure], bool]] = None
) -> Generator[AsyncBlock, None, None]:
    """Run a block until it ends, or its time, its call, or the client."""
    block = AsyncBlock(until, end)
    with calls.waiting() as scope:
        try:
            with scope.waiting(partial(block.end, scope)), block.ending, block.inner.running():
                yield block
        except WaitEnded as exc:
            raise TransportError(exc.failure) from None
        except Exception as exc:
            # Whatever the end has led to, its reason is what counts.
            if scope.failure is None:
                raise
            raise TransportError(scope.failure) from exc
