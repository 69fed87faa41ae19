"""The step of a flow that calls functions of the program's at the same time.

On a blocking client, each function runs in a thread; with one at a time and without a time limit,
in the caller's. On an event loop, async functions are tasks, and plain ones run in threads. All see
the context variables of the caller.
"""

from collections.abc import Callable, Mapping
from typing import Any, Optional

from msgspec import Struct

__all__ = ["FunctionCall", "FunctionOutcome", "RunFunctions"]


class FunctionCall(Struct, frozen=True):
    """One call of a function.

    Fields:
        function: what is called.
        arguments, keywords: what it is called with.
        is_async: whether it is a coroutine function; a blocking client has no use for one.
        timeout: seconds that it may take; None is no limit. A task is cancelled then. A thread
            cannot be stopped: it goes on, and what it returns is dropped.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = {}
    is_async: bool = False
    timeout: Optional[float] = None


class FunctionOutcome(Struct, frozen=True):
    """What a function returned, or raised.

    Fields:
        value: what it returned.
        error: what it raised; a TimeoutError if its time was over.
    """

    value: Any = None
    error: Optional[Exception] = None


class RunFunctions(Struct, frozen=True):
    """Call functions, and be sent their outcomes, in the order of the calls.

    An interruption ends the tasks, and leaves the threads to themselves: their results are dropped.

    Fields:
        calls: what to call.
        at_once: how many may run at the same time; at least 1.
        on_end: is told the position and the outcome of each call when it has ended, so that none
            is lost in an interruption.
    """

    calls: tuple[FunctionCall, ...]
    at_once: int
    on_end: Callable[[int, FunctionOutcome], object]
