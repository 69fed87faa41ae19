"""The calls of one turn: which functions are called, and what the model is told of each."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from meshapi_core._json_kinds import value_name
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.functions import FunctionCall, FunctionOutcome, RunFunctions
from meshapi_core.flows.steps import Emit, ItemFlow, Tell
from meshapi_core.tools.checkpoints import CallState
from meshapi_core.tools.function_tool import FunctionTool, decoded_object
from meshapi_core.tools.options import CallOptions
from meshapi_core.tools.results import error_text, json_text, result_text
from meshapi_core.tools.signatures import InvalidArguments
from meshapi_core.tools.steps import (
    Deferred,
    Refuse,
    RequestedCall,
    ToolCallBegun,
    ToolCallDeferred,
    ToolCallEnded,
)
from meshapi_core.tools.toolbox import Toolbox

__all__ = ["TurnCalls", "request_of"]

Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_NONE: Arguments = ((), {})

_Steps = ItemFlow[Any, None]


class TurnCalls:
    """The calls of one turn.

    Args:
        calls: their states, which change when they are made.
        tools: what the model may call.
        options: how the calls are made.
        turn: the number of the response that asks for them.
    """

    def __init__(
        self, calls: Sequence[CallState], tools: Toolbox, options: CallOptions, turn: int
    ) -> None:
        self._calls = calls
        self._tools = tools
        self._options = options
        self._turn = turn
        # By the position of the call: what is not in its state.
        self._ended: dict[int, ToolCallEnded] = {}
        self._raised: dict[int, Exception] = {}

    def make(self) -> _Steps:
        """Return the flow that makes the calls which have no result yet; each item is a step."""
        self._raised.clear()
        ready: list[tuple[int, FunctionCall]] = []
        for position, call in enumerate(self._calls):
            if call.status in ("open", "begun"):
                made = yield from self._prepare(position, call)
                if made is not None:
                    ready.append((position, made))
        if not ready:
            return
        for position, _ in ready:
            yield Emit(ToolCallBegun(self._request_of(self._calls[position])))
        places = [position for position, _ in ready]
        for position in places:
            self._calls[position].status = "begun"
        yield RunFunctions(
            tuple(made for _, made in ready),
            self._options.max_concurrent_calls,
            lambda at, outcome: self._note(places[at], outcome),
        )
        for position in places:
            yield from self._tell(self._calls[position], position)
        if self._raised:
            # Still without a result: a resumed run calls the function again.
            raise self._raised[min(self._raised)]

    def _prepare(self, position: int, call: CallState) -> ItemFlow[Any, Optional[FunctionCall]]:
        """Return the call of a function; None where the call has its result without one."""
        tool = self._tools.by_name.get(call.name)
        arguments, error = self._decoded(call)
        verdict: Any = None
        if error is None and self._options.before_call is not None:
            verdict = yield Tell(self._options.before_call, (self._request_of(call),))
        if isinstance(verdict, Refuse):
            error = PermissionError(f"refused: {verdict.reason}")
        if error is not None:
            # It is the result of a call that is not made.
            self._close(position, call, error_text(error), error=error)
            yield Emit(self._ended[position])
            return None
        if tool is None or tool.function is None or tool.deferred or isinstance(verdict, Deferred):
            call.status = "deferred"
            yield Emit(ToolCallDeferred(self._request_of(call)))
            return None
        if verdict is not None:
            arguments = _changed(tool, verdict)
        timeout = self._options.tool_timeout
        return FunctionCall(tool.function, *arguments, is_async=tool.is_async, timeout=timeout)

    def _decoded(self, call: CallState) -> tuple[Arguments, Optional[Exception]]:
        tools = self._tools.by_name
        if call.name not in tools:
            known = ", ".join(tools) or "none"
            return _NONE, LookupError(f"there is no tool {call.name!r}; the tools are: {known}")
        tool = tools[call.name]
        try:
            return _NONE if tool is None else tool.decode(call.arguments), None
        except InvalidArguments as exc:
            return _NONE, exc

    def _note(self, position: int, outcome: FunctionOutcome) -> None:
        """Take the outcome of a function; called as soon as it has ended."""
        call, value, error = self._calls[position], outcome.value, outcome.error
        if isinstance(error, Deferred) or isinstance(value, Deferred):
            call.status = "deferred"
            return
        if error is None:
            try:
                self._close(position, call, result_text(value), value)
                return
            except TypeError as exc:
                error = exc
        if self._options.on_tool_error == "answer":
            self._close(position, call, error_text(error), error=error)
        else:
            self._raised[position] = error

    def _close(
        self,
        position: int,
        call: CallState,
        content: str,
        value: Any = None,
        error: Optional[Exception] = None,
    ) -> None:
        self._ended[position] = ToolCallEnded(self._request_of(call), content, value, error)
        call.status, call.content = "done", content

    def _tell(self, call: CallState, position: int) -> _Steps:
        if call.status == "deferred":
            yield Emit(ToolCallDeferred(self._request_of(call)))
        elif call.status == "done":
            yield Emit(self._ended[position])

    def _request_of(self, call: CallState) -> RequestedCall:
        return request_of(call, self._turn)


def request_of(call: CallState, turn: int) -> RequestedCall:
    """Return a call as programs see it."""
    try:
        arguments = decoded_object(call.arguments)
    except InvalidArguments:
        arguments = {}
    return RequestedCall(
        id=call.id,
        name=call.name,
        arguments=arguments,
        arguments_text=call.arguments,
        turn=turn,
        may_have_run=call.may_have_run,
    )


def _changed(tool: FunctionTool, arguments: Any) -> Arguments:
    """Return the arguments that `before_call` has put in place of the model's.

    Raises:
        InvalidParamsError: they do not fit the tool.
    """
    expected = f"None, arguments for {tool.name}, a Refuse or a Deferred"
    if not isinstance(arguments, Mapping):
        hint = "None approves, Refuse(reason) refuses" if isinstance(arguments, bool) else ""
        raise InvalidParamsError("before_call", expected, value_name(arguments), hint)
    try:
        return tool.decode(json_text(arguments))
    except (InvalidArguments, TypeError) as exc:
        raise InvalidParamsError("before_call", expected, f"{exc}") from exc
