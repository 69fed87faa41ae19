"""Runs of several models, of which the gateway refuses one: simulated time."""

import random
from collections import Counter
from typing import Any, Optional

import pytest

from meshapi_core import RateLimitError
from meshapi_core.bulk import PerMinute, planned_run
from meshapi_core.endpoints import Audio, Completions
from meshapi_core.envelopes import error_from_response
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.retries import Outcome
from support.simulated_runs import SimulatedRunner

BEGIN = 1000.0
BODY = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"4"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,'
    b'"completion_tokens":10,"total_tokens":30},"cost":"0.01"}'
)

JSON = Headers({"content-type": "application/json"})
TRANSCRIPT = b'{"text":"four"}'


def ask(model: str, number: int) -> Any:
    messages: Any = [{"role": "user", "content": str(number)}]
    return Completions.create.build(model=model, messages=messages)


def mixed(count: int) -> Any:
    return (ask("abc"[number % 3], number) for number in range(count))


def refusal(wait: Optional[float] = None) -> Any:
    headers = {} if wait is None else {"retry-after": f"{wait:g}"}
    body = b'{"error":{"code":"rate_limit_exceeded","message":"overloaded"}}'
    error = error_from_response(429, Headers(headers), body)
    error.outcome = Outcome(
        method="POST",
        stage="complete",
        status=429,
        error_code=error.error_code,
        retry_after=error.retry_after_seconds,
    )
    return error


class Provider:
    """Behind a gateway. It is overloaded for a while.

    Args:
        begin, end: of the time in which it refuses calls.
        wait: that it asks for.
        models: whose calls it refuses.
    """

    def __init__(
        self, begin: float, end: float, wait: Optional[float] = None, models: str = "a"
    ) -> None:
        self.models = models
        self.begin, self.end, self.wait = BEGIN + begin, BEGIN + end, wait
        self.random = random.Random(1)
        self.refused: list[float] = []

    def respond(self, now: float, call: Any) -> Any:
        if call.path.startswith("/v1/usage"):
            return 0.1, ValueError("no limits")
        if any(b'"model":"%c"' % name in call.body for name in self.models.encode()) and (
            self.begin <= now < self.end
        ):
            self.refused.append(now)
            return 0.05, refusal(self.wait)
        return self.random.uniform(1, 3), call.read(Response(200, JSON, BODY))


def made(calls: Any, provider: Provider, **options: Any) -> Any:
    """Run; return the items, the summary, the runner, and when each model's last item came."""
    plan: Any = {"concurrency": 12, **options}
    last: dict[str, float] = {}

    def handle(item: Any) -> float:
        last["abc"[item.index % 3]] = runner.now - BEGIN
        return 0.0

    run = planned_run(calls, None, plan, takes_async=False)
    runner = SimulatedRunner(run.flow(), provider.respond, handle)
    items, summary = runner.run()
    return items, summary, runner, last


@pytest.mark.slow
@pytest.mark.parametrize("wait", [None, 20.0], ids=["no wait", "Retry-After"])
@pytest.mark.parametrize("concurrency", [5, "auto"])
def test_an_overloaded_model_does_not_hold_up_the_others(concurrency: Any, wait: Any) -> None:
    """For ten minutes. The others are as fast as if nothing were the matter."""
    count, options = 1_500, {"concurrency": concurrency, "rate_limit": PerMinute(requests=150)}
    *_, without = made(mixed(count), Provider(0, 0), **options)
    provider = Provider(30, 630, wait)
    items, summary, _, last = made(mixed(count), provider, **options)
    assert summary.succeeded == len(items) == count
    assert max(last["b"], last["c"]) <= 1.05 * max(without.values())
    # It is tried now and then, and its calls are made once it is back.
    assert len(provider.refused) < 60
    assert last["a"] <= 630 + 30 + 1.1 * (count / 3 / 150 * 60)


@pytest.mark.slow
def test_a_model_that_is_down_fails_alone_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshapi_core.bulk.pacing.models.GIVEN_UP", 120.0)
    items, summary, _, last = made(mixed(900), Provider(30, 10**9), concurrency=4)
    assert len(items) == 900
    failed = Counter("abc"[item.index % 3] for item in items if item.error is not None)
    assert list(failed) == ["a"]
    assert summary.failed == failed["a"] > 250
    assert all(type(item.error) is RateLimitError for item in items if item.error is not None)
    assert {item.attempts for item in items if item.error is not None} >= {0, 1}
    assert all(item.error.attempts == item.attempts for item in items if item.error is not None)
    assert summary.attempts == sum(item.attempts for item in items)
    assert last["a"] <= max(last.values()) < 400


@pytest.mark.slow
def test_a_model_that_comes_back_late_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshapi_core.bulk.pacing.models.GIVEN_UP", 60.0)
    items, _, _, _ = made(mixed(900), Provider(30, 200), concurrency=4)
    failed = {item.index for item in items if item.error is not None}
    assert failed
    assert all(item.index in failed or item.value is not None for item in items)
    assert max(failed) < 700


@pytest.mark.slow
def test_calls_that_wait_are_bounded_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshapi_core.bulk.pacing.models.MOST_KEPT", 50)
    pulled = handed = most = 0

    def calls() -> Any:
        nonlocal pulled
        for call in mixed(900):
            pulled += 1
            yield call

    def handle(item: Any) -> float:
        nonlocal handed, most
        handed += 1
        most = max(most, pulled - handed)
        return 0.0

    run = planned_run(calls(), None, {"concurrency": 4}, takes_async=False)
    items, summary = SimulatedRunner(run.flow(), Provider(30, 300).respond, handle).run()
    assert summary.succeeded == len(items) == 900
    assert most <= 50 + 2 * 4 + 1


def test_files_in_memory_count_among_the_bytes_that_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("meshapi_core.bulk.pacing.models.MOST_BYTES", 20_000)
    pulled = handed = most = 0

    def calls() -> Any:
        nonlocal pulled
        for number in range(150):
            pulled += 1
            if number % 3:
                yield ask("b", number)
            else:
                yield Audio.transcribe.build(model="a", file=(b"%04d" % number) * 250)

    def handle(item: Any) -> float:
        nonlocal handed, most
        handed += 1
        most = max(most, pulled - handed)
        return 0.0

    def respond(now: float, call: Any) -> Any:
        if isinstance(call.body, bytes):
            return Provider(0, 0).respond(now, call)
        return (0.05, refusal()) if now < 1300 else (1, call.read(Response(200, JSON, TRANSCRIPT)))

    run = planned_run(calls(), None, {"concurrency": 4}, takes_async=False)
    items, summary = SimulatedRunner(run.flow(), respond, handle).run()
    assert summary.succeeded == len(items) == 150
    assert most <= 20 + 2 * 4 + 1


@pytest.mark.parametrize("names", ["a", "ab"])
def test_a_run_whose_models_are_all_refused_waits_as_one(names: str) -> None:
    provider = Provider(10, 60, models=names)
    calls = [ask(names[number % len(names)], number) for number in range(100)]
    items, summary, _, _ = made(calls, provider)
    assert summary.succeeded == len(items) == 100
    waves = sorted({round(when, 6) for when in provider.refused})
    assert all(later - earlier >= 0.25 for earlier, later in zip(waves, waves[1:]))


@pytest.mark.parametrize("order", ["completion", "input"])
@pytest.mark.parametrize("others", [1, 2])
def test_a_suspect_is_called_again_when_nothing_else_is_left(others: int, order: Any) -> None:
    """Fewer others are served than would show whose limit it is."""
    provider = Provider(0, 100)
    calls = [ask("a", 0), *(ask("b", number) for number in range(1, 1 + others))]
    items, summary, _, _ = made(calls, provider, concurrency=2, order=order)
    assert summary.succeeded == len(items) == 1 + others


def test_a_call_that_waits_for_its_model_is_dropped_by_a_budget() -> None:
    """It has not begun: another run makes it. Those that were refused before have an item."""
    from meshapi import Budget

    provider = Provider(0, 10**9)
    items, summary, runner, _ = made(mixed(10_000), provider, budget=Budget(requests=100))
    assert (summary.stopped, summary.limit) == ("budget", "requests")
    sent = Counter(call.body for _, call in runner.attempts if call.path != "/v1/usage/rate-limits")
    assert len(items) == 100
    assert len(sent) >= 100
    assert sum(item.error is not None for item in items) < 40


@pytest.mark.slow
def test_a_run_that_stops_makes_the_calls_that_were_sent_once() -> None:
    """Also those that wait for a model that is one of many again just then."""
    from meshapi import Budget

    for requests in range(20, 60, 3):
        provider = Provider(2, 30)
        items, summary, runner, _ = made(
            mixed(10_000), provider, concurrency=4, budget=Budget(requests=requests)
        )
        assert summary.limit == "requests"
        sent = {call.body for _, call in runner.attempts if b"messages" in call.body}
        assert len(items) == len(sent) == requests
        assert all(item.error is None for item in items)
