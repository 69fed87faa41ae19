# Generated from _async/middleware_responses.py by `python tools/mirror.py --write`: edit that file.
"""The responses that middleware gets and returns.

`call_next` returns an `MiddlewareResponse`. Middleware returns that, a response of a class
derived from it, an `BytesResponse`, or any other object with the methods of an
`TransportResponse`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional, Union

from typing_extensions import Self, TypeAlias

from meshapi_backends._sync.transports import TransportResponse
from meshapi_core import GatheredBody, Headers, Request, check_kind


class MiddlewareResponse:
    """A response on its way through middleware.

    To look at a body or change it while it is read, derive a class that overrides `read`:

        class Counted(MiddlewareResponse):
            size = 0

            def read(self, until: Optional[float] = None) -> bytes:
                piece = super().read(until)
                self.size += len(piece)
                return piece

        def count(request, call_next):
            return Counted(call_next(request))

    Args:
        response: the response that this one wraps.
    """

    def __init__(self, response: TransportResponse) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """The status."""
        return self._response.status

    @property
    def headers(self) -> Headers:
        """The headers."""
        given: Any = self._response.headers
        if isinstance(given, Headers):
            return given
        return Headers(given.items() if hasattr(given, "items") else given)

    @property
    def cut(self) -> bool:
        """Whether the body may have been cut off. See `TransportResponse.cut`."""
        cut: bool = getattr(self._response, "cut", False)
        return cut

    @property
    def where(self) -> str:
        """Who sent it, where the transport knows that it was not the server."""
        where: str = getattr(self._response, "where", "")
        return where

    @property
    def proxy_credentials(self) -> bool:
        """Whether the transport gave its proxy a user name and a password."""
        given: bool = getattr(self._response, "proxy_credentials", False)
        return given

    def read(self, until: Optional[float] = None) -> bytes:
        """Return the next piece of the body, as it was sent over the wire; `b""` at its end.

        Args:
            until: a time, on the network's clock, after which to give up waiting. Without one, the
                client's time limits apply. A class that overrides this method passes it on.

        Raises:
            Exception: the body broke off, or the time ran out.
        """
        return self._response.read(until)

    def read_all(self) -> bytes:
        """Return the rest of the body. Nothing is left of it then: return a new response.

        Raises:
            ResponseDecodeError: the body is larger than 256 MiB.
            Exception: as for `read`.
        """
        body = GatheredBody(self.status, self.headers)
        try:
            while True:
                piece = self.read()
                if not piece:
                    return body.joined()
                body.add(piece)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Give up the response, without waiting. Harmless after the end, and twice."""
        self._response.abort()

    def __repr__(self) -> str:
        # The body may quote a prompt, and a header a secret.
        return f"<{type(self).__name__} {self.status}>"


class BytesResponse:
    """A response that is there already: for mocks and caches.

    It can be returned any number of times, by any number of calls.

    Args:
        status: the status.
        headers: a mapping, or pairs of names and values. Its body needs no Content-Length.
        body: the whole body.

    Raises:
        TypeError: the status is not an int, or the body not bytes.
    """

    cut = False
    resumable = True

    def __init__(
        self,
        status: int,
        headers: Union[Mapping[str, str], Iterable[tuple[str, str]]] = (),
        body: bytes = b"",
    ) -> None:
        check_kind("status", status, int)
        check_kind("body", body, bytes)
        self.status = status
        self.headers = Headers(headers)
        self.body = body
        self._is_read = False

    @classmethod
    def json(
        cls, value: Any, *, status: int = 200, headers: Optional[Mapping[str, str]] = None
    ) -> Self:
        """Return a response with a value as JSON, and the content type of JSON.

        Args:
            value: what `json.dumps` takes.
            status: the status.
            headers: more headers.
        """
        pairs = {"content-type": "application/json", **(headers or {})}
        return cls(status, pairs, json.dumps(value).encode())

    def again(self) -> "BytesResponse":
        """Return the same response, of which nothing has been read."""
        return BytesResponse(self.status, self.headers, self.body)

    def read(self, until: Optional[float] = None) -> bytes:
        """Return the body, and then `b""`."""
        is_read, self._is_read = self._is_read, True
        return b"" if is_read else self.body

    def read_all(self) -> bytes:
        """Return the body."""
        return self.body

    def abort(self) -> None:
        """Give up the response, of which nothing is open."""
        self._is_read = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} ({len(self.body)} bytes)>"


def is_response(value: Any) -> bool:
    """Whether a value has what a response of middleware needs."""
    return (
        isinstance(getattr(value, "status", None), int)
        and isinstance(getattr(value, "headers", None), Headers)
        and callable(getattr(value, "read", None))
        and callable(getattr(value, "abort", None))
    )


CallNext: TypeAlias = Callable[[Request], MiddlewareResponse]
"""Sends a request, through the rest of the middleware, and returns the response."""

Middleware: TypeAlias = Callable[[Request, CallNext], TransportResponse]
"""Takes the request of one attempt and `call_next`, and returns the response."""
