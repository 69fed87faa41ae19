"""The walk-through of docs/new-endpoint.md works, step by step, in a copy of the checkout."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from house.fresh import ROOT

PAGE = ROOT / "docs" / "new-endpoint.md"
COPIED = ("src", "tests", "tools", "pyproject.toml", "ARCHITECTURE.md")

FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)

# What takes long, and is not about whether the method works.
LONG = ("mypy", "ruff", "pytest -q -n 0 tests/house")


class Step(NamedTuple):
    """A fenced block: a file, an edit of one, or commands with what they print."""

    kind: str
    file: str
    text: str


def steps() -> "list[Step]":
    return [Step(*found.groups(default="")) for found in FENCE.finditer(PAGE.read_text("utf-8"))]


def commands(text: str) -> "Iterator[tuple[str, str]]":
    """Yield each command of a console with its output; further lines of a command are in quotes."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        end = 1
        while "".join(lines[:end]).count('"') % 2:
            end += 1
        yield "".join(lines[:end]), "".join(lines[end:])


def edited(text: str, change: str) -> str:
    """Return the text of a file after a change, whose lines begin with a blank, `+` or `-`."""
    lines = change.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(before) == 1, f"this is not there once:\n{before}"
    return text.replace(before, after)


def run(command: str, wanted: str, checkout: Path) -> None:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    # Before the path of the package that is installed, which is that of this checkout.
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(checkout / "src")}
    # Of the run that this test is part of.
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
        environment.pop(name, None)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    said = doctest.OutputChecker().check_output(wanted, done.stdout, doctest.ELLIPSIS)
    assert said, f"$ {command}\n{done.stdout}"
    # Three dots could stand for a failure, too.
    assert (done.returncode != 0) == any(word in wanted for word in ("failed", "differs"))


def follow(checkout: Path, *, everything: bool) -> "list[str]":
    """Do what the page says, in a copy of this checkout; returns the commands that were run."""
    for name in COPIED:
        source, target = ROOT / name, checkout / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    done: list[str] = []
    for step in steps():
        file = checkout / step.file
        if step.kind == "py":
            assert not file.exists(), f"{step.file} is there already"
            file.write_text(step.text, "utf-8")
        elif step.kind == "diff":
            file.write_text(edited(file.read_text("utf-8"), step.text), "utf-8")
        elif step.kind == "console":
            for command, wanted in commands(step.text):
                if everything or not command.startswith(LONG):
                    run(command, wanted, checkout)
                    done.append(command)
    return done


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_the_walk_through_leads_to_a_method_that_works(tmp_path: Path) -> None:
    done = follow(tmp_path, everything=False)
    for word in ("faces.py --write", "mirror.py", "try_rerank.py", "test_tour.py"):
        assert any(word in command for command in done), word


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_the_walk_through_leaves_nothing_for_the_checks_to_find(tmp_path: Path) -> None:
    for tool in ("mypy", "ruff"):
        pytest.importorskip(tool)
    done = follow(tmp_path, everything=True)
    assert all(any(command.startswith(long) for command in done) for long in LONG)


def test_the_table_of_the_walk_through_names_its_new_files() -> None:
    text = PAGE.read_text("utf-8")
    files = [step.file for step in steps() if step.kind == "py" and "/" in step.file]
    assert len(files) == 4
    for file in files:
        *_, room, name = file.split("/")
        assert f"| `{room}/{name}` in `{file[: -len(room) - len(name) - 1]}` |" in text, file
    assert {step.kind for step in steps()} == {"sh", "py", "diff", "console"}
