"""An injected `httpx` or `httpx2` client: which kind it is, and requests as it takes them.

Neither library is imported here, or anywhere in this package: whoever has a client of theirs has
loaded it, and its classes are found through the client's own.

Source: https://www.python-httpx.org/api/, https://www.python-httpx.org/advanced/extensions/
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, Optional

from typing_extensions import Protocol

from meshapi_core import OpenBody, Request, Secret, Timeout, type_name

LIBRARIES = ("httpx", "httpx2")

FIELDS = {"Client": "httpx_client", "AsyncClient": "async_httpx_client"}
"""What the arguments are called by which these clients are given."""

Pairs = list[tuple[bytes, bytes]]

# Seconds that httpx's own limits lie behind ours: what ran out first has then run out for us, too.
GRACE = 0.01

# Says how long a body is, which depends on ours and not on a client's defaults.
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class HTTPXClient(Protocol):
    """`httpx.Client` and `httpx2.Client`, as type checkers see them."""

    @property
    def is_closed(self) -> bool:
        """Whether it can be used no more."""
        ...

    def send(self, request: Any, *, stream: bool = ..., auth: Any = ...) -> Any:
        """Send a request."""
        ...

    def close(self) -> None:
        """Close it. We never do."""
        ...


class AsyncHTTPXClient(Protocol):
    """`httpx.AsyncClient` and `httpx2.AsyncClient`, as type checkers see them."""

    @property
    def is_closed(self) -> bool:
        """Whether it can be used no more."""
        ...

    def send(self, request: Any, *, stream: bool = ..., auth: Any = ...) -> Awaitable[Any]:
        """Send a request."""
        ...

    async def aclose(self) -> None:
        """Close it. We never do."""
        ...


def library_of(client: object, kind: str) -> Any:
    """The module that an injected client is of.

    Args:
        kind: "Client" or "AsyncClient".

    Raises:
        TypeError: it is something else.
    """
    for cls in type(client).__mro__:
        library = cls.__module__.partition(".")[0]
        if library in LIBRARIES and cls.__name__ == kind:
            return sys.modules[library]
    expected = " or ".join(f"{name}.{kind}" for name in LIBRARIES)
    hint = ""
    if isinstance(client, type):
        hint = f"; write {type_name(client).rpartition(' ')[2]}(...), not the class"
    elif type(client).__name__ in FIELDS:
        hint = f"; use {'MeshAPI' if kind == 'AsyncClient' else 'AsyncMeshAPI'} for it"
    raise TypeError(f"{FIELDS[kind]}: expected {expected}, got {type_name(client)}{hint}")


class TimeLimits(dict[str, Optional[float]]):
    """The limits of one request; httpx asks for each of them when its phase begins.

    Fields:
        end: the time that no phase may pass.
    """

    def __init__(self, timeout: Timeout, end: Optional[float], now: Callable[[], float]) -> None:
        super().__init__(
            connect=timeout.connect, read=timeout.read, write=timeout.write, pool=timeout.pool
        )
        self.end = end
        self._now = now

    def get(self, phase: str, default: object = None, /) -> Optional[float]:
        """Seconds that a phase may last if it begins now; None is without limit."""
        limit = self[phase]
        if self.end is None:
            return limit
        left = max(0.0, self.end - self._now())
        if limit is not None and limit <= left:
            return limit
        # Never 0, which sockets take for "do not wait at all".
        return left + GRACE


# Steps on the way through a proxy to the server behind it.
_TUNNELLED = ("proxy.start_tls", "socks.start_tls", "socks.setup_socks5_connection.complete")


class Progress:
    """How far a request came, by the steps that httpx reports (`trace`).

    Args:
        now: gives the time.

    Attributes:
        step: the last one.
        peer: host and port of the connection that was opened for it; a proxy's, where that is
            not the server's.
        tunnelled: the proxy has done its part: from here on it is the server.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.step = ""
        self._now = now
        self.peer: Optional[tuple[str, int]] = None
        self.tunnelled = False
        self._opened = False
        self._sent_at: Optional[float] = None

    def note(self, step: str, info: Any) -> None:
        """Take the name of a step, such as "connection.connect_tcp.started", and its details."""
        self.step = step
        if step.endswith("connect_tcp.started"):
            self.peer = str(info.get("host")), int(info.get("port") or 0)
        elif step.startswith(_TUNNELLED):
            self.tunnelled = True
        if not step.startswith(("http11.", "http2.")):
            self._opened = True
        elif "send_request_headers" in step and self._sent_at is None:
            self._sent_at = self._now()

    @property
    def reused(self) -> bool:
        """Whether the request went out on a connection that had been open before."""
        return self._sent_at is not None and not self._opened

    @property
    def silence(self) -> Optional[float]:
        """Seconds since the request's first byte; None where none was sent."""
        return None if self._sent_at is None else self._now() - self._sent_at

    @property
    def in_handshake(self) -> bool:
        """Whether it ended in TLS's handshake."""
        return "start_tls" in self.step and not self.step.endswith("complete")


def bare_request(library: Any, request: Request) -> Any:
    """Return a request of httpx's that says no more than where ours went."""
    path = str.__str__(request.target).partition("?")[0]
    return library.Request(request.method, f"{request.origin}{path}")


def make_request(library: Any, client: Any, request: Request, extensions: dict[str, Any]) -> Any:
    """Return an API request or one to a signed URL as a request of httpx's, without a stream.

    An API request carries the client's default headers, cookies and query parameters; ours win.
    One without a token of ours, in whatever header, carries nothing but our own headers.
    """
    names = {name.lower().encode("ascii") for name, _ in request.headers}
    headers: Pairs = []
    url: Any = str.__str__(request.url)
    cookies = None
    if any(isinstance(value, Secret) for _, value in request.headers):
        # Not through build_request(): it has a say in the URL and the length, too.
        headers = [
            (name, value)
            for name, value in client.headers.raw
            if name.lower() not in names and name.lower() not in _FRAMING
        ]
        cookies = client.cookies
        url = _with_params(library, client, url)
    if b"host" not in {name.lower() for name, _ in headers}:
        headers.insert(0, (b"host", request.origin.authority.encode("ascii")))
    headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers]
    body = request.body
    if body or request.method in ("POST", "PUT", "PATCH"):
        # Explicit: without it httpx would send a streamed body in chunks.
        headers.append((b"content-length", b"%d" % _length(body)))
    given = {"headers": headers, "cookies": cookies, "extensions": extensions}
    if isinstance(body, OpenBody):
        # `stream` means that the headers are complete; the caller puts the real one there.
        return library.Request(request.method, url, stream=library.ByteStream(b""), **given)
    return library.Request(request.method, url, content=body, **given)


def header_fields(library: Any, response: Any) -> Pairs:
    """The header fields of a response.

    Without the content coding, where a hook has read the body: httpx has then undone it.
    """
    fields: Pairs = response.headers.raw
    coding = response.headers.get("content-encoding")
    if coding and response.is_stream_consumed and _undoes(library, coding):
        return [pair for pair in fields if pair[0].lower() != b"content-encoding"]
    return fields


def _undoes(library: Any, coding: str) -> bool:
    # Which codings it knows depends on what is installed, and only it can say.
    body = library.ByteStream(b"\0 in no coding")
    try:
        library.Response(200, headers={"content-encoding": coding}, stream=body).read()
    except library.DecodingError:
        return True
    return False


def _with_params(library: Any, client: Any, url: str) -> Any:
    if not client.params:
        return url
    ours = library.URL(url)
    return ours.copy_with(params=client.params.merge(ours.params))


def _length(body: object) -> int:
    assert isinstance(body, (bytes, OpenBody)), "a StreamedBody is opened before it is sent"
    return len(body)
