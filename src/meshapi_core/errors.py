"""Every error that a call can raise, in one tree.

MeshAPIError
├── APIStatusError                 the gateway responded with an error
│   ├── RedirectError              3xx, which is never followed
│   ├── BadRequestError            400
│   ├── AuthenticationError        401
│   ├── PaymentRequiredError       402
│   ├── PermissionDeniedError      403
│   ├── NotFoundError              404
│   ├── ConflictError              409
│   ├── ContentTooLargeError       413
│   ├── UnprocessableEntityError   422
│   ├── RateLimitError             429
│   └── InternalServerError        5xx
├── APIConnectionError             the network delivered no usable response
│   ├── APITimeoutError            a time limit of the client ran out
│   ├── ProtocolError              the server broke the rules of HTTP
│   └── RealtimeConnectionClosed   a realtime session is over
├── RealtimeError                  an error event in a realtime session
├── JobFailedError                 a job that the call waited for has failed
├── JobStatusError                 a job has a status that this version does not know
├── JobTimeoutError                a job had not ended when the time limit of a wait ran out
├── BudgetExceededError            a budget is used up; the call was not sent
├── JournalError                   the journal of a run cannot be used
├── NetworkBlockedError            a test may not connect to a host; nothing was sent
├── CassetteError                  a cassette does not have what a call needs
├── ToolLoopLimitError             a tool run has reached one of its limits
├── ToolCallsPendingError          a turn of a conversation waits for results from elsewhere
├── ResponseDecodeError            a 2xx response does not have the expected form
│   ├── Base64Error                a part of a response should be base64, and is not
│   └── ToolArgumentsError         the arguments of a tool call should be JSON, and are not
├── StreamInterruptedError         a stream ended before it was complete
├── StructuredOutputError          the model did not give the value that was asked for
│   ├── ModelRefusalError          it refused to
│   ├── OutputTruncatedError       it was cut off at a limit of model tokens
│   ├── ContentFilterError         a content filter stopped it
│   └── OutputValidationError      it is not JSON, or does not match the type
└── UnsupportedSchemaError         a type has no JSON schema; nothing was sent

`statuses.py` has the table of statuses and their errors. A response that is merely odd causes a
`ResponseWarning`, an odd parameter a `ParamsWarning`, and the call continues.

Other mistakes in the program are not in the tree. A wrong argument raises TypeError or ValueError
before any byte is sent; a wrong parameter raises `InvalidParamsError`, which is both. Using a
stream or a session after its end, or twice at once, raises `StreamUsageError`.
"""

from typing import Any, Optional

from typing_extensions import Unpack

from meshapi_core._base_error import ErrorFacts, MeshAPIError
from meshapi_core._close_codes import CLOSE_CODES
from meshapi_core._journal_errors import JournalError
from meshapi_core._json_kinds import is_object
from meshapi_core._log_safe import one_line, with_facts
from meshapi_core._mistakes import (
    InvalidParamsError,
    ParamsWarning,
    ResponseWarning,
    StreamUsageError,
)
from meshapi_core._testing_errors import CassetteError, NetworkBlockedError
from meshapi_core._tool_errors import ToolCallsPendingError, ToolLoopLimitError

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "Base64Error",
    "CassetteError",
    "ConflictError",
    "ContentFilterError",
    "ContentTooLargeError",
    "InternalServerError",
    "InvalidParamsError",
    "JobFailedError",
    "JobStatusError",
    "JobTimeoutError",
    "JournalError",
    "MeshAPIError",
    "ModelRefusalError",
    "NetworkBlockedError",
    "NotFoundError",
    "OutputTruncatedError",
    "OutputValidationError",
    "ParamsWarning",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "ProtocolError",
    "RateLimitError",
    "RealtimeConnectionClosed",
    "RealtimeError",
    "RedirectError",
    "ResponseDecodeError",
    "ResponseWarning",
    "StreamInterruptedError",
    "StreamUsageError",
    "StructuredOutputError",
    "ToolCallsPendingError",
    "ToolLoopLimitError",
    "UnprocessableEntityError",
    "UnsupportedSchemaError",
]


class APIStatusError(MeshAPIError):
    """The gateway responded with an error: by its status, in a 2xx response, or within a stream.

    In the latter two cases, the error code decides on the class, so `except RateLimitError` catches
    all three. `status` is the HTTP status: 200 if the body of a 200 was an error, and 0 for an
    error within a stream.

    Attributes:
        raw: The error as the server sent it: decoded JSON, or text. At most 64 KiB are kept.
    """

    raw: Any

    def __init__(self, message: str, *, raw: Any = None, **facts: Unpack[ErrorFacts]) -> None:
        super().__init__(message, **facts)
        self.raw = raw

    def _words(self) -> dict[str, Any]:
        # Outside the error's own object, `type` means other things.
        error = self.raw.get("error") if is_object(self.raw) else None
        return {name: error.get(name) for name in ("type", "param")} if is_object(error) else {}


class RedirectError(APIStatusError):
    """3xx: a redirect, which is never followed; usually the base URL is wrong."""


class BadRequestError(APIStatusError):
    """400: the gateway does not understand the request."""


class AuthenticationError(APIStatusError):
    """401: the token is missing, wrong or revoked."""


class PaymentRequiredError(APIStatusError):
    """402: the account's balance or spending limit is used up. A retry does not help."""


class PermissionDeniedError(APIStatusError):
    """403: the token does not permit this."""


class NotFoundError(APIStatusError):
    """404: there is no such model, resource or path."""


class ConflictError(APIStatusError):
    """409: the resource is in a state that does not allow this."""


class ContentTooLargeError(APIStatusError):
    """413: the body of the request is too large."""


class UnprocessableEntityError(APIStatusError):
    """422: a field of the request is wrong; `details` names it."""


class RateLimitError(APIStatusError):
    """429: too many requests; `retry_after_seconds` says how long to wait."""


class InternalServerError(APIStatusError):
    """5xx: the gateway or the provider behind it failed."""


class APIConnectionError(MeshAPIError):
    """The network delivered no usable response.

    `error_code` says what happened: "connect_refused", "connect_failed", "dns", "tls_verify",
    "tls_handshake", "reset", "disconnected", "truncated", "client_closed", ...
    """

    default_error_code = "connection_error"


class APITimeoutError(APIConnectionError):
    """A time limit of the client ran out.

    Attributes:
        phase: The phase that took too long: "connect", "read", "write", "pool", "idle" or
            "total". `error_code` is "<phase>_timeout".
    """

    phase: str

    def __init__(self, message: str, *, phase: str, **facts: Unpack[ErrorFacts]) -> None:
        facts.setdefault("error_code", f"{phase}_timeout")
        super().__init__(message, **facts)
        self.phase = phase


class ProtocolError(APIConnectionError):
    """The server broke the rules of HTTP, so nothing that it sent can be trusted.

    `error_code` says how: "too_many_1xx", "bad_response", "headers_too_large", "framing",
    "unexpected_upgrade", "desync"; in an upgrade to a WebSocket, "handshake_status",
    "handshake_upgrade", "handshake_accept", "handshake_subprotocol", "handshake_extension".
    """

    default_error_code = "bad_response"


class RealtimeConnectionClosed(APIConnectionError):
    """A realtime session is over, and nothing more can be sent or received.

    `error_code` says why: "connection_closed" (by a Close frame from either side), "disconnected",
    "reset", "ping_timeout", "message_too_big", "bad_frame", "bad_text", "flood", "client_closed".

    Attributes:
        code: The close code; 1005 if the server sent none, 1006 if there was no Close frame.
        reason: The reason in the Close frame; "" if there was none.
        clean: Whether both sides have sent a Close frame.
    """

    default_error_code = "connection_closed"

    code: int
    reason: str
    clean: bool

    def __init__(
        self, code: int, reason: str = "", *, clean: bool = False, **facts: Unpack[ErrorFacts]
    ) -> None:
        said = reason or CLOSE_CODES.get(code, "")
        said = f": {said}" if said else ""
        super().__init__(f"the realtime session is over, code {code}{said}", **facts)
        self.code = code
        self.reason = one_line(reason)
        self.clean = clean


class RealtimeError(MeshAPIError):
    """An error event in a realtime session; the session continues unless the server closes it.

    `str(e)` is `realtime[<code>]: <message>`, followed by the request ID in parentheses, if known.

    Attributes:
        code: The same as `error_code`.
        param: The field of the client's event that caused the error; None if the server named none.
        event_id: The `event_id` of that event; None if the server named none.
    """

    param: Optional[str]
    event_id: Optional[str]

    def __init__(
        self,
        code: Optional[str],
        message: str,
        param: Optional[str] = None,
        request_id: Optional[str] = None,
        event_id: Optional[str] = None,
    ) -> None:
        super().__init__(message, error_code=code, request_id=request_id or "")
        self.param = None if param is None else one_line(param)
        self.event_id = None if event_id is None else one_line(event_id)

    @property
    def code(self) -> str:
        """The error code, for programs to branch on. Never empty."""
        return self.error_code

    def _words(self) -> dict[str, Any]:
        return {"param": self.param}

    def __str__(self) -> str:
        line = f"realtime[{self.error_code}]: {self.message}"
        return with_facts(line, self.status, "", self.request_id)


class JobFailedError(MeshAPIError):
    """A job that the call waited for has failed; `partial` is the whole response.

    It includes the parts that succeeded. `details` describes each failure.
    """

    default_error_code = "job_failed"


class JobStatusError(MeshAPIError):
    """A job has a status that this version does not know; `partial` is the job as it was last seen.

    It may have ended or go on. Waiting for longer might never end, so the wait ends here.
    """

    default_error_code = "unknown_status"


class JobTimeoutError(MeshAPIError):
    """The time limit of a wait ran out; `partial` is the job as it was last seen.

    The job goes on at the gateway. Another wait for the same ID takes it up again.
    """

    default_error_code = "job_timeout"


class StreamInterruptedError(MeshAPIError):
    """A stream ended before it was complete; `partial` is what had arrived by then."""

    default_error_code = "stream_interrupted"


class ResponseDecodeError(MeshAPIError):
    """A 2xx response does not have the expected form, or is too large.

    `error_code` is "parse_error", "response_too_large", "event_too_large", "content_coding" (the
    body cannot be decompressed) or "unsafe_url" (the response names a URL to which uploads are not
    allowed).

    Attributes:
        raw_body: The first 64 KiB of the body; empty if there was none, or far too much of it.
    """

    default_error_code = "parse_error"

    raw_body: bytes

    def __init__(self, message: str, *, raw_body: bytes = b"", **facts: Unpack[ErrorFacts]) -> None:
        super().__init__(message, **facts)
        self.raw_body = raw_body


class Base64Error(ResponseDecodeError, ValueError):
    """Audio, an image or a vector should be base64, and is not."""


class StructuredOutputError(MeshAPIError):
    """The model did not give the value that was asked for; see `parse`.

    Attributes:
        text: What the model said instead, as it came; "" if it said nothing.
        response: The whole response; None if there is none.
    """

    default_error_code = "structured_output"

    text: str
    response: Any

    def __init__(
        self, message: str, *, text: str = "", response: Any = None, **facts: Unpack[ErrorFacts]
    ) -> None:
        super().__init__(message, **facts)
        self.text = text
        self.response = response


class ModelRefusalError(StructuredOutputError):
    """The model refused to give the value; `text` is its reason."""

    default_error_code = "model_refusal"


class OutputTruncatedError(StructuredOutputError):
    """The model's text was cut off at a limit of model tokens, and is not a whole value."""

    default_error_code = "output_truncated"


class ContentFilterError(StructuredOutputError):
    """A content filter stopped the model; `text` is what it had said by then."""

    default_error_code = "content_filter"


class OutputValidationError(StructuredOutputError):
    """The model's text is not JSON, or does not match the type.

    Attributes:
        path: The place of the first mistake, such as `people[0].age`; "" for the text as a whole.
        reason: What was expected there, and what was found.
    """

    default_error_code = "output_invalid"

    path: str
    reason: str

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        reason: str = "",
        text: str = "",
        response: Any = None,
        **facts: Unpack[ErrorFacts],
    ) -> None:
        super().__init__(message, text=text, response=response, **facts)
        self.path = path
        self.reason = reason


class UnsupportedSchemaError(MeshAPIError, TypeError):
    """A type, or a part of one, has no JSON schema; nothing was sent.

    Attributes:
        path: The part, such as `Person.address.when`; the name of the type for the whole of it.
    """

    default_error_code = "unsupported_schema"

    path: str

    def __init__(self, message: str, *, path: str = "", **facts: Unpack[ErrorFacts]) -> None:
        super().__init__(message, **facts)
        self.path = path
