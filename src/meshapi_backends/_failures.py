"""Errors of the system, and passed time limits, as the typed errors of the core.

The one place where a backend's exceptions become ours.
"""

import socket
import sys
from collections.abc import Callable
from typing import Optional

from meshapi_core import (
    APIConnectionError,
    APITimeoutError,
    Failure,
    MeshAPIError,
    Timeout,
)

# Most specific first: the first class that fits names the code.
_CODES: tuple[tuple[type[OSError], str], ...] = (
    (socket.gaierror, "dns"),
    (ConnectionRefusedError, "connect_refused"),
    (ConnectionResetError, "reset"),
    (BrokenPipeError, "reset"),
    (ConnectionAbortedError, "reset"),
)


class TransportError(Exception):
    """An attempt brought no answer, or not all of it; `failure` says how far it came."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.error.message


def time_left(limit: Optional[float], deadline: Optional[float], now: float) -> Optional[float]:
    """Seconds that a phase may last: its own limit or the deadline, whichever comes first."""
    if deadline is None:
        return limit
    left = max(0.0, deadline - now)
    return left if limit is None else min(limit, left)


def seconds_until(end: Optional[float], now: Callable[[], float]) -> Optional[float]:
    """Seconds until a time, None where there is none.

    Raises:
        TimeoutError: it is over.
    """
    if end is None:
        return None
    left = end - now()
    if left <= 0:
        raise TimeoutError
    return left


def timeout_error(
    phase: str, timeout: Timeout, deadline: Optional[float], now: float
) -> APITimeoutError:
    """The error for a phase that took too long, which may be the whole call's fault."""
    if deadline is not None and now >= deadline:
        return APITimeoutError(
            f"the call took longer than its limit of {timeout.total} s", phase="total"
        )
    seconds = getattr(timeout, phase)
    return APITimeoutError(f"{_PHASES[phase]} took longer than {seconds} s", phase=phase)


_PHASES: dict[str, str] = {
    "connect": "opening a connection",
    "read": "waiting for the answer, or for more of it than a trickle,",
    "write": "sending the request",
    "pool": "waiting for a free connection",
    "idle": "waiting for the next event of the stream",
    "total": "the call",
}


def is_time_limit(exc: BaseException) -> bool:
    """Whether a limit of ours has passed; the system's own ETIMEDOUT has an errno."""
    return isinstance(exc, TimeoutError) and exc.errno is None


def connect_failure(exc: OSError, where: str) -> Failure:
    """A connection that could not be opened: nothing was sent."""
    if _is_ssl_error(exc, "SSLCertVerificationError"):
        reason = getattr(exc, "verify_message", "") or exc
        error = APIConnectionError(
            f"the TLS certificate of {where} was not accepted: {reason}", error_code="tls_verify"
        )
        return Failure(error, "verify")
    if _is_ssl_error(exc, "SSLError"):
        message = f"the TLS handshake with {where} failed: {exc}"
        return Failure(APIConnectionError(message, error_code="tls_handshake"), "connect")
    code = _code(exc, "connect_failed")
    return Failure(
        APIConnectionError(f"cannot connect to {where}: {exc}", error_code=code), "connect"
    )


def broken(exc: OSError) -> MeshAPIError:
    """A connection that broke while a request or an answer was on it."""
    return APIConnectionError(f"the connection broke: {exc}", error_code=_code(exc, "reset"))


def client_closed() -> Failure:
    """The client was closed before or during the call."""
    error = APIConnectionError("the client is closed", error_code="client_closed")
    return Failure(error, "closed")


def _code(exc: OSError, default: str) -> str:
    return next((code for kind, code in _CODES if isinstance(exc, kind)), default)


def _is_ssl_error(exc: OSError, name: str) -> bool:
    # Without a TLS connection the ssl module was never loaded, and its errors never raised.
    ssl = sys.modules.get("ssl")
    return ssl is not None and isinstance(exc, getattr(ssl, name))
