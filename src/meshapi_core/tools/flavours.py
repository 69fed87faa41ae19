"""Which functions a kind of client can call."""

from collections.abc import Mapping
from typing import Any

from meshapi_core._json_kinds import value_name
from meshapi_core.errors import InvalidParamsError
from meshapi_core.tools.function_tool import is_async
from meshapi_core.tools.options import CallOptions
from meshapi_core.tools.toolbox import Toolbox

__all__ = ["AsyncFlavour", "Flavour"]

_HINT = "write it with `def`, or use AsyncMeshAPI, which also calls plain functions"


class AsyncFlavour:
    """A client on an event loop: any function."""

    @staticmethod
    def check(tools: Toolbox, options: CallOptions) -> None:
        """Return, as everything can be called."""

    @staticmethod
    def check_hooks(hooks: Mapping[str, Any]) -> None:
        """Raise for what cannot be called.

        Raises:
            InvalidParamsError: names it.
        """
        for name, hook in hooks.items():
            if not callable(hook):
                raise InvalidParamsError(name, "a function", value_name(hook))


class Flavour:
    """A blocking client: plain functions only."""

    @staticmethod
    def check(tools: Toolbox, options: CallOptions) -> None:
        """Raise for a function that would have to be awaited.

        Raises:
            InvalidParamsError: names it.
        """
        for name in tools.async_names():
            raise InvalidParamsError(
                "tools", "plain functions", f"the async function {name}", _HINT
            )
        if options.async_hook:
            raise InvalidParamsError("before_call", "a plain function", "an async one", _HINT)

    @staticmethod
    def check_hooks(hooks: Mapping[str, Any]) -> None:
        """Raise for what cannot be called without an event loop.

        Raises:
            InvalidParamsError: names it.
        """
        AsyncFlavour.check_hooks(hooks)
        for name, hook in hooks.items():
            if is_async(hook):
                raise InvalidParamsError(name, "a plain function", "an async one", _HINT)
