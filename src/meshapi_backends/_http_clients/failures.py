"""Turns exceptions of a failed request of `httpx`, `httpcore` or aiohttp into failures.

They are recognised by the modules and names of their classes, because no library is imported.
`meshapi_core.failures` decides what a failure means.

Source: https://www.python-httpx.org/exceptions/
"""

from typing import Any, NamedTuple, Optional, cast

from meshapi_backends._advice import advice
from meshapi_backends._http_clients.requests import LIBRARIES, Progress
from meshapi_core import Failure, Request, Stage, Timeout


class Attempt(NamedTuple):
    """One request on its way.

    Fields:
        request: the request.
        timeout: its time limits.
        progress: how far it got.
        credentials: whether the client gives its proxy a user name and a password, if that is
            known.
    """

    request: Request
    timeout: Timeout
    progress: Progress
    credentials: bool = False

    def failure(self, exc: Exception, *, has_head: bool) -> Optional[Failure]:
        """The failure behind an exception of httpx's or of the system; None for any other.

        Args:
            has_head: whether the head of the response had arrived.
        """
        if not _is_of_a_library(exc) and not isinstance(exc, OSError):
            return None
        from meshapi_core import failure_of, hint_at_tls

        stage: Stage = "response" if has_head else "request"
        failure = failure_of(
            exc,
            stage,
            where=self.where,
            timeout=self.timeout,
            reused=self.progress.reused and not has_head,
            silence=self.progress.silence,
            advice=advice(credentials=self.credentials),
            handshaking=self.progress.in_handshake,
        )
        if self.request.origin.scheme == "http" and not has_head and not self.progress.reused:
            hint_at_tls(failure.error)
        return failure

    @property
    def where(self) -> str:
        """The peer of the connection: the server itself, or a proxy."""
        peer, origin = self.progress.peer, self.request.origin
        if peer is None or self.progress.tunnelled or peer == (origin.host, origin.port):
            return str(origin)
        host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
        return f"the proxy {host}:{peer[1]}"


def _names(exc: BaseException) -> list[str]:
    """The names of those classes of an exception that are httpx's, the most derived first."""
    return [
        cls.__name__ for cls in type(exc).__mro__ if cls.__module__.partition(".")[0] in LIBRARIES
    ]


# What an httpcore pool or an aiohttp session raises, or lets through.
_LIBRARIES = frozenset(
    {*LIBRARIES, "aiohttp", "anyio", "h11", "h2", "hpack", "httpcore", "httpcore2", "socksio"}
    | {"trio", "yarl"}
)


def _is_of_a_library(exc: BaseException) -> bool:
    return any(cls.__module__.partition(".")[0] in _LIBRARIES for cls in type(exc).__mro__)


class _BareInfo(NamedTuple):
    """What remains of aiohttp's `RequestInfo` in an exception."""

    url: str = ""
    method: str = ""
    headers: tuple[()] = ()
    real_url: str = ""


def without_request(exc: BaseException, request: Any) -> None:
    """Remove the request from a library's exception and from its causes, to protect the token.

    An exception of httpx's or aiohttp's may hold the request, and its pickle then holds all
    headers. The frames in its traceback have them among their locals, which error trackers show.

    Args:
        request: takes the place of the one that is removed from an exception of httpx's.
    """
    from meshapi_core import causes_of

    for each in causes_of(exc):
        each.__traceback__ = None
        if _names(each) and getattr(each, "_request", None) is not None:
            cast(Any, each).request = request
        if hasattr(each, "request_info"):
            cast(Any, each).request_info = _BareInfo()
            each.args = ()


def refused_response(exc: Exception) -> Any:
    """The response whose status made a hook of the client raise; None for other exceptions.

    The core decides what that status means.
    """
    return getattr(exc, "response", None) if "HTTPStatusError" in _names(exc) else None
