"""Every program in the documents and `examples/` passes four type checkers as it is.

It is checked as in a project that it was copied to: outside this repository, with no settings but
`strict`, where a checker has such a setting and no mere taste in it.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from house.fresh import ROOT
from house.test_readme import PYTHON

EXAMPLES = ROOT / "examples"
TYPES = [ROOT / "tests" / "typing" / name for name in ("structured.py", "mapped.py")]
"""The types that each checker must infer, and not only accept."""

CHECKERS = {
    "mypy": ["mypy", "--strict", "--config-file=", "--cache-dir=cache", "--explicit-package-bases"],
    "basedpyright": ["basedpyright", "--level", "error", "--pythonpath", sys.executable],
    "ty": ["ty", "check", "--python", sys.executable],
    "pyrefly": ["pyrefly", "check", "--python-interpreter-path", sys.executable],
}

# By default, some pass over files in a folder that is hidden, or that git ignores: here, the one of
# a session in CI.
SETTINGS = {
    "pyrightconfig.json": '{"typeCheckingMode": "strict"}',
    "ty.toml": "[src]\nrespect-ignore-files = false\n",
    "pyrefly.toml": (
        "use-ignore-files = false\n"
        "project-excludes = []\n"
        "disable-project-excludes-heuristics = true\n"
    ),
}

# The option for folders from which programs import others; mypy has a variable for that.
FOLDERS = {"ty": "--extra-search-path", "pyrefly": "--search-path"}


def imported(text: str) -> Iterator[str]:
    """The packages that a program imports, by their first name."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def is_complete(path: Path) -> bool:
    """Return whether an example's imports are installed; the session `hosts` has them all."""
    siblings = {other.stem for other in path.parent.glob("*.py")}
    others = {*imported(path.read_text("utf-8"))} - siblings
    return all(find_spec(name) is not None for name in others)


def write_settings(folder: Path) -> None:
    """Have the checkers check every file in a folder."""
    for name, text in SETTINGS.items():
        (folder / name).write_text(text, "utf-8")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all programs and nothing else."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "snippets").mkdir()
    for snippet in PYTHON:
        name = re.sub(r"\W+", "_", snippet.name)
        (folder / "snippets" / f"{name}.py").write_text(snippet.text, "utf-8")
    for path in filter(is_complete, EXAMPLES.rglob("*.py")):
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for path in TYPES:
        shutil.copy(path, folder)
    write_settings(folder)
    return folder


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_all_of_them_pass(checker: str, programs: Path) -> None:
    pytest.importorskip(checker)
    # Programs import those beside them, as Python lets them and pyright does by itself.
    bases = sorted({str(path.parent) for path in programs.rglob("*.py")})
    option = FOLDERS.get(checker)
    options = [each for base in bases for each in (option, base)] if option else []
    done = subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker], *options, "."],
        capture_output=True,
        text=True,
        cwd=programs,
        env={**os.environ, "MYPYPATH": os.pathsep.join(bases)},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_mistake_would_be_found(checker: str, tmp_path: Path) -> None:
    """If the types did not reach users of the package, everything would pass."""
    pytest.importorskip(checker)
    program = """from meshapi import MeshAPI

client = MeshAPI()
print(client.models.list()[0].no_such_field)
print(client.chat.completions.parse(messages=[], response_format=int).parsed.not_of_an_int)
"""
    (tmp_path / "program.py").write_text(program, "utf-8")
    write_settings(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker], "."],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no_such_field" in done.stdout
    assert "not_of_an_int" in done.stdout


def test_there_are_some_of_each_kind() -> None:
    names = [snippet.name for snippet in PYTHON]
    assert any(name.startswith("README.md") for name in names)
    assert [*filter(is_complete, EXAMPLES.rglob("*.py"))]
