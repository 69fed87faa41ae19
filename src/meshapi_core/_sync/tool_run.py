# Generated from _async/tool_run.py by `python tools/mirror.py --write`: edit that file.
"""A tool run, as programs hold it."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Generic, Optional, TypeVar

from typing_extensions import Self

from meshapi_core._closing import Closes
from meshapi_core.protocols import ItemStream, Runner
from meshapi_core.tools.flavours import Flavour
from meshapi_core.tools.loop import ToolLoop, ToolRunResult
from meshapi_core.tools.steps import RequestedCall, ToolStep
from meshapi_core.tools.usage import RunUsage

__all__ = ["ToolRun"]

T = TypeVar("T")


class ToolRun(Closes, Generic[T]):
    """A run: the model calls functions until it can answer, or until a call is deferred.

    Iterate over it for its steps, or call `until_done()` for the result. Nothing is sent before.
    The attributes tell its state at any time, also after an error or a cancellation.

    Args:
        runner: makes the calls.
        loop: the run as a flow.

    Raises:
        InvalidParamsError: a tool is a function that this kind of client cannot call.
    """

    def __init__(self, runner: Runner, loop: ToolLoop[T]) -> None:
        Flavour.check(loop.tools, loop.options)
        self._loop = loop
        self._steps: ItemStream[ToolStep[T], ToolRunResult[T]] = runner.open_flow(loop.flow())

    def __repr__(self) -> str:
        state = "ended" if self.ended else "open"
        return f"<{type(self).__name__} {state}, {self.turns} turns>"

    @property
    def ended(self) -> bool:
        """Whether it has ended: with a result, with an error, or because it was closed."""
        return self._steps.ended

    @property
    def messages(self) -> list[Any]:
        """The history so far, ready to be sent again: whole turns only.

        Of chat completions, these are messages; of responses, input items. What the program gave is
        as it gave it, and what the gateway sent has all of its fields.
        """
        return self._loop.messages

    @property
    def turns(self) -> int:
        """How many responses of the model there have been."""
        return self._loop.turns

    @property
    def usage(self) -> RunUsage:
        """The tokens and the cost of these responses."""
        return self._loop.usage

    @property
    def pending(self) -> tuple[RequestedCall, ...]:
        """The calls that wait for a result from elsewhere."""
        return self._loop.pending

    def checkpoint(self) -> dict[str, Any]:
        """Return the run as plain values for JSON, with which `resume_tools` continues it.

        It has the whole conversation, and the results of the calls that were made, but no token.
        """
        return self._loop.checkpoint()

    def until_done(self) -> ToolRunResult[T]:
        """Do what is left, pass over its steps, and return the result. Harmless twice.

        Raises:
            ToolLoopLimitError: a limit is reached.
            MeshAPIError: as for `create`.
            Exception: what a function raised, with `on_tool_error="raise"`; what `before_call`
                raised.
            StreamUsageError: it was closed before its end, or ended with an error; its
                `checkpoint()` continues it.
        """
        return self._steps.until_done()

    def __iter__(self) -> Iterator[ToolStep[T]]:
        return self._steps.__iter__()

    def __enter__(self) -> Self:
        self._steps.__enter__()
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        self._steps.close()

    def close(self) -> None:
        """End the run now. Harmless twice. `checkpoint()` continues it."""
        self._steps.close()
