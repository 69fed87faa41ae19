"""Where endpoints keep what they made, so that later requests can ask for it."""

from collections.abc import Iterator
from typing import Generic, Optional, TypeVar

from meshapi.gateway.footprint import footprint
from meshapi.gateway.http.errors import GatewayError

T = TypeVar("T")

# Enough for any one test; memory needs a limit. A batch of 50,000 requests and its results, of
# which none may push out the other, take about 200 MiB.
_SIZE = 1000
_MOST_BYTES = 256 * 1024 * 1024


class Store(Generic[T]):
    """Things by their IDs, newest last; when there are too many, the oldest are dropped.

    The newest stays in any case. Call `changed` after a thing has grown.
    """

    what = "Thing"
    """The noun for one of them, in the message of the 404."""

    def __init__(self) -> None:
        self._things: dict[str, T] = {}
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    def put(self, thing_id: str, thing: T) -> None:
        self._things[thing_id] = thing
        self.changed(thing_id)

    def changed(self, thing_id: str) -> None:
        """Measure the thing with this ID again, if there is one; others may have to go."""
        if thing_id not in self._things:
            return
        size = footprint(self._things[thing_id], _MOST_BYTES)
        self._bytes += size - self._sizes.get(thing_id, 0)
        self._sizes[thing_id] = size
        while len(self._things) > _SIZE or (self._bytes > _MOST_BYTES and len(self._things) > 1):
            self._drop(next(one for one in self._things if one != thing_id))

    def get(self, thing_id: str) -> T:
        """The thing with this ID.

        Raises:
            GatewayError: 404, if there is none.
        """
        if thing_id not in self._things:
            raise GatewayError(404, "not_found", f"{self.what} '{thing_id}' was not found.")
        return self._things[thing_id]

    def find(self, thing_id: str) -> Optional[T]:
        """The thing with this ID, or None."""
        return self._things.get(thing_id)

    def remove(self, thing_id: str) -> None:
        """Forget the thing with this ID; raises what `get` raises."""
        self.get(thing_id)
        self._drop(thing_id)

    def newest_first(self) -> list[T]:
        return list(reversed(self._things.values()))

    def __iter__(self) -> Iterator[T]:
        return iter(self._things.values())

    def _drop(self, thing_id: str) -> None:
        del self._things[thing_id]
        self._bytes -= self._sizes.pop(thing_id)
