"""Many calls at once, as a flow: what `client.map` does.

The flow takes calls from the program's iterable as slots become free, so what is in memory is
bounded by the concurrency:

    the iterable -> admitted -> under way -> recorded -> handed over
                        ^           |
                        +-- waits <-+  to be sent again

- Whether an attempt may begin is up to a `Gate`; whether there is another one, to `Taking`.
- Nothing runs but the calls that are under way. New ones begin when the program asks for the next
  item: a program that is slow to take items slows the run down, and does not fill the memory.
- A result is written to the journal before it is handed over: see `recording`.
- Whatever ends the run early (a budget, a journal that cannot be written, an iterable that raises,
  a token that is refused) only stops new calls. Those that are under way end, and are recorded and
  handed over; then an error is raised, if it was one.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Final, Generic, Optional, TypeVar, Union

from meshapi_core._base_error import MeshAPIError
from meshapi_core.bulk.attempts import (
    attempt,
)
from meshapi_core.bulk.gate import Gate
from meshapi_core.bulk.inputs import Inputs
from meshapi_core.bulk.items import MapItem
from meshapi_core.bulk.jobs import Job, Jobs
from meshapi_core.bulk.journals.recording import Recording
from meshapi_core.bulk.options import Plan
from meshapi_core.bulk.pacing.admission import Admission
from meshapi_core.bulk.pacing.slots import Hold, Slot, Stop
from meshapi_core.bulk.results import Results
from meshapi_core.bulk.summary import MapSummary
from meshapi_core.bulk.taking import Taking
from meshapi_core.bulk.telling import LONG_WAIT, Telling
from meshapi_core.config import MeshAPIConfig
from meshapi_core.endpoints.account import Usage
from meshapi_core.flows.concurrent import (
    PULL,
    CallEnd,
    Ends,
    GetLimits,
    GetMostFiles,
    NextEnds,
    StartCalls,
)
from meshapi_core.flows.steps import Emit, Flow, GetConfig, ItemFlow, Now, RandomBytes

if TYPE_CHECKING:
    from meshapi_core.bulk.by_batch import RunByBatch

__all__ = ["Run", "planned_run"]

T = TypeVar("T")

_LIMITS: Final = 2**62
"""The number of the call that asks for the account's rate limits; others are places in the input,
which nobody has so many of."""

_FEW: Final = 10
"""So few calls are not worth that request."""

_AHEAD: Final = {"completion": 2, "input": 4}
"""How many times the concurrency the calls may be that are under way, or whose results wait. In the
order of the input, more have to wait: for the slowest of those that began together."""

_BATCH: Final = 8
_PARTS: Final = 32
"""One part of the calls that may be under way, and at least a batch, is taken together when it has
ended. Calls that begin in its place are sent before the next are taken: otherwise all calls would
begin and end in step, and the gateway and the program would wait for each other in turns. Python's
garbage collector would also run in each turn, as it counts what is allocated before anything is
freed: 700 objects, which some 20 calls have."""

_UNTOLD: Final = 4
"""Calls that may be under way until the account's limits are known, or one has ended."""

_NAME_BYTES: Final = 13
"""Random bytes in the idempotency keys of a run that has no journal: as in those of the client."""


class Run(Generic[T]):
    """A run, and its numbers while it goes on.

    Args:
        inputs: the calls.
        plan: how to make them.
        admissions: of earlier runs of the client, by their rate limits. A run takes one while it
            goes on, and leaves its own there.
        is_counted: whether the client counts towards the budget, too.

    Attributes:
        results: what has ended.
    """

    def __init__(
        self,
        inputs: Inputs,
        plan: Plan,
        admissions: Optional[dict[object, Admission]] = None,
        *,
        is_counted: bool = False,
    ) -> None:
        self.results: Results[T] = Results(plan, inputs.total)
        self._inputs = inputs
        self._plan = plan
        self._admissions = {} if admissions is None else admissions
        self._is_counted = is_counted
        self._recording: Recording[T] = Recording(plan)
        self._running: dict[int, Job] = {}
        self._jobs = Jobs(inputs, self._recording, self._hand_over, self._end_with)
        self._error: Optional[BaseException] = None
        self._telling = Telling(plan, self.results)
        self._knows_limits = True
        self._now = 0.0
        self._wait = inf
        # Calls that there is room for, and ends that are taken together.
        self._room, self._batch = 0, _BATCH
        # Whether nothing begins before something has ended, or a time has come.
        self._is_held = False

    def flow(self) -> ItemFlow[MapItem[T], MapSummary]:
        """Make the calls, and hand over their results."""
        return self.results.noting(self._flow())

    def _flow(self) -> ItemFlow[MapItem[T], MapSummary]:
        yield from self._begin()
        try:
            return (yield from self._made())
        finally:
            self._admissions[self._plan.rate_limit] = self._admission

    def _made(self) -> ItemFlow[MapItem[T], MapSummary]:
        results, in_a_row = self.results, 0
        while True:
            if not self._is_held:
                yield from self._start()
            item = results.next()
            if item is not None:
                yield Emit(item)
                in_a_row += 1
                if in_a_row >= self._batch:
                    in_a_row = 0
                    yield from self._receive(0.0)
            elif self._running or self._jobs:
                # What the program does with items takes time, too: some of the wait is over.
                is_late = in_a_row > 0 and self._wait < inf
                in_a_row = 0
                yield from self._receive(0.0 if is_late else self._wait)
            elif len(results):
                # In the order of the input, what comes after a call that has no result.
                results.end()
            else:
                break
        yield from self._recording.begin()
        yield from self._recording.close()
        yield from self._telling.tell(self._now)
        if self._error is not None:
            raise self._error
        results.stopped = results.stopped or "completed"
        return results.summary(results.stopped)

    def _begin(self) -> Flow[None]:
        plan = self._plan
        config: MeshAPIConfig = yield GetConfig()
        yield from self._telling.begin()
        yield from self._recording.open(config)
        drawn: bytes = yield RandomBytes(_NAME_BYTES)
        self._name = drawn.hex()
        connections: Any = yield GetLimits()
        self._now = yield Now()
        self.results.begin(self._now)
        files: Optional[int] = yield GetMostFiles()
        gate = Gate(plan, self._now, connections, files, is_counted=self._is_counted)
        self._gate, self._admission = gate, gate.admission
        self._taking: Taking[T] = Taking(
            gate,
            self.results,
            self._recording,
            self._jobs,
            config.retry_policy,
            self._stop_at,
            self._end_with,
        )
        earlier = self._admissions.pop(plan.rate_limit, None)
        if earlier is not None:
            self._admission.go_on(self._now, earlier)
        total = self._inputs.total
        if gate.follows and (total is None or total > _FEW):
            self._knows_limits = self._admission.per_minute[0] is not None
            yield StartCalls(((_LIMITS, Usage.rate_limits.build()),))

    def _start(self) -> Flow[None]:
        """Begin as many attempts as there may be now."""
        started: list[tuple[int, Any]] = []
        jobs = self._jobs
        self._wait, self._room = inf, 0
        left = self._admission.time_left(self._now)
        if not left:
            yield from self._end_time()
        while True:
            job: Optional[Job] = yield from jobs.following(
                self._now, self._has_room, self._give_up, is_idle=not self._running
            )
            is_rash = not self._knows_limits and len(self._running) >= _UNTOLD
            if job is None or is_rash:
                self._wait = min(jobs.wait(self._now), left or inf)
                break
            if not self._is_admitted(job):
                self._is_held = True
                break
            jobs.begin(job)
            index = job.entry.index
            self._running[index] = job
            # The same for all attempts: the client would draw one for each.
            # Letters and digits alone: see `http11/request_heads.py`.
            key = job.known.idempotency_key or f"{self._name}x{index}"
            started.append((index, attempt(job.entry.call, key, job.attempts)))
        if started:
            self._telling.goes_on = True
            yield StartCalls(started)

    def _end_time(self) -> Flow[None]:
        """Fail the calls that wait to be sent again, because the budget's seconds are used up."""
        jobs = self._jobs
        if jobs.begun or jobs.is_pulling:
            self._stop_at("seconds")
            for job in jobs.take_again():
                self._taking.fail(job)
            yield from self._record()

    def _has_room(self) -> bool:
        """Whether one more call may be begun, or be among the results that wait.

        Each one that is asked for takes as much room, whichever it becomes. So they are counted
        anew only where the room seems to be used up.
        """
        if self._room <= 0:
            waiting = len(self._running) + self._jobs.again + len(self.results)
            self._room = _AHEAD[self._plan.order] * self._admission.concurrency - waiting
        self._room -= 1
        return self._room >= 0

    def _is_admitted(self, job: Job) -> bool:
        """Whether an attempt begins now; it has a slot then."""
        gate = self._gate
        if gate.has_budget:
            going_on = len(self._running) + self._jobs.begun
            given = gate.admit(job, self._now, going_on=going_on, failed=self.results.failed)
        else:
            given = gate.admit(job, self._now)
        if type(given) is Slot:
            job.slot = given
            return True
        if isinstance(given, Hold):
            self._wait = min(given.seconds, self._jobs.wait(self._now))
        elif isinstance(given, Stop):
            self._stop_at(given.limit)
            # What is sent again goes on.
            self._wait = 0.0 if self._jobs.begun else self._jobs.wait(self._now)
        return False

    def _stop_at(self, limit: str) -> None:
        """Begin no further call, because the budget is used up."""
        self._jobs.stop()
        self.results.stopped, self.results.limit = "budget", limit

    def _end_with(self, error: BaseException) -> None:
        """Begin no further call, and raise this error once those under way have ended."""
        self._jobs.drop()
        self._error = self._error or error

    def _receive(self, seconds: float) -> Flow[None]:
        """Take what has ended; wait for it so many seconds at most."""
        self._batch = max(_BATCH, self._admission.concurrency // _PARTS)
        if seconds >= LONG_WAIT:
            state = {"is_held": self._is_held, "is_idle": not self._running}
            yield from self._telling.long_wait(self._now, seconds, self._gate, self._jobs, **state)
        given: Ends = yield NextEnds(None if seconds == inf else seconds, self._batch)
        self._now = self.results.now = given.now
        self._is_held = False
        if given.ends:
            yield from self._take(given.ends)
        yield from self._telling.often(self._now)

    def _take(self, ends: Sequence[CallEnd]) -> Flow[None]:
        """Take what has ended."""
        taking, now = self._taking, self._now
        for end in ends:
            if end.number == PULL:
                yield from self._jobs.take_pulled(end)
                continue
            self._knows_limits = True
            if end.number == _LIMITS:
                self._take_limits(end)
            elif end.error is None:
                taking.response(self._running.pop(end.number), end.value, now)
            else:
                is_ending = self._error is not None
                job = self._running.pop(end.number)
                yield from taking.error(job, end.error, now, is_ending=is_ending)
        yield from self._record()

    def _give_up(self, job: Job) -> Flow[None]:
        """Fail a call whose model refuses everything."""
        self._taking.give_up(job)
        yield from self._record()

    def _record(self) -> Flow[None]:
        """Record the results that there are, and hand them over."""
        try:
            yield from self._recording.write()
        except MeshAPIError as exc:
            # What could not be recorded is handed over all the same.
            self._end_with(exc)
        for item in self._recording.taken():
            self._hand_over(item)

    def _take_limits(self, end: CallEnd) -> None:
        # A gateway that does not know them, or does not tell, names them in its headers perhaps.
        if end.error is None:
            self._gate.outages.hear()
        found: Any = getattr(end.value, "key", None)
        if found:
            self._admission.adopt(self._now, found)

    def _hand_over(self, item: MapItem[T]) -> None:
        error = self.results.add(item)
        if error is not None:
            self._end_with(error)


def planned_run(
    calls: object,
    template: object,
    options: Mapping[str, Any],
    *,
    takes_async: bool,
    admissions: Optional[dict[object, Admission]] = None,
    is_counted: bool = False,
) -> "Union[Run[Any], RunByBatch[Any]]":
    """Return the run that a program asks for; nothing of it is done yet.

    Args:
        calls, template, options: as for `client.map`.
        takes_async: whether the client can read an async iterable.
        admissions, is_counted: see `Run`.

    Raises:
        InvalidParamsError: one of them cannot be used.
    """
    plan = Plan.of(options)
    inputs = Inputs(calls, template, takes_async=takes_async)
    if plan.via == "live":
        return Run(inputs, plan, admissions, is_counted=is_counted)
    # Imported on first use: few runs are made of batches.
    from meshapi_core.bulk.by_batch import RunByBatch

    return RunByBatch(inputs, plan)
