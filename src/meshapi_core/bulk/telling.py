"""What a program is told while a run goes on: how far it has come, and what it waits for."""

from math import inf
from typing import Any, Final

from msgspec import structs

from meshapi_core.bulk.gate import Gate
from meshapi_core.bulk.jobs import Jobs
from meshapi_core.bulk.options import Plan
from meshapi_core.bulk.results import Results
from meshapi_core.flows.steps import Flow
from meshapi_core.progress import OnProgress, progress_functions, tell_progress

__all__ = ["LONG_WAIT", "Telling"]

LONG_WAIT: Final = 3.0
"""Seconds: the program is told of a wait that is not shorter."""

_OFTEN: Final = 0.1
"""Seconds between two times that the program is told of progress: nobody sees more of a bar."""


class Telling:
    """Tells a program of the progress of its run.

    Args:
        plan: says whom to tell.
        results: of the run.

    Attributes:
        goes_on: whether anything has begun since the last wait.
    """

    def __init__(self, plan: Plan, results: Results[Any]) -> None:
        self.goes_on = True
        self._plan = plan
        self._results = results
        self._functions: tuple[OnProgress, ...] = ()
        self._done = 0
        self._told_at = -inf
        # When the wait ends that the program was told of, and why there is one.
        self._until, self._reason = -inf, ""

    def begin(self) -> Flow[None]:
        """Check what the program gave, and open a bar."""
        plan = self._plan
        self._functions = yield from progress_functions(plan.on_progress, plan.progress, "calls")

    def often(self, now: float) -> Flow[None]:
        """Tell how far the run has come, if that was not just told."""
        if self._functions and now - self._told_at >= _OFTEN:
            yield from self.tell(now)

    def tell(self, now: float) -> Flow[None]:
        """Tell how far the run has come, if there is anything new."""
        is_over = self._until > -inf and (self.goes_on or now >= self._until)
        if is_over:
            self._until = -inf
        if self._functions and (self._done != self._results.done or is_over):
            yield from self._say(now)

    def long_wait(
        self, now: float, seconds: float, gate: Gate, jobs: Jobs, *, is_held: bool, is_idle: bool
    ) -> Flow[None]:
        """Tell why nothing begins for a while, if that is so.

        Args:
            now: the time.
            seconds: how long the run waits.
            gate, jobs: of the run.
            is_held: whether the gate holds what is next.
            is_idle: whether nothing is under way.
        """
        cooling = gate.admission.cooling(now)
        if gate.outages.is_on:
            yield from self.wait(now, seconds, "the gateway cannot be reached")
        elif cooling and jobs:
            yield from self.wait(now, cooling, "the gateway asked for a pause")
        elif is_held:
            yield from self.wait(now, seconds, "the rate limit is used up")
        elif is_idle:
            yield from self.wait(now, jobs.wait(now), "to send calls again that have failed")

    def wait(self, now: float, seconds: float, reason: str) -> Flow[None]:
        """Tell that the run waits, unless that was told.

        Args:
            now: the time.
            seconds: how long, about.
            reason: why, in a few words.
        """
        is_known = abs(now + seconds - self._until) < LONG_WAIT
        if not self._functions or not LONG_WAIT <= seconds < inf or is_known:
            return
        self._until, self._reason, self.goes_on = now + seconds, reason, False
        yield from self._say(now)

    def _say(self, now: float) -> Flow[None]:
        progress = self._results.progress()
        self._done, self._told_at = progress.done, now
        if self._until > now:
            more = f"waiting {self._until - now:.0f} s: {self._reason}"
            what = f"{progress.what}, {more}" if progress.what else more
            progress = structs.replace(progress, what=what)
        yield from tell_progress(self._functions, progress)
