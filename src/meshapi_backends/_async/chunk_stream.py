"""The chunks of a streamed response, as a program reads them: a context manager and an iterator."""

from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Generic, Optional, TypeVar

from typing_extensions import Self

from meshapi_backends._async.host import AsyncHost
from meshapi_core import (
    END_OF_STREAM,
    Headers,
    MeshAPIError,
    ResponseMeta,
    StreamInterruptedError,
    StreamUsageError,
    find_request_id,
    stream_closed,
)
from meshapi_core.endpoints import AsyncCloses

T = TypeVar("T")


class AsyncChunkStream(AsyncCloses, Generic[T]):
    """The chunks of one streamed response. See `meshapi_core.endpoints.AsyncStream`.

    Args:
        make_host: makes the host that drives the call; called when the stream begins.
    """

    def __init__(self, make_host: Callable[[], AsyncHost[T]]) -> None:
        self._make_host = make_host
        self._host: Optional[AsyncHost[T]] = None
        self._error: Optional[Exception] = None
        self._closed = self._complete = False
        self._busy = False

    @property
    def request_id(self) -> Optional[str]:
        """The gateway's ID of this request; None before the response begins, or without one."""
        return find_request_id(self.headers) or None

    @property
    def headers(self) -> Headers:
        """The response's headers; empty before it begins."""
        decoder = None if self._host is None else self._host.call.decoder
        return Headers() if decoder is None else decoder.headers

    @property
    def meta(self) -> ResponseMeta:
        """Status, headers, attempts, rate limits and the like; status 0 before it begins."""
        decoder = None if self._host is None else self._host.call.decoder
        if self._host is None or decoder is None:
            return ResponseMeta()
        meta: ResponseMeta = self._host.call.meta
        return meta

    @property
    def partial(self) -> Any:
        """The response so far, put together; None before the first chunk, and for files."""
        return None if self._host is None else self._host.partial

    @property
    def complete(self) -> bool:
        """Whether all chunks have been returned: it has ended, and was not closed before."""
        return self._complete

    def __repr__(self) -> str:
        is_open = self._host is not None and self._host.call.decoder is not None
        state = "closed" if self._closed else "open" if is_open else "not begun"
        return f"<{type(self).__name__} {state}>"

    @property
    def closed(self) -> bool:
        """Whether the stream has ended or was closed."""
        return self._closed

    def __aiter__(self) -> AsyncIterator[T]:
        # A loop over a stream that has ended would be empty, and look like an empty response.
        self._check_open()
        return self

    async def __anext__(self) -> T:
        if self._closed:
            raise StopAsyncIteration
        # Checked here as in `_enter`, to save a function call per chunk.
        if self._busy:
            self._enter()
        self._busy = True
        try:
            event = await (self._host or self._begin()).next()
        except MeshAPIError:
            # Closed by another task while this one was reading: not an error.
            if not self.closed:
                raise
            raise StopAsyncIteration from None
        finally:
            self._busy = False
        if event is END_OF_STREAM:
            self._closed = self._complete = True
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> Self:
        self._check_open()
        self._enter()
        try:
            await (self._host or self._begin()).open()
        except MeshAPIError:
            raise
        except BaseException as exc:
            # A block that was never entered is never left, so `__aexit__` won't close this.
            self._give_up(exc)
            raise
        finally:
            self._busy = False
        return self

    def _give_up(self, exc: BaseException) -> None:
        if self._error is None:
            self._error = StreamInterruptedError(
                f"this stream was interrupted ({type(exc).__name__}) while it was being entered"
            )
        if self._host is not None:
            self._host.abort(stream_closed())
        self._host = None

    def _check_open(self) -> None:
        if self._closed:
            raise StreamUsageError(
                "this stream has ended or was closed, and cannot be read again; call the method"
                " again for a new one"
            )

    def _enter(self) -> None:
        # Two readers would send two requests, or lose each other's chunks.
        if self._busy:
            raise StreamUsageError(
                "this stream is already being read by another task or thread; read it in one of"
                " them only"
            )
        self._busy = True

    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the stream now, and wake the task or thread that reads it. Harmless twice.

        A loop over the stream ends. A new loop, or a new `async with`, raises StreamUsageError.
        """
        self._closed = True
        if self._host is not None:
            self._host.abort(stream_closed())

    def _begin(self) -> AsyncHost[T]:
        if self._error is not None:
            raise self._error
        host = self._host = self._make_host()
        if self._closed:
            host.abort(stream_closed())
        return host
