"""Calls that run at the same time in a blocking program: in threads.

A thread begins when a call needs one, makes one call after the other, and ends with the flow. None
of them keeps a program from ending.
"""

import _thread
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Optional, Union

from meshapi_backends._forks import forget_after_fork
from meshapi_backends._networks.ended import Ended
from meshapi_backends._scopes import leave_scope
from meshapi_core import END_OF_STREAM, AnyCall, StreamUsageError, stream_closed
from meshapi_core.flows import PULL, CallEnd

_LONGEST_WAIT = 3600.0
"""Seconds; the system's clocks do not reach as far as a time limit may."""

_PATIENCE = 1.0
"""Seconds for which the end of a flow waits for its threads. They end at once, except in code of
the program's or in an HTTP client that cannot be woken; then the program gets on."""


class _Job(NamedTuple):
    number: int
    call: AnyCall[Any]
    context: Context


class _Raised(NamedTuple):
    """What a call raised that is no Exception."""

    exc: BaseException


class _Crew:
    """What the threads know.

    Attributes:
        jobs: for the threads; None ends one of them.
        ends: for the flow; None only wakes it.
        hosts: of the calls under way.
    """

    def __init__(self, make_host: Callable[[AnyCall[Any]], Any]) -> None:
        self._make_host = make_host
        self.threads: list[threading.Thread] = []
        self.is_ended = self.is_forked = False
        self._start()
        forget_after_fork(self)

    def _start(self) -> None:
        self.jobs: SimpleQueue[Optional[_Job]] = SimpleQueue()
        self.ends: SimpleQueue[Union[CallEnd, _Raised, None]] = SimpleQueue()
        self.hosts: dict[int, Any] = {}

    def forget(self) -> None:
        """Forget the threads, in a forked child, which has none of its parent's."""
        self.threads.clear()
        self.is_forked = self.is_ended = True
        self._start()

    def begin_thread(self) -> None:
        """Begin one more thread.

        Raises:
            RuntimeError: the system has none left, and there is no other.
        """
        thread = threading.Thread(target=self._work, name="meshapi-call", daemon=True)
        self.threads.append(thread)
        try:
            thread.start()
        except RuntimeError:
            self.threads.pop()
            # Otherwise the call waits for one of the others.
            if not self.threads:
                raise

    def _work(self) -> None:
        jobs = self.jobs
        while True:
            job = jobs.get()
            if job is None:
                return
            job.context.run(self._run, job.number, job.call)
            del job  # so that an idle thread does not keep alive what it holds

    def _run(self, number: int, call: AnyCall[Any]) -> None:
        leave_scope()
        try:
            self.hosts[number] = host = self._make_host(call)
            # First registered, then looked: `end` does it the other way round.
            if not self.is_ended:
                self.ends.put(CallEnd(number, host.result()))
        except Exception as exc:
            self.ends.put(CallEnd(number, None, exc))
        except BaseException as exc:
            self.ends.put(_Raised(exc))
        finally:
            self.hosts.pop(number, None)

    def dismiss(self) -> None:
        """Have the threads end after their calls. It takes no lock."""
        self.is_ended = True
        for _ in self.threads:
            self.jobs.put(None)

    def end(self) -> None:
        """End the calls, without waiting."""
        self.dismiss()
        for host in self.hosts.copy().values():
            host.abort(stream_closed())


class CallsUnderWay(Ended):
    """See `UnderWay`."""

    def __init__(self, make_host: Callable[[AnyCall[Any]], Any]) -> None:
        super().__init__()
        self._make_host = make_host
        self._crew = _Crew(make_host)
        self._left = 0

    @property
    def has_ends(self) -> bool:
        self._check(self._crew)
        return bool(self._ends) or not self._crew.ends.empty()

    def start(self, calls: Sequence[tuple[int, AnyCall[Any]]]) -> None:
        crew = self._crew
        self._check(crew)
        for number, call in calls:
            # It has a context of its own: two threads cannot be in the same one.
            crew.jobs.put(_Job(number, call, copy_context()))
            self._left += 1
            if self._left > len(crew.threads):
                crew.begin_thread()

    def pull(self, source: Any) -> None:
        try:
            self._ends.append(CallEnd(PULL, next(source)))
        except StopIteration:
            self._ends.append(CallEnd(PULL, END_OF_STREAM))
        except Exception as exc:
            self._ends.append(CallEnd(PULL, None, exc))

    def wait(self, seconds: Optional[float]) -> None:
        crew = self._crew
        if seconds is None and not self._left:
            raise RuntimeError("NextEnds: nothing is under way, and no time is given")
        if seconds is not None:
            seconds = min(max(seconds, 0.0), _LONGEST_WAIT)
        try:
            end = crew.ends.get(timeout=seconds)
        except Empty:
            return
        self._add(end)

    def _add(self, end: Union[CallEnd, _Raised, None]) -> None:
        if end is None:
            return
        self._left -= 1
        if isinstance(end, _Raised):
            raise end.exc
        self._ends.append(end)

    def turn(self) -> None:
        """Do nothing: threads run by themselves."""

    def take(self, most: int) -> list[CallEnd]:
        queue = self._crew.ends
        while len(self._ends) < most and not queue.empty():
            self._add(queue.get_nowait())
        return super().take(most)

    def wake(self) -> None:
        self._crew.ends.put(None)

    def end(self) -> None:
        crew = self._crew
        if not crew.threads:
            return
        while not crew.ends.empty():
            end = crew.ends.get_nowait()
            if isinstance(end, CallEnd):
                self._ends.append(end)
        # First: whoever is interrupted here may call it again.
        crew.end()
        self._crew = _Crew(self._make_host)
        self._left = 0
        until = time.monotonic() + _PATIENCE
        here = threading.current_thread()
        for thread in crew.threads:
            # A hook of a call may close the flow, in that very thread. An interruption may come
            # before a thread begins.
            if thread is not here and thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))

    def abandon(self) -> None:
        crew = self._crew
        crew.dismiss()
        if crew.hosts:
            # Not here: ending a call takes locks, which this very thread may have. And not by
            # `threading`, which has locks, too.
            try:
                _thread.start_new_thread(crew.end, ())
            except RuntimeError:
                pass  # the program ends

    def _check(self, crew: _Crew) -> None:
        if crew.is_forked:
            raise StreamUsageError(
                "this was begun in another process, and its calls are there; begin it after the"
                " fork"
            )
