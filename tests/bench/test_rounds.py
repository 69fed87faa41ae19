"""Contenders in separate processes of this interpreter, which has no other library."""

import sys

import pytest

from bench import environments
from bench.contender import Trials, fit_for_a_page
from bench.environments import Unavailable
from bench.rounds import Pace, measure
from bench.rows import Row, contenders

PACE = Pace(processes=2, fresh=3, samples=2, seconds=0.001, budget=5, patience=60, megabytes=1)
PACED = {"prefix": "/paced/3/5/50", "streams": 3, "chunks": 5, "at_once": 3}
PYTHONS = dict.fromkeys(("ours", "server", "nobody"), sys.executable)


def measured(row: Row, **missing: str) -> dict:
    return measure(row, PYTHONS, missing, PACE, ("", ""))


@pytest.mark.slow
def test_contenders_take_turns_and_those_that_fail_do_not_stop_the_others() -> None:
    row = Row(
        "a", "", "create.blocking", contenders("openai, ours, h11, socket, nobody"), {"cpu": ""}
    )
    results = measured(row, openai="pip could not install it")
    assert results["openai"] == {"reason": "pip could not install it"}
    nobody = "ModuleNotFoundError: No module named 'bench.peers.nobody'"
    assert results["nobody"] == {"reason": nobody}
    for label in ("meshapi", "socket + h11 + msgspec", "bare socket"):
        samples = results[label]["samples"]
        assert [each["round"] for each in samples] == [0, 1, 2, 3]
        assert all(each["cpu"] > 0 for each in samples)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "options", "server"),
    [
        ("create.at_once", {"at_once": 3}, "http"),
        ("create.at_once", {"at_once": 3, "loop": "trio"}, "http"),
        ("create.threads", {"at_once": 3}, "http"),
        ("create.embeddings", {"encoding": "base64"}, "http"),
        ("streams.whole", {"prefix": "/stream/3", "chunks": 3}, "stream"),
        ("streams.awhole", {"prefix": "/stream/3/9", "chunks": 3}, "stream"),
        ("streams.first", {"prefix": "/stream/3"}, "stream"),
        ("streams.paced", PACED, "stream"),
        ("memory.client", {"count": 3}, "http"),
        ("memory.idle", {"at_once": 3}, "http"),
        ("core.sse", {"pieces": "tiny", "ends": "crlf"}, None),
        ("core.chunks", {"pieces": "frame", "kind": "tools"}, None),
        ("transfers.blocking", {"direction": "up"}, "bulk"),
        ("transfers.on_a_loop", {"direction": "down"}, "bulk"),
        ("echo.events", {"flow": True}, "echo"),
        ("echo.blocking", {"flow": False}, "echo"),
    ],
)
def test_each_kind_of_case_runs(case: str, options: dict, server: str) -> None:
    row = Row("a", "", case, contenders("ours"), {"cpu": ""}, options, server=server, fresh=True)
    if sys.platform != "linux" and case.startswith(("transfers", "memory", "streams.paced")):
        pytest.skip("needs /proc")
    results = measured(row._replace(at_most=1))
    assert "reason" not in results["meshapi"], results
    (sample,) = results["meshapi"]["samples"]
    assert set(sample) - {"round"} <= {"cpu", "rss"}
    assert sample.get("cpu", 1) > 0


def test_an_environment_that_cannot_be_made_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def python(name: str) -> str:
        if name == "ours":
            return "python"
        raise Unavailable("pip took too long") if name == "openai" else FileNotFoundError(2, "x")

    monkeypatch.setattr(environments, "python", python)
    assert environments.make(["ours", "openai", "aiohttp", "ours"]) == (
        {"ours": "python"},
        {"openai": "pip took too long", "aiohttp": "FileNotFoundError"},
    )


def test_a_sample_is_as_many_rounds_as_fill_its_time() -> None:
    trials = Trials(seconds=1.0, least=100)
    tried = []
    for count in trials:
        tried.append(count)
        trials.spent = count / 2000
    assert tried == [100, 100, 300, 900]
    assert trials.count == 2000


def test_what_takes_long_is_tried_once() -> None:
    trials = Trials(seconds=0.1, least=1000)
    for _ in trials:
        trials.spent = 5.0
    assert trials.count == 1000


def test_errors_are_shown_without_paths() -> None:
    path = "/" + "srv/python/lib/x.py"
    assert fit_for_a_page(OSError(f"no such file: {path} here\nmore")) == (
        "OSError: no such file: ... here"
    )
    assert fit_for_a_page(ValueError()) == "ValueError"
