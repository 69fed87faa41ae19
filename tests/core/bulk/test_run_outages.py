"""Runs whose gateway cannot be reached for a while: simulated time."""

from typing import Any

import pytest
from core.bulk.test_run import Ledger, ask, drive, good, simulated
from hypothesis import given, settings
from hypothesis import strategies as st

from meshapi_core import APIConnectionError
from meshapi_core.retries import Outcome


def no_connection(stage: Any = "connect") -> Any:
    error = APIConnectionError("no connection to gateway.example", error_code="connect_refused")
    error.outcome = Outcome("POST", stage, error_code="connect_refused")
    return error


def away(begin: float, end: float, stage: Any = "connect", latency: float = 1.0) -> Any:
    """A gateway that cannot be reached between two times, in seconds since the run began."""

    def respond(now: float, call: Any) -> Any:
        if begin <= now - 1000 < end:
            return 0.01, no_connection(stage)
        return latency, good(call)

    return respond


@given(
    count=st.integers(1, 300),
    concurrency=st.one_of(st.just("auto"), st.integers(1, 40)),
    begin=st.floats(0.5, 20),
    seconds=st.floats(0, 30),
    latency=st.floats(0.5, 3),
)
@settings(max_examples=25)
def test_an_outage_of_30_seconds_fails_no_call(
    count: int, concurrency: Any, begin: float, seconds: float, latency: float
) -> None:
    respond = away(begin, begin + seconds, latency=latency)
    calls = (ask(str(number)) for number in range(count))
    _, runner = simulated(calls, respond, concurrency=concurrency)
    items, summary = runner.run()
    assert len(items) == count
    # At first, nobody knows whether there is a gateway at all.
    if begin > latency:
        assert summary.failed == 0
    during = [when for when, _ in runner.attempts if begin <= when - 1000 < begin + seconds]
    assert len(during) <= 10 + runner.most + 12


@pytest.mark.parametrize("on_error", ["return", "skip", "raise"])
def test_an_outage_that_lasts_ends_the_run(on_error: Any) -> None:
    run, runner = simulated(
        (ask(str(number)) for number in range(100_000)), away(60, 10**9), on_error=on_error
    )
    items: list[Any] = []
    with pytest.raises(APIConnectionError, match="no connection to gateway") as e:
        drive(runner, items)
    # Nothing that was done is lost, and no call has failed.
    assert {item.error for item in items} == {None}
    assert len(items) == run.results.done == 300
    assert "after 300 calls: with journal=, the same command" in str(e.value)
    assert e.value.error_code == "connect_refused"
    assert run.results.stopped == "error"
    assert len([when for when, _ in runner.attempts if when >= 1060]) <= 50
    assert 1360 <= runner.now <= 1400


@pytest.mark.parametrize("concurrency", [1, 50, "auto"])
def test_a_wrong_address_is_found_out_soon(concurrency: Any) -> None:
    _, runner = simulated(
        (ask(str(number)) for number in range(100_000)), away(0, 10**9), concurrency=concurrency
    )
    items: list[Any] = []
    with pytest.raises(APIConnectionError, match="could not be reached"):
        drive(runner, items)
    assert len(runner.attempts) <= 10 + 50 + 5
    assert len(items) < 10
    assert runner.now < 1020


def test_an_identity_that_is_refused_is_not_tried_for_every_call() -> None:
    _, runner = simulated(
        (ask(str(number)) for number in range(100_000)), away(10, 10**9, "verify"), concurrency=4
    )
    items: list[Any] = []
    with pytest.raises(APIConnectionError, match="could not be reached"):
        drive(runner, items)
    assert sum(item.error is None for item in items) == 40
    assert sum(item.error is not None for item in items) < 10
    assert runner.now < 1020


def test_few_calls_have_their_errors() -> None:
    _, runner = simulated([ask(), ask()], away(0, 10**9))
    items, summary = runner.run()
    assert [item.attempts for item in items] == [4, 4]
    assert summary.errors == {"connect_refused": 2}


def test_a_budget_of_seconds_ends_an_outage() -> None:
    _, runner = simulated(
        (ask(str(number)) for number in range(1_000)), away(5, 10**9), budget=Ledger(seconds=30)
    )
    items, summary = runner.run()
    assert (summary.stopped, summary.limit) == ("budget", "seconds")
    assert summary.succeeded == 25
    assert runner.now <= 1030.1
    assert {type(item.error) for item in items} == {type(None), APIConnectionError}


def test_the_program_is_told_of_an_outage() -> None:
    said = []
    _, runner = simulated(
        (ask(str(number)) for number in range(200)), away(5, 60), on_progress=said.append
    )
    runner.run()
    told = [progress.what for progress in said if "waiting" in progress.what]
    assert told
    assert all(what.endswith(" s: the gateway cannot be reached") for what in told)
    assert "waiting" not in said[-1].what
