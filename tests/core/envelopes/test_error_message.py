import json
from typing import Any

import pytest
from hypothesis import example, given

from meshapi_core.codec.parsing import parse
from meshapi_core.envelopes import is_blank
from meshapi_core.errors import InternalServerError
from support.error_bodies import JSON, envelopes, make_response


def test_a_fastapi_detail_object_of_unknown_shape_is_kept():
    error = make_response(403, {"detail": {"reason": 7}}, **JSON)
    said = 'HTTP 403: {"detail":{"reason":7}}'
    assert (error.message, error.details) == (said, [{"reason": 7}])


def test_a_failed_comparison_keeps_its_code_and_what_each_model_said():
    details = [
        {"model": "openai/gpt-4o", "error": "timed out", "error_code": "gateway_timeout"},
        {"model": "x/y", "error": "no such model", "error_code": "model_not_found"},
    ]
    inner = {"code": "all_models_failed", "message": "All models failed", "details": details}
    error = make_response(502, {"detail": {"error": inner}}, **JSON)
    assert type(error) is InternalServerError
    assert (error.message, error.error_code) == ("All models failed", "all_models_failed")
    assert error.details == details


def test_a_failed_comparison_without_details_has_none():
    error = make_response(502, {"detail": {"error": {"code": "all_models_failed", "message": "m"}}})
    assert error.details == []


def test_a_failed_comparison_without_a_message_names_the_first_model():
    inner = {"code": "all_models_failed", "details": [{"model": "x/y", "error": "timed out"}]}
    assert make_response(502, {"detail": {"error": inner}}).message == "x/y: timed out"


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
    assert make_response(500, body, **JSON).message == message


def test_a_problem_of_rfc_9457_keeps_its_title_and_detail():
    body = {
        "type": "https://example.com/probs/out-of-credit",
        "title": "You do not have enough credit.",
        "status": 403,
        "detail": "Your current balance is 30, but that costs 50.",
        "instance": "/account/12345/msgs/abc",
        "balance": 30,
    }
    error = make_response(403, body, content_type="application/problem+json")
    assert error.message == f"{body['title']}: {body['detail']}"
    assert error.error_code == "forbidden"
    assert error.raw["balance"] == 30


def test_a_problem_of_rfc_9457_without_a_detail_has_its_title():
    error = make_response(404, {"type": "about:blank", "title": "Not Found", "status": 404})
    assert (error.message, error.error_code) == ("Not Found", "not_found")


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
    assert make_response(400, {"error": {"message": "m", "details": details}}).details == expected


# The server's message, wherever it is

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
        ({"foo": {"bar": 7}}, 'HTTP 400: {"foo":{"bar":7}}'),
        ({"model": [SAID]}, 'HTTP 400: {"model":["no such deployment"]}'),
        ({"status": "INVALID"}, 'HTTP 400: {"status":"INVALID"}'),
        ([[7]], "HTTP 400: [[7]]"),
        (17, "HTTP 400: 17"),
    ],
)
def test_the_servers_words_are_found_in_any_shape(body, message):
    assert make_response(400, body).message == message


@given(envelopes)
@example({"a": {"b": 7}})
@example({"error": {"code": "c", "param": "p"}})
def test_an_error_never_says_less_than_its_body(value):
    """A body without a message is shown as it is, unless there is nothing in it."""
    error = make_response(400, value)
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
    error = make_response(400, {str(n): "x" * 10_000 for n in range(1000)})
    assert len(error.message) == 500
