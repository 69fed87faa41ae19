"""Cancels a coroutine at each place where it can be suspended, one place per run.

A run is one `Blow`: cancel when the victim is suspended for the n-th time (its n-th *step*). A
sweep over n = 1, 2, ... has tried every place when a run ends before its n-th step. Each kind of
event loop needs its own driver, because cancellation means different things:

- asyncio delivers it once, to whatever the task is waiting for, and a result that was ready but not
  taken yet is lost. `EdgeAttack` sits between the task and the coroutine and sees each step. It
  cancels the task while it is blocked, or right after what it waits for is done ("race"). A second
  blow can hit the cleanup that the first one started.
- trio (and anyio's scopes on asyncio) cancel a scope: from then on every checkpoint in it raises,
  and what an operation has done is never lost. `ScopeAttack` watches the steps of the trio task and
  cancels when it has just gone to sleep ("after") or is about to go on ("before").

Where the victim runs tasks and waits for them, their steps can be counted, too: the victim is then
also cancelled while it waits for a task that is suspended, and has to cancel it.

Neither changes the code under test. `Attack.struck_at` says at which lines it was cancelled.
"""

import ast
import asyncio
import sys
from collections.abc import Awaitable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Optional

import anyio
import trio


class Blow(NamedTuple):
    """When and how to cancel.

    Fields:
        how: "blocked" or "race" (asyncio), "level" (an anyio scope on asyncio), "after" or
            "before" (trio).
        steps: the numbers of the steps to strike at, counted from 1; empty for an undisturbed run.
    """

    how: str
    steps: tuple[int, ...] = ()


class Place(NamedTuple):
    """A line at which a coroutine was suspended."""

    file: str
    line: int


class Attack:
    """One run of a victim, and its outcome.

    Args:
        with_tasks: whether the steps of the tasks that the victim begins count as its own. Only for
            a victim that ends them, and waits for them, when it is cancelled.

    Attributes:
        steps: how often the victim (or one of its tasks) was suspended.
        blows: how many of the blows came before its end.
        struck_at: the line of each frame of the victim (and of its tasks) that was suspended when
            a blow came.
        finished: whether it returned; `value` is what it returned.
        raised: the exception that left the victim. On trio never a cancellation, which stays in its
            scope.
        cancelled: whether the victim was cancelled.
        delivered: the last exception with which the loop cancelled it; None on trio.
    """

    def __init__(
        self, victim: "Coroutine[Any, Any, Any]", blow: Blow, *, with_tasks: bool = False
    ) -> None:
        self.victim = victim
        self.blow = blow
        self._with_tasks = with_tasks
        self._begun: list[Any] = []
        self.steps = 0
        self.blows = 0
        self.struck_at: set[Place] = set()
        self.finished = False
        self.value: Any = None
        self.raised: Optional[BaseException] = None
        self.cancelled = False
        self.delivered: Optional[BaseException] = None

    async def run(self) -> None:
        """Run the victim; its exceptions end here."""
        raise NotImplementedError

    def _note_blow(self) -> None:
        self.blows += 1
        for coroutine in (self.victim, *self._begun):
            self.struck_at.update(suspended_at(coroutine))


class EdgeAttack(Attack):
    """Strikes on asyncio. Run it in a task of its own."""

    task: "Optional[asyncio.Task[Any]]" = None

    async def run(self) -> None:
        scope = anyio.CancelScope()
        self.task = asyncio.current_task()
        try:
            if self.blow.how == "level":
                with scope:
                    self.value = await _Stepwise(self, scope)
                    self.finished = True
                self.cancelled = scope.cancelled_caught
            else:
                self.value = await _Stepwise(self, scope)
                self.finished = True
        except asyncio.CancelledError as exc:
            self.raised = exc
            self.cancelled = True
        except Exception as exc:
            self.raised = exc
        # Drop the frames of the tracebacks, which hold the victim's objects.
        for caught in (self.raised, self.delivered):
            if caught is not None:
                caught.with_traceback(None)


class _Stepwise:
    """Passes everything on between the victim and its task, and counts the steps.

    Args:
        begun: the coroutine of a task that the victim has begun; None for the victim itself.
    """

    def __init__(
        self,
        attack: EdgeAttack,
        scope: anyio.CancelScope,
        begun: "Optional[Coroutine[Any, Any, Any]]" = None,
    ) -> None:
        self._attack = attack
        self._scope = scope
        self._coroutine = attack.victim if begun is None else begun
        self._is_victim = begun is None

    def __await__(self) -> Generator[Any, Any, Any]:
        attack = self._attack
        inner = self._coroutine.__await__()
        thrown: Optional[BaseException] = None
        while True:
            try:
                with self._seeing_tasks():
                    awaited = next(inner) if thrown is None else inner.throw(thrown)
            except StopIteration as end:
                return end.value
            attack.steps += 1
            if attack.steps in attack.blow.steps:
                attack._note_blow()
                self._strike(awaited)
            thrown = None
            try:
                yield awaited
            except BaseException as exc:
                thrown = exc
                if self._is_victim and isinstance(exc, asyncio.CancelledError):
                    attack.delivered = exc

    @contextmanager
    def _seeing_tasks(self) -> Iterator[None]:
        """Counts the steps of the tasks that are begun in this block."""
        if not self._attack._with_tasks:
            yield
            return
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(self._begin)
        try:
            yield
        finally:
            loop.set_task_factory(before)

    def _begin(self, loop: Any, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        async def stepwise() -> Any:
            return await _Stepwise(self._attack, self._scope, coroutine)

        self._attack._begun.append(coroutine)
        task = asyncio.Task(stepwise(), loop=loop, **options)
        # A task that is cancelled before it begins never awaits it.
        task.add_done_callback(lambda _: coroutine.close())
        return task

    def _strike(self, awaited: Any) -> None:
        task = self._attack.task
        assert task is not None
        how = self._attack.blow.how
        if how == "race" and awaited is not None:
            # Called before the task is woken, because the task adds its own callback later.
            awaited.add_done_callback(lambda _: task.cancel())
            return
        loop = asyncio.get_running_loop()
        loop.call_soon(self._scope.cancel if how == "level" else task.cancel)


class ScopeAttack(Attack, trio.abc.Instrument):
    """Strikes on trio. Run it in a task of its own."""

    async def run(self) -> None:
        self._tasks = {trio.lowlevel.current_task()}
        trio.lowlevel.add_instrument(self)
        try:
            with trio.CancelScope() as self._scope:
                self.value = await self.victim
                self.finished = True
        except Exception as exc:
            self.raised = exc
        finally:
            trio.lowlevel.remove_instrument(self)
        self.cancelled = self._scope.cancelled_caught

    def task_spawned(self, task: "trio.lowlevel.Task") -> None:
        # System tasks have no nursery of the victim's.
        if self._with_tasks and trio.lowlevel.current_task() in self._tasks:
            self._tasks.add(task)
            self._begun.append(task.coro)

    def after_task_step(self, task: "trio.lowlevel.Task") -> None:
        if task in self._tasks:
            self.steps += 1
            if self.blow.how == "after" and self.steps in self.blow.steps:
                self._note_blow()
                self._scope.cancel()

    def before_task_step(self, task: "trio.lowlevel.Task") -> None:
        if task in self._tasks and self.blow.how == "before" and self.steps in self.blow.steps:
            self._note_blow()
            self._scope.cancel()


def suspended_at(coroutine: Any) -> Iterator[Place]:
    """The lines at which a suspended coroutine, and those that it awaits, are suspended."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            yield Place(frame.f_code.co_filename, frame.f_lineno)
        awaited: Optional[Awaitable[Any]] = getattr(coroutine, "cr_await", None)
        coroutine = awaited or getattr(coroutine, "gi_yieldfrom", None)


class Await(NamedTuple):
    """One `await` in a source file: its lines, and the function that contains it."""

    file: str
    function: str
    first: int
    last: int
    text: str

    def is_at(self, place: Place) -> bool:
        """Whether a frame that is suspended there is suspended in this await."""
        return place.file == self.file and self.first <= place.line <= self.last


def awaits_in(path: Path) -> Iterator[Await]:
    """Every `await` of a source file, and the end of every nursery, which waits for its tasks.

    Raises:
        AssertionError: it has another `async with`, or an `async for`: they await without saying
            so.
    """
    source = path.read_text("utf-8")
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.AsyncWith):
                text = ast.unparse(node.items[0].context_expr)
                if text == "trio.open_nursery()":
                    # Before Python 3.10, it waits at the last line of its body.
                    line = node.lineno if sys.version_info >= (3, 10) else node.end_lineno or 0
                    yield Await(str(path), function.name, line, line, text)
                    continue
            assert not isinstance(node, (ast.AsyncFor, ast.AsyncWith)), (path, node.lineno)
            if isinstance(node, ast.Await):
                text = " ".join((ast.get_source_segment(source, node) or "").split())
                last = node.end_lineno or node.lineno
                yield Await(str(path), function.name, node.lineno, last, text)
