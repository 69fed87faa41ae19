"""What is known of a failed request of `httpx` or `httpx2`.

By the names of their classes, since neither library is imported; both have the same names. What
that means, `meshapi_core.failures` decides.

Source: https://www.python-httpx.org/exceptions/
"""

from typing import Any, NamedTuple, Optional, cast

from meshapi_backends._advice import advice
from meshapi_backends._httpx.requests import LIBRARIES, Progress
from meshapi_core import Failure, Request, Stage, Timeout


class Attempt(NamedTuple):
    """One request on its way.

    Fields:
        request: what was sent.
        timeout: its limits.
        progress: how far it came.
    """

    request: Request
    timeout: Timeout
    progress: Progress

    def failure(self, exc: Exception, *, answered: bool) -> Optional[Failure]:
        """What an exception of httpx's, or of the system, means; None for one of somebody else.

        Args:
            answered: the head of the response had come.
        """
        if not _names(exc) and not isinstance(exc, OSError):
            return None
        from meshapi_core import failure_of, hint_at_tls

        stage: Stage = "response" if answered else "request"
        failure = failure_of(
            exc,
            stage,
            where=self.where,
            timeout=self.timeout,
            reused=self.progress.reused and not answered,
            silence=self.progress.silence,
            advice=advice(),
            handshaking=self.progress.in_handshake,
        )
        if self.request.origin.scheme == "http" and not answered and not self.progress.reused:
            hint_at_tls(failure.error)
        return failure

    @property
    def where(self) -> str:
        """Who a connection was opened to: a proxy, or the server itself."""
        peer, origin = self.progress.peer, self.request.origin
        if peer is None or self.progress.tunnelled or peer == (origin.host, origin.port):
            return str(origin)
        host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
        return f"the proxy {host}:{peer[1]}"


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
    from meshapi_core import causes_of

    for each in causes_of(exc):
        each.__traceback__ = None
        if _names(each) and getattr(each, "_request", None) is not None:
            cast(Any, each).request = request


def refused_response(exc: Exception) -> Any:
    """The response for whose status a hook of the client's has raised, else None.

    What that status means is the core's to say.
    """
    return getattr(exc, "response", None) if "HTTPStatusError" in _names(exc) else None
