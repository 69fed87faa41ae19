"""Where endpoints keep what they made, so that it can be asked for again."""

from collections.abc import Iterator
from typing import Generic, Optional, TypeVar

from meshapi.gateway.http.errors import GatewayError

T = TypeVar("T")

# Enough for any one test, and not without end.
_SIZE = 1000


class Store(Generic[T]):
    """Things by their ids, the newest last; the oldest goes when there are too many."""

    what = "Thing"
    """What the 404 calls one of them."""

    def __init__(self) -> None:
        self._things: dict[str, T] = {}

    def put(self, thing_id: str, thing: T) -> None:
        self._things[thing_id] = thing
        if len(self._things) > _SIZE:
            del self._things[next(iter(self._things))]

    def get(self, thing_id: str) -> T:
        """The thing.

        Raises:
            GatewayError: 404, there is none of this id.
        """
        if thing_id not in self._things:
            raise GatewayError(404, "not_found", f"{self.what} '{thing_id}' was not found.")
        return self._things[thing_id]

    def find(self, thing_id: str) -> Optional[T]:
        """The thing, or None."""
        return self._things.get(thing_id)

    def remove(self, thing_id: str) -> None:
        """Forget it; raises what `get` does."""
        self.get(thing_id)
        del self._things[thing_id]

    def newest_first(self) -> list[T]:
        return list(reversed(self._things.values()))

    def __iter__(self) -> Iterator[T]:
        return iter(self._things.values())
