"""What an injected httpx client needs of asyncio: a time limit, and closing in the background."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Optional

import anyio

# The loop alone would let them be collected half-way.
_TASKS: "set[asyncio.Task[None]]" = set()


def limit(seconds: Optional[float]) -> anyio.CancelScope:
    """A scope that ends what runs within it after some seconds."""
    return anyio.move_on_after(None if seconds is None else max(0.0, seconds))


def start(function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
    """Run a function beside the one that runs."""
    task = asyncio.get_running_loop().create_task(function(*args))
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
