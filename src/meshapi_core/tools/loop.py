"""A tool run: ask the model, call what it asks for, tell it the results, and so on.

The rules:

1. A turn is a response of the model and the results of all its calls. The history has whole turns
   only; the turn under way is kept beside it, with the results that it has so far.
2. What has been done is noted at once, between two steps of the flow, so that an interruption at
   any step loses nothing: a resumed run calls only what has no result yet.
3. The limits are looked at when the model asks for calls, before any is made: its final answer is
   never thrown away.
4. A `tool_choice` that forces a call counts for the first response only, as a run would not end
   otherwise.
"""

from collections.abc import Mapping
from typing import Any, Generic, Optional, TypeVar

from msgspec import Struct

from meshapi_core._json_kinds import value_name
from meshapi_core.errors import InvalidParamsError, ToolLoopLimitError
from meshapi_core.flows.functions import FunctionCall, FunctionOutcome, RunFunctions
from meshapi_core.flows.steps import Emit, ItemFlow, Tell
from meshapi_core.tools.checkpoints import CallState, RunState, TurnState, write_checkpoint
from meshapi_core.tools.dialects import Dialect, forces_a_call
from meshapi_core.tools.function_tool import FunctionTool, decoded_object
from meshapi_core.tools.options import RunOptions
from meshapi_core.tools.results import error_text, json_text, result_text
from meshapi_core.tools.signatures import InvalidArguments
from meshapi_core.tools.steps import (
    Deferred,
    ModelResponded,
    Refuse,
    RequestedCall,
    ToolCallBegun,
    ToolCallDeferred,
    ToolCallEnded,
    ToolStep,
)
from meshapi_core.tools.toolbox import Toolbox
from meshapi_core.tools.usage import RunUsage

__all__ = ["ToolLoop", "ToolRunResult"]

T = TypeVar("T")

Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_NONE: Arguments = ((), {})

_Steps = ItemFlow[Any, None]


class ToolRunResult(Struct, Generic[T], frozen=True, kw_only=True):
    """How a tool run has ended.

    Fields:
        response: the model's last response.
        text: the text of that response.
        messages: the whole history, ready to be sent again: messages of chat completions, or input
            items of responses. A turn with pending calls is not in it.
        pending: calls that wait for a result from elsewhere; `resume_tools` continues with them.
        turns: how many responses of the model there were.
        usage: the tokens and the cost of all of them.
    """

    response: T
    text: str
    messages: list[Any]
    pending: tuple[RequestedCall, ...]
    turns: int
    usage: RunUsage


class ToolLoop(Generic[T]):
    """A tool run as a flow, and its state at any time.

    Args:
        dialect: the API.
        tools: what the model may call.
        options: limits and choices.
        state: the state to begin with.
        response: the last response, where the run is resumed.
    """

    def __init__(
        self,
        dialect: Dialect[T],
        tools: Toolbox,
        options: RunOptions,
        state: RunState,
        response: Optional[T] = None,
    ) -> None:
        self._dialect = dialect
        self.tools = tools
        self.options = options
        self._state = state
        self._response = response
        # Of the turn under way, by the position of the call: what is not in its state.
        self._ended: dict[int, ToolCallEnded] = {}
        self._raised: dict[int, Exception] = {}

    @property
    def messages(self) -> list[Any]:
        """The history: whole turns only."""
        return [*self._state.history]

    @property
    def turns(self) -> int:
        """How many responses there have been."""
        return self._state.turns

    @property
    def usage(self) -> RunUsage:
        """What these responses have used."""
        return self._state.usage

    @property
    def pending(self) -> tuple[RequestedCall, ...]:
        """The calls of the turn under way that wait for a result from elsewhere."""
        turn = self._state.turn
        calls = [] if turn is None else turn.calls
        return tuple(self._request(call) for call in calls if call.status == "deferred")

    def checkpoint(self) -> dict[str, Any]:
        """Return the run as plain values for JSON; it has no token."""
        names = [*self.tools.by_name]
        return write_checkpoint(self._dialect.api, names, self._state, self._response)

    def accept(self, results: Mapping[str, Any]) -> None:
        """Take the results of pending calls, by ID; an exception is a result, too.

        Raises:
            InvalidParamsError: no pending call has this ID, or JSON cannot represent the result.
        """
        turn = self._state.turn
        waiting = [] if turn is None else [c for c in turn.calls if c.status == "deferred"]
        texts: dict[str, str] = {}
        for call_id, value in results.items():
            if call_id not in [call.id for call in waiting]:
                known = ", ".join(repr(call.id) for call in waiting) or "none: no call is pending"
                raise InvalidParamsError(
                    "results", f"IDs of pending calls ({known})", repr(call_id)
                )
            try:
                is_error = isinstance(value, Exception)
                texts[call_id] = error_text(value) if is_error else result_text(value)
            except TypeError as exc:
                field = f"results[{call_id!r}]"
                raise InvalidParamsError(field, "a JSON value", value_name(value)) from exc
        for call in waiting:
            if call.id in texts:
                call.status, call.content = "done", texts.pop(call.id)

    def flow(self) -> ItemFlow[ToolStep[T], ToolRunResult[T]]:
        """Return the run; each item is a step of it."""
        state = self._state
        while not state.is_over:
            if state.turn is None:
                call = self._dialect.call(self._fields(), state.history, self.tools.declarations)
                response = yield call
                self._receive(response)
                yield Emit(ModelResponded(state.turns, response))
            else:
                self._check_limits(state.turn)
                yield from self._make_calls(state.turn)
                if self.pending:
                    break
                self._end_turn(state.turn)
        return self._result()

    def _fields(self) -> dict[str, Any]:
        fields = self._state.fields
        if self._state.turns and forces_a_call(fields.get("tool_choice")):
            return {name: value for name, value in fields.items() if name != "tool_choice"}
        return fields

    def _receive(self, response: T) -> None:
        state, dialect = self._state, self._dialect
        self._response = response
        state.turns += 1
        state.usage = dialect.used(state.usage, response)
        said, requested = dialect.said(response), dialect.requested(response)
        if requested:
            calls = [CallState(id=id_, name=name, arguments=args) for id_, name, args in requested]
            state.turn = TurnState(said=said, calls=calls)
        else:
            state.history += said
            state.is_over = True

    def _end_turn(self, turn: TurnState) -> None:
        results = [self._dialect.result(call.id, call.content) for call in turn.calls]
        self._state.history += [*turn.said, *results]
        self._state.turn = None
        self._ended = {}

    def _check_limits(self, turn: TurnState) -> None:
        if all(call.status in ("done", "deferred") for call in turn.calls):
            return
        usage, options, most = self.usage, self.options, self.options.most_dollars
        cost = usage.cost_usd
        reached: Optional[tuple[str, Any, Any]] = None
        if self.turns >= options.max_turns:
            reached = ("max_turns", options.max_turns, self.turns)
        if options.max_total_tokens is not None and usage.total_tokens >= options.max_total_tokens:
            reached = ("max_total_tokens", options.max_total_tokens, usage.total_tokens)
        if most is not None and cost is not None and cost >= most:
            reached = ("max_cost_usd", most, cost)
        if reached is None:
            return
        limit, allowed, used = reached
        raise ToolLoopLimitError(
            f"the model asks for further calls, and {limit}={allowed} is reached: {used}",
            limit=limit,
            checkpoint=self.checkpoint(),
            messages=self.messages,
            turns=self.turns,
            usage=usage,
        )

    def _make_calls(self, turn: TurnState) -> _Steps:
        ready: list[tuple[int, FunctionCall]] = []
        for position, call in enumerate(turn.calls):
            if call.status in ("open", "begun"):
                made = yield from self._prepare(position, call)
                if made is not None:
                    ready.append((position, made))
        if not ready:
            return
        for position, _ in ready:
            yield Emit(ToolCallBegun(self._request(turn.calls[position])))
        places = [position for position, _ in ready]
        for position in places:
            turn.calls[position].status = "begun"
        yield RunFunctions(
            tuple(made for _, made in ready),
            self.options.max_concurrent_calls,
            lambda at, outcome: self._note(turn, places[at], outcome),
        )
        for position in places:
            yield from self._tell(turn.calls[position], position)
        if self._raised:
            # Still without a result: a resumed run calls the function again.
            raise self._raised[min(self._raised)]

    def _prepare(self, position: int, call: CallState) -> ItemFlow[Any, Optional[FunctionCall]]:
        """Return the call of a function; None where the call has its result without one."""
        tool = self.tools.by_name.get(call.name)
        arguments, error = self._decoded(call)
        verdict: Any = None
        if error is None and self.options.before_call is not None:
            verdict = yield Tell(self.options.before_call, (self._request(call),))
        if isinstance(verdict, Refuse):
            error = PermissionError(f"refused: {verdict.reason}")
        if error is not None:
            # It is the result of a call that is not made.
            self._close(position, call, error_text(error), error=error)
            yield Emit(self._ended[position])
            return None
        if tool is None or tool.function is None or tool.deferred or isinstance(verdict, Deferred):
            call.status = "deferred"
            yield Emit(ToolCallDeferred(self._request(call)))
            return None
        if verdict is not None:
            arguments = _changed(tool, verdict)
        timeout = self.options.tool_timeout
        return FunctionCall(tool.function, *arguments, is_async=tool.is_async, timeout=timeout)

    def _decoded(self, call: CallState) -> tuple[Arguments, Optional[Exception]]:
        tools = self.tools.by_name
        if call.name not in tools:
            known = ", ".join(tools) or "none"
            return _NONE, LookupError(f"there is no tool {call.name!r}; the tools are: {known}")
        tool = tools[call.name]
        try:
            return _NONE if tool is None else tool.decode(call.arguments), None
        except InvalidArguments as exc:
            return _NONE, exc

    def _note(self, turn: TurnState, position: int, outcome: FunctionOutcome) -> None:
        """Take the outcome of a function; called as soon as it has ended."""
        call, value, error = turn.calls[position], outcome.value, outcome.error
        if isinstance(error, Deferred) or isinstance(value, Deferred):
            call.status = "deferred"
            return
        if error is None:
            try:
                self._close(position, call, result_text(value), value)
                return
            except TypeError as exc:
                error = exc
        if self.options.on_tool_error == "answer":
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
        self._ended[position] = ToolCallEnded(self._request(call), content, value, error)
        call.status, call.content = "done", content

    def _tell(self, call: CallState, position: int) -> _Steps:
        if call.status == "deferred":
            yield Emit(ToolCallDeferred(self._request(call)))
        elif call.status == "done":
            yield Emit(self._ended[position])

    def _request(self, call: CallState) -> RequestedCall:
        try:
            arguments = decoded_object(call.arguments)
        except InvalidArguments:
            arguments = {}
        return RequestedCall(
            id=call.id,
            name=call.name,
            arguments=arguments,
            arguments_text=call.arguments,
            turn=self.turns,
            may_have_run=call.may_have_run,
        )

    def _result(self) -> ToolRunResult[T]:
        response: Any = self._response
        return ToolRunResult(
            response=response,
            text=self._dialect.text(response),
            messages=self.messages,
            pending=self.pending,
            turns=self.turns,
            usage=self.usage,
        )


def _changed(tool: FunctionTool, arguments: Any) -> Arguments:
    """Return the arguments that `before_call` has put in place of the model's.

    Raises:
        InvalidParamsError: they do not fit the tool.
    """
    expected = f"None, arguments for {tool.name}, a Refuse or a Deferred"
    if not isinstance(arguments, Mapping):
        raise InvalidParamsError("before_call", expected, value_name(arguments))
    try:
        return tool.decode(json_text(arguments))
    except (InvalidArguments, TypeError) as exc:
        raise InvalidParamsError("before_call", expected, f"{exc}") from exc
