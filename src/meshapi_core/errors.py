"""Everything that this library raises about a call, in one tree.

MeshAPIError
├── APIStatusError                 the server answered with an error
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
├── APIConnectionError             no usable response came from the network
│   ├── APITimeoutError            a time limit of ours ran out
│   ├── ProtocolError              the peer broke the rules of HTTP
│   └── RealtimeConnectionClosed   a realtime session is over
├── RealtimeError                  an error event within a realtime session
├── JobFailedError                 work that was waited for has failed
├── ResponseDecodeError            a 2xx response is not what was promised
│   └── Base64Error                what should be base64 in it is not
└── StreamInterruptedError         a stream ended before it was complete

Where less than that is odd in a response, a `ResponseWarning` says so, and the call goes on.

A wrong argument is not in the tree: it raises TypeError or ValueError before any byte is sent, a
parameter of a call `InvalidParamsError`, which is both. A parameter that is only odd is sent, and
a `ParamsWarning` says so.

`statuses.py` has the table of which status becomes which of these.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Optional, TypeVar

from typing_extensions import TypedDict, Unpack

from meshapi_core._json_kinds import is_object
from meshapi_core._log_safe import one_line

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
    "UnprocessableEntityError",
]

E = TypeVar("E", bound="MeshAPIError")


class ErrorFacts(TypedDict, total=False):
    """The keyword arguments that every error takes; see `MeshAPIError`."""

    status: int
    error_code: Optional[str]
    request_id: str
    details: Optional[list[Any]]
    provider_error: Optional[Any]
    retry_after_seconds: Optional[float]
    provider_code: Optional[str]
    partial: Any
    headers: Optional[Mapping[str, str]]


class MeshAPIError(Exception):
    """The base of every error that a call can end with.

    `str(e)` is `e.message`. Errors can be pickled and copied with all their attributes; as with
    every Python exception, the cause and the traceback stay behind.

    Attributes:
        message: One line for people. Control characters are escaped, 500 characters are kept.
        status: The HTTP status, 0 where there was none.
        error_code: A stable word to branch on, such as "rate_limit_exceeded". Never empty.
        request_id: What support asks for; "" where the server named none.
        details: What is wrong in detail, as the server listed it.
        provider_error: What the model's provider answered, as the gateway passed it on.
        provider_code: The gateway's word for that.
        retry_after_seconds: How long the server wants to be left alone, None if it did not say.
        partial: What had arrived of a response that broke off.
        headers: The headers of the response; empty where none had begun.
    """

    default_error_code: ClassVar[str] = "unknown_error"

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
        """This error in plain values, as a relay tells its own client of it, in JSON.

        `{"error": {"code", "message", ...}, "request_id"}` is what MeshAPI sends and OpenAI's
        clients read: `type` and `param` are there where the server said them, `details` and
        `retry_after_seconds` where there are any, `request_id` where it is known. What the
        provider said word for word stays here. The status is `status`, or one of the relay's own
        where that is no error: 502, or 504 for an `APITimeoutError`.
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
        """What the server said by its words `type` and `param`, if anything."""
        return {}

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is rebuilt as cls(*args), which fails for every subclass whose
        # __init__ needs more than the message: ours (`phase`) and those that users write.
        return _rebuild, (type(self), self.args), self.__dict__


def _rebuild(cls: type[E], args: tuple[Any, ...]) -> E:
    return cls.__new__(cls, *args)


class APIStatusError(MeshAPIError):
    """The server answered with an error: an HTTP status, a 2xx that holds one, or a frame.

    In a 2xx the class is chosen by the error's code, so `except RateLimitError` works for all of
    them. `status` is that of HTTP: 200 where the whole response was the error, and 0 for a frame
    inside a stream.

    Attributes:
        raw: The error as it came: the decoded JSON, or the text of a body that is not JSON.
            At most 64 KiB of a body are kept.
    """

    raw: Any

    def __init__(self, message: str, *, raw: Any = None, **facts: Unpack[ErrorFacts]) -> None:
        super().__init__(message, **facts)
        self.raw = raw

    def _words(self) -> dict[str, Any]:
        # Outside of the error's own object, `type` means other things.
        error = self.raw.get("error") if is_object(self.raw) else None
        return {name: error.get(name) for name in ("type", "param")} if is_object(error) else {}


class RedirectError(APIStatusError):
    """3xx: the resource is elsewhere, usually because the base URL is wrong. Never followed."""


class BadRequestError(APIStatusError):
    """400: the request makes no sense to the server."""


class AuthenticationError(APIStatusError):
    """401: the token is missing, wrong or revoked."""


class PaymentRequiredError(APIStatusError):
    """402: the account's money or its spending limit is used up. Waiting does not help."""


class PermissionDeniedError(APIStatusError):
    """403: the token is valid, but not for this."""


class NotFoundError(APIStatusError):
    """404: there is no such model, resource or path."""


class ConflictError(APIStatusError):
    """409: the resource is in a state that does not allow this."""


class ContentTooLargeError(APIStatusError):
    """413: the request's body is larger than the server takes."""


class UnprocessableEntityError(APIStatusError):
    """422: a field of the request is wrong; `details` names it."""


class RateLimitError(APIStatusError):
    """429: too many requests; `retry_after_seconds` says when to come back."""


class InternalServerError(APIStatusError):
    """5xx: the gateway or the provider behind it failed."""


class APIConnectionError(MeshAPIError):
    """No usable response came from the network.

    `error_code` says how far it came: "connect_refused", "connect_failed", "dns", "tls_verify",
    "tls_handshake", "reset", "disconnected", "truncated", "client_closed", ...
    """

    default_error_code = "connection_error"


class APITimeoutError(APIConnectionError):
    """A time limit of ours ran out.

    Attributes:
        phase: Which limit: "connect", "read", "write", "pool", "idle" or "total".
            `error_code` is "<phase>_timeout".
    """

    phase: str

    def __init__(self, message: str, *, phase: str, **facts: Unpack[ErrorFacts]) -> None:
        facts.setdefault("error_code", f"{phase}_timeout")
        super().__init__(message, **facts)
        self.phase = phase


class ProtocolError(APIConnectionError):
    """The peer broke the rules of HTTP, so nothing that it sent can be trusted.

    `error_code` says how: "too_many_1xx", "bad_response", "headers_too_large", "framing",
    "unexpected_upgrade", "desync"; of an upgrade to a WebSocket "handshake_status",
    "handshake_upgrade", "handshake_accept", "handshake_subprotocol", "handshake_extension".
    """

    default_error_code = "bad_response"


class RealtimeConnectionClosed(APIConnectionError):
    """A realtime session is over, and nothing more can be sent or received.

    `error_code` says why: "connection_closed" (by a Close of either side), "disconnected",
    "reset", "ping_timeout", "message_too_big", "bad_frame", "bad_text", "flood",
    "client_closed".

    Attributes:
        code: of the WebSocket close; 1005 where the server named none, 1006 where the connection
            ended without a Close.
        reason: what was said about it, "" where nothing was.
        clean: whether both sides have said Close.
    """

    default_error_code = "connection_closed"

    code: int
    reason: str
    clean: bool

    def __init__(
        self, code: int, reason: str = "", *, clean: bool = False, **facts: Unpack[ErrorFacts]
    ) -> None:
        said = f": {reason}" if reason else ""
        super().__init__(f"the realtime session is over, code {code}{said}", **facts)
        self.code = code
        self.reason = one_line(reason)
        self.clean = clean


class RealtimeError(MeshAPIError):
    """An error event of a realtime session, which goes on unless the server closes it.

    `str(e)` is `realtime[<code>]: <message>`.

    Attributes:
        code: the same as `error_code`.
        param: which member of the event that was sent is wrong, None where the server named none.
        event_id: of the event that was sent and caused it, None where the server named none.
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
        """A stable word to branch on. Never empty."""
        return self.error_code

    def _words(self) -> dict[str, Any]:
        return {"param": self.param}

    def __str__(self) -> str:
        return f"realtime[{self.error_code}]: {self.message}"


class JobFailedError(MeshAPIError):
    """Work that a call has waited for has failed; `partial` is the whole response.

    What did not fail is in there, too. `details` has what the server said of each failure.
    """

    default_error_code = "job_failed"


class StreamInterruptedError(MeshAPIError):
    """A stream ended before it was complete; `partial` is what had arrived."""

    default_error_code = "stream_interrupted"


class ResponseDecodeError(MeshAPIError):
    """A 2xx response is not what was promised, or is larger than allowed.

    `error_code` is "parse_error", "response_too_large", "event_too_large", "content_coding" (it is
    compressed, and can't be decoded) or "unsafe_url" (an upload may not go where it says).

    Attributes:
        raw_body: The first 64 KiB of what came instead; empty where nothing did, or too much.
    """

    default_error_code = "parse_error"

    raw_body: bytes

    def __init__(self, message: str, *, raw_body: bytes = b"", **facts: Unpack[ErrorFacts]) -> None:
        super().__init__(message, **facts)
        self.raw_body = raw_body


class Base64Error(ResponseDecodeError, ValueError):
    """What should be base64, of audio, a picture or a vector, is not."""


class InvalidParamsError(TypeError, ValueError):
    """A parameter is missing, unknown or of the wrong kind; nothing was sent.

    Attributes:
        field: where, such as `messages[0].role`; "" for the parameters as a whole.
        expected: what would have been accepted.
        got: what was given: its kind, or itself where it is short; "nothing" if it is missing.
        hint: what to do instead, or "".
    """

    def __init__(self, field: str, expected: str, got: str, hint: str = "") -> None:
        super().__init__(field, expected, got, hint)
        self.field = field
        self.expected = expected
        self.got = got
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}expected {self.expected}, got {self.got}{hint}"


class ResponseWarning(UserWarning):
    """A field of a response could not be read and has its default; `.raw` has what came.

    Python shows each of these once for each line of a program. `warnings.filterwarnings` silences
    them, or makes them errors.
    """


class ParamsWarning(UserWarning):
    """A parameter is probably not what was meant; it is sent as it is."""
