"""Every test contains something that can fail.

Code that does nothing would pass a test without checks. What counts is an `assert`, or
`pytest.raises` and the like, in the test or in a function that it uses by name: from its own file,
tests/support, or the fuzz targets.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Union

import pytest

TESTS = Path(__file__).parents[1]
FUZZ = TESTS.parent / "fuzz"

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
Known = dict[str, "list[tuple[bool, set[str]]]"]

# Of pytest and hypothesis.
ASSERTING = {"raises", "warns", "fail", "run_state_machine_as_test"}


def functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def look_at(function: Function) -> "tuple[bool, set[str]]":
    """Return whether a function can fail by itself, and the last part of each name that it uses."""
    fails, names = False, set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            fails = True
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
    return fails or bool(names & ASSERTING) or "AssertionError" in names, names


def known_in(tree: ast.AST) -> Known:
    known: Known = {}
    for function in functions(tree):
        known.setdefault(function.name, []).append(look_at(function))
    return known


def idle_tests(tree: ast.AST, support: Known) -> "list[str]":
    """Return the tests of a file that cannot fail, whatever the code does."""
    own = known_in(tree)
    known = {**support, **own}
    found = {name for name, made in known.items() if any(fails for fails, _ in made)}
    more = found
    while more:
        more = {
            name
            for name, made in known.items()
            if name not in found and any(names & found for _, names in made)
        }
        found = found | more
    return [name for name in own if name.startswith("test_") and name not in found]


@pytest.mark.slow
def test_every_test_can_fail():
    support: Known = {}
    for path in [*sorted((TESTS / "support").rglob("*.py")), *sorted(FUZZ.glob("*.py"))]:
        for name, made in known_in(ast.parse(path.read_text("utf-8"))).items():
            support.setdefault(name, []).extend(made)
    idle = {
        str(path.relative_to(TESTS)): names
        for path in sorted(TESTS.rglob("test_*.py"))
        for names in [idle_tests(ast.parse(path.read_text("utf-8")), support)]
        if names
    }
    assert idle == {}


@pytest.mark.parametrize(
    ("source", "idle"),
    [
        ("def test_it(): assert 1", False),
        ("def test_it(): check(1)\ndef check(x): assert x", False),
        ("def test_it(): a.check(1)\ndef check(x): deeper(x)\ndef deeper(x): assert x", False),
        ("def test_it():\n with pytest.raises(ValueError): f()", False),
        ("async def test_it():\n run(scenario)\nasync def scenario(): assert 1", False),
        ("def test_it(): helper()", False),
        ("def test_it(): f(1)\ndef f(x): return x", True),
        ("def test_it(): print(1)", True),
        ("def test_it():\n if odd(): raise ValueError", True),
    ],
)
def test_it_is_seen_whether_a_test_can_fail(source, idle):
    support = known_in(ast.parse("def helper(): assert 1"))
    assert idle_tests(ast.parse(source), support) == (["test_it"] if idle else [])
