"""Many calls at once, as a flow: what `client.map` does.

The flow takes calls from the program's iterable as slots become free, so what is in memory is
bounded by the concurrency:

    the iterable -> admitted -> under way -> recorded -> handed over
                        ^           |
                        +-- waits <-+  to be sent again

- Whether an attempt may begin is up to an `Admission`; whether there is another one, to `attempts`.
- Nothing runs but the calls that are under way. New ones begin when the program asks for the next
  item: a program that is slow to take items slows the run down, and does not fill the memory.
- A result is written to the journal before it is handed over: see `recording`.
- Whatever ends the run early (a budget, a journal that cannot be written, an iterable that raises,
  a token that is refused) only stops new calls. Those that are under way end, and are recorded and
  handed over; then an error is raised, if it was one.
"""

from decimal import Decimal
from heapq import heappop, heappush
from math import inf
from typing import Any, Final, Generic, Optional, TypeVar

from msgspec import Struct

from meshapi_core.bulk.admission import Admission, Slot, Stop
from meshapi_core.bulk.attempts import Received, attempt, retry
from meshapi_core.bulk.estimates import Estimator
from meshapi_core.bulk.handover import Handover
from meshapi_core.bulk.inputs import Entry, Inputs
from meshapi_core.bulk.items import MapItem
from meshapi_core.bulk.options import Plan
from meshapi_core.bulk.recording import Recording
from meshapi_core.bulk.tally import Tally
from meshapi_core.errors import MeshAPIError
from meshapi_core.flows.concurrent import PULL, CallEnd, EndCalls, Ends, NextEnds, StartCalls, StartPull
from meshapi_core.flows.polling import random_number
from meshapi_core.flows.steps import Emit, Flow, GetConfig, ItemFlow, Now
from meshapi_core.progress import OnProgress, Progress, progress_functions, tell_progress
from meshapi_core.signals import END_OF_STREAM

__all__ = ["Run"]

T = TypeVar("T")

_LIMITS: Final = -2
"""The number of the call that asks for the account's rate limits. Others are places in the input,
and PULL is -1."""

_FEW: Final = 10
"""So few calls are not worth that request."""

_AHEAD: Final = {"completion": 2, "input": 4}
"""How many times the concurrency the calls may be that are under way, or whose results wait. In the
order of the input, more have to wait: for the slowest of those that began together."""


class _Job(Struct, Generic[T]):
    """A call that has begun."""

    entry: Entry[T]
    key: Optional[str]
    tokens: int
    cost: Optional[Decimal]
    slot: Any = None
    attempts: int = 0
    failures: int = 0
    refusals: int = 0


class Run(Generic[T]):
    """A run, and what is to be known of it while it goes on.

    Args:
        inputs: the calls.
        plan: how to make them.
    """

    def __init__(self, inputs: Inputs[T], plan: Plan) -> None:
        self.tally = Tally()
        self._inputs = inputs
        self._plan = plan
        self._recording: Recording[T] = Recording(plan)
        self._handover: Handover[T] = Handover(in_order=plan.order == "input")
        self._running: dict[int, _Job[T]] = {}
        # When each is sent again, and which.
        self._again: list[tuple[float, int, _Job[T]]] = []
        # The call that is next, where it may not begin yet.
        self._next: Optional[_Job[T]] = None
        self._is_pulling = self._has_pulled_all = False
        self._error: Optional[BaseException] = None
        self._functions: tuple[OnProgress, ...] = ()
        self._streak = 0
        self._now = 0.0
        self._wait = inf

    def flow(self) -> ItemFlow[MapItem[T], Any]:
        """Make the calls, and hand over their results."""
        yield from self._begin()
        while True:
            yield from self._start()
            item = self._handover.next()
            if item is not None:
                yield Emit(item)
                if self._running:
                    yield from self._receive(0.0)
            elif self._running or self._is_pulling or self._again or self._next is not None:
                yield from self._receive(self._wait)
            elif len(self._handover):
                self._handover.end()
            else:
                break
        yield from self._recording.close()
        self.tally.end(self._now)
        if self._error is not None:
            self.tally.stopped = "error"
            raise self._error
        if self.tally.stopped is None:
            self.tally.stopped = "completed"
        return self.tally.summary()

    def _begin(self) -> Flow[None]:
        plan = self._plan
        self._config = yield GetConfig()
        self._functions = yield from progress_functions(plan.on_progress, plan.progress, "calls")
        self._now = yield Now()
        self.tally.begin(self._now, self._inputs.total)
        yield from self._recording.open(self._config)
        self._estimator = yield from Estimator.begin(plan)
        given = plan.rate_limit
        follows = given == "auto"
        self._follows = follows
        self._admission = Admission(
            self._now,
            concurrency=plan.concurrency,
            per_minute=None if isinstance(given, str) else given,
            follows=follows,
            limits=None if plan.budget is None else plan.budget.limits,
        )
        total = self._inputs.total
        if follows and (total is None or total > _FEW):
            yield StartCalls(((_LIMITS, Usage.rate_limits.build()),))

    def _start(self) -> Flow[None]:
        """Begin as many attempts as there may be."""
        started: list[tuple[int, Any]] = []
        self._wait = inf
        while True:
            job = yield from self._following()
            if job is None:
                break
            given = self._admit(job)
            if not isinstance(given, Slot):
                break
            job.slot = given
            self._running[job.entry.index] = job
            started.append((job.entry.index, attempt(job.entry.call, job.key)))
        if started:
            yield StartCalls(started)

    def _following(self) -> Flow[Optional[_Job[T]]]:
        """Return the call that is next: one to be sent again, or a new one; None if there is none.

        What is recorded already is handed over on the way.
        """
        if self._again:
            due, _, job = self._again[0]
            if due <= self._now:
                return job
            self._wait = due - self._now
        while self._next is None and not self._is_ending and self._has_room():
            entry = yield from self._pulled()
            if entry is None:
                break
            yield from self._look_up(entry)
        # A call that has to wait for its turn does not wait for those that are to be sent again.
        return None if self._is_ending else self._next

    def _has_room(self) -> bool:
        waiting = len(self._running) + len(self._again) + len(self._handover)
        return waiting < self._admission.concurrency * self._ahead

    def _pulled(self) -> Flow[Optional[Entry[T]]]:
        """Return the next call of the program's iterable; None if it is not there yet, or never."""
        inputs = self._inputs
        if self._has_pulled_all or self._is_pulling:
            return None
        if inputs.is_async:
            self._is_pulling = True
            yield StartPull(inputs.source)
            return None
        try:
            entry = inputs.next()
        except Exception as exc:
            # Of the program's own code, or the call is none.
            self._stop_with(exc)
            return None
        self._has_pulled_all = entry is None
        return entry

    def _look_up(self, entry: Entry) -> Flow[None]:
        """Hand over what is recorded for a call; otherwise the call is the next to begin."""
        try:
            key = self._recording.key_of(entry)
            item = yield from self._recording.known(entry, key)
        except MeshAPIError as exc:
            self._stop_with(exc)
            return
        if item is not None:
            self._hand_over(item)
            return
        self._next = _Job(entry, key, self._estimator.guess(entry.call))

    def _admit(self, job: _Job[T]) -> bool:
        """Whether a call begins now, in a slot of its own."""
        is_again = job.attempts > 0
        given = self._admission.admit(
            self._now,
            tokens=job.guess.tokens,
            cost=job.guess.cost,
            spent=self._spent(),
            failures=self.tally.failed,
            again=is_again,
        )
        if isinstance(given, Hold):
            self._wait = min(self._wait, given.seconds)
            return False
        if isinstance(given, Stop):
            self.tally.stopped, self.tally.limit = "budget", given.limit
            self._next = None
            return False
        job.slot = given
        if is_again:
            heappop(self._again)
        else:
            self._next = None
        return True

    def _receive(self, seconds: float) -> Flow[None]:
        """Take what has ended, waiting for it so long at most."""
        given: Ends = yield NextEnds(None if seconds == inf else seconds)
        self._now = given.now
        if not given.ends:
            return
        for end in given.ends:
            if end.number >= 0:
                yield from self._take(self._running.pop(end.number), end)
            elif end.number == PULL:
                yield from self._take_pulled(end)
            elif end.error is None:
                self._admission.adopt(self._now, end.value)
        try:
            yield from self._recording.write()
        except MeshAPIError as exc:
            # What could not be recorded is handed over all the same.
            self._stop_with(exc)
        for item in self._recording.taken():
            self._hand_over(item)
        yield from tell_progress(self._functions, self.tally.progress(self._now))
