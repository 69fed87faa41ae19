"""The error for each status: its class, and its error code if the server sends none.

To change the error for a 409, change its line in `ERRORS`. Which statuses are retried is up to
`RetryPolicy.statuses` in `retries.py`. The messages are the server's.

For an error within a stream or in a 200, the status says nothing: there the error code decides on
the class, by `CODES`.

Source: https://developers.meshapi.ai (errors),
    https://www.rfc-editor.org/rfc/rfc9110#section-15
"""

from meshapi_core.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ContentTooLargeError,
    InternalServerError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    RedirectError,
    UnprocessableEntityError,
)

__all__ = ["CODES", "ERRORS", "code_of_status", "error_class", "status_of_code"]

ERRORS: dict[int, tuple[type[APIStatusError], str]] = {
    400: (BadRequestError, "invalid_request"),
    401: (AuthenticationError, "unauthorized"),
    402: (PaymentRequiredError, "spend_limit_exceeded"),
    403: (PermissionDeniedError, "forbidden"),
    404: (NotFoundError, "not_found"),
    405: (APIStatusError, "method_not_allowed"),
    406: (APIStatusError, "not_acceptable"),
    408: (APIStatusError, "request_timeout"),
    409: (ConflictError, "conflict"),
    410: (APIStatusError, "gone"),
    411: (APIStatusError, "length_required"),
    412: (APIStatusError, "precondition_failed"),
    413: (ContentTooLargeError, "content_too_large"),
    414: (APIStatusError, "uri_too_long"),
    415: (APIStatusError, "unsupported_media_type"),
    421: (APIStatusError, "misdirected_request"),
    422: (UnprocessableEntityError, "validation_error"),
    425: (APIStatusError, "too_early"),
    426: (APIStatusError, "upgrade_required"),
    428: (APIStatusError, "precondition_required"),
    429: (RateLimitError, "rate_limit_exceeded"),
    431: (APIStatusError, "headers_too_large"),
    451: (APIStatusError, "unavailable_for_legal_reasons"),
    500: (InternalServerError, "upstream_error"),
    501: (InternalServerError, "not_implemented"),
    502: (InternalServerError, "upstream_error"),
    503: (InternalServerError, "upstream_error"),
    504: (InternalServerError, "upstream_error"),
}
"""The class of the error, and its `error_code` if the server sends none."""

_REDIRECT = (RedirectError, "redirect")
_OTHER_5XX = (InternalServerError, "http_error")
_OTHER = (APIStatusError, "http_error")

CODES: dict[str, int] = {
    code: status
    for status, codes in {
        # Together with the types of errors of OpenAI and Anthropic.
        400: "bad_request content_policy_violation context_window_exceeded invalid_api_version"
        " invalid_input invalid_request invalid_request_error invalid_search_parameter mixed_models"
        " model_not_available_on_pinned_provider unsupported_operation",
        401: "unauthorized invalid_api_key authentication_error",
        402: "spend_limit_exceeded insufficient_credits insufficient_quota",
        403: "forbidden feature_not_enabled permission_error permission_denied",
        404: "not_found not_found_error model_not_found resource_not_found"
        " provider_resource_not_found",
        409: "conflict",
        413: "content_too_large request_too_large",
        422: "validation_error unprocessable_entity",
        429: "rate_limit_exceeded rate_limit_error batch_limit_exceeded"
        " concurrent_sessions_exceeded upstream_rate_limit_error",
        500: "all_models_failed api_version_migration_failed connection_timeout gateway_timeout"
        " internal_error not_implemented pii_redaction_unavailable provider_error"
        " provider_job_failed provider_not_available secret_provision_failed service_draining"
        " upstream_error upstream_overload overloaded_error server_error internal_server_error"
        " api_error",
    }.items()
    for code in codes.split()
}
"""The status for each documented error code. Codes that come with several statuses of different
classes are left out: for them, the class would be a guess."""


def error_class(status: int) -> type[APIStatusError]:
    """Return the class for an HTTP status; `APIStatusError` if none is more specific."""
    return _meaning(status)[0]


def code_of_status(status: int) -> str:
    """Return the error code for a status; "http_error" if the status is unknown."""
    return _meaning(status)[1]


def status_of_code(code: str) -> int:
    """Return the status that an error code stands for; 0 if that would be a guess."""
    return CODES.get(code, 0)


def _meaning(status: int) -> tuple[type[APIStatusError], str]:
    if 300 <= status <= 399:
        return _REDIRECT
    return ERRORS.get(status) or (_OTHER_5XX if 500 <= status <= 599 else _OTHER)
