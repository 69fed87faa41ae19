"""Drives flows without a runner: with a clock that is an argument, and a function that responds."""

from typing import Any, Callable, Optional, Union

from meshapi_core import MeshAPIError
from meshapi_core.flows import Emit, Now, Pause, RandomBytes, Tell

Outcome = Union[MeshAPIError, Any]


class Driven:
    """Drives a flow with a clock of its own: each call takes a second, each pause its time."""

    def __init__(self, respond: Callable[["Driven", Any], Outcome]) -> None:
        self.now = 0.0
        self.calls: list[Any] = []
        self.pauses: list[float] = []
        self.items: list[Any] = []
        self._respond = respond

    def run(self, flow: Any) -> Any:
        sent: Any = None
        error: Optional[Exception] = None
        try:
            while True:
                step = flow.send(sent) if error is None else flow.throw(error)
                sent = error = None
                if isinstance(step, Emit):
                    self.items.append(step.value)
                    continue
                outcome = self._do(step)
                if isinstance(outcome, Exception):
                    error = outcome
                else:
                    sent = outcome
        except StopIteration as stop:
            return stop.value

    def _do(self, step: Any) -> Any:
        if isinstance(step, Now):
            return self.now
        if isinstance(step, RandomBytes):
            return b"\x80" + bytes(step.size - 1)
        if isinstance(step, Pause):
            self.pauses.append(step.seconds)
            self.now += step.seconds
            return None
        if isinstance(step, Tell):
            return step.function(*step.arguments)
        self.now += 1.0
        self.calls.append(step)
        return self._respond(self, step)
