"""The page of the benchmark."""

import pytest

from bench import report
from bench.rows import Goal, Row, contenders
from bench.table import ROWS

MACHINE = {
    "date": "2026-12-01",
    "commit": "abc",
    "python": "CPython 3.11.7",
    "system": "Linux",
    "processor": "a processor",
    "cores": 2,
    "minutes": 1.25,
}
ROW = Row(
    "create",
    "`create()`",
    "create.blocking",
    contenders("ours, official, openai"),
    {"cpu": "µs"},
    goals=(Goal(0.5, "official 0.1.11"),),
)
RESULTS = {
    "meshapi": {"samples": [{"round": 0, "cpu": 1500.0}]},
    "official 0.1.11": {"samples": [{"round": 0, "cpu": 2000.0}]},
    "openai": {"reason": "pip could not install it"},
}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234.5, "1,234"), (12.34, "12.3"), (1.5, "1.5"), (0.12345, "0.123"), (100, "100")],
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert report.number(value) == text


def test_a_row_is_a_table_with_who_was_not_run_and_why() -> None:
    assert report.table(ROW, RESULTS).splitlines()[-5:] == [
        "|  | µs | least to most | meshapi / it |",
        "|---|---:|---:|---:|",
        "| meshapi | 1,500 | 1,500 to 1,500 |  |",
        "| official 0.1.11 | 2,000 | 2,000 to 2,000 | 0.75 |",
        "| openai | not run: pip could not install it |  |  |",
    ]


def test_a_missed_goal_stands_out() -> None:
    data = {"rows": {"create": {"results": RESULTS}}}
    assert "**missed by 50 %**" in "\n".join(report.goals(data, [ROW]))


def test_the_page_has_what_was_measured_and_nothing_else() -> None:
    data = {
        "rows": {"create": {"results": RESULTS}},
        "machine": MACHINE,
        "quick": True,
        "versions": {"ours": {"h11": "0.16.0"}},
    }
    page = report.page(data, ROWS, [("A picture", "plots/a.svg")])
    assert page.startswith("# Results\n")
    assert [line for line in page.splitlines() if line.startswith("### ")] == [
        "### `create()`, blocking"
    ]
    assert "![A picture](plots/a.svg)" in page
    assert "not to be quoted" in page
    assert "- ours: h11 0.16.0" in page
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
