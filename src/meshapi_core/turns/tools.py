"""The tools of a session: what the gateway is told of them, and the calls of one turn."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from meshapi_core.errors import ToolLoopLimitError
from meshapi_core.flows.steps import ItemFlow
from meshapi_core.tools.calls import TurnCalls
from meshapi_core.tools.checkpoints import CallState
from meshapi_core.tools.function_tool import FunctionTool
from meshapi_core.tools.options import CallOptions, check_count
from meshapi_core.tools.toolbox import AnyTool, Toolbox
from meshapi_core.tools.usage import RunUsage
from meshapi_core.turns.values import RealtimeToolCall, RealtimeTurn

__all__ = ["SessionToolOptions", "SessionTools", "ToolTurn", "output_event"]


class SessionToolOptions(CallOptions, frozen=True, kw_only=True):
    """How a session calls functions; `turns` of a session documents the options.

    Raises:
        InvalidParamsError: an option is not valid.
    """

    max_tool_turns: int
    max_total_tokens: Optional[int]

    def __post_init__(self) -> None:
        CallOptions.__post_init__(self)
        check_count("max_tool_turns", self.max_tool_turns)
        if self.max_total_tokens is not None:
            check_count("max_total_tokens", self.max_total_tokens)


class SessionTools:
    """The functions that the model may call, and whether the gateway knows of them.

    Attributes:
        update: the event that tells the gateway; None if it knows.
        toolbox, options: as offered; None before that.
    """

    def __init__(self) -> None:
        self.update: Optional[dict[str, Any]] = None
        self.toolbox: Optional[Toolbox] = None
        self.options: Optional[SessionToolOptions] = None
        self._given: list[AnyTool] = []
        # Turns in a row that called functions, and what all turns have used.
        self._in_a_row = 0
        self._usage = RunUsage()

    def are(self, tools: object) -> bool:
        """Return whether these are the tools already."""
        return self.toolbox is not None and self._given == tools

    @staticmethod
    def box(tools: Sequence[AnyTool]) -> Toolbox:
        """Return the tools by name.

        Raises:
            InvalidParamsError: one of them is no tool, or two have the same name.
        """
        return Toolbox(tools, _declaration, _name_of)

    def offer(
        self, tools: Sequence[AnyTool], toolbox: Toolbox, options: SessionToolOptions
    ) -> None:
        """Offer these tools from now on, and no others."""
        if not self.are(tools):
            self._given = [*tools]
            session = {"type": "realtime", "tools": toolbox.declarations}
            self.update = {"type": "session.update", "session": session}
        self.toolbox, self.options = toolbox, options

    def updated(self, update: dict[str, Any]) -> None:
        """Record that the event is sure to be sent. Harmless twice."""
        if self.update is update:
            self.update = None

    def asked(self) -> None:
        """Record that somebody else than these functions has made the model respond."""
        self._in_a_row = 0

    def take(self, turn: RealtimeTurn) -> "Optional[ToolTurn]":
        """Take a turn that has ended; return its calls, if it has any that can be made."""
        usage = turn.usage
        if usage is not None:
            read, written, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
            self._usage = self._usage.plus(read, written, total, None)
        toolbox, options = self.toolbox, self.options
        if turn.status != "completed" or not turn.tool_calls:
            self._in_a_row = 0
            return None
        if toolbox is None or options is None or not toolbox.by_name:
            return None
        self._in_a_row += 1
        return ToolTurn(turn.tool_calls, toolbox, options, self._in_a_row)

    def check_limits(self) -> None:
        """Raise if a limit is reached, and count anew.

        Raises:
            ToolLoopLimitError: the functions must not be called.
        """
        options, turns, tokens = self.options, self._in_a_row, self._usage.total_tokens
        if options is None:
            return
        reached: Optional[tuple[str, int, int]] = None
        if turns > options.max_tool_turns:
            reached = ("max_tool_turns", options.max_tool_turns, turns)
        if options.max_total_tokens is not None and tokens >= options.max_total_tokens:
            reached = ("max_total_tokens", options.max_total_tokens, tokens)
        if reached is None:
            return
        limit, allowed, used = reached
        self._in_a_row = 0
        raise ToolLoopLimitError(
            f"the model asks for further calls, but {limit}={allowed} is reached ({used} used);"
            " nothing was called, and the session goes on: send_tool_output() can still answer the"
            " calls",
            limit=limit,
            checkpoint={},
            messages=[],
            turns=turns,
            usage=self._usage,
        )


class ToolTurn:
    """The calls of one turn, and their outputs so far.

    Args:
        calls: what the model asks for.
        tools: the tools of the session.
        options: how functions are called.
        number: of the turn, among those in a row that call functions.

    Attributes:
        is_checked: for the machine, to look at the limits once.
    """

    def __init__(
        self,
        calls: Sequence[RealtimeToolCall],
        tools: Toolbox,
        options: SessionToolOptions,
        number: int,
    ) -> None:
        self.is_checked = False
        # An ID that comes twice can have one output only.
        self._calls: dict[str, CallState] = {}
        for call in calls:
            state = CallState(id=call.call_id, name=call.name, arguments=call.arguments)
            tool = tools.by_name.get(call.name)
            if call.name in tools.by_name and (tool is None or tool.deferred):
                state.status = "deferred"
            self._calls.setdefault(call.call_id, state)
        self._maker = TurnCalls([*self._calls.values()], tools, options, number)
        self._sent: set[str] = set()

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._calls

    @property
    def is_open(self) -> bool:
        """Whether there are calls to make."""
        return any(call.status in ("open", "begun") for call in self._calls.values())

    @property
    def is_whole(self) -> bool:
        """Whether the model has every output, so that it can go on.

        It is False if the program has to send one, as the tool is deferred.
        """
        return len(self._sent) == len(self._calls)

    def needs_only(self, call_id: str) -> bool:
        """Whether nothing but this output is missing that does not come from the program."""
        return all(
            call.status == "deferred" or call.id in self._sent or call.id == call_id
            for call in self._calls.values()
        )

    def make(self) -> ItemFlow[Any, None]:
        """Return a flow that makes the calls which have no result yet."""
        return self._maker.make()

    def outputs(self) -> list[dict[str, Any]]:
        """Return the events with the outputs that were not sent, in the order of the calls."""
        return [
            output_event(call.id, call.content)
            for call in self._calls.values()
            if call.status == "done" and call.id not in self._sent
        ]

    def sent(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Record that these events are sure to be sent; the program may have made them itself."""
        for event in events:
            call = self._calls.get(event["item"]["call_id"])
            if call is not None:
                call.status = "done"
                self._sent.add(call.id)


def output_event(call_id: str, output: str) -> dict[str, Any]:
    """Return the event that sends the output of a function."""
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    return {"type": "conversation.item.create", "item": item}


def _declaration(tool: FunctionTool) -> dict[str, Any]:
    # Source: https://platform.openai.com/docs/api-reference/realtime-client-events/session/update
    declared: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description:
        declared["description"] = tool.description
    return {**declared, "parameters": tool.parameters}


def _name_of(declaration: Mapping[str, Any]) -> Optional[str]:
    return declaration.get("name") if declaration.get("type") == "function" else None
