"""The tools of a session: what the gateway is told of them, and the calls of one turn."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Optional, Union

from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.functions import FunctionCall, FunctionOutcome, RunFunctions
from meshapi_core.realtime.turns.values import RealtimeToolCall
from meshapi_core.tools.function_tool import FunctionTool
from meshapi_core.tools.results import error_text, result_text
from meshapi_core.tools.signatures import InvalidArguments

__all__ = ["SessionTool", "SessionTools", "ToolTurn"]

SessionTool = Union[Callable[..., Any], FunctionTool]
"""A function, or a tool made from one."""


class SessionTools:
    """The functions that the model may call, and whether the gateway knows of them.

    Attributes:
        update: the event that tells the gateway; None if it knows.
        at_once: how many functions may run at the same time.
        timeout: seconds that each may take; None is no limit.
    """

    def __init__(self) -> None:
        self.update: Optional[dict[str, Any]] = None
        self.at_once = 1
        self.timeout: Optional[float] = None
        self._given: list[Any] = []
        self._by_name: dict[str, FunctionTool] = {}

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def get(self, name: str) -> Optional[FunctionTool]:
        """The tool of a name."""
        return self._by_name.get(name)

    def are(self, tools: Iterable[SessionTool]) -> bool:
        """Whether these are the tools already."""
        return self._given == list(tools)

    def offer(self, tools: Sequence[SessionTool]) -> None:
        """Offer these tools from now on, and no others.

        Raises:
            InvalidParamsError: one of them is no tool, or two have the same name.
        """
        by_name: dict[str, FunctionTool] = {}
        for position, given in enumerate(tools):
            place = f"tools[{position}]"
            tool = given if isinstance(given, FunctionTool) else FunctionTool.of(given, place)
            if tool.name in by_name:
                raise InvalidParamsError(
                    place, "tools with different names", f"a second {tool.name!r}"
                )
            by_name[tool.name] = tool
        self._given, self._by_name = list(tools), by_name
        schemas = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description or "",
                "parameters": tool.parameters,
            }
            for tool in by_name.values()
        ]
        session = {"type": "realtime", "tools": schemas}
        self.update = {"type": "session.update", "session": session}

    def updated(self, update: dict[str, Any]) -> None:
        """The event is sure to be sent. Harmless twice."""
        if self.update is update:
            self.update = None

    def limit(self, at_once: int, timeout: Optional[float]) -> None:
        """Set how many functions may run at the same time, and for how long.

        Raises:
            ValueError: a limit is out of range.
        """
        if type(at_once) is not int or at_once < 1:
            raise ValueError(f"max_concurrent_calls must be an int of at least 1, not {at_once!r}")
        if timeout is not None and not timeout > 0:
            raise ValueError(f"tool_timeout must be above 0 seconds or None, not {timeout!r}")
        self.at_once, self.timeout = at_once, timeout


class ToolTurn:
    """The calls of one turn, and the outputs so far.

    Attributes:
        is_whole: whether every call has its output here, so that the model can go on. It is False
            if the program has to send one (the tool is deferred).
    """

    def __init__(self, calls: Sequence[RealtimeToolCall], tools: SessionTools) -> None:
        self._tools = tools
        self._calls = calls
        self.is_whole = True
        self._outputs: dict[str, str] = {}
        # Calls of which the function has no outcome yet.
        self._open: list[tuple[RealtimeToolCall, FunctionCall, FunctionTool]] = []
        for call in calls:
            self._begin(call)

    def _begin(self, call: RealtimeToolCall) -> None:
        tool = self._tools.get(call.name)
        if tool is None:
            self._outputs[call.call_id] = error_text(LookupError(f"there is no tool {call.name!r}"))
            return
        if tool.deferred or tool.function is None:
            self.is_whole = False
            return
        try:
            arguments, keywords = tool.decode(call.arguments)
        except InvalidArguments as exc:
            self._outputs[call.call_id] = error_text(exc)
            return
        function = FunctionCall(
            tool.function, arguments, keywords, tool.is_async, self._tools.timeout
        )
        self._open.append((call, function, tool))

    @property
    def is_left_to_program(self) -> bool:
        """Whether the program has to send every output."""
        return not self._outputs and not self._open

    def functions(self) -> Optional[RunFunctions]:
        """The functions that have no outcome yet; None if all have one."""
        open_now = [row for row in self._open if row[0].call_id not in self._outputs]
        if not open_now:
            return None
        note = partial(self._note, [row[0] for row in open_now])
        return RunFunctions(tuple(row[1] for row in open_now), self._tools.at_once, note)

    def outputs(self) -> list[dict[str, Any]]:
        """The events that have the outputs, in the order of the calls."""
        ids = dict.fromkeys(call.call_id for call in self._calls)
        return [output_event(each, self._outputs[each]) for each in ids if each in self._outputs]

    def _note(
        self, calls: Sequence[RealtimeToolCall], position: int, outcome: FunctionOutcome
    ) -> None:
        try:
            text = (
                result_text(outcome.value) if outcome.error is None else error_text(outcome.error)
            )
        except TypeError as exc:
            text = error_text(exc)
        self._outputs[calls[position].call_id] = text


def output_event(call_id: str, output: str) -> dict[str, Any]:
    """The event that sends the output of a function."""
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    return {"type": "conversation.item.create", "item": item}
