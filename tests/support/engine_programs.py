"""A program for an engine, in a process of its own, and all the processes that the engine starts.

    with EngineProgram(text, folder, environment) as program:
        program.wait_until(lambda: ...)
        os.kill(min(program.having(ports, server.port)), signal.SIGKILL)
        assert program.status() == 0

Nothing outlives the `with` block, and every wait is bounded. What the processes have written is
printed at its end, so that pytest shows it for a test that fails.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import Self

psutil: Any = pytest.importorskip("psutil")

PATIENCE = 120.0
"""Seconds for one program. On a busy machine, an engine takes half a minute to start."""

QUIET = {
    # Nobody is told that it runs.
    "DAFT_ANALYTICS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray listens on all interfaces, and replaces the 127.0.0.1 of `--node-ip-address` by the
    # address of the machine. Where it has no clusters, which is what this says, it does neither.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}

MOST_SHOWN = 20_000
"""Letters at the end of the output, which has what matters."""


class EngineProgram:
    """A program that runs.

    Args:
        text: of the program.
        folder: where it runs.
        environment: what it gets besides that of this process.
    """

    def __init__(self, text: str, folder: Path, environment: Mapping[str, str]) -> None:
        (folder / "program.py").write_text(text, "utf-8")
        self._output = folder / "output.txt"
        # The paths of Ray's sockets must be short.
        self._scratch = tempfile.mkdtemp(prefix="engine-", dir="/tmp")
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
        places = {"HOME": self._scratch, "RAY_TMPDIR": self._scratch, "TMPDIR": self._scratch}
        # A file: a pipe would be full some day, and open for as long as any of the processes lives.
        with open(self._output, "ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "program.py"],
                cwd=folder,
                env={**inherited, **QUIET, **places, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # By which all processes are found: some lose their parent.
                start_new_session=True,
            )
        self._end = time.monotonic() + PATIENCE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        try:
            self._kill()
            print(self._output.read_text("utf-8", "replace")[-MOST_SHOWN:])  # noqa: T201
            if kind is not None:
                # Ray's workers have more to say than what it passes on.
                for path in sorted(Path(self._scratch).rglob("logs/worker-*.err")):
                    said = path.read_text("utf-8", "replace")[-MOST_SHOWN:]
                    print(f"-- {path.name}\n{said}")  # noqa: T201
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; the program must go on until then."""
        while not condition():
            status = self._process.poll()
            assert status is None, f"ended with {status} before it could be interrupted"
            assert time.monotonic() < self._end, "waited in vain"
            time.sleep(0.02)

    def status(self) -> int:
        """Wait until the program ends, and return its status."""
        return self._process.wait(max(0.0, self._end - time.monotonic()))

    def having(self, ports: Collection[int], to: int) -> set[int]:
        """The processes that have a connection from one of these ports to that of a server.

        Both count: connections to different servers may have the same port of their own.
        """
        if not ports:
            return set()
        found = set[int]()
        for process in self._family():
            try:
                connections = process.net_connections("tcp")
            except psutil.Error:
                continue
            places = [(each.laddr.port, each.raddr.port) for each in connections if each.raddr]
            if any(mine in ports and other == to for mine, other in places):
                found.add(process.pid)
        return found

    def _family(self) -> Iterator[Any]:
        session = self._process.pid
        for number in psutil.pids():
            try:
                if os.getsid(number) == session:
                    yield psutil.Process(number)
            except (OSError, psutil.Error):
                continue

    def _kill(self) -> None:
        # One that is killed may just have started another.
        while True:
            family = [*self._family()]
            for process in family:
                try:
                    process.send_signal(signal.SIGKILL)
                except psutil.Error:
                    continue
            self._process.wait(PATIENCE)
            _, alive = psutil.wait_procs(family, PATIENCE)
            assert not alive, alive
            if not family:
                return
