"""What only a host knows about a failed attempt; what that means, `meshapi_core.failures` decides.

The one place where a backend's exceptions become ours.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

from meshapi_core import Failure

if TYPE_CHECKING:
    from meshapi_core import Advice

__all__ = [
    "TransportError",
    "advice",
    "is_interrupt",
    "is_time_limit",
    "mark_foreign",
    "mark_interrupt",
    "proxy_hint",
    "seconds_until",
]


class TransportError(Exception):
    """An attempt brought no answer, or not all of it; `failure` says how far it came."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.error.message


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


def mark_foreign(exc: BaseException) -> None:
    """Mark what is no failure of a transport's, but of the program: it leaves as it is."""
    exc.__dict__[_INTERRUPT] = True


def is_interrupt(exc: BaseException) -> bool:
    """Whether an exception that was looked at is the program's: a signal handler's or a hook's."""
    return _INTERRUPT in exc.__dict__


_INTERRUPT = "_meshapi_interrupt"


def advice(network: str = "") -> "Advice":
    """What this process knows.

    Args:
        network: see `Advice`.
    """
    from meshapi_core import Advice

    return Advice(network, _how_to_trust())


_TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def _how_to_trust() -> str:
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
