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
├── ResponseDecodeError            a 2xx response does not have the expected form
│   └── Base64Error                a part of a response should be base64, and is not
└── StreamInterruptedError         a stream ended before it was complete

`statuses.py` has the table of statuses and their errors. A response that is merely odd causes a
`ResponseWarning`, and the call continues.

Mistakes in the program are not in the tree. A wrong argument raises TypeError or ValueError before
any byte is sent; for a parameter of a call, that is an `InvalidParamsError`, which is both. A
parameter that is merely odd is sent, with a `ParamsWarning`. Using a stream or a session again
after its end, or twice at once, raises a `StreamUsageError`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Optional, TypeVar

from typing_extensions import TypedDict, Unpack

from meshapi_core._close_codes import CLOSE_CODES
from meshapi_core._json_kinds import is_object
from meshapi_core._log_safe import one_line, with_facts
from meshapi_core._mistakes import (
    InvalidParamsError,
    ParamsWarning,
    ResponseWarning,
    StreamUsageError,
)
from meshapi_core.response_meta import CallFacts

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "Base64Error",
    "ConflictError",
    "ContentTooLargeError",
    "InternalServerError",
    "InvalidParamsError",
    "JobFailedError",
    "JobStatusError",
    "JobTimeoutError",
    "MeshAPIError",
    "NotFoundError",
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
    "UnprocessableEntityError",
]

E = TypeVar("E", bound="MeshAPIError")

# The error code of an error that has none: it says nothing, so it is not shown.
_UNKNOWN = "unknown_error"


class ErrorFacts(TypedDict, total=False):
    """The keyword arguments of every error's constructor; see `MeshAPIError`."""

    status: int
    error_code: Optional[str]
    request_id: str
    details: Optional[list[Any]]
    provider_error: Optional[Any]
    retry_after_seconds: Optional[float]
    provider_code: Optional[str]
    partial: Any
    headers: Optional[Mapping[str, str]]


class MeshAPIError(Exception, CallFacts):
    """The base class of every error that a call can raise.

    `str(e)` is one line: the message, then in parentheses the status, the error code, the request
    ID and the attempts if there were several: `no such model 'x' (404 model_not_found, request
    req_123)`, without what the message already contains. `e.message` is the message alone.

    Errors can be pickled and copied, with their attributes but without cause and traceback.

    Attributes:
        message: One line for people: control characters escaped, at most 500 characters.
        status: The HTTP status; 0 if there was no response.
        error_code: Stable, for programs to branch on, such as "rate_limit_exceeded". Never empty.
        request_id: The gateway's request ID, to quote to support; "" if it sent none.
        details: What is wrong in detail, as the gateway listed it.
        provider_error: The provider's error, as the gateway passed it on.
        provider_code: The gateway's word for the provider's error.
        retry_after_seconds: Seconds to wait before a retry; None if the gateway did not say.
        partial: The partial response: what had arrived before it broke off.
        headers: The headers of the response; empty if there was none.
        attempts, elapsed, meta: See `CallFacts`.
        retry_quota_exhausted: Whether the retry quota forbade a retry (`RetryPolicy.quota`).
    """

    default_error_code: ClassVar[str] = _UNKNOWN

    message: str
    status: int
    error_code: str
    request_id: str
    details: list[Any]
    provider_error: Optional[Any]
    provider_code: Optional[str]
    retry_after_seconds: Optional[float]
    partial: Any
    headers: Mapping[str, str]
    retry_quota_exhausted: bool = False

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        error_code: Optional[str] = None,
        request_id: str = "",
        details: Optional[list[Any]] = None,
        provider_error: Optional[Any] = None,
        retry_after_seconds: Optional[float] = None,
        provider_code: Optional[str] = None,
        partial: Any = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> None:
        self.message = one_line(message)
        super().__init__(self.message)
        self.status = status
        self.error_code = one_line(error_code or self.default_error_code)
        self.request_id = one_line(request_id or "")
        self.details = list(details or ())
        self.provider_error = provider_error
        self.provider_code = None if provider_code is None else one_line(provider_code)
        self.retry_after_seconds = retry_after_seconds
        self.partial = partial
        self.headers = {} if headers is None else headers

    def envelope(self) -> dict[str, Any]:
        """Return this error as plain values for JSON, for a relay to send to its own client.

        `{"error": {"code", "message", ...}, "request_id"}` is the form that MeshAPI sends and that
        OpenAI's clients read. `type` and `param` are included if the server sent them, `details`
        and `retry_after_seconds` if there are any, `request_id` if it is known. `provider_error` is
        left out. As the HTTP status, send `status`; if that is not an error status, send 502, or
        504 for an `APITimeoutError`.
        """
        error: dict[str, Any] = {"code": self.error_code, "message": self.message}
        for name, text in self._words().items():
            if isinstance(text, str) and text:
                error[name] = one_line(text)
        if self.details:
            error["details"] = [*self.details]
        if self.retry_after_seconds is not None:
            error["retry_after_seconds"] = self.retry_after_seconds
        whole: dict[str, Any] = {"error": error}
        if self.request_id:
            whole["request_id"] = self.request_id
        return whole

    def _words(self) -> dict[str, Any]:
        """The error's `type` and `param`, if the server sent them."""
        return {}

    def __str__(self) -> str:
        code = "" if self.error_code == _UNKNOWN else self.error_code
        return with_facts(self.message, self.status, code, self.request_id, self.attempts)

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is rebuilt as cls(*args), which fails for every subclass whose
        # __init__ requires more than the message: ours (`phase`), and subclasses in programs.
        return _rebuild, (type(self), self.args), self.__dict__


def _rebuild(cls: type[E], args: tuple[Any, ...]) -> E:
    return cls.__new__(cls, *args)


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
