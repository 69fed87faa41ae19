"""Who is told what the calls of a client do: the log, and hooks of the program.

`Watch` and `AsyncWatch` are written by hand, as only one of them can await a hook.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Optional

from meshapi_backends._hooks import Hooks, call_hook, hook_failed
from meshapi_backends._logging import LOGGER, log, log_connection
from meshapi_core.observing import Notice

__all__ = ["AsyncWatch", "Watch"]


class _Watch:
    """What both have in common.

    Args:
        hooks: functions of the program.
        watchers: further functions that are given every notice; none of them may fail or wait.
    """

    def __init__(
        self, hooks: Optional[Hooks] = None, watchers: Iterable[Callable[[Notice], None]] = ()
    ) -> None:
        self._hooks = hooks
        self._watchers = (*watchers,)

    @property
    def wants_items(self) -> bool:
        """Whether to tell of each item of a stream."""
        hooks = self._hooks
        has_hook = hooks is not None and hooks.on_event is not None
        return has_hook or bool(self._watchers) or LOGGER.isEnabledFor(logging.DEBUG)

    def tell_end(self, notices: Iterable[Notice]) -> None:
        """Tell what nobody can wait for: of a call that the program has given up.

        Hooks are not called for it.
        """
        for notice in notices:
            self._tell(notice)

    def tell_connection(self, what: str, origin: object) -> None:
        """Log what happens to a connection."""
        if LOGGER.isEnabledFor(logging.DEBUG):
            log_connection(what, origin)

    def _tell(self, notice: Notice) -> None:
        for watcher in self._watchers:
            watcher(notice)
        log(notice)


class Watch(_Watch):
    """Tells of the calls of a blocking client."""

    def tell(self, notice: Notice) -> None:
        """Log a notice, and call the hook for it."""
        self._tell(notice)
        hooks = self._hooks
        if hooks is None:
            return
        coroutine = call_hook(hooks, notice)
        if coroutine is not None:
            # Such as a lambda that calls an async function. Closed, so that Python does not warn.
            getattr(coroutine, "close", lambda: None)()
            exc = TypeError("it returned an awaitable, which only AsyncMeshAPI can await")
            hook_failed(hooks, notice, exc)


class AsyncWatch(_Watch):
    """Tells of the calls of an async client."""

    async def tell(self, notice: Notice) -> None:
        """Log a notice, and call the hook for it; await it if it is async."""
        self._tell(notice)
        hooks = self._hooks
        if hooks is None:
            return
        coroutine = call_hook(hooks, notice)
        if coroutine is not None:
            try:
                await coroutine
            except Exception as exc:
                hook_failed(hooks, notice, exc)
