"""Results that wait to be handed over to the program: as they come, or in the order of the input.

In the order of the input, a call that takes long holds back those after it. So it also counts which
results wait, and a run begins no further calls where too many do.
"""

from collections import deque
from typing import Generic, Optional, TypeVar

from meshapi_core.bulk.items import MapItem

__all__ = ["Handover"]

T = TypeVar("T")


class Handover(Generic[T]):
    """The results that have not been handed over yet.

    Args:
        in_order: whether they go in the order of the input.
    """

    def __init__(self, *, in_order: bool) -> None:
        self._in_order = in_order
        self._ready: deque[MapItem[T]] = deque()
        self._early: dict[int, Optional[MapItem[T]]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._ready) + len(self._early)

    def add(self, index: int, item: Optional[MapItem[T]]) -> None:
        """Take the result of a call.

        Args:
            index: the place of the call in the input.
            item: None if there is nothing to hand over for it.
        """
        if not self._in_order:
            if item is not None:
                self._ready.append(item)
            return
        self._early[index] = item
        while self._next in self._early:
            following = self._early.pop(self._next)
            if following is not None:
                self._ready.append(following)
            self._next += 1

    def next(self) -> Optional[MapItem[T]]:
        """Return the next result; None if it is not there yet."""
        return self._ready.popleft() if self._ready else None

    def end(self) -> None:
        """Note that no further results come: those that waited for others go now, in order."""
        for index in sorted(self._early):
            item = self._early[index]
            if item is not None:
                self._ready.append(item)
        self._early.clear()
