import math
import random
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.retries import DEAD_WITHIN, Outcome, RetryPolicy, parse_should_retry

STAGES = ("pool", "closed", "connect", "verify", "request", "response", "complete")
METHODS = ("GET", "HEAD", "DELETE", "POST", "PATCH", "PUT", "OPTIONS")

randoms = st.floats(0, 1, exclude_max=True)
outcomes = st.builds(
    Outcome,
    method=st.sampled_from(METHODS),
    stage=st.sampled_from(STAGES),
    status=st.sampled_from((0, 400, 402, 409, 429, 500, 502, 503, 504, 529)) | st.integers(),
    error_code=st.sampled_from(("", "upstream_error", "spend_limit_exceeded")) | st.text(),
    retry_after=st.none() | st.floats(0, 100) | st.floats(),
    reused=st.booleans(),
    timed_out=st.booleans(),
    streaming=st.booleans(),
    provider_code=st.none() | st.sampled_from(("provider_timeout", "monthly_quota_exceeded")),
    silence=st.none() | st.floats(0, 2),
    should_retry=st.none() | st.booleans(),
    starts_job=st.booleans(),
)
seconds = st.floats(0, 1000)
policies = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 10_000),
    initial_delay=seconds,
    max_delay=seconds,
    max_retry_after=seconds,
)


def make_response(status: int, *, method: str = "POST", **facts: Any) -> Outcome:
    return Outcome(method=method, stage="complete", status=status, **facts)


def no_response(stage: Any, *, method: str = "POST", **facts: Any) -> Outcome:
    return Outcome(method=method, stage=stage, **facts)


def is_repeated(outcome: Outcome) -> bool:
    return RetryPolicy().delay(0, outcome, 0.5) is not None


# Properties: the wait


@given(policies, st.integers(0, 20_000), outcomes, randoms)
@example(RetryPolicy(), 0, make_response(429, retry_after=math.nan), 0.5)
@example(RetryPolicy(), 0, make_response(429, retry_after=math.inf), 0.5)
@example(RetryPolicy(), 0, make_response(429, retry_after=-1.0), 0.5)
def test_a_wait_is_within_its_bounds_whatever_happened(policy, attempt, outcome, number):
    """Elsewhere `-1` and `inf` escaped as ValueError and OverflowError; waits exceeded the cap."""
    delay = policy.delay(attempt, outcome, number)
    if delay is None:
        return
    assert attempt < policy.max_retries
    asked = outcome.retry_after or 0.0
    if not asked > 0:
        asked = 0.0
    assert asked <= policy.max_retry_after
    assert math.isfinite(delay)
    assert asked <= delay, "never earlier than the server asked"
    assert delay <= max(policy.max_delay, asked + policy.max_delay / 2)


@given(st.integers(0, 2), st.floats(0, 60), randoms)
@example(0, 10.0, 0.0)
def test_a_retry_never_comes_earlier_than_the_server_asked(attempt, asked, number):
    """Elsewhere jitter of 20 % brought retries at 0.8 of the time that was asked for."""
    delay = RetryPolicy().delay(attempt, make_response(429, retry_after=asked), number)
    assert delay is not None
    assert delay >= asked


@given(st.integers(0, 10**9), randoms)
def test_without_a_request_of_the_server_the_cap_holds(attempt, number):
    """Elsewhere jitter was applied after the cap; 35.4 s were seen where 30 s were promised."""
    delay = RetryPolicy(max_retries=999_999_999).delay(attempt, make_response(503), number)
    assert delay is None or delay <= 30


@given(policies, st.integers(0, 50), outcomes, randoms, randoms)
def test_chance_decides_how_long_to_wait_and_never_whether(policy, attempt, outcome, one, other):
    first, second = (policy.delay(attempt, outcome, number) for number in (one, other))
    assert (first is None) == (second is None)
    if first is not None and second is not None and one < other:
        assert first <= second


@given(policies, st.integers(0, 50), outcomes, randoms)
def test_waits_never_get_shorter_from_attempt_to_attempt(policy, attempt, outcome, number):
    first, second = (policy.delay(n, outcome, number) for n in (attempt, attempt + 1))
    if first is not None and second is not None:
        assert first <= second


def test_waits_of_many_clients_are_spread_evenly_over_their_upper_half():
    """Without jitter clients that failed together come back together."""
    source = random.Random(1)
    policy = RetryPolicy(initial_delay=2.0)
    buckets = [0] * 10
    for _ in range(10_000):
        delay = policy.delay(0, make_response(503), source.random())
        assert delay is not None
        buckets[int((delay - 1.0) * 10)] += 1
    assert all(800 <= count <= 1200 for count in buckets)


# Properties: whether to repeat


@pytest.mark.parametrize("status", range(400, 600))
def test_only_four_statuses_promise_that_another_attempt_is_worth_it(status):
    assert is_repeated(make_response(status)) is (status in {429, 502, 503, 504})


@given(outcomes)
def test_a_request_is_repeated_only_where_that_can_do_no_harm(outcome):
    if outcome.stage == "connect" or not is_repeated(outcome):
        return
    assert not outcome.streaming
    if outcome.stage == "complete":
        asked = outcome.should_retry and outcome.status >= 400
        assert outcome.status in {429, 502, 503, 504} or asked
        assert outcome.should_retry is not False
        assert outcome.method != "OPTIONS"
        assert outcome.error_code not in RetryPolicy().final_codes
        assert not (outcome.starts_job and outcome.status >= 500 and outcome.status != 503)
    else:
        assert outcome.stage in {"request", "response"}
        assert outcome.method in {"GET", "HEAD", "DELETE", "PUT"}


@pytest.mark.parametrize(
    ("status", "repeated"), [(429, True), (503, True), (502, False), (504, False)]
)
def test_what_starts_a_job_is_repeated_only_where_it_was_refused(status, repeated):
    """Other clients started batches and videos, billed, a second time after a 502 or 504."""
    assert is_repeated(make_response(status, starts_job=True)) is repeated
    assert is_repeated(make_response(status)) is True


@given(outcomes)
def test_a_refused_connection_is_always_tried_again(outcome):
    refused = msgspec.structs.replace(outcome, stage="connect", retry_after=None)
    assert is_repeated(refused)


@given(outcomes)
def test_what_is_dead_on_arrival_never_reached_the_server(outcome):
    if RetryPolicy().is_dead_on_arrival(outcome):
        assert outcome.stage == "request"
        assert outcome.reused
        assert not outcome.timed_out
        assert not outcome.starts_job
        assert outcome.silence is not None
        assert outcome.silence < DEAD_WITHIN < 1


@given(outcomes)
def test_no_retries_means_none(outcome):
    assert RetryPolicy(max_retries=0).delay(0, outcome, 0.5) is None


# Examples: whether to repeat; most of them are `tests/vectors/retries*.json`


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PATCH", "PUT"])
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(method, status):
    assert is_repeated(make_response(status, method=method))


@pytest.mark.parametrize(
    "code",
    [
        "spend_limit_exceeded",
        "insufficient_credits",
        "insufficient_quota",
        "all_models_failed",
        "provider_job_failed",
    ],
)
def test_a_quota_and_billed_work_are_final_whatever_the_status(code):
    """Other clients ran a comparison whose models all failed three more times."""
    assert not is_repeated(make_response(429, error_code=code))
    assert not is_repeated(make_response(502, error_code=code))


@pytest.mark.parametrize("stage", ["request", "response"])
@pytest.mark.parametrize(
    ("method", "repeated"),
    [("GET", True), ("HEAD", True), ("DELETE", True), ("POST", False), ("PATCH", False)],
)
@pytest.mark.parametrize("timed_out", [False, True])
def test_after_an_ambiguous_failure_only_harmless_methods_are_repeated(
    stage, method, repeated, timed_out
):
    assert is_repeated(no_response(stage, method=method, timed_out=timed_out)) is repeated
    assert not is_repeated(no_response(stage, method=method, streaming=True))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("true", True),
        ("false", False),
        (" True ", True),
        ("FALSE", False),
        ("1", None),
        ("", None),
        (None, None),
    ],
)
def test_what_x_should_retry_says(value, said):
    assert parse_should_retry(value) is said


# Examples: the policy as a value


@pytest.mark.parametrize("name", ["max_retries", "initial_delay", "max_delay", "max_retry_after"])
@pytest.mark.parametrize("value", [-1, -(10**400), 10**400])
def test_a_number_out_of_range_is_refused_by_name(name, value):
    """Elsewhere max_retries=-1 ended in RuntimeError("unreachable")."""
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**{name: value})


@pytest.mark.parametrize("name", ["initial_delay", "max_delay", "max_retry_after"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.001])
def test_a_wait_that_is_not_a_number_of_seconds_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**{name: value})


@pytest.mark.parametrize("name", ["max_retries", "initial_delay", "max_delay", "max_retry_after"])
@pytest.mark.parametrize("value", ["3", None, True, [3]])
def test_something_else_than_a_number_is_refused_by_name(name, value):
    with pytest.raises(TypeError, match=name):
        RetryPolicy(**{name: value})


def test_half_a_retry_is_refused():
    with pytest.raises(TypeError, match=r"max_retries: expected int, got float"):
        RetryPolicy(max_retries=2.5)  # type: ignore[arg-type]


def test_a_policy_is_a_value():
    assert RetryPolicy() == RetryPolicy(max_retries=3)
    with pytest.raises(AttributeError):
        RetryPolicy().max_retries = 4  # type: ignore[misc]
