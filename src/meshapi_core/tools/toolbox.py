"""The tools of a run, by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, Union

from msgspec import Struct
from typing_extensions import Protocol

from meshapi_core._json_kinds import is_mapping, is_sequence, value_name
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.plain_values import as_plain
from meshapi_core.tools.function_tool import FunctionTool

__all__ = ["AnyTool", "Toolbox"]


class _Callable(Protocol):
    """What can be called: also a `functools.partial`, or an object with `__call__`.

    With `Callable[..., Any]` instead, mypy would forget it beside `_Function`.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


class _Function(Protocol):
    """A function of unknown signature: what mypy makes of a list of different ones."""

    __name__: str
    __qualname__: str


AnyTool = Union[_Callable, _Function, FunctionTool, Struct, Mapping[str, Any]]
"""A function or the like, a tool made of one, or a declaration without one."""


class Toolbox:
    """The tools of a run.

    Args:
        tools: as the program gave them.
        declare: returns the declaration of a tool, as the API has it.
        name_of: returns the name of the function in a declaration; None for tools that the
            provider runs.

    Attributes:
        declarations: what the request says about the tools.
        by_name: the tools that the model may call; None for one that is only declared, whose calls
            are deferred.

    Raises:
        InvalidParamsError: a tool is not valid, or two have the same name.
    """

    def __init__(
        self,
        tools: Sequence[AnyTool],
        declare: Callable[[FunctionTool], dict[str, Any]],
        name_of: Callable[[Mapping[str, Any]], Optional[str]],
    ) -> None:
        if not is_sequence(tools):
            hint = "write tools=[function]" if callable(tools) else ""
            raise InvalidParamsError("tools", "a list of functions", value_name(tools), hint)
        self.declarations: list[dict[str, Any]] = []
        self.by_name: dict[str, Optional[FunctionTool]] = {}
        for place, given in enumerate(tools):
            where = f"tools[{place}]"
            made: Optional[FunctionTool] = None
            if isinstance(given, Struct) or is_mapping(given):
                plain: dict[str, Any] = as_plain(given)
                name = name_of(plain)
            else:
                made = given if isinstance(given, FunctionTool) else FunctionTool.of(given, where)
                plain, name = declare(made), made.name
            if name in self.by_name:
                hint = "FunctionTool(function, name=...) gives one of them another"
                raise InvalidParamsError(where, "", f"a second tool named {name!r}", hint)
            self.declarations.append(plain)
            if name is not None:
                self.by_name[name] = made

    def async_names(self) -> list[str]:
        """Return the names of the tools that only an event loop can run."""
        return [name for name, tool in self.by_name.items() if tool is not None and tool.is_async]
