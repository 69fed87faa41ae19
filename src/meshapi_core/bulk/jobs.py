"""The calls of a run that are to begin: new ones from the program, and those that are sent again.

One new call is asked for ahead, and kept until it may begin. A call whose result is recorded is no
job: its result is handed over at once. Calls of a model that the gateway refuses wait on a place of
their own, and others go on: see `pacing.models`.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any, Final, Optional

from msgspec import Struct

from meshapi_core._base_error import MeshAPIError
from meshapi_core.bulk.estimates import EstimatedTokens, model_of
from meshapi_core.bulk.inputs import Entry, Inputs
from meshapi_core.bulk.items import MapItem
from meshapi_core.bulk.journals.recording import UNKNOWN, Known, Recording
from meshapi_core.bulk.pacing.models import Models
from meshapi_core.bulk.uploads import unreadable
from meshapi_core.flows.concurrent import CallEnd, StartPull
from meshapi_core.flows.steps import Flow
from meshapi_core.multipart import Multipart
from meshapi_core.signals import END_OF_STREAM

__all__ = ["Job", "Jobs"]


_IN_A_ROW: Final = 100
"""Calls that are kept, one after another, until what has ended is looked at again."""


class Job(Struct, gc=False):
    """A call that is to be made.

    Fields:
        entry: the call.
        known: its keys.
        guess: at its model tokens; None until something is limited that they count for.
        slot: of the attempt that is under way.
        attempts, failures, refusals: how many there have been; a refusal is no failure.
        error: of the last attempt.
        is_kept: whether it waits for its model.
        is_apart: whether its attempt began while its model stood apart.
    """

    entry: Entry
    known: Known
    guess: Optional[EstimatedTokens] = None
    slot: Any = None
    attempts: int = 0
    failures: int = 0
    refusals: int = 0
    error: Optional[MeshAPIError] = None
    is_kept: bool = False
    is_apart: bool = False

    @property
    def model(self) -> str:
        """The ID of the model that it asks."""
        return model_of(self.entry.call)


class Jobs:
    """The calls that are to begin.

    Args:
        inputs: where new ones come from.
        recording: knows which have a result already.
        hand_over: takes such a result.
        fail: takes the error that ends the run, if the program's iterable raises one.

    Attributes:
        is_ending: whether there are to be no new calls.
        models: keeps the calls of models that stand apart.
    """

    def __init__(
        self,
        inputs: Inputs,
        recording: Recording[Any],
        hand_over: Callable[[MapItem[Any]], object],
        fail: Callable[[BaseException], object],
    ) -> None:
        self.is_ending = False
        self.models: Models[Job] = Models()
        self._inputs = inputs
        self._recording = recording
        self._hand_over = hand_over
        self._fail = fail
        self._next: Optional[Job] = None
        # When each is sent again; the number keeps jobs from being compared.
        self._again: list[tuple[float, int, Job]] = []
        self._is_pulling = self._has_all = False
        # Of the calls that are kept, how many have begun; and how many were, one after another.
        self._begun = self._in_a_row = 0

    def __bool__(self) -> bool:
        """Whether there are any, or more are to come."""
        return (
            bool(self._again) or self._next is not None or self.is_pulling or len(self.models) > 0
        )

    @property
    def is_pulling(self) -> bool:
        """Whether an async iterable is asked for the next one.

        It may take for ever: whoever wants nothing more of it does not wait for it.
        """
        return self._is_pulling and not self.is_ending

    @property
    def again(self) -> int:
        """How many are to be sent again, but for those of models that stand apart."""
        return len(self._again)

    @property
    def begun(self) -> int:
        """How many are to be sent again."""
        return len(self._again) + self._begun

    def wait(self, now: float) -> float:
        """Return the seconds until another one may begin; infinite if none has to wait.

        One whose time has come waits for something else.
        """
        if self._in_a_row >= _IN_A_ROW:
            return 0.0
        wait = self._again[0][0] - now if self._again else inf
        wait = wait if wait > 0 else inf
        return min(wait, self.models.wait(now)) if self.models.is_watching else wait

    def following(
        self,
        now: float,
        has_room: Callable[[], bool],
        give_up: Callable[[Job], Flow[None]],
        *,
        is_idle: bool = False,
    ) -> Flow[Optional[Job]]:
        """Return the call that is next: one that is sent again, or else a new one.

        Args:
            now: the time.
            has_room: says whether a new one may be asked for.
            give_up: fails a call that would be refused.
            is_idle: whether nothing is under way.

        Returns:
            The call, which is next until `begin` is called; None if there is none now.
        """
        if self._again or self.models.is_watching:
            return self._following(now, has_room, give_up, is_idle=is_idle)
        # So that most calls need one generator less.
        self._in_a_row = 0
        return self._new(now, has_room, give_up)

    def _following(
        self,
        now: float,
        has_room: Callable[[], bool],
        give_up: Callable[[Job], Flow[None]],
        *,
        is_idle: bool,
    ) -> Flow[Optional[Job]]:
        models, self._in_a_row = self.models, 0
        if models.is_watching:
            if self._next is not None:
                models.see(self._next.model)
            kept = models.ready(now)
            if kept is not None:
                return kept
        while self._again and self._again[0][0] <= now:
            job = self._again[0][2]
            if not models.is_watching or models.may_begin(job.model, now):
                return job
            heappop(self._again)
            self.keep(job)
        new: Optional[Job] = yield from self._new(now, has_room, give_up)
        if new is None and models.is_watching and is_idle and self._in_a_row < _IN_A_ROW:
            return models.ready(now, is_idle=True)
        return new

    def _new(
        self, now: float, has_room: Callable[[], bool], give_up: Callable[[Job], Flow[None]]
    ) -> Flow[Optional[Job]]:
        models, inputs, recording = self.models, self._inputs, self._recording
        while True:
            while self._next is None and not self.is_ending and has_room():
                if self._has_all or self._is_pulling:
                    break
                if inputs.source is not None:
                    self._is_pulling = True
                    yield StartPull(inputs.source)
                    break
                entry = self._pulled()
                if entry is None:
                    break
                if recording.has_journal:
                    yield from self._look_up(entry)
                else:
                    self._next = Job(entry, UNKNOWN)
            job = self._next
            if not models.is_watching or job is None or models.may_begin(job.model, now):
                return job
            if models.is_given_up(job.model):
                self._next = None
                yield from give_up(job)
            elif models.is_full or self._in_a_row >= _IN_A_ROW:
                return None
            else:
                self._next = None
                self._in_a_row += 1
                self.keep(job)

    def begin(self, job: Job) -> None:
        """Note that the call that is next begins."""
        if job.is_kept:
            self.models.take(job.model)
            job.is_kept = False
            self._begun -= job.attempts > 0
        elif job.attempts:
            heappop(self._again)
        else:
            self._next = None
        if self.models.is_watching:
            job.is_apart = self.models.begin(job.model)

    def send_again(self, job: Job, at: float) -> None:
        """Take a call that is to be sent again at a time."""
        heappush(self._again, (at, job.entry.index, job))

    def keep(self, job: Job) -> None:
        """Take a call that waits for its model, which stands apart."""
        job.is_kept = True
        self._begun += job.attempts > 0
        self.models.keep(job.model, job, _size(job.entry.call.body))

    def take_kept(self, model: Optional[str] = None) -> list[Job]:
        """Return the calls that wait for their models, or for one; they do not wait any more."""
        jobs = self.models.take_all(model)
        for job in jobs:
            job.is_kept = False
            self._begun -= job.attempts > 0
        return jobs

    def stop(self) -> None:
        """Have no new calls from now on."""
        self.is_ending, self._next = True, None
        for job in self.take_kept():
            if job.attempts:
                self.send_again(job, 0.0)

    def take_again(self) -> list[Job]:
        """Return the calls that were to be sent again, after `stop`; they are not any more."""
        jobs = [job for _, _, job in sorted(self._again)]
        self._again.clear()
        return jobs

    def drop(self) -> None:
        """Have no calls at all from now on. With a journal, another run makes them."""
        self.stop()
        self.take_kept()
        self._again.clear()

    def _pulled(self) -> Optional[Entry]:
        """Return the next call of the program's iterable; None at its end."""
        try:
            entry = self._inputs.next()
        except Exception as exc:
            # Raised by the program's own code, or the call is none.
            self._fail(exc)
            return None
        self._has_all = entry is None
        return entry

    def take_pulled(self, end: CallEnd) -> Flow[None]:
        """Take what an async iterable gave."""
        self._is_pulling = False
        if end.error is None and end.value is END_OF_STREAM:
            self._has_all = True
            return
        if self.is_ending:
            return
        try:
            if end.error is not None:
                raise end.error
            entry = self._inputs.entry(end.value)
        except Exception as exc:
            self._fail(exc)
        else:
            yield from self._look_up(entry)

    def _look_up(self, entry: Entry) -> Flow[None]:
        """Hand over what is recorded for a call; otherwise it is the next to begin."""
        try:
            known: Known = yield from self._recording.look_up(entry)
        except (MeshAPIError, OSError) as exc:
            error = unreadable(entry.call, exc)
            if error is None:
                self._fail(exc)
            else:
                # Without the size of its file it has no key, so that it cannot be recorded.
                self._hand_over(MapItem(index=entry.index, id=entry.id, error=error))
            return
        if known.item is None:
            self._next = Job(entry, known)
        else:
            self._hand_over(known.item)


def _size(body: object) -> int:
    """Return the bytes that a body has in memory: files at a path are not."""
    if isinstance(body, Multipart):
        contents: list[Any] = [part.source.content for part in body.files]
        return sum(len(content) for content in contents if isinstance(content, bytes))
    return len(body) if isinstance(body, bytes) else 0
