"""Plays the Autobahn fuzzing server's cases with our WebSocket machine: 301 without compression.

    python tests/interop/autobahn.py                       # every case, some 20 s
    python tests/interop/autobahn.py --cases '5.*' '7.*'   # these alone
    python tests/interop/autobahn.py --keep DIR            # leaves the suite's reports there

The suite runs on Python 2.7 alone, which is looked for on the PATH and among pyenv's; it is
installed into a temporary folder, with one package that needs a C compiler. Its server listens on
127.0.0.1. The client is `WebSocketConnection` on a blocking socket and nothing else, as another
library would embed it: it sends each message back as it came.

The exit status is 0 where each case is OK, NON-STRICT or INFORMATIONAL, in its messages and in how
it was closed; 1 where one is not; 2 where there is nothing to run it with.

Source: https://github.com/crossbario/autobahn-testsuite
"""

import argparse
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, Optional

sys.path.append(str(Path(__file__).resolve().parents[2] / "src"))

from meshapi_core.messages import Origin, Request
from meshapi_core.signals import NEED_DATA
from meshapi_core.websocket.closing import Closed
from meshapi_core.websocket.connection import WebSocketConnection

AGENT = "meshapi"
HOST = "127.0.0.1"
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}

PATIENCE = 60.0
"""Seconds for one step: the slowest case takes 1 s, the suite's own limit is 100 s."""
LONGEST_INSTALLATION = 600.0
LONGEST_RUN = 1200.0
"""Seconds after which the server ends itself, whatever has become of this program."""

# The last version that makes environments for Python 2.7.
VIRTUALENV = "virtualenv==20.21.1"
SUITE = """
    attrs==21.4.0 autobahn==0.10.9 autobahntestsuite==25.10.1 Automat==22.10.0 argparse==1.4.0
    cffi==1.15.1 constantly==15.1.0 cryptography==3.3.2 enum34==1.1.10 hyperlink==21.0.0 idna==2.10
    incremental==16.10.1 ipaddress==1.0.23 Jinja2==2.11.3 klein==17.10.0 linecache2==1.0.0
    MarkupSafe==1.1.1 pyasn1==0.5.1 pyasn1-modules==0.3.0 pycparser==2.21 pyOpenSSL==19.1.0
    service-identity==18.1.0 six==1.16.0 traceback2==1.4.0 Twisted==19.10.0 txaio==2.1.0
    typing==3.10.0.0 unittest2==1.1.0 Werkzeug==1.0.1 wsaccel==0.6.6 zope.interface==4.6.0
""".split()
"""What the server imports, whole, so that nothing is resolved anew. Without wsaccel, which is the
one to compile, masking and UTF-8 would take minutes."""

# The suite's own command listens on every interface. Twisted makes a copy of the descriptor.
SERVER = """
import json, os, socket, sys
from twisted.internet import reactor
from autobahntestsuite.fuzzing import FuzzingServerFactory

spec = json.loads(sys.argv[1])
descriptor = spec.pop("descriptor")
reactor.adoptStreamPort(descriptor, socket.AF_INET, FuzzingServerFactory(spec))
os.close(descriptor)
reactor.callLater(spec.pop("longest"), reactor.stop)
reactor.run()
"""


class NotHereError(Exception):
    """Something that this needs is missing."""


class Result(NamedTuple):
    """One case.

    Fields:
        behavior: the suite's judgement of the messages.
        closing: its judgement of how the connection ended.
        failure: what our side raised, "" where it raised nothing.
    """

    case: str
    behavior: str
    closing: str
    failure: str = ""

    @property
    def passed(self) -> bool:
        return {self.behavior, self.closing} <= PASSED and not self.failure


class Installation(NamedTuple):
    python: Path
    version: str


# What it runs with.


def find_python(given: Optional[str]) -> str:
    """Return a Python 2.7 that runs; a shim on the PATH may not."""
    candidates = [given] if given else ["python2.7", "python2", "python", *pyenv_versions()]
    for candidate in candidates:
        try:
            done = run([candidate, "-c", "import sys; print(sys.version_info[:2] == (2, 7))"])
        except (OSError, subprocess.SubprocessError):
            continue
        if done.strip() == "True":
            return shutil.which(candidate) or candidate
    raise NotHereError(
        f"no Python 2.7, which the Autobahn suite needs (tried: {', '.join(candidates)}); "
        "name one with --python2"
    )


def pyenv_versions() -> list[str]:
    if shutil.which("pyenv") is None:
        return []
    folder = Path(run(["pyenv", "root"]).strip(), "versions")
    return [str(path) for path in sorted(folder.glob("2.7*/bin/python"))]


def install(python: str, folder: Path) -> Installation:
    """Return a Python 2.7 that has the suite, in an environment below `folder`."""
    environment = folder / "environment"
    pip = [sys.executable, "-m", "pip", "install", "-q"]
    virtualenv = [sys.executable, "-m", "virtualenv", "-q", "--no-periodic-update"]
    virtualenv += ["--app-data", str(folder / "app-data")]
    try:
        run([*pip, "--target", str(folder / "virtualenv"), VIRTUALENV])
        run(
            [*virtualenv, "-p", python, str(environment)],
            {"PYTHONPATH": str(folder / "virtualenv")},
        )
        python = str(environment / "bin" / "python")
        run(
            [python, "-m", "pip", "install", "-q", "--no-deps", *SUITE],
            {"PYTHONWARNINGS": "ignore"},
        )
    except subprocess.SubprocessError as exc:
        said = getattr(exc, "stderr", None) or str(exc)
        raise NotHereError(f"the Autobahn suite cannot be installed:\n{said}") from exc
    return Installation(
        Path(python),
        run([python, "-c", "import platform; print(platform.python_version())"]).strip(),
    )


def run(command: Sequence[str], environment: Optional[dict[str, str]] = None) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        check=True,
        text=True,
        timeout=LONGEST_INSTALLATION,
        stdin=subprocess.DEVNULL,
        env={**clean_environment(), **(environment or {})},
    )
    return done.stdout


def clean_environment() -> dict[str, str]:
    """Return the environment without what would lead Python 2.7 to modules of another Python."""
    return {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "PYTHONHOME")}


@contextmanager
def fuzzing_server(installation: Installation, cases: Sequence[str], folder: Path) -> Iterator[int]:
    """Run the server while the block lasts; gives its port, which takes connections at once."""
    with socket.create_server((HOST, 0), backlog=64) as listener:
        listener.setblocking(False)  # as Twisted wants it
        port = listener.getsockname()[1]
        spec = {
            "url": f"ws://{HOST}:{port}",
            "outdir": str(folder),
            "cases": list(cases),
            "exclude-cases": ["12.*", "13.*"],  # compression, which is never agreed to
            "exclude-agent-cases": {},
            "descriptor": listener.fileno(),
            "longest": LONGEST_RUN,
        }
        with open(folder / "server.log", "wb") as log:
            server = subprocess.Popen(
                [str(installation.python), "-c", SERVER, json.dumps(spec)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(),
                pass_fds=[listener.fileno()],
            )
    try:
        yield port
    except Exception as exc:
        if server.poll() is None:
            raise
        said = (folder / "server.log").read_text("utf-8", "replace")[-2000:]
        raise NotHereError(f"the Autobahn server has ended:\n{said}") from exc
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


# The client.


class Client:
    """One connection to the server: its messages, and their echo."""

    def __init__(self, port: int, target: str) -> None:
        self._connection = WebSocketConnection(ping_interval=None, random_bytes=os.urandom)
        self._deadline = time.monotonic() + PATIENCE
        self._socket = socket.create_connection((HOST, port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fields = {
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        origin = Origin("http", HOST, port)
        self._send(self._connection.connect(Request("GET", origin, target, tuple(fields.items()))))

    def messages(self, echo: bool = False) -> list[object]:
        """Read until the server ends the connection, and return what it sent."""
        received: list[object] = []
        with self._socket:
            while True:
                event = self._connection.next_message()
                self._send(self._connection.data_to_send())
                if event is NEED_DATA:
                    self._connection.receive_data(self._read())
                elif isinstance(event, Closed):
                    self._wait_for_the_end()
                    return received
                elif echo:
                    self._send(self._echo(event))
                else:
                    received.append(event)

    def _echo(self, event: object) -> bytes:
        if isinstance(event, str):
            return self._connection.send_text(event)
        assert isinstance(event, bytes)
        return self._connection.send_bytes(event)

    def _wait_for_the_end(self) -> None:
        # The server is the one to end the TCP connection (RFC 6455 section 7.1.1).
        while data := self._read():
            self._connection.receive_data(data)
            assert isinstance(self._connection.next_message(), Closed)

    def _read(self) -> bytes:
        self._check_time()
        try:
            return self._socket.recv(65536)
        except ConnectionResetError:
            return b""  # how the suite ends a connection that has been closed

    def _send(self, data: bytes) -> None:
        self._check_time()
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the next read says so, too

    def _check_time(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not over after {PATIENCE:.0f} s")
        self._socket.settimeout(left)


def play(port: int) -> dict[str, str]:
    """Play every case; returns by its name what our side raised, "" where it raised nothing."""
    played: dict[str, str] = {}
    (count,) = ask(port, "/getCaseCount")
    for number in range(1, int(count) + 1):
        (info,) = ask(port, f"/getCaseInfo?case={number}")
        case = json.loads(info)["id"]
        try:
            Client(port, f"/runCase?case={number}&agent={AGENT}").messages(echo=True)
            played[case] = ""
        except Exception as exc:  # whatever it is, it is a finding
            played[case] = f"{type(exc).__name__}: {exc}"
    ask(port, f"/updateReports?agent={AGENT}")
    return played


def ask(port: int, target: str) -> list[str]:
    return [str(message) for message in Client(port, target).messages()]


# What came of it.


def results(folder: Path, played: dict[str, str]) -> list[Result]:
    """Return every case that was played; one without a report has not passed."""
    if not played:
        raise NotHereError("there is no such case")
    reported = json.loads((folder / "index.json").read_text("utf-8"))[AGENT]
    found: list[Result] = []
    for case, failure in played.items():
        report = reported.get(case, {"behavior": "NO REPORT", "behaviorClose": "NO REPORT"})
        found.append(Result(case, report["behavior"], report["behaviorClose"], failure))
    return found


def table(found: Sequence[Result]) -> str:
    behaviors = Counter(result.behavior for result in found)
    closings = Counter(result.closing for result in found)
    rows = [("", "messages", "closing")]
    rows += [(n, str(behaviors[n]), str(closings[n])) for n in sorted({*behaviors, *closings})]
    rows.append(("cases", str(len(found)), str(len(found))))
    return "".join(f"{name:16}{behavior:>10}{closing:>10}\n" for name, behavior, closing in rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Play the Autobahn fuzzing server's cases.")
    parser.add_argument("--cases", nargs="+", default=["*"], metavar="CASE", help="as 1.*")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the reports there")
    parser.add_argument("--python2", metavar="PYTHON", help="a Python 2.7")
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    with tempfile.TemporaryDirectory(prefix="autobahn-") as temporary:
        folder = Path(temporary)
        reports = (wanted.keep or folder / "reports").resolve()
        reports.mkdir(parents=True, exist_ok=True)
        try:
            installation = install(find_python(wanted.python2), folder)
            start = time.monotonic()
            with fuzzing_server(installation, wanted.cases, reports) as port:
                played = play(port)
            seconds = time.monotonic() - start
            found = results(reports, played)
        except NotHereError as exc:
            sys.stderr.write(f"NOT RUN: {exc}\n")
            return 2
    sys.stdout.write(
        f"autobahntestsuite {suite_version()} on Python {installation.version}, "
        f"wsproto {version('wsproto')} on Python {platform.python_version()}, {seconds:.0f} s\n\n"
        f"{table(found)}"
    )
    bad = [result for result in found if not result.passed]
    for result in bad:
        judged = f"messages {result.behavior}, closing {result.closing}"
        sys.stdout.write(f"{result.case}: {judged} {result.failure}\n")
    return 1 if bad else 0


def suite_version() -> str:
    (pin,) = [pin for pin in SUITE if pin.startswith("autobahntestsuite==")]
    return pin.partition("==")[2]


if __name__ == "__main__":
    sys.exit(main())
