"""What the calls that run at the same time have in common on every network."""

from typing import Final

from meshapi_core import StreamUsageError
from meshapi_core.flows import CallEnd

__all__ = ["Ended", "LoopEnded"]

_OTHER_LOOP: Final = (
    "this was begun in another event loop, and its calls are there; iterate over it in that loop"
)


class Ended:
    """The calls that have ended, until they are taken."""

    def __init__(self) -> None:
        self._ends: list[CallEnd] = []

    def take(self, most: int) -> list[CallEnd]:
        """See `UnderWay.take`."""
        ends = self._ends
        self._ends = ends[most:]
        del ends[most:]
        return ends


class LoopEnded(Ended):
    """The same on an event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._raised: list[BaseException] = []

    @property
    def has_ends(self) -> bool:
        """See `UnderWay.has_ends`."""
        self._check_loop()
        return bool(self._ends or self._raised)

    def take(self, most: int) -> list[CallEnd]:
        """See `UnderWay.take`."""
        if self._raised:
            raise self._raised.pop(0)
        return super().take(most)

    def wake(self) -> None:
        """See `UnderWay.wake`."""

    def _report(self, end: CallEnd) -> None:
        self._ends.append(end)
        self.wake()

    def _is_here(self) -> bool:
        """Whether this is the event loop that the calls are in."""
        return True

    def _check_loop(self) -> None:
        if not self._is_here():
            raise StreamUsageError(_OTHER_LOOP)
