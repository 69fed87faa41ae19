"""Streams that add up: what the `stream` methods return.

Each is a wrapper over the runner's stream, whose decoder puts the chunks together anyway: asking
what has arrived costs something when it is asked, and nothing for each chunk. Iterating over such
a stream iterates over the runner's own.
"""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Generic, Optional, TypeVar

from typing_extensions import Self

from meshapi_core._closing import AsyncCloses
from meshapi_core.errors import StreamUsageError
from meshapi_core.headers import Headers
from meshapi_core.protocols import AsyncStream
from meshapi_core.response_meta import ResponseMeta
from meshapi_core.streams.whole import whole

__all__ = ["AsyncAccumulatingStream"]

R = TypeVar("R")
T = TypeVar("T")


class AsyncAccumulatingStream(AsyncCloses, Generic[T, R]):
    """The chunks of one streamed response, and the response that they add up to.

    An async iterator over the chunks that is also an async context manager; see `AsyncStream`.

    Args:
        stream: the runner's stream.
    """

    # Programs keep thousands of them open.
    __slots__ = ("__weakref__", "_events", "_response", "_stream")

    def __init__(self, stream: AsyncStream[T]) -> None:
        self._stream = stream
        self._response: Optional[R] = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._stream!r}>"

    @property
    def request_id(self) -> Optional[str]:
        """The gateway's ID of this request; None before the response begins, or without one."""
        return self._stream.request_id

    @property
    def headers(self) -> Headers:
        """The response's headers; empty before it begins."""
        return self._stream.headers

    @property
    def meta(self) -> ResponseMeta:
        """Status, headers, attempts, rate limits and the like; status 0 before it begins."""
        return self._stream.meta

    @property
    def closed(self) -> bool:
        """Whether the stream has ended or was closed."""
        return self._stream.closed

    @property
    def complete(self) -> bool:
        """Whether all chunks have been returned: it has ended, and was not closed before."""
        return self._stream.complete

    @property
    def partial(self) -> Optional[R]:
        """The response so far, put together; None before the first chunk.

        It stays available after the end, after `close()`, and if the stream broke off. It is made
        anew each time, so don't ask for it at every chunk of a long response.
        """
        partial: Optional[R] = self._stream.partial
        return partial

    @property
    def response(self) -> R:
        """The whole response, after the end of the stream.

        Raises:
            StreamUsageError: the stream has not ended, was closed before its end, or broke off.
            ResponseDecodeError: the gateway sent no chunk.
        """
        if self._response is None:
            if not self._stream.complete:
                raise StreamUsageError(
                    "this stream has not been read to its end, and has no whole response; .partial"
                    " is the response so far, and get_final_response() reads the rest"
                )
            self._response = whole(self._stream.partial)
        return self._response

    async def get_final_response(self) -> R:
        """Read what is left of the stream, and return the whole response. Harmless twice.

        Raises:
            StreamUsageError: the stream was closed before its end, or another task reads it.
            MeshAPIError: as for iterating over the stream.
        """
        return await self._read_rest()

    async def _read_rest(self) -> R:
        try:
            while not self._stream.complete:
                await self._stream.__anext__()
        except StopAsyncIteration:
            if not self._stream.complete:
                raise StreamUsageError(
                    "this stream was closed before its end, and has no whole response; .partial is"
                    " the response so far"
                ) from None
        return self.response

    def __aiter__(self) -> AsyncIterator[T]:
        # The runner's own iterator, so that a chunk costs no call here.
        return self._stream.__aiter__()

    async def __anext__(self) -> T:
        return await self._stream.__anext__()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        await self._stream.__aexit__(exc_type, exc, traceback)

    async def aclose(self) -> None:
        """End the stream now, and wake the task or thread that reads it. Harmless twice.

        `.partial` keeps what has arrived.
        """
        await self._stream.aclose()
