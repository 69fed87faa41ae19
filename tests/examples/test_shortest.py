"""The programs that a newcomer writes first are as short as with openai, and run as they are.

`tests/house/test_typed_programs.py` passes them to four type checkers, as all programs of
`examples/`.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from house.fresh import ROOT, SRC

from meshapi.testing import LocalGateway

FOLDER = ROOT / "examples" / "shortest"

LINES = {"chat.py": 12, "call_functions.py": 18, "typed_value.py": 9, "speak.py": 5}
"""How many lines the same program has with openai, without blank lines and docstrings."""

WIDEST = 100
"""Columns of a line, as everywhere in this repository; otherwise a program could be one line."""


def code_lines(path: Path) -> "list[str]":
    """Return the lines of a program without its docstring, comments and blank lines."""
    text = path.read_text("utf-8")
    docstring = ast.parse(text).body[0]
    rest = text.splitlines()[docstring.end_lineno :]
    return [line for line in rest if line.strip() and not line.lstrip().startswith("#")]


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(words_per_second=0) as running:
        yield running


def run(
    program: str, gateway: LocalGateway, folder: Path, typed: str = "", log: str = ""
) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "MESHAPI_BASE_URL": gateway.url,
        "MESHAPI_TOKEN": gateway.token,
        "MESHAPI_LOG": log,
        "PYTHONPATH": str(SRC),
    }
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(FOLDER / program)],
        input=typed,
        capture_output=True,
        encoding="utf-8",
        env=environment,
        cwd=folder,
        timeout=60,
        check=True,
    )


def test_each_is_no_longer_than_with_openai() -> None:
    lines = {path.name: code_lines(path) for path in FOLDER.glob("*.py")}
    assert lines.keys() == LINES.keys()
    assert {name: len(found) for name, found in lines.items() if len(found) > LINES[name]} == {}
    assert max(len(line) for found in lines.values() for line in found) <= WIDEST
    assert not any(";" in line for found in lines.values() for line in found)


@pytest.mark.slow
def test_the_chat_has_a_history(gateway: LocalGateway, tmp_path: Path) -> None:
    done = run("chat.py", gateway, tmp_path, typed="Hello!\nWhat is 2+2?\n\n")
    assert done.stdout == "> Hello! How can I help you today?\n> 2 + 2 = 4.\n> "
    roles = [each["role"] for each in gateway.requests[-1].json()["messages"]]
    assert roles == ["user", "assistant", "user"]


@pytest.mark.slow
def test_the_tool_loop_calls_the_function_and_streams(
    gateway: LocalGateway, tmp_path: Path
) -> None:
    done = run("call_functions.py", gateway, tmp_path)
    assert done.stdout.strip() == "The tool answered: 18 degrees and sunny in Paris"
    assert [each.json()["stream"] for each in gateway.requests] == [True, True]


@pytest.mark.slow
def test_structured_output_is_a_value(gateway: LocalGateway, tmp_path: Path) -> None:
    assert run("typed_value.py", gateway, tmp_path).stdout == "City(name='Berlin', people=7)\n"


@pytest.mark.slow
def test_speech_is_a_file(gateway: LocalGateway, tmp_path: Path) -> None:
    run("speak.py", gateway, tmp_path)
    assert (tmp_path / "hello.mp3").stat().st_size > 0


@pytest.mark.slow
def test_logging_needs_no_line_but_a_variable(gateway: LocalGateway, tmp_path: Path) -> None:
    assert run("typed_value.py", gateway, tmp_path).stderr == ""
    logged = run("typed_value.py", gateway, tmp_path, log="info").stderr
    assert "INFO meshapi: POST /v1/chat/completions 200" in logged
