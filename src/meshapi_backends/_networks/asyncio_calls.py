"""Calls that run at the same time on asyncio: a task for each."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Optional

from meshapi_backends._forks import forget_after_fork
from meshapi_backends._networks.asyncio import end_tasks
from meshapi_backends._networks.asyncio_streams import wake
from meshapi_backends._networks.ended import LoopEnded
from meshapi_backends._networks.pulling import Pulling
from meshapi_backends._scopes import leave_scope
from meshapi_core import AnyCall
from meshapi_core.flows import PULL, CallEnd


class CallsOnAsyncio(LoopEnded):
    """See `UnderWay`."""

    def __init__(self, make_host: Callable[[AnyCall[Any]], Any]) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._make_host = make_host
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._waiting: Optional[asyncio.Future[None]] = None
        self._pulling: Optional[Pulling] = None
        self._asked: Optional[asyncio.Future[None]] = None
        forget_after_fork(self)

    def forget(self) -> None:
        """Forget the tasks, in a forked child: their loop is the parent's."""
        self._tasks = {}

    def start(self, calls: Sequence[tuple[int, AnyCall[Any]]]) -> None:
        self._check_loop()
        for number, call in calls:
            self._begin(number, self._run(number, call))

    def _begin(self, number: int, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        # An eager task may have ended already.
        if not task.done():
            self._tasks[number] = task

    async def _run(self, number: int, call: AnyCall[Any]) -> None:
        leave_scope()
        try:
            value = await self._make_host(call).result()
            # The list of now, not of before the call: `take` has replaced it.
            self._ends.append(CallEnd(number, value))
        except Exception as exc:
            self._ends.append(CallEnd(number, None, exc))
        except BaseException as exc:
            self._interrupted(number, exc)
        self._tasks.pop(number, None)
        wake(self._waiting)

    def _interrupted(self, number: int, exc: BaseException) -> None:
        # A task that we have cancelled is not among them any more; nor is one that is eager.
        if number in self._tasks or not isinstance(exc, asyncio.CancelledError):
            self._raised.append(exc)

    def pull(self, source: Any) -> None:
        self._check_loop()
        if PULL in self._tasks and self._pulling is not None:
            self._pulling.is_asked = True
            wake(self._asked)
            return
        self._pulling = Pulling(source, self._next_asked, self._report, asyncio.CancelledError)
        self._begin(PULL, self._pull(self._pulling))

    async def _pull(self, pulling: Pulling) -> None:
        leave_scope()
        try:
            await pulling.run()
        except BaseException as exc:
            self._interrupted(PULL, exc)
        self._tasks.pop(PULL, None)
        wake(self._waiting)

    async def _next_asked(self) -> None:
        self._asked = self._loop.create_future()
        await self._asked

    async def wait(self, seconds: Optional[float]) -> None:
        if seconds is None and not self._tasks:
            raise RuntimeError("NextEnds: nothing is under way, and no time is given")
        waiting = self._waiting = self._loop.create_future()
        timer = None
        if seconds is not None:
            timer = self._loop.call_later(max(seconds, 0.0), wake, waiting)
        try:
            await waiting
        finally:
            self._waiting = None
            if timer is not None:
                timer.cancel()

    async def turn(self) -> None:
        await asyncio.sleep(0)

    def wake(self) -> None:
        wake(self._waiting)

    async def end(self) -> None:
        if not self._is_here():
            self.abandon()
            return
        tasks, self._tasks = self._tasks, {}
        pull = tasks.pop(PULL, None)
        closing = self._closing(pull)
        try:
            await end_tasks(tasks.values())
            if closing is not None:
                await asyncio.wait((closing,))
        finally:
            if pull is not None:
                await end_tasks((pull,))

    def _closing(self, pull: "Optional[asyncio.Task[None]]") -> "Optional[asyncio.Task[None]]":
        """The task of the source, if it closes the source; None if it has to be cancelled."""
        if pull is None or self._pulling is None:
            return None
        self._pulling.is_ending = True
        wake(self._asked)
        return None if self._pulling.is_busy else pull

    def abandon(self) -> None:
        if self._tasks:
            try:
                self._loop.call_soon_threadsafe(self._cancel)
            except RuntimeError:
                pass  # the loop has ended, and has cancelled its tasks

    def _cancel(self) -> None:
        tasks, self._tasks = self._tasks, {}
        closing = self._closing(tasks.get(PULL))
        for task in tasks.values():
            if task is not closing:
                task.cancel()

    def _is_here(self) -> bool:
        return asyncio.get_running_loop() is self._loop
