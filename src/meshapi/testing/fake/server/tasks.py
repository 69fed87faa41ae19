"""Coroutines without an event loop.

A task runs until it waits for an event of this module, or sleeps on its clock, and goes on when the
event has happened or the time has come. All of this happens under the clock's lock, in the thread
of the client that caused it.
"""

import logging
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context
from types import coroutine
from typing import Any, Optional

from meshapi.gateway.clock import Clock, on_clock
from meshapi.testing.fake.clock import VirtualClock
from meshapi.testing.fake.server.groups import Cancelled, CancelScope, TaskGroup

_logger = logging.getLogger("meshapi.testing")

_FOREIGN = (
    "FakeGateway: the application waits for something of an event loop ({kind}), and there is none;"
    " use LocalGateway for it"
)


class Event:
    """Something that happens once."""

    def __init__(self, tasks: "Tasks") -> None:
        self._tasks = tasks
        self._is_set = False
        self._waiting: list[Task] = []

    def set(self) -> None:
        """Say that it has happened."""
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            self._tasks.resume(task)

    async def wait(self) -> None:
        """Wait until it has happened."""
        while not self._is_set:
            await _suspend(self)

    def park(self, task: "Task") -> None:
        """Have a task wait."""
        self._waiting.append(task)


class Changes:
    """Something that changes again and again, and that tasks wait for."""

    def __init__(self, tasks: "Tasks") -> None:
        self._tasks = tasks
        self._next: Optional[Event] = None

    def happened(self) -> None:
        """Let those go on that wait."""
        if self._next is not None:
            self._next.set()
            self._next = None

    async def wait(self) -> None:
        """Wait until it has changed once more."""
        if self._next is None:
            self._next = self._tasks.event()
        await self._next.wait()


@coroutine
def _suspend(event: Event) -> Generator[Event, None, None]:
    yield event


class Task:
    """One coroutine under way."""

    def __init__(
        self, context: Context, steps: Coroutine[Any, Any, None], done: Callable[[], None]
    ) -> None:
        self._run: Callable[..., Any] = context.run
        self._steps = steps
        self._done = done
        self._is_over = False
        self.scopes: list[CancelScope] = []

    def step(self) -> None:
        """Run the coroutine up to its next wait."""
        if self._is_over:
            return
        error = self._cancelled()
        while True:
            try:
                if error is None:
                    waits_for = self._run(self._steps.send, None)
                else:
                    waits_for = self._run(self._steps.throw, error)
            except StopIteration:
                self._is_over = True
                self._done()
                return
            error = self._cancelled()
            if error is None and isinstance(waits_for, Event):
                waits_for.park(self)
                return
            error = error or RuntimeError(_FOREIGN.format(kind=type(waits_for).__name__))

    def _cancelled(self) -> Optional[BaseException]:
        scope = next((scope for scope in self.scopes if scope.cancel_called), None)
        return None if scope is None else Cancelled(scope)

    def close(self) -> None:
        """End the coroutine where it waits."""
        self._is_over = True
        try:
            self._run(self._steps.close)
        except RuntimeError:
            pass  # it waits for something more, and is dropped


class Tasks(Clock):
    """All tasks of one server, and the clock of its application."""

    # There is no thread to write an upload to the disk.
    spool_size = 1 << 62

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._ready: deque[Task] = deque()
        self._tasks: set[Task] = set()
        self._is_running = False
        self._current: Optional[Task] = None
        clock.after = self.run

    def start(self, steps: Coroutine[Any, Any, None]) -> Task:
        """Begin a task: `run` runs it."""
        task: Task
        task = Task(on_clock(self), steps, lambda: self._tasks.discard(task))
        self._tasks.add(task)
        self.resume(task)
        return task

    def current(self) -> Task:
        """Return the task that runs."""
        assert self._current is not None
        return self._current

    def later(self, seconds: float, call: Callable[[], object]) -> None:
        """Make a call after some seconds."""
        self._clock.at(self._clock.now + seconds, call)

    @contextmanager
    def logging(self) -> Generator[None, None, None]:
        """Log what the application raises in a block, unless it is that its client has left."""
        try:
            yield
        except OSError:
            pass
        except Exception:
            _logger.exception("Exception in ASGI application")

    def resume(self, task: Task) -> None:
        """Let a task go on: `run` runs it."""
        self._ready.append(task)

    def run(self) -> None:
        """Run what can run."""
        if self._is_running:
            return
        self._is_running = True
        try:
            while self._ready:
                self._current = self._ready.popleft()
                self._current.step()
        finally:
            self._current = None
            self._is_running = False

    def close(self) -> None:
        """End all tasks."""
        tasks, self._tasks = self._tasks, set()
        self._ready.clear()
        for task in tasks:
            task.close()

    # The clock of the application: see `meshapi.gateway.clock`.

    def monotonic(self) -> float:
        return self._clock.now

    def time(self) -> float:
        return self._clock.unix_time

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            woken = self.event()
            self._clock.at(self._clock.now + seconds, woken.set)
            await woken.wait()

    def event(self) -> Event:
        return Event(self)

    def cancel_scope(self) -> CancelScope:
        return CancelScope(self)

    def task_group(self) -> TaskGroup:
        return TaskGroup(self)
