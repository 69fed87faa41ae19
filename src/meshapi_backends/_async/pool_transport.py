"""Connections of our own as a transport: for whatever stands between a client and its pool.

A client without middleware drives each call over the pool itself (`AsyncPipeHost`). Middleware
needs what every transport has: a request goes in, and its response comes out, to be read piece by
piece. A `RequestCall` is one request as a machine, and the same host drives it.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Optional

from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._async.pipe_host import AsyncPipeHost
from meshapi_backends._async.transports import AsyncTransportResponse
from meshapi_backends._failures import TransportError, mark_foreign
from meshapi_backends._scopes import Calls, Scope, WaitEnded, current_scope
from meshapi_core import (
    EndOfStream,
    Headers,
    Limits,
    MeshAPIError,
    Request,
    RequestCall,
    Timeout,
    client_closed,
    stream_closed,
)


class AsyncPoolTransport:
    """A transport over a pool, or over a pool for each event loop. See `AsyncTransport`.

    Args:
        pools: the connections.
        network: returns the network of the running program, for its clock.
    """

    changes_requests = True
    # The pool asks whether it may connect.
    offline = True

    def __init__(self, pools: Any, network: Callable[[], AsyncNetwork]) -> None:
        self._pools = pools
        self._network = network

    @property
    def limits(self) -> Limits:
        """How many connections there may be at once."""
        limits: Limits = self._pools.limits
        return limits

    @property
    def calls(self) -> Calls:
        """The calls that closing the pool ends."""
        try:
            calls: Calls = self._pools.connections().calls
        except TransportError as exc:
            calls = Calls()
            calls.end(exc.failure)
        return calls

    async def send(
        self,
        request: Request,
        *,
        timeout: Timeout,
        deadline: Optional[float],
        fresh: bool,
        attempt: int = 0,
        hide: Optional[Callable[[Iterable[str]], None]] = None,
    ) -> AsyncTransportResponse:
        """Send over a connection of the pool. See `AsyncTransport`.

        `hide` takes the credentials for a proxy that forwards, which are added to the request.
        """
        call = RequestCall(request, timeout=timeout, deadline=deadline, fresh=fresh)
        host = AsyncPipeHost(call, self._pools, self._network())
        scope = current_scope() or Scope()
        try:
            with scope.waiting(partial(_end, host, scope)):
                await host.open()
        except WaitEnded as exc:
            host.leave()
            raise TransportError(exc.failure) from None
        except MeshAPIError as exc:
            host.leave()
            if call.failure is None:
                raise  # the request's own body could not be read
            raise TransportError(call.failure) from exc
        except BaseException as exc:
            host.leave()
            if isinstance(exc, Exception):
                # Not of the network: a signal handler raised it, or a file that was to be sent.
                mark_foreign(exc)
            raise
        if hide is not None and call.further_secrets:
            hide(call.further_secrets)
        return AsyncPoolResponse(host, call)

    async def aclose(self) -> None:
        """Close the pool. Harmless twice."""
        await self._pools.aclose()


def _end(host: AsyncPipeHost[bytes], scope: Scope) -> None:
    host.abort(scope.failure)


class AsyncPoolResponse:
    """A response on a connection of the pool. See `AsyncTransportResponse`."""

    resumable = True

    def __init__(self, host: AsyncPipeHost[bytes], call: RequestCall) -> None:
        self._host = host
        self._call = call
        self._ended = self._aborted = False
        self.status: int = call.status
        self.headers: Headers = call.headers
        self.where: str = call.proxy

    @property
    def cut(self) -> bool:
        """Whether the body may have been cut off. See `AsyncTransportResponse.cut`."""
        return self._call.cut

    async def read(self, until: Optional[float] = None) -> bytes:
        """The next piece of the body. See `AsyncTransportResponse.read`."""
        if self._ended:
            return b""
        self._call.limit_reads(until)
        try:
            piece = await self._host.next()
        except MeshAPIError as exc:
            self._ended = True
            if self._aborted:
                return b""  # by another task or thread, meanwhile
            raise TransportError(self._call.failure or client_closed()) from exc
        except Exception as exc:
            mark_foreign(exc)
            raise
        if isinstance(piece, EndOfStream):
            self._ended = True
            return b""
        return piece

    def abort(self) -> None:
        """Give up the response. See `AsyncTransportResponse.abort`."""
        self._ended = self._aborted = True
        self._host.abort(stream_closed())
