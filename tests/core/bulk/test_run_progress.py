"""What a program is told while a run goes on: simulated time."""

from typing import Any, Optional

import pytest
from core.bulk.test_run import ask, good, refused, simulated

from meshapi_core.bulk import PerMinute


def told(respond: Any, count: int = 40, **options: Any) -> tuple[list[tuple[float, str]], Any]:
    """Run; return what was told when, without the money, and the summary."""
    said: list[tuple[float, str]] = []

    def tell(progress: Any) -> None:
        parts = [part for part in progress.what.split(", ") if part[:1] != "$"]
        said.append((runner.now - 1000, ", ".join(parts)))

    calls = [ask(str(number)) for number in range(count)]
    _, runner = simulated(
        calls,
        respond,
        on_progress=tell,
        **options,
    )
    _, summary = runner.run()
    return said, summary


def test_a_pause_that_the_gateway_asks_for_is_told() -> None:
    def respond(now: float, call: Any) -> Any:
        return 1.0, refused(wait=24) if 1_010 <= now < 1_012 else good(call)

    said, summary = told(respond, 60)
    waits = [(when, what) for when, what in said if what]
    assert waits
    assert all(what.endswith(" s: the gateway asked for a pause") for _, what in waits)
    _, what = waits[0]
    assert 24 <= int(what.split()[1]) <= 40
    # Told once, not at each end of an attempt, and taken back when it is over.
    assert len(waits) <= 5
    assert all(when > waits[-1][0] for when, what in said[-3:])
    assert summary.succeeded == 60
    assert 0 < summary.rate_limited == summary.attempts - 60


@pytest.mark.parametrize("wait", [None, 2.0])
def test_a_short_wait_is_not(wait: Optional[float]) -> None:
    def respond(now: float, call: Any) -> Any:
        return 1.0, refused(wait=wait) if 1_003 <= now < 1_004 else good(call)

    said, _ = told(respond)
    assert {what for _, what in said} == {""}


def test_a_wait_for_the_rate_limit_is_told() -> None:
    said, summary = told(None, 8, rate_limit=PerMinute(requests=4))
    assert any(what.endswith(" s: the rate limit is used up") for _, what in said)
    assert said[-1][1] == ""
    assert summary.rate_limited == 0


def test_a_wait_of_a_retry_is_told_when_nothing_else_is_to_do() -> None:
    def respond(now: float, call: Any) -> Any:
        return 1.0, good(call) if now > 1_005 else refused(502, wait=20, code="x")

    said, _ = told(respond, 2)
    assert any("waiting" in what and what.endswith("that have failed") for _, what in said)
    assert said[-1][1] == ""


def test_failures_are_told_together_with_a_wait() -> None:
    def respond(now: float, call: Any) -> Any:
        if now < 1_001:
            return 1.0, refused(400, code="bad")
        return 1.0, refused(wait=10) if now < 1_005 else good(call)

    said, _ = told(respond)
    assert any(what.startswith("5 failed, waiting 1") for _, what in said)
    assert said[-1][1] == "5 failed"
