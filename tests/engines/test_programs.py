"""The programs of docs/engines.md, on real engines with two workers, of which one is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from house.fresh import ROOT, SRC
from house.test_readme import ENGINES, snippets

from support.scripted_server import Peer, ScriptedServer
from support.wire import failed, good

psutil = pytest.importorskip("psutil")

FILES, LINES = 8, 100
IDS = sorted(f"text-{number}" for number in range(FILES * LINES))
HALF = len(IDS) // 2

PATIENCE = 150.0
"""Seconds for one program; on a busy machine, an engine takes half a minute to start."""

IS_SESSION = bool(os.environ.get("MESHAPI_ENGINES"))
"""Whether all engines must be there."""

PROGRAMS = {
    engine: snippet.text
    for snippet in snippets(ROOT / "docs" / "engines.md")
    for engine in sorted(ENGINES)
    if snippet.language == "python" and f"import {engine}" in snippet.text
}

QUIET = {
    # Nobody is told that it runs, and nothing listens for people.
    "DAFT_ANALYTICS_ENABLED": "0",
    "DASK_DISTRIBUTED__SCHEDULER__DASHBOARD__STATUS__TASK_STREAM_LENGTH": "0",
    "DO_NOT_TRACK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}

on_each_engine = pytest.mark.parametrize(
    "engine",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                find_spec(name) is None and not IS_SESSION, reason=f"{name} is not installed"
            ),
        )
        for name in PROGRAMS
    ],
)

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]


class Gateway:
    """Responds to half of the calls; to the others, when the test lets it go on.

    Attributes:
        asked: the IDs of the texts in the order in which they were asked for.
        going_on: set by the test.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
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
                self.going_on.wait(PATIENCE)
            peer.send(good(f"about {text}"))


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    with gateway.server:
        yield gateway
        gateway.going_on.set()


class Running:
    """A program that runs, in a folder with texts."""

    def __init__(self, text: str, folder: Path, gateway: Gateway) -> None:
        self.folder = folder
        self._port = gateway.server.port
        (folder / "program.py").write_text(text, "utf-8")
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"},
            **QUIET,
            "MESHAPI_BASE_URL": gateway.server.url,
            "MESHAPI_TOKEN": "rsk_test_of_engines",
            "PYTHONPATH": str(SRC),
            # Of the processes of a cluster, too: Ray's sockets have short paths.
            "TMPDIR": "/tmp",
        }
        self._process = subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._end = time.monotonic() + PATIENCE

    def until(self, condition: Any) -> None:
        while not condition():
            assert self._process.poll() is None, self.output()
            assert time.monotonic() < self._end, "waited in vain"
            time.sleep(0.01)

    def workers(self) -> set[int]:
        """The processes of the engine that are connected to the gateway."""
        found = set()
        for process in psutil.Process(self._process.pid).children(recursive=True):
            try:
                places = [each.raddr for each in process.net_connections("tcp") if each.raddr]
            except psutil.Error:
                continue
            if any(place.port == self._port for place in places):
                found.add(process.pid)
        return found

    def output(self) -> str:
        output, _ = self._process.communicate(timeout=PATIENCE)
        return output

    def ended(self) -> tuple[int, str]:
        output = self.output()
        return self._process.returncode, output

    def kill(self) -> None:
        """End it, and all that it has begun."""
        try:
            family = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.Error:
            family = []
        for process in family:
            try:
                process.kill()
            except psutil.Error:
                continue
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


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

    running = Running(PROGRAMS[engine], tmp_path, gateway)
    try:
        running.until(lambda: len(gateway.asked) > HALF)
        running.until(lambda: len(running.workers()) == 2)
        workers = running.workers()
        os.kill(min(workers), signal.SIGKILL)
        known, before = recorded(tmp_path), len(gateway.asked)
        gateway.going_on.set()
        status, output = running.ended()
    finally:
        running.kill()
    if status != 0:
        # Daft gives up. The same program goes on where it was.
        assert engine == "daft", output
        again = Running(PROGRAMS[engine], tmp_path, gateway)
        try:
            status, output = again.ended()
        finally:
            again.kill()
        assert status == 0, output

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
