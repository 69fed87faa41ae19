"""Where endpoints keep what they made, so that later requests can ask for it."""

from collections.abc import Iterator
from typing import Generic, Optional, TypeVar

from meshapi.gateway.http.errors import GatewayError

T = TypeVar("T")

# Enough for any one test; memory needs a limit.
_SIZE = 1000


class Store(Generic[T]):
    """Things by their IDs, newest last; when there are too many, the oldest is dropped."""

    what = "Thing"
    """The noun for one of them, in the message of the 404."""

    def __init__(self) -> None:
        self._things: dict[str, T] = {}

    def put(self, thing_id: str, thing: T) -> None:
        self._things[thing_id] = thing
        if len(self._things) > _SIZE:
            del self._things[next(iter(self._things))]

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
        del self._things[thing_id]

    def newest_first(self) -> list[T]:
        return list(reversed(self._things.values()))

    def __iter__(self) -> Iterator[T]:
        return iter(self._things.values())
