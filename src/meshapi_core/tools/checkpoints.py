"""The state of a tool run, and how it is stored and read again."""

from collections.abc import Mapping
from typing import Any, Literal, Optional, Union

import msgspec
from msgspec import Struct

from meshapi_core._json_kinds import is_mapping, value_name
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.plain_values import as_plain
from meshapi_core.tools.usage import RunUsage

__all__ = ["CallState", "RunState", "TurnState", "read_checkpoint", "write_checkpoint"]

_EXPECTED = "what checkpoint() returned, or its JSON"

VERSION = 1
"""Of the form of checkpoints; a change that older readers would misread makes it another."""


class CallState(Struct, kw_only=True, forbid_unknown_fields=True):
    """One call of a turn.

    Fields:
        id, name, arguments: as the model wrote them; the arguments as JSON text.
        status: "open" until the function is called; "begun" until it has its result; "deferred"
            while it waits for one from elsewhere; "done".
        content: the result, as the model gets it.
        may_have_run: whether the function had begun when an earlier run was interrupted.
    """

    id: str
    name: str
    arguments: str
    status: Literal["open", "begun", "deferred", "done"] = "open"
    content: str = ""
    may_have_run: bool = False


class TurnState(Struct, kw_only=True, forbid_unknown_fields=True):
    """A response that asks for calls which are not all done.

    Fields:
        said: what the response adds to the history.
        calls: in the order of the response.
    """

    said: list[Any]
    calls: list[CallState]


class RunState(Struct, kw_only=True, forbid_unknown_fields=True):
    """Everything about a run but its tools and its options.

    Fields:
        fields: the parameters of each request, without history and tools.
        history: whole turns only.
        turns: how many responses there have been.
        turn: the turn under way.
        is_over: whether the model has given its final answer.
    """

    fields: dict[str, Any]
    history: list[Any]
    turns: int = 0
    usage: RunUsage = RunUsage()
    turn: Optional[TurnState] = None
    is_over: bool = False


class _Checkpoint(Struct, kw_only=True, forbid_unknown_fields=True):
    version: int
    api: str
    tools: list[str]
    state: RunState
    response: Optional[dict[str, Any]]


def write_checkpoint(api: str, tools: list[str], state: RunState, response: Any) -> dict[str, Any]:
    """Return a run as plain values for JSON."""
    turn = state.turn
    plain = {
        "fields": state.fields,
        "history": as_plain(state.history),
        "turns": state.turns,
        "usage": msgspec.to_builtins(state.usage),
        "turn": None if turn is None else {"said": as_plain(turn.said), "calls": turn.calls},
        "is_over": state.is_over,
    }
    whole = {
        "version": VERSION,
        "api": api,
        "tools": tools,
        "state": plain,
        "response": None if response is None else as_plain(response),
    }
    # A copy at every depth: the run goes on, and its checkpoint does not.
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))
    return copied


def read_checkpoint(
    checkpoint: Union[Mapping[str, Any], str, bytes], api: str, tools: Mapping[str, Any]
) -> tuple[RunState, Optional[dict[str, Any]]]:
    """Return the state of a run, and its last response.

    Args:
        checkpoint: what `write_checkpoint` returned, or its JSON.
        api: the API that continues it.
        tools: those that the program has now, by name.

    Raises:
        InvalidParamsError: it is not a checkpoint, is damaged, is of another version or API, or
            needs a tool that is missing.
    """
    plain = _plain(checkpoint)
    if plain.get("version") != VERSION:
        got = value_name(plain.get("version"), show=True)
        hint = "it comes from another version of meshapi, or is not a checkpoint"
        raise InvalidParamsError("checkpoint.version", str(VERSION), got, hint)
    try:
        read = msgspec.convert(plain, _Checkpoint)
        _check(read)
    except (msgspec.ValidationError, ValueError) as exc:
        raise InvalidParamsError("checkpoint", _EXPECTED, f"{exc}") from exc
    if read.api != api:
        hint = f"continue it with client.{read.api}.resume_tools()"
        raise InvalidParamsError("checkpoint.api", repr(api), repr(read.api), hint)
    missing = [name for name in read.tools if name not in tools]
    if missing:
        expected = f"the tools of the run: {', '.join(read.tools)}"
        raise InvalidParamsError("tools", expected, f"no {missing[0]}")
    for call in [] if read.state.turn is None else read.state.turn.calls:
        call.may_have_run = call.may_have_run or call.status == "begun"
    return read.state, read.response


def _plain(checkpoint: Any) -> Mapping[str, Any]:
    if isinstance(checkpoint, (str, bytes, bytearray)):
        try:
            checkpoint = msgspec.json.decode(checkpoint)
        except (msgspec.DecodeError, ValueError) as exc:
            hint = "pass what the file contains, not its path"
            raise InvalidParamsError("checkpoint", _EXPECTED, f"text: {exc}", hint) from exc
    if not is_mapping(checkpoint):
        hint = "pass run.checkpoint()" if hasattr(checkpoint, "checkpoint") else ""
        raise InvalidParamsError("checkpoint", _EXPECTED, value_name(checkpoint), hint)
    return checkpoint


def _check(read: _Checkpoint) -> None:
    state = read.state
    if state.turns < 0 or (state.turns > 0) != (read.response is not None):
        raise ValueError(f"turns is {state.turns}, which does not fit the rest")
    if state.turn is not None and (state.is_over or not state.turn.calls or not state.turns):
        raise ValueError("a turn that does not fit the rest")
