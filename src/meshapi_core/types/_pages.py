"""What lists have in common: their rows, the page that follows, and how programs iterate.

A page that a client returned knows the client's runner and the call that it came from (`Source`).
So a loop over the page goes on with the next ones. How the next one is asked for is the business of
each class: `OffsetPage`, `AfterPage` and `after_cursor` cover all of them.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Optional, Protocol, TypeVar

import msgspec
from typing_extensions import Self

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.errors import ResponseDecodeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshapi_core.calls import Call

__all__ = [
    "AfterPage",
    "HasRows",
    "OffsetPage",
    "Paged",
    "Source",
    "after_cursor",
    "keep_source",
    "page_error",
    "source_of",
]

T_co = TypeVar("T_co", covariant=True)

SOURCE = "_source"
"""Where a page keeps its `Source`, in its `__dict__`."""


class HasRows(Protocol[T_co]):
    """A response that has rows: a page, or a whole list."""

    def _rows(self) -> Sequence[T_co]: ...


class Source(NamedTuple):
    """Where a page came from.

    Fields:
        runner: makes the calls for the next pages.
        call: the call whose response the page is.
        is_async: whether the runner is an `AsyncRunner`.
    """

    runner: Any
    call: Any
    is_async: bool


def keep_source(page: object, source: Source) -> None:
    """Note where a page came from, if it is one."""
    if isinstance(page, Paged):
        vars(page)[SOURCE] = source


def source_of(page: object) -> Optional[Source]:
    """Return where a page came from; None for a whole list, and for a page that was copied."""
    return vars(page).get(SOURCE) if isinstance(page, Paged) else None


class Paged(Generic[T_co]):
    """A page of rows, over which a program iterates, and over the pages that follow.

    With `MeshAPI`, `for row in page` yields the rows of this page and of all that follow. With
    `AsyncMeshAPI`, `async for` does. A page that no client returned, such as a copy from another
    process, has its own rows only.
    """

    def _rows(self) -> Sequence[T_co]:
        raise NotImplementedError

    def _next_call(self, call: "Call[Any]") -> Optional["Call[Any]"]:
        """Return the call for the next page; None if this is the last one.

        Args:
            call: the one that returned this page.

        Raises:
            ResponseDecodeError: the server repeats itself, or does not say where the next page is.
        """
        raise NotImplementedError

    def _count(self) -> Optional[int]:
        """Return the number of rows on this page and all that follow; None if unknown."""
        return None

    def pages(self) -> Iterator[Self]:
        """Return an iterator over this page and those that follow, each with its own fields.

        With `AsyncMeshAPI`, it is a method of what `list()` returns, not of a page.
        """
        from meshapi_core._sync.pages import Pages

        return Pages(self._blocking_source(), self)

    def __iter__(self) -> Iterator[T_co]:
        from meshapi_core._sync.pages import Items, Pages

        return Items(Pages(self._blocking_source(), self))

    def __aiter__(self) -> "AsyncIterator[T_co]":
        from meshapi_core._async.pages import AsyncItems, AsyncPages

        source = source_of(self)
        if source is not None and not source.is_async:
            raise TypeError("MeshAPI returned this page; write `for`, not `async for`")
        return AsyncItems(AsyncPages(source, self))

    def __len__(self) -> int:
        count = self._count()
        if count is None:
            raise TypeError(
                f"the gateway does not say how many rows follow; count them, or ask this"
                f" {type(self).__name__} for the length of its own list"
            )
        return count

    def __bool__(self) -> bool:
        # It is a response, and was always true.
        return True

    def _blocking_source(self) -> Optional[Source]:
        source = source_of(self)
        if source is not None and source.is_async:
            raise TypeError(
                "AsyncMeshAPI returned this page; write `async for row in page`, or for whole"
                " pages `async for page in client.batches.list().pages()`, without await"
            )
        return source


class OffsetPage(Paged[T_co]):
    """A page that is asked for by the number of rows before it; `total` counts those of all."""

    def _next_call(self, call: "Call[Any]") -> Optional["Call[Any]"]:
        page: Any = self
        count = _sent_count(page.raw, page._decoding_rules.rows, len(self._rows()))
        return _after_offset(call, page.raw, count, page.total, getattr(page, "has_more", False))

    def _count(self) -> Optional[int]:
        page: Any = self
        source = source_of(self)
        return _rows_left(None if source is None else source.call, page.total, len(self._rows()))


class AfterPage(Paged[T_co]):
    """A page that is asked for by the ID of the row before it, as `after`."""

    def _next_call(self, call: "Call[Any]") -> Optional["Call[Any]"]:
        page: Any = self
        last: Any = page.last_id or (page.data[-1].id if page.data else None)
        return after_cursor(call, "after", last, page.has_more)


def after_cursor(
    call: "Call[Any]", name: str, cursor: Optional[str], more: bool
) -> Optional["Call[Any]"]:
    """Return the call for the page after a cursor, which the server sent; None if there is none.

    Args:
        call: the one that returned this page.
        name: of the query parameter for the cursor.
        cursor: where the next page begins; None or "" if the server sent none.
        more: whether the server says that there is a next page.

    Raises:
        ResponseDecodeError: it is the cursor that this page was asked for with; or there is none,
            and more pages should follow.
    """
    if not more:
        return None
    if not cursor:
        raise page_error(f"the server says that more pages follow, but sent no {name!r} for them")
    if cursor == dict(call.query).get(name):
        raise page_error(
            f"the server sent the cursor {name}={cursor!r} again; going on would never end"
        )
    return with_query(call, name, cursor)


def _after_offset(
    call: "Call[Any]", sent: Any, count: int, total: Optional[int], more: bool = False
) -> Optional["Call[Any]"]:
    """Return the call for the rows after this page, by their number; None if there are none.

    Args:
        call: the one that returned this page; the offset is in its query, or in its body.
        sent: the decoded response, which may repeat the offset.
        count: of the rows that the server sent on this page.
        total: of the rows on all pages; None or 0 if the server did not say.
        more: whether the server says that there is a next page.

    Raises:
        ResponseDecodeError: the server sent another offset than it was asked for; or it sent no
            rows, and says that more follow.
    """
    asked = _asked_offset(call)
    offset: Any = sent.get("offset") if is_object(sent) else None
    if type(offset) is int and offset < asked:
        raise page_error(
            f"the server was asked for rows from {asked} on, and sent those from {offset} on again;"
            " going on would never end"
        )
    start = asked + count
    if more and not count:
        raise page_error(f"the server says that rows follow, but sent none from {asked} on")
    if not count or not (more or (total or 0) > start):
        return None
    if call.body:
        body: Any = msgspec.json.decode(_body_of(call))
        return msgspec.structs.replace(call, body=msgspec.json.encode({**body, "offset": start}))
    return with_query(call, "offset", str(start))


def _sent_count(sent: Any, field: str, read: int) -> int:
    """Return the number of rows that the server sent, also of those that could not be read."""
    rows: Any = sent.get(field) if is_object(sent) else sent
    return len(rows) if is_array(rows) else read


def _rows_left(call: Optional["Call[Any]"], total: Optional[int], count: int) -> Optional[int]:
    """Return the number of rows on this page and all that follow; None if it is unknown."""
    if total is None or total < count or (not total and count):
        return None
    return max(total - (0 if call is None else _asked_offset(call)), 0)


def with_query(call: "Call[Any]", name: str, value: str) -> "Call[Any]":
    """Return a call with one parameter of its query replaced."""
    others = tuple(pair for pair in call.query if pair[0] != name)
    return msgspec.structs.replace(call, query=(*others, (name, value)))


def page_error(message: str) -> ResponseDecodeError:
    """Return the error for a list that does not lead to its end."""
    return ResponseDecodeError(message, error_code="repeated_page")


def _asked_offset(call: "Call[Any]") -> int:
    if call.body:
        body: Any = msgspec.json.decode(_body_of(call))
        offset: Any = body.get("offset") if is_object(body) else None
        return offset if type(offset) is int else 0
    text = dict(call.query).get("offset", "")
    return int(text) if text.isdecimal() else 0


def _body_of(call: "Call[Any]") -> bytes:
    return call.body if isinstance(call.body, bytes) else b"{}"
