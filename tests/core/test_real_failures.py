"""Real failures of real libraries, on real sockets, become the right errors."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from meshapi_core import failure_of
from support import failing_hosts as hosts
from support.certificates import serving
from support.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.slow


def reset(peer: Peer) -> None:
    peer.receive_head()
    peer.reset()


def hang_up(peer: Peer) -> None:
    peer.receive_head()


def cut(peer: Peer) -> None:
    peer.receive_head()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def cut_in_chunks(peer: Peer) -> None:
    peer.receive_head()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")


def babble(peer: Peer) -> None:
    peer.receive_head()
    peer.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def respond_plainly(peer: Peer) -> None:
    peer.take()
    peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    peer.wait_until_left()


# Scenario -> the error code and the stage.
EXPECTED: "dict[str, tuple[str, str]]" = {
    "closed port": ("connect_refused", "connect"),
    "no such name": ("dns", "connect"),
    "untrusted": ("tls_verify", "verify"),
    "no TLS": ("tls_handshake", "verify"),
    "reset": ("reset", "request"),
    "hung up": ("disconnected", "request"),
    "cut": ("truncated", "response"),
    "cut in chunks": ("truncated", "response"),
    "no HTTP": ("bad_response", "request"),
    "silent": ("read_timeout", "request"),
}


@pytest.fixture(scope="module")
def urls() -> "Iterator[dict[str, str]]":
    scripts = {"reset": reset, "hung up": hang_up, "cut": cut, "no HTTP": babble}
    scripts["cut in chunks"] = cut_in_chunks
    scripts.update({"no TLS": respond_plainly, "silent": Peer.wait_until_left})
    with contextlib.ExitStack() as stack:
        found = {
            name: stack.enter_context(ScriptedServer(script)).url
            for name, script in scripts.items()
        }
        untrusted = stack.enter_context(ScriptedServer(hang_up, tls=serving("127.0.0.1")))
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        found["no TLS"] = found["no TLS"].replace("http:", "https:")
        found["untrusted"] = untrusted.url
        found["closed port"] = f"http://127.0.0.1:{port}"
        found["no such name"] = "http://nowhere.invalid:80"
        yield found


# Hosts that only read bytes do not parse HTTP, and most of them raise no exception at the end.
BYTES = ("cut", "cut in chunks", "no HTTP")

# Qt and urllib3-future, which niquests installs in place of urllib3, have one error for both ways
# to end a connection.
EITHER = [("reset", "request"), ("disconnected", "request")]
ENDED = {"reset": EITHER, "hung up": EITHER}

# curl does not say why there is no connection.
NOT_WHY = {"closed port": [("connect_failed", "connect")]}

# Host -> the module that it needs, and the scenarios that it reports less exactly.
HOSTS: "dict[str, tuple[Any, str, dict[str, Any]]]" = {
    "sockets": (hosts.sockets, "socket", dict.fromkeys(BYTES)),
    "asyncio": (hosts.asyncio_streams, "asyncio", dict.fromkeys(BYTES)),
    "trio": (hosts.trio_streams, "trio", dict.fromkeys(BYTES)),
    "tornado streams": (hosts.tornado_streams, "tornado", dict.fromkeys(BYTES)),
    "http.client": (hosts.http_client, "http.client", {}),
    "urllib.request": (hosts.urllib_request, "urllib.request", {}),
    "httpx": (hosts.httpx_client, "httpx", {}),
    "httpx async": (hosts.httpx_async_client, "httpx", {}),
    "aiohttp": (hosts.aiohttp_client, "aiohttp", {}),
    "urllib3": (hosts.urllib3_pool, "urllib3", ENDED),
    "requests": (hosts.requests_session, "requests", ENDED),
    "niquests": (hosts.niquests_session, "niquests", ENDED),
    "pycurl": (hosts.pycurl_easy, "pycurl", NOT_WHY),
    "curl_cffi": (hosts.curl_cffi_session, "curl_cffi", NOT_WHY),
    # It has one error for every closed connection.
    "tornado": (
        hosts.tornado_client,
        "tornado",
        {each: [("disconnected", "request")] for each in BYTES},
    ),
}
ALONE: "dict[str, dict[str, Any]]" = {
    "twisted": {},
    "PySide6": {**ENDED, "no HTTP": EITHER},
    "gevent": dict.fromkeys(BYTES),
    "curio": dict.fromkeys(BYTES),
    # Its sockets report a reset as an end.
    "eventlet": {**dict.fromkeys(BYTES), **ENDED},
}


def limit_of(scenario: str) -> float:
    """Seconds: few only if they must run out, so that a slow machine changes nothing."""
    return 0.3 if scenario == "silent" else 10.0


def check(exc: str, scenario: str, got: Any, other: "dict[str, Any]") -> None:
    expected = other.get(scenario, [EXPECTED[scenario]])
    assert tuple(got) in expected, (scenario, exc)


@pytest.mark.parametrize("scenario", EXPECTED)
@pytest.mark.parametrize("name", HOSTS)
def test_a_failure_of_a_library_is_known(name, scenario, urls):
    host, module, other = HOSTS[name]
    pytest.importorskip(module)
    if other.get(scenario, "") is None:
        return
    exc, stage = host(urls[scenario], limit_of(scenario))
    failure = failure_of(exc, stage)
    assert failure.error.__cause__ is exc
    check(repr(exc), scenario, (failure.error.error_code, failure.stage), other)


@pytest.mark.parametrize("name", ALONE)
def test_a_failure_of_a_host_of_another_kind_is_known(name, urls):
    # Not imported: eventlet's patching would reach every test that follows.
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    tests = str(Path(__file__).resolve().parents[1])
    scenarios = [each for each in EXPECTED if ALONE[name].get(each, "") is not None]
    done = subprocess.run(
        [sys.executable, "-m", "support.failing_hosts", name]
        + [f"{limit_of(each)} {urls[each]}" for each in scenarios],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": tests, "EVENTLET_NO_GREENDNS": "yes"},
    )
    assert done.returncode == 0, done.stderr
    for scenario, (code, stage, exc) in zip(scenarios, json.loads(done.stdout)):
        check(exc, scenario, (code, stage), ALONE[name])
