# Generated from _async/httpcore/exchange.py by `python tools/mirror.py --write`: edit that file.
"""One request through a pool of httpcore's, and its response: head, body, and end."""

from collections.abc import Iterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from meshapi_backends._sync.httpcore.pools import UsedPool
from meshapi_backends._sync.httpx.bodies import Body
from meshapi_backends._failures import TransportError, mark_foreign
from meshapi_backends._http_clients import httpcore
from meshapi_backends._http_clients.errands import Errand, Steps
from meshapi_backends._http_clients.failures import Attempt, without_request
from meshapi_backends._http_clients.requests import TimeLimits
from meshapi_backends._http_clients.sockets import has_surplus
from meshapi_backends._scopes import WaitEnded
from meshapi_core import Headers, MeshAPIError, client_closed

if TYPE_CHECKING:
    from meshapi_backends._sync.httpcore.transport import HTTPCoreTransport


# Until it has sent its first headers, a cancellation would break an HTTP/2 connection of httpcore's
# for all calls: its count of streams would be wrong.
_HOLDS = {
    "http2.send_connection_init.started": True,
    "http2.send_connection_init.failed": False,
    "http2.send_request_headers.started": False,
}


class HTTPCoreResponse:
    """The part of a response that its reader holds. See `TransportResponse`."""

    # httpcore takes any end of a TLS connection for the end of the body.
    cut = False
    resumable = Steps.resumable

    def __init__(self, exchange: "Exchange", response: Any) -> None:
        self._exchange = exchange
        self.status: int = response.status
        self.headers = Headers(response.headers)
        self.where = exchange.where
        self.secrets = exchange.secrets
        self.proxy_credentials = exchange.proxy_credentials

    def read(self, until: Optional[float] = None) -> bytes:
        """The next piece of the body. See `TransportResponse.read`."""
        return self._exchange.read(until)

    def abort(self) -> None:
        """Give up the response. See `TransportResponse.abort`."""
        self._exchange.close()

    def __del__(self) -> None:
        if not self._exchange.closed:
            self._exchange.transport.drop(self._exchange)


class Exchange:
    """A request on its way, and the response to it, as the transport keeps it until it is over."""

    def __init__(
        self,
        transport: "HTTPCoreTransport",
        options: httpcore.Options,
        pool: UsedPool,
        attempt: Attempt,
        limits: TimeLimits,
    ) -> None:
        self.transport = transport
        self.closed = False
        self._options = options
        self._pool = pool
        self._attempt = attempt
        self._limits = limits
        self._use = httpcore.Use(partial(limits.get, "connect"))
        # The step that is under way, or whose outcome nobody has fetched yet.
        self._errand: Optional[Errand] = None
        self._response: Any = None
        self._pieces: Optional[Iterator[bytes]] = None
        self._ended = False
        pool.enter(self)

    @property
    def where(self) -> str:
        """Who responds: the server, or a proxy."""
        return self._attempt.where

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error may show of the proxy's credentials."""
        return self._options.secrets

    @property
    def proxy_credentials(self) -> bool:
        """Whether the proxy was given a user name and a password."""
        return self._attempt.credentials

    def head(self, sent: Optional[Callable[[float], Optional[float]]]) -> Any:
        """Send the request, and return the response, of which only the head has been read."""
        errand = Errand(partial(self._send, sent), self._limits.end, self._use.end)
        self._errand = errand
        with self.transport.calls.waiting() as scope:
            try:
                with scope.waiting(errand.end):
                    self._response = errand.outcome()
                scope.check()
            except WaitEnded as exc:
                self.close()
                raise TransportError(exc.failure) from None
            except Exception as exc:
                if scope.failure is not None:
                    self.close()
                    raise TransportError(scope.failure) from None
                self._fail(exc, has_head=False)
                raise
            except BaseException:
                self._interrupted()
                raise
        self._errand = None
        return self._response

    def _send(self, sent: Optional[Callable[[float], Optional[float]]]) -> Any:
        limits, progress, errand = self._limits, self._attempt.progress, self._errand
        now = self.transport.flavour.now

        def trace(step: str, info: Any) -> None:
            progress.note(step, info)
            self._use.note(step)
            if step == "http2.send_connection_init.started":
                self._pool.guard()
            elif step == "http2.response_closed.started":
                Steps.drop_kept()
            if errand is not None and step in _HOLDS:
                errand.hold(_HOLDS[step])
            if step.endswith("receive_response_headers.started") and errand is not None:
                limits.end = sent(now()) if sent else limits.end
                errand.limit(limits.end)

        extensions: dict[str, Any] = {"timeout": limits, "trace": trace}
        request = self._attempt.request
        body = Body(httpcore.body_of(request))
        made = httpcore.make_request(self._options, request, body, extensions)
        before = httpcore.CURRENT_USE.get()
        httpcore.CURRENT_USE.set(self._use)
        try:
            return self._pool.handle(made)
        finally:
            Steps.drop_kept()
            httpcore.CURRENT_USE.set(before)

    def read(self, until: Optional[float]) -> bytes:
        """The next piece; `b""` at the end, and after it."""
        if self.closed:
            return self._after_the_end()
        errand = self._errand
        if errand is None:
            # Over HTTP/1.1, httpcore asks for the read limit once for each response.
            self._limits.end = until
            self._errand = errand = Errand(self._next, until, self._use.end)
        else:
            errand.limit(until)
        try:
            piece: bytes = errand.outcome()
        except Exception as exc:
            self._fail(exc, has_head=True)
            raise
        except BaseException:
            if not Steps.resumable:
                self._interrupted()
            raise
        self._errand = None
        if not piece:
            self.close()
        return piece

    def _after_the_end(self) -> bytes:
        if not self._ended and self.transport.closed:
            raise TransportError(client_closed())
        return b""

    def _next(self) -> bytes:
        pieces: Any = self._pieces
        if pieces is None:
            pieces = self._pieces = self._response.stream.__iter__()
        try:
            while True:
                piece: bytes = pieces.__next__()
                if piece:
                    return piece
        except StopIteration:
            self._close_response()
            self._ended = True
            return b""

    def _close_response(self) -> None:
        if has_surplus(self._response.stream):
            # The pool does not use a connection again that has been shut down.
            self._use.end()
        # Only now the connection is free for the next request.
        self._response.close()

    def _fail(self, exc: Exception, *, has_head: bool) -> None:
        """Close, and raise the error to raise in place of an exception, if there is another."""
        if isinstance(exc, TimeoutError) and (self._use.shared or self._is_connecting()):
            # Perhaps this connection is dead, and others would wait on it in vain.
            self._pool.retire()
        self.close()
        if self.transport.closed:
            raise TransportError(client_closed()) from None
        if isinstance(exc, (MeshAPIError, TransportError, TimeoutError)):
            return
        failure = self._attempt.failure(exc, has_head=has_head)
        if failure is None:
            mark_foreign(exc)
            return
        without_request(exc, None)
        raise TransportError(failure) from exc

    def _is_connecting(self) -> bool:
        # Others may already be waiting for the connection, and the pool may have removed it.
        return self._options.http2 and self._attempt.progress.silence is None

    def _interrupted(self) -> None:
        if not Steps.resumable:
            # The exception went through the library's code, which is not made for that.
            self._pool.retire()
        self.close()

    def hang_up(self) -> None:
        """Shut the connection down, if no other call shares it. Safe in a finaliser."""
        self._use.end()

    def close(self) -> None:
        """Give up the exchange, without waiting. Harmless at any time, and twice."""
        if self.closed:
            return
        self.closed = True
        self.transport.forget(self)
        errand, self._errand = self._errand, None
        if errand is not None and not errand.done and self._is_connecting():
            self._pool.retire()
        if self._ended:
            self._pool.leave(self)
        elif errand is None:
            self._finish(None)
        else:
            errand.leave(self._finish)

    def _finish(self, value: Any) -> None:
        if self._response is None:
            self._response = value
        if self._response is None or self._ended:
            self._pool.leave(self)
        else:
            self.transport.flavour.start(self._close)

    def _close(self) -> None:
        try:
            if self._pieces is not None:
                Steps.finish(self._pieces)
            self._close_response()
        finally:
            self._pool.leave(self)
