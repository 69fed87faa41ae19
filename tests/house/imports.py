"""What the packages' modules import, read from their syntax trees without running them."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from house.fresh import SRC

PACKAGES = ("meshapi_core", "meshapi_backends", "meshapi")


class Import(NamedTuple):
    """One import statement; `level` is the number of leading dots."""

    module: str
    names: tuple[str, ...]
    level: int
    line: int


def sources(package: str) -> list[Path]:
    """Return the files of a package, with those of its folders."""
    return sorted((SRC / package).rglob("*.py"))


def module_of(path: Path) -> str:
    """Return the dotted name of one of our files."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[Import]:
    """Return every import of a file, also those inside functions."""
    yield from _imports_in(ast.walk(ast.parse(path.read_text("utf-8"))))


def imports_at_run(path: Path) -> Iterator[Import]:
    """Return every import that Python runs, also inside functions: not those for type checkers."""
    yield from _imports_in(_at_run(ast.parse(path.read_text("utf-8")).body))


def imports_at_load(path: Path) -> Iterator[Import]:
    """Return the imports that run when a file is loaded, and not those for type checkers."""
    yield from _imports_in(_at_load(ast.parse(path.read_text("utf-8")).body))


def _imports_in(nodes: Iterator[ast.AST]) -> Iterator[Import]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, (), 0, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(node.module or "", names, node.level, node.lineno)


def _at_run(body: list[ast.stmt]) -> Iterator[ast.AST]:
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _at_run(node.orelse)
        else:
            yield from ast.walk(node)


def _at_load(body: list[ast.stmt]) -> Iterator[ast.AST]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _at_load(node.orelse)
            continue
        yield node
        for field in ("body", "orelse", "finalbody"):
            yield from _at_load(getattr(node, field, []))
        for handler in getattr(node, "handlers", []):
            yield from _at_load(handler.body)
