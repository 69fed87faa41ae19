"""An injected `httpx` or `httpx2` client: its kind, and our requests in its form.

Neither library is imported here, or anywhere in this package. A program that has such a client has
imported its library, which is found through the client's class.

Source: https://www.python-httpx.org/api/, https://www.python-httpx.org/advanced/extensions/
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, Optional

from typing_extensions import Protocol

from meshapi_core import OpenBody, Request, Secret, Timeout, type_name

LIBRARIES = ("httpx", "httpx2")

FIELDS = {"Client": "httpx_client", "AsyncClient": "async_httpx_client"}
"""Kinds of clients -> the parameters that take them."""

Pairs = list[tuple[bytes, bytes]]

# Seconds by which httpx's limits are longer than ours: when one runs out, ours has run out, too.
GRACE = 0.01

# Headers that say how long the body is. That depends on our body, not on a client's defaults.
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class HTTPXClient(Protocol):
    """`httpx.Client` and `httpx2.Client`, as type checkers see them."""

    @property
    def is_closed(self) -> bool:
        """Whether the client has been closed."""
        ...

    def send(self, request: Any, *, stream: bool = ..., auth: Any = ...) -> Any:
        """Send a request."""
        ...

    def close(self) -> None:
        """Close the client. We never do."""
        ...


class AsyncHTTPXClient(Protocol):
    """`httpx.AsyncClient` and `httpx2.AsyncClient`, as type checkers see them."""

    @property
    def is_closed(self) -> bool:
        """Whether the client has been closed."""
        ...

    def send(self, request: Any, *, stream: bool = ..., auth: Any = ...) -> Awaitable[Any]:
        """Send a request."""
        ...

    async def aclose(self) -> None:
        """Close the client. We never do."""
        ...


def library_of(client: object, kind: str) -> Any:
    """The library of an injected client: the module `httpx` or `httpx2`.

    Args:
        kind: "Client" or "AsyncClient".

    Raises:
        TypeError: the object is not a client of that kind.
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


# The transports of httpx that call a function or an application instead.
_OFFLINE = frozenset({"ASGITransport", "MockTransport", "WSGITransport"})


def is_offline(client: Any) -> bool:
    """Whether an injected client opens no connections."""
    found = (getattr(client, "_transport", None), *getattr(client, "_mounts", {}).values())
    return all(type(each).__name__ in _OFFLINE for each in found if each is not None)


class TimeLimits(dict[str, Optional[float]]):
    """The time limits of one request. httpx asks for the limit of a phase when the phase begins.

    Attributes:
        end: the time that no phase may pass.
    """

    def __init__(self, timeout: Timeout, end: Optional[float], now: Callable[[], float]) -> None:
        super().__init__(
            connect=timeout.connect, read=timeout.read, write=timeout.write, pool=timeout.pool
        )
        self.end = end
        self._now = now

    def get(self, phase: str, default: object = None, /) -> Optional[float]:
        """Seconds that a phase may last if it begins now; None is no limit."""
        limit = self[phase]
        if self.end is None:
            return limit
        left = max(0.0, self.end - self._now())
        if limit is not None and limit <= left:
            return limit
        # Never 0, which makes a socket non-blocking.
        return left + GRACE


# Steps after which a proxy has connected us to the server behind it.
_TUNNELLED = ("proxy.start_tls", "socks.start_tls", "socks.setup_socks5_connection.complete")


class Progress:
    """How far a request has come, by the steps that httpx reports (`trace`).

    Args:
        now: the clock.

    Attributes:
        step: the latest step.
        peer: host name and port to which a connection was opened for it: the server, or a proxy.
        tunnelled: the proxy has connected us to the server; failures from here on are the server's.
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
        """Whether the latest step is in the TLS handshake."""
        return "start_tls" in self.step and not self.step.endswith("complete")


def bare_request(library: Any, request: Request) -> Any:
    """Return a request of httpx's with the method, origin and path of ours, and nothing else."""
    path = str.__str__(request.target).partition("?")[0]
    return library.Request(request.method, f"{request.origin}{path}")


def make_request(library: Any, client: Any, request: Request, extensions: dict[str, Any]) -> Any:
    """Return one of our requests as a request of httpx's, with a placeholder for a streamed body.

    A request to the API also has the client's default headers, cookies and query parameters; ours
    take precedence. A request without our token in any header, as to a signed URL, has nothing but
    our own headers.
    """
    names = {name.lower().encode("ascii") for name, _ in request.headers}
    headers: Pairs = []
    url: Any = str.__str__(request.url)
    cookies = None
    if any(isinstance(value, Secret) for _, value in request.headers):
        # Not by build_request(), which would also change the URL and the content-length.
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
        # Explicit, because without it httpx would send a streamed body chunked.
        headers.append((b"content-length", b"%d" % _length(body)))
    given = {"headers": headers, "cookies": cookies, "extensions": extensions}
    if isinstance(body, OpenBody):
        # With a `stream` httpx adds no headers for the body; the caller puts the real one there.
        return library.Request(request.method, url, stream=library.ByteStream(b""), **given)
    return library.Request(request.method, url, content=body, **given)


def header_fields(library: Any, response: Any) -> Pairs:
    """The headers of a response.

    Without `content-encoding` where a hook has read the body, as httpx has then decoded it.
    """
    fields: Pairs = response.headers.raw
    coding = response.headers.get("content-encoding")
    if coding and response.is_stream_consumed and _undoes(library, coding):
        return [pair for pair in fields if pair[0].lower() != b"content-encoding"]
    return fields


def _undoes(library: Any, coding: str) -> bool:
    # Which codings httpx decodes depends on what is installed, so ask it.
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
    assert isinstance(body, (bytes, OpenBody)), "open a StreamedBody before you send it"
    return len(body)
