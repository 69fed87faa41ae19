"""Threads for what blocks and has no time limit: name look-ups, and what TLS reads and verifies.

A caller can give up its work. The thread goes on until the work is done, and then takes the next
one. There are never more than `MOST` threads of a kind, and none of them keeps a program from
ending.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Generic, Optional, TypeVar

from meshapi_backends._forks import forget_after_fork
from meshapi_backends._scopes import check_ended, waiting

T = TypeVar("T")

MOST = 16
"""Threads at most. A silent name server holds each for 5 to 30 seconds, and a program uses few
names at once. Further work waits for a thread, within its caller's time limit."""


class Work(Generic[T]):
    """A function that is called once, in another thread.

    Attributes:
        begun: a thread has taken it.
        given_up: nobody waits for its result any more.
    """

    def __init__(self, function: Callable[[], T], on_end: Callable[[], object]) -> None:
        self._function = function
        self._on_end = on_end
        self._value: Optional[T] = None
        self._error: Optional[BaseException] = None
        self.begun = False
        self.given_up = False

    def run(self) -> None:
        """Call the function; in a worker's thread, because it blocks."""
        if self.given_up:
            return
        self.begun = True
        try:
            self._value = self._function()
        except Exception as exc:
            self._error = exc
        if not self.given_up:
            self._on_end()

    def result(self) -> T:
        """What the function returned.

        Raises:
            Exception: what it raised.
        """
        error, self._error = self._error, None
        if error is None:
            return self._value  # type: ignore[return-value]  # it has ended
        try:
            raise error
        finally:
            # Breaks a cycle: its traceback holds this frame.
            del error


class Workers:
    """The threads, and the work that waits for one of them.

    Args:
        name: of the threads, for debuggers.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Start afresh, in a forked child, which has none of its parent's threads."""
        self._lock = threading.Lock()
        self._waiting: deque[Work[Any]] = deque()
        self._threads = 0

    def start(self, work: Work[Any]) -> None:
        """Start work. Its `on_end` is called in another thread, unless it is given up."""
        with self._lock:
            self._waiting.append(work)
            if self._threads >= MOST:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError:
            # No thread can be started, for example while the interpreter shuts down: do it here.
            self._work()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                work = self._waiting.popleft()
            work.run()
            del work  # so that an idle thread does not keep alive what it holds


@contextmanager
def working(
    function: Callable[[], T], waiter: Any, workers: Workers
) -> Generator[Work[T], None, None]:
    """Start work, and set a waiter when it has ended. The block waits for that.

    Args:
        function: what to do.
        waiter: a new waiter of the network.
        workers: who does it.

    Raises:
        WaitEnded: the current scope was ended.
    """
    with waiting(waiter.set):
        work = Work(function, waiter.set_from_thread)
        workers.start(work)
        try:
            yield work
            check_ended()
        except BaseException:
            work.given_up = True
            raise


TLS_WORKERS = Workers("meshapi-tls")
"""For reading certificates and having them verified."""


def value_of(work: Work[T], *, in_time: bool) -> T:
    """The result of work.

    Args:
        work: the work.
        in_time: it has ended. Otherwise it is given up.

    Raises:
        TimeoutError: it was not in time.
        Exception: what its function raised.
    """
    if not in_time:
        work.given_up = True
        raise TimeoutError
    return work.result()
