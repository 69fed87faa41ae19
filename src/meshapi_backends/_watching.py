"""Who is told what the calls of a client do: the log, hooks of the program, and tracing.

`Watch` and `AsyncWatch` are written by hand, as only one of them can await a hook.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from typing_extensions import Protocol, Self

from meshapi_backends._hooks import Hooks, call_hook, hook_failed
from meshapi_backends._logging import LOGGER, log, log_connection
from meshapi_backends._tracked import TRACKED
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

    def context(self) -> object:
        """Return where the program is now, for a call that begins later."""
        ...

    def begin(self, call: AnyCall[Any], origin: Origin, context: Any = None) -> Trace:
        """Begin the trace of a call to a gateway.

        Args:
            call: what is asked for.
            origin: the gateway.
            context: what `context` returned when the program made the call; None means now.
        """
        ...


class _Watch:
    """What both have in common.

    Args:
        hooks: functions of the program.
        tracing: makes the trace of each call.
        owner: what the clients share whose calls a tracker of usage counts; None is no tracker.
        budgets: limits on the calls.
    """

    _traces: tuple[Trace, ...] = ()
    _context: object = None
    # The trackers of usage where a stream was made.
    _place: tuple[Any, ...] = ()

    def __init__(
        self,
        hooks: Optional[Hooks] = None,
        tracing: Optional[Tracing] = None,
        owner: object = None,
        budgets: tuple[Any, ...] = (),
    ) -> None:
        self._hooks = hooks
        self._tracing = tracing
        self._owner = owner
        self._budgets = budgets

    @classmethod
    def first(cls, watches: Sequence[Self]) -> Self:
        """Return the first of some watches; one that only logs if there is none."""
        # Another thread may remove it at any time.
        found = next(iter(watches), None)
        return cls() if found is None else found

    def _again(self) -> Self:
        return type(self)(self._hooks, self._tracing, self._owner, self._budgets)

    def with_budget(self, budget: object) -> Self:
        """Return a watch that also counts towards a budget, and stops calls if it is used up."""
        watch = self._again()
        watch._budgets = (*self._budgets, budget)
        return watch

    def of_owner(self, owner: object) -> Self:
        """Return a watch for the trackers of these clients."""
        watch = self._again()
        watch._owner = owner
        return watch

    def counts(self, budget: object) -> bool:
        """Whether the calls count towards a budget, those of trackers that are on here included."""
        trackers = [each for each in (*self._place, *TRACKED.get()) if each.owner is self._owner]
        return any(budget is each for each in (*self._budgets, *(t.budget for t in trackers)))

    def at_this_place(self) -> Self:
        """Return a watch for a call that begins later, maybe in another task or thread."""
        place = TRACKED.get()
        if self._tracing is None and not place:
            return self
        watch = self._again()
        watch._place = place
        if self._tracing is not None:
            watch._context = self._tracing.context()
        return watch

    def begin(self, call: AnyCall[Any], config: MeshAPIConfig) -> tuple[Self, MeshAPIConfig]:
        """Return the watch and the configuration for one call.

        Raises:
            BudgetExceededError: the call must not be made.
        """
        trackers = [*self._place, *TRACKED.get()]
        if trackers:
            owner = self._owner
            trackers = [each for each in trackers if each.owner is owner and each.is_open]
        if self._tracing is None and not trackers and not self._budgets:
            return self, config
        watch = type(self)(self._hooks)
        if trackers or self._budgets:
            from meshapi_backends._metering import Metering

            metering = Metering.of(call, trackers, self._budgets)
            watch._traces = () if metering is None else (metering,)
        if self._tracing is not None:
            trace = self._tracing.begin(call, config.location.origin, self._context)
            watch._traces = (*watch._traces, trace)
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
        return has_hook or bool(self._traces) or LOGGER.isEnabledFor(logging.DEBUG)

    def tell_end(self, notices: Iterable[Notice]) -> None:
        """Tell of a call that the program has given up. Hooks are not called: nothing can wait."""
        for notice in notices:
            self._tell(notice)

    def tell_connection(self, what: str, origin: object) -> None:
        """Log what happens to a connection."""
        if LOGGER.isEnabledFor(logging.DEBUG):
            log_connection(what, origin)

    def _tell(self, notice: Notice) -> None:
        for trace in self._traces:
            trace.receive(notice)
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
