"""Calls that run at the same time, and one task that asks a source for its items.

`AsyncCallsUnderWay` makes those of the running event loop, `CallsUnderWay` those of a blocking
program.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Optional

from typing_extensions import Protocol

from meshapi_backends._networks.blocking_calls import CallsUnderWay as CallsUnderWay
from meshapi_core import AnyCall
from meshapi_core.flows import CallEnd

__all__ = ["AsyncCallsUnderWay", "CallsUnderWay", "UnderWay"]


class UnderWay(Protocol):
    """What a flow has under way, on an event loop. All but `abandon` is called in that loop."""

    @property
    def has_ends(self) -> bool:
        """Whether something has ended, which `take` returns.

        Raises:
            StreamUsageError: it is under way in another event loop or process.
        """
        ...

    def start(self, calls: Sequence[tuple[int, AnyCall[Any]]]) -> None:
        """Begin calls. Raises as `has_ends` does."""
        ...

    def pull(self, source: Any) -> None:
        """Ask an iterator for one item."""
        ...

    async def wait(self, seconds: Optional[float]) -> None:
        """Wait until something has ended, until woken, or for some seconds.

        Raises:
            RuntimeError: nothing is under way, so that it would wait for ever.
        """
        ...

    async def turn(self) -> None:
        """Let other tasks run once."""
        ...

    def take(self, most: int) -> list[CallEnd]:
        """Return what has ended, once, and not more than that many ends.

        Raises:
            BaseException: a call raised it, and it is no Exception.
        """
        ...

    def wake(self) -> None:
        """End the present wait."""
        ...

    async def end(self) -> None:
        """End all that is under way, and wait until it has ended."""
        ...

    def abandon(self) -> None:
        """The same without waiting, from a finaliser, in any thread."""
        ...


def AsyncCallsUnderWay(make_host: Callable[[AnyCall[Any]], Any]) -> UnderWay:  # noqa: N802
    """Return what a flow has under way on the running event loop; nothing yet.

    Args:
        make_host: makes the host of a call, which has a coroutine function `result`.
    """
    # As in `current_network`.
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        from meshapi_backends._networks.trio_calls import CallsOnTrio

        return CallsOnTrio(make_host)
    from meshapi_backends._networks.asyncio_calls import CallsOnAsyncio

    return CallsOnAsyncio(make_host)
