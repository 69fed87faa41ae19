"""What follows a failed attempt of a call in bulk."""

from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import (
    APIConnectionError,
    Call,
    MeshAPIConfig,
    RetryPolicy,
)
from meshapi_core.bulk.attempts import (
    LONGEST_WAIT,
    MOST_REFUSALS,
    Received,
    Retry,
    attempt,
    is_refusal,
    retry,
)
from meshapi_core.envelopes import error_from_response
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.readers import EmptyReader, JSONReader
from meshapi_core.retries import Outcome

POLICY = RetryPolicy()
CONFIG = MeshAPIConfig(base_url="http://gateway.example", token="rsk_test_attempts")


def failed(
    status: int, code: str = "x", wait: Optional[float] = None, method: str = "POST"
) -> Exception:
    body = b'{"error":{"code":"%s","message":"no"}}' % code.encode()
    headers = {} if wait is None else {"retry-after": f"{wait:g}"}
    error = error_from_response(status, Headers(headers), body)
    error.outcome = Outcome(
        method=method,
        stage="complete",
        status=status,
        error_code=error.error_code,
        retry_after=error.retry_after_seconds,
        provider_code=error.provider_code,
    )
    return error


def follows(error: Exception, policy: RetryPolicy = POLICY, **counts: Any) -> Retry:
    numbers: Any = {"failures": 0, "refusals": 0, "streak": 0, "random": 0.5, **counts}
    return retry(error, policy, **numbers)


@given(
    wait=st.one_of(st.none(), st.floats(0, 3600)),
    streak=st.integers(0, 10**6),
    refusals=st.integers(0, MOST_REFUSALS - 1),
    random=st.floats(0, 1, exclude_max=True),
    status=st.sampled_from([429, 503]),
)
def test_a_refusal_delays_all_calls_and_costs_none_a_retry(
    wait: Optional[float], streak: int, refusals: int, random: float, status: int
) -> None:
    if status == 503 and wait is None:
        return
    error = failed(status, "rate_limit_exceeded", None if wait is None else round(wait))
    found = follows(error, failures=99, refusals=refusals, streak=streak, random=random)
    assert found.delay is not None
    assert found.delay == found.cool_down
    least = 0 if wait is None else round(wait)
    assert least <= found.delay <= max(least, POLICY.max_delay / 2) + POLICY.max_delay / 2
    assert not found.ends_run


def test_refusals_end_at_some_time() -> None:
    found = follows(failed(429), refusals=MOST_REFUSALS)
    assert found.delay is None
    assert found.cool_down > 0


def test_a_client_without_retries_has_none_but_all_wait() -> None:
    found = follows(failed(429, wait=2), policy=RetryPolicy(max_retries=0))
    assert found.delay is None
    assert found.cool_down >= 2


def test_a_wait_until_another_day_ends_the_run() -> None:
    assert follows(failed(429, wait=LONGEST_WAIT + 1)).ends_run


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "unauthorized"),
        (402, "spend_limit_exceeded"),
        (429, "insufficient_quota"),
        (429, "monthly_quota_exceeded"),
        (403, "insufficient_credits"),
    ],
)
def test_what_every_further_call_would_meet_ends_the_run(status: int, code: str) -> None:
    error = failed(status, code)
    assert follows(error) == Retry(ends_run=True)
    assert not is_refusal(error)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500, 502, 503, 504])
@pytest.mark.parametrize("failures", [0, 1, 2, 3, 4])
def test_anything_else_goes_by_the_policy(status: int, failures: int) -> None:
    error: Any = failed(status)
    expected = POLICY.delay(failures, error.outcome, 0.5)
    assert follows(error, failures=failures) == Retry(expected)


def test_an_error_that_no_attempt_raised_is_final() -> None:
    assert follows(ValueError("of the program's middleware")) == Retry()
    assert follows(APIConnectionError("unknown", error_code="connect")) == Retry()


def test_a_closed_client_ends_the_run() -> None:
    error = APIConnectionError("closed", error_code="client_closed")
    error.outcome = Outcome("POST", "closed", error_code="client_closed")
    assert follows(error).ends_run


def response(body: bytes) -> Response:
    return Response(200, Headers({"content-type": "application/json"}), body)


def test_an_attempt_has_the_typed_response_and_the_bytes() -> None:
    call = Call(method="POST", path="/v1/x", body=b"{}", reader=JSONReader(dict))
    made = attempt(call, "key-1")
    found = made.read(response(b'{"a": 1}'))
    assert isinstance(found, Received)
    assert found.value == {"a": 1}
    assert found.response.body == b'{"a": 1}'
    headers = made.request(CONFIG, bytes).plain_headers()
    assert ("idempotency-key", "key-1") in [(name.lower(), value) for name, value in headers]


def test_an_attempt_of_a_call_without_a_response_body() -> None:
    call = Call(method="DELETE", path="/v1/x", reader=EmptyReader())
    made = attempt(call)
    # A body that cannot be decoded changes nothing, as for the call itself.
    garbled = Response(204, Headers({"content-encoding": "gzip"}), b"no gzip")
    assert made.read(garbled).value is None


def test_the_programs_own_key_stays() -> None:
    call = Call(method="POST", path="/v1/x", reader=JSONReader(dict), idempotency_key="mine")
    assert attempt(call, "ours").idempotency_key == "mine"
