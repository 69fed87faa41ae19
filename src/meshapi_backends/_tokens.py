"""Asks a program's function for a token: a blocking one, or one that may be async."""

import sys
from collections.abc import Awaitable
from inspect import isawaitable, iscoroutine
from typing import Any, Optional

from meshapi_core import TokenSource, hidden_token


class Asking:
    """Asks in a thread."""

    @staticmethod
    def token(source: TokenSource, seconds: Optional[float]) -> object:
        """Return what the function returned, hidden; `seconds` cannot interrupt it."""
        given = source()
        if iscoroutine(given):
            # Python warns of a coroutine that is never awaited. The call refuses it.
            given.close()
        return hidden_token(given)


class AsyncAsking:
    """Asks in an event loop."""

    @staticmethod
    async def token(source: TokenSource, seconds: Optional[float]) -> object:
        """Return what the function returned, hidden; None if it took too long."""
        given: Any = source()
        if isawaitable(given):
            given = await _in_time(given, seconds)
        return hidden_token(given)


async def _in_time(given: Awaitable[object], seconds: Optional[float]) -> object:
    if seconds is None:
        return await given
    trio: Any = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        with trio.move_on_after(seconds) as scope:
            token = hidden_token(await given)
        return None if scope.cancelled_caught else token
    import asyncio

    try:
        # The function may raise a time-out of its own, which is not ours.
        token, error = await asyncio.wait_for(_outcome(given), seconds)
    except asyncio.TimeoutError:
        return None
    if error is not None:
        raise error
    return token


async def _outcome(given: Awaitable[object]) -> tuple[object, Optional[Exception]]:
    try:
        return hidden_token(await given), None
    except Exception as exc:
        return None, exc
