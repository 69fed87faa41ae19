"""Starts tool runs, and continues them, from the parameters of the methods."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional, TypeVar, Union

from meshapi_core._json_kinds import is_mapping, value_name
from meshapi_core.errors import InvalidParamsError
from meshapi_core.tools.checkpoints import RunState, read_checkpoint
from meshapi_core.tools.dialects import Dialect
from meshapi_core.tools.loop import ToolLoop
from meshapi_core.tools.options import RunOptions
from meshapi_core.tools.toolbox import AnyTool, Toolbox

__all__ = ["RunOptions", "resumed", "started"]

T = TypeVar("T")


def started(
    dialect: Dialect[T], tools: Sequence[AnyTool], fields: Mapping[str, Any], options: RunOptions
) -> ToolLoop[T]:
    """Return a run that has not begun.

    Raises:
        InvalidParamsError: a tool or a parameter is missing, unknown or not valid.
    """
    toolbox = Toolbox(tools, dialect.declare, dialect.name_of)
    asked, history = dialect.split(fields, toolbox.declarations)
    # What the call itself refuses is refused now.
    dialect.call(asked, history, toolbox.declarations)
    return ToolLoop(dialect, toolbox, options, RunState(fields=asked, history=history))


def resumed(
    dialect: Dialect[T],
    checkpoint: Union[Mapping[str, Any], str, bytes],
    tools: Sequence[AnyTool],
    results: Optional[Mapping[str, Any]],
    options: RunOptions,
) -> ToolLoop[T]:
    """Return a run that continues where another one has stopped.

    Raises:
        InvalidParamsError: a tool, the checkpoint or a result is not valid.
    """
    toolbox = Toolbox(tools, dialect.declare, dialect.name_of)
    state, plain = read_checkpoint(checkpoint, dialect.api, toolbox.by_name)
    try:
        dialect.call(state.fields, state.history, toolbox.declarations)
        response = None if plain is None else dialect.restored(plain)
    except InvalidParamsError as exc:
        raise InvalidParamsError("checkpoint", "what checkpoint() returned", f"{exc}") from exc
    loop = ToolLoop(dialect, toolbox, options, state, response)
    if results is not None:
        if not is_mapping(results):
            raise InvalidParamsError("results", "a dict by the IDs of calls", value_name(results))
        loop.accept(results)
    return loop
