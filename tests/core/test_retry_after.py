import math
from email.utils import formatdate

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from meshapi_core.envelopes import error_from_frame, error_from_response
from meshapi_core.headers import Headers
from meshapi_core.retry_after import parse_retry_after, wait_in_resets

NOON = "Fri, 20 Nov 2026 12:00:00 GMT"
NOON_SECONDS = 1795176000.0

# The years of four digits, so that every form of a date can say it.
unix_seconds = st.integers(-62135596800, 253402300799)


# Retry-After; most examples are `tests/vectors/retry_after*.json`


@given(
    st.none() | st.text() | st.from_regex(r"[0-9+\-._einfa]{0,12}", fullmatch=True),
    st.none() | st.text() | st.just(NOON),
    st.none() | st.floats(),
)
@example("9" * 5000, None, None)
@example(NOON, None, math.nan)
@example(NOON, None, math.inf)
@example(NOON, "Fri, 20 Nov 0001 12:00:00 GMT", None)
@example("Fri, 31 Dec 9999 23:59:60 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", None)
def test_any_retry_after_is_a_finite_wait_or_none(value, date, received_at):
    wait = parse_retry_after(value, date=date, received_at=received_at)
    assert wait is None or (math.isfinite(wait) and wait >= 0)


@given(st.integers(0, 999_999_999))
def test_every_number_of_seconds_is_read_exactly(number):
    assert parse_retry_after(str(number)) == number


@given(st.decimals(0, 999_999_999, places=3))
def test_a_fraction_is_not_rounded_down(number):
    for text in (f"{number}", f"{number}s", f" {number} seconds "):
        assert parse_retry_after(text) == float(number)


@given(st.integers(0, 999), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_a_duration_is_the_sum_of_its_parts(hours, minutes, seconds, thousandths):
    expected = hours * 3600 + minutes * 60 + seconds + thousandths / 1000
    for text in (
        f"{hours}h{minutes}m{seconds}.{thousandths:03}s",
        f"{hours} hours, {minutes} minutes, {seconds} seconds, {thousandths} ms",
    ):
        assert parse_retry_after(text) == pytest.approx(expected)


@given(unix_seconds, st.integers(-10_000, 10_000))
def test_a_date_counts_from_the_date_of_its_response(now, delta):
    assume(-62135596800 <= now + delta <= 253402300799)
    wait = parse_retry_after(
        formatdate(now + delta, usegmt=True), date=formatdate(now, usegmt=True), received_at=0.0
    )
    assert wait == max(0, delta)


@pytest.mark.parametrize("received_at", [None, math.nan, math.inf, -math.inf])
def test_without_a_field_or_a_clock_there_is_no_wait(received_at):
    assert parse_retry_after(None, date=NOON, received_at=received_at) is None
    assert parse_retry_after(NOON, received_at=received_at) is None


def test_a_long_date_field_costs_no_time():
    for text in ("Sun, " * 100_000, "0" * 1_000_000, "Sun, 06 Nov 1994 " + "0" * 1_000_000):
        assert parse_retry_after(text, date=text) is None


# Limits that are lifted


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
    assert wait_in_resets(headers, NOON_SECONDS) == (None if wait is None else pytest.approx(wait))
    error = error_from_response(429, headers, b"{}", received_at=NOON_SECONDS)
    assert error.retry_after_seconds == wait_in_resets(headers, NOON_SECONDS)


def test_times_count_from_the_responses_own_date():
    fields = [("ratelimit-reset", "1795176042"), ("Date", "Fri, 20 Nov 2026 12:00:00 GMT")]
    assert error_from_response(429, Headers(fields), b"").retry_after_seconds == 42
    assert error_from_response(429, Headers(fields[:1]), b"").retry_after_seconds is None


def test_of_several_limits_the_one_that_is_used_up_counts():
    fields = {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}
    left = {"x-ratelimit-remaining-requests": "5", "x-ratelimit-remaining-tokens": "0"}
    assert wait_in_resets({**fields, **left}, NOON_SECONDS) == 360
    assert wait_in_resets({**fields, **dict.fromkeys(left, "0")}, NOON_SECONDS) == 360
    assert wait_in_resets({**fields, **dict.fromkeys(left, "5")}, NOON_SECONDS) == 1
    assert wait_in_resets(fields, NOON_SECONDS) == 1
    assert wait_in_resets(left, NOON_SECONDS) is None


def test_limits_say_nothing_about_other_errors_and_retry_after_says_more():
    headers = {"x-ratelimit-reset": "30"}
    assert error_from_response(500, headers, b"").retry_after_seconds is None
    assert error_from_response(429, {**headers, "retry-after": "2"}, b"").retry_after_seconds == 2


def test_the_wait_of_a_provider_is_handed_on_under_another_name():
    headers = Headers([("llm_provider-retry-after", "7")])
    assert error_from_response(429, headers, b"").retry_after_seconds == 7
    headers = Headers([("LLM_Provider-Retry-After-Ms", "250")])
    assert error_from_response(503, headers, b"").retry_after_seconds == 0.25


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
def test_no_header_raises_or_asks_for_an_impossible_wait(headers):
    wait = wait_in_resets(headers, NOON_SECONDS)
    assert wait is None or (math.isfinite(wait) and wait >= 0)
