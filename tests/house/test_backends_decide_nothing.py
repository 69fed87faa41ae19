"""The backends do I/O and decide nothing: no error, no time limit, no next attempt.

Read from the syntax tree: names, attributes, imports and quoted annotations. `_sync` is
generated from `_async`, so it is not read.
"""

import ast
from collections.abc import Iterator

import pytest
from house.fresh import SRC

from meshapi_core import errors
from meshapi_core.errors import InvalidParamsError

BACKENDS = SRC / "meshapi_backends"

ALLOWED_ERRORS = {
    # The root, to tell errors of ours from those of everybody else.
    "MeshAPIError",
    # What was interrupted, and where, only a host knows.
    "StreamInterruptedError",
}
ERRORS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.MeshAPIError)
} - ALLOWED_ERRORS
ERRORS.add(InvalidParamsError.__name__)

DECISIONS = frozenset(
    "BodyPace Exchange HeadPace INTERIM_TIMES MAX_BODY_SIZE MAX_ERROR_SIZE Outcome RetryPolicy"
    " TRICKLE max_retries retry_policy timed_out unexpected_status".split()
)
"""What attempts, sizes and limits are decided with."""

STATUS = frozenset({"status", "status_code"})

# Module -> what it still has. This list only gets shorter.
EXCEPTIONS: dict[str, set[str]] = {
    # Whether a file gives bytes is seen when it is opened, and is a mistake of the caller's.
    "_sources.py": {"InvalidParamsError"},
}


def modules() -> list[str]:
    paths = (path.relative_to(BACKENDS) for path in BACKENDS.rglob("*.py"))
    return sorted(path.as_posix() for path in paths if path.parts[0] != "_sync")


def decisions_in(source: str) -> set[str]:
    return {found for node in ast.walk(ast.parse(source)) for found in _decisions(node)}


def _decisions(node: ast.AST) -> Iterator[str]:
    for name in _names(node):
        if name in ERRORS or name in DECISIONS:
            yield name
    if isinstance(node, ast.keyword) and node.arg == "error_code":
        yield "error_code="
    if isinstance(node, ast.Compare):
        for operand in (node.left, *node.comparators):
            if STATUS.intersection(_names(operand)):
                yield "a status compared"


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.alias):
        yield node.name
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


@pytest.mark.parametrize("module", modules())
def test_a_backend_decides_nothing(module):
    found = decisions_in((BACKENDS / module).read_text("utf-8"))
    allowed = EXCEPTIONS.get(module, set())
    assert found - allowed == set(), "this is the core's to decide"
    assert allowed - found == set(), "it is not there any more: take it off the list"


def test_only_modules_that_exist_have_exceptions():
    assert EXCEPTIONS.keys() <= set(modules())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from meshapi_core import APITimeoutError", {"APITimeoutError"}),
        ("def f() -> 'APIConnectionError': ...", {"APIConnectionError"}),
        ("raise errors.ProtocolError('no')", {"ProtocolError"}),
        ("MeshAPIError('no', error_code='x')", {"error_code="}),
        ("if answer.status >= 400: pass", {"a status compared"}),
        ("ok = 200 <= response.status_code <= 299", {"a status compared"}),
        ("Exchange(call, config)", {"Exchange"}),
        ("left = config.retry_policy", {"retry_policy"}),
        ("raise StreamInterruptedError('here')", set()),
        ("print(answer.status)", set()),
        ("'a sentence about APITimeoutError'", set()),
    ],
)
def test_decisions_are_seen(source, found):
    assert decisions_in(source) == found
