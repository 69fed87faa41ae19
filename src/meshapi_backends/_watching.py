"""Who is told what the calls of a client do: the log, hooks of the program, and tracing.

`Watch` and `AsyncWatch` are written by hand, as only one of them can await a hook.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from typing_extensions import Protocol, Self

from meshapi_backends._hooks import Hooks, call_hook, hook_failed
from meshapi_backends._logging import LOGGER, log, log_connection
from meshapi_core import AnyCall, Extras, MeshAPIConfig, Origin
from meshapi_core.observing import Notice

__all__ = ["AsyncWatch", "Trace", "Tracing", "Watch"]


class Trace(Protocol):
    """The trace of one call."""

    def headers(self) -> Mapping[str, str]:
        """Headers for the requests of the call."""
        ...

    def receive(self, notice: Notice) -> None:
        """Take what has happened in the call. It must not raise, and must not wait."""
        ...


class Tracing(Protocol):
    """Traces the calls of a client."""

    def begin(self, call: AnyCall[Any], origin: Origin) -> Trace:
        """Begin the trace of a call to a gateway."""
        ...


class _Watch:
    """What both have in common.

    Args:
        hooks: functions of the program.
        tracing: makes the trace of each call.
    """

    _trace: Optional[Trace] = None

    def __init__(self, hooks: Optional[Hooks] = None, tracing: Optional[Tracing] = None) -> None:
        self._hooks = hooks
        self._tracing = tracing

    def begin(self, call: AnyCall[Any], config: MeshAPIConfig) -> tuple[Self, MeshAPIConfig]:
        """Return the watch and the configuration for one call."""
        if self._tracing is None:
            return self, config
        watch = type(self)(self._hooks)
        watch._trace = trace = self._tracing.begin(call, config.location.origin)
        headers = trace.headers()
        if headers:
            # What the program sets itself wins.
            extras = Extras(headers=headers).merged(config.extras)
            config = config.changed({"extras": extras})
        return watch, config

    @property
    def wants_items(self) -> bool:
        """Whether to tell of each item of a stream."""
        hooks = self._hooks
        has_hook = hooks is not None and hooks.on_event is not None
        return has_hook or self._trace is not None or LOGGER.isEnabledFor(logging.DEBUG)

    def tell_end(self, notices: Iterable[Notice]) -> None:
        """Tell of a call that the program has given up. Hooks are not called: nothing can wait."""
        for notice in notices:
            self._tell(notice)

    def tell_connection(self, what: str, origin: object) -> None:
        """Log what happens to a connection."""
        if LOGGER.isEnabledFor(logging.DEBUG):
            log_connection(what, origin)

    def _tell(self, notice: Notice) -> None:
        if self._trace is not None:
            self._trace.receive(notice)
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
