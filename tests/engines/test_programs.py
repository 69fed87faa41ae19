"""The programs of docs/engines.md, on real engines with two workers, of which one is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from house.fresh import ROOT, SRC
from house.test_readme import ENGINES, snippets

from support.engine_programs import PATIENCE, EngineProgram
from support.scripted_server import Peer, ScriptedServer
from support.wire import failed, good

FILES, LINES = 8, 100
IDS = sorted(f"text-{number}" for number in range(FILES * LINES))
HALF = len(IDS) // 2

IS_SESSION = bool(os.environ.get("MESHAPI_ENGINES"))
"""Whether all engines must be there."""

PROGRAMS = {
    engine: snippet.text
    for snippet in snippets(ROOT / "docs" / "engines.md")
    for engine in sorted(ENGINES)
    if snippet.language == "python" and f"import {engine}" in snippet.text
}

ACTORS = """\
        Calls,
        fn_constructor_args=[template],
        fn_constructor_kwargs={"workers": 2, "journal": os.path.abspath("journals")},
        compute=ray.data.ActorPoolStrategy(size=2),
"""
TASKS = """\
        Calls(template, workers=2, journal="journals"),
        compute=ray.data.TaskPoolStrategy(size=2),
"""
RUN = {**PROGRAMS, "ray-tasks": PROGRAMS["ray"].replace(ACTORS, TASKS)}
"""The programs, and the one for Ray with tasks in place of actors, as the page describes it."""

on_each_engine = pytest.mark.parametrize(
    "engine",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                find_spec(name.partition("-")[0]) is None and not IS_SESSION,
                reason=f"{name} is not installed",
            ),
        )
        for name in RUN
    ],
)

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]


class Gateway:
    """Responds to half of the calls; to the others, when the test lets it go on.

    Attributes:
        asked: the IDs of the texts in the order in which they were asked for.
        held: the ports of the connections that wait.
        going_on: set by the test.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.held: set[int] = set()
        self.going_on = threading.Event()
        self.server = ScriptedServer(self._serve)

    def _serve(self, peer: Peer) -> None:
        for request in peer.requests():
            if not request.body:
                # The run asks for the account's rate limits, of which there are none.
                peer.send(failed(404, "not_found"))
                continue
            text = request.json()["messages"][0]["content"].rpartition(" ")[2]
            self.asked.append(text)
            if len(self.asked) > HALF:
                self.held.add(self.server.sources[peer.number][1])
                self.going_on.wait(PATIENCE)
            peer.send(good(f"about {text}"))


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    with gateway.server:
        yield gateway
        gateway.going_on.set()


def recorded(folder: Path) -> set[str]:
    """The IDs that the journals have a response for."""
    found = set()
    for path in (folder / "journals").glob("*.jsonl"):
        # The last line may not be whole yet.
        for line in path.read_bytes().split(b"\n")[1:-1]:
            record = json.loads(line)
            if record.get("output") is not None:
                found.add(record["id"])
    return found


def rows(folder: Path) -> list[dict[str, Any]]:
    """What the program has written."""
    found: list[dict[str, Any]] = []
    for path in sorted((folder / "answers").iterdir()):
        if path.suffix == ".parquet":
            parquet = pytest.importorskip("pyarrow.parquet")
            found += parquet.read_table(path).to_pylist()
        else:
            found += map(json.loads, path.read_text("utf-8").splitlines())
    return found


@on_each_engine
def test_nothing_is_lost_and_nothing_is_there_twice_if_a_worker_is_killed_half_way(
    engine: str, gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "texts").mkdir()
    for file in range(FILES):
        names = (f"text-{file * LINES + line}" for line in range(LINES))
        lines = "".join(json.dumps({"id": name, "text": name}) + "\n" for name in names)
        (tmp_path / "texts" / f"{file}.jsonl").write_text(lines, "utf-8")
    environment = {
        "MESHAPI_BASE_URL": gateway.server.url,
        "MESHAPI_TOKEN": "rsk_test_of_engines",
        "PYTHONPATH": str(SRC),
    }
    with EngineProgram(RUN[engine], tmp_path, environment) as program:
        program.wait_until(lambda: len(program.having(gateway.held, gateway.server.port)) >= 2)
        os.kill(min(program.having(gateway.held, gateway.server.port)), signal.SIGKILL)
        known, before = recorded(tmp_path), len(gateway.asked)
        gateway.going_on.set()
        status = program.status()
    if engine == "daft":
        # It gives up. The same program goes on where it was.
        assert status != 0
        with EngineProgram(RUN[engine], tmp_path, environment) as program:
            status = program.status()
    assert status == 0

    answers = rows(tmp_path)
    assert sorted(row["id"] for row in answers) == IDS
    for row in answers:
        assert row["text"] == row["id"]
        assert row["result"]["text"] == f"about {row['id']}"
        assert row["result"]["error"] is None
    # Only what was under way in the worker that was killed is asked for again.
    assert known
    assert known.isdisjoint(gateway.asked[before:])
    assert max(Counter(gateway.asked).values()) <= 2


def test_the_programs_are_typed(tmp_path: Path) -> None:
    """As far as the engines are: Dask's functions have no types."""
    pytest.importorskip("mypy")
    present = {name: text for name, text in PROGRAMS.items() if find_spec(name) is not None}
    if not present:
        pytest.skip("no engine is installed")
    for name, text in present.items():
        (tmp_path / f"program_{name}.py").write_text(text, "utf-8")
    options = ["--strict", "--allow-untyped-calls", "--config-file=", "--follow-imports=silent"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_there_is_a_program_for_each_engine() -> None:
    assert set(PROGRAMS) == ENGINES
    assert "TaskPoolStrategy" in RUN["ray-tasks"]
