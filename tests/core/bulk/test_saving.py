"""Items go into files in pieces and groups of a bounded size, and all of them or none."""

import json
from decimal import Decimal
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import END_OF_STREAM, InvalidParamsError, RateLimitError
from meshapi_core.bodies import PIECE
from meshapi_core.bulk import MapItem, SavedRows, save_jsonl, save_parquet, saving
from meshapi_core.flows import KeepFile, NextChunk, OpenFile, OpenTable, WritePiece, WriteRows
from meshapi_core.usage import TotalUsage

FILE = object()
ERROR = RateLimitError("slow down", status=429, error_code="rate_limit_exceeded")


def item(index: int, value: Any = None, **fields: Any) -> MapItem[Any]:
    return MapItem(index=index, id=f"call-{index}", value=value, **fields)


class Written:
    """What a flow wrote, and where it stood when it asked for its first item."""

    def __init__(self, flow: Any, items: list[MapItem[Any]]) -> None:
        self.steps: list[Any] = []
        self.result: Optional[SavedRows] = None
        self._items = iter(items)
        sent: Any = None
        try:
            while True:
                step = flow.send(sent)
                self.steps.append(step)
                sent = self._do(step)
        except StopIteration as stop:
            self.result = stop.value

    def _do(self, step: Any) -> Any:
        if isinstance(step, (OpenFile, OpenTable)):
            return FILE
        if isinstance(step, NextChunk):
            return next(self._items, END_OF_STREAM)
        assert isinstance(step, (KeepFile, WritePiece, WriteRows)), step
        assert (step.table if isinstance(step, WriteRows) else step.file) is FILE
        return None

    @property
    def pieces(self) -> list[bytes]:
        return [step.piece for step in self.steps if isinstance(step, WritePiece)]

    @property
    def groups(self) -> list[dict[str, Any]]:
        return [dict(step.columns) for step in self.steps if isinstance(step, WriteRows)]


@given(st.lists(st.one_of(st.none(), st.text(max_size=20), st.integers(), st.binary())))
def test_each_item_is_a_line(values: list[Any]) -> None:
    items = [item(number, value) for number, value in enumerate(values)]
    written = Written(save_jsonl(items, "a.jsonl"), items)
    assert written.steps[0] == OpenFile("a.jsonl", True)
    assert written.steps[-1] == KeepFile(FILE)
    text = b"".join(written.pieces)
    assert [json.loads(line) for line in text.split(b"\n")[:-1]] == [one.row() for one in items]
    assert written.result == SavedRows("a.jsonl", len(items))


def test_lines_are_written_in_pieces() -> None:
    items = [item(number, "x" * 1_000) for number in range(500)]
    pieces = Written(save_jsonl(items, "a.jsonl"), items).pieces
    assert len(pieces) == 1 + sum(map(len, pieces)) // (PIECE + 1_200)
    assert max(map(len, pieces)) < PIECE + 1_200


def test_rows_have_the_columns_of_a_table() -> None:
    usage = TotalUsage(requests=1, input_tokens=3, output_tokens=4)
    items = [
        item(0, "hello", usage=usage, cost=Decimal("0.5"), attempts=1, request_id="req_1"),
        item(1, error=ERROR, attempts=2),
        MapItem(index=2, id="\ud800", value=[1]),
    ]
    written = Written(save_parquet(items, "a.parquet", overwrite=False), items)
    assert written.steps[0] == OpenTable("a.parquet", saving.ITEM_COLUMNS, False)
    assert written.steps[-2:] == [written.steps[-2], KeepFile(FILE)]
    (group,) = written.groups
    error = group.pop("error")
    assert group == {
        "id": ["call-0", "call-1", "?"],
        "output": ['"hello"', None, "[1]"],
        "text": ["hello", None, None],
        "finish_reason": [None, None, None],
        "error_code": [None, "rate_limit_exceeded", None],
        "input_tokens": [3, 0, 0],
        "output_tokens": [4, 0, 0],
        "cost": [0.5, None, None],
        "attempts": [1, 2, 0],
        "request_id": ["req_1", "", ""],
    }
    assert [each and json.loads(each) for each in error] == [None, items[1].row()["error"], None]
    assert written.result == SavedRows("a.parquet", 3)


def test_rows_are_written_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "MOST_ROWS", 4)
    monkeypatch.setattr(saving, "MOST_TEXT", 100)
    items = [item(number, number) for number in range(10)]
    groups = Written(save_parquet(items, "a.parquet"), items).groups
    assert [len(group["id"]) for group in groups] == [4, 4, 2]
    large = [item(number, "x" * 60) for number in range(5)]
    groups = Written(save_parquet(large, "a.parquet"), large).groups
    assert [len(group["id"]) for group in groups] == [2, 2, 1]


@pytest.mark.parametrize("save", [save_jsonl, save_parquet])
def test_no_items_make_a_file_without_rows(save: Any) -> None:
    written = Written(save([], "a"), [])
    assert [type(step) for step in written.steps][1:] == [NextChunk, KeepFile]
    assert written.result == SavedRows("a", 0)


@pytest.mark.parametrize("save", [save_jsonl, save_parquet])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("",), "path: expected the path of a file, got an empty str"),
        ((5,), "path: expected the path of a file, got int"),
        (("folder/",), "add the name of the file"),
    ],
)
def test_a_wrong_path_is_refused_before_an_item_is_asked_for(
    save: Any, arguments: Any, text: str
) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        next(save([], *arguments))
    assert text in str(caught.value)


@pytest.mark.parametrize("save", [save_jsonl, save_parquet])
def test_an_error_of_the_run_keeps_no_file(save: Any) -> None:
    flow = save([], "a")
    next(flow)
    assert isinstance(flow.send(FILE), NextChunk)
    with pytest.raises(RateLimitError):
        flow.throw(ERROR)
