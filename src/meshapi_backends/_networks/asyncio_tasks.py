"""Tasks on asyncio that run at the same time, and all end before their caller goes on."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from meshapi_backends._networks.asyncio import AsyncWaiter, end_tasks
from meshapi_backends._scopes import check_ended, waiting

AsyncFunction = Callable[[], Coroutine[Any, Any, None]]


async def together(functions: Sequence[AsyncFunction]) -> None:
    """See `AsyncNetwork.together`."""
    loop = asyncio.get_running_loop()
    waiter = AsyncWaiter()
    tasks = [loop.create_task(function()) for function in functions]
    left = set(tasks)

    def ended(task: "asyncio.Task[None]") -> None:
        left.discard(task)
        if not left or (not task.cancelled() and task.exception() is not None):
            waiter.set()

    for task in tasks:
        task.add_done_callback(ended)
    try:
        with waiting(waiter.set):
            await waiter.wait(None)
            check_ended()
    finally:
        await end_tasks(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
