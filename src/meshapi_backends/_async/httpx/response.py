"""A response of httpx's: its body piece by piece, and its end.

A response is closed when it has been read or given up. On an event loop, closing has to wait, and
`abort` cannot. So `abort` starts a task that closes it, and the transport's `aclose` waits for that
task. A response that its owner dropped is noted, and closed by the next call.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Optional

from meshapi_backends._async.httpx.bodies import AsyncPieces, cut
from meshapi_backends._failures import TransportError, mark_foreign, seconds_until
from meshapi_backends._http_clients.failures import Attempt
from meshapi_backends._http_clients.requests import Pairs, TimeLimits
from meshapi_backends._http_clients.sockets import is_http1
from meshapi_core import Headers

if TYPE_CHECKING:
    from meshapi_backends._async.httpx.transport import AsyncHTTPXTransport

# Seconds to iterate over the rest of a closed response, none of which comes from the network.
_CLOSING = 1.0


class AsyncHTTPXResponse:
    """The part of a response that its reader holds. See `AsyncTransportResponse`."""

    def __init__(self, open_response: "AsyncOpenResponse", fields: Pairs, where: str) -> None:
        self._open_response = open_response
        self.where = where
        self.status: int = open_response.response.status_code
        self.headers = Headers(fields)
        # Unknown here: httpx takes any end of a TLS connection for the end of the body.
        self.cut = False

    async def read(self, until: Optional[float] = None) -> bytes:
        """The next piece of the body. See `AsyncTransportResponse.read`."""
        return await self._open_response.read(until)

    def abort(self) -> None:
        """Give up the response. See `AsyncTransportResponse.abort`."""
        self._open_response.close()

    def __del__(self) -> None:
        if not self._open_response.closed:
            self._open_response.transport.drop(self._open_response)


class AsyncOpenResponse:
    """An open response of httpx's, as the transport keeps it until it is closed."""

    def __init__(
        self, transport: "AsyncHTTPXTransport", response: Any, attempt: Attempt, limits: TimeLimits
    ) -> None:
        self.transport = transport
        self.response = response
        self.closed = False
        self._attempt = attempt
        self._limits = limits
        self._pieces: Optional[AsyncIterator[bytes]] = None
        self._reading = False
        self._ended = False

    async def read(self, until: Optional[float]) -> bytes:
        """The next piece; `b""` at the end, and after it."""
        if self.closed:
            if not self._ended and self.transport.closed:
                raise TransportError(self.transport.closed_failure())
            return b""
        self._reading = over = True
        try:
            piece = await self._next(until)
            over = not piece
            return piece
        except Exception as exc:
            error = self.transport.explained(self._attempt, exc, has_head=True)
            if error is None:
                mark_foreign(exc)
                raise
            raise error from exc
        finally:
            self._reading = False
            if over:
                self.close()

    async def _next(self, until: Optional[float]) -> bytes:
        left = seconds_until(until, self.transport.flavour.now)
        if self._pieces is None:
            # httpx asks for the read limit now, and not again for this response.
            self._limits.end = until
            self._pieces = self._begin()
        piece = await self._limited(self._pieces, left)
        if piece is None:
            raise TimeoutError
        return piece

    def _begin(self) -> AsyncIterator[bytes]:
        response = self.response
        if response.is_stream_consumed:
            # An event hook has read it; httpx keeps the whole body.
            return AsyncPieces(cut(response.content))
        if response.is_closed:
            return AsyncPieces(iter(()))
        return self.transport.flavour.pieces(response)

    async def _limited(
        self, pieces: AsyncIterator[bytes], left: Optional[float]
    ) -> Optional[bytes]:
        """The next piece; None if the time limit ran out first."""
        piece: Optional[bytes] = None
        scope = self.transport.flavour.limit(left, self.response)
        try:
            with scope:
                piece = await pieces.__anext__()
        except StopAsyncIteration:
            piece, self._ended = b"", True
        return None if scope.cancelled_caught else piece

    def close(self) -> None:
        """Close the response, without waiting. Harmless at any time, and twice."""
        if self.closed:
            return
        if self._reading:
            # Wakes the reader, which closes it.
            self.transport.flavour.interrupt(self.response)
            return
        self.closed = True
        self.transport.forget(self)
        if not (self._ended and self.response.is_closed):
            self.transport.flavour.start(self._close)

    async def _close(self) -> None:
        await self.response.aclose()
        if self._pieces is not None and is_http1(self.response):
            # Exhaust the generator, which takes no time now. Otherwise it would be left to the
            # garbage collector, and so would all those below it.
            with self.transport.flavour.limit(_CLOSING, None):
                async for _ in self._pieces:
                    pass
