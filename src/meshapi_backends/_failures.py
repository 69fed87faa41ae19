"""Errors of the system, and passed time limits, as the typed errors of the core.

The one place where a backend's exceptions become ours.
"""

import os
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
    phase: str, timeout: Timeout, deadline: Optional[float], now: float, reason: str = ""
) -> APITimeoutError:
    """The error for a phase that took too long, which may be the whole call's fault."""
    reason = reason.lstrip("; ")
    because = f": {reason}" if reason else ""
    if deadline is not None and now >= deadline:
        return APITimeoutError(
            f"the call took longer than its limit of {timeout.total} s{because}", phase="total"
        )
    seconds = getattr(timeout, phase)
    return APITimeoutError(f"{_PHASES[phase]} took longer than {seconds} s{because}", phase=phase)


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


def mark_interrupt(exc: BaseException) -> bool:
    """Look at an exception where a system call raised it: whether a signal's handler did.

    It may be of any class, TimeoutError and other OSErrors included; but it has passed through a
    frame of its own.
    """
    traceback = exc.__traceback__
    if traceback is None or traceback.tb_next is None:
        return False
    exc.__dict__[_INTERRUPT] = True
    return True


def is_interrupt(exc: BaseException) -> bool:
    """Whether an exception that was looked at is a signal handler's: the program's, not ours."""
    return _INTERRUPT in exc.__dict__


_INTERRUPT = "_meshapi_interrupt"


def connect_failure(exc: OSError, where: str, hint: str = "") -> Failure:
    """A connection that could not be opened: nothing was sent.

    Args:
        exc: what the system or TLS said.
        where: the server, or the proxy, that did not answer.
        hint: is added where the network may be why.
    """
    if _is_ssl_error(exc, "SSLCertVerificationError"):
        reason = getattr(exc, "verify_message", "") or exc
        error = APIConnectionError(
            f"the TLS certificate of {where} was not accepted: {reason}{_how_to_trust(exc)}",
            error_code="tls_verify",
        )
        return Failure(error, "verify")
    if _is_ssl_error(exc, "SSLError"):
        # The other side has not learned TLS by the next attempt.
        plain = getattr(exc, "reason", None) in _NO_TLS
        message = f"the TLS handshake with {where} failed: {exc}"
        if plain:
            message = (
                f"{where} does not speak TLS at this port: use http:// where plain HTTP is meant"
                f" ({exc})"
            )
        error = APIConnectionError(message, error_code="tls_handshake")
        return Failure(error, "verify" if plain else "connect")
    code = _code(exc, "connect_failed")
    return Failure(
        APIConnectionError(f"cannot connect to {where}: {exc}{hint}", error_code=code), "connect"
    )


# What OpenSSL calls it when the first bytes are no TLS record; the last one since its 3.2.
_NO_TLS = frozenset(
    {
        "HTTP_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "UNKNOWN_PROTOCOL",
        "WRONG_VERSION_NUMBER",
    }
)

# X509_V_ERR_... of a chain that leads to no authority known here: a self-signed certificate, one
# in the chain, no issuer found (two codes). Source: https://docs.openssl.org/3.0/man3/
# X509_STORE_CTX_get_error/
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})

_TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def _how_to_trust(exc: OSError) -> str:
    if getattr(exc, "verify_code", None) not in _UNKNOWN_AUTHORITY:
        return ""
    for name in _TRUST_VARIABLES:
        path = os.environ.get(name)
        if path and not os.access(path, os.R_OK):
            return f"; {name} names {path}, which does not exist or cannot be read"
    return (
        "; for a private authority pass ssl_context=ssl.create_default_context(cafile=...), or set"
        " SSL_CERT_FILE (with an HTTP client of your own: its verify=)"
    )


def proxy_hint(scheme: str, host: str) -> str:
    """What to say of a proxy that the environment names, and that is not used; "" of none.

    The variable alone: its value may hold a password.
    """
    for name in (f"{scheme}_proxy", "all_proxy"):
        # In capitals HTTP_PROXY may come from a request's header, under CGI; here it is only named.
        for variable in (name.upper(), name):
            if os.environ.get(variable) and not _bypasses_proxy(host):
                return (
                    f"; {variable} is set, but proxies of the environment are not used: pass"
                    " httpx_client=httpx.Client() (async_httpx_client=httpx.AsyncClient()) to go"
                    " through it"
                )
    return ""


def _bypasses_proxy(host: str) -> bool:
    text = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = [name.strip().lstrip(".").lower() for name in text.split(",")]
    host = host.lower()
    return any(name == "*" or host == name or host.endswith(f".{name}") for name in names if name)


def hint_at_tls(error: MeshAPIError) -> None:
    """Say in the error of a server that hung up on a plain request that it may want TLS.

    One that answers with a TLS alert is known by that, in `HTTP11Connection`.
    """
    if error.error_code in ("disconnected", "reset"):
        error.message += " (as servers do that speak TLS at this port: then use https://)"
        error.args = (error.message,)


def broken(exc: OSError) -> MeshAPIError:
    """A connection that broke while a request or an answer was on it."""
    return APIConnectionError(f"the connection broke: {exc}", error_code=_code(exc, "reset"))


def client_closed() -> Failure:
    """The client was closed before or during the call."""
    error = APIConnectionError("the client is closed", error_code="client_closed")
    return Failure(error, "closed")


def stream_closed() -> Failure:
    """The stream was closed while it was being opened."""
    error = APIConnectionError(
        "the stream was closed before its answer began", error_code="stream_closed"
    )
    return Failure(error, "closed")


def interrupted(what: str) -> Failure:
    """A read was interrupted, and the transport cannot go on with it."""
    error = APIConnectionError(
        f"{what}, and this transport cannot go on with it", error_code="interrupted"
    )
    return Failure(error, "reply", interrupted=True)


def _code(exc: OSError, default: str) -> str:
    return next((code for kind, code in _CODES if isinstance(exc, kind)), default)


def _is_ssl_error(exc: OSError, name: str) -> bool:
    # Without a TLS connection the ssl module was never loaded, and its errors never raised.
    ssl = sys.modules.get("ssl")
    return ssl is not None and isinstance(exc, getattr(ssl, name))
