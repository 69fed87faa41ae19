"""The gateway's clock, and its waits.

Behind a real socket, this is the computer's clock, and waits are those of an event loop. A host
that steps the application by hand, without an event loop, sets its own clock with `on_clock`; then
the application may await nothing but what that clock returns. So the gateway waits and tells the
time with these functions only.
"""

import time as _time
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from types import TracebackType
from typing import Any, Final, Optional

import anyio
from typing_extensions import Protocol


class Event(Protocol):
    """Something that happens once."""

    def set(self) -> object:
        """Say that it has happened, and wake all that wait for it."""
        ...

    async def wait(self) -> None:
        """Wait until it has happened."""
        ...


class CancelScope(Protocol):
    """A block that can be cancelled."""

    @property
    def cancelled_caught(self) -> bool:
        """Whether it has been."""
        ...

    def cancel(self) -> object:
        """Cancel it, if it is entered, or else when it is."""
        ...

    def __enter__(self) -> Any: ...

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> Optional[bool]: ...


class TaskGroup(Protocol):
    """A block with tasks, which end before it does."""

    @property
    def cancel_scope(self) -> CancelScope:
        """Cancels the block and its tasks."""
        ...

    def start_soon(
        self, function: Callable[..., Coroutine[Any, Any, None]], /, *args: Any
    ) -> object:
        """Begin a task."""
        ...

    async def __aenter__(self) -> Any: ...

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> Optional[bool]: ...


class Clock:
    """The computer's clock, and the waits of the running event loop.

    Attributes:
        spool_size: bytes of an upload that stay in memory. The rest goes to disk, in a thread,
            which the application has to wait for.
    """

    spool_size = 1024 * 1024

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return _time.monotonic()

    def time(self) -> float:
        """Return the Unix time."""
        return _time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait for some seconds."""
        await anyio.sleep(seconds)

    def event(self) -> Event:
        """Return an event that has not happened."""
        return anyio.Event()

    def cancel_scope(self) -> CancelScope:
        """Return a block that can be cancelled."""
        return anyio.CancelScope()

    def task_group(self) -> TaskGroup:
        """Return a block with tasks, which end before it does."""
        return anyio.create_task_group()


_COMPUTER: Final = Clock()

_CLOCK: ContextVar[Clock] = ContextVar("meshapi_gateway_clock", default=_COMPUTER)


def on_clock(clock: Clock) -> Context:
    """Return a copy of the present context, in which the gateway has this clock."""
    context = copy_context()
    context.run(_CLOCK.set, clock)
    return context


def time() -> float:
    """Return the Unix time."""
    return _CLOCK.get().time()


async def sleep(seconds: float) -> None:
    """Wait for some seconds."""
    await _CLOCK.get().sleep(seconds)


def event() -> Event:
    """Return an event that has not happened."""
    return _CLOCK.get().event()


def spool_size() -> int:
    """Return how many bytes of an upload stay in memory."""
    return _CLOCK.get().spool_size


def cancel_scope() -> CancelScope:
    """Return a block that can be cancelled."""
    return _CLOCK.get().cancel_scope()


def task_group() -> TaskGroup:
    """Return a block with tasks, which end before it does."""
    return _CLOCK.get().task_group()
