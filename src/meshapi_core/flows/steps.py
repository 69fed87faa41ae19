"""The steps that a flow yields, and what it is sent back for each.

    step          what the runner does                       what the flow is sent
    a call        makes it                                   its result
    FileSource    checks that the file can be opened         None
    Pause          waits                                      None
    Now           reads a monotonic clock                    seconds, as a float
    GetConfig     looks up the client's configuration        a MeshAPIConfig
    RandomBytes   draws from the system's randomness         bytes
    OpenBar       shows a progress bar                       a function that takes a Progress
    Tell          calls a function of the program's          what it returned, awaited if need be
    RunFunctions  calls several at the same time             their outcomes
    OpenStream    opens a stream                             the stream
    NextChunk     reads it                                   a chunk, or END_OF_STREAM
    CloseStream   ends it                                    None
    Emit          hands an item to the program               None, when it wants the next item

The steps that write files are in `saving`, those that write tables in `tables`, those of several
calls at once in `concurrent`, and those that keep a journal in `journals`.

An error of a step is thrown into the flow, which may catch it and go on. An interruption (a
cancellation, a KeyboardInterrupt) is not: the runner closes the generator. It also closes every
stream that the flow has left open, however the flow ended.

A generator that is closed cannot take another step, so a `finally` in a flow must not yield.
"""

from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar, Union

from msgspec import Struct

from meshapi_core.bodies import FileSource
from meshapi_core.calls import AnyCall
from meshapi_core.flows.concurrent import (
    EndCalls,
    GetLimits,
    GetMostFiles,
    NextEnds,
    StartCalls,
    StartPull,
)
from meshapi_core.flows.functions import RunFunctions
from meshapi_core.flows.journals import (
    AppendJournal,
    CloseJournal,
    CutJournal,
    FileSize,
    OpenJournal,
    ReadJournal,
    ReadRecord,
)
from meshapi_core.flows.saving import DiscardFile, EmptyFile, KeepFile, OpenFile, WritePiece
from meshapi_core.flows.tables import OpenTable, WriteRows

__all__ = [
    "CloseStream",
    "Emit",
    "Flow",
    "GetConfig",
    "ItemFlow",
    "NextChunk",
    "Now",
    "OpenBar",
    "OpenStream",
    "Pause",
    "RandomBytes",
    "Step",
    "Tell",
]

T = TypeVar("T")
R = TypeVar("R")


class Pause(Struct, frozen=True):
    """Wait, and be sent None. Closing the client ends the wait with an error.

    Fields:
        seconds: how long; 0 or less is no wait.
    """

    seconds: float


class Now(Struct, frozen=True):
    """Be sent the time in seconds, on a clock that only runs forward."""


class GetConfig(Struct, frozen=True):
    """Be sent the `MeshAPIConfig` of the client, for its retry policy and its time limits."""


class RandomBytes(Struct, frozen=True):
    """Be sent bytes that nobody can predict, as `os.urandom` makes them.

    Fields:
        size: how many.
    """

    size: int


class Tell(Struct, frozen=True):
    """Call a function of the program's, such as `on_progress`, and be sent what it returned.

    On an event loop, a function may return an awaitable, which is awaited.

    Fields:
        function: is called in the task or the thread that runs the flow.
        arguments: what it is called with.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


class OpenBar(Struct, frozen=True):
    """Show a progress bar, and be sent a function to `Tell` of each `Progress`.

    The runner closes the bar when the flow ends. If it cannot show one, it raises
    ModuleNotFoundError.

    Fields:
        unit: what the bar counts, such as "requests"; "B" for bytes, "" if it only shows in what
            state the work is.
    """

    unit: str = ""


class OpenStream(Struct, frozen=True):
    """Open a stream, and be sent an object for `NextChunk` and `CloseStream`.

    Fields:
        call: a `StreamCall`, or another call whose response is a stream; is sent when the first
            chunk is read.
    """

    call: AnyCall[Any]


class NextChunk(Struct, frozen=True):
    """Be sent the next chunk of a stream, or END_OF_STREAM.

    Fields:
        stream: what `OpenStream` gave.
    """

    stream: Any


class CloseStream(Struct, frozen=True):
    """End a stream, and release its connection.

    Fields:
        stream: what `OpenStream` gave.
    """

    stream: Any


class Emit(Struct, Generic[T], frozen=True):
    """Hand an item to the program that iterates over the flow, and go on when it wants the next.

    Only an `ItemFlow` yields items.

    Fields:
        value: the item.
    """

    value: T


Step = Union[
    AnyCall[Any],
    FileSource,
    Pause,
    Now,
    GetConfig,
    RandomBytes,
    OpenBar,
    Tell,
    RunFunctions,
    OpenStream,
    NextChunk,
    CloseStream,
    OpenFile,
    WritePiece,
    EmptyFile,
    KeepFile,
    DiscardFile,
    GetLimits,
    GetMostFiles,
    StartCalls,
    StartPull,
    NextEnds,
    EndCalls,
    OpenJournal,
    ReadJournal,
    ReadRecord,
    AppendJournal,
    CutJournal,
    CloseJournal,
    FileSize,
    OpenTable,
    WriteRows,
]
"""What a flow may yield."""

Flow = Generator[Step, Any, T]
"""Work that ends with a result of type T."""

ItemFlow = Generator[Union[Step, Emit[T]], Any, R]
"""Work that hands over items of type T on its way, and ends with a result of type R."""
