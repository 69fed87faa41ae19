"""Puts the chunks of a stream together, and knows whether the stream is complete.

A chunk decoder passes every chunk to an accumulator, which keeps text and tool calls, not chunks: a
thousand open streams must not each hold a list of everything they ever received.

Each kind of stream has a module here, which is loaded with the endpoint of the same name.

    chat        the chunks of a chat completion
    compare     the outputs of several models, and the comparison of them
    images      the images of a stream, and the fields that they share
    responses   the output items of a response, and whether the response has ended
    tool_calls  which part of a tool call belongs to which call
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct
from typing_extensions import Protocol

__all__ = ["Accumulator", "AccumulatorFactory"]

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Accumulator(Protocol[T_contra]):
    """Puts together the chunks of one stream."""

    def add(self, chunk: T_contra) -> None:
        """Add the next chunk."""
        ...

    @property
    def complete(self) -> bool:
        """Whether nothing is missing if the stream ends here."""
        ...

    def partial(self) -> Any:
        """Return the response so far; None before the first chunk."""
        ...


class AccumulatorFactory(Struct, Generic[T], frozen=True):
    """Makes accumulators that know how much the request asked for.

    Two factories with the same fields are equal, and so are the calls that hold them. A
    `functools.partial` would compare by identity.

    Fields:
        kind: the class of accumulator; it is called with `count`.
        count: how many choices or images the stream must bring.
    """

    kind: Callable[[int], Accumulator[T]]
    count: int

    def __call__(self) -> Accumulator[T]:
        """Return a new accumulator, for one stream."""
        return self.kind(self.count)
