"""The public clients are typed as `tests/typing/` says, and the examples: two checkers agree."""

import subprocess
import sys
from pathlib import Path

import pytest
from house.fresh import ROOT

# The checkers are installed on current Pythons only; they check the code for 3.9 from there.
pytest.importorskip("mypy")

pytestmark = pytest.mark.slow


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_mypy_agrees(tmp_path: Path) -> None:
    assert run("mypy", "--strict", "--cache-dir", str(tmp_path), "tests/typing", "examples") == ""


@pytest.mark.exhaustive
def test_pyright_agrees() -> None:
    assert run("basedpyright", "--pythonpath", sys.executable, "tests/typing", "examples") == ""
