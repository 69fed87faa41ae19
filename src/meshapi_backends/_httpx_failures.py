"""Errors of `httpx` and `httpx2` as the typed errors of the core.

By the names of their classes, since neither library is imported; both have the same names.

Source: https://www.python-httpx.org/exceptions/
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Optional, cast

from meshapi_backends._failures import broken, connect_failure, timeout_error
from meshapi_backends._httpx_requests import LIBRARIES, Progress
from meshapi_core import (
    APIConnectionError,
    Failure,
    MeshAPIError,
    ProtocolError,
    Request,
    Stage,
    Timeout,
)

_PHASES = {
    "ConnectTimeout": "connect",
    "PoolTimeout": "pool",
    "WriteTimeout": "write",
    "ReadTimeout": "read",
    "TimeoutException": "read",
}

_RESET_STREAM = "<StreamReset"

# Phases before anything is sent.
_EARLY: dict[str, Stage] = {"connect": "connect", "pool": "pool"}

# What h11 says of lengths and codings that leave open where a body ends.
_FRAMING = ("Content-Length", "Transfer-Encoding")


class Attempt(NamedTuple):
    """One request on its way.

    Fields:
        request: what was sent.
        timeout, deadline: its limits.
        progress: how far it came.
    """

    request: Request
    timeout: Timeout
    deadline: Optional[float]
    progress: Progress

    def failure(self, exc: Exception, *, answered: bool, now: float) -> Optional[Failure]:
        """What an exception of httpx's, or of the system, means; None for one of somebody else.

        Args:
            answered: the head of the answer had come.
            now: the time.
        """
        names = _names(exc)
        if not names and not isinstance(exc, OSError):
            return None
        stage: Stage = "reply" if answered else "request"
        # An HTTP/2 server that resets a stream has seen the request.
        reused = self.progress.reused and not answered and not str(exc).startswith(_RESET_STREAM)
        phase = next((_PHASES[name] for name in names if name in _PHASES), None)
        if phase is not None:
            about = f"to {self._proxy}" if phase == "connect" and self._proxy else ""
            late = timeout_error(phase, self.timeout, self.deadline, now, about)
            early: Optional[Stage] = _EARLY.get(phase)
            return Failure(late, early) if early else Failure(late, stage, reused=reused)
        if "ConnectError" in names:
            return self._not_connected(exc)
        if "ProxyError" in names:
            return self._refused_by_proxy(str(exc))
        if "UnsupportedProtocol" in names or "InvalidURL" in names:
            message = f"the HTTP client does not take this URL: {type(exc).__name__}"
            return Failure(APIConnectionError(message, error_code="connect_failed"), "closed")
        if "LocalProtocolError" in names:
            # Without its text, which may quote a header's value.
            message = "the HTTP client could not write the request"
            return Failure(ProtocolError(message, error_code="framing"), stage)
        error = _broken_off(exc, names, answered=answered)
        if self._proxy and not answered:
            error = APIConnectionError(
                f"{self._proxy} broke off: {error.message}", error_code=error.error_code
            )
        return Failure(error, stage, reused=reused, silence=self.progress.silence)

    @property
    def _proxy(self) -> str:
        """The proxy that a connection was opened to; "" where it was the server itself."""
        peer, origin = self.progress.peer, self.request.origin
        if peer is None or self.progress.tunnelled or peer == (origin.host, origin.port):
            return ""
        host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
        return f"the proxy {host}:{peer[1]}"

    def _refused_by_proxy(self, reason: str) -> Failure:
        proxy = self._proxy or "the proxy"
        message = f"{proxy} did not open a connection: {reason}"
        # Without a password, or against its rules, it never will.
        final = reason.startswith(("401", "403", "407"))
        if reason.startswith("407"):
            message += "; give the HTTP client's proxy a user name and a password"
        error = APIConnectionError(message, error_code="proxy_failed")
        return Failure(error, "verify" if final else "connect")

    def unexpected(self, status: int) -> Failure:
        """A status that is no server's answer to a request."""
        if status == 407:
            return self._refused_by_proxy("407 Proxy Authentication Required")
        if status == 101:
            message, code = "the server switched protocols unasked", "unexpected_upgrade"
        else:
            message, code = f"the answer has the status {status}", "bad_response"
        return Failure(ProtocolError(message, error_code=code), "reply")

    def expired(self, *, answered: bool, now: float) -> Failure:
        """A limit of ours that httpx does not know has passed."""
        error = timeout_error("read", self.timeout, self.deadline, now)
        return Failure(error, "reply" if answered else "request", reused=self.progress.reused)

    def _not_connected(self, exc: Exception) -> Failure:
        where = self._proxy or str(self.request.origin)
        causes = [cause for cause in _causes(exc) if isinstance(cause, OSError)]
        failures = [connect_failure(cause, where) for cause in causes]
        exact = [each for each in failures if each.error.error_code != "connect_failed"]
        if exact:
            return exact[0]
        if self.progress.in_handshake:
            message = f"the TLS handshake with {where} failed: {exc}"
            return Failure(APIConnectionError(message, error_code="tls_handshake"), "connect")
        return failures[0] if failures else connect_failure(OSError(str(exc)), where)


def _broken_off(exc: Exception, names: list[str], *, answered: bool) -> MeshAPIError:
    if "RemoteProtocolError" in names or "ProtocolError" in names:
        return _protocol_error(exc, answered=answered)
    if isinstance(exc, OSError):
        return broken(exc)
    if "NetworkError" in names:
        cause = next((each for each in _causes(exc) if isinstance(each, OSError)), None)
        return broken(cause or OSError(str(exc) or type(exc).__name__))
    return APIConnectionError(f"the HTTP client failed: {type(exc).__name__}: {exc}")


def _protocol_error(exc: Exception, *, answered: bool) -> MeshAPIError:
    text = str(exc)
    if text.startswith("Server disconnected"):
        message = "the server closed the connection without an answer"
        return APIConnectionError(message, error_code="disconnected")
    if text.startswith(("peer closed connection", "incomplete chunked read")):
        message = "the server closed the connection in the middle of an answer"
        return APIConnectionError(message, error_code="truncated")
    if text.startswith((_RESET_STREAM, "<ConnectionTerminated")):
        return APIConnectionError(f"the server gave up: {text}", error_code="reset")
    if "_SWITCH_UPGRADE" in text:
        message = "the server switched protocols unasked"
        return ProtocolError(message, error_code="unexpected_upgrade")
    if any(getattr(cause, "error_status_hint", 0) == 431 for cause in _causes(exc)):
        message = "the head of the answer is too large for the HTTP client"
        return ProtocolError(message, error_code="headers_too_large")
    framing = answered or any(name in text for name in _FRAMING)
    code = "framing" if framing else "bad_response"
    return ProtocolError(f"the answer is not HTTP: {text}", error_code=code)


def _names(exc: BaseException) -> list[str]:
    """The classes of an exception, the most exact one first, as far as they are httpx's."""
    return [
        cls.__name__ for cls in type(exc).__mro__ if cls.__module__.partition(".")[0] in LIBRARIES
    ]


def without_request(exc: BaseException, request: Any) -> None:
    """Take the request out of an exception of httpx's and of what it came from.

    Such an exception holds the request, its pickle all the header fields of it, and the frames
    that it came through have them among their locals; error trackers show these.

    Args:
        request: stands in its place.
    """
    for each in _causes(exc):
        each.__traceback__ = None
        if _names(each) and getattr(each, "_request", None) is not None:
            cast(Any, each).request = request


def refused_response(exc: Exception) -> Any:
    """The answer for whose status a hook of the client's has raised, else None.

    What that status means is the core's to say.
    """
    return getattr(exc, "response", None) if "HTTPStatusError" in _names(exc) else None


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception and all that it came from, the nearest first."""
    seen: list[BaseException] = []
    waiting: list[Optional[BaseException]] = [exc]
    while waiting:
        cause = waiting.pop(0)
        if cause is None or any(cause is each for each in seen):
            continue
        seen.append(cause)
        yield cause
        waiting += [cause.__cause__, cause.__context__, *getattr(cause, "exceptions", ())]
