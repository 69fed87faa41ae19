"""Asks a program's function for a token: a blocking one, or one that may be async."""

from collections.abc import Awaitable
from inspect import isawaitable, iscoroutine
from typing import Any, Optional

from meshapi_core import TokenSource


class Asking:
    """Asks in a thread."""

    @staticmethod
    def token(source: TokenSource, seconds: Optional[float], network: Any) -> object:
        """Return what the function returned, hidden; no time limit can interrupt it."""
        given = source()
        if iscoroutine(given):
            # Python warns of a coroutine that is never awaited. The call refuses it.
            given.close()
        return TokenSource.hidden(given)


class AsyncAsking:
    """Asks in an event loop."""

    @staticmethod
    async def token(source: TokenSource, seconds: Optional[float], network: Any) -> object:
        """Return what the function returned, hidden; None if it took too long.

        Args:
            source: the function.
            seconds: how long it may take; None sets no limit.
            network: of the running event loop.
        """
        given: Any = source()
        if not isawaitable(given):
            return TokenSource.hidden(given)
        if seconds is None:
            return TokenSource.hidden(await given)
        try:
            token, error = await network.in_time(_outcome(given), seconds)
        except TimeoutError:
            return None
        if error is not None:
            raise error
        return token


async def _outcome(given: Awaitable[object]) -> tuple[object, Optional[Exception]]:
    # The function may raise a time-out of its own, which must not be taken for ours.
    try:
        return TokenSource.hidden(await given), None
    except Exception as exc:
        return None, exc
