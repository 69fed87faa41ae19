"""The steps of a flow that has several calls under way.

    step         what the runner does                      what the flow is sent
    GetLimits    looks up how many connections there are   a Limits, or None if it does not know
    GetMostFiles looks up how many files may be open       an int, or None if there is no limit
    StartCalls   begins calls                              None
    StartPull    asks an async iterator for one item       None
    NextEnds     waits until something has ended           an Ends
    EndCalls     ends what is under way                    None

What a flow has started goes on while the program handles an item. Nothing is dropped: what has
ended in the meantime comes with the next `NextEnds`. When the flow ends, however it ends, the
runner ends what is still under way, as `EndCalls` does.

A call that waits for a connection counts against `Timeout.pool`. A flow that has no more calls
under way than `GetLimits` says never makes its own calls wait.
"""

from collections.abc import Sequence
from typing import Any, Final, Optional

from msgspec import Struct

from meshapi_core.calls import AnyCall

__all__ = [
    "PULL",
    "CallEnd",
    "EndCalls",
    "Ends",
    "GetLimits",
    "GetMostFiles",
    "NextEnds",
    "StartCalls",
    "StartPull",
]

PULL: Final = -1
"""The number under which a pull ends; no call has it."""


class GetLimits(Struct, frozen=True):
    """Be sent the `Limits` of the client's connections; None if others open them, such as httpx.

    With more calls under way than `max_connections`, some wait for a connection, and fail if none
    is free in time.
    """


class GetMostFiles(Struct, frozen=True):
    """Be sent how many files and sockets the process may have open; None if nothing limits them.

    That is often 1,024 on Linux, and 256 on macOS. Each connection is one.
    """


class StartCalls(Struct, frozen=True):
    """Begin calls, one attempt of each: the client does not retry them, but the flow may.

    On an event loop, each call is a task; on a blocking client, it runs in a thread. Each sees the
    context variables of the program as they are now.

    Fields:
        calls: pairs of a number and a call. A number must not be under way already, or negative.
    """

    calls: Sequence[tuple[int, AnyCall[Any]]]


class StartPull(Struct, frozen=True):
    """Ask an async iterator for its next item, which ends as `PULL`.

    All the items of one source are asked for in one task, so that a generator may have a time limit
    or a nursery around its `yield`. A generator is closed in that task when the flow ends. A
    blocking client takes a plain iterator, and asks it at once, in the program's own thread.

    Fields:
        source: the iterator; always the same one in a flow. It is asked for one item at a time.
    """

    source: Any


class NextEnds(Struct, frozen=True):
    """Wait until at least one call or pull has ended, and be sent those that have, in that order.

    In any case, other tasks of the event loop run once, so that calls begin that were started.

    Closing the client or the flow ends the wait with an error. What is no Exception, such as a
    SystemExit in middleware, is raised here and reaches the program.

    Fields:
        seconds: how long to wait at most; None waits for as long as it takes.
        most: how many ends to be sent at most; the others come with the next step.
    """

    seconds: Optional[float] = None
    most: int = 2**31


class EndCalls(Struct, frozen=True):
    """End what is under way: the requests are given up, and their connections closed.

    On an event loop, all the tasks have ended afterwards. Threads have been told to end; those in
    the middle of code of the program's, such as a hook, end after that.
    """


class CallEnd(Struct):
    """How a call has ended, or a pull.

    Fields:
        number: of the call; `PULL` for a pull.
        value: the result of the call, or the item. END_OF_STREAM if the source has no more.
        error: why it has failed.
    """

    number: int
    value: Any = None
    error: Optional[Exception] = None


class Ends(Struct):
    """What has ended since the flow last asked.

    Fields:
        now: the time in seconds, on the clock of `Now`.
        ends: in the order in which they ended; empty if the time was over.
    """

    now: float
    ends: list[CallEnd]
