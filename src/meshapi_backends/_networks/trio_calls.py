"""Calls that run at the same time on trio: a system task for each.

Not in a nursery: a program may iterate without a block around it, so there is none to be left.

A task that has made a call waits for the next one, as to spawn a task and to open a cancel scope
takes a tenth of the time of a call.
"""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, Optional

import trio

from meshapi_backends._forks import forget_after_fork
from meshapi_backends._networks.ended import LoopEnded
from meshapi_backends._networks.pulling import Pulling
from meshapi_backends._networks.trio_streams import limit
from meshapi_backends._scopes import leave_scope
from meshapi_core import AnyCall
from meshapi_core.flows import PULL, CallEnd


class _Worker:
    """A task that makes one call after another.

    Args:
        number, call: the first one.
    """

    __slots__ = ("call", "number", "scope", "task")

    task: trio.lowlevel.Task

    def __init__(self, number: int, call: AnyCall[Any]) -> None:
        self.scope = trio.CancelScope()
        self.number = number
        self.call: Optional[AnyCall[Any]] = call

    def go_on(self, number: int, call: AnyCall[Any]) -> None:
        """Make another call, which sees the context variables of now."""
        self.number, self.call = number, call
        self.task.context = copy_context()
        trio.lowlevel.reschedule(self.task)


class CallsOnTrio(LoopEnded):
    """See `UnderWay`."""

    def __init__(self, make_host: Callable[[AnyCall[Any]], Any]) -> None:
        super().__init__()
        self._token = trio.lowlevel.current_trio_token()
        self._make_host = make_host
        self._scopes: dict[int, trio.CancelScope] = {}
        # Workers that have nothing to do; a dictionary, to take any of them out.
        self._idle: dict[_Worker, None] = {}
        self._left = 0
        self._is_pulling = False
        self._waiting: Optional[trio.Event] = None
        self._pulling: Optional[Pulling] = None
        self._asked = trio.Event()
        self._changed = trio.Event()
        forget_after_fork(self)

    def forget(self) -> None:
        """Forget the tasks, in a forked child: their loop is the parent's."""
        self._scopes, self._idle = {}, {}

    def start(self, calls: Sequence[tuple[int, AnyCall[Any]]]) -> None:
        self._check_loop()
        for number, call in calls:
            if self._idle:
                worker, _ = self._idle.popitem()
                worker.go_on(number, call)
            else:
                worker = _Worker(number, call)
                self._spawn(self._work, worker)
            self._scopes[number] = worker.scope

    def _spawn(self, function: Any, *args: Any) -> None:
        self._left += 1
        trio.lowlevel.spawn_system_task(function, *args, context=copy_context())

    async def _work(self, worker: _Worker) -> None:
        scope = worker.scope
        worker.task = trio.lowlevel.current_task()
        try:
            with scope:
                # A call that has been cancelled before it begins does not begin.
                while not scope.cancel_called:
                    await self._make(worker)
                    self._over(worker.number, scope)
                    self._idle[worker] = None
                    await trio.lowlevel.wait_task_rescheduled(partial(self._leave, worker))
        except trio.Cancelled:
            raise
        except BaseException as exc:
            self._raised.append(exc)
        finally:
            self._over(worker.number, scope)
            self._left -= 1
            self._changed.set()

    async def _make(self, worker: _Worker) -> None:
        leave_scope()
        call, worker.call = worker.call, None
        assert call is not None
        try:
            value = await self._make_host(call).result()
            # The list of now, not of before the call: `take` has replaced it.
            self._ends.append(CallEnd(worker.number, value))
        except Exception as exc:
            self._ends.append(CallEnd(worker.number, None, exc))

    def _leave(self, worker: _Worker, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._idle.pop(worker, None)
        return trio.lowlevel.Abort.SUCCEEDED

    def _over(self, number: int, scope: trio.CancelScope) -> None:
        if self._scopes.get(number) is scope:
            del self._scopes[number]
        self.wake()

    def pull(self, source: Any) -> None:
        self._check_loop()
        if PULL in self._scopes and self._pulling is not None:
            self._pulling.is_asked = True
            self._asked.set()
            return
        self._pulling = Pulling(source, self._next_asked, self._report, trio.Cancelled)
        scope = self._scopes[PULL] = trio.CancelScope()
        self._is_pulling = True
        self._spawn(self._pull, self._pulling, scope)

    async def _pull(self, pulling: Pulling, scope: trio.CancelScope) -> None:
        leave_scope()
        try:
            with scope:
                await pulling.run()
        except trio.Cancelled:
            raise
        except BaseException as exc:
            self._raised.append(exc)
        finally:
            self._is_pulling = False
            self._over(PULL, scope)
            self._left -= 1
            self._changed.set()

    async def _next_asked(self) -> None:
        self._asked = trio.Event()
        await self._asked.wait()

    async def wait(self, seconds: Optional[float]) -> None:
        if seconds is None and not self._scopes:
            raise RuntimeError("NextEnds: nothing is under way, and no time is given")
        self._waiting = trio.Event()
        try:
            if seconds is None:
                await self._waiting.wait()
            else:
                with limit(seconds):
                    await self._waiting.wait()
        finally:
            self._waiting = None

    async def turn(self) -> None:
        await trio.lowlevel.checkpoint()

    def wake(self) -> None:
        if self._waiting is not None:
            self._waiting.set()

    async def end(self) -> None:
        if not self._is_here():
            self.abandon()
            return
        pull = self._scopes.get(PULL)
        self._cancel()
        try:
            while self._is_pulling:
                await self._change()
        finally:
            if pull is not None:
                pull.cancel()
            # These tasks have been cancelled, whether the caller has been or not.
            with trio.CancelScope(shield=True):
                while self._left:
                    await self._change()

    async def _change(self) -> None:
        self._changed = trio.Event()
        await self._changed.wait()

    def _cancel(self) -> None:
        scopes, self._scopes = self._scopes, {}
        idle, self._idle = self._idle, {}
        pull = scopes.pop(PULL, None)
        for scope in scopes.values():
            scope.cancel()
        for worker in idle:
            worker.scope.cancel()
        if pull is not None and self._pulling is not None:
            self._pulling.is_ending = True
            self._asked.set()
            if self._pulling.is_busy:
                pull.cancel()

    def abandon(self) -> None:
        if self._scopes or self._idle:
            try:
                self._token.run_sync_soon(self._cancel)
            except trio.RunFinishedError:
                pass  # the loop has ended, and has cancelled its tasks

    def _is_here(self) -> bool:
        return trio.lowlevel.current_trio_token() is self._token
