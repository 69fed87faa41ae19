"""Tests can be read and run with this repository and nothing else."""

import re
from pathlib import Path

import pytest
from house.fresh import ROOT

FOLDERS = ("bench", "examples", "fuzz", "tests", "tools")

# Numbers of a list that the reader does not have: `test_s13_`, `test_14_`.
NUMBERED = re.compile(r"def (test_[a-z]?\d+_\w*)")
# What a docstring or comment says of such a list: "S13:", "rows S5 to S7".
LISTED = re.compile(r"""(?:"{3}|# |, )[A-Z]\d{1,2}(?:[:,]|"{3})|\b[Rr]ows? (?:of )?[A-Z]?\d+\b""")
ABOVE = re.compile(r"\(__file__\)(?:\.resolve\(\))?\.parents\[(\d+)\]")


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    """Return the text of each file outside `src/`, except this one, by its path."""
    return {
        path.relative_to(ROOT): path.read_text("utf-8")
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != Path(__file__).resolve()
    }


def test_the_names_of_tests_are_words(texts: dict[Path, str]) -> None:
    found = {str(path): NUMBERED.findall(text) for path, text in texts.items()}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.slow
def test_nothing_refers_to_a_list_that_is_elsewhere(texts: dict[Path, str]) -> None:
    found = {str(path): LISTED.findall(text) for path, text in texts.items()}
    assert {path: words for path, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "text", ['"""S13: it was lost."""', '"""H15"""', "# Rows 9 and 10.", "# W3: upgrades", "row S7"]
)
def test_the_search_for_lists_finds_one(text: str) -> None:
    assert LISTED.search(text)


def test_nothing_reads_outside_the_repository(texts: dict[Path, str]) -> None:
    steps = {path: list(map(int, ABOVE.findall(text))) for path, text in texts.items()}
    assert any(steps.values())
    assert [
        str(path) for path, found in steps.items() if max(found, default=0) >= len(path.parts)
    ] == []
