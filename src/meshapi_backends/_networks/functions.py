"""Functions of the program's that run at the same time: tasks, and threads.

A task is cancelled, and awaited, when its time is over or its caller is interrupted. A thread
cannot be stopped: it goes on, and nobody hears of its end.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Optional, Union

from meshapi_backends._networks.current import current_network
from meshapi_backends._networks.workers import Work
from meshapi_backends._scopes import check_ended, leave_scope, waiting
from meshapi_core.flows import FunctionCall, FunctionOutcome, RunFunctions

_THREAD = "meshapi-function"

_LONGEST_WAIT = 3600.0


class AsyncFunctions:
    """On an event loop."""

    @staticmethod
    async def run(step: RunFunctions) -> list[FunctionOutcome]:
        """Return the outcome of each call.

        Raises:
            BaseException: a function raised something that is no Exception, such as SystemExit.
            WaitEnded: the current scope was ended.
        """
        network = current_network()
        todo = deque(enumerate(step.calls))
        outcomes: dict[int, FunctionOutcome] = {}

        async def work() -> None:
            leave_scope()
            while todo:
                position, call = todo.popleft()
                outcome = outcomes[position] = await _outcome(network, call)
                step.on_end(position, outcome)

        while todo:
            # Again where functions have cancelled their own tasks.
            await network.together([work] * min(step.at_once, len(todo)))
        for position in range(len(step.calls)):
            if position not in outcomes:
                outcomes[position] = FunctionOutcome(error=RuntimeError("it was cancelled"))
                step.on_end(position, outcomes[position])
        return [outcomes[position] for position in range(len(step.calls))]


async def _outcome(network: Any, call: FunctionCall) -> FunctionOutcome:
    if not call.is_async:
        return await _outcome_in_thread(network, call)
    if call.timeout is None:
        return await _awaited(call)
    outcomes: list[FunctionOutcome] = []
    with network.limit(call.timeout):
        outcomes.append(await _awaited(call))
    return outcomes[0] if outcomes else _late(call)


async def _awaited(call: FunctionCall) -> FunctionOutcome:
    try:
        return FunctionOutcome(await call.function(*call.arguments, **call.keywords))
    except Exception as exc:
        return FunctionOutcome(error=exc)


async def _outcome_in_thread(network: Any, call: FunctionCall) -> FunctionOutcome:
    waiter = network.waiter()
    context = copy_context()
    work = Work(lambda: context.run(_called, call), waiter.set_from_thread)
    threading.Thread(target=work.run, name=_THREAD, daemon=True).start()
    in_time = False
    try:
        in_time = await waiter.wait(call.timeout)
    finally:
        work.given_up = not in_time
    outcome = work.result() if in_time else _late(call)
    if isinstance(outcome, FunctionOutcome):
        return outcome
    raise outcome


def _called(call: FunctionCall) -> Union[FunctionOutcome, BaseException]:
    try:
        return FunctionOutcome(call.function(*call.arguments, **call.keywords))
    except Exception as exc:
        return FunctionOutcome(error=exc)
    except BaseException as exc:
        return exc


def _late(call: FunctionCall) -> FunctionOutcome:
    return FunctionOutcome(error=TimeoutError(f"not done within {call.timeout:g} seconds"))


class Functions:
    """In a blocking program. See `AsyncFunctions`."""

    @staticmethod
    def run(step: RunFunctions) -> list[FunctionOutcome]:
        """Return the outcome of each call.

        Raises:
            BaseException: a function raised something that is no Exception, such as SystemExit.
            WaitEnded: the current scope was ended.
        """
        if step.at_once == 1 and all(call.timeout is None for call in step.calls):
            # A thread would be of no use, and some objects may not leave theirs.
            return [_here(step, position) for position in range(len(step.calls))]
        return _Threads(step).outcomes()


def _here(step: RunFunctions, position: int) -> FunctionOutcome:
    check_ended()
    context = copy_context()
    context.run(leave_scope)
    outcome = context.run(_called, step.calls[position])
    if not isinstance(outcome, FunctionOutcome):
        raise outcome
    step.on_end(position, outcome)
    return outcome


class _Threads:
    """A thread for each call; the caller's waits for them."""

    def __init__(self, step: RunFunctions) -> None:
        self._step = step
        self._todo = deque(enumerate(step.calls))
        # Positions -> when their time is over.
        self._running: dict[int, Optional[float]] = {}
        # The first entry for a position counts: of the thread, or of its time limit.
        self._outcomes: dict[int, FunctionOutcome] = {}
        self._raised: list[BaseException] = []
        self._told: set[int] = set()
        # Wakes the caller's thread. An interruption may lose what it has, so that is nothing.
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def outcomes(self) -> list[FunctionOutcome]:
        wake: Callable[[], None] = partial(self._wakes.put, None)
        try:
            with waiting(wake):
                while self._todo or self._running:
                    while self._todo and len(self._running) < self._step.at_once:
                        self._begin(*self._todo.popleft())
                    self._wait()
        finally:
            self._tell()
        return [self._outcomes[position] for position in range(len(self._step.calls))]

    def _begin(self, position: int, call: FunctionCall) -> None:
        end = None if call.timeout is None else time.monotonic() + call.timeout
        self._running[position] = end
        context = copy_context()
        context.run(leave_scope)
        run = partial(context.run, self._call, position, call)
        threading.Thread(target=run, name=_THREAD, daemon=True).start()

    def _call(self, position: int, call: FunctionCall) -> None:
        outcome = _called(call)
        if isinstance(outcome, FunctionOutcome):
            self._outcomes.setdefault(position, outcome)
        else:
            self._raised.append(outcome)
        self._wakes.put(None)

    def _wait(self) -> None:
        ends = [end for end in self._running.values() if end is not None]
        # The system's clocks do not reach as far as a time limit may.
        seconds = min(_LONGEST_WAIT, max(0.0, min(ends) - time.monotonic())) if ends else None
        try:
            self._wakes.get(timeout=seconds)
        except Empty:
            pass
        check_ended()
        if self._raised:
            raise self._raised[0]
        now = time.monotonic()
        for position, end in [*self._running.items()]:
            if end is not None and now >= end:
                self._outcomes.setdefault(position, _late(self._step.calls[position]))
            if position in self._outcomes:
                del self._running[position]
        self._tell()

    def _tell(self) -> None:
        for position in sorted(self._outcomes.keys() - self._told):
            self._step.on_end(position, self._outcomes[position])
            self._told.add(position)
