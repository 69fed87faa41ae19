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

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any, Final, Generic, Optional, TypeVar, Union

from msgspec import structs

from meshapi_core._base_error import MeshAPIError
from meshapi_core.bulk.admission import Admission
from meshapi_core.bulk.attempts import (
    MOST_REFUSALS,
    Received,
    attempt,
    has_no_file,
    is_refusal,
    retry,
)
from meshapi_core.bulk.estimates import estimated_tokens
from meshapi_core.bulk.inputs import Inputs
from meshapi_core.bulk.item_usage import NO_PRICES, cost_in_usage, usage_of
from meshapi_core.bulk.items import MapItem
from meshapi_core.bulk.jobs import Job, Jobs
from meshapi_core.bulk.options import Plan
from meshapi_core.bulk.recording import Recording
from meshapi_core.bulk.results import Results
from meshapi_core.bulk.room import most_at_once
from meshapi_core.bulk.slots import Hold, Slot, Stop
from meshapi_core.bulk.summary import MapSummary
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
from meshapi_core.flows.polling import random_number
from meshapi_core.flows.steps import Emit, Flow, GetConfig, ItemFlow, Now, RandomBytes
from meshapi_core.headers import find_request_id
from meshapi_core.messages import Response
from meshapi_core.progress import OnProgress, progress_functions, tell_progress
from meshapi_core.response_meta import RateLimitHeaders
from meshapi_core.usage import BudgetExceededError
from meshapi_core.usage.budgets import BudgetLimits
from meshapi_core.usage.totals import TotalUsage

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
"""An eighth of the calls that may be under way, and at least so many, are taken together when they
have ended. Calls that begin in their place are sent before the next are taken: otherwise all calls
would begin and end in step, and the gateway and the program would wait for each other in turns."""

_OFTEN: Final = 0.25
"""Seconds after which the rate limits in the headers of a response are looked at again."""

_UNTOLD: Final = 4
"""Calls that may be under way until the account's limits are known, or one has ended."""

_TOLD_OFTEN: Final = 0.1
"""Seconds between two times that the program is told of progress: nobody sees more of a bar."""

_NAME_BYTES: Final = 13
"""Random bytes in the idempotency keys of a run that has no journal: as in those of the client."""

_NO_LIMITS: Final = BudgetLimits()
_NO_USAGE: Final = TotalUsage()


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
        self._streak = self._told = 0
        self._knows_limits = True
        self._told_at = -inf
        self._now = self._looked_at = 0.0
        self._wait = inf
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
                if in_a_row >= self._batch():
                    in_a_row = 0
                    yield from self._receive(0.0)
                    yield from self._tell()
            elif self._running or self._jobs:
                in_a_row = 0
                yield from self._receive(self._wait)
            elif len(results):
                # In the order of the input, what comes after a call that has no result.
                results.end()
            else:
                break
        yield from self._recording.begin()
        yield from self._recording.close()
        yield from self._tell()
        if self._error is not None:
            raise self._error
        results.stopped = results.stopped or "completed"
        return results.summary(results.stopped)

    def _begin(self) -> Flow[None]:
        plan = self._plan
        self._config: MeshAPIConfig = yield GetConfig()
        self._policy = self._config.retry_policy
        self._functions: tuple[OnProgress, ...] = yield from progress_functions(
            plan.on_progress, plan.progress, "calls"
        )
        yield from self._recording.open(self._config)
        drawn: bytes = yield RandomBytes(_NAME_BYTES)
        self._name = drawn.hex()
        connections: Any = yield GetLimits()
        self._now = yield Now()
        self.results.begin(self._now)
        files: Optional[int] = yield GetMostFiles()
        most = most_at_once(plan.concurrency, connections, files)
        budget = plan.budget
        limits = _NO_LIMITS if budget is None else budget.limits
        self._prices = NO_PRICES if budget is None else budget.prices
        given = None if isinstance(plan.rate_limit, str) else plan.rate_limit
        self._follows = plan.rate_limit == "auto"
        self._admission = Admission(
            self._now,
            concurrency=plan.concurrency,
            per_minute=given,
            follows=self._follows,
            limits=limits,
            most=most,
        )
        earlier = self._admissions.pop(plan.rate_limit, None)
        if earlier is not None:
            self._admission.go_on(self._now, earlier)
        has_token_limit = given is not None and given.tokens is not None
        self._counts_tokens = has_token_limit or plan.budget is not None
        total = self._inputs.total
        if self._follows and (total is None or total > _FEW):
            self._knows_limits = self._admission.per_minute[0] is not None
            yield StartCalls(((_LIMITS, Usage.rate_limits.build()),))

    def _start(self) -> Flow[None]:
        """Begin as many attempts as there may be now."""
        started: list[tuple[int, Any]] = []
        jobs = self._jobs
        self._wait = inf
        while True:
            job: Optional[Job] = yield from jobs.following(self._now, self._has_room)
            is_rash = not self._knows_limits and len(self._running) >= _UNTOLD
            if job is None or is_rash:
                self._wait = jobs.wait(self._now)
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
            yield StartCalls(started)

    def _has_room(self) -> bool:
        """Whether one more call may be begun, or be among the results that wait."""
        waiting = len(self._running) + self._jobs.again + len(self.results)
        return waiting < _AHEAD[self._plan.order] * self._admission.concurrency

    def _is_admitted(self, job: Job) -> bool:
        """Whether an attempt begins now; it has a slot then."""
        admission = self._admission
        if job.guess is None and (self._counts_tokens or admission.per_minute[1] is not None):
            job.guess = estimated_tokens(job.entry.call)
        given = admission.admit(
            self._now,
            tokens=0 if job.guess is None else job.guess.total,
            cost=None,
            spent=self._spent(),
            failures=self.results.failed,
            again=job.attempts > 0,
        )
        if type(given) is Slot:
            job.slot = given
            return True
        if isinstance(given, Hold):
            self._wait = min(given.seconds, self._jobs.wait(self._now))
        elif isinstance(given, Stop):
            self._stop_at(given.limit)
            # What is sent again goes on.
            self._wait = self._jobs.wait(self._now)
        return False

    def _stop_at(self, limit: str) -> None:
        """Begin no further call, because the budget is used up."""
        self._jobs.stop()
        self.results.stopped, self.results.limit = "budget", limit

    def _end_with(self, error: BaseException) -> None:
        """Begin no further call, and raise this error once those under way have ended."""
        self._jobs.drop()
        self._error = self._error or error

    def _batch(self) -> int:
        """How many calls that have ended are taken together."""
        return max(_BATCH, self._admission.concurrency // _BATCH)

    def _receive(self, seconds: float) -> Flow[None]:
        """Take what has ended; wait for it so many seconds at most."""
        given: Ends = yield NextEnds(None if seconds == inf else seconds, self._batch())
        self._now = self.results.now = given.now
        self._is_held = False
        if not given.ends:
            return
        for end in given.ends:
            if end.number == PULL:
                yield from self._jobs.take_pulled(end)
                continue
            self._knows_limits = True
            if end.number == _LIMITS:
                self._take_limits(end)
            elif end.error is None:
                self._take_response(self._running.pop(end.number), end.value)
            else:
                yield from self._take_error(self._running.pop(end.number), end.error)
        try:
            yield from self._recording.write()
        except MeshAPIError as exc:
            # What could not be recorded is handed over all the same.
            self._end_with(exc)
        for item in self._recording.taken():
            self._hand_over(item)
        if self._now - self._told_at >= _TOLD_OFTEN:
            yield from self._tell()

    def _tell(self) -> Flow[None]:
        """Tell the program how far the run has come."""
        if self._functions and self._told != self.results.done:
            self._told, self._told_at = self.results.done, self._now
            yield from tell_progress(self._functions, self.results.progress())

    def _take_limits(self, end: CallEnd) -> None:
        # A gateway that does not know them, or does not tell, names them in its headers perhaps.
        found: Any = getattr(end.value, "key", None)
        if found:
            self._admission.adopt(self._now, found)

    def _take_response(self, job: Job, received: Received[T]) -> None:
        response = received.response
        entry, value = job.entry, received.value
        usage = usage_of(entry.call, value, response.body, prices=self._prices)
        cost = cost_in_usage(usage)
        self._streak = 0
        tokens = usage.total_tokens if usage.requests else None
        headers = self._headers_of(response)
        self._admission.end(job.slot, self._now, tokens=tokens, cost=cost, limits=headers)
        self._spend(job, usage)
        item = MapItem(
            index=entry.index,
            id=entry.id,
            value=value,
            usage=usage,
            cost=cost,
            attempts=job.attempts + 1,
            request_id=find_request_id(response.headers),
        )
        self._recording.add(job.known.key, item, response)

    def _headers_of(self, response: Response) -> Optional[RateLimitHeaders]:
        """Return the rate limits in the headers, now and then: to read them takes long."""
        if not self._follows or self._now - self._looked_at < _OFTEN:
            return None
        self._looked_at = self._now
        return response.meta.rate_limits

    def _take_error(self, job: Job, error: Exception) -> Flow[None]:
        job.attempts += 1
        if not isinstance(error, MeshAPIError) or isinstance(error, BudgetExceededError):
            # Nothing was sent: the program's middleware has failed, or a budget of the client.
            self._admission.end(job.slot, self._now, tokens=0, result="failed")
            if isinstance(error, BudgetExceededError):
                self._stop_at(error.limit)
                if job.attempts > 1:
                    self._fail(job, error)
            else:
                self._end_with(error)
            return
        is_crowded = has_no_file(error) and job.refusals < MOST_REFUSALS
        if is_crowded:
            self._admission.crowd(self._now, job.slot)
        is_refused = is_refusal(error)
        if is_refused and not self._admission.cooling(self._now):
            self._streak += 1
        what = retry(
            error,
            self._policy,
            failures=job.failures,
            refusals=job.refusals,
            streak=max(0, self._streak - 1),
            random=(yield from random_number()),
        )
        result: Any = "limited" if is_refused else "failed" if error.status else "lost"
        self._admission.end(job.slot, self._now, limits=self._limits_in(error), result=result)
        if what.cool_down:
            self._admission.cool_down(self._now, what.cool_down)
        if what.ends_run:
            self._end_with(error)
        elif what.delay is None or self._error is not None:
            self._fail(job, error)
        else:
            job.refusals += is_refused or is_crowded
            job.failures += not (is_refused or is_crowded)
            self._jobs.send_again(job, self._now + what.delay)

    def _limits_in(self, error: MeshAPIError) -> Optional[RateLimitHeaders]:
        return error.meta.rate_limits if self._follows and error.headers else None

    def _fail(self, job: Job, error: MeshAPIError) -> None:
        """Take the error of a call that is not sent again."""
        error.attempts = job.attempts
        entry = job.entry
        usage = usage_of(entry.call, error=error, prices=self._prices)
        self._spend(job, usage)
        item: MapItem[T] = MapItem(
            index=entry.index,
            id=entry.id,
            error=error,
            usage=usage,
            cost=cost_in_usage(usage),
            attempts=job.attempts,
            request_id=error.request_id,
        )
        self._recording.add(job.known.key, item, None)

    def _spend(self, job: Job, usage: TotalUsage) -> None:
        budget = self._plan.budget
        if budget is not None and not self._is_counted:
            budget.spend("" if job.guess is None else job.guess.model, usage)

    def _spent(self) -> TotalUsage:
        """What is spent of the budget; its requests include the calls that go on."""
        budget = self._plan.budget
        if budget is None:
            return _NO_USAGE
        spent = budget.spent
        if self._is_counted:
            return spent
        going_on = len(self._running) + self._jobs.again
        return structs.replace(spent, requests=spent.requests + going_on)

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
