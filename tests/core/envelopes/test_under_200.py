import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.codec.parsing import parse
from meshapi_core.envelopes import error_from_frame, error_in_response, is_error_frame
from meshapi_core.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    MeshAPIError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitError,
    UnprocessableEntityError,
)
from meshapi_core.headers import Headers
from support.error_bodies import (
    ENVELOPE,
    check,
    envelopes,
    frame,
    header_fields,
    make_response,
    scalars,
)

blanks = st.recursive(
    st.sampled_from([None, "", " ", False, 0, 0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


# Frames of a stream


@given(envelopes, header_fields, envelopes)
@example(None, {}, None)
@example({"error": {"retry_after_seconds": math.nan}}, {}, None)
@example({"error": {"code": True, "status": False}}, {}, None)
def test_any_error_frame_gives_a_typed_error_and_never_another_exception(value, headers, partial):
    error = error_from_frame(value, headers, partial=partial)
    check(error)
    assert error.status == 0
    assert error.partial is partial


@given(envelopes)
def test_a_frame_and_a_response_are_read_alike(value):
    as_response, as_frame = make_response(200, value), frame(parse(json.dumps(value).encode()))
    if isinstance(value, (dict, list)):
        assert as_response.request_id == as_frame.request_id
        assert as_response.retry_after_seconds == as_frame.retry_after_seconds
        assert as_response.provider_code == as_frame.provider_code


def test_every_fact_of_an_error_frame_has_its_attribute():
    """Not only the message and the code."""
    error = error_from_frame(ENVELOPE, {"x-request-id": "req_HEADER"}, partial="half")
    assert type(error) is RateLimitError
    assert (error.message, error.status) == ("slow down", 0)
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
    assert str(error) == "the stream ended with an error (upstream_error)"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"error": "boom"}, "boom"),
        ({"message": "boom"}, "boom"),
        ({"detail": "boom"}, "boom"),
        ("boom", "boom"),
        (["boom"], "boom"),
        ({"error": "a\nb"}, r"a\nb"),
        ("", "the stream ended with an error"),
        (None, "the stream ended with an error"),
        (17, "the stream ended with an error: 17"),
        ({"error": True}, "the stream ended with an error"),
    ],
)
def test_an_error_frame_of_any_form_is_an_error_without_a_guess_at_its_class(value, message):
    error = frame(value)
    assert type(error) is APIStatusError
    assert (error.message, error.error_code, error.status) == (message, "upstream_error", 0)


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
    assert (error.message, error.error_code) == ("boom", "upstream_error")


def test_an_error_frame_without_an_id_has_that_of_the_stream():
    headers = Headers([("X-Request-Id", "req_HEADER")])
    assert error_from_frame({"error": "boom"}, headers).request_id == "req_HEADER"
    inner = {"error": {"message": "m", "request_id": "req_INNER"}, "request_id": "req_FRAME"}
    assert error_from_frame(inner, headers).request_id == "req_INNER"


def test_the_headers_of_a_stream_do_not_say_how_long_to_wait():
    assert frame({"error": "boom"}, retry_after="42").retry_after_seconds is None


def test_everything_is_caught_as_one():
    for error in (make_response(500, b""), frame("boom")):
        with pytest.raises(MeshAPIError):
            raise error


# Whole responses, and frames


@given(blanks)
@example({"message": "", "type": "", "param": "", "code": None})
def test_a_blank_error_is_not_an_error_anywhere(value):
    for body in (
        {"error": value},
        {"error": value, "choices": [{"delta": {}}]},
        {"id": "1", "error": value},
    ):
        assert (
            error_in_response(body, {}, 200, results=("choices",), declared=("id", "choices"))
            is None
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
def test_an_error_without_a_result_is_an_error(body, beside, in_a_list):
    content: Any = {**beside, **body}
    error = error_in_response([content] if in_a_list else content, {"x-request-id": "r"}, 200)
    assert error is not None
    assert (error.status, error.request_id) == (200, "r")
    assert is_error_frame([content] if in_a_list else content, ("choices",))


@given(errors, about)
def test_an_error_next_to_a_result_is_a_field_of_the_response(body, beside):
    for result in ({"choices": [{"message": {"content": "a"}}]}, {"data": [1]}, {"text": "a"}):
        content = {**beside, **body, **result}
        assert error_in_response(content, {}, 200) is None
        assert error_in_response(content, {}, 200, results=tuple(result)) is None


@pytest.mark.parametrize("status", ["failed", "cancelled", "completed", "queued"])
def test_the_error_of_a_job_is_a_field_of_the_response(status):
    job = {"id": "job_1", "status": status, "error": {"code": "c", "message": "m"}}
    names = {"results": ("status",), "declared": ("id", "status", "error")}
    assert error_in_response(job, {}, 200, **names) is None
    for other in ({"status": "error"}, {"status": 500}, {"status": None}, {"id": ""}):
        assert error_in_response({**job, **other}, {}, 200, **names) is not None


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
def test_a_message_without_any_declared_field_is_an_error(body):
    error = error_in_response(body, {}, 200, results=("choices",), declared=("id", "choices"))
    assert error is not None
    assert error.message == "m"
    assert (
        error_in_response({"id": "1", **body}, {}, 200, results=("text",), declared=("id", *body))
        is None
    )


@pytest.mark.parametrize("body", [{}, [], None, 7, "m", {"foo": "bar"}, [1, 2], [[]], {"ok": True}])
def test_a_body_that_does_not_mention_an_error_is_not_one(body):
    assert (
        error_in_response(body, {}, 200, results=("choices",), declared=("id", "choices")) is None
    )
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
def test_a_frame_about_something_else_is_not_an_error(frame):
    assert not is_error_frame(frame, ("choices",))


def test_a_choice_that_ended_in_an_error_is_an_error():
    said = {"index": 0, "finish_reason": "error", "error": {"code": 502, "message": "died"}}
    for choice in (said, {**said, "finish_reason": None}, {**said, "error": "died"}):
        content = {"id": "1", "choices": [{"index": 1, "message": {"content": "b"}}, choice]}
        error = error_in_response(content, {}, 200, results=("choices",))
        assert error is not None
        assert error.message == "died"
        assert is_error_frame(content, ("choices",))
    assert type(error_from_frame({"choices": [said]}, {})) is InternalServerError
    bare = {"choices": [{"finish_reason": "error"}]}
    assert str(error_from_frame(bare, {})).startswith("the stream ended with an error")


def test_a_200_with_a_rate_limit_error_says_how_long_to_wait():
    body = {"error": {"code": 429, "message": "m"}}
    error = error_in_response(body, {"retry-after": "7"}, 200)
    assert isinstance(error, RateLimitError)
    assert error.retry_after_seconds == 7
