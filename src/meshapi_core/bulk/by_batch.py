"""Many calls as batch jobs, as a flow: `client.map(..., via="batch")`.

Which calls are in which batch, and when a batch is looked at, is up to `batching.running`. This
gives it the calls that have no recorded result yet, under their keys, and records what comes out.
"""

from collections import deque
from typing import Any, Generic, Optional, TypeVar

from msgspec import structs

from meshapi_core._base_error import MeshAPIError
from meshapi_core._journal_errors import JournalError
from meshapi_core.batching.items import BatchItem
from meshapi_core.batching.running import BatchOptions, BatchRun
from meshapi_core.batching.sources import BatchCall
from meshapi_core.batching.submission import custom_id
from meshapi_core.bulk.attempts import Received, attempt
from meshapi_core.bulk.inputs import Entry, Inputs
from meshapi_core.bulk.item_usage import cost_in_usage, usage_of
from meshapi_core.bulk.items import MapItem
from meshapi_core.bulk.journals.batch_ledger import JournalLedger, note_of
from meshapi_core.bulk.journals.recording import Known, Recording
from meshapi_core.bulk.options import Plan
from meshapi_core.bulk.results import Results
from meshapi_core.bulk.summary import MapSummary
from meshapi_core.config import MeshAPIConfig
from meshapi_core.flows.polling import Waiting
from meshapi_core.flows.steps import Emit, Flow, GetConfig, ItemFlow, NextChunk, Now
from meshapi_core.headers import find_request_id
from meshapi_core.progress import OnProgress, Progress
from meshapi_core.signals import END_OF_STREAM

__all__ = ["RunByBatch"]

T = TypeVar("T")


class RunByBatch(Generic[T]):
    """A run over batch jobs, and its numbers while it goes on.

    Args:
        inputs: the calls.
        plan: how to make them.

    Attributes:
        results: what has ended.
    """

    def __init__(self, inputs: Inputs, plan: Plan) -> None:
        self.results: Results[T] = Results(plan, inputs.total)
        self._plan = plan
        self._inputs = inputs
        self._recording: Recording[T] = Recording(plan)
        self._calls: dict[int, tuple[Entry, Known]] = {}
        # Recorded results that were met on the way to the next call.
        self._known: deque[MapItem[T]] = deque()
        self._first: Optional[BatchCall] = None
        self._failure: Optional[MeshAPIError] = None

    @property
    def total(self) -> Optional[int]:
        """How many calls there are; None if nobody knows."""
        return self._inputs.total

    def flow(self) -> ItemFlow[MapItem[T], MapSummary]:
        """Submit the calls, and hand over their results as batches end."""
        return self.results.noting(self._flow())

    def _flow(self) -> ItemFlow[MapItem[T], MapSummary]:
        results = self.results
        config: MeshAPIConfig = yield GetConfig()
        yield from self._recording.open(config)
        now: float = yield Now()
        results.begin(now)
        yield from self._driven(self._batches())
        yield from self._ready()
        results.end()
        while (ready := results.next()) is not None:
            yield Emit(ready)
        yield from self._recording.close()
        results.now = yield Now()
        results.stopped = "completed"
        return results.summary("completed")

    def _batches(self) -> ItemFlow[Any, None]:
        # The first call shows whose journal it is, before anything is written to it, or asked of
        # the gateway.
        self._first = yield from self.next()
        yield from self._recording.begin()
        notes = yield from self._recording.notes()
        ledger = JournalLedger(
            [(offset, note_of(line)) for offset, line in notes],
            self._recording.note,
            self._recording.is_done,
        )
        options = BatchOptions(
            waiting=Waiting(on_progress=self._on_progress, progress=self._plan.progress),
            again="start the run again with the same journal",
        )
        yield from BatchRun(self, ledger, options).flow()

    def next(self) -> Flow[Optional[BatchCall]]:
        """Return the next call that has no recorded result; None if there is none."""
        first, self._first = self._first, None
        if first is not None:
            return first
        while True:
            entry: Optional[Entry] = yield from self._pulled()
            if entry is None:
                return None
            known: Known = yield from self._recording.look_up(entry)
            if known.item is not None:
                self._known.append(known.item)
                continue
            number = entry.index
            call = attempt(entry.call)
            # A batch has its body. What stays is for its result.
            light = entry.without_body()
            self._calls[number] = light, known
            # Not the ID of the program, which may be that of several calls.
            return BatchCall(number, known.key or custom_id(number), call)

    def _pulled(self) -> Flow[Optional[Entry]]:
        inputs = self._inputs
        if inputs.source is None:
            return inputs.next()
        item: object = yield NextChunk(inputs.source)
        return None if item is END_OF_STREAM else inputs.entry(item)

    def _driven(self, flow: ItemFlow[Any, None]) -> ItemFlow[MapItem[T], None]:
        """Do the steps of the flow, and record its items before they are handed over.

        An error ends it once all results of a batch that has ended are handed over.
        """
        sent: Any = None
        error: Optional[Exception] = None
        while True:
            try:
                step = flow.send(sent) if error is None else flow.throw(error)
            except StopIteration:
                break
            sent = error = None
            yield from self._ready()
            if isinstance(step, Emit):
                yield from self._take(*step.value)
                continue
            if self._failure is not None:
                flow.close()
                raise self._failure
            try:
                sent = yield step
            except Exception as exc:
                error = exc
        if self._failure is not None:
            raise self._failure

    def _take(self, number: int, item: BatchItem[Received[T]]) -> ItemFlow[MapItem[T], None]:
        entry, known = self._calls.pop(number)
        self.results.now = yield Now()
        response = None
        if item.value is not None:
            response = structs.replace(item.value.response, attempts=1)
        value: Any = None if item.value is None else item.value.value
        body = None if response is None else response.body
        usage = usage_of(entry.call, value, body, item.error)
        request_id = "" if item.error is None else item.error.request_id
        made: MapItem[T] = MapItem(
            index=entry.index,
            id=entry.id,
            value=value,
            error=item.error,
            usage=usage,
            cost=cost_in_usage(usage),
            attempts=1,
            request_id=request_id if response is None else find_request_id(response.headers),
        )
        self._recording.add(known.key, made, response)
        try:
            yield from self._recording.write()
        except JournalError as exc:
            self._failure = self._failure or exc
        for ready in self._recording.taken():
            yield from self._hand_over(ready)

    def _ready(self) -> ItemFlow[MapItem[T], None]:
        """Hand over what was recorded before."""
        while self._known:
            yield from self._hand_over(self._known.popleft())

    def _hand_over(self, item: MapItem[T]) -> ItemFlow[MapItem[T], None]:
        error: Optional[MeshAPIError] = self.results.add(item)
        while (ready := self.results.next()) is not None:
            yield Emit(ready)
        self._failure = self._failure or error

    def _on_progress(self, told: Progress) -> object:
        """Tell the program, with what is recorded and the money."""
        function: Optional[OnProgress] = self._plan.on_progress
        if function is None:
            return None
        progress = self.results.progress()
        done = max(progress.done, told.done + self._recording.found)
        return function(
            Progress(done, progress.total, told.what, told.job_id, self._recording.found)
        )
