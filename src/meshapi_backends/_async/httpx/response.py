"""A response of httpx's: its body piece by piece, and its end.

A response is closed when it has been read or given up. Closing an async one takes awaits, which
`abort` has none of: it happens beside what runs, and `aclose` waits for it. A response that its
owner dropped leaves a note, and is closed on the next step.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Optional

from meshapi_backends._async.httpx.bodies import AsyncPieces, cut
from meshapi_backends._failures import mark_foreign, seconds_until
from meshapi_backends._httpx.failures import Attempt
from meshapi_backends._httpx.requests import Pairs, TimeLimits
from meshapi_backends._httpx.sockets import is_http1
from meshapi_core import Headers

if TYPE_CHECKING:
    from meshapi_backends._async.httpx.transport import AsyncHTTPXTransport

# Seconds for the rest of a response that has been closed: none of it comes from the network.
_CLOSING = 1.0


class AsyncHTTPXResponse:
    """What the reader of a response holds. See `AsyncTransportResponse`."""

    def __init__(self, open_response: "AsyncOpenResponse", fields: Pairs, where: str) -> None:
        self._open_response = open_response
        self.where = where
        self.status: int = open_response.response.status_code
        self.headers = Headers(fields)
        # httpx takes the end of a TLS connection for the end of a body, however it came.
        self.cut = False

    async def read(self, until: Optional[float] = None) -> bytes:
        """The next piece of the body. See `AsyncTransportResponse.read`."""
        return await self._open_response.read(until)

    def abort(self) -> None:
        """Give the response up. See `AsyncTransportResponse.abort`."""
        self._open_response.close()

    def __del__(self) -> None:
        if not self._open_response.closed:
            self._open_response.transport.drop(self._open_response)


class AsyncOpenResponse:
    """A response of httpx's, and what is to be read of it."""

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
            return b""
        self._reading = over = True
        try:
            piece = await self._next(until)
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

    async def _next(self, until: Optional[float]) -> bytes:
        left = seconds_until(until, self.transport.flavour.now)
        if self._pieces is None:
            # httpx asks for its limit now, and never again for this response.
            self._limits.end = until
            self._pieces = self._begin()
        piece = await self._limited(self._pieces, left)
        if piece is None:
            raise TimeoutError
        return piece

    def _begin(self) -> AsyncIterator[bytes]:
        response = self.response
        if response.is_stream_consumed:
            # By an event hook; all that is left is the whole body.
            return AsyncPieces(cut(response.content))
        if response.is_closed:
            return AsyncPieces(iter(()))
        return self.transport.flavour.pieces(response)

    async def _limited(
        self, pieces: AsyncIterator[bytes], left: Optional[float]
    ) -> Optional[bytes]:
        """The next piece; None where the limit came first."""
        piece: Optional[bytes] = None
        scope = self.transport.flavour.limit(left, self.response)
        try:
            with scope:
                piece = await pieces.__anext__()
        except StopAsyncIteration:
            piece, self._ended = b"", True
        return None if scope.cancelled_caught else piece

    def close(self) -> None:
        """Close it, without waiting. Harmless at any time, and twice."""
        if self.closed:
            return
        if self._reading:
            # Whoever reads wakes up and closes it.
            self.transport.flavour.interrupt(self.response)
            return
        self.closed = True
        self.transport.forget(self)
        if not (self._ended and self.response.is_closed):
            self.transport.flavour.start(self._close)

    async def _close(self) -> None:
        await self.response.aclose()
        if self._pieces is not None and is_http1(self.response):
            # To the end, which is near now: a generator that is left half-way is left to the
            # garbage collector, and so is each one below it.
            with self.transport.flavour.limit(_CLOSING, None):
                async for _ in self._pieces:
                    pass
