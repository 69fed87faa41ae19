"""The error for each status, and whether it is retried: one line for each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.errors import APIStatusError
from meshapi_core.retries import Outcome, RetryPolicy
from meshapi_core.statuses import CODES, ERRORS, code_of_status, error_class, status_of_code

LINES = [
    # status, class, error code if the response has none, whether the request is retried
    (200, "APIStatusError", "http_error", False),
    (300, "RedirectError", "redirect", False),
    (304, "RedirectError", "redirect", False),
    (399, "RedirectError", "redirect", False),
    (400, "BadRequestError", "invalid_request", False),
    (401, "AuthenticationError", "unauthorized", False),
    (402, "PaymentRequiredError", "spend_limit_exceeded", False),
    (403, "PermissionDeniedError", "forbidden", False),
    (404, "NotFoundError", "not_found", False),
    (405, "APIStatusError", "method_not_allowed", False),
    (406, "APIStatusError", "not_acceptable", False),
    (408, "APIStatusError", "request_timeout", False),
    (409, "ConflictError", "conflict", False),
    (410, "APIStatusError", "gone", False),
    (411, "APIStatusError", "length_required", False),
    (412, "APIStatusError", "precondition_failed", False),
    (413, "ContentTooLargeError", "content_too_large", False),
    (414, "APIStatusError", "uri_too_long", False),
    (415, "APIStatusError", "unsupported_media_type", False),
    (418, "APIStatusError", "http_error", False),
    (421, "APIStatusError", "misdirected_request", False),
    (422, "UnprocessableEntityError", "validation_error", False),
    (425, "APIStatusError", "too_early", False),
    (426, "APIStatusError", "upgrade_required", False),
    (428, "APIStatusError", "precondition_required", False),
    (429, "RateLimitError", "rate_limit_exceeded", True),
    (431, "APIStatusError", "headers_too_large", False),
    (451, "APIStatusError", "unavailable_for_legal_reasons", False),
    (499, "APIStatusError", "http_error", False),
    (500, "InternalServerError", "upstream_error", False),
    (501, "InternalServerError", "not_implemented", False),
    (502, "InternalServerError", "upstream_error", True),
    (503, "InternalServerError", "upstream_error", True),
    (504, "InternalServerError", "upstream_error", True),
    (529, "InternalServerError", "http_error", False),
    (599, "InternalServerError", "http_error", False),
    (600, "APIStatusError", "http_error", False),
]


@pytest.mark.parametrize(("status", "name", "code", "again"), LINES)
def test_a_status_has_its_class_its_code_and_its_retry(status, name, code, again):
    assert error_class(status).__name__ == name
    assert code_of_status(status) == code
    outcome = Outcome(method="POST", stage="complete", status=status, error_code=code)
    assert (RetryPolicy().delay(0, outcome, 0.0) is not None) == again


def test_each_status_of_the_table_is_tried_here():
    assert set(ERRORS) <= {line[0] for line in LINES}


@given(st.integers())
def test_every_number_has_an_error_class_and_a_code(status):
    assert issubclass(error_class(status), APIStatusError)
    assert code_of_status(status)


@pytest.mark.parametrize(("code", "status"), CODES.items())
def test_a_code_stands_for_a_status_that_has_a_line(code, status):
    assert status_of_code(code) == status
    assert status in ERRORS


@given(st.text())
def test_no_status_is_guessed_for_an_unknown_code(code):
    assert status_of_code(code) == CODES.get(code, 0)
