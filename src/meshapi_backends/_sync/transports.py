# Generated from _async/transports.py by `python tools/mirror.py --write`: edit that file.
"""The contract of a transport.

A transport sends a `Request` through an HTTP client and returns the response: first its head, then
its body piece by piece. A `ClientCall` decides what is sent, and an `ClientHost` drives the
call over the transport.

A transport needs two methods, `send` and `close`, and its response two attributes and two methods:
`status`, `headers`, `read` and `abort`. Everything else is optional.

When something goes wrong, a transport raises. The exceptions of sockets, TLS and HTTP clients
become errors of this library (`meshapi_core.failure_of`). A time limit that ran out is a
TimeoutError. A transport that knows more raises `TransportError` with a `Failure`.
"""

from collections.abc import Iterable
from typing import Any, Optional, Union

from typing_extensions import Protocol

from meshapi_core import Request, Timeout


class HeaderItems(Protocol):
    """Headers with a method `items`, such as a mapping or `http.client.HTTPMessage`."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Pairs of names and values."""
        ...


class TransportResponse(Protocol):
    """The response to one request. Its owner reads it to the end, or aborts it.

    Optional attributes:

    - `cut`: whether the body ended with the connection, and may have been cut off. Known at the end
      of the body; see `NetworkStream.cut`. False if missing.
    - `resumable`: whether nothing is lost when `read` is interrupted, by cancellation or by an
      exception of a signal handler, so that the next read goes on. False if missing: the call ends.
    - `where`: who sent the response, for messages, such as "the proxy 10.0.0.1:3128".
    - `proxy_credentials`: whether the transport gave that proxy a user name and a password, so that
      the error says that they were not accepted.
    - `secrets`: what the transport added to the request and no error may show, such as the password
      of a proxy.
    """

    @property
    def status(self) -> int:
        """The final status."""
        ...

    @property
    def headers(self) -> Union[HeaderItems, Iterable[tuple[Any, Any]]]:
        """The headers: pairs of names and values, str or bytes, or an object with `items()`.

        Without `Content-Encoding` if the HTTP client has decoded the body.
        """
        ...

    def read(self, until: Optional[float], /) -> bytes:
        """Return the next piece of the body, as soon as there is one; `b""` at the end.

        Args:
            until: a time, on the network's clock, after which to give up waiting, whichever time
                limit it comes from. A transport that ignores it keeps no limit but those of its
                HTTP client.

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

    - `calls`: a `Calls`, the calls that closing the transport ends, even while they wait for their
      next attempt.
    - `tells_sent`: if true, `send` gets two more arguments. `until` is a time by which the head
      must have arrived. `sent` is a function to call with the time at which the whole request had
      been sent; it returns the new `until`.
    - `offline`: whether it opens no connections, so that `block_network()` lets its requests pass.
      False if missing.
    - `changes_requests`: if true, `send` gets two more arguments. `attempt` counts the attempts of
      the call from 0. `hide` is a function to call with what the transport adds to a request and
      no error may show.
    - `network`: a function that returns the network by which the client tells the time and
      waits, in place of that of the running program; see `Network`. A transport that has it
      needs no `send`: then the client opens its own connections on that network.
    """

    def send(
        self, request: Request, *, timeout: Timeout, deadline: Optional[float], fresh: bool
    ) -> TransportResponse:
        """Send a request, and return its response, of which only the head has been read.

        A transport must neither follow redirects nor retry. `request.body` is bytes, or an
        `OpenBody` to be sent in `pieces()`.

        Args:
            request: the request, to be sent once.
            timeout: the time limits of its phases.
            deadline: a time, on the network's clock, that no phase may pass.
            fresh: whether to open a new connection for the request. A transport whose HTTP client
                keeps no connections, or replaces closed ones itself, ignores it. What a transport
                ignores it takes as `**options`.

        Raises:
            Exception: the attempt has failed.
        """
        ...

    def close(self) -> None:
        """Close everything, including responses that are being read. Harmless twice."""
        ...


class NetworkTransport(Protocol):
    """Brings a network in place of sockets, for a client's own connections, and its clock.

    Realtime sessions are on it as well. It uses neither proxies nor the client's `sockets`, no TLS
    if the network says `needs_tls = False`, and `block_network()` lets it connect to every host if
    it says `offline = True`.
    """

    def network(self) -> Any:
        """Return the network of the running program; see `Network`."""
        ...

    def close(self) -> None:
        """Close everything. Harmless twice."""
        ...
