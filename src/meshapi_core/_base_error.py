"""The base class of the errors in `errors`, which has them all."""

from collections.abc import Mapping
from typing import Any, ClassVar, Optional, TypeVar

from typing_extensions import TypedDict

from meshapi_core._log_safe import one_line, with_facts
from meshapi_core.response_meta import CallFacts

__all__ = ["ErrorFacts", "MeshAPIError"]

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
        attempts, elapsed, meta, outcome: See `CallFacts`.
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
