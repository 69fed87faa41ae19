"""Pages of every kind of list, from a server that counts what it is asked: all rows, once each."""

import asyncio
import copy
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import Call, Response, ResponseDecodeError, StreamUsageError
from meshapi_core.endpoints import Audio, Batches, Documents, Models, Rag, Responses, Usage, Videos

MANY = 10_000


class Kind(NamedTuple):
    """A list, and how its pages follow each other."""

    resource: Any
    method: str
    rows: str
    row: Callable[[int], dict[str, Any]]
    by: str


def by_id(number: int) -> dict[str, Any]:
    return {"id": f"id{number}"}


KINDS = [
    Kind(Batches, "list", "data", by_id, "after"),
    Kind(Responses, "list", "data", by_id, "after"),
    Kind(
        Audio,
        "list_voices",
        "voices",
        lambda number: {"voice_id": f"id{number}", "name": "x"},
        "next_page_token",
    ),
    Kind(Documents, "list", "documents", lambda number: {"document_id": f"id{number}"}, "offset"),
    Kind(Rag, "list", "files", lambda number: {"file_id": f"id{number}"}, "offset"),
    Kind(Videos, "list", "data", by_id, "offset"),
    Kind(Models, "search", "items", by_id, "offset"),
    Kind(Usage, "events", "events", by_id, "offset"),
]

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.__name__)
BY_OFFSET = [kind for kind in KINDS if kind.by == "offset"]


class Server:
    """A runner whose gateway has so many rows, and sends so many per page.

    Args:
        says_total: whether the responses have the number of all rows.
        repeats: the page after which the first one comes again; None for never.
    """

    def __init__(
        self,
        kind: Kind,
        count: int,
        size: int,
        *,
        says_total: bool = True,
        repeats: Optional[int] = None,
    ) -> None:
        self.kind, self.count, self.size = kind, count, size
        self.says_total, self.repeats = says_total, repeats
        self.calls: list[Call[Any]] = []

    def run(self, call: Call[Any]) -> Any:
        self.calls.append(call)
        start = self.start_of(call)
        if self.repeats is not None and len(self.calls) > self.repeats:
            start = 0
        return call.read(Response(200, (), json.dumps(self.page(start)).encode()))

    def start_of(self, call: Call[Any]) -> int:
        assert isinstance(call.body, bytes)
        given = {**dict(call.query), **json.loads(call.body or b"{}")}.get(self.kind.by, 0)
        if self.kind.by == "after":
            return int(given[2:]) + 1 if given else 0
        return int(given)

    def page(self, start: int) -> dict[str, Any]:
        numbers = range(start, min(start + self.size, self.count))
        rows = [self.kind.row(number) for number in numbers]
        end = start + len(rows)
        more = end < self.count or self.repeats is not None
        page: dict[str, Any] = {self.kind.rows: rows}
        if self.kind.by == "after":
            return {**page, "has_more": more, "last_id": rows[-1]["id"] if rows else None}
        if self.kind.by == "next_page_token":
            counts = {"total_count": self.count} if self.says_total else {}
            return {**page, **counts, "next_page_token": str(end) if more else None}
        total = MANY if self.repeats is not None else self.count
        return {**page, "total": total, "offset": start, "limit": self.size}

    def list(self, **fields: Any) -> Any:
        return getattr(self.kind.resource(self), self.kind.method)(**fields)


class AsyncServer(Server):
    async def run(self, call: Call[Any]) -> Any:
        await asyncio.sleep(0)
        return super().run(call)


def ids(rows: Any) -> list[str]:
    names = ("id", "voice_id", "document_id", "file_id")
    return [
        row["id"]
        if isinstance(row, dict)
        else next(value for name in names if (value := getattr(row, name, None)))
        for row in rows
    ]


def expected(count: int) -> list[str]:
    return [f"id{number}" for number in range(count)]


COUNTS, SIZES = st.integers(0, 40), st.integers(1, 15)


@every_kind
@given(count=COUNTS, size=SIZES)
def test_a_loop_yields_every_row_once_in_order(kind: Kind, count: int, size: int) -> None:
    server = Server(kind, count, size)
    page = server.list()
    assert len(server.calls) == 1, "the following pages are asked for when they are needed"
    assert ids(page) == expected(count)
    assert len(server.calls) == max(1, -(-count // size))
    assert ids(page) == expected(count), "a page can be iterated over again"
    assert [ids(getattr(each, kind.rows)) for each in page.pages()] == [
        expected(count)[start : start + size] for start in range(0, max(count, 1), size)
    ]


@every_kind
@given(count=COUNTS, size=SIZES)
def test_an_async_loop_yields_the_same(kind: Kind, count: int, size: int) -> None:
    async def main() -> None:
        server = AsyncServer(kind, count, size)
        assert ids([row async for row in server.list()]) == expected(count)
        assert len(server.calls) == max(1, -(-count // size))
        assert ids([row async for row in await server.list()]) == expected(count)
        pages = [ids(getattr(each, kind.rows)) async for each in server.list().pages()]
        assert [each for page in pages for each in page] == expected(count)

    asyncio.run(main())


@every_kind
def test_a_loop_that_ends_early_asks_for_no_page_too_many(kind: Kind) -> None:
    server = Server(kind, 40, 10)
    rows = iter(server.list())
    assert ids(next(rows) for _ in range(20)) == expected(20)
    assert len(server.calls) == 2


@every_kind
def test_the_other_parameters_stay_as_they_were(kind: Kind) -> None:
    field: dict[str, Any] = {"limit": 2}
    if kind.resource is Audio:
        field = {"page_size": 2}
    server = Server(kind, 5, 2)
    assert len(list(server.list(**field))) == 5
    (name, value) = next(iter(field.items()))
    for call in server.calls:
        assert isinstance(call.body, bytes)
        sent = {**dict(call.query), **json.loads(call.body or b"{}")}
        assert str(sent[name]) == str(value)
        assert len(call.query) == len(dict(call.query))


@every_kind
@given(size=SIZES, repeats=st.integers(1, 4))
def test_a_server_that_repeats_itself_ends_the_loop_with_an_error(
    kind: Kind, size: int, repeats: int
) -> None:
    server = Server(kind, MANY, size, repeats=repeats)
    got: list[Any] = []
    with pytest.raises(ResponseDecodeError, match="going on would never end") as caught:
        got.extend(row for row in server.list())
    assert caught.value.error_code == "repeated_page"
    assert len(server.calls) <= repeats + 2
    assert ids(got)[: size * repeats] == expected(size * repeats)


@pytest.mark.parametrize("kind", BY_OFFSET, ids=lambda kind: kind.resource.__name__)
@given(count=COUNTS, size=SIZES)
def test_the_length_is_that_of_the_loop(kind: Kind, count: int, size: int) -> None:
    server = Server(kind, count, size)
    for page in server.list().pages():
        assert len(page) == len(list(page))


def test_voices_say_how_many_there_are_if_they_are_asked() -> None:
    (kind,) = (kind for kind in KINDS if kind.resource is Audio)
    assert len(Server(kind, 7, 3).list(include_total_count=True)) == 7
    with pytest.raises(TypeError, match="does not say how many rows follow"):
        len(Server(kind, 7, 3, says_total=False).list())
    second = list(Server(kind, 7, 3).list().pages())[1]
    with pytest.raises(TypeError, match="does not say"):
        len(second)


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.resource.__name__)
def test_no_length_is_made_up(kind: Kind) -> None:
    page = Server(kind, 3, 3).list()
    with pytest.raises(TypeError, match="does not say how many rows follow"):
        len(page)
    assert page, "a response is true, whatever its length"
    assert len(list(page)) == 3


@every_kind
def test_an_empty_page_is_still_a_response(kind: Kind) -> None:
    page = Server(kind, 0, 3).list()
    assert page
    assert list(page) == []


def test_a_missing_cursor_is_an_error_and_not_the_end() -> None:
    class Forgetful(Server):
        def page(self, start: int) -> dict[str, Any]:
            return {"data": [], "has_more": True}

    page = Forgetful(KINDS[0], 3, 1).list()
    with pytest.raises(ResponseDecodeError, match="sent no 'after' for them"):
        list(page)


@every_kind
@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
@given(count=st.integers(1, 12), size=st.integers(1, 4), data=st.data())
def test_a_row_that_cannot_be_read_is_left_out_and_no_other_comes_twice(
    kind: Kind, count: int, size: int, data: st.DataObject
) -> None:
    odd = data.draw(st.sets(st.integers(0, count - 1)))

    class Odd(Server):
        def page(self, start: int) -> dict[str, Any]:
            page = super().page(start)
            rows = enumerate(page[kind.rows], start)
            return {**page, kind.rows: [5 if number in odd else row for number, row in rows]}

    server = Odd(kind, count, size)
    assert ids(server.list()) == [f"id{number}" for number in range(count) if number not in odd]
    assert len(server.calls) == -(-count // size)


def test_no_rows_where_more_should_follow_are_an_error_and_not_the_end() -> None:
    (kind,) = (kind for kind in KINDS if kind.resource is Videos)

    class Empty(Server):
        def page(self, start: int) -> dict[str, Any]:
            page = {**super().page(start), "has_more": True}
            return {**page, "data": []} if start else page

    with pytest.raises(ResponseDecodeError, match="rows follow, but sent none from 3 on") as caught:
        list(Empty(kind, 9, 3).list())
    assert caught.value.error_code == "repeated_page"


@every_kind
def test_a_page_that_is_stored_keeps_its_own_rows_and_no_client(kind: Kind) -> None:
    page = Server(kind, 9, 4).list()
    for stored in (pickle.loads(pickle.dumps(page)), type(page).model_validate(page.model_dump())):
        assert ids(stored) == expected(4)
        assert [ids(getattr(each, kind.rows)) for each in stored.pages()] == [expected(4)]
    assert ids(copy.copy(page)) == expected(9)
    assert page == pickle.loads(pickle.dumps(page))


@every_kind
def test_each_client_says_how_to_iterate(kind: Kind) -> None:
    async def main() -> None:
        server = AsyncServer(kind, 5, 2)
        page = await server.list()
        for wrong in (lambda: list(page), page.pages):
            with pytest.raises(TypeError, match="async for"):
                wrong()
        unasked = server.list()
        with pytest.raises(TypeError, match="async for row in"):
            list(unasked)
        assert len(server.calls) == 1
        await unasked

    asyncio.run(main())
    with pytest.raises(TypeError, match="write `for`"):
        aiter_of(Server(kind, 5, 2).list())


def aiter_of(value: Any) -> Any:
    return type(value).__aiter__(value)


@every_kind
def test_a_failed_call_leaves_the_loop_where_it_was(kind: Kind) -> None:
    class Failing(Server):
        def run(self, call: Call[Any]) -> Any:
            if len(self.calls) == 1 and not self.failed:
                self.failed = True
                raise TimeoutError
            return super().run(call)

    server = Failing(kind, 7, 3)
    server.failed = False
    rows = iter(server.list())
    got = list(until_error(rows))
    assert len(got) == 3
    assert ids(got + list(rows)) == expected(7)


def until_error(rows: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from rows
    except TimeoutError:
        return


@every_kind
def test_a_cancelled_loop_goes_on_where_it_was(kind: Kind) -> None:
    async def main() -> None:
        server = AsyncServer(kind, 7, 2)
        rows = server.list().__aiter__()
        got: list[Any] = []

        async def collect() -> None:
            async for row in rows:
                got.append(row)

        for _ in range(100):
            task = asyncio.ensure_future(collect())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                break
            await asyncio.wait_for(one_more(rows, got), 5)
        assert ids(got) == expected(7)

    asyncio.run(main())


@every_kind
def test_two_tasks_never_get_the_same_row(kind: Kind) -> None:
    async def main() -> None:
        rows = AsyncServer(kind, 7, 2).list().__aiter__()
        got: list[Any] = []

        async def collect() -> None:
            async for row in rows:
                got.append(row)

        outcomes = await asyncio.gather(collect(), collect(), return_exceptions=True)
        assert [type(each) for each in outcomes if each] == [StreamUsageError]
        assert ids(got) == expected(7)

    asyncio.run(main())


async def one_more(rows: Any, got: list[Any]) -> None:
    try:
        got.append(await rows.__anext__())
    except StopAsyncIteration:
        pass


@every_kind
def test_each_loop_over_an_unasked_list_asks_anew(kind: Kind) -> None:
    async def main() -> None:
        server = AsyncServer(kind, 3, 5)
        unasked = server.list()
        assert server.calls == []
        for _ in range(2):
            assert ids([row async for row in unasked]) == expected(3)
        assert len(server.calls) == 2

    asyncio.run(main())
