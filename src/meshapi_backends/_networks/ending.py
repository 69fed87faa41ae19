"""Code of the program's, in a block that can be ended from elsewhere.

An event loop ends the block by cancelling what it awaits. A thread cannot be interrupted: there the
block goes on until it waits for something of ours.
"""

import math
from types import TracebackType
from typing import Any, Optional

from meshapi_backends._networks.current import current_network


class AsyncEnding:
    """A block in an event loop.

    Args:
        until: the time at which to end it, on the network's clock; None is never.
    """

    ended = False
    """Whether the block did not come to its own end."""

    def __init__(self, until: Optional[float]) -> None:
        network = current_network()
        self._scope: Any = network.limit(None if until is None else until - network.now())

    def end(self) -> None:
        """End the block. Call it in the same loop."""
        self._scope.cancel()

    def limit(self, until: Optional[float]) -> None:
        """Change the time at which to end it; None is never."""
        self._scope.deadline = math.inf if until is None else until

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> Optional[bool]:
        caught: Optional[bool] = self._scope.__exit__(exc_type, exc, traceback)
        self.ended = bool(self._scope.cancelled_caught)
        return caught


class Ending:
    """A block in a thread. See `AsyncEnding`."""

    ended = False

    def __init__(self, until: Optional[float]) -> None:
        pass

    def end(self) -> None:
        """Does nothing, because nothing could."""

    def limit(self, until: Optional[float]) -> None:
        """Does nothing, for the same reason."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        pass
