import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.envelopes import error_from_frame, error_from_reply
from meshapi_core.headers import Headers
from meshapi_core.waits import duration, wait_in_resets

NOON = 1795176000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("2d", 172800),
        (" 7.66s ", 7.66),
        ("1m", 60),
        ("", None),
        ("5", None),
        ("-1s", None),
        ("1s2h", None),
        ("1e5s", None),
        ("9" * 10 + "s", None),
        (5, None),
        (None, None),
    ],
)
def test_durations(text, seconds):
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("20ms", 0.02),
        ("30", 30),
        ("0.5", 0.5),
        ("1795176010", 10),
        ("1795176010000", 10),
        ("1795175000", 0),
        ("2026-11-20T12:00:42Z", 42),
        ("2026-11-20T12:00:42.123456789+00:00", 42),
        ("2026-11-20T13:00:42+01:00", 42),
        ("Fri, 20 Nov 2026 12:00:42 GMT", 42),
        ("2026-13-20T12:00:42Z", None),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "ratelimit-reset",
        "X-RateLimit-Reset",
        "x-ratelimit-reset-requests",
        "x-rate-limit-reset",
        "anthropic-ratelimit-tokens-reset",
        "llm_provider-x-ratelimit-reset-tokens",
    ],
)
def test_a_limit_is_lifted_when_the_server_says_so_in_any_form(name, value, wait):
    headers = Headers([(name, value)])
    assert wait_in_resets(headers, NOON) == (None if wait is None else pytest.approx(wait))
    error = error_from_reply(429, headers, b"{}", received_at=NOON)
    assert error.retry_after_seconds == wait_in_resets(headers, NOON)


def test_times_count_from_the_answers_own_date():
    fields = [("ratelimit-reset", "1795176042"), ("Date", "Fri, 20 Nov 2026 12:00:00 GMT")]
    assert error_from_reply(429, Headers(fields), b"").retry_after_seconds == 42
    assert error_from_reply(429, Headers(fields[:1]), b"").retry_after_seconds is None


def test_of_several_limits_the_one_that_is_used_up_counts():
    fields = {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}
    left = {"x-ratelimit-remaining-requests": "5", "x-ratelimit-remaining-tokens": "0"}
    assert wait_in_resets({**fields, **left}, NOON) == 360
    assert wait_in_resets({**fields, **dict.fromkeys(left, "0")}, NOON) == 360
    assert wait_in_resets({**fields, **dict.fromkeys(left, "5")}, NOON) == 1
    assert wait_in_resets(fields, NOON) == 1
    assert wait_in_resets(left, NOON) is None


def test_limits_say_nothing_about_other_errors_and_retry_after_says_more():
    headers = {"x-ratelimit-reset": "30"}
    assert error_from_reply(500, headers, b"").retry_after_seconds is None
    assert error_from_reply(429, {**headers, "retry-after": "2"}, b"").retry_after_seconds == 2


def test_the_wait_of_a_provider_is_handed_on_under_another_name():
    headers = Headers([("llm_provider-retry-after", "7")])
    assert error_from_reply(429, headers, b"").retry_after_seconds == 7
    headers = Headers([("LLM_Provider-Retry-After-Ms", "250")])
    assert error_from_reply(503, headers, b"").retry_after_seconds == 0.25


def test_googles_delay_stands_among_the_details():
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
    body = {"error": {"code": 429, "message": "m", "details": [{"a": 1}, info]}}
    assert error_from_frame(body, {}).retry_after_seconds == 34.5
    assert error_from_frame([body], {}).retry_after_seconds == 34.5
    info["retryDelay"] = "soon"
    assert error_from_frame(body, {}).retry_after_seconds is None


names = st.sampled_from(
    ["ratelimit-reset", "x-ratelimit-reset-a", "x-ratelimit-remaining-a", "x-ratelimit-limit-a"]
)


@given(st.dictionaries(names | st.text(), st.text() | st.from_regex(r"[0-9]{0,20}(s|ms|m|h)?")))
def test_no_header_raises_or_asks_for_what_is_no_wait(headers):
    wait = wait_in_resets(headers, NOON)
    assert wait is None or (math.isfinite(wait) and wait >= 0)
