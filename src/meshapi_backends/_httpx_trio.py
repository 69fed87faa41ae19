"""What an injected httpx client needs of trio: a time limit, and closing in the background."""

from collections.abc import Awaitable, Callable
from typing import Optional

import trio


def limit(seconds: Optional[float]) -> trio.CancelScope:
    """A scope that ends what runs within it after some seconds."""
    return trio.CancelScope() if seconds is None else trio.move_on_after(max(0.0, seconds))


def start(function: Callable[..., Awaitable[None]], *args: object) -> None:
    """Run a function beside the one that runs. It raises nothing but cancellation."""
    trio.lowlevel.spawn_system_task(function, *args)
