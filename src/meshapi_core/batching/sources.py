"""Where the calls of a run of batches come from, one after the other."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Sized
from typing import Any, NamedTuple, NoReturn, Optional, TypeVar, Union

from typing_extensions import Protocol

from meshapi_core.batching.submission import check_iterable, custom_id, is_iterable
from meshapi_core.calls import Call
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.steps import Flow, NextChunk
from meshapi_core.signals import END_OF_STREAM

__all__ = ["BatchCall", "CallSource", "GivenCalls"]

T = TypeVar("T")


class BatchCall(NamedTuple):
    """A call that is to be in a batch.

    Fields:
        number: tells its result from those of all others in the run.
        name: its custom ID in the batch.
        call: the call. What the program gave, if nobody has checked it.
    """

    number: int
    name: str
    call: Call[Any]


class CallSource(Protocol):
    """Calls, one after the other."""

    @property
    def total(self) -> Optional[int]:
        """How many there are; None if that is not known."""
        ...

    def next(self) -> Flow[Optional[BatchCall]]:
        """Return the next call; None if there is none."""
        ...


class GivenCalls:
    """The calls that a program gave to `batches.run`, numbered from 0.

    Args:
        calls: an iterable, or an async iterable.

    Raises:
        InvalidParamsError: it is neither.
    """

    def __init__(self, calls: Union[Iterable[Call[T]], AsyncIterable[Call[T]]]) -> None:
        # For callers without a type checker.
        given: Any = calls
        self.total: Optional[int] = len(given) if isinstance(given, Sized) else None
        self._stream: Any = None
        self._count = 0
        if hasattr(given, "__aiter__") and not is_iterable(given):
            self._stream = _Stream(given.__aiter__())
            return
        check_iterable(given, "")
        self._calls = iter(given)

    def next(self) -> Flow[Optional[BatchCall]]:
        call: Any = END_OF_STREAM
        if self._stream is None:
            call = next(self._calls, END_OF_STREAM)
        else:
            call = yield NextChunk(self._stream)
        if call is END_OF_STREAM:
            return None
        number = self._count
        self._count += 1
        return BatchCall(number, custom_id(number), call)


class _Stream:
    """An async iterator, as a stream of calls for `NextChunk`."""

    def __init__(self, calls: AsyncIterator[Any]) -> None:
        self._calls = calls

    def __anext__(self) -> Awaitable[Any]:
        return self._calls.__anext__()

    def __next__(self) -> NoReturn:
        hint = "use AsyncMeshAPI, or read it first"
        raise InvalidParamsError("calls", "an iterable of calls", "an async iterable", hint)
