"""What a command writes: for people, for programs, on a terminal and in a pipe."""

import io
import json
import re
from typing import Any, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.cli import tables
from meshapi.cli.output import Output
from meshapi.cli.terminal import Terminal, in_one_line, printable

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")

CELLS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def output(stdout: TextIO, *, json: bool = False) -> tuple[Output, io.StringIO]:
    errors = Screen()
    return Output(stdout, errors, {"NO_COLOR": "1"}, json), errors


@given(
    value=st.dictionaries(st.text(max_size=3), st.one_of(st.integers(-9, 9), st.text(max_size=9)))
)
def test_a_record_is_one_line_of_json(value: dict[str, Any]) -> None:
    stdout = io.StringIO()
    output(stdout, json=True)[0].record(value)
    text = stdout.getvalue()
    assert text.count("\n") == 1
    assert json.loads(text) == value


def test_the_name_of_a_file_may_be_no_text() -> None:
    stdout = io.StringIO()
    output(stdout, json=True)[0].record({"path": "caf\udce9"})
    assert json.loads(stdout.getvalue()) == {"path": "caf\udce9"}


def test_with_json_nothing_else_is_written() -> None:
    stdout = Screen()
    one, errors = output(stdout, json=True)
    one.say("a")
    one.relay("b")
    one.table(("A",), [("c",)])
    one.note("d")
    assert one.show(["e", "f"]) == "ef"
    assert (stdout.getvalue(), errors.getvalue()) == ("", "")
    assert not one.interactive
    assert not one.progress


def test_without_json_there_is_no_record() -> None:
    stdout = io.StringIO()
    output(stdout)[0].record({"a": 1})
    assert stdout.getvalue() == ""


def test_remarks_are_for_people_who_see_all_of_the_output() -> None:
    seen, piped = output(Screen()), output(io.StringIO())
    for one, _ in (seen, piped):
        one.note("a\nb")
    assert (seen[1].getvalue(), piped[1].getvalue()) == ("a\\nb\n", "")


def test_in_a_pipe_a_table_has_tabs_and_no_titles() -> None:
    stdout = io.StringIO()
    output(stdout)[0].table(("A", "B"), [("1", None), ("x\ty\nz", 2)])
    assert stdout.getvalue() == "1\t\nx y z\t2\n"


@given(text=st.text())
def test_an_error_is_one_line_that_no_terminal_obeys(text: str) -> None:
    assert printable(text).isprintable()


@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=4),
    width=st.integers(1, 60),
)
def test_a_table_cuts_nothing_off_and_steers_no_terminal(rows: list[list[str]], width: int) -> None:
    stdout = Screen()
    screen = Terminal(stdout, {"NO_COLOR": "1"})
    cells = [list(map(in_one_line, row)) for row in rows]
    tables.show(screen, ("ONE", "TWO", "THREE"), cells, frozenset({"TWO"}), width)
    shown = stdout.getvalue()
    assert not CONTROLS.search(shown)
    for cell in (cell for row in cells for cell in row):
        assert cell in shown


@given(rows=st.lists(st.lists(st.text(max_size=9), min_size=2, max_size=2), max_size=4))
@pytest.mark.parametrize("stream", [io.StringIO, Screen])
def test_each_row_is_one_line_that_no_terminal_obeys(
    stream: type[io.StringIO], rows: list[list[str]]
) -> None:
    stdout = stream()
    one = output(stdout)[0]
    for row in rows:
        one.line(*row)
    assert stdout.getvalue().count("\n") == len(rows)
    one.table(("ONE", "TWO"), rows)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", stdout.getvalue())


@given(value=st.text())
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_json_is_whole_in_every_encoding_and_steers_no_terminal(encoding: str, value: str) -> None:
    written = io.BytesIO()
    stdout = io.TextIOWrapper(written, encoding=encoding, errors="replace", newline="")
    output(stdout, json=True)[0].record({"value": value})
    text = written.getvalue().decode(encoding)
    assert json.loads(text) == {"value": value}
    assert not CONTROLS.search(text)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (16, "ID      N\n漢字    1\nab    200\n"),
        (9, "ID      N\n漢字    1\nab    200\n"),
        (8, "漢字\n  n 1\nab\n  n 200\n"),
    ],
)
def test_a_table_that_is_too_wide_is_shown_row_by_row(width: int, shown: str) -> None:
    stdout = Screen()
    screen = Terminal(stdout, {"NO_COLOR": "1"})
    tables.show(screen, ("ID", "N"), [["漢字", "1"], ["ab", "200"]], frozenset({"N"}), width)
    assert stdout.getvalue() == shown


def test_a_table_without_rows_is_nothing() -> None:
    stdout = Screen()
    output(stdout)[0].table(("A",), [])
    assert stdout.getvalue() == ""
