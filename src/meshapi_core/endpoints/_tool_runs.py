"""How a tool run that is declared once becomes a method of both clients, exactly typed.

As `_descriptor` does it, but with `ToolRun` and `AsyncToolRun`, which also have the state of the
run.
"""

from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, Union, overload

from typing_extensions import ParamSpec, Self

from meshapi_core.endpoints._descriptor import (
    Resource,
    _Declared,  # pyright: ignore[reportPrivateUsage] - one mechanism, in two files
    _opening,  # pyright: ignore[reportPrivateUsage]
    _store,  # pyright: ignore[reportPrivateUsage]
)
from meshapi_core.protocols import AsyncRawRunner, AsyncRunner, RawRunner, Runner

if TYPE_CHECKING:
    from meshapi_core._async.tool_run import AsyncToolRun
    from meshapi_core._sync.tool_run import ToolRun
    from meshapi_core.tools.loop import ToolLoop
else:
    # Stands for the class, which few programs load.
    ToolLoop = list

P = ParamSpec("P")
T = TypeVar("T")


class tool_run_endpoint(_Declared[P, ToolLoop[T]], Generic[P, T]):  # noqa: N801 - used as a decorator, named as those are
    """Declares a method that starts or continues a tool run."""

    @overload
    def __get__(self, resource: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, resource: Resource[Runner], owner: type, /) -> "Callable[P, ToolRun[T]]": ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRunner], owner: type, /
    ) -> "Callable[P, AsyncToolRun[T]]": ...
    @overload
    def __get__(
        self, resource: Union[Resource[RawRunner], Resource[AsyncRawRunner]], owner: type, /
    ) -> Callable[P, NoReturn]: ...
    def __get__(self, resource: Any, owner: type, /) -> Any:
        """Return this descriptor, or the function that starts the run."""
        if resource is None:
            return self
        # Imported on first use: few programs run tools.
        runner, made = resource._runner, _class_for(resource._runner)
        bound = _opening(partial(made, runner), self._build)
        return _store(resource, self._name, bound, self._build, made)


def _class_for(runner: Any) -> Any:
    if iscoroutinefunction(runner.run):
        from meshapi_core._async.tool_run import AsyncToolRun

        return AsyncToolRun
    from meshapi_core._sync.tool_run import ToolRun

    return ToolRun
