"""Where endpoints keep what they made, so that it can be asked for again."""

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Callable, Generic, Optional, TypeVar

from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.query import Reader, whole
from meshapi.gateway.http.validation import integer

T = TypeVar("T")

# Enough for any one test, and not without end.
_SIZE = 1000

# The service's own limits of a page.
DEFAULT_LIMIT, _HIGHEST_LIMIT = 20, 100


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

    def page_after(
        self, row_of: Callable[[T], dict[str, Any]], after: Optional[str], limit: int
    ) -> dict[str, Any]:
        """Rows with ids, the newest first, from the one behind `after`.

        Raises:
            GatewayError: 404, there is nothing of the id `after`.
        """
        things = self.newest_first()
        start = things.index(self.get(after)) + 1 if after is not None else 0
        rows = [row_of(thing) for thing in things[start : start + limit]]
        return {
            "object": "list",
            "data": rows,
            "has_more": start + limit < len(things),
            "first_id": rows[0]["id"] if rows else None,
            "last_id": rows[-1]["id"] if rows else None,
        }

    def __iter__(self) -> Iterator[T]:
        return iter(self._things.values())


def page_query(highest: int = _HIGHEST_LIMIT) -> dict[str, Reader]:
    """The query parameters `limit` and `offset`."""
    return {"limit": whole(integer(ge=1, le=highest)), "offset": whole(integer(ge=0))}


def offset_page(
    name: str, found: list[T], show: Callable[[T], Any], query: dict[str, Any]
) -> dict[str, Any]:
    """A page of what was found, by the `limit` and `offset` of a query that was checked.

    Args:
        name: the member that has the rows.
    """
    limit: int = query.get("limit", DEFAULT_LIMIT)
    offset: int = query.get("offset", 0)
    rows = [show(thing) for thing in found[offset : offset + limit]]
    return {name: rows, "total": len(found), "limit": limit, "offset": offset}


def iso(seconds: float) -> str:
    """A time as the service writes it: UTC, to the second."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
