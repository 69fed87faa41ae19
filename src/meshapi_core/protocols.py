"""The protocols of runners, which make the calls of endpoints, and of the streams that they return.

The backends' runners and streams implement them, and those of another host can, too: an endpoint
uses nothing else of a runner.
"""

from collections.abc import AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import Any, NoReturn, Optional, TypeVar, Union

from typing_extensions import Protocol, Self, runtime_checkable

from meshapi_core.bodies import FileSource
from meshapi_core.calls import AnyCall, Call, StreamCall
from meshapi_core.headers import Headers
from meshapi_core.raw_response import RawResponse
from meshapi_core.response_meta import ResponseMeta

__all__ = [
    "AsyncRawRunner",
    "AsyncRunner",
    "AsyncStream",
    "Flow",
    "RawRunner",
    "Runner",
    "Stream",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Flow = Generator[Union[AnyCall[Any], FileSource], Any, T]
"""A generator of calls that follow from each other. It yields each call, is sent the call's result
(or has its error thrown in), and returns the result of all. Where it yields a `FileSource`, the
runner checks that the file is there, so that a missing file is noticed before the calls that
precede its upload."""


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


class Runner(Protocol):
    """Runs calls and blocks until they are done."""

    def run(self, call: AnyCall[T], /) -> T:
        """Return the call's result."""
        ...

    def run_flow(self, flow: Flow[T], /) -> T:
        """Return the flow's result, after making its calls one after the other."""
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

    def open(self, call: StreamCall[T], /) -> Stream[T]:
        """Return the call's stream, as a `Runner` does."""
        ...


class AsyncRunner(Protocol):
    """Runs calls on an event loop."""

    async def run(self, call: AnyCall[T], /) -> T:
        """Return the call's result."""
        ...

    async def run_flow(self, flow: Flow[T], /) -> T:
        """Return the flow's result, after making its calls one after the other."""
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

    def open(self, call: StreamCall[T], /) -> AsyncStream[T]:
        """Return the call's stream, as an `AsyncRunner` does."""
        ...
