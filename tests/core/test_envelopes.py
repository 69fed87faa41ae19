import copy
import json
import math
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.codec import parse
from meshapi_core.envelopes import (
    answered_error,
    error_from_frame,
    error_from_reply,
    is_blank,
    is_error_frame,
    refused_upload,
)
from meshapi_core.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContentTooLargeError,
    InternalServerError,
    MeshAPIError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitError,
    RedirectError,
    UnprocessableEntityError,
    error_class,
)
from meshapi_core.headers import Headers

JSON = {"content-type": "application/json"}
NOON = "Fri, 20 Nov 2026 12:00:00 GMT"
NOON_SECONDS = 1795176000.0
KEPT = 64 * 1024

ENVELOPE = {
    "error": {
        "code": "rate_limit_exceeded",
        "message": "slow down",
        "details": [{"limit": "rpm"}],
        "provider_error": {"type": "throttled"},
        "provider_code": "provider_overloaded",
        "retry_after_seconds": 5,
    },
    "request_id": "req_01BODY",
}


def reply(status: int, body: Any, **headers: str) -> APIStatusError:
    """The error for a body, given as bytes or as what its JSON holds."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_from_reply(status, fields, data)


def frame(value: Any, **headers: str) -> APIStatusError:
    return error_from_frame(value, {n.replace("_", "-"): v for n, v in headers.items()})


# Properties

WORDS = (
    "error detail details errors message msg title type loc code error_code status request_id"
    " provider_error provider_code retry_after_seconds retry_after model"
).split()

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(("429", "503", "rate_limit_exceeded", "5", "\x1b[2J", "\ud800"))
    | st.sampled_from((10**400, -1, 0, 429, 502))
)
# JSON that looks like an envelope at every level, with every kind of value in every place.
envelopes = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=6)
    ),
    max_leaves=20,
)
bodies = st.binary() | envelopes.map(lambda value: json.dumps(value).encode())
header_values = st.text() | st.sampled_from(("5", "-1", "inf", NOON, "application/json"))
header_fields = st.dictionaries(
    st.sampled_from(
        ("content-type", "retry-after", "retry-after-ms", "date", "x-request-id", "location")
    ),
    header_values,
)


def check(error: APIStatusError) -> None:
    """What holds for every error, whatever it was made from."""
    assert isinstance(error, APIStatusError)
    assert 0 < len(str(error)) <= 500
    assert len(str(error).splitlines()) == 1
    assert "\x1b" not in str(error)
    assert isinstance(error.error_code, str)
    assert error.error_code
    assert isinstance(error.request_id, str)
    assert isinstance(error.details, list)
    assert error.provider_code is None or error.provider_code
    wait = error.retry_after_seconds
    assert wait is None or (type(wait) is float and math.isfinite(wait) and wait >= 0)
    assert repr(vars(pickle.loads(pickle.dumps(error)))) == repr(vars(error))
    assert type(copy.deepcopy(error)) is type(error)


@given(st.integers(), header_fields, bodies, st.none() | st.floats())
@example(500, {}, b'{"error": {"code": null, "message": null}}', None)
@example(500, {}, b"[" * 100_000, None)
@example(500, {}, b'{"error":' * 100_000, None)
@example(500, {}, b"[" * 400 + b"]" * 400, None)
@example(500, {}, b'{"error": {"retry_after_seconds": 1e999}}', None)
@example(500, {}, b'{"error": {"code": ' + b"9" * 5000 + b"}}", None)
@example(500, {}, b'{"detail": [{"loc": [' + b"9" * 4000 + b'], "msg": "x"}]}', None)
@example(500, {}, b'{"error": {"message": "\\ud83d"}}', None)
def test_any_answer_gives_a_typed_error_and_never_another_exception(
    status, headers, body, received_at
):
    error = error_from_reply(status, headers, body, received_at=received_at)
    check(error)
    assert type(error) is error_class(status)
    assert error.status == status


@given(envelopes, header_fields, envelopes)
@example(None, {}, None)
@example({"error": {"retry_after_seconds": math.nan}}, {}, None)
@example({"error": {"code": True, "status": False}}, {}, None)
def test_any_error_frame_gives_a_typed_error_and_never_another_exception(value, headers, partial):
    error = error_from_frame(value, headers, partial=partial)
    check(error)
    assert error.status == 0
    assert error.partial is partial


@given(
    st.sampled_from((400, 401, 404, 429, 500, 503)),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60),
    st.from_regex("[a-z_]{1,30}", fullmatch=True),
    st.floats(0, 1e6),
    st.lists(st.dictionaries(st.text(), st.text())),
)
def test_a_standard_envelope_loses_nothing(status, message, code, wait, details):
    body = {
        "error": {
            "code": code,
            "message": message,
            "details": details,
            "retry_after_seconds": wait,
        },
        "request_id": "req_1",
    }
    error = reply(status, body)
    assert (str(error), error.error_code, error.request_id) == (message, code, "req_1")
    assert (error.details, error.retry_after_seconds) == (details, wait)
    assert error.raw == body
    assert reply(status, error.envelope()).envelope() == error.envelope()


@given(st.sampled_from((400, 401, 429, 502)), envelopes)
def test_what_a_relay_sends_of_any_error_is_read_as_the_same_error(status, value):
    error = reply(status, value)
    again = reply(status, error.envelope())
    assert (again.error_code, again.request_id) == (error.error_code, error.request_id)
    assert type(again) is type(error)


@given(envelopes)
def test_a_frame_and_a_reply_are_read_alike(value):
    as_reply, as_frame = reply(200, value), frame(parse(json.dumps(value).encode()))
    if isinstance(value, (dict, list)):
        assert as_reply.request_id == as_frame.request_id
        assert as_reply.retry_after_seconds == as_frame.retry_after_seconds
        assert as_reply.provider_code == as_frame.provider_code


@given(st.binary(max_size=200), st.integers(1, 50))
def test_of_a_body_that_is_no_json_at_most_64_kib_are_kept(piece, times):
    error = reply(502, b"<" + (piece or b"x") * (times * 10_000))
    assert len(error.raw) <= KEPT
    assert len(str(error)) <= 500


# What other clients lose of an error; more examples are in `tests/vectors/errors.json`


def test_a_fastapi_detail_object_of_unknown_shape_is_kept():
    error = reply(403, {"detail": {"reason": 7}}, **JSON)
    said = 'HTTP 403 (forbidden): {"detail":{"reason":7}}'
    assert (str(error), error.details) == (said, [{"reason": 7}])


def test_a_failed_comparison_keeps_its_code_and_what_each_model_said():
    details = [
        {"model": "openai/gpt-4o", "error": "timed out", "error_code": "gateway_timeout"},
        {"model": "x/y", "error": "no such model", "error_code": "model_not_found"},
    ]
    inner = {"code": "all_models_failed", "message": "All models failed", "details": details}
    error = reply(502, {"detail": {"error": inner}}, **JSON)
    assert type(error) is InternalServerError
    assert (str(error), error.error_code) == ("All models failed", "all_models_failed")
    assert error.details == details


def test_a_failed_comparison_without_details_has_none():
    error = reply(502, {"detail": {"error": {"code": "all_models_failed", "message": "m"}}})
    assert error.details == []


def test_a_failed_comparison_without_a_message_names_the_first_model():
    inner = {"code": "all_models_failed", "details": [{"model": "x/y", "error": "timed out"}]}
    assert str(reply(502, {"detail": {"error": inner}})) == "x/y: timed out"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "boom"}, "boom"),
        ({"message": "boom"}, "boom"),
        ({"detail": {"error": "boom"}}, "boom"),
        ({"error": {"error": "boom"}}, "boom"),
        ({"msg": "boom"}, "boom"),
        ({"errors": [{"message": "boom"}]}, "boom"),
        ({"error": ["boom", "bang"]}, "boom (and 1 more)"),
        ([{"msg": "boom"}], "boom"),
        (["boom"], "boom"),
        ("boom", "HTTP 500: boom"),
        ({"error": "Bad Request", "message": "boom"}, "boom"),
        ({"error": "invalid_grant", "error_description": "boom"}, "boom"),
        ({"error": {"message": "  boom\n"}}, "boom"),
        ({"error": {"message": None}, "detail": "boom"}, "boom"),
        ({"error": {"message": ""}, "message": "boom"}, "boom"),
    ],
)
def test_a_message_is_found_wherever_servers_put_it(body, message):
    assert str(reply(500, body, **JSON)) == message


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "APPLICATION/JSON;CHARSET=UTF-8",
        "application/problem+json",
        "application/vnd.api+json",
        "text/plain",
        "text/html",
        "",
    ],
)
def test_an_envelope_is_read_under_any_content_type(content_type):
    error = reply(429, ENVELOPE, content_type=content_type)
    assert (str(error), error.error_code) == ("slow down", "rate_limit_exceeded")


def test_an_envelope_is_read_without_a_content_type():
    assert reply(429, ENVELOPE).error_code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "unauthorized"), (404, "not_found"), (413, "content_too_large")],
)
def test_a_body_that_is_no_json_still_gets_the_code_of_its_status(status, code):
    error = reply(status, b"<html>\r\n<h1>Oops</h1>\r\n</html>", content_type="text/html")
    assert type(error) is error_class(status)
    assert error.error_code == code
    assert str(error) == f"HTTP {status}: Oops"
    assert error.raw == "<html>\r\n<h1>Oops</h1>\r\n</html>"


def test_a_problem_of_rfc_9457_keeps_its_title_and_detail():
    body = {
        "type": "https://example.com/probs/out-of-credit",
        "title": "You do not have enough credit.",
        "status": 403,
        "detail": "Your current balance is 30, but that costs 50.",
        "instance": "/account/12345/msgs/abc",
        "balance": 30,
    }
    error = reply(403, body, content_type="application/problem+json")
    assert str(error) == f"{body['title']}: {body['detail']}"
    assert error.error_code == "forbidden"
    assert error.raw["balance"] == 30


def test_a_problem_of_rfc_9457_without_a_detail_has_its_title():
    error = reply(404, {"type": "about:blank", "title": "Not Found", "status": 404})
    assert (str(error), error.error_code) == ("Not Found", "not_found")


@pytest.mark.parametrize("null", [None, "", "  ", 7, [], {}])
def test_a_request_id_that_is_none_does_not_replace_that_of_the_header(null):
    body = {"error": {"message": "m", "request_id": null}, "request_id": null}
    assert reply(500, body, x_request_id="req_HEADER").request_id == "req_HEADER"
    assert frame(body, x_request_id="req_HEADER").request_id == "req_HEADER"
    assert reply(500, body).request_id == ""


def test_a_request_id_inside_the_error_is_found():
    body = {"error": {"message": "m", "request_id": "req_INNER"}}
    assert reply(500, body, x_request_id="req_HEADER").request_id == "req_INNER"


def test_the_body_names_the_request_better_than_the_header():
    assert reply(500, ENVELOPE, x_request_id="req_HEADER").request_id == "req_01BODY"


def test_a_request_id_is_found_under_any_spelling_of_the_header():
    headers = Headers([(b"X-Request-ID", b"req_HEADER")])
    assert error_from_reply(500, headers, b"").request_id == "req_HEADER"


def test_the_providers_code_is_exposed():
    assert reply(502, ENVELOPE).provider_code == "provider_overloaded"
    assert reply(502, {"error": {"provider_code": None}}).provider_code is None


@pytest.mark.parametrize("value", ["-1", "inf", "nan", "1e9", "9" * 5000, "soon", ""])
def test_a_retry_after_that_means_nothing_is_none(value):
    assert reply(429, {}, retry_after=value).retry_after_seconds is None


def test_the_header_is_as_good_as_the_body():
    assert reply(429, {}, retry_after="42").retry_after_seconds == 42
    assert reply(503, b"busy", retry_after="42").retry_after_seconds == 42


def test_the_larger_of_header_and_body_counts():
    assert reply(429, ENVELOPE, retry_after="42").retry_after_seconds == 42
    assert reply(429, ENVELOPE, retry_after="2").retry_after_seconds == 5
    assert reply(429, ENVELOPE, retry_after="never").retry_after_seconds == 5


def test_milliseconds_are_more_exact_than_seconds():
    error = reply(429, {}, retry_after_ms="250", retry_after="1")
    assert error.retry_after_seconds == 0.25
    assert reply(429, {}, retry_after_ms="-250", retry_after="1").retry_after_seconds == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "2.5"}, 2.5),
        ({"retry_after_ms": "2500.5"}, 2.5005),
        ({"retry_after_ms": "2500ms"}, 2.5),
        ({"retry_after_ms": "2500.5", "retry_after": "3"}, 2.5005),
        ({"retry_after_ms": "2500", "retry_after": "2"}, 2.5),
        # Rounding does not explain it: who asks for both gets the longer one.
        ({"retry_after_ms": "100", "retry_after": "5"}, 5),
        ({"retry_after_ms": "7000", "retry_after": "5"}, 7),
        ({"retry_after_ms": "soon", "retry_after": "5"}, 5),
    ],
)
def test_a_wait_of_two_units_is_never_shorter_than_either_asks(headers, wait):
    assert reply(429, {}, **headers).retry_after_seconds == pytest.approx(wait, abs=1e-9)


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
    assert reply(429, body).retry_after_seconds == wait
    assert frame(body).retry_after_seconds == wait


def test_an_error_from_the_wire_can_be_pickled_and_copied_with_all_it_knows():
    fields = Headers([("Retry-After", "42"), ("X-Request-Id", "req_HEADER")])
    error = error_from_reply(429, fields, json.dumps(ENVELOPE).encode())
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is RateLimitError
        assert vars(copied) == vars(error)
        assert str(copied) == "slow down"


@pytest.mark.parametrize("depth", [100, 400, 900])
def test_an_error_with_deep_json_can_be_pickled_and_copied(depth):
    deep = b'{"error": {"code": "c", "details": ' + b"[" * depth + b"]" * depth + b"}}"
    check(reply(400, deep))


# The standard envelope, and what may be missing from it


def test_every_fact_of_the_standard_envelope_has_its_attribute():
    error = reply(429, ENVELOPE, **JSON)
    assert type(error) is RateLimitError
    assert str(error) == error.message == "slow down"
    assert error.status == 429
    assert error.error_code == "rate_limit_exceeded"
    assert error.request_id == "req_01BODY"
    assert error.details == [{"limit": "rpm"}]
    assert error.provider_error == {"type": "throttled"}
    assert error.provider_code == "provider_overloaded"
    assert error.retry_after_seconds == 5
    assert error.partial is None
    assert error.raw == ENVELOPE
    assert error.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"0", b'""', b"  ", b'{"error": null}', b'{"error": {}}'],
)
def test_an_error_without_a_message_says_its_status_and_code(body):
    """Section 6: up to 0.1.9 a body like these became `parse_error`."""
    error = reply(503, body, **JSON)
    assert (str(error), error.error_code) == ("HTTP 503 (upstream_error)", "upstream_error")


def test_an_error_with_only_a_code_says_it():
    error = reply(404, {"error": {"code": "model_not_found"}})
    assert str(error) == "HTTP 404 (model_not_found)"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (301, "redirect"),
        (400, "invalid_request"),
        (401, "unauthorized"),
        (402, "spend_limit_exceeded"),
        (403, "forbidden"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (408, "request_timeout"),
        (409, "conflict"),
        (413, "content_too_large"),
        (415, "unsupported_media_type"),
        (418, "http_error"),
        (422, "validation_error"),
        (429, "rate_limit_exceeded"),
        (431, "headers_too_large"),
        (500, "upstream_error"),
        (501, "not_implemented"),
        (502, "upstream_error"),
        (503, "upstream_error"),
        (504, "upstream_error"),
        (520, "http_error"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"error": {"code": null}}'])
def test_an_error_without_a_code_gets_that_of_its_status(status, code, body):
    assert reply(status, body).error_code == code


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
    assert reply(400, {"error": error}).error_code == code


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (None, []),
        ([], []),
        ("text", []),
        ({"field": "x"}, [{"field": "x"}]),
        ([1, None], [1, None]),
    ],
)
def test_details_are_always_a_list(details, expected):
    assert reply(400, {"error": {"message": "m", "details": details}}).details == expected


# Bodies that are no JSON


def test_the_edges_413_is_a_content_too_large_error():
    """The body limit of 32 MiB is enforced in front of the gateway, in HTML, without an id."""
    page = b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n</html>\r\n"
    error = reply(413, page, content_type="text/html")
    assert type(error) is ContentTooLargeError
    assert (error.error_code, error.request_id) == ("content_too_large", "")
    assert "413 Request Entity Too Large" in str(error)


def test_json_too_deep_to_read_is_shown_as_text():
    error = reply(500, b'{"error":' * 100_000)
    assert error.error_code == "upstream_error"
    assert str(error).startswith('HTTP 500: {"error":{"error":')


def test_server_text_cannot_steer_a_terminal_or_forge_a_line():
    forged = "x\r\n2026-11-20 INFO all is well\x1b[2J\x9b\u2028"
    for error in (reply(500, forged.encode()), reply(500, {"error": {"message": forged}})):
        assert len(str(error).splitlines()) == 1
        assert "\x1b" not in str(error)
        assert "\x9b" not in str(error)


# Bodies that are too large


@pytest.mark.slow
def test_of_a_huge_page_only_its_beginning_is_kept():
    error = reply(502, b"<html>" + b"x" * 32_000_000)
    assert len(error.raw) == KEPT
    assert str(error).startswith("HTTP 502: xxx")
    assert len(pickle.dumps(error)) < KEPT + 2000


def test_a_422_that_echoes_the_request_is_abridged_and_stays_useful():
    image = "A" * 5_000_000
    items = [
        {"type": "t", "loc": ["body", "messages", n], "msg": f"wrong {n}", "input": image}
        for n in range(3)
    ]
    body = {"detail": items, "request_id": "req_1"}
    error = reply(422, body)
    assert str(error) == "body.messages.0: wrong 0 (and 2 more)"
    assert error.request_id == "req_1"
    assert [item["msg"] for item in error.details] == ["wrong 0", "wrong 1", "wrong 2"]
    assert error.details[2]["loc"] == ["body", "messages", 2]
    assert len(pickle.dumps(error)) < KEPT


@pytest.mark.parametrize(
    "filler",
    [[["x" * 499] * 10] * 100, {"k" * 499 + str(n): "x" * 499 for n in range(500)}, ["y"] * 50_000],
)
def test_of_huge_json_at_most_64_kib_are_kept_and_no_fact_is_lost(filler):
    body = {
        "error": {"details": filler, "provider_error": filler, "code": "c", "message": "m"},
        "request_id": "req_1",
    }
    error = reply(400, body)
    assert (str(error), error.error_code, error.request_id) == ("m", "c", "req_1")
    assert len(pickle.dumps((error.raw, error.details, error.provider_error))) <= KEPT + 4000


def test_a_body_of_usual_size_is_kept_whole():
    body = {"error": {"message": "m", "details": ["x" * 600] * 100}}
    assert reply(400, body).raw == body


# Redirects


def test_a_redirect_says_where_to_and_hides_the_signature():
    """To other clients a 307 was a success that failed to decode."""
    location = "https://storage.example.com/file?X-Signature=s3cret#part"
    error = reply(307, b"<html>Moved</html>", location=location)
    assert type(error) is RedirectError
    assert "https://storage.example.com/file" in str(error)
    assert "s3cret" not in str(error)
    assert (error.status, error.error_code) == (307, "redirect")


def test_a_redirect_to_nowhere_is_an_error_all_the_same():
    assert str(reply(304, b"")) == "HTTP 304 (redirect)"


# Error frames


def test_every_fact_of_an_error_frame_has_its_attribute():
    """In other clients only the message and the code survived."""
    error = error_from_frame(ENVELOPE, {"x-request-id": "req_HEADER"}, partial="half")
    assert type(error) is RateLimitError
    assert (str(error), error.status) == ("slow down", 0)
    assert error.error_code == "rate_limit_exceeded"
    assert error.request_id == "req_01BODY"
    assert error.details == [{"limit": "rpm"}]
    assert error.provider_error == {"type": "throttled"}
    assert error.provider_code == "provider_overloaded"
    assert error.retry_after_seconds == 5
    assert error.partial == "half"
    assert error.raw == ENVELOPE


def test_nulls_in_an_error_frame_never_become_the_text_none():
    error = frame({"error": {"code": None, "message": None}, "request_id": None})
    assert type(error) is APIStatusError
    assert (error.error_code, error.request_id) == ("upstream_error", "")
    assert str(error) == "error frame in the stream (upstream_error)"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"error": "boom"}, "boom"),
        ({"message": "boom"}, "boom"),
        ({"detail": "boom"}, "boom"),
        ("boom", "boom"),
        (["boom"], "boom"),
        ({"error": "a\nb"}, r"a\nb"),
        ("", "error frame in the stream (upstream_error)"),
        (None, "error frame in the stream (upstream_error)"),
        (17, "error frame in the stream (upstream_error): 17"),
        ({"error": True}, "error frame in the stream (upstream_error)"),
    ],
)
def test_an_error_frame_of_any_shape_is_an_error_without_a_guess_at_its_class(value, message):
    error = frame(value)
    assert type(error) is APIStatusError
    assert (str(error), error.error_code, error.status) == (message, "upstream_error", 0)


@pytest.mark.parametrize(
    ("error", "cls"),
    [
        ({"code": "rate_limit_exceeded"}, RateLimitError),
        ({"code": "unauthorized"}, AuthenticationError),
        ({"code": "spend_limit_exceeded"}, PaymentRequiredError),
        ({"code": "insufficient_credits"}, PaymentRequiredError),
        ({"code": "model_not_found"}, NotFoundError),
        ({"code": "context_window_exceeded"}, BadRequestError),
        ({"code": "validation_error"}, UnprocessableEntityError),
        ({"code": "upstream_error"}, InternalServerError),
        ({"code": "gateway_timeout"}, InternalServerError),
        ({"code": "rate_limit_exceeded", "status": 500}, RateLimitError),
        ({"code": "word_of_tomorrow", "status": 503}, InternalServerError),
        ({"code": "word_of_tomorrow"}, APIStatusError),
        ({"code": 429}, RateLimitError),
        ({"code": "429"}, RateLimitError),
        ({"code": 502, "type": "ServerError"}, InternalServerError),
        ({"status_code": 404}, NotFoundError),
        ({"code": 200}, APIStatusError),
        ({"code": 307}, APIStatusError),
        ({"code": True}, APIStatusError),
        ({"type": "invalid_request_error", "code": None}, BadRequestError),
    ],
)
def test_the_class_of_an_error_frame_comes_from_its_code_else_from_its_number(error, cls):
    assert type(frame({"error": error})) is cls
    assert type(frame(error)) is cls or "type" in error


def test_the_type_of_an_event_is_not_the_code_of_its_error():
    error = frame({"type": "error", "message": "boom", "param": None})
    assert (str(error), error.error_code) == ("boom", "upstream_error")


def test_an_error_frame_without_an_id_has_that_of_the_stream():
    headers = Headers([("X-Request-Id", "req_HEADER")])
    assert error_from_frame({"error": "boom"}, headers).request_id == "req_HEADER"
    inner = {"error": {"message": "m", "request_id": "req_INNER"}, "request_id": "req_FRAME"}
    assert error_from_frame(inner, headers).request_id == "req_INNER"


def test_the_headers_of_a_stream_say_nothing_about_when_to_come_back():
    assert frame({"error": "boom"}, retry_after="42").retry_after_seconds is None


def test_everything_is_caught_as_one():
    for error in (reply(500, b""), frame("boom")):
        with pytest.raises(MeshAPIError):
            raise error


class TestRefusedUploads:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (
                b"<Error><Code>SignatureDoesNotMatch</Code><Key>secret</Key></Error>",
                "SignatureDoesNotMatch",
            ),
            (b"<?xml version='1.0'?>\n<Error><Code>Auth.Failed2</Code></Error>", "Auth.Failed2"),
            (b"<Error><Code>sec ret</Code></Error>", None),
            (b"<Error><Code></Code></Error>", None),
            (b"<Code>" + b"x" * 65 + b"</Code>", None),
            (b'{"error": "secret"}', None),
            (b"\xff\0secret", None),
            (b"", None),
        ],
    )
    @pytest.mark.parametrize("status", [301, 400, 403, 404, 413, 500, 503])
    def test_only_status_and_code_are_told(self, body, code, status):
        headers = Headers([("x-amz-request-id", "amz_1"), ("Location", "https://x/?sig=secret")])
        error = refused_upload(status, headers, body)
        assert type(error) is error_class(status)
        assert (error.status, error.provider_code, error.request_id) == (status, code, "amz_1")
        assert str(status) in error.message
        assert "secret" not in f"{error} {error!r} {vars(error)}"
        assert (code or "refused") in error.message

    def test_a_code_is_looked_for_where_those_of_storages_stand_and_no_further(self):
        code = b"<Error><Code>SlowDown</Code></Error>"
        near = b" " * (KEPT - len(code)) + code
        assert refused_upload(403, Headers(), near).provider_code == "SlowDown"
        assert refused_upload(403, Headers(), b" " * KEPT + code).provider_code is None

    def test_the_wait_that_it_asks_for_is_kept(self):
        headers = Headers([("Retry-After", "7"), ("x-request-id", "req_1")])
        error = refused_upload(503, headers, b"<Error><Code>SlowDown</Code></Error>")
        assert (error.retry_after_seconds, error.request_id) == (7.0, "req_1")


# The server's words, wherever they stand

SAID = "no such deployment"
INNER = json.dumps({"error": {"message": SAID, "code": "c"}})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([{"error": {"code": 400, "message": SAID, "status": "INVALID_ARGUMENT"}}], SAID),
        ([{"message": SAID, "code": 400}], SAID),
        ({"code": 400, "details": SAID}, SAID),
        (
            {"statusCode": 400, "message": [SAID, "b"], "error": "Bad Request"},
            SAID + " (and 1 more)",
        ),
        ({"errors": {"model": [SAID]}}, "model: " + SAID),
        ({"errors": {"model": SAID}}, "model: " + SAID),
        ({"errors": [SAID]}, SAID),
        ({"errors": SAID}, SAID),
        (
            {"title": "Invalid.", "status": 400, "errors": {"Model": [SAID]}},
            "Invalid.: Model: " + SAID,
        ),
        ({"Message": SAID}, SAID),
        ({"Error": {"Message": SAID, "Code": "c"}}, SAID),
        ({"errorMessage": SAID, "errorType": "T"}, SAID),
        ({"error_message": SAID}, SAID),
        ({"fault": {"faultstring": SAID, "detail": {"errorcode": "x.y"}}}, SAID),
        ({"exception": {"message": SAID}}, SAID),
        ({"data": {"error": {"message": SAID}}}, SAID),
        ({"data": {"message": SAID}}, SAID),
        ({"status": {"message": SAID}}, SAID),
        ({"error": "not_found", "reason": SAID}, SAID),
        ({"error": {"type": "t", "reason": SAID}, "status": 400}, SAID),
        ({"error": INNER}, SAID),
        ({"error": {"message": INNER}}, SAID),
        ({"message": json.dumps({"detail": SAID})}, SAID),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": INNER}}},
            "Provider returned error: " + SAID,
        ),
        ({"error": {"message": f"<html><title>{SAID}</title></html>"}}, SAID),
        ({"deep": [{"within": {"msg": SAID}}]}, SAID),
        (json.dumps(INNER).encode(), SAID),
        (b"data: " + INNER.encode() + b"\n\ndata: [DONE]\n\n", SAID),
        (b"event: error\ndata: " + INNER.encode() + b"\n\n", SAID),
        (INNER.encode() + b"\n\ndata: [DONE]\n\n", SAID),
        (INNER.encode() + b"\n" + INNER.encode(), SAID),
        (b"<html><head><title>" + SAID.encode() + b"</title></head>x</html>", "HTTP 400: " + SAID),
        (b"<html><body><h1>" + SAID.encode() + b"</h1></body></html>", "HTTP 400: " + SAID),
        (
            b"<?xml version='1.0'?><Error><Message>" + SAID.encode() + b"</Message></Error>",
            "HTTP 400: " + SAID,
        ),
        (SAID.encode(), "HTTP 400: " + SAID),
        ({"foo": {"bar": 7}}, 'HTTP 400 (invalid_request): {"foo":{"bar":7}}'),
        ({"model": [SAID]}, 'HTTP 400 (invalid_request): {"model":["no such deployment"]}'),
        ({"status": "INVALID"}, 'HTTP 400 (invalid_request): {"status":"INVALID"}'),
        ([[7]], "HTTP 400 (invalid_request): [[7]]"),
        (17, "HTTP 400 (invalid_request): 17"),
    ],
)
def test_the_servers_words_are_found_in_any_shape(body, message):
    assert str(reply(400, body)) == message


@given(envelopes)
@example({"a": {"b": 7}})
@example({"error": {"code": "c", "param": "p"}})
def test_an_error_never_says_less_than_its_body(value):
    """What stands nowhere is shown as it came, unless there is nothing in it."""
    error = reply(400, value)
    if str(error) == f"HTTP 400 ({error.error_code})":
        assert all(
            is_blank(leaf) or leaf is True or str(leaf) in str(error) or str(leaf) == "400"
            for leaf in leaves(parse(json.dumps(value).encode()))
        )


def leaves(value: Any) -> list[Any]:
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return [leaf for item in inner for leaf in leaves(item)]
    return [value]


def test_the_excerpt_of_an_unknown_body_is_bounded():
    error = reply(400, {str(n): "x" * 10_000 for n in range(1000)})
    assert len(str(error)) == 500


# Errors under a 2xx

blanks = st.recursive(
    st.sampled_from([None, "", " ", False, 0, 0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(blanks, st.text(min_size=1))
def test_what_says_nothing_is_blank_at_any_depth(value, key):
    assert is_blank(value)
    assert is_blank({key: [value, value]})
    for other in (1, True, "x", -0.5):
        assert not is_blank(other)
        assert not is_blank([value, {key: other}])


def test_a_value_too_deep_to_look_through_is_not_blank():
    value: Any = None
    for _ in range(10_000):
        value = [value]
    assert not is_blank(value)


@given(blanks)
@example({"message": "", "type": "", "param": "", "code": None})
def test_a_blank_error_is_none_anywhere(value):
    for body in (
        {"error": value},
        {"error": value, "choices": [{"delta": {}}]},
        {"id": "1", "error": value},
    ):
        assert (
            answered_error(body, {}, 200, results=("choices",), declared=("id", "choices")) is None
        )
        assert not is_error_frame(body, ("choices",))


json_like = scalars | st.lists(scalars, max_size=2)
errors = st.sampled_from(
    [
        {"error": "m"},
        {"error": {"message": "m", "code": 429}},
        {"error": ["m"]},
        {"error": True},
        {"object": "error", "message": "m"},
        {"type": "error", "message": "m"},
        {"type": "error", "error": {"message": "m"}},
    ]
)
about = st.dictionaries(
    st.sampled_from(["id", "created", "model", "usage", "x_new", "timestamp"]),
    json_like,
)


@given(errors, about, st.booleans())
def test_an_error_beside_no_result_is_one(body, beside, in_a_list):
    content: Any = {**beside, **body}
    error = answered_error([content] if in_a_list else content, {"x-request-id": "r"}, 200)
    assert error is not None
    assert (error.status, error.request_id) == (200, "r")
    assert is_error_frame([content] if in_a_list else content, ("choices",))


@given(errors, about)
def test_an_error_beside_a_result_is_the_answers_own(body, beside):
    for result in ({"choices": [{"message": {"content": "a"}}]}, {"data": [1]}, {"text": "a"}):
        content = {**beside, **body, **result}
        assert answered_error(content, {}, 200) is None
        assert answered_error(content, {}, 200, results=tuple(result)) is None


@pytest.mark.parametrize("status", ["failed", "cancelled", "completed", "queued"])
def test_the_error_of_a_job_is_its_own(status):
    job = {"id": "job_1", "status": status, "error": {"code": "c", "message": "m"}}
    names = {"results": ("status",), "declared": ("id", "status", "error")}
    assert answered_error(job, {}, 200, **names) is None
    for other in ({"status": "error"}, {"status": 500}, {"status": None}, {"id": ""}):
        assert answered_error({**job, **other}, {}, 200, **names) is not None


@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "errors": [{"code": 7003, "message": "m"}], "result": None},
        {"detail": "m"},
        {"message": "m"},
        {"error_message": "m"},
        {"fault": {"faultstring": "m"}},
        {"errors": ["m"]},
    ],
)
def test_a_sentence_and_none_of_what_was_promised_is_an_error(body):
    error = answered_error(body, {}, 200, results=("choices",), declared=("id", "choices"))
    assert error is not None
    assert str(error) == "m"
    assert (
        answered_error({"id": "1", **body}, {}, 200, results=("text",), declared=("id", *body))
        is None
    )


@pytest.mark.parametrize("body", [{}, [], None, 7, "m", {"foo": "bar"}, [1, 2], [[]], {"ok": True}])
def test_what_says_nothing_of_an_error_is_none(body):
    assert answered_error(body, {}, 200, results=("choices",), declared=("id", "choices")) is None
    assert not is_error_frame(body, ("choices",))


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "ping", "message": "still here", "code": 500},
        {"message": "working"},
        {"status": "processing", "message": "working"},
        {"code": 200, "message": "fine"},
        {"detail": ""},
        {"choices": [{"delta": {"content": "a"}}], "detail": "m", "message": "m", "code": 500},
    ],
)
def test_a_frame_that_tells_something_else_is_no_error(frame):
    assert not is_error_frame(frame, ("choices",))


def test_a_choice_that_ended_in_an_error_is_one():
    said = {"index": 0, "finish_reason": "error", "error": {"code": 502, "message": "died"}}
    for choice in (said, {**said, "finish_reason": None}, {**said, "error": "died"}):
        content = {"id": "1", "choices": [{"index": 1, "message": {"content": "b"}}, choice]}
        error = answered_error(content, {}, 200, results=("choices",))
        assert error is not None
        assert str(error) == "died"
        assert is_error_frame(content, ("choices",))
    assert type(error_from_frame({"choices": [said]}, {})) is InternalServerError
    bare = {"choices": [{"finish_reason": "error"}]}
    assert str(error_from_frame(bare, {})).startswith("error frame in the stream (upstream_error)")


def test_a_200_of_a_limit_says_when_to_come_back():
    body = {"error": {"code": 429, "message": "m"}}
    error = answered_error(body, {"retry-after": "7"}, 200)
    assert isinstance(error, RateLimitError)
    assert error.retry_after_seconds == 7


def test_a_refused_upload_has_the_headers_of_the_answer_without_a_signature():
    headers = Headers([("Location", "https://s/?sig=rsk_test_x"), ("x-amz-request-id", "r")])
    error = refused_upload(307, headers, b"")
    assert dict(error.headers) == {"location": "https://s/?***", "x-amz-request-id": "r"}
    assert error.request_id == "r"
