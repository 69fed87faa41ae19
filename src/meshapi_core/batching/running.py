"""Calls in as many batches as they need, of which a few are under way at the same time.

    what there is                               what follows
    a call that an earlier run submitted        nothing is sent: its batch is waited for
    any other call                              it is gathered with those of its endpoint and model
    a batch is full, or the calls are all there it is submitted, if fewer than `MOST_OPEN` are open
    the gateway takes no more batches           a pause, in which the open ones are looked at
    nobody knows whether a batch was made       its mark is looked for in the gateway's list. It is
                                                made again only if a whole look did not find it
    a batch has ended                           its results are handed over, in the order of calls
    a call expired, was cancelled by the        it is gathered again, at most `resubmit` times; then
    gateway, or failed with 429 or 5xx          its error is handed over
    calls that can be in no batch, or an error  no further calls are asked for. The error is raised
    of the iterable                             after all results, or at once if nothing was sent

Each open batch has its own `Polling`; the one whose look is due first comes next. No call is asked
for while a batch cannot be submitted, so that at most `MOST_OPEN` open batches and one of each
endpoint and model are held.

A batch that somebody cancels is not submitted again: it was seen as `cancelling`, or has
`cancelling_at`. If neither is the case, the gateway did it.
"""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Optional, TypeVar, Union

from msgspec import Struct
from msgspec.structs import replace

from meshapi_core._json_kinds import value_name
from meshapi_core.batching.items import BatchItem, Ended, with_rows
from meshapi_core.batching.ledgers import BatchLedger, SubmissionLedger
from meshapi_core.batching.parts import Entry, Part, entry_of, found_by_mark
from meshapi_core.batching.sources import CallSource, GivenCalls
from meshapi_core.batching.submission import (
    NOT_SUBMITTED,
    BatchSubmission,
    batch_id_of,
    batch_options,
)
from meshapi_core.batching.under_way import OpenBatch
from meshapi_core.calls import Call
from meshapi_core.endpoints._batched_calls import JOB
from meshapi_core.errors import (
    APIConnectionError,
    InvalidParamsError,
    JobFailedError,
    JobTimeoutError,
    MeshAPIError,
    RateLimitError,
)
from meshapi_core.flows.polling import Look, Polling, Waiting, random_number
from meshapi_core.flows.steps import Emit, Flow, ItemFlow, Now, Pause, RandomBytes
from meshapi_core.progress import OnProgress, Progress, tell_progress
from meshapi_core.types.batches import BatchObject

__all__ = ["MOST_OPEN", "BatchOptions", "BatchRun", "run_calls"]

T = TypeVar("T")

MOST_OPEN: Final = 10
"""The open batches of one account, as the gateway allows them (`batch_limit_exceeded`)."""

_MARK_SIZE: Final = 16


class BatchOptions(Struct, frozen=True, kw_only=True):
    """How batches are made and waited for.

    Fields:
        waiting: the time limit for the whole run, how often to look, and who is told of it.
        completion_window, metadata: of every batch.
        resubmit: how many times a call may be submitted again.
        again: how the program goes on after the time limit, for the error.
    """

    waiting: Waiting = Waiting()
    completion_window: Optional[str] = None
    metadata: Optional[Mapping[str, Any]] = None
    resubmit: int = 2
    again: str = "start it again to go on"

    def check(self) -> dict[str, Any]:
        """Return what goes along with every batch.

        Raises:
            InvalidParamsError: an argument is wrong.
        """
        # For callers without a type checker.
        resubmit: Any = self.resubmit
        if type(resubmit) is not int or resubmit < 0:
            got = value_name(resubmit, show=True)
            hint = "0 submits nothing again" if resubmit is None or resubmit is False else ""
            raise InvalidParamsError("resubmit", "an int, 0 or more", got, hint)
        return batch_options(self.completion_window, self.metadata)


class BatchRun:
    """A run of batches; `flow` does it.

    Args:
        source: its calls.
        ledger: remembers which calls are in which batches.
        options: see `BatchOptions`.
        item: makes what the program gets, of the number of a call and its result.
    """

    def __init__(
        self,
        source: CallSource,
        ledger: BatchLedger,
        options: BatchOptions,
        item: Callable[[int, BatchItem[Any]], Any] = lambda number, item: (number, item),
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._options = options
        self._item = item
        self._functions: tuple[OnProgress, ...] = ()
        self._fields: Mapping[str, Any] = {}
        self._known: list[str] = []
        self._counts: list[int] = []
        self._taken_up: dict[int, list[Entry]] = {}
        self._gathered: dict[tuple[str, str], Part] = {}
        self._ready: list[Part] = []
        self._open: list[OpenBatch] = []
        self._submitting: Optional[Polling] = None
        self._submit_at = 0.0
        self._deadline: Optional[float] = None
        self._done = 0
        self._has_all = self._has_reached = self._has_begun = False
        self._failure: Optional[Exception] = None

    def flow(self) -> ItemFlow[Any, None]:
        """Submit the calls, and hand over their results as batches end.

        Raises:
            JobTimeoutError, JobStatusError, MeshAPIError: see `batches.run`.
        """
        self._functions = yield from self._options.waiting.begin("requests")
        self._fields = self._options.check()
        now: float = yield Now()
        timeout = self._options.waiting.timeout
        self._deadline = None if timeout is None else now + timeout
        yield from self._take_up()
        while True:
            now = yield Now()
            can_submit = bool(self._ready) and len(self._open) < MOST_OPEN
            next_one = min(self._open, key=_due, default=None)
            if can_submit and now >= self._submit_at:
                yield from self._submit(self._ready[0], now)
            elif next_one is not None and next_one.due <= now:
                ended = yield from self._look(next_one, now)
                if ended is not None:
                    yield from self._hand_over(next_one, ended)
            elif not (self._has_all or self._ready or len(self._open) >= MOST_OPEN):
                yield from self._pull(now)
            elif next_one is not None or can_submit:
                times = [self._submit_at] if can_submit else []
                times += [] if next_one is None else [next_one.due]
                yield Pause(min(times) - now)
            else:
                break
        if self._failure is not None:
            raise self._failure

    def _take_up(self) -> Flow[None]:
        """Ask the ledger what is under way, and the gateway for batches whose ID is unknown."""
        known = self._ledger.known()
        marks = {each.mark for each in known if not each.batch_id}
        found: Mapping[str, str] = {}
        if marks:
            found = yield from found_by_mark(marks)
            for mark, batch_id in found.items():
                yield from self._ledger.submitted(mark, batch_id)
        self._known = [each.batch_id or found.get(each.mark, "") for each in known]
        self._counts = [each.count for each in known]

    def _pull(self, now: float) -> Flow[None]:
        """Ask for one more call, and put it where it belongs."""
        try:
            given = yield from self._source.next()
            entry = None if given is None else entry_of(given)
        except Exception as exc:
            if not self._has_begun:
                raise
            # What was sent is billed, and its results are not to be had a second time.
            self._failure, entry = exc, None
        if entry is None:
            self._has_all = True
            for place in list(self._taken_up):
                self._wait_for(self._known[place], self._taken_up.pop(place), now)
            self._release()
            return
        place = self._ledger.find(entry.number, entry.name)
        if place == NOT_SUBMITTED or not self._known[place]:
            self._gather(entry)
            return
        self._has_begun = True
        entries = self._taken_up.setdefault(place, [])
        entries.append(entry)
        if len(entries) >= self._counts[place]:
            self._wait_for(self._known[place], self._taken_up.pop(place), now)

    def _gather(self, entry: Entry) -> None:
        part = self._gathered.setdefault(entry.group, Part())
        if not part.has_room(entry):
            self._ready.append(part)
            part = self._gathered[entry.group] = Part()
        part.add(entry)

    def _release(self) -> None:
        """Have everything submitted that was gathered: there are no further calls."""
        self._ready += self._gathered.values()
        self._gathered = {}

    def _polling(self, now: float) -> Polling:
        interval = self._options.waiting.poll_interval
        left = None if self._deadline is None else max(0.0, self._deadline - now)
        return Polling(now, timeout=left, poll_interval=interval)

    def _wait_for(
        self, batch_id: str, entries: Sequence[Entry], now: float, made: Optional[Any] = None
    ) -> OpenBatch:
        look = Look(JOB, batch_id, made)
        opened = OpenBatch(batch_id, entries, look, self._polling(now), now)
        self._open.append(opened)
        return opened

    def _submit(self, part: Part, now: float) -> Flow[None]:
        """Make a batch, unless it has been made; or note when to try again."""
        if not part.mark:
            part.mark = self._ledger.intended([entry.name for entry in part.entries])
            if not part.mark:
                drawn: bytes = yield RandomBytes(_MARK_SIZE)
                part.mark = drawn.hex()
            yield from self._ledger.submitting(part.intent())
            self._submitting = self._polling(now)
        polling = self._submitting or self._polling(now)
        batch: Optional[BatchObject] = None
        batch_id = ""
        try:
            self._has_begun = True
            if part.doubt is not None:
                found = yield from found_by_mark({part.mark})
                self._has_reached = True
                batch_id = found.get(part.mark, "")
            if not batch_id:
                # From here on, an error means doubt again, or none.
                part.doubt = None
                made: BatchObject = yield part.call(self._fields)
                batch_id = batch_id_of(made)
                batch = made
        except MeshAPIError as exc:
            now = yield Now()
            if getattr(exc, "error_code", "") == "batch_limit_exceeded":
                polling.succeeded()
            elif not polling.tolerates(exc, now) or (part.doubt and self._is_hopeless(exc)):
                if part.doubt is None:
                    raise
                raise part.doubt from exc
            elif not isinstance(exc, RateLimitError):
                part.doubt = exc
            pause = polling.pause(now, (yield from random_number()), exc.retry_after_seconds)
            if pause is None:
                raise self._timed_out() from exc
            self._submit_at = now + pause
            return
        now = yield Now()
        self._has_reached = True
        self._submit_at = now
        self._ready.remove(part)
        yield from self._ledger.submitted(part.mark, batch_id)
        opened = self._wait_for(batch_id, part.entries, now, batch)
        yield from self._tell("submitted", batch_id)
        yield from self._look_later(opened, now, None)

    def _look(self, opened: OpenBatch, now: float) -> Flow[Optional[Ended]]:
        """Look at a batch, and return it with its rows if it has ended."""
        look, asked = opened.look, None
        look.error = None
        ended: Optional[Ended] = None
        try:
            batch: BatchObject = yield look.call(opened.polling.left(now))
            self._has_reached = True
            now = yield Now()
            asked = look.saw(batch, now)
            opened.saw(batch)
            failure: Optional[MeshAPIError] = None
            try:
                is_over = look.has_ended(batch, now)
            except JobFailedError as exc:
                failure, is_over = exc, True
            if is_over:
                reader = opened.entries[0].reader
                ended = yield from with_rows(batch, failure, reader)
            opened.polling.succeeded()
        except MeshAPIError as exc:
            now = yield Now()
            asked = exc.retry_after_seconds
            look.error = exc
            if self._is_hopeless(exc) or not opened.polling.tolerates(exc, now):
                raise
        else:
            yield from self._tell(look.progress(batch).what, opened.batch_id)
        if ended is None:
            yield from self._look_later(opened, now, asked)
        return ended

    def _is_hopeless(self, error: MeshAPIError) -> bool:
        # No gateway that was never reached comes back: the URL may be wrong.
        return isinstance(error, APIConnectionError) and not self._has_reached

    def _look_later(self, opened: OpenBatch, now: float, asked: Optional[float]) -> Flow[None]:
        pause = opened.polling.pause(now, (yield from random_number()), asked)
        if pause is None:
            raise self._timed_out() from opened.look.error
        opened.due = now + pause

    def _hand_over(self, opened: OpenBatch, ended: Ended) -> ItemFlow[Any, None]:
        """Hand over the results of a batch, and gather what has another chance."""
        self._open.remove(opened)
        for entry in opened.entries:
            item = ended.item(entry.name, entry.reader)
            if entry.tries < self._options.resubmit and opened.may_succeed(item, ended):
                self._gather(replace(entry, tries=entry.tries + 1))
            else:
                self._done += 1
                yield Emit(self._item(entry.number, item))
        yield from self._ledger.ended(opened.batch_id)
        if self._has_all:
            self._release()

    def _tell(self, what: str, batch_id: str) -> Flow[None]:
        done = self._done + sum(each.done for each in self._open)
        told = Progress(done, self._source.total, what, batch_id)
        yield from tell_progress(self._functions, told)

    def _timed_out(self) -> MeshAPIError:
        left = sum(len(part.entries) for part in (*self._ready, *self._gathered.values()))
        more = "" if self._has_all else ", and more calls were to come"
        return JobTimeoutError(
            f"after {self._options.waiting.timeout:g} seconds, {len(self._open)} batches were still"
            f" under way, which go on at the gateway; {left} calls were in no batch yet{more};"
            f" {self._options.again}"
        )


def _due(opened: OpenBatch) -> float:
    return opened.due


def run_calls(
    calls: Union[Iterable[Call[T]], AsyncIterable[Call[T]]],
    options: BatchOptions,
    under_way: Optional[BatchSubmission[T]],
) -> ItemFlow[BatchItem[T], BatchSubmission[T]]:
    """Do what `batches.run` does, with arguments that have been checked."""
    ledger = SubmissionLedger(under_way)
    run = BatchRun(GivenCalls(calls), ledger, options, lambda number, item: item)
    try:
        yield from run.flow()
    except MeshAPIError as exc:
        exc.partial = ledger.submission()
        raise
    return ledger.submission()
