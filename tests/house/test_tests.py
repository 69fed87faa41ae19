"""Tests can be read, and run, by whoever has this repository and nothing else."""

import ast
import re
from pathlib import Path

import pytest
from house.fresh import ROOT

TESTS = sorted((ROOT / "tests").rglob("*.py"))

# Numbers of a list that the reader does not have: `test_s13_`, `test_14_`.
NUMBERED = re.compile(r"test_[a-z]?\d+_")
# What a docstring or comment says of such a list: "S13:", "rows S5 to S7".
LISTED = re.compile(r"""(?:"{3}|# |, )[A-Z]\d{1,2}(?:[:,]|"{3})|\b[Rr]ows? (?:of )?[A-Z]?\d+\b""")
ABOVE = re.compile(r"\(__file__\)(?:\.resolve\(\))?\.parents\[(\d+)\]")


def test_the_names_of_tests_are_words() -> None:
    found = [
        f"{path.name}: {node.name}"
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and NUMBERED.match(node.name)
    ]
    assert found == []


def test_nothing_refers_to_a_list_that_is_elsewhere() -> None:
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in TESTS
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if LISTED.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "text", ['"""S13: it was lost."""', '"""H15"""', "# Rows 9 and 10.", "# W3: upgrades", "row S7"]
)
def test_the_search_for_lists_finds_one(text: str) -> None:
    assert LISTED.search(text)


def test_nothing_reads_outside_the_repository() -> None:
    found = [
        f"{path.relative_to(ROOT)}: parents[{steps}]"
        for path in sorted({*TESTS, *ROOT.glob("*/**/*.py")})
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
        for steps in ABOVE.findall(path.read_text("utf-8"))
        if int(steps) >= len(path.relative_to(ROOT).parts)
    ]
    assert found == []
