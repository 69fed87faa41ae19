"""Every host in `examples/embedding` has the same outcomes, and stops what it no longer needs."""

import ast
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from house.fresh import ROOT, SRC

from meshapi.testing import LocalGateway
from support.commands import complaints
from support.watched_port import WatchedConnection, WatchedPort

pytestmark = pytest.mark.slow

FOLDER = ROOT / "examples" / "embedding"

HOSTS = {
    "on_select": "",
    "on_asyncio": "",
    "on_trio": "trio",
    "on_http_client": "",
    "on_urllib3": "urllib3",
    "on_aiohttp": "aiohttp",
    "on_gevent": "gevent",
    "on_tornado": "tornado",
    "on_twisted": "twisted",
    "on_curio": "curio",
    "on_qt": "PySide6",
    "on_fastapi": "fastapi",
    "on_pyodide": "",
}
"""The examples -> what has to be installed for them."""

REALTIME = {"realtime_on_select": "", "realtime_on_asyncio": "", "realtime_on_trio": "trio"}

MOST_LINES = 50
"""Of code in an adapter."""

CUT = {"text": "1 2 3", "partial": "1 2 3", "attempts": 1, "status": 0}

OUTCOMES: dict[str, dict[str, Any]] = {
    "retries": {"text": "2 + 2 = 4.", "attempts": 3},
    "stream": {"text": "1 2 3 4 5", "attempts": 1},
    "left": {"text": "1 2 3", "attempts": 1},
    "refused": {
        "text": "",
        "attempts": 1,
        "error": "NotFoundError",
        "code": "model_not_found",
        "status": 404,
    },
    "broken": {**CUT, "error": "StreamInterruptedError", "code": "stream_interrupted"},
    "error": {**CUT, "error": "InternalServerError", "code": "gateway_timeout"},
    "stalled": {**CUT, "error": "APITimeoutError", "code": "idle_timeout"},
}


SESSIONS = {
    "talk": {"text": "2 + 2 = 4.", "code": ""},
    "refused": {"text": "", "code": "model_not_found"},
    "lost": {"text": "2 + 2", "code": "disconnected"},
    "failed": {"text": "", "code": "upstream_error"},
    "error": {"text": "2 + 2", "code": "gateway_timeout"},
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(words_per_second=50) as running:
        yield running


def require(name: str) -> None:
    """Skip if the library of an example is not installed."""
    if name and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed here: pip install '.[hosts]'")


def environment(url: str, gateway: LocalGateway) -> dict[str, str]:
    return {
        **os.environ,
        "MESHAPI_BASE_URL": url,
        "MESHAPI_TOKEN": gateway.token,
        "PYTHONPATH": str(SRC),
        "QT_QPA_PLATFORM": "offscreen",
    }


def check(command: "list[str]", gateway: LocalGateway) -> None:
    """Run an example, and compare its output with the table."""
    outcomes: dict[str, Any] = {}
    with WatchedPort(gateway.url) as port:
        example = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(port.url, gateway),
        )
        with example:
            assert example.stdout is not None
            assert example.stderr is not None
            for line in example.stdout:
                outcome = json.loads(line)
                outcomes[outcome.pop("case")] = outcome
                if "stalled" in outcomes and "left" in outcomes:
                    # Whoever has waited for a stall has long left the other stream.
                    left = [each for each in port.connections if b"Count to 1000" in each.asked]
                    assert [each.is_left for each in left] == [True]
            said = example.stderr.read()
        assert example.wait(60) == 0, said
    assert outcomes == OUTCOMES
    assert complaints(said) == []


# By default on what needs no other library; the session `hosts` has them all.
PLAIN = {"on_select", "on_asyncio", "on_http_client"}
EACH_HOST = [
    name if name in PLAIN else pytest.param(name, marks=pytest.mark.exhaustive)
    for name in sorted({*HOSTS} - {"on_pyodide"})
]


@pytest.mark.parametrize("name", EACH_HOST)
def test_a_host_has_every_outcome(name: str, gateway: LocalGateway) -> None:
    require(HOSTS[name])
    # A connection that is left open is a ResourceWarning.
    check([sys.executable, "-X", "dev", "-W", "error", str(FOLDER / f"{name}.py")], gateway)


def test_fetch_in_pyodide_has_every_outcome(
    gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = os.environ.get("MESHAPI_PYODIDE")
    if not folder:
        pytest.skip("MESHAPI_PYODIDE names no folder with Pyodide: see `hosts` in noxfile.py")
    monkeypatch.chdir(folder)
    wheels = sorted(map(str, Path(folder).glob("*.whl")))
    check(["node", str(FOLDER / "on_pyodide.mjs"), *wheels], gateway)


@pytest.mark.parametrize("name", REALTIME)
def test_a_session_has_every_outcome(name: str, gateway: LocalGateway) -> None:
    require(REALTIME[name])
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(FOLDER / f"{name}.py")],
        capture_output=True,
        text=True,
        env=environment(gateway.url, gateway),
        timeout=60,
        check=False,
    )
    assert complaints(done.stderr) == []
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line.pop("case"): line for line in lines} == SESSIONS


def test_a_runner_is_all_that_the_helpers_need(gateway: LocalGateway) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(FOLDER / "runner.py")],
        capture_output=True,
        text=True,
        env=environment(gateway.url, gateway),
        timeout=60,
        check=False,
    )
    assert complaints(done.stderr) == []
    steps = ["model.responded", "tool_call.begun", "tool_call.ended", "model.responded"]
    assert done.stdout.splitlines() == [
        "The tool answered: sunny in Paris",
        "['Berlin']",
        f"{steps} The tool answered: sunny in Rome",
    ]


def until(condition: "Callable[[], object]") -> bool:
    """Wait until a condition holds, for at most a minute."""
    end = time.monotonic() + 60.0
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


def test_a_relay_reads_what_is_read_from_it_and_leaves_who_left_it() -> None:
    require("fastapi")
    with LocalGateway(words_per_second=0) as quick, WatchedPort(quick.url) as port:
        server = socket.create_server(("127.0.0.1", 0))
        # Small buffers, here and below, so that what lies in them is less than the response.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(FOLDER), "on_fastapi:app"]
        relay = subprocess.Popen(
            [*command, "--fd", str(server.fileno()), "--log-level", "warning"],
            env=environment(port.url, quick),
            pass_fds=[server.fileno()],
        )
        try:
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(server.getsockname())
                client.sendall(a_request_of_many_words())
                assert client.recv(12) == b"HTTP/1.1 200"
                assert until(lambda: port.connections)
                [upstream] = port.connections
                assert until(lambda: is_still(upstream))
                assert b"[DONE]" not in upstream.answered
                assert not upstream.is_left
            assert until(lambda: upstream.is_left)
            assert b"[DONE]" not in upstream.answered
        finally:
            relay.terminate()
            relay.wait(60)
            server.close()


def a_request_of_many_words() -> bytes:
    question = {"role": "user", "content": "Count to 10000."}
    body = json.dumps({"model": "openai/gpt-4o-mini", "messages": [question]}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: relay\r\ncontent-type: application/json"
    return f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def is_still(upstream: WatchedConnection) -> bool:
    """Return whether the gateway has sent something, and nothing more for a while."""
    before = len(upstream.answered)
    time.sleep(1.0)
    return 0 < before == len(upstream.answered)


def test_a_host_has_the_helpers(gateway: LocalGateway) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(FOLDER / "helpers.py")],
        capture_output=True,
        text=True,
        env=environment(gateway.url, gateway),
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "completed",
        "get_weather: 18 degrees and sunny in Paris",
        "The tool answered: 18 degrees and sunny in Paris",
    ]


def test_a_host_has_runs_of_many_calls(gateway: LocalGateway) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(FOLDER / "calls_at_once.py")],
        capture_output=True,
        text=True,
        env=environment(gateway.url, gateway),
        timeout=60,
        check=True,
    )
    assert done.stdout == "100 41 + 1 = 42.\n"
    code = (FOLDER / "calls_at_once.py").read_text("utf-8").partition("\n# The demonstration")[0]
    assert len(code_lines(code)) <= MOST_LINES + 5


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*on_*.py")), ids=lambda path: path.stem)
def test_an_adapter_is_short(path: Path) -> None:
    assert path.stem in {*HOSTS, *REALTIME}
    text, found, _ = path.read_text("utf-8").partition("\n# The demonstration")
    assert found
    assert len(code_lines(text)) <= MOST_LINES


def code_lines(text: str) -> "list[str]":
    """Return the lines of a module without imports, docstrings, comments and blank lines."""
    passed: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or isinstance(node, (ast.Import, ast.ImportFrom)):
            passed |= {*range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = enumerate(text.splitlines(), 1)
    return [line for number, line in lines if number not in passed and re.match(r"\s*[^\s#]", line)]


def installed_examples() -> "list[str]":
    needs = {"table": "", "realtime_table": "", "runner": "", **HOSTS, **REALTIME}
    names = [
        name for name, needed in needs.items() if not needed or importlib.util.find_spec(needed)
    ]
    return [str(FOLDER / f"{name}.py") for name in names]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "command",
    [("mypy", "--strict"), ("basedpyright", "--pythonpath", sys.executable)],
    ids=["mypy", "pyright"],
)
def test_the_examples_are_typed(command: "tuple[str, ...]", tmp_path: Path) -> None:
    pytest.importorskip(command[0])
    if command[0] == "mypy":
        command = (*command, "--cache-dir", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", *command, *installed_examples()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
