"""Foreign programs that run on 127.0.0.1 for as long as a test wants, and no longer.

These tests need programs that few machines have, and take their time. So they run only if
`MESHAPI_PEERS` is set, as `nox -s peers` does: to the folder into which `packages.py` has unpacked
what the system does not have. Importing this module skips the tests of the module that imports it,
if it is not set.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

import pytest
from peers import packages
from typing_extensions import Self

if "MESHAPI_PEERS" not in os.environ:
    pytest.skip("run them with `nox -s peers`", allow_module_level=True)
if sys.platform != "linux":
    pytest.skip("they start programs as Linux does", allow_module_level=True)

FOLDER = Path(os.environ["MESHAPI_PEERS"]).resolve()

PATIENCE = 15.0
"""Seconds within which a program must be ready; on an idle machine it takes a tenth of one."""

LIFETIME = 900
"""Seconds after which a program is killed, whatever became of the tests that have started it."""

RUNNING: "list[Program]" = []
"""For the report of a test that fails: what it was talking to says why."""

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
NOBODY = "nobody"
"""As whom a program runs that refuses to run as root."""


def need(name: str) -> str:
    """Return the path of a program; skips the test if there is none."""
    found = packages.find(name, FOLDER)
    if found is None:
        pytest.skip(f"no {name}: install it, or run `nox -s peers` where apt is")
    return found


def unpacked(path: str) -> Path:
    """Return a path of a package's file, wherever the package is."""
    return FOLDER / path if (FOLDER / path).exists() else Path("/") / path


def free_ports(number: int) -> "list[int]":
    """Return ports that nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Program:
    """A program that listens on ports of 127.0.0.1, with a folder for its files.

    A subclass writes the configuration and returns the command.

    Attributes:
        port: the first of its ports.
        ports: all of them.
        folder: for its configuration and logs; gone after the `with` block.
    """

    name: str
    number_of_ports = 1

    def __init__(self) -> None:
        self.program = need(self.name)
        self._process: Optional[subprocess.Popen[bytes]] = None

    def command(self) -> "list[str]":
        """Write the configuration, and return what is run."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        # Not pytest's own folder, which nobody but its owner may enter.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        try:
            if IS_ROOT:
                shutil.chown(self.folder, NOBODY)
            # Somebody else may take a port that was free a moment ago.
            for attempt in range(3):
                self.ports = free_ports(self.number_of_ports)
                self.port = self.ports[0]
                if self._started(is_last=attempt == 2):
                    break
            RUNNING.append(self)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        RUNNING.remove(self)
        self._end()

    def _started(self, *, is_last: bool) -> bool:
        command = [*_bounded(), *self.command()]
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=_environment(self.program),
                start_new_session=True,
            )
        end = time.monotonic() + PATIENCE
        while not all(map(_accepts, self.ports)):
            has_ended = self._process.poll() is not None
            if has_ended and not is_last:
                return False
            if has_ended or time.monotonic() > end:
                raise AssertionError(f"{self.name} does not start:\n{self.logs()}")
            time.sleep(0.01)
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the program itself."""
        assert self._process is not None
        os.kill(_child_of(self._process.pid), number)

    def kill(self) -> None:
        """End it at once, and all its connections."""
        if self._process is not None:
            # The whole group, as some have workers and helpers. `timeout` has made it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None

    def restart(self) -> None:
        """Start it again after `kill`, on the same ports."""
        assert self._process is None
        self._started(is_last=True)

    def log(self, name: str) -> str:
        """Return the text of one of its log files."""
        path = self.folder / name
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def logs(self) -> str:
        """Return the ends of all its log files."""
        paths = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{path.name}:\n{self.log(path.name)[-4000:]}" for path in paths)

    def _end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def until(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds: most programs write a line when the connection is closed."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def _bounded() -> "list[str]":
    """A prefix for a command that ends it after a time, and with this process where that works."""
    bounded = ["timeout", "--signal=KILL", str(LIFETIME)]
    return ["setpriv", "--pdeathsig=TERM", *bounded] if shutil.which("setpriv") else bounded


def _environment(program: str) -> "dict[str, str]":
    if not program.startswith(str(FOLDER)):
        return {**os.environ, "LC_ALL": "C"}
    places = [FOLDER / "usr" / "lib", FOLDER / "lib"]
    folders = [str(one) for place in places for one in (place, *place.glob("*-linux-gnu*"))]
    return {**os.environ, "LC_ALL": "C", "LD_LIBRARY_PATH": os.pathsep.join(folders)}


def _child_of(process: int) -> int:
    """The process that `timeout` has started."""
    children = Path(f"/proc/{process}/task/{process}/children")
    return int(children.read_text().split()[0])


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True
