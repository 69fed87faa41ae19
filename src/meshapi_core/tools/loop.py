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
from meshapi_core.flows.steps import CloseStream, Emit, ItemFlow, NextChunk, OpenStream
from meshapi_core.signals import END_OF_STREAM
from meshapi_core.streams.whole import whole
from meshapi_core.tools.calls import TurnCalls, request_of
from meshapi_core.tools.checkpoints import CallState, RunState, TurnState, write_checkpoint
from meshapi_core.tools.dialects import Dialect, forces_a_call
from meshapi_core.tools.options import RunOptions
from meshapi_core.tools.results import error_text, result_text
from meshapi_core.tools.steps import ModelResponded, RequestedCall, ToolStep
from meshapi_core.tools.toolbox import Toolbox
from meshapi_core.tools.usage import RunUsage

__all__ = ["ToolLoop", "ToolRunResult"]

T = TypeVar("T")


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
        self._stream: Any = None

    @property
    def partial(self) -> Optional[T]:
        """The response that is arriving, as far as it has; else the last one."""
        return self._response if self._stream is None else self._stream.partial

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
        return tuple(request_of(call, self.turns) for call in calls if call.status == "deferred")

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
                response = yield from self._ask()
                self._receive(response)
                yield Emit(ModelResponded(state.turns, response))
            else:
                self._check_limits(state.turn)
                yield from self._calls_of(state.turn).make()
                if self.pending:
                    break
                self._end_turn(state.turn)
        return self._result()

    def _ask(self) -> ItemFlow[ToolStep[T], T]:
        asked = self._fields(), self._state.history, self.tools.declarations
        if not self.options.stream:
            answered: T = yield self._dialect.call(*asked)
            return answered
        self._stream = stream = yield OpenStream(self._dialect.stream_call(*asked))
        deltas = self._dialect.deltas()
        while (chunk := (yield NextChunk(stream))) is not END_OF_STREAM:
            for delta in deltas(chunk):
                yield Emit(delta)
        response: T = whole(stream.partial)
        yield CloseStream(stream)
        self._stream = None
        return response

    def _fields(self) -> dict[str, Any]:
        fields = self._state.fields
        if self._state.turns and forces_a_call(fields.get("tool_choice")):
            return {name: value for name, value in fields.items() if name != "tool_choice"}
        return fields

    def _receive(self, response: T) -> None:
        state, dialect = self._state, self._dialect
        dialect.check(response)
        self._response = response
        state.turns += 1
        state.usage = dialect.used(state.usage, response)
        dialect.name_calls(response, f"call_{len(state.history)}_")
        said, requested = dialect.said(response), dialect.requested(response)
        if requested:
            calls = [CallState(id=id_, name=name, arguments=args) for id_, name, args in requested]
            state.turn = TurnState(said=said, calls=calls)
        else:
            state.history += said
            state.is_over = True

    def _calls_of(self, turn: TurnState) -> TurnCalls:
        return TurnCalls(turn.calls, self.tools, self.options, self.turns)

    def _end_turn(self, turn: TurnState) -> None:
        results = [self._dialect.result(call.id, call.content) for call in turn.calls]
        self._state.history += [*turn.said, *results]
        self._state.turn = None

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
            f"the model asks for further calls, but {limit}={allowed} is reached ({used} used);"
            f" raise {limit}, also to go on from this error's .checkpoint",
            limit=limit,
            checkpoint=self.checkpoint(),
            messages=self.messages,
            turns=self.turns,
            usage=usage,
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
