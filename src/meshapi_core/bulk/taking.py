"""What becomes of an attempt that has ended: a result that is recorded, or another attempt."""

from collections.abc import Callable
from copy import copy
from typing import Generic, TypeVar

from meshapi_core._base_error import MeshAPIError
from meshapi_core.bulk.attempts import (
    MOST_REFUSALS,
    Received,
    Retry,
    has_no_file,
    is_refusal,
    retry,
)
from meshapi_core.bulk.gate import Gate
from meshapi_core.bulk.item_usage import cost_in_usage, usage_of
from meshapi_core.bulk.items import MapItem
from meshapi_core.bulk.jobs import Job, Jobs
from meshapi_core.bulk.journals.recording import Recording
from meshapi_core.bulk.pacing.outages import is_reached, is_unreachable
from meshapi_core.bulk.results import Results
from meshapi_core.bulk.uploads import unreadable
from meshapi_core.flows.polling import random_number
from meshapi_core.flows.steps import Flow
from meshapi_core.headers import find_request_id
from meshapi_core.retries import RetryPolicy
from meshapi_core.usage import BudgetExceededError, TotalUsage

__all__ = ["Taking"]

T = TypeVar("T")


class Taking(Generic[T]):
    """Takes the ends of the attempts of one run.

    Args:
        gate: gets back their slots.
        results: counts refusals.
        recording: takes results.
        jobs: take the calls that are sent again.
        policy: of the client.
        stop_at: ends the run without an error, at this limit of a budget.
        end_with: ends it with an error.
    """

    def __init__(
        self,
        gate: Gate,
        results: Results[T],
        recording: Recording[T],
        jobs: Jobs,
        policy: RetryPolicy,
        stop_at: Callable[[str], object],
        end_with: Callable[[Exception], object],
    ) -> None:
        self._results = results
        self._gate = gate
        self._recording = recording
        self._jobs = jobs
        self._policy = policy
        self._stop_at = stop_at
        self._end_with = end_with
        # How many refusals there have been since the last response.
        self._streak = 0
        # The last ones of models that are given up.
        self._refusals: dict[str, MeshAPIError] = {}

    def response(self, job: Job, received: Received[T], now: float) -> None:
        """Take a response."""
        gate, response = self._gate, received.response
        if gate.outages.listens:
            gate.outages.hear()
        entry, value = job.entry, received.value
        usage = usage_of(entry.call, value, response.body, prices=gate.prices)
        cost = cost_in_usage(usage)
        self._streak = 0
        if self._jobs.models.is_watching:
            self._serve(job, now)
        tokens = usage.total_tokens if usage.requests else None
        headers = gate.headers_of(response, now)
        gate.admission.end(job.slot, now, tokens=tokens, cost=cost, limits=headers)
        gate.spend(job, usage)
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

    def error(self, job: Job, error: Exception, now: float, *, is_ending: bool) -> Flow[None]:
        """Take an error: the call is sent again, or has failed, or the run ends.

        Args:
            job: the call.
            error: what its attempt raised.
            now: the time.
            is_ending: whether the run ends with an error, so that no call is sent again.
        """
        admission, models = self._gate.admission, self._jobs.models
        job.attempts += 1
        if job.is_apart:
            models.end(job.model)
        if not isinstance(error, MeshAPIError):
            found = unreadable(job.entry.call, error)
            if found is not None:
                error = found
                # Nothing was sent.
                job.attempts -= found.outcome is None
        if not isinstance(error, MeshAPIError) or isinstance(error, BudgetExceededError):
            self._gate.outages.end(job.slot)
            # Nothing was sent: the program's middleware has failed, or a budget of the client.
            admission.end(job.slot, now, tokens=0, result="failed")
            if isinstance(error, BudgetExceededError):
                self._stop_at(error.limit)
                if job.attempts > 1:
                    self._fail(job, error)
            else:
                self._end_with(error)
            return
        job.error = error
        if is_unreachable(error.outcome) and not has_no_file(error):
            if (yield from self._unreachable(job, error, now, is_ending=is_ending)):
                return
        elif is_reached(error.outcome):
            self._gate.outages.hear()
        else:
            self._gate.outages.end(job.slot)
        if is_refusal(error):
            yield from self._refusal(job, error, now, is_ending=is_ending)
            return
        is_crowded = has_no_file(error) and job.refusals < MOST_REFUSALS
        if is_crowded:
            admission.crowd(now, job.slot)
        what: Retry = yield from self._retry(job, error)
        limits = self._gate.limits_in(error)
        admission.end(job.slot, now, limits=limits, result="failed" if error.status else "lost")
        if what.ends_run:
            self._end_with(error)
        elif what.delay is None or is_ending:
            self._fail(job, error)
        else:
            job.refusals += is_crowded
            job.failures += not is_crowded
            self._jobs.send_again(job, now + what.delay)

    def _unreachable(
        self, job: Job, error: MeshAPIError, now: float, *, is_ending: bool
    ) -> Flow[bool]:
        """Take that an attempt got no connection. Return whether all calls wait for the gateway."""
        outages, outcome = self._gate.outages, error.outcome
        assert outcome is not None
        random: float = yield from random_number()
        is_last = job.failures >= self._policy.max_retries > 0
        ends_run = outages.fail(now, job.slot, outcome, random, is_last=is_last)
        if not outages.is_on:
            return False
        self._gate.admission.end(job.slot, now, tokens=0, result="lost")
        if ends_run:
            self._end_with(self._results.unreachable(error, outages.lasted(now)))
        elif is_ending:
            self._fail(job, error)
        else:
            self._jobs.send_again(job, now)
        return True

    def fail(self, job: Job) -> None:
        """Fail a call that was to be sent again, with the error of its last attempt."""
        assert job.error is not None
        self._fail(job, job.error)

    def give_up(self, job: Job) -> None:
        """Fail a call whose model stands apart, and would refuse it."""
        refusal = job.error
        if refusal is None:
            refusal = copy(self._refusals[job.model])
        self._fail(job, refusal)

    def _serve(self, job: Job, now: float) -> None:
        model, models = job.model, self._jobs.models
        if job.is_apart:
            models.end(model)
        models.serve(model, job.slot.begun, now)

    def _refusal(self, job: Job, error: MeshAPIError, now: float, *, is_ending: bool) -> Flow[None]:
        """Take a refusal. All calls wait, or those of the model alone: see `pacing.models`."""
        admission, models, model = self._gate.admission, self._jobs.models, job.model
        self._results.rate_limited += 1
        whose = models.refuse(model, job.slot.begun, now)
        if whose == "new":
            admission.mark()
        elif whose == "found":
            admission.excuse(now)
        is_own = whose in ("found", "own")
        if not is_own and not admission.cooling(now):
            self._streak += 1
        streak = models.streak(model) if is_own else max(0, self._streak - 1)
        what: Retry = yield from self._retry(job, error, streak)
        if is_own:
            admission.end(job.slot, now, tokens=0, result="failed")
        else:
            limits = self._gate.limits_in(error)
            admission.end(job.slot, now, limits=limits, result="limited")
            if what.cool_down:
                admission.cool_down(now, what.cool_down)
        wait = (error.retry_after_seconds or 0.0) if what.ends_run else what.cool_down
        models.delay(model, now + wait, gives_up=what.ends_run)
        if what.ends_run and not is_own:
            self._end_with(error)
        elif what.delay is None or is_ending:
            self._fail(job, error)
        else:
            job.refusals += 1
            if is_own:
                self._jobs.keep(job)
            else:
                self._jobs.send_again(job, now + what.delay)
        if models.is_given_up(model):
            self._refusals[model] = error
            for kept in self._jobs.take_kept(model):
                self.give_up(kept)

    def _retry(self, job: Job, error: MeshAPIError, streak: int = 0) -> Flow[Retry]:
        return retry(
            error,
            self._policy,
            failures=job.failures,
            refusals=job.refusals,
            streak=streak,
            random=(yield from random_number()),
        )

    def _fail(self, job: Job, error: MeshAPIError) -> None:
        """Take the error of a call that is not sent again."""
        error.attempts = job.attempts
        entry = job.entry
        usage = TotalUsage()
        if job.attempts:
            usage = usage_of(entry.call, error=error, prices=self._gate.prices)
        self._gate.spend(job, usage)
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
