"""The calls of a run that are to begin: new ones from the program, and those that are sent again.

One new call is asked for ahead, and kept until it may begin. A call whose result is recorded is no
job: its result is handed over at once.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any, Optional

from msgspec import Struct

from meshapi_core._base_error import MeshAPIError
from meshapi_core.bulk.estimates import EstimatedTokens
from meshapi_core.bulk.inputs import Entry, Inputs
from meshapi_core.bulk.items import MapItem
from meshapi_core.bulk.journals.recording import UNKNOWN, Known, Recording
from meshapi_core.flows.concurrent import CallEnd, StartPull
from meshapi_core.flows.steps import Flow
from meshapi_core.signals import END_OF_STREAM

__all__ = ["Job", "Jobs"]


class Job(Struct, gc=False):
    """A call that is to be made.

    Fields:
        entry: the call.
        known: its keys.
        guess: at its model tokens; None until something is limited that they count for.
        slot: of the attempt that is under way.
        attempts, failures, refusals: how many there have been; a refusal is no failure.
    """

    entry: Entry
    known: Known
    guess: Optional[EstimatedTokens] = None
    slot: Any = None
    attempts: int = 0
    failures: int = 0
    refusals: int = 0


class Jobs:
    """The calls that are to begin.

    Args:
        inputs: where new ones come from.
        recording: knows which have a result already.
        hand_over: takes such a result.
        fail: takes the error that ends the run, if the program's iterable raises one.

    Attributes:
        is_ending: whether there are to be no new calls.
    """

    def __init__(
        self,
        inputs: Inputs,
        recording: Recording[Any],
        hand_over: Callable[[MapItem[Any]], object],
        fail: Callable[[BaseException], object],
    ) -> None:
        self.is_ending = False
        self._inputs = inputs
        self._recording = recording
        self._hand_over = hand_over
        self._fail = fail
        self._next: Optional[Job] = None
        # When each is sent again; the number keeps jobs from being compared.
        self._again: list[tuple[float, int, Job]] = []
        self._is_pulling = self._has_all = False

    def __bool__(self) -> bool:
        """Whether there are any, or more are to come."""
        return bool(self._again) or self._next is not None or self.is_pulling

    @property
    def is_pulling(self) -> bool:
        """Whether an async iterable is asked for the next one.

        It may take for ever: whoever wants nothing more of it does not wait for it.
        """
        return self._is_pulling and not self.is_ending

    @property
    def again(self) -> int:
        """How many are to be sent again."""
        return len(self._again)

    def wait(self, now: float) -> float:
        """Return the seconds until another one is to be sent again; infinite if none has to wait.

        One whose time has come waits for something else.
        """
        wait = self._again[0][0] - now if self._again else inf
        return wait if wait > 0 else inf

    def following(self, now: float, has_room: Callable[[], bool]) -> Flow[Optional[Job]]:
        """Return the call that is next: one that is sent again, or else a new one.

        Args:
            now: the time.
            has_room: says whether a new one may be asked for.

        Returns:
            The call, which is next until `begin` is called; None if there is none now.
        """
        if self._again and self._again[0][0] <= now:
            return self._again[0][2]
        inputs, recording = self._inputs, self._recording
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
        return self._next

    def begin(self, job: Job) -> None:
        """Note that the call that is next begins."""
        if job.attempts:
            heappop(self._again)
        else:
            self._next = None

    def send_again(self, job: Job, at: float) -> None:
        """Take a call that is to be sent again at a time."""
        heappush(self._again, (at, job.entry.index, job))

    def stop(self) -> None:
        """Have no new calls from now on."""
        self.is_ending, self._next = True, None

    def drop(self) -> None:
        """Have no calls at all from now on. With a journal, another run makes them."""
        self.stop()
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
            self._fail(exc)
            return
        if known.item is None:
            self._next = Job(entry, known)
        else:
            self._hand_over(known.item)
