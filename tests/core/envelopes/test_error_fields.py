import math

import pytest

from meshapi_core.envelopes import error_from_response
from meshapi_core.headers import Headers
from support.error_bodies import ENVELOPE, frame, make_response


@pytest.mark.parametrize("null", [None, "", "  ", 7, [], {}])
def test_a_blank_request_id_does_not_replace_that_of_the_header(null):
    body = {"error": {"message": "m", "request_id": null}, "request_id": null}
    assert make_response(500, body, x_request_id="req_HEADER").request_id == "req_HEADER"
    assert frame(body, x_request_id="req_HEADER").request_id == "req_HEADER"
    assert make_response(500, body).request_id == ""


def test_a_request_id_inside_the_error_is_found():
    body = {"error": {"message": "m", "request_id": "req_INNER"}}
    assert make_response(500, body, x_request_id="req_HEADER").request_id == "req_INNER"


def test_the_body_names_the_request_better_than_the_header():
    assert make_response(500, ENVELOPE, x_request_id="req_HEADER").request_id == "req_01BODY"


def test_a_request_id_is_found_under_any_spelling_of_the_header():
    headers = Headers([(b"X-Request-ID", b"req_HEADER")])
    assert error_from_response(500, headers, b"").request_id == "req_HEADER"


def test_the_providers_code_is_exposed():
    assert make_response(502, ENVELOPE).provider_code == "provider_overloaded"
    assert make_response(502, {"error": {"provider_code": None}}).provider_code is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "x", "type": "y"}, "x"),
        ({"code": None, "type": "overloaded_error"}, "overloaded_error"),
        ({"code": 429, "type": "TooManyRequests"}, "rate_limit_exceeded"),
        ({"code": "429"}, "rate_limit_exceeded"),
        ({"code": 12345}, "invalid_request"),
        ({"code": True}, "invalid_request"),
        ({"code": ["x"]}, "invalid_request"),
        ({"type": "https://example.com/probs/x"}, "invalid_request"),
        ({"error_code": "gateway_timeout"}, "gateway_timeout"),
    ],
)
def test_a_code_is_a_word_whatever_the_server_calls_a_code(error, code):
    assert make_response(400, {"error": error}).error_code == code


# Waits


@pytest.mark.parametrize("value", ["-1", "inf", "nan", "1e9", "9" * 5000, "soon", ""])
def test_an_invalid_retry_after_is_none(value):
    assert make_response(429, {}, retry_after=value).retry_after_seconds is None


def test_the_header_is_as_good_as_the_body():
    assert make_response(429, {}, retry_after="42").retry_after_seconds == 42
    assert make_response(503, b"busy", retry_after="42").retry_after_seconds == 42


def test_the_larger_of_header_and_body_counts():
    assert make_response(429, ENVELOPE, retry_after="42").retry_after_seconds == 42
    assert make_response(429, ENVELOPE, retry_after="2").retry_after_seconds == 5
    assert make_response(429, ENVELOPE, retry_after="never").retry_after_seconds == 5


def test_milliseconds_are_more_exact_than_seconds():
    error = make_response(429, {}, retry_after_ms="250", retry_after="1")
    assert error.retry_after_seconds == 0.25
    assert make_response(429, {}, retry_after_ms="-250", retry_after="1").retry_after_seconds == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "2.5"}, 2.5),
        ({"retry_after_ms": "2500.5"}, 2.5005),
        ({"retry_after_ms": "2500ms"}, 2.5),
        ({"retry_after_ms": "2500.5", "retry_after": "3"}, 2.5005),
        ({"retry_after_ms": "2500", "retry_after": "2"}, 2.5),
        # Rounding does not explain the difference: the longer wait counts.
        ({"retry_after_ms": "100", "retry_after": "5"}, 5),
        ({"retry_after_ms": "7000", "retry_after": "5"}, 7),
        ({"retry_after_ms": "soon", "retry_after": "5"}, 5),
    ],
)
def test_a_wait_of_two_units_is_never_shorter_than_either_asks(headers, wait):
    assert make_response(429, {}, **headers).retry_after_seconds == pytest.approx(wait, abs=1e-9)


@pytest.mark.parametrize("key", ["retry_after", "retry_after_seconds", "retry_after_ms"])
def test_a_wait_in_the_body_may_be_a_number_or_a_text_in_the_unit_of_its_name(key):
    unit = 0.001 if key == "retry_after_ms" else 1.0
    for value in (2500.5, "2500.5", " 2500.5 "):
        assert frame({"error": {"message": "m", key: value}}).retry_after_seconds == 2500.5 * unit
    assert frame({"error": {"message": "m", key: "2.5s"}}).retry_after_seconds == 2.5


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (5, 5),
        (0, 0),
        (0.25, 0.25),
        ("5", 5),
        (None, None),
        (True, None),
        (False, None),
        (-1, None),
        (-0.5, None),
        (math.nan, None),
        (math.inf, None),
        (10**400, None),
        ("-5", None),
        ("1.5", 1.5),
        ("2.5 s", 2.5),
        ("1m30s", 90),
        ("soon", None),
        ("", None),
        ([5], None),
        ({"seconds": 5}, None),
    ],
)
def test_a_wait_of_a_wrong_kind_is_none(value, wait):
    body = {"error": {"message": "m", "retry_after_seconds": value}}
    assert make_response(429, body).retry_after_seconds == wait
    assert frame(body).retry_after_seconds == wait
