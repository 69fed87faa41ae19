"""The values that pass between the core and its host.

A host sends a `Request` and reports either a `Response` or a `Failure`, which says why there is no
response. All of them are immutable.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Optional, Union

from msgspec import Struct

from meshapi_core.bodies import OpenBody, StreamedBody
from meshapi_core.errors import APIConnectionError, APITimeoutError, MeshAPIError
from meshapi_core.headers import Headers
from meshapi_core.response_meta import ResponseMeta

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(Struct, frozen=True):
    """The server that a request goes to; the pool keeps connections by origin.

    Fields:
        scheme: "http" or "https".
        host: a name in its ASCII form, or an IP address without brackets.
        port: always set, even to the default port of the scheme.
    """

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The Host header's value: IPv6 in brackets, the port only if it is not the default."""
        # RFC 9110, section 7.2, and RFC 3986, section 3.2.
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class Request(Struct, frozen=True):
    """One HTTP request, ready to send: the same value is sent again on a retry.

    The token in it is a `Secret`, in the headers and in the target. `str()`, f-strings, `%s` and
    `.format` show asterisks, so that no log shows the token, while code that uses the value as the
    str that it is, such as `http.client`, sends the token. A host that formats headers, or passes
    them to a library that does (aiohttp, pycurl), uses `plain_headers()` or `raw_headers`, and
    `plain_url` or `plain_target`.

    Fields:
        method: upper case.
        origin: where it goes.
        target: path and query, percent-encoded.
        headers: everything but Host and Content-Length, which the code that frames the message
            adds (`HTTP11Connection` does, and so do fetch, Qt and the like).
        body: the whole body; empty where there is none. A `StreamedBody` holds files, which the
            host opens first, with `StreamedBody.open`.
        secrets: what errors about this request must not show, even where a server quotes it; in
            addition to the secrets of the configuration, which the `Exchange` knows.
        named_by: the server whose response named this request's server; None where the base URL
            names it. If set, the host must check that it sends to a public address (`is_public`),
            unless the address of the server that named it is not public either.
        attempt: which attempt of its call this is, counted from 0. Only middleware is told;
            elsewhere a retry has the same value.
    """

    method: str
    origin: Origin
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: Union[bytes, StreamedBody, OpenBody] = b""
    secrets: tuple[str, ...] = ()
    named_by: Optional[Origin] = None
    attempt: int = 0

    @property
    def is_to_gateway(self) -> bool:
        """Whether the request is one to the API, and not an upload to a signed URL.

        A token, signature or cookie that is meant for the gateway belongs in no other request: a
        signed URL leads to a storage service, which somebody else may run.
        """
        return self.named_by is None

    def header(self, name: str) -> Optional[str]:
        """The value of a header, in any case; None if the request has none of that name."""
        wanted = name.lower()
        for each, value in self.headers:
            if each.lower() == wanted:
                return value
        return None

    def with_headers(self, headers: Mapping[str, Optional[str]]) -> "Request":
        """Return the request with other headers.

        Args:
            headers: replace those of the same name, in any case; None removes a header. No error
                shows the values.

        Raises:
            InvalidParamsError: a request cannot have such a header, or the client sets it.
        """
        # Imported on first use: only middleware changes requests.
        from meshapi_core import request_changes

        return request_changes.with_headers(self, headers)

    def with_url(self, url: str) -> "Request":
        """Return the request to another URL, with the same method, headers and body.

        The token goes with it. For a server that must not have it, remove it by
        `with_headers({"authorization": None})`.

        Args:
            url: absolute.

        Raises:
            InvalidParamsError: it is not an absolute http(s) URL. The message does not show it.
        """
        from meshapi_core import request_changes

        return request_changes.with_url(self, url)

    def with_origin(self, url: str) -> "Request":
        """Return the request to another server, with the same path and query; see `with_url`.

        Args:
            url: the server, such as "https://eu.example.com:8443", without a path.

        Raises:
            InvalidParamsError: it is not the URL of a server.
        """
        from meshapi_core import request_changes

        return request_changes.with_origin(self, url)

    def with_body(self, body: bytes) -> "Request":
        """Return the request with another body.

        Raises:
            InvalidParamsError: the body is not bytes.
        """
        from meshapi_core import request_changes

        return request_changes.with_body(self, body)

    @property
    def url(self) -> str:
        """The absolute URL, for hosts with an HTTP client of their own."""
        # Of the target's type, so that a URL with a token in it stays a `Secret`.
        return type(self.target)(str(self.origin) + str.__str__(self.target))

    @property
    def plain_url(self) -> str:
        """The absolute URL as a plain str, which shows a token in the query."""
        return str(self.origin) + str.__str__(self.target)

    @property
    def plain_target(self) -> str:
        """Path and query as a plain str; see `plain_url`."""
        return str.__str__(self.target)

    def plain_headers(self) -> list[tuple[str, str]]:
        """The headers as plain str, the token included: for hosts that format them."""
        return [(name, str.__str__(value)) for name, value in self.headers]

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as plain bytes, as they go over the wire (ISO 8859-1)."""
        return [
            (name.encode("ascii"), str.encode(value, "latin-1")) for name, value in self.headers
        ]

    def __repr__(self) -> str:
        # Neither the query nor the body: signed URLs and prompts do not belong in a log.
        path = self.target.partition("?")[0]
        size = f"{len(self.body)} bytes" if isinstance(self.body, bytes) else repr(self.body)
        return f"<Request {self.method} {self.origin}{path} ({size})>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Without this, rich would show all fields in place of the repr.
        return [("method", self.method), ("origin", str(self.origin))]


SUCCESS: Final = range(200, 300)
"""Statuses of successful responses."""


FINAL: Final = range(200, 600)
"""Statuses of final responses: after one of them, no other response to the request follows."""


class Response(Struct, frozen=True):
    """One HTTP response.

    Fields:
        status: the final status; of 1xx only a 101 that was asked for.
        headers: as received.
        body: the whole body. In a 2xx response to a `StreamCall` it is empty: the body goes, piece
            by piece, to the decoder that the exchange returns.
        received_at: when the head arrived, in Unix seconds; only used for a Retry-After date in
            a response that has no Date header.
        cut: the body was to end with the connection, and TLS ended without close_notify (RFC 9112,
            section 9.8). It may have been cut off anywhere, and only its content can tell.
        attempts, elapsed: as in `ResponseMeta`; an `Exchange` sets them.
        proxy: what the proxy is called that forwarded the request; "" if there is none.
    """

    status: int
    headers: Headers
    body: bytes = b""
    received_at: Optional[float] = None
    cut: bool = False
    attempts: int = 0
    elapsed: float = 0.0
    proxy: str = ""

    @property
    def meta(self) -> ResponseMeta:
        """What is known about the response besides its body."""
        return ResponseMeta(self.status, self.headers, self.attempts, self.elapsed)

    def __repr__(self) -> str:
        # Without the body, which may quote what was sent: error trackers show the reprs of locals.
        return f"<Response {self.status} ({len(self.body)} bytes)>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("status", self.status), ("size", len(self.body))]


Stage = Literal["pool", "closed", "connect", "verify", "request", "response"]
"""How far an attempt got before it failed.

`pool`: no connection became free in time. `closed`: the client is closed. `connect`: there was no
connection, so nothing was sent. `verify`: the server's TLS identity was refused. `request`: bytes
of the request may have been sent, and no byte of a response arrived. `response`: the response broke
off.
"""


class Failure(Struct, frozen=True):
    """Why an attempt has no HTTP response, or only a part of one.

    Fields:
        error: what the caller gets if there is no retry.
        stage: how far the attempt got; the retry rules depend on it.
        reused: the connection had carried a response before, so that the failure may only mean that
            the server had closed it meanwhile.
        silence: seconds between the first byte of the request and the failure; None where it was
            not measured. Only after a short silence can it have been a dead connection.
        interrupted: this side stopped reading, so that it is not known whether more would have
            come: even a response that could have ended here is not complete.
    """

    error: MeshAPIError
    stage: Stage
    reused: bool = False
    silence: Optional[float] = None
    interrupted: bool = False

    @property
    def timed_out(self) -> bool:
        """Whether a time limit of the client ended the attempt."""
        return isinstance(self.error, APITimeoutError)


def not_connected(message: str, stage: Stage) -> Failure:
    """The failure of an attempt of which only a message is known, and how far it got."""
    code = "connect_failed" if stage == "connect" else None
    return Failure(APIConnectionError(message, error_code=code), stage)


def client_closed(which: str = "the client") -> Failure:
    """The failure of a call whose client was closed before or during it.

    Args:
        which: what was closed, where it was not the client itself, such as "the httpx client".
    """
    error = APIConnectionError(f"{which} is closed: make a new one", error_code="client_closed")
    return Failure(error, "closed")


def stream_closed() -> Failure:
    """The failure of a stream that the program closed."""
    error = APIConnectionError("the stream was closed", error_code="stream_closed")
    return Failure(error, "closed")


def interrupted(what: str) -> Failure:
    """The failure of a read that was interrupted, on a transport that cannot resume it."""
    error = APIConnectionError(
        f"{what}, and this transport cannot continue it", error_code="interrupted"
    )
    return Failure(error, "response", interrupted=True)
