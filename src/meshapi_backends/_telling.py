"""Calls functions of the program's for a flow, such as `on_progress`."""

from collections.abc import Callable
from inspect import isawaitable, iscoroutine
from typing import Any


class AsyncTelling:
    """On an event loop, where a function may be a coroutine function."""

    @staticmethod
    async def tell(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Return what the function returns, awaited if it is awaitable."""
        told = function(*arguments)
        return await told if isawaitable(told) else told


class Telling:
    """Without an event loop."""

    @staticmethod
    def tell(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Return what the function returns.

        Raises:
            TypeError: it is a coroutine function.
        """
        told = function(*arguments)
        if isawaitable(told):
            if iscoroutine(told):
                # Otherwise Python would also warn that it was never awaited.
                told.close()
            name = getattr(function, "__name__", type(function).__name__)
            raise TypeError(
                f"{name}() is asynchronous and MeshAPI cannot await it; pass a plain function, or"
                " use AsyncMeshAPI"
            )
        return told
