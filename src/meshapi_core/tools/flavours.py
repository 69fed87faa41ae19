"""Which functions a kind of client can call."""

from meshapi_core.errors import InvalidParamsError
from meshapi_core.tools.options import CallOptions
from meshapi_core.tools.toolbox import Toolbox

__all__ = ["AsyncFlavour", "Flavour"]


class AsyncFlavour:
    """A client on an event loop: any function."""

    @staticmethod
    def check(tools: Toolbox, options: CallOptions) -> None:
        """Return, as everything can be called."""


class Flavour:
    """A blocking client: plain functions only."""

    @staticmethod
    def check(tools: Toolbox, options: CallOptions) -> None:
        """Raise for a function that would have to be awaited.

        Raises:
            InvalidParamsError: names it.
        """
        hint = "write it with `def`, or use AsyncMeshAPI, which also calls plain functions"
        for name in tools.async_names():
            raise InvalidParamsError("tools", "plain functions", f"the async function {name}", hint)
        if options.async_hook:
            raise InvalidParamsError("before_call", "a plain function", "an async one", hint)
