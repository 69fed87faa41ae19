"""The protocols of runners, which make the calls of endpoints, and of the streams that they return.

The backends' runners and streams implement them, and those of another host can, too: an endpoint
uses nothing else of a runner.
"""

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, NoReturn, Optional, TypeVar

from typing_extensions import Protocol, Self, runtime_checkable

from meshapi_core.calls import AnyCall, Call, StreamCall
from meshapi_core.flows.steps import Flow, ItemFlow
from meshapi_core.headers import Headers
from meshapi_core.raw_response import RawResponse
from meshapi_core.response_meta import ResponseMeta

__all__ = [
    "AsyncItemStream",
    "AsyncRawRunner",
    "AsyncRunner",
    "AsyncStream",
    "ItemStream",
    "RawRunner",
    "Runner",
    "Stream",
]

T = TypeVar("T")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)


@runtime_checkable
class Stream(Protocol[T_co]):
    """The chunks of one streamed response: an iterator and a context manager.

    The request is sent when the stream is entered or first iterated. Iterating to the end, leaving
    the `with` block, or calling `close()` releases the connection. Only one thread at a time may
    use a stream.
    """

    @property
    def request_id(self) -> Optional[str]:
        """The request ID; None until the response has begun, or where it has none."""
        ...

    @property
    def headers(self) -> Headers:
        """The response's headers; empty until it has begun."""
        ...

    @property
    def meta(self) -> ResponseMeta:
        """Status, headers, attempts, rate limits and the like; status 0 until it has begun."""
        ...

    @property
    def partial(self) -> Any:
        """The response so far, put together; None before the first chunk, and for files.

        Its type is that of the whole response. It is made anew each time, and stays available after
        the end, after `close`, and if the stream broke off.
        """
        ...

    @property
    def closed(self) -> bool:
        """Whether the stream has ended or was closed."""
        ...

    @property
    def complete(self) -> bool:
        """Whether all chunks have been returned: it has ended, and was not closed before."""
        ...

    def __iter__(self) -> Iterator[T_co]: ...
    def __next__(self) -> T_co: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None: ...
    def close(self) -> None:
        """End the stream now, and wake a thread that reads it. Harmless twice.

        A loop over it ends; a new loop, or a new `with` block, raises StreamUsageError.
        """
        ...


@runtime_checkable
class AsyncStream(Protocol[T_co]):
    """The chunks of one streamed response: an async iterator and an async context manager.

    The request is sent when the stream is entered or first iterated. Iterating to the end, leaving
    the `async with` block, or calling `aclose()` releases the connection. Only one task at a time
    may use a stream.
    """

    @property
    def request_id(self) -> Optional[str]:
        """The request ID; None until the response has begun, or where it has none."""
        ...

    @property
    def headers(self) -> Headers:
        """The response's headers; empty until it has begun."""
        ...

    @property
    def meta(self) -> ResponseMeta:
        """Status, headers, attempts, rate limits and the like; status 0 until it has begun."""
        ...

    @property
    def partial(self) -> Any:
        """The response so far, put together; None before the first chunk, and for files.

        Its type is that of the whole response. It is made anew each time, and stays available after
        the end, after `close`, and if the stream broke off.
        """
        ...

    @property
    def closed(self) -> bool:
        """Whether the stream has ended or was closed."""
        ...

    @property
    def complete(self) -> bool:
        """Whether all chunks have been returned: it has ended, and was not closed before."""
        ...

    def __aiter__(self) -> AsyncIterator[T_co]: ...
    async def __anext__(self) -> T_co: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None: ...
    async def aclose(self) -> None:
        """End the stream now, and wake a task that reads it. Harmless twice.

        A loop over it ends; a new loop, or a new `async with` block, raises StreamUsageError.
        """
        ...

    async def close(self) -> None:
        """The same as `aclose()`, under the name that the blocking stream has."""
        ...


@runtime_checkable
class ItemStream(Protocol[T_co, R_co]):
    """The items that a flow hands over on its way: an iterator and a context manager.

    The first step is done when the first item is asked for. Iterating to the end, leaving the
    `with` block, or calling `close()` releases what the flow holds. Only one thread at a time may
    use it.
    """

    @property
    def ended(self) -> bool:
        """Whether the flow has ended: with a result, with an error, or because it was closed."""
        ...

    def until_done(self) -> R_co:
        """Do what is left, pass over its items, and return the result. Harmless twice.

        Raises:
            StreamUsageError: it was closed before its end, or ended with an error.
        """
        ...

    def __iter__(self) -> Iterator[T_co]: ...
    def __next__(self) -> T_co: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None: ...
    def close(self) -> None:
        """End the flow now. Harmless twice."""
        ...


@runtime_checkable
class AsyncItemStream(Protocol[T_co, R_co]):
    """The items that a flow hands over on its way: an async iterator and context manager.

    The first step is done when the first item is asked for. Iterating to the end, leaving the
    `async with` block, or calling `aclose()` releases what the flow holds. Only one task at a time
    may use it.
    """

    @property
    def ended(self) -> bool:
        """Whether the flow has ended: with a result, with an error, or because it was closed."""
        ...

    async def until_done(self) -> R_co:
        """Do what is left, pass over its items, and return the result. Harmless twice.

        Raises:
            StreamUsageError: it was closed before its end, or ended with an error.
        """
        ...

    def __aiter__(self) -> AsyncIterator[T_co]: ...
    async def __anext__(self) -> T_co: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None: ...
    async def aclose(self) -> None:
        """End the flow now. Harmless twice."""
        ...


class Runner(Protocol):
    """Runs calls and blocks until they are done."""

    def run(self, call: AnyCall[T], /) -> T:
        """Return the call's result."""
        ...

    def run_flow(self, flow: Flow[T], /) -> T:
        """Return the flow's result, after doing its steps one after the other."""
        ...

    def open_flow(self, flow: ItemFlow[T, R], /) -> ItemStream[T, R]:
        """Return the items of a flow; no step is done yet."""
        ...

    def open(self, call: StreamCall[T], /) -> Stream[T]:
        """Return the call's stream; nothing is sent yet."""
        ...


class RawRunner(Protocol):
    """Runs calls, blocks until they are done, and returns their responses as they came."""

    def run(self, call: Call[T], /) -> RawResponse[T]:
        """Return the response to a call."""
        ...

    def run_flow(self, flow: Flow[Any], /) -> NoReturn:
        """Raise TypeError: a flow has several responses."""
        ...

    def open_flow(self, flow: ItemFlow[Any, Any], /) -> NoReturn:
        """Raise TypeError: a flow has several responses."""
        ...

    def open(self, call: StreamCall[T], /) -> Stream[T]:
        """Return the call's stream, as a `Runner` does."""
        ...


class AsyncRunner(Protocol):
    """Runs calls on an event loop."""

    async def run(self, call: AnyCall[T], /) -> T:
        """Return the call's result."""
        ...

    async def run_flow(self, flow: Flow[T], /) -> T:
        """Return the flow's result, after doing its steps one after the other."""
        ...

    def open_flow(self, flow: ItemFlow[T, R], /) -> AsyncItemStream[T, R]:
        """Return the items of a flow; no step is done yet."""
        ...

    def open(self, call: StreamCall[T], /) -> AsyncStream[T]:
        """Return the call's stream; nothing is sent yet."""
        ...


class AsyncRawRunner(Protocol):
    """Runs calls on an event loop, and returns their responses as they came."""

    async def run(self, call: Call[T], /) -> RawResponse[T]:
        """Return the response to a call."""
        ...

    async def run_flow(self, flow: Flow[Any], /) -> NoReturn:
        """Raise TypeError: a flow has several responses."""
        ...

    def open_flow(self, flow: ItemFlow[Any, Any], /) -> NoReturn:
        """Raise TypeError: a flow has several responses."""
        ...

    def open(self, call: StreamCall[T], /) -> AsyncStream[T]:
        """Return the call's stream, as an `AsyncRunner` does."""
        ...
