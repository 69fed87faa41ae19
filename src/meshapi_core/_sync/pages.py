# Generated from _async/pages.py by `python tools/mirror.py --write`: edit that file.
"""The pages of a list, and the rows on all of them, as iterators.

A page is asked for when the one before is used up, so a loop that ends early makes no call too
many. Nothing is held between two pages: an iterator needs no closing.
"""

from collections.abc import Iterator
from typing import Any, Generic, Optional, TypeVar, cast

from typing_extensions import Self

from meshapi_core.errors import StreamUsageError
from meshapi_core.types._pages import Source, keep_source, page_error, source_of

L = TypeVar("L")
T = TypeVar("T")


class Pages(Iterator[L], Generic[L]):
    """The pages of a list: a blocking iterator.

    Args:
        source: where the first page comes from; None if no client returned it.
        first: the first page; None if it has still to be asked for.
    """

    def __init__(self, source: Optional[Source], first: Optional[L] = None) -> None:
        self._source = source
        self._first = first
        self._page: Any = None
        self._ended = self._busy = False
        self._asked: set[Any] = set()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> L:
        if self._busy:
            raise StreamUsageError(
                "another task or thread is already waiting for the next page; iterate in one of"
                " them only, and hand the rows to the others"
            )
        if self._ended:
            raise StopIteration
        self._busy = True
        try:
            page = self._next()
        finally:
            self._busy = False
        if page is None:
            self._ended = True
            raise StopIteration
        self._page = page
        return page

    def _next(self) -> Optional[L]:
        if self._page is None:
            return self._first if self._source is None else self._begun(self._source)
        page: Any = self._page
        source = source_of(page)
        call = None if source is None else page._next_call(source.call)
        if source is None or call is None:
            return None
        self._asked.add(_place(source.call))
        if _place(call) in self._asked:
            raise page_error("the server sent a cursor again; going on would never end")
        following: Any = self._ask(source._replace(call=call))
        if following._rows() and following._rows() == page._rows():
            raise page_error("the server sent the same page twice; going on would never end")
        return cast("L", following)

    def _begun(self, source: Source) -> L:
        return self._ask(source) if self._first is None else self._first

    def _ask(self, source: Source) -> L:
        page: L = source.runner.run(source.call)
        keep_source(page, source)
        return page


class Items(Iterator[T], Generic[T]):
    """The rows on all pages of a list: a blocking iterator.

    Args:
        pages: an `Pages`.
    """

    def __init__(self, pages: Iterator[Any]) -> None:
        self._pages = pages
        self._rows: Any = iter(())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        while True:
            for row in self._rows:
                found: T = row
                return found
            # Ends the loop over the rows where it ends.
            page = self._pages.__next__()
            self._rows = iter(page._rows())


def _place(call: Any) -> tuple[Any, Any]:
    """What distinguishes the calls for two pages of a list."""
    return call.query, call.body
