"""Cancels a coroutine at each place where that is possible, one place in each run.

A run is one `Blow`: strike when the victim is suspended for the n-th time (its n-th *step*). Who
sweeps n = 1, 2, ... until a run ends before its n-th step has tried every place. The two kinds of
event loop need a driver each, because cancellation means two different things:

- asyncio delivers it once, to whatever the task waits for at that moment, and a result that was
  ready but not yet taken is lost with it. `EdgeAttack` stands between the task and the coroutine,
  sees each step, and cancels the task while it is blocked, or right after what it waits for is
  done ("race"). What the first blow starts can be hit by a second one.
- trio (and anyio's scopes on asyncio) cancel a scope: every checkpoint in it raises, from then on;
  what an operation has done is never lost. `ScopeAttack` watches the steps of the trio task and
  cancels when it has just gone to sleep ("after") or is about to go on ("before").

Neither touches the code under test, so that each place of it that can be suspended is struck as it
is; `Attack.struck_at` says which those were.
"""

import ast
import asyncio
from collections.abc import Awaitable, Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

import anyio
import trio


class Blow(NamedTuple):
    """When and how to cancel.

    Fields:
        how: "blocked" or "race" (asyncio), "level" (an anyio scope on asyncio), "after" or
            "before" (trio).
        steps: the numbers of the steps to strike at, counted from 1; empty for a run in peace.
    """

    how: str
    steps: tuple[int, ...] = ()


class Place(NamedTuple):
    """A line at which a coroutine was suspended."""

    file: str
    line: int


class Attack:
    """One run of a victim, and what came of it.

    Attributes:
        steps: how often the victim was suspended.
        blows: how many of the blows came before its end.
        struck_at: the line of each frame of the victim's that was suspended when a blow came.
        finished: whether it returned; then `value` is what.
        raised: the exception that left the victim; on trio cancellation stays in its scope, so
            there only others.
        cancelled: whether cancellation left the victim.
        delivered: the exception that the loop cancelled it with last; None on trio.
    """

    def __init__(self, victim: "Coroutine[Any, Any, Any]", blow: Blow) -> None:
        self.victim = victim
        self.blow = blow
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
        self.struck_at.update(suspended_at(self.victim))


class EdgeAttack(Attack):
    """Strikes on asyncio. Run it in a task of its own."""

    async def run(self) -> None:
        scope = anyio.CancelScope()
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
        # Without the frames that they passed through: what those hold goes with the victim.
        for caught in (self.raised, self.delivered):
            if caught is not None:
                caught.with_traceback(None)


class _Stepwise:
    """Passes between the victim and its task whatever either says, and counts."""

    def __init__(self, attack: EdgeAttack, scope: anyio.CancelScope) -> None:
        self._attack = attack
        self._scope = scope

    def __await__(self) -> Generator[Any, Any, Any]:
        attack = self._attack
        inner = attack.victim.__await__()
        thrown: Optional[BaseException] = None
        while True:
            try:
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
                if isinstance(exc, asyncio.CancelledError):
                    attack.delivered = exc

    def _strike(self, awaited: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        how = self._attack.blow.how
        if how == "race" and awaited is not None:
            # Called before the task is woken, as the task adds its own callback after this one.
            awaited.add_done_callback(lambda _: task.cancel())
            return
        loop = asyncio.get_running_loop()
        loop.call_soon(self._scope.cancel if how == "level" else task.cancel)


class ScopeAttack(Attack, trio.abc.Instrument):
    """Strikes on trio. Run it in a task of its own."""

    async def run(self) -> None:
        self._task = trio.lowlevel.current_task()
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

    def after_task_step(self, task: "trio.lowlevel.Task") -> None:
        if task is self._task:
            self.steps += 1
            if self.blow.how == "after" and self.steps in self.blow.steps:
                self._note_blow()
                self._scope.cancel()

    def before_task_step(self, task: "trio.lowlevel.Task") -> None:
        if task is self._task and self.blow.how == "before" and self.steps in self.blow.steps:
            self._note_blow()
            self._scope.cancel()


def suspended_at(coroutine: Any) -> Iterator[Place]:
    """Each line at which a suspended coroutine, and those that it awaits, stand."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            yield Place(frame.f_code.co_filename, frame.f_lineno)
        awaited: Optional[Awaitable[Any]] = getattr(coroutine, "cr_await", None)
        coroutine = awaited or getattr(coroutine, "gi_yieldfrom", None)


class Await(NamedTuple):
    """One `await` in a source file, from line to line, and the function that it stands in."""

    file: str
    function: str
    first: int
    last: int
    text: str

    def is_at(self, place: Place) -> bool:
        """Whether a frame that is suspended there is suspended in this await."""
        return place.file == self.file and self.first <= place.line <= self.last


def awaits_in(path: Path) -> Iterator[Await]:
    """Every `await` of a source file.

    Raises:
        AssertionError: it has `async for` or `async with`, which await without the word.
    """
    source = path.read_text("utf-8")
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            assert not isinstance(node, (ast.AsyncFor, ast.AsyncWith)), (path, node.lineno)
            if isinstance(node, ast.Await):
                text = " ".join((ast.get_source_segment(source, node) or "").split())
                last = node.end_lineno or node.lineno
                yield Await(str(path), function.name, node.lineno, last, text)
