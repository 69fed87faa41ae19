"""What the documents show works: each snippet is run, and the commands are the ones CI runs."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from house.fresh import ROOT, SRC

from meshapi.testing import LocalGateway
from support.commands import complaints

DEMO = (
    "python3 -m venv .venv && .venv/bin/pip install -q '.[gateway,trio]' && .venv/bin/meshapi demo"
)
TESTS = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/pytest"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


class Snippet(NamedTuple):
    name: str
    language: str
    text: str


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def snippets(path: Path) -> Iterator[Snippet]:
    text = path.read_text("utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 2
        yield Snippet(f"{path.relative_to(ROOT)}:{line}", found.group(1), found.group(2))


PYTHON = [s for path in documents() for s in snippets(path) if s.language == "python"]


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("snippet", PYTHON, ids=[s.name for s in PYTHON])
def test_the_snippet_runs(snippet: Snippet, gateway: LocalGateway, tmp_path: Path) -> None:
    file = tmp_path / "snippet.py"
    file.write_text(snippet.text, "utf-8")
    environment = {
        **os.environ,
        "MESHAPI_BASE_URL": gateway.url,
        "MESHAPI_TOKEN": gateway.token,
        "PYTHONPATH": str(SRC),
    }
    # Development mode with warnings as errors: a snippet that leaves a socket open says so.
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(file)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert complaints(done.stderr) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("mesh/broken-stream", "RealtimeConnectionClosed: the realtime session is over, code 1006"),
        ("mesh/close-1011", "RealtimeError: realtime[upstream_error]"),
        ("mesh/error-in-stream", "RealtimeError: realtime[gateway_timeout]"),
        ("no-such/model", "NotFoundError: "),
    ],
)
def test_the_realtime_snippet_fails_where_the_session_does(
    model: str, error: str, gateway: LocalGateway, tmp_path: Path
) -> None:
    (snippet,) = (s for s in PYTHON if "= RealtimeConnection()" in s.text)
    text = re.sub(r'RealtimeCall\(model="[^"]*"\)', f'RealtimeCall(model="{model}")', snippet.text)
    assert model in text
    place = {"MESHAPI_BASE_URL": gateway.url, "MESHAPI_TOKEN": gateway.token}
    done = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        env={**os.environ, **place, "PYTHONPATH": str(SRC)},
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"meshapi_core.errors.{error}" in done.stderr.splitlines()[-1]


def test_the_readme_has_snippets_for_each_way_to_use_it() -> None:
    text = "\n".join(s.text for s in PYTHON if s.name.startswith("README.md"))
    words = "MeshAPI() AsyncMeshAPI() asyncio.run trio.run .stream( realtime.connect( PipeCall("
    for word in (*words.split(), "ClientCall(", "RealtimeConnection("):
        assert word in text, word


def test_the_readme_opens_with_one_line_and_the_two_commands() -> None:
    line, blank, fence, *rest = (ROOT / "README.md").read_text("utf-8").split("\n")
    assert line.endswith(".")
    assert blank == ""
    assert fence == "```sh"
    assert rest[:3] == [DEMO, TESTS, "```"]


def test_ci_takes_its_commands_from_the_readme() -> None:
    """`.ci/run` copies none of them: it cuts them out of the README by their place."""
    text = (ROOT / ".ci" / "run").read_text("utf-8")
    readme = re.search(r"^readme\(\) \{\n(.*?)\n\}$", text, re.MULTILINE | re.DOTALL)
    assert readme is not None
    for number, command in ((1, DEMO), (2, TESTS)):
        assert f'bash -e -c "$(readme {number})"' in text
        done = subprocess.run(
            ["bash", "-c", readme.group(1), "readme", str(number)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == command


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = LINK.findall(path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_files_that_are_named_exist(path: Path) -> None:
    """A path in backticks that begins in one of our folders is a promise."""
    text = path.read_text("utf-8")
    named = re.findall(r"`((?:src|tests|fuzz|docs|examples|constraints|\.ci)/[\w./-]*)`", text)
    packaged = re.findall(r"`(meshapi(?:_core|_backends)?/[\w./-]*)`", text)
    named += [f"src/{name}" for name in packaged]
    assert [name for name in named if not (ROOT / name).exists()] == []
