"""A run of many calls, on a clock that jumps: what is sent when, and what the program gets."""

import random
from collections import Counter
from decimal import Decimal
from typing import Any, Optional

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshapi_core import InvalidParamsError, MeshAPIError, RateLimitError
from meshapi_core.bulk import PerMinute, planned_run
from meshapi_core.endpoints import Completions
from meshapi_core.envelopes import error_from_response
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.retries import Outcome
from meshapi_core.usage import BudgetLimits, PriceList, TotalUsage
from support.simulated_runs import SimulatedRunner

BODY = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"4"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,'
    b'"completion_tokens":10,"total_tokens":30},"cost":"0.01"}'
)


def ask(text: str = "2+2", **fields: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    return Completions.create.build(model="m", messages=messages, **fields)


def good(call: Any) -> Any:
    return call.read(Response(200, Headers({"content-type": "application/json"}), BODY))


def refused(status: int = 429, wait: Optional[float] = None, code: str = "") -> Any:
    headers = {} if wait is None else {"retry-after": f"{wait:g}"}
    body = b'{"error":{"code":"%s","message":"no"}}' % (code or "rate_limit_exceeded").encode()
    error = error_from_response(status, Headers(headers), body)
    error.outcome = Outcome(
        method="POST",
        stage="complete",
        status=status,
        error_code=error.error_code,
        retry_after=error.retry_after_seconds,
    )
    return error


def simulated(calls: Any, respond: Any = None, handle: Any = None, **options: Any) -> Any:
    plan: Any = {"rate_limit": None, "concurrency": 5, **options}
    template = plan.pop("template", None)
    run = planned_run(calls, template, plan, takes_async=True)

    def responding(now: float, call: Any) -> Any:
        if call.path.startswith("/v1/usage"):
            return 0.1, ValueError("no limits")
        return (1.0, good(call)) if respond is None else respond(now, call)

    runner = SimulatedRunner(run.flow(), responding, handle or (lambda item: 0.0))
    return run, runner


class Ledger:
    """A budget that nobody else shares."""

    def __init__(self, **limits: Any) -> None:
        self.limits = BudgetLimits(**limits)
        self.prices = PriceList()
        self.spent = TotalUsage()

    def spend(self, model: str, usage: TotalUsage) -> None:
        assert model == "m"
        self.spent += usage


def test_calls_that_have_ended_together_are_replaced_in_batches() -> None:
    """Otherwise all begin and end in step, and gateway and program wait for each other in turns."""
    _, runner = simulated([ask()] * 1000, concurrency=160)
    items, _ = runner.run()
    assert len(items) == 1000
    first, *others = runner.begun
    assert first == 160
    assert max(others) == 8


def test_the_time_that_a_program_takes_for_an_item_is_part_of_the_wait() -> None:
    """A limit of one call a second, and 0.9 seconds for each item."""
    limit = PerMinute(requests=60)
    _, runner = simulated(
        [ask()] * 200,
        lambda now, call: (0.1, good(call)),
        lambda item: 0.9,
        concurrency=50,
        rate_limit=limit,
    )
    runner.run()
    assert runner.now - 1000 <= 210


@given(
    count=st.integers(0, 60),
    concurrency=st.one_of(st.just("auto"), st.integers(1, 20)),
    order=st.sampled_from(["completion", "input"]),
    seed=st.integers(0, 10**6),
)
def test_every_call_has_one_item(count: int, concurrency: Any, order: str, seed: int) -> None:
    drawn = random.Random(seed)

    def respond(now: float, call: Any) -> Any:
        outcome = drawn.choice(["good", "good", "429", "503", "400", "lost"])
        seconds = drawn.uniform(0.01, 20)
        if outcome == "good":
            return seconds, good(call)
        if outcome == "lost":
            error = MeshAPIError("lost", error_code="network")
            error.outcome = Outcome("POST", "connect", error_code="network")
            return seconds, error
        code = "" if outcome == "429" else "x"
        return seconds, refused(int(outcome), drawn.choice([None, 1, 30]), code)

    calls = [ask(str(number)) for number in range(count)]
    run, runner = simulated(calls, respond, concurrency=concurrency, order=order)
    items, summary = runner.run()
    indexes = [item.index for item in items]
    assert sorted(indexes) == list(range(count))
    if order == "input":
        assert indexes == list(range(count))
    assert all((item.value is None) != (item.error is None) for item in items)
    assert summary.calls == count
    assert summary.stopped == run.results.stopped == "completed"
    assert summary.attempts == len(runner.attempts) == sum(item.attempts for item in items)
    assert summary.failed == sum(item.error is not None for item in items)
    bodies = Counter(call.body for _, call in runner.attempts)
    assert {item.attempts for item in items if item.error is None} <= set(range(1, 30))
    assert bodies == {calls[item.index].body: item.attempts for item in items}
    if concurrency != "auto":
        assert runner.most <= concurrency


@pytest.mark.parametrize("order", ["completion", "input"])
@pytest.mark.parametrize("concurrency", [1, 10, 100])
def test_memory_is_bounded_by_the_concurrency(order: str, concurrency: int) -> None:
    """However slow the program is, and in whatever order results come."""
    pulled = handed = most = 0

    def calls() -> Any:
        nonlocal pulled, most
        for number in range(2_000):
            pulled += 1
            most = max(most, pulled - handed)
            yield ask(str(number))

    def handle(item: Any) -> float:
        nonlocal handed
        handed += 1
        return 0.5 if handed % 7 else 30.0

    drawn = random.Random(1)
    _, runner = simulated(
        calls(),
        lambda now, call: (drawn.choice([0.1, 1, 1, 60]), good(call)),
        handle,
        order=order,
        concurrency=concurrency,
    )
    items, _ = runner.run()
    assert len(items) == 2_000
    assert most <= (2 if order == "completion" else 4) * concurrency + 1


def test_a_refusal_delays_all_calls_and_loses_none() -> None:
    """For 100 seconds, the gateway refuses everything."""

    def respond(now: float, call: Any) -> Any:
        return 0.1, (refused(wait=5) if now < 1_100 else good(call))

    _, runner = simulated([ask(str(n)) for n in range(300)], respond, concurrency=50)
    items, summary = runner.run()
    assert summary.succeeded == 300
    assert not summary.failed
    refusals = [when for when, _ in runner.attempts if when < 1_100]
    # A wave each five seconds at most, of fifty calls.
    assert len(refusals) <= 50 * 21
    for one, other in zip(refusals, refusals[1:]):
        assert other == one or other - one >= 5
    assert {item.error for item in items} == {None}


def test_a_call_that_fails_does_not_hold_up_others() -> None:
    def respond(now: float, call: Any) -> Any:
        return (0.1, refused(503, code="x") if b'"bad"' in call.body else good(call))

    calls = [ask("bad"), *(ask(str(n)) for n in range(50))]
    _, runner = simulated(calls, respond, concurrency=2)
    items, summary = runner.run()
    assert summary.failed == 1
    bad = next(item for item in items if item.error is not None)
    assert bad.index == 0
    assert bad.attempts == bad.error.attempts == 4
    assert items.index(bad) > 5


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"cost_usd": Decimal("0.5")}, 50),
        ({"tokens": 900}, 30),
        ({"requests": 17}, 17),
        ({"seconds": 10}, 55),
    ],
)
def test_a_budget_ends_the_run_without_an_error(limits: Any, most: int) -> None:
    ledger = Ledger(**limits)
    run, runner = simulated((ask(str(n)) for n in range(10_000)), budget=ledger)
    items, summary = runner.run()
    assert run.results.stopped == summary.stopped == "budget"
    assert summary.limit == next(iter(limits))
    # Where amounts are reserved, the last call may be one that does not fit.
    assert most - (0 if "requests" in limits else 5) <= len(items) <= most
    assert ledger.spent.requests == len(items)
    assert ledger.spent.cost_usd == Decimal("0.01") * len(items)


def test_a_budget_of_failures() -> None:
    ledger = Ledger(failures=3)
    _, runner = simulated(
        (ask(str(n)) for n in range(1_000)),
        lambda now, call: (1.0, refused(400, code="bad_request")),
        budget=ledger,
    )
    items, summary = runner.run()
    assert summary.stopped == "budget"
    assert summary.limit == "failures"
    assert 3 <= summary.failed == len(items) <= 3 + 4


@pytest.mark.parametrize("status", [401, 402])
def test_an_error_that_all_would_meet_ends_the_run(status: int) -> None:
    def respond(now: float, call: Any) -> Any:
        return 1.0, (good(call) if now < 1_003 else refused(status, code="x"))

    run, runner = simulated((ask(str(n)) for n in range(1_000)), respond)
    items: list[Any] = []
    with pytest.raises(MeshAPIError) as caught:
        drive(runner, items)
    assert caught.value.status == status
    assert run.results.stopped == "error"
    assert len(items) == 15
    assert len(runner.attempts) == 20


def drive(runner: Any, items: list[Any]) -> None:
    """Run, and keep the items, also where an error ends the run."""

    def handle(item: Any) -> float:
        items.append(item)
        return 0.0

    runner._handle = handle
    runner.run()


def test_an_iterable_that_raises_loses_nothing() -> None:
    def calls() -> Any:
        for number in range(12):
            yield ask(str(number))
        raise LookupError("the database is gone")

    run, runner = simulated(calls())
    items: list[Any] = []
    with pytest.raises(LookupError):
        drive(runner, items)
    assert len(items) == 12
    assert run.results.stopped == "error"


def test_a_wrong_item_is_named_after_the_others_have_ended() -> None:
    wrong: Any = [ask("a"), ask("b"), "no call", ask("c")]
    _, runner = simulated(wrong)
    items: list[Any] = []
    with pytest.raises(InvalidParamsError, match=r"calls\[2\]"):
        drive(runner, items)
    assert [item.index for item in items] == [0, 1]


def some_fail(now: float, call: Any) -> Any:
    return 1.0, (refused(400, code="bad") if b'"3"' in call.body else good(call))


def test_errors_can_be_raised() -> None:
    _, runner = simulated((ask(str(n)) for n in range(100)), some_fail, on_error="raise")
    items: list[Any] = []
    with pytest.raises(MeshAPIError) as caught:
        drive(runner, items)
    assert caught.value.status == 400
    assert {item.index for item in items} == {0, 1, 2, 4}


def test_errors_can_be_left_out() -> None:
    calls = [ask(str(n)) for n in range(10)]
    _, runner = simulated(calls, some_fail, on_error="skip", order="input")
    items, summary = runner.run()
    assert [item.index for item in items] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert (summary.calls, summary.failed, summary.skipped) == (10, 1, 1)


def test_an_async_iterable() -> None:
    async def calls() -> Any:
        for number in range(40):
            yield ask(str(number))

    _, runner = simulated(calls(), order="input")
    items, _ = runner.run()
    assert [item.index for item in items] == list(range(40))


def test_an_async_iterable_that_raises() -> None:
    async def calls() -> Any:
        yield ask("a")
        raise LookupError("the queue is gone")

    _, runner = simulated(calls())
    items: list[Any] = []
    with pytest.raises(LookupError):
        drive(runner, items)
    assert len(items) == 1


@pytest.mark.parametrize("wait", [None, 1.0])
def test_limits_per_minute_are_kept_by_retries_too(wait: Optional[float]) -> None:
    """A gateway refuses every third request."""
    count = 0

    def respond(now: float, call: Any) -> Any:
        nonlocal count
        count += 1
        return 0.1, (good(call) if count % 3 else refused(503, code="x"))

    limit: Any = PerMinute(requests=120)
    _, runner = simulated(
        (ask(str(n)) for n in range(500)), respond, concurrency=100, rate_limit=limit
    )
    items, _ = runner.run()
    assert len(items) == 500
    times = [when for when, _ in runner.attempts]
    for position, when in enumerate(times):
        in_a_minute = sum(1 for other in times[position : position + 200] if other < when + 60)
        assert in_a_minute <= 126


def test_the_keys_of_rows() -> None:
    rows = [{"id": 7, "text": "a"}, {"custom_id": "x", "text": "b"}, {"text": "c"}]
    _, runner = simulated(rows, template=ask("Say {text}"), order="input")
    items, _ = runner.run()
    assert [item.id for item in items] == ["7", "x", "call-2"]
    said = [call.body for _, call in runner.attempts]
    assert all(text in body for text, body in zip((b"Say a", b"Say b", b"Say c"), said))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"concurrency": "max"}, "concurrency"),
        ({"rate_limit": 500}, "PerMinute"),
        ({"rate_limit": "fast"}, "rate_limit"),
        ({"on_error": "ignore"}, "on_error"),
        ({"order": "random"}, "order"),
        ({"via": "mail"}, "via"),
        ({"resume": "yes"}, "resume"),
        ({"retry_failed": None}, "retry_failed"),
        ({"journal": b"x"}, "os.fsdecode"),
        ({"journal": ""}, "journal"),
        ({"journal": "folder/"}, "journal"),
        ({"budget": 5}, "Budget"),
        ({"max_workers": 5}, "concurrency="),
        ({"rpm": 5}, "PerMinute"),
        ({"concurency": 5}, "concurrency"),
        ({"max_retries": 5}, "with_options"),
        ({"timeout": 5}, "with_options"),
    ],
)
def test_wrong_options_are_refused_at_once(options: Any, words: str) -> None:
    with pytest.raises(InvalidParamsError, match=words):
        planned_run([], None, options, takes_async=False)


@pytest.mark.parametrize("calls", [None, 5, "text", ask(), {"a": 1}, ask])
def test_wrong_calls_are_refused_at_once(calls: Any) -> None:
    with pytest.raises(InvalidParamsError, match="calls"):
        planned_run(calls, None, {}, takes_async=False)


def test_refusals_are_errors_of_their_class_in_the_end() -> None:
    _, runner = simulated([ask()], lambda now, call: (0.1, refused(429)))
    (item,), summary = runner.run()
    assert isinstance(item.error, RateLimitError)
    assert item.attempts == 21
    assert summary.errors == {"rate_limit_exceeded": 1}


def test_calls_that_wait_end_with_the_seconds_of_the_budget() -> None:
    # Nothing else is under way when the time is up, so that nothing would wake the run.
    def respond(now: float, call: Any) -> Any:
        return 1.0, refused(wait=5)

    _, runner = simulated([ask(), ask()], respond, budget=Ledger(seconds=3), concurrency=1)
    items, summary = runner.run()
    assert (summary.stopped, summary.limit) == ("budget", "seconds")
    # The other call has not begun.
    assert [item.attempts for item in items] == [1]
    assert isinstance(items[0].error, RateLimitError)
    assert runner.now == 1003.0


@given(
    seconds=st.floats(0, 200),
    wait=st.sampled_from([None, 1, 50]),
    share=st.floats(0, 1),
    concurrency=st.one_of(st.just("auto"), st.integers(1, 9)),
    is_async=st.booleans(),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=30)
def test_the_seconds_of_a_budget_bound_the_run(
    seconds: float, wait: Any, share: float, concurrency: Any, is_async: bool, seed: int
) -> None:
    """What is under way then goes on, which takes 5 seconds here."""
    drawn = random.Random(seed)

    def respond(now: float, call: Any) -> Any:
        if drawn.random() < share:
            return drawn.uniform(0.1, 5), refused(drawn.choice([429, 503]), wait)
        return drawn.uniform(0.5, 5), good(call)

    async def pulled() -> Any:
        for number in range(200):
            yield ask(str(number))

    calls = pulled() if is_async else (ask(str(number)) for number in range(200))
    _, runner = simulated(calls, respond, budget=Ledger(seconds=seconds), concurrency=concurrency)
    items, summary = runner.run()
    assert runner.now <= 1000 + seconds + 5 + 1e-6
    sent = {call.body for _, call in runner.attempts if b"messages" in call.body}
    # Each call that was sent has an item, and is counted.
    assert len(items) == len(sent) == summary.calls
    assert all(when <= 1000 + seconds for when, _ in runner.attempts)
    if len(items) < 200:
        assert (summary.stopped, summary.limit) == ("budget", "seconds")


ODD = ["0", "1", "60", "999999999999999", "1e308", "nan", "-1"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(ODD),
            st.sampled_from(ODD),
            st.sampled_from([0, 10**9, 2**63 - 1, 10**400, -1]),
            st.sampled_from([0.3, 1.0, 20.0]),
        ),
        min_size=1,
    )
)
@example([("1", "0", 0, 1.0), ("60", "0", 0, 1.0), ("1", "0", 0, 1.0)])
@pytest.mark.parametrize("unit", ["requests", "tokens"])
def test_limits_and_usage_without_sense_do_not_stop_a_run(
    unit: str, said: list[tuple[str, str, int, float]]
) -> None:
    def respond(now: float, call: Any) -> Any:
        limit, left, used, seconds = said[len(runner.attempts) % len(said)]
        body = BODY.replace(b'"prompt_tokens":20', b'"prompt_tokens":%d' % used)
        headers = {"content-type": "application/json", f"x-ratelimit-reset-{unit}": "60"}
        headers[f"x-ratelimit-limit-{unit}"] = limit
        headers[f"x-ratelimit-remaining-{unit}"] = left
        return seconds, call.read(Response(200, Headers(headers), body))

    count = 30
    _, runner = simulated([ask()] * count, respond, rate_limit="auto")
    items, summary = runner.run()
    assert len(items) == count
    # What a call used beyond its estimate counts up to a minute's worth of the limit at that time:
    # 60, which are 60 minutes if the limit is 1 after the next response.
    assert summary.seconds <= count * 61 * 60


def test_all_attempts_of_a_call_have_one_idempotency_key() -> None:
    # Else a gateway does the work twice where only its response was lost.
    calls = [ask("one"), ask("two"), ask("two")]

    def respond(now: float, call: Any) -> Any:
        if len(runner.attempts) <= len(calls):
            return 1.0, refused()
        return 1.0, good(call)

    _, runner = simulated(calls, respond)
    items, _ = runner.run()
    assert all(item.attempts == 2 for item in items)
    keys = Counter(call.idempotency_key for _, call in runner.attempts)
    assert [*keys.values()] == [2, 2, 2]
    _, other = simulated(calls)
    other.run()
    assert len({call.idempotency_key for _, call in other.attempts}) == 3
