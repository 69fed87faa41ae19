"""The values that pass between the core and whoever does the I/O.

A host sends a `Request` and reports either a `Response` (an HTTP response) or a `Failure` (what
kept it from getting one). All of them are immutable.
"""

from typing import Any, Final, Literal, Optional, Union

from msgspec import Struct

from meshapi_core.bodies import OpenBody, StreamedBody
from meshapi_core.errors import APIConnectionError, APITimeoutError, MeshAPIError
from meshapi_core.headers import Headers

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(Struct, frozen=True):
    """The server that a request goes to; connections are pooled by it.

    Fields:
        scheme: "http" or "https".
        host: a name in its ASCII form, or an IP address without brackets.
        port: always given, also where it is the scheme's own.
    """

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The Host header's value: brackets around IPv6, the port only where it is unusual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class Request(Struct, frozen=True):
    """One HTTP request, ready to send: the same value is sent again on a retry.

    The token is a `Secret` in it, also where it stands in the target: asterisks for `str()`,
    f-strings, `%s` and `.format`, so that no log has it, and the value itself for whatever takes it
    as text, such as `http.client`. A host that formats fields, or hands them to what does (aiohttp,
    pycurl), takes `plain_headers()` or `raw_headers`, and `plain_url` or `plain_target`.

    Fields:
        method: upper case.
        origin: where it goes.
        target: path and query, percent-encoded.
        headers: everything but Host and Content-Length, which belong to whoever frames the
            message (`HTTP11Connection` adds them, and so do fetch, Qt and the like).
        body: the whole body; empty where there is none. A `StreamedBody` holds files that whoever
            sends it opens first, with `StreamedBody.open`.
        secrets: what no error about this request shows, whoever quotes it; beside the secrets of
            the configuration, which the `Exchange` knows.
        named_by: the server whose response said where to send it; None where the base URL did. The
            address that it goes to must then be a public one (`is_public`), unless the address
            of that server is not either.
    """

    method: str
    origin: Origin
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: Union[bytes, StreamedBody, OpenBody] = b""
    secrets: tuple[str, ...] = ()
    named_by: Optional[Origin] = None

    @property
    def url(self) -> str:
        """The absolute URL, for hosts with an HTTP client of their own."""
        # Of the target's type: one that holds a token stays a secret.
        return type(self.target)(str(self.origin) + str.__str__(self.target))

    @property
    def plain_url(self) -> str:
        """The absolute URL as a plain str: it shows the token where one is in the query."""
        return str(self.origin) + str.__str__(self.target)

    @property
    def plain_target(self) -> str:
        """Path and query as a plain str; see `plain_url`."""
        return str.__str__(self.target)

    def plain_headers(self) -> list[tuple[str, str]]:
        """The header fields as plain str, the token included: for whoever formats them."""
        return [(name, str.__str__(value)) for name, value in self.headers]

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The header fields as plain bytes, as they go over the wire (ISO 8859-1)."""
        return [
            (name.encode("ascii"), str.encode(value, "latin-1")) for name, value in self.headers
        ]

    def __repr__(self) -> str:
        # Neither the query nor the body: signed URLs and prompts do not belong in a log.
        path = self.target.partition("?")[0]
        size = f"{len(self.body)} bytes" if isinstance(self.body, bytes) else repr(self.body)
        return f"<Request {self.method} {self.origin}{path} ({size})>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Else rich shows the fields, whatever the repr says.
        return [("method", self.method), ("origin", str(self.origin))]


SUCCESS: Final = range(200, 300)
"""Statuses of responses that bring what was asked for."""


FINAL: Final = range(200, 600)
"""Statuses of responses that are the last one to their request."""


class Response(Struct, frozen=True):
    """One HTTP response.

    Fields:
        status: the final status; of 1xx only a 101 that was asked for.
        headers: as received.
        body: whole. For a `StreamCall` answered with 2xx it stays empty: the body goes, piece by
            piece, to the `ChunkDecoder` that the exchange returns.
        received_at: when the head arrived, in Unix seconds; only used for a Retry-After date in
            a response that has no Date of its own.
        cut: the body lasted until the connection ended, and that came without TLS's goodbye: it
            may have been cut anywhere, and only what is in it can tell.
    """

    status: int
    headers: Headers
    body: bytes = b""
    received_at: Optional[float] = None
    cut: bool = False

    def __repr__(self) -> str:
        # Not the body, which the frames that read it hold: it may quote what was sent.
        return f"<Response {self.status} ({len(self.body)} bytes)>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("status", self.status), ("size", len(self.body))]


Stage = Literal["pool", "closed", "connect", "verify", "request", "response"]
"""How far an attempt came before it failed.

`pool`: no connection was free in time. `closed`: our client is closed. `connect`: no connection,
so nothing was sent. `verify`: the server's TLS identity was refused. `request`: bytes of the
request may have arrived, no byte of a response has. `response`: the response broke off.
"""


class Failure(Struct, frozen=True):
    """Why an attempt brought no HTTP response.

    Fields:
        error: what the caller gets if the attempt is not repeated.
        stage: how far it came; the retry rules are about this.
        reused: the connection had served a response before, so its silence may only mean that
            the server had closed it meanwhile.
        silence: seconds between the first byte of the request and the failure; None where nobody
            measured it. Only what was short can have been a dead connection.
        interrupted: this side broke off, so that what more there was is not known: a response that
            could have ended here is no complete one.
    """

    error: MeshAPIError
    stage: Stage
    reused: bool = False
    silence: Optional[float] = None
    interrupted: bool = False

    @property
    def timed_out(self) -> bool:
        """Whether a time limit of ours ended the attempt."""
        return isinstance(self.error, APITimeoutError)


def client_closed() -> Failure:
    """The client was closed before or during the call."""
    error = APIConnectionError("the client is closed: make a new one", error_code="client_closed")
    return Failure(error, "closed")


def stream_closed() -> Failure:
    """The stream was closed: nobody wants the rest."""
    error = APIConnectionError("the stream was closed", error_code="stream_closed")
    return Failure(error, "closed")


def interrupted(what: str) -> Failure:
    """A read was interrupted, and the transport cannot go on with it."""
    error = APIConnectionError(
        f"{what}, and this transport cannot continue it", error_code="interrupted"
    )
    return Failure(error, "response", interrupted=True)
