"""The table of the benchmark agrees with the files that it names."""

import importlib
import inspect

import pytest
from house.fresh import ROOT

from bench.environments import REQUIREMENTS
from bench.pictures_table import BARS, LINES
from bench.rows import Row, contender, selected, thinned
from bench.servers import KINDS
from bench.table import ROWS

BENCH = ROOT / "bench"


def test_each_row_has_a_name_of_its_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_names_what_is_there(row: Row) -> None:
    module, _, name = row.case.partition(".")
    case = getattr(importlib.import_module(f"bench.cases.{module}"), name)
    assert list(inspect.signature(case).parameters) == ["run"]
    assert row.server is None or row.server in KINDS
    labels = [each.label for each in row.contenders]
    assert len(set(labels)) == len(labels)
    for each in row.contenders:
        assert each.environment in REQUIREMENTS
        assert each.server is None or each.server in KINDS
        if module in ("create", "streams", "transfers", "memory"):
            assert (BENCH / "peers" / f"{each.peer}.py").exists()
    for goal in row.goals:
        assert goal.of in labels
        assert goal.against in (None, *labels)
        assert goal.figure in row.figures


def test_the_pictures_are_of_rows_that_there_are() -> None:
    figures = {row.name: row.figures for row in ROWS}
    for _, row, figure in BARS:
        assert figure in figures[row]
    for _, _, _, rows, _ in LINES:
        assert set(rows.values()) <= set(figures)


def test_only_takes_names_and_what_they_begin_with() -> None:
    names = [row.name for row in selected(ROWS, ["create", "trio", "stream-size"])]
    assert names[:2] == ["create", "trio-1"]
    assert "stream-size-1000" in names
    assert "stream" not in names


def test_only_says_which_rows_there_are() -> None:
    with pytest.raises(ValueError, match="--only strea: no such row; there are create, asyncio-1,"):
        selected(ROWS, ["create", "strea"])


def test_without_only_all_rows_are_measured() -> None:
    assert selected(ROWS, []) == ROWS


def test_a_quick_run_has_every_row_and_every_peer_and_all_that_goals_need() -> None:
    rows = list(thinned(ROWS))
    assert [row.name for row in rows] == [row.name for row in ROWS]
    peers = {each.peer for row in ROWS for each in row.contenders}
    assert {each.peer for row in rows for each in row.contenders} == peers
    for row in rows:
        labels = {each.label for each in row.contenders}
        assert {goal.against for goal in row.goals} - {None} <= labels


def test_a_contender_says_on_which_loop_it_runs() -> None:
    made = contender("ours on uvloop")
    assert made == ("meshapi on uvloop", "ours", {"loop": "uvloop"}, None)
    assert made.environment == "ours"
    assert contender("h11").environment == "ours"


def test_no_file_of_the_benchmark_is_long() -> None:
    lines = {
        str(path.relative_to(BENCH)): len(path.read_text("utf-8").splitlines())
        for path in BENCH.rglob("*.py")
    }
    assert {name: count for name, count in lines.items() if count > 300} == {}
