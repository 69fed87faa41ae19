# Generated from _async/transports.py by `python tools/mirror.py --write`: edit that file.
"""The contract of a transport.

A transport sends a `Request` through an HTTP client and returns the response: first its head, then
its body piece by piece. A `ClientCall` decides what is sent, and an `ClientHost` drives the
call over the transport.

When something goes wrong, a transport raises. The exceptions of sockets, TLS and HTTP clients
become errors of this library (`meshapi_core.failure_of`). A time limit that ran out is a
TimeoutError. A transport that knows more raises `TransportError` with a `Failure`.
"""

from typing import Optional

from typing_extensions import Protocol

from meshapi_core import Headers, Request, Timeout


class TransportResponse(Protocol):
    """The response to one request. Its owner reads it to the end, or aborts it."""

    @property
    def status(self) -> int:
        """The final status."""
        ...

    @property
    def headers(self) -> Headers:
        """The headers."""
        ...

    @property
    def cut(self) -> bool:
        """Whether the body ended with the connection, and may have been cut off.

        Known at the end of the body; see `NetworkStream.cut`.
        """
        ...

    def read(self, until: Optional[float] = None) -> bytes:
        """Return the next piece of the body; `b""` at its end, when the connection was returned.

        A read may be interrupted, by cancellation or by an exception of a signal handler. If the
        response is `resumable`, nothing is lost then, and the next read goes on.

        Args:
            until: a time, on the network's clock, after which to give up waiting, whichever time
                limit it comes from.

        Raises:
            Exception: the body broke off, or the time ran out; the response is aborted.
        """
        ...

    def abort(self) -> None:
        """Give up the response, without waiting. Harmless after the end, and twice."""
        ...


class Transport(Protocol):
    """Sends requests.

    Optional attributes:

    - `calls` of a transport: the calls that closing it ends, even while they wait for their next
      attempt.
    - `tells_sent` of a transport: if true, `send` gets two more arguments. `until` is a time by
      which the head must have arrived. `sent` is a function to call with the time at which the
      whole request had been sent; it returns the new `until`.
    - `changes_requests` of a transport: if true, `send` gets two more arguments. `attempt` counts
      the attempts of the call from 0. `hide` is a function to call with what the transport adds to
      a request and no error may show.
    - `resumable` of a response: whether a read that was interrupted loses nothing.
    - `where` of a response: who sent it, such as "the proxy 10.0.0.1:3128".
    """

    def send(
        self, request: Request, *, timeout: Timeout, deadline: Optional[float], fresh: bool
    ) -> TransportResponse:
        """Send a request, and return its response, of which only the head has been read.

        Args:
            request: the request, to be sent once.
            timeout: the time limits of its phases.
            deadline: a time, on the network's clock, that no phase may pass.
            fresh: whether to open a new connection for the request.

        Raises:
            Exception: the attempt has failed.
        """
        ...

    def close(self) -> None:
        """Close everything, including responses that are being read. Harmless twice."""
        ...
