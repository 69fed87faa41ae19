"""Lists, page by page: by `limit` and `offset`, or by the ID of the row before the page."""

from collections.abc import Iterable, Sequence
from typing import Any, Callable, TypeVar

from meshapi.gateway.http.query import Reader, whole, word
from meshapi.gateway.http.validation import integer
from meshapi.gateway.models import REPEATED_PAGE
from meshapi.gateway.store import Store

T = TypeVar("T")

# The service's own limits for a page.
DEFAULT_LIMIT, HIGHEST_LIMIT = 20, 100

# The total of a list that repeats its first page.
_ENDLESS = 1_000_000

AFTER_QUERY = {"after": word(), "limit": whole(integer(ge=1, le=HIGHEST_LIMIT))}
"""The query parameters of `page_after`."""


def page_query(highest: int = HIGHEST_LIMIT) -> dict[str, Reader]:
    """The query parameters of `offset_page`."""
    return {"limit": whole(integer(ge=1, le=highest)), "offset": whole(integer(ge=0))}


def has_repeated_page(models: Iterable[str]) -> bool:
    """Whether the list repeats its first page: one of its rows is of `mesh/repeated-page`."""
    return REPEATED_PAGE in models


def offset_page(
    name: str,
    found: Sequence[T],
    query: dict[str, Any],
    show: Callable[[T], Any] = lambda one: one,
    default: int = DEFAULT_LIMIT,
    repeats: bool = False,
) -> dict[str, Any]:
    """A page of what was found, by the `limit` and `offset` of a checked query.

    Args:
        name: the field that holds the rows.
        show: makes a row.
        default: the limit if the query has none.
        repeats: whether each page is the first one again, though the total promises more.
    """
    limit: int = query.get("limit") or default
    offset: int = 0 if repeats else query.get("offset") or 0
    rows = [show(one) for one in found[offset : offset + limit]]
    total = _ENDLESS if repeats else len(found)
    return {name: rows, "total": total, "limit": limit, "offset": offset}


def page_after(
    store: Store[T],
    show: Callable[[T], dict[str, Any]],
    query: dict[str, Any],
    model_of: Callable[[T], str],
) -> dict[str, Any]:
    """A page of rows with IDs, newest first, that begins after the row `after`.

    If one of the rows is of `mesh/repeated-page`, each page is the first one again.

    Raises:
        GatewayError: 404, if there is no row with the ID `after`.
    """
    limit: int = query.get("limit", DEFAULT_LIMIT)
    found = store.newest_first()
    start = found.index(store.get(query["after"])) + 1 if "after" in query else 0
    repeats = has_repeated_page(model_of(one) for one in found)
    start = 0 if repeats else start
    rows = [show(one) for one in found[start : start + limit]]
    return {
        "object": "list",
        "data": rows,
        "has_more": repeats or start + limit < len(found),
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
    }
