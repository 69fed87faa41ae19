"""What a stream has brought so far, and whether it is complete.

A chunk decoder hands every chunk to an accumulator. It keeps text and tool calls, not chunks: a
thousand open streams must not each hold a list of everything they ever received.

Each kind of stream has a module here, which is loaded with the endpoint of its name.

    chat        the response that the chunks of a completion make together
    compare     what the models have said, and what was said about them
    images      those that have come, and what was said of all of them
    responses   the output that grows, and whether the response has ended
    tool_calls  which piece of a tool call belongs to which call
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct
from typing_extensions import Protocol

__all__ = ["Accumulator", "AccumulatorFactory"]

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Accumulator(Protocol[T_contra]):
    """Follows one stream."""

    def add(self, chunk: T_contra) -> None:
        """Take note of the next chunk."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the stream could end here without being cut off."""
        ...

    def partial(self) -> Any:
        """What has arrived, put together; None where nothing has."""
        ...


class AccumulatorFactory(Struct, Generic[T], frozen=True):
    """Makes accumulators that know how much was asked for.

    A value, so that the calls which hold it are values; `functools.partial` is none.

    Fields:
        kind: of accumulator, made with `count`.
        count: how many choices or images the stream has to bring.
    """

    kind: Callable[[int], Accumulator[T]]
    count: int

    def __call__(self) -> Accumulator[T]:
        """A new accumulator, for one stream."""
        return self.kind(self.count)
