"""Rate limits and budgets of whole runs, in simulated time: flow, admission, retries, settling."""

import json
import random
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Optional

import pytest

from meshapi_core.bulk import PerMinute, planned_run
from meshapi_core.endpoints import Completions
from meshapi_core.envelopes import error_from_response
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.response_meta import RateLimitHeaders
from meshapi_core.retries import Outcome
from support.rate_limits import Gateway
from support.simulated_runs import SimulatedRunner

HOUR = 3600.0
BEGIN = 1000.0
"""When a simulated run begins."""


def calls(number: Optional[int] = None) -> Iterator[Any]:
    """Calls of about 30 model tokens of input, and up to 300 of output."""
    for index in count() if number is None else range(number):
        text = f"Question {index}: " + "word " * 20
        yield Completions.create.build(
            model="m", messages=[{"role": "user", "content": text}], max_tokens=300
        )


class Simulation:
    """A run against a gateway with limits.

    Args:
        gateway: counts.
        names_wait: whether a refusal says how long to wait.
        tells: whether the gateway has `usage.rate_limits()`.
        fails: the share of attempts that fail with 502.
        latency: of an attempt that is served.
        seed: for what varies.
        options: of `map`.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        names_wait: bool = True,
        tells: bool = True,
        fails: float = 0.0,
        latency: Callable[[random.Random], float] = lambda source: source.uniform(0.2, 3.0),
        seed: int = 1,
        **options: Any,
    ) -> None:
        self.gateway, self.names_wait, self.tells, self.fails = gateway, names_wait, tells, fails
        self.latency, self.options = latency, options
        self.random = random.Random(seed)

    def run(self, given: Iterator[Any]) -> tuple[list[Any], Any, float]:
        """Return the items, the summary and the seconds that it took."""
        plan: Any = {"concurrency": 300, **self.options}
        flow = planned_run(given, None, plan, takes_async=False).flow()
        runner = SimulatedRunner(flow, self.respond)
        items, summary = runner.run()
        return items, summary, runner.now - BEGIN

    def respond(self, now: float, call: Any) -> tuple[float, Any]:
        if call.path.startswith("/v1/usage"):
            return 0.2, (self.told(now, call) if self.tells else ValueError("unknown"))
        tokens = self.random.randint(60, 140)
        served, wait, said = self.gateway.receive(now, tokens)
        headers = {"content-type": "application/json", **as_headers(said)}
        if not served:
            if self.names_wait:
                headers["retry-after"] = f"{wait:g}"
            return 0.05, failure(429, "rate_limit_exceeded", headers)
        if self.random.random() < self.fails:
            return self.latency(self.random), failure(502, "upstream_error", headers)
        usage = {"prompt_tokens": 40, "completion_tokens": tokens - 40, "total_tokens": tokens}
        choice = {"index": 0, "message": {"role": "assistant", "content": "4"}}
        body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        body.update(choices=[choice], usage=usage, cost="0.01")
        response = Response(200, Headers(headers), json.dumps(body).encode())
        return self.latency(self.random), call.read(response)

    def told(self, now: float, call: Any) -> Any:
        limits = {}
        for name, limit in zip(("requests", "tokens"), self.gateway.limits):
            if limit(now) is not None:
                limits[f"{name}_per_minute"] = {"current": 0, "limit": limit(now), "pct": 0}
        body = json.dumps({"key": limits}).encode()
        return call.read(Response(200, Headers({"content-type": "application/json"}), body))


def as_headers(said: Optional[RateLimitHeaders]) -> dict[str, str]:
    headers = {}
    for name in ("requests", "tokens") if said is not None else ():
        limit = getattr(said, name)
        if limit.limit is not None:
            headers[f"x-ratelimit-limit-{name}"] = str(limit.limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(limit.remaining)
            headers[f"x-ratelimit-reset-{name}"] = f"{limit.reset:g}s"
    return headers


def failure(status: int, code: str, headers: dict[str, str]) -> Any:
    body = json.dumps({"error": {"code": code, "message": "no"}}).encode()
    error = error_from_response(status, Headers(headers), body)
    error.outcome = Outcome(
        method="POST",
        stage="complete",
        status=status,
        error_code=error.error_code,
        retry_after=error.retry_after_seconds,
    )
    return error


WINDOWS = pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "sliding"])


def changing(before: int, after: int) -> Callable[[float], int]:
    return lambda now: before if now < BEGIN + HOUR / 2 else after


@pytest.mark.slow
@WINDOWS
@pytest.mark.parametrize(("before", "after"), [(60, 100), (100, 60)], ids=["up", "down"])
def test_an_hour_keeps_a_limit_that_changes_half_way(fixed: bool, before: int, after: int) -> None:
    """As "auto" hears of it, with failures that are retried."""
    gateway = Gateway(changing(before, after), fixed=fixed)
    sum_of_limits = 30 * (before + after)
    simulation = Simulation(gateway, fails=0.05)
    items, summary, seconds = simulation.run(calls(round(sum_of_limits * 0.95)))
    assert summary.succeeded == len(items) == round(sum_of_limits * 0.95)
    # With the retries, these are as many requests as there may be in an hour.
    assert summary.attempts >= 0.98 * sum_of_limits
    assert seconds <= HOUR / 0.95
    assert gateway.refused <= 5
    half = BEGIN + HOUR / 2
    ours = gateway.ours[0]
    assert max(ours.fullest(half + 70), 1) <= 1.05 * after
    ledger_before = [when for when in ours.times if when < half]
    assert len(ledger_before) >= 0.95 * 30 * before


@pytest.mark.slow
@WINDOWS
def test_an_hour_keeps_limits_of_requests_and_of_model_tokens(fixed: bool) -> None:
    """The estimate of a call is three times what it uses."""
    gateway = Gateway(lambda now: 100, lambda now: 6_000, fixed=fixed, refuses=False, says=False)
    limit = PerMinute(requests=100, tokens=6_000)
    simulation = Simulation(gateway, fails=0.02, rate_limit=limit)
    # The mean is 100 model tokens a call.
    items, summary, seconds = simulation.run(calls(3_500))
    assert summary.succeeded == len(items) == 3_500
    assert gateway.ours[0].fullest() <= 1.05 * 100
    assert gateway.ours[1].fullest() <= 1.05 * 6_000
    assert gateway.ours[1].sums[-1] >= 0.95 * 6_000 * seconds / 60


@pytest.mark.slow
@WINDOWS
@pytest.mark.parametrize("tells", [True, False], ids=["told", "headers"])
def test_others_who_use_the_account_keep_their_part(fixed: bool, tells: bool) -> None:
    gateway = Gateway(lambda now: 120, fixed=fixed, others=lambda now: 0.8)
    simulation = Simulation(gateway, tells=tells, concurrency=50)
    items, _, seconds = simulation.run(calls(2_000))
    assert all(item.error is None for item in items)
    # They leave 72 a minute.
    assert seconds <= 2_000 / 72 * 60 / 0.88
    assert gateway.refused <= 0.06 * 2_000 + 50


@pytest.mark.slow
@WINDOWS
@pytest.mark.parametrize("names_wait", [True, False], ids=["Retry-After", "no wait"])
def test_a_limit_that_only_refusals_show(fixed: bool, names_wait: bool) -> None:
    gateway = Gateway(lambda now: 120, fixed=fixed, says=False)
    simulation = Simulation(gateway, tells=False, names_wait=names_wait, concurrency=30)
    items, summary, seconds = simulation.run(calls(3_000))
    assert summary.succeeded == len(items) == 3_000
    assert seconds <= 3_000 / 120 * 60 / 0.8
    assert gateway.refused <= 0.2 * 3_000


@WINDOWS
def test_a_small_run_does_not_wait_for_a_limit(fixed: bool) -> None:
    gateway = Gateway(lambda now: 1_000, fixed=fixed)
    _, summary, seconds = Simulation(gateway).run(calls(400))
    assert summary.succeeded == 400
    assert not gateway.refused
    assert seconds < 8


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tokens", "cost_usd"])
def test_a_budget_is_exceeded_by_less_than_a_call(name: str) -> None:
    """However many run at once."""
    from decimal import Decimal

    from meshapi import Budget

    limit: Any = 50_000 if name == "tokens" else Decimal("5.005")
    budget: Any = Budget(**{name: limit})
    simulation = Simulation(Gateway(), rate_limit=None, concurrency=100, budget=budget)
    _, summary, _ = simulation.run(calls())
    assert (summary.stopped, summary.limit) == ("budget", name)
    spent = budget.spent.total_tokens if name == "tokens" else budget.spent.cost_usd
    call = 140 if name == "tokens" else Decimal("0.01")
    assert limit - 3 * call <= spent <= limit + 3 * call
