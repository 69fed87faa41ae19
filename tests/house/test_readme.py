"""What the documents show works: each snippet runs, and the commands are those that CI runs."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import pytest
from house.fresh import ROOT, SRC

from meshapi.testing import LocalGateway
from support.commands import complaints

DEMO = (
    "python3 -m venv .venv && .venv/bin/pip install -q '.[gateway,trio]' && .venv/bin/meshapi demo"
)
TESTS = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/pytest"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OUTPUT = re.compile(r"\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Snippet(NamedTuple):
    """A block of a document.

    Fields:
        name: the file and the line of its first line.
        output: what it prints: the `text` block that directly follows, or None.
    """

    name: str
    language: str
    text: str
    output: Optional[str]


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def snippets(path: Path) -> Iterator[Snippet]:
    text = path.read_text("utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 2
        follows = OUTPUT.match(text, found.end())
        output = None if follows is None else follows.group(1)
        yield Snippet(f"{path.relative_to(ROOT)}:{line}", found.group(1), found.group(2), output)


def is_output(printed: str, shown: str) -> bool:
    """Return whether a program printed what a document shows; `...` there stands for anything."""
    pattern = ".*?".join(re.escape(part) for part in shown.strip().split("..."))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def test_no_two_programs_share_a_journal() -> None:
    texts = [path.read_text("utf-8") for path in documents()]
    names = [name for text in texts for name in re.findall(r'journal="([^"]+\.jsonl)"', text)]
    assert len(names) > 3
    # They are run in one folder, and a journal is for the same calls only.
    assert sorted(names) == sorted(set(names))


ENGINES = frozenset({"daft", "dask", "ray"})
"""Large libraries, whose programs `tests/engines` runs in the session `engines`."""


def needs_engine(text: str) -> bool:
    return any(re.search(rf"^(?:import|from) {name}\b", text, re.MULTILINE) for name in ENGINES)


PYTHON = [
    s
    for path in documents()
    for s in snippets(path)
    if s.language == "python" and not needs_engine(s.text)
]


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    # A limit so wide that no snippet meets it: one prints what is left of it.
    with LocalGateway(requests_per_minute=100_000) as running:
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
    command = [sys.executable, "-X", "dev", "-W", "error"]
    if "import pytest\n" in snippet.text:
        command += ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(file)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert complaints(done.stderr) == []
    if snippet.output is not None:
        assert is_output(done.stdout, snippet.output), done.stdout


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("2 + 2 = 4.\n", "2 + 2 = 4.\n", True),
        ("2 + 2 = 4.\n", "2 + 2 = 5.\n", False),
        ("one\ntwo\n", "one\n", False),
        ("id req_1 is known\n", "id ... is known\n", True),
        ("id req_1 is not\n", "id ... is known\n", False),
    ],
)
def test_output_is_compared_as_a_whole(printed: str, shown: str, same: bool) -> None:
    assert is_output(printed, shown) is same


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("README.md", "MeshAPI() AsyncMeshAPI() asyncio.run .stream("),
        ("docs/", "trio.run realtime.connect( PipeCall( ClientCall("),
    ],
)
def test_there_are_snippets_for_each_way_to_use_it(place: str, words: str) -> None:
    text = "\n".join(s.text for s in PYTHON if s.name.startswith(place))
    for word in words.split():
        assert word in text, word


def test_the_readme_is_a_front_door_and_no_manual() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.encode()) <= 9_000
    assert text.startswith("# meshapi\n")
    # Whoever installs it must know first that it takes the official package's name.
    assert text.index("replaces the official") < text.index("```sh")
    assert text.index("pip install") < text.index("```python") < 4_000
    for command in (DEMO, TESTS):
        assert f"\n{command}\n" in text


def test_no_advice_installs_the_official_package() -> None:
    """`pip install meshapi` gets the official one: extras are those of a checkout."""
    paths = [*documents(), *SRC.rglob("*.py")]
    wrong = [p for p in paths if re.search(r"pip install [\"']?meshapi\[", p.read_text("utf-8"))]
    assert wrong == []


def test_ci_takes_its_commands_from_the_readme() -> None:
    """`.ci/run` does not repeat them, but takes them from the README by their position."""
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
def test_files_that_are_named_exist(path: Path) -> None:
    """A path in backticks that begins in one of our folders is a promise."""
    text = path.read_text("utf-8")
    named = re.findall(
        r"`((?:src|tests|fuzz|docs|examples|bench|constraints|\.ci)/[\w./-]*)`", text
    )
    packaged = re.findall(r"`(meshapi(?:_core|_backends)?/[\w./-]*)`", text)
    named += [f"src/{name}" for name in packaged]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_figures_about_speed_are_those_of_the_last_run() -> None:
    number = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
    measured = {*number.findall((ROOT / "bench" / "RESULTS.md").read_text("utf-8"))}
    rows = re.findall(
        r"^\|(?!-)[^|\n]+\|(.*\d.*)\|$", (ROOT / "docs" / "speed.md").read_text("utf-8"), re.M
    )
    figures = [figure for row in rows for figure in number.findall(row)]
    assert len(figures) > 40
    assert [figure for figure in figures if figure not in measured] == []
