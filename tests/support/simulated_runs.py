"""Drives the flow of a run without any I/O, on a clock that jumps from one event to the next.

A `Gateway` says when each attempt ends, and how. What it saw is in `attempts`.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Optional

from meshapi_core import MeshAPIConfig
from meshapi_core.flows import Emit, GetConfig, Now, OpenBar, Pause, RandomBytes, Tell
from meshapi_core.flows.concurrent import (
    PULL,
    CallEnd,
    EndCalls,
    Ends,
    GetLimits,
    GetMostFiles,
    NextEnds,
    StartCalls,
    StartPull,
)
from meshapi_core.signals import END_OF_STREAM

CONFIG = MeshAPIConfig(base_url="http://gateway.example", token="rsk_test_simulated")

Respond = Callable[[float, Any], "tuple[float, Any]"]
"""From the time and a call to the seconds that it takes, and its value or its error."""


class SimulatedRunner:
    """Does the steps of one flow.

    Args:
        flow: the generator.
        respond: what happens to each attempt.
        handle: is told of each item, and returns the seconds that the program takes for it.

    Attributes:
        now: the time.
        attempts: when each attempt began, and its call.
        most: the most calls that were under way at once.
        begun: how many began in each step.
    """

    def __init__(
        self,
        flow: Any,
        respond: Respond,
        handle: Callable[[Any], float] = lambda item: 0.0,
        config: MeshAPIConfig = CONFIG,
    ) -> None:
        self._flow, self._respond, self._handle, self._config = flow, respond, handle, config
        self.now = 1000.0
        self.attempts: list[tuple[float, Any]] = []
        self.most = 0
        self.begun: list[int] = []
        self.steps = 0
        self.told: list[Any] = []
        self._running: list[tuple[float, int, CallEnd]] = []
        self._pulled: list[CallEnd] = []
        self._drawn = 0

    def run(self) -> tuple[list[Any], Any]:
        """Return the items and the flow's result."""
        items: list[Any] = []
        sent: Any = None
        error: Optional[Exception] = None
        while True:
            self.steps += 1
            try:
                step = self._flow.send(sent) if error is None else self._flow.throw(error)
            except StopIteration as stop:
                return items, stop.value
            sent = error = None
            if isinstance(step, Emit):
                items.append(step.value)
                self.now += self._handle(step.value)
                continue
            try:
                sent = self._do(step)
            except Exception as exc:
                error = exc

    def _do(self, step: Any) -> Any:
        if isinstance(step, Now):
            return self.now
        if isinstance(step, GetConfig):
            return self._config
        if isinstance(step, (GetLimits, GetMostFiles)):
            return None
        if isinstance(step, Pause):
            self.now += step.seconds
            return None
        if isinstance(step, RandomBytes):
            self._drawn += 1
            return (self._drawn * 0x9E3779B97F4A7C15 % 2 ** (8 * step.size)).to_bytes(
                step.size, "big"
            )
        if isinstance(step, Tell):
            self.told.append(step.arguments)
            return step.function(*step.arguments)
        if isinstance(step, OpenBar):
            return lambda progress: None
        if isinstance(step, StartCalls):
            self.begun.append(len(step.calls))
            for number, call in step.calls:
                self._begin(number, call)
            self.most = max(self.most, len(self._running))
            return None
        if isinstance(step, StartPull):
            self._pulled.append(_pulled(step.source))
            return None
        if isinstance(step, NextEnds):
            return self._ends(step.seconds, step.most)
        if isinstance(step, EndCalls):
            self._running.clear()
            return None
        raise AssertionError(f"an unknown step: {step!r}")

    def _begin(self, number: int, call: Any) -> None:
        self.attempts.append((self.now, call))
        seconds, outcome = self._respond(self.now, call)
        end = CallEnd(number, outcome)
        if isinstance(outcome, Exception):
            end = CallEnd(number, error=outcome)
        # The number of attempts, because ends cannot be compared.
        heappush(self._running, (self.now + seconds, len(self.attempts), end))

    def _ends(self, seconds: Optional[float], most: int) -> Ends:
        pulled, self._pulled = self._pulled, []
        if not pulled:
            assert self._running or seconds is not None, "it would wait for ever"
            first = self._running[0][0] if self._running else float("inf")
            until = first if seconds is None else min(first, self.now + seconds)
            self.now = max(self.now, until)
        ends = pulled
        while len(ends) < most and self._running and self._running[0][0] <= self.now:
            ends.append(heappop(self._running)[2])
        return Ends(self.now, ends)


def _pulled(source: Any) -> CallEnd:
    """Ask an async generator that waits for nothing."""
    try:
        source.__anext__().send(None)
    except StopIteration as stop:
        return CallEnd(PULL, stop.value)
    except StopAsyncIteration:
        return CallEnd(PULL, END_OF_STREAM)
    except Exception as exc:
        return CallEnd(PULL, error=exc)
    raise AssertionError("it waits")
