# Generated from _async/httpx_client.py by `python tools/mirror.py --write`: edit that file.
"""An injected `httpx` or `httpx2` client as a transport. It belongs to the caller and stays open.

What is the caller's: connections, proxies, certificates, mounts, event hooks, and for requests to
the API default headers, cookies and query parameters. What is ours: the URL, the time limits, the
Authorization, retries. Redirects are not followed, and requests to signed URLs are bare; only
event hooks see these, as they see every request.

An answer is closed when it has been read or given up. Closing a blocking one takes awaits, which
`abort` has none of: it happens beside what runs, and `close` waits for it. An answer that its
owner dropped leaves a note, and is closed on the next step.
"""

from collections import deque
from collections.abc import Iterator, Callable
from functools import partial
from typing import Any, Optional, Union

from typing_extensions import Self

from meshapi_backends._sync.transports import Response
from meshapi_backends._failures import (
    TransportError,
    mark_foreign,
    seconds_until,
)
from meshapi_backends._httpx_failures import Attempt, refused_response, without_request
from meshapi_backends._httpx_hosts import Host, Line, Scope, hang_up, is_http1
from meshapi_backends._httpx_requests import (
    Pairs,
    Progress,
    TimeLimits,
    bare_request,
    header_fields,
    library_of,
    make_request,
)
from meshapi_backends._scopes import Calls, Ended
from meshapi_core import PIECE, Headers, MeshAPIError, OpenBody, Request, Timeout, client_closed

# Seconds for the rest of an answer that has been closed: none of it comes from the network.
_CLOSING = 1.0


class HTTPXTransport:
    """A transport that sends through an injected client. See `Transport`.

    Args:
        client: an `httpx.Client` or `httpx2.Client`, or of a class derived from them.

    Raises:
        TypeError: it is something else.
    """

    def __init__(self, client: Any) -> None:
        self.host = Host()
        self._library = library_of(client, self.host.kind)
        self._client = client
        self._body_class = _body_class(getattr(self._library, self.host.stream))
        self._open: set[_Answer] = set()
        self._dropped: deque[_Answer] = deque()
        self._closed = False
        self.calls = Calls()
        self.tells_sent = True

    @property
    def closed(self) -> bool:
        """Whether `close` has been called, or the injected client was closed."""
        return self._is_closed()

    def _is_closed(self) -> bool:
        return self._closed or bool(self._client.is_closed)

    def send(
        self,
        request: Request,
        *,
        timeout: Timeout,
        deadline: Optional[float],
        fresh: bool,
        until: Optional[float] = None,
        sent: Optional[Callable[[float], Optional[float]]] = None,
    ) -> Response:
        """Send through the client. See `Transport`."""
        self._collect_dropped()
        # httpx cannot be told to open a connection, so `fresh` says nothing here.
        attempt = Attempt(request, timeout, Progress(self.host.now))
        return self._send(attempt, deadline if until is None else until, sent)

    def _send(
        self,
        attempt: Attempt,
        until: Optional[float],
        sent: Optional[Callable[[float], Optional[float]]],
    ) -> Response:
        if self._is_closed():
            raise TransportError(client_closed())
        limits = TimeLimits(attempt.timeout, until, self.host.now)
        response = self._head(attempt, limits, sent)
        answer = _Answer(self, response, attempt, limits)
        self._open.add(answer)
        if self._is_closed():
            answer.close()
            raise TransportError(client_closed())
        return HTTPXResponse(answer, header_fields(self._library, response), attempt.where)

    def _head(
        self,
        attempt: Attempt,
        limits: TimeLimits,
        sent: Optional[Callable[[float], Optional[float]]],
    ) -> Any:
        """The answer, still to be read; closing the stream or the client ends the wait for it."""
        line = self.host.line(self._client)
        limit = self.host.limit_exchange(limits.end, line)
        response: Any = None
        with self.calls.waiting() as scope:
            try:
                with scope.waiting(partial(line.end, limit)), limit:
                    response = self._exchange(attempt, limits, line, limit, sent)
            except Ended as exc:
                raise TransportError(exc.failure) from None
            except Exception as exc:
                response = refused_response(exc)
                if response is None and scope.failure is not None:
                    raise TransportError(scope.failure) from exc
                if response is None:
                    error = self.explained(attempt, exc, answered=False)
                    if error is None:
                        mark_foreign(exc)
                        raise
                    raise error from exc
            finally:
                line.close()
            if response is None and scope.failure is not None:
                raise TransportError(scope.failure)
        if response is None or limit.cancelled_caught:
            if response is not None:
                # At the last moment, on a connection that has been shut down.
                self.host.start(response.close)
            raise TimeoutError
        return response

    def _exchange(
        self,
        attempt: Attempt,
        limits: TimeLimits,
        line: Line,
        limit: Scope,
        sent: Optional[Callable[[float], Optional[float]]],
    ) -> Any:
        def trace(step: str, info: object) -> None:
            attempt.progress.note(step, info)
            line.note(step, info, request)
            if step.endswith("receive_response_headers.started"):
                self.host.limit_head(limit, sent(self.host.now()) if sent else limits.end)

        extensions: dict[str, Any] = {"timeout": limits, "trace": trace}
        if attempt.request.origin.host.endswith("."):
            # The dot says that a name is complete; certificates and SNI have none.
            extensions["sni_hostname"] = attempt.request.origin.host[:-1]
        request = make_request(self._library, self._client, attempt.request, extensions)
        # One that can be left half-way: httpx's own are generators, which trio complains about.
        request.stream = self._body_class(attempt.request.body)
        return self._client.send(request, stream=True, auth=None, follow_redirects=False)

    def explained(
        self, attempt: Attempt, exc: Exception, *, answered: bool
    ) -> Optional[TransportError]:
        """What leaves the transport for an exception; None where it does so as it is."""
        if isinstance(exc, (MeshAPIError, TransportError)):
            return None
        if self._is_closed():
            return TransportError(client_closed())
        failure = attempt.failure(exc, answered=answered)
        if failure is None:
            return None
        without_request(exc, bare_request(self._library, attempt.request))
        return TransportError(failure)

    def close(self) -> None:
        """Close the answers that are being read; the injected client stays open."""
        self._closed = True
        self.calls.end(client_closed())
        self._collect_dropped()
        for answer in list(self._open):
            answer.close()
        self.host.settle()

    def drop(self, answer: "_Answer") -> None:
        """Note that nobody holds an answer any more; safe in a finaliser."""
        hang_up(answer.response)
        self._dropped.append(answer)

    def forget(self, answer: "_Answer") -> None:
        """Strike an answer that has ended."""
        self._open.discard(answer)

    def _collect_dropped(self) -> None:
        while self._dropped:
            try:
                answer = self._dropped.popleft()
            except IndexError:
                return  # another thread was faster
            answer.close()


class HTTPXResponse:
    """What the reader of an answer holds. See `Response`."""

    def __init__(self, answer: "_Answer", fields: Pairs, where: str) -> None:
        self._answer = answer
        self.where = where
        self.status: int = answer.response.status_code
        self.headers = Headers(fields)
        # httpx takes the end of a TLS connection for the end of a body, however it came.
        self.cut = False

    def read(self, until: Optional[float] = None) -> bytes:
        """The next piece of the body. See `Response.read`."""
        return self._answer.read(until)

    def abort(self) -> None:
        """Give the answer up. See `Response.abort`."""
        self._answer.close()

    def __del__(self) -> None:
        if not self._answer.closed:
            self._answer.transport.drop(self._answer)


class _Answer:
    """An answer of httpx's, and what is to be read of it."""

    def __init__(
        self, transport: HTTPXTransport, response: Any, attempt: Attempt, limits: TimeLimits
    ) -> None:
        self.transport = transport
        self.response = response
        self.closed = False
        self._attempt = attempt
        self._limits = limits
        self._pieces: Optional[Iterator[bytes]] = None
        self._reading = False
        self._ended = False

    def read(self, until: Optional[float]) -> bytes:
        """The next piece; `b""` at the end, and after it."""
        if self.closed:
            return b""
        self._reading = over = True
        try:
            piece = self._next(until)
            over = not piece
            return piece
        except Exception as exc:
            error = self.transport.explained(self._attempt, exc, answered=True)
            if error is None:
                mark_foreign(exc)
                raise
            raise error from exc
        finally:
            self._reading = False
            if over:
                self.close()

    def _next(self, until: Optional[float]) -> bytes:
        left = seconds_until(until, self.transport.host.now)
        if self._pieces is None:
            # httpx asks for its limit now, and never again for this answer.
            self._limits.end = until
            self._pieces = self._begin()
        piece = self._limited(self._pieces, left)
        if piece is None:
            raise TimeoutError
        return piece

    def _begin(self) -> Iterator[bytes]:
        response = self.response
        if response.is_stream_consumed:
            # By an event hook; all that is left is the whole body.
            return _Pieces(_cut(response.content))
        if response.is_closed:
            return _Pieces(iter(()))
        return self.transport.host.pieces(response)

    def _limited(
        self, pieces: Iterator[bytes], left: Optional[float]
    ) -> Optional[bytes]:
        """The next piece; None where the limit came first."""
        piece: Optional[bytes] = None
        scope = self.transport.host.limit(left, self.response)
        try:
            with scope:
                piece = pieces.__next__()
        except StopIteration:
            piece, self._ended = b"", True
        return None if scope.cancelled_caught else piece

    def close(self) -> None:
        """Close it, without waiting. Harmless at any time, and twice."""
        if self.closed:
            return
        if self._reading:
            # Whoever reads wakes up and closes it.
            self.transport.host.interrupt(self.response)
            return
        self.closed = True
        self.transport.forget(self)
        if not (self._ended and self.response.is_closed):
            self.transport.host.start(self._close)

    def _close(self) -> None:
        self.response.close()
        if self._pieces is not None and is_http1(self.response):
            # To the end, which is near now: a generator that is left half-way is left to the
            # garbage collector, and so is each one below it.
            with self.transport.host.limit(_CLOSING, None):
                for _ in self._pieces:
                    pass


class _Body:
    """The body of a request, as often as it is asked for."""

    def __init__(self, body: Union[bytes, OpenBody]) -> None:
        self._body = body

    def __iter__(self) -> "_Pieces":
        body = self._body
        return _Pieces(body.pieces() if isinstance(body, OpenBody) else _cut(body))


class _Pieces:
    """Pieces that are there."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopIteration


def _cut(body: bytes) -> Iterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), PIECE):
        yield bytes(view[start : start + PIECE])


def _body_class(base: Any) -> Any:
    # httpx wants to see a class of its own.
    return type("MeshAPIBody", (_Body, base), {})
