"""Groups of tasks, and scopes that cancel them: what the application uses of anyio's."""

import logging
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from typing_extensions import Self

if TYPE_CHECKING:
    from meshapi.testing.fake.server.tasks import Event, Task, Tasks

_logger = logging.getLogger("meshapi.testing")


class Cancelled(BaseException):
    """Raised in a task whose scope was cancelled, where it waits."""

    def __init__(self, scope: "CancelScope") -> None:
        super().__init__()
        self.scope = scope


class CancelScope:
    """A block that can be cancelled. See `anyio.CancelScope`."""

    def __init__(self, tasks: "Tasks") -> None:
        self._tasks = tasks
        self.inside: set[Task] = set()
        self.cancel_called = False
        self.cancelled_caught = False

    def __enter__(self) -> Self:
        task = self._tasks.current()
        self.inside.add(task)
        task.scopes.append(self)
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> bool:
        task = self._tasks.current()
        self.inside.discard(task)
        task.scopes.remove(self)
        if isinstance(value, Cancelled) and value.scope is self:
            self.cancelled_caught = True
            return True
        return False

    def cancel(self) -> None:
        """Cancel the tasks that are in the block."""
        self.cancel_called = True
        for task in self.inside:
            self._tasks.resume(task)


class TaskGroup:
    """Tasks that end before their block does. See `anyio.abc.TaskGroup`."""

    def __init__(self, tasks: "Tasks") -> None:
        self._tasks = tasks
        self.cancel_scope = CancelScope(tasks)
        self._left = 0
        self._one_less: Optional[Event] = None

    def start_soon(self, function: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Begin a task."""
        self._left += 1
        task = self._tasks.start(self._run(function, args))
        task.scopes.append(self.cancel_scope)
        self.cancel_scope.inside.add(task)

    async def _run(
        self, function: Callable[..., Coroutine[Any, Any, None]], args: tuple[Any, ...]
    ) -> None:
        try:
            await function(*args)
        except Cancelled:
            pass
        except Exception:
            _logger.exception("Exception in ASGI application")
            self.cancel_scope.cancel()
        finally:
            self.cancel_scope.inside.discard(self._tasks.current())
            self._left -= 1
            if self._one_less is not None:
                self._one_less.set()

    async def __aenter__(self) -> Self:
        self.cancel_scope.__enter__()
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> bool:
        is_caught = self.cancel_scope.__exit__(kind, value, traceback)
        if value is not None:
            self.cancel_scope.cancel()
        while self._left:
            self._one_less = self._tasks.event()
            await self._one_less.wait()
        return is_caught
