# Generated from _async/middleware.py by `python tools/mirror.py --write`: edit that file.
"""Middleware: functions of the program around every attempt of a call.

    transport = MiddlewareTransport([outer, inner], below, network)

is a transport whose `send` runs `outer(request, call_next)`. Its `call_next` runs `inner`, and that
one's `call_next` sends the request over the transport below.

The functions are code that we do not know, so these rules hold for them:

- What such a function raises is the program's, and raised unchanged (`mark_foreign`). What it lets
  through from a transport is judged like any failure; so is a `TransportError` that it makes.
- Each run of a function is a `_Layer`, which knows the responses that the function got. Those that
  it does not return are aborted when it returns or raises, and those that it may have wrapped when
  the wrapping response ends.
- A function that waits is ended when its call or the client is closed (`block_of`). On an event
  loop it is cancelled; in a thread, its `call_next` ends.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Optional

from meshapi_backends._sync.connections import Pools
from meshapi_backends._sync.middleware_blocks import Block, block_of
from meshapi_backends._sync.middleware_responses import (
    BytesResponse,
    Middleware,
    MiddlewareResponse,
    is_response,
)
from meshapi_backends._sync.networks import Network
from meshapi_backends._sync.pool_transport import PoolTransport
from meshapi_backends._sync.transports import TransportResponse
from meshapi_backends._failures import (
    TransportError,
    is_of_transport,
    mark_foreign,
    mark_of_transport,
)
from meshapi_backends._guards import check_request
from meshapi_backends._mistakes import Returned, check_flavour, check_piece, check_response
from meshapi_backends._scopes import Calls, Scope
from meshapi_core import (
    Failure,
    MeshAPIError,
    PassedAttempt,
    Request,
    Timeout,
    type_name,
)


class MiddlewareTransport:
    """A transport behind middleware. See `Transport`.

    Args:
        middleware: the functions, the outermost first.
        transport: what sends the requests; our own connections will do, too.
        network: returns the network of the running program, for its clock.
    """

    changes_requests = True
    # Middleware may respond by itself; whether the transport below may send is asked there.
    offline = True

    def __init__(
        self,
        middleware: Sequence[Middleware],
        transport: Any,
        network: Callable[[], Network],
    ) -> None:
        self.middleware = tuple(middleware)
        if isinstance(transport, Pools):
            transport = PoolTransport(transport, network)
        self.transport: Any = transport
        self.network = network
        self.tells_sent = bool(getattr(transport, "tells_sent", False))
        self.is_told_more = bool(getattr(transport, "changes_requests", False))
        self._own_calls = Calls()

    @property
    def limits(self) -> object:
        """The limits of the transport below; None if it has none."""
        return getattr(self.transport, "limits", None)

    @property
    def calls(self) -> Calls:
        """The calls that closing the transport below ends."""
        calls: Calls = getattr(self.transport, "calls", None) or self._own_calls
        return calls

    def send(
        self,
        request: Request,
        *,
        timeout: Timeout,
        deadline: Optional[float],
        fresh: bool,
        until: Optional[float] = None,
        sent: Optional[Callable[[float], Optional[float]]] = None,
        attempt: int = 0,
        hide: Optional[Callable[[Iterable[str]], None]] = None,
    ) -> TransportResponse:
        """Run the middleware. See `Transport`; `hide` takes secrets that it added."""
        head = None if until is None else until - self.network().now()
        passed = PassedAttempt(request, attempt, timeout, deadline, head)
        under_way = _Attempt(self, passed, fresh, sent, hide)
        response: Optional[MiddlewareResponse] = None
        try:
            with block_of(self.calls, deadline, under_way.end) as block:
                under_way.block = block
                response = under_way.passed(0, passed.request)
            block.check()
        except BaseException as exc:
            if response is not None:
                response.abort()
            _mark_own(exc)
            raise
        finally:
            under_way.block = None  # which refers to the attempt
        assert response is not None
        return _Checked(response, self)

    def close(self) -> None:
        """Close the transport below. Harmless twice."""
        self.transport.close()


def _forget(secrets: Iterable[str]) -> None:
    """In place of a `hide` that was not given."""


class _Attempt:
    """One attempt on its way through the middleware."""

    def __init__(
        self,
        transport: MiddlewareTransport,
        attempt: PassedAttempt,
        fresh: bool,
        sent: Optional[Callable[[float], Optional[float]]],
        hide: Optional[Callable[[Iterable[str]], None]],
    ) -> None:
        self._transport = transport
        self._attempt = attempt
        self._fresh = fresh
        self._sent = sent
        self._hide = hide or _forget
        # Requests that are under way: there may be several at once.
        self._sending: set[Scope] = set()
        self.block: Optional[Block] = None

    def end(self, failure: Failure) -> bool:
        """End the requests that are under way; whether there are any."""
        sending = self._sending.copy()
        for each in sending:
            each.end(failure)
        return bool(sending)

    def _begin(self) -> Scope:
        scope = Scope()
        self._sending.add(scope)
        if self.block is not None:
            # A transport ends its request by itself, and more gently: not all HTTP clients clean up
            # when they are cancelled.
            self.block.ending.limit(None)
        return scope

    def _finish(self, scope: Scope) -> None:
        self._sending.discard(scope)
        if self.block is not None and not self._sending:
            self.block.ending.limit(self._attempt.deadline)
            if scope.failure is not None:
                # Only the function is left to be ended.
                self.block.ending.end()

    def passed(self, position: int, request: Request) -> MiddlewareResponse:
        """The response to a request that has come to a place in the list."""
        transport = self._transport
        if position == len(transport.middleware):
            return self._send(request)
        function = transport.middleware[position]
        layer = _Layer(partial(self.passed, position + 1), function)
        try:
            return layer.returned(function(request, layer.call_next))
        except BaseException:
            layer.abort()
            raise
        finally:
            layer.is_over = True

    def _send(self, request: Request) -> MiddlewareResponse:
        transport, attempt = self._transport, self._attempt
        check_request(request.origin, transport.transport)
        self._hide(attempt.secrets_of(request))
        more: dict[str, Any] = {}
        if transport.tells_sent:
            more = {"until": attempt.head_until(transport.network().now()), "sent": self._sent}
        if transport.is_told_more:
            more.update(attempt=attempt.number, hide=self._hide)
        scope = self._begin()
        try:
            with scope.running():
                sending = transport.transport.send(
                    request,
                    timeout=attempt.timeout,
                    deadline=attempt.deadline,
                    fresh=self._fresh,
                    **more,
                )
                response = Returned.send(sending, transport.transport)
                check_response(response, transport.transport)
        except Exception as exc:
            mark_of_transport(exc)
            raise
        finally:
            self._finish(scope)
        self._hide(getattr(response, "secrets", ()))
        return _Sent(response, attempt, transport)


class _Layer:
    """One run of one function."""

    is_over = False

    def __init__(
        self,
        go_on: Callable[[Request], MiddlewareResponse],
        function: Middleware,
    ) -> None:
        self._go_on = go_on
        self._name = getattr(function, "__qualname__", type(function).__qualname__)
        self._obtained: list[MiddlewareResponse] = []

    def call_next(self, request: Request) -> MiddlewareResponse:
        """Send the request on."""
        self._check()
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"call_next: expected a Request, got {type_name(request)}; write call_next(request)"
            )
        response = self._go_on(request)
        if self.is_over:
            response.abort()
        self._check()
        self._obtained.append(response)
        return response

    def _check(self) -> None:
        if self.is_over:
            raise RuntimeError(
                f"call_next: the middleware {self._name} has returned already; call it, and wait"
                " for it, before that"
            )

    def returned(self, response: Any) -> MiddlewareResponse:
        """The response that the function returned, in charge of what it may need."""
        # Not one of a derived class, which may read in another way.
        if type(response) is BytesResponse:
            self.abort()
            return MiddlewareResponse(response.again())
        if any(response is each for each in self._obtained):
            self.abort(all_but=response)
            obtained: MiddlewareResponse = response
            return obtained
        if isinstance(response, (_Sent, _Made)):
            # Neither reading it nor giving it up is this call's business.
            raise RuntimeError(
                f"the middleware {self._name} returned the response of another attempt; what"
                " call_next() returns can be returned once, a BytesResponse any number of times"
            )
        check_flavour(response, self._name, __name__)
        if not is_response(response):
            raise TypeError(
                f"the middleware {self._name}: expected a response to be returned, with status"
                f" (int), headers (Headers), read() and abort(), got {type_name(response)}; return"
                " what call_next() returns, or a BytesResponse"
            )
        return _Made(response, self._obtained)

    def abort(self, all_but: Optional[MiddlewareResponse] = None) -> None:
        """Give up what the function got."""
        _abort_all(each for each in self._obtained if each is not all_but)


def _abort_all(responses: Iterable[MiddlewareResponse]) -> None:
    for response in responses:
        response.abort()


class _Sent(MiddlewareResponse):
    """A response of the transport below."""

    _is_being_read = False

    def __init__(
        self,
        response: TransportResponse,
        attempt: PassedAttempt,
        transport: MiddlewareTransport,
    ) -> None:
        super().__init__(response)
        self._attempt = attempt
        self._transport = transport
        self.resumable = bool(getattr(response, "resumable", False))

    def read(self, until: Optional[float] = None) -> bytes:
        if until is None:
            until = self._attempt.read_until(self._transport.network().now())
        if self._is_being_read:
            # Of two readers of one connection, one would wait for ever.
            raise RuntimeError(
                "the response is being read already; to share it, make a BytesResponse of it"
            )
        self._is_being_read = True
        try:
            transport: Any = self._transport.transport
            reading: Any = self._response.read(until)
            piece: bytes = Returned.read(reading, transport)
            if piece.__class__ is not bytes:
                check_piece(piece, transport)
            return piece
        except Exception as exc:
            mark_of_transport(exc)
            raise
        finally:
            self._is_being_read = False


class _Made(MiddlewareResponse):
    """A response that a function made, perhaps from responses that it got."""

    def __init__(
        self, response: TransportResponse, obtained: list[MiddlewareResponse]
    ) -> None:
        super().__init__(response)
        self._obtained = obtained

    @property
    def cut(self) -> bool:
        # It need not say so.
        return bool(getattr(self._response, "cut", False))

    def read(self, until: Optional[float] = None) -> bytes:
        piece: Any = self._response.read(until)
        if type(piece) is not bytes:
            raise TypeError(
                f"{type_name(self._response)}.read(): expected bytes to be returned, got"
                f" {type_name(piece)}"
            )
        if not piece:
            _abort_all(self._obtained)
        return piece

    def abort(self) -> None:
        try:
            self._response.abort()
        finally:
            _abort_all(self._obtained)


class _Checked:
    """The response that the call reads: what the middleware's part of it raises is its own."""

    def __init__(
        self, response: MiddlewareResponse, transport: MiddlewareTransport
    ) -> None:
        self._response = response
        self._transport = transport
        self._block: Optional[Block] = None
        self._is_given_up = False
        self.status = response.status
        self.headers = response.headers
        self.where = response.where
        self.proxy_credentials = response.proxy_credentials
        self.resumable = bool(getattr(response, "resumable", False))

    @property
    def cut(self) -> bool:
        return self._response.cut

    def read(self, until: Optional[float] = None) -> bytes:
        response = self._response
        if isinstance(response, _Sent):
            return response.read(until)
        piece = b""
        try:
            with block_of(self._transport.calls, until) as block:
                self._block = block
                piece = response.read(until)
            if self._is_given_up:
                return b""
            block.check()
        except BaseException as exc:
            _mark_own(exc)
            raise
        finally:
            self._block = None
        return piece

    def abort(self) -> None:
        self._is_given_up = True
        block = self._block
        if block is not None:
            block.ending.end()
        self._response.abort()


def _mark_own(exc: BaseException) -> None:
    """Mark an exception as the program's, unless a transport raised it or might have."""
    if not isinstance(exc, (TransportError, MeshAPIError)) and not is_of_transport(exc):
        mark_foreign(exc)
