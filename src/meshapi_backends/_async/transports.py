"""What is asked of a transport: the whole contract.

A transport has an HTTP client: it sends a `Request` and gives back the response's head, then its
body piece by piece. A `ClientCall` decides what is sent, and an `AsyncClientHost` drives it over
the transport. Whatever goes wrong while sending or reading is raised. What sockets, TLS and HTTP
clients raise is understood (`meshapi_core.failure_of`), and a limit that has passed is a
TimeoutError; a transport that knows more raises `TransportError`, with a `Failure`.
"""

from typing import Optional

from typing_extensions import Protocol

from meshapi_core import Headers, Request, Timeout


class AsyncTransportResponse(Protocol):
    """The response to one request. Whoever holds it reads it to the end or aborts it."""

    @property
    def status(self) -> int:
        """The final status."""
        ...

    @property
    def headers(self) -> Headers:
        """The header fields."""
        ...

    @property
    def cut(self) -> bool:
        """At the end of the body: whether that was where the connection ended, and it may have
        been cut (see `AsyncNetworkStream.cut`)."""
        ...

    async def read(self, until: Optional[float] = None) -> bytes:
        """The next piece of the body; `b""` at its end, when the connection has been given back.

        One that is interrupted (by cancellation, or an exception of a signal handler) loses
        nothing where the response is `resumable`: the next one goes on.

        Args:
            until: a time (on the network's clock) after which to give up waiting, whichever limit
                that is.

        Raises:
            Exception: the body broke off or the time is over; the response is aborted.
        """
        ...

    def abort(self) -> None:
        """Give the response up, without waiting for anything. Harmless after the end, and twice."""
        ...


class AsyncTransport(Protocol):
    """Sends requests.

    It may also have `calls`, which its closing ends: then closing ends a wait for the next attempt.

    One whose `tells_sent` is true gets two more arguments with `send`: `until`, a time at which the
    head must have come, and `sent`, a function that takes the time at which the whole request has
    been sent, and returns what `until` is from then on.
    A response may say who gave it (`where`, such as "the proxy 10.0.0.1:3128").
    """

    async def send(
        self, request: Request, *, timeout: Timeout, deadline: Optional[float], fresh: bool
    ) -> AsyncTransportResponse:
        """The head of the response, ready to be read.

        Args:
            request: is sent once.
            timeout: the limits of each phase.
            deadline: a time (on the network's clock) that no phase may pass.
            fresh: a connection that has not been used before must be opened for it.

        Raises:
            Exception: there is no response.
        """
        ...

    async def aclose(self) -> None:
        """Close everything, answers that are being read included. Harmless twice."""
        ...
