"""Waiting for a job: when it is looked at again, and when the wait ends.

`Polling` decides on the pauses. It reads no clock and draws no random numbers: both are arguments.
`wait_for` is the flow that looks, pauses and ends.

    what a look finds                       what follows
    --------------------------------------  ----------------------------------------------------
    the job goes on                         a pause, and another look
    the job is done                         the wait returns it
    failed, expired or cancelled            JobFailedError
    a status that nobody here knows         JobStatusError, since it may never change
    the call fails, after its own retries   a pause and another look, if that may help, for up to
                                            `TOLERANCE` seconds; otherwise its error. A gateway that
                                            was never reached is not asked again
    the time limit has run out              JobTimeoutError

Every error has the job as it was last seen in `.partial`.

The pauses grow from `FIRST` to `LONGEST`, with equal jitter: half of each is fixed, half random. No
pause is shorter than the last response's Retry-After. The last pause ends with the time limit, so
that a job that ends just before it is still found.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, Optional, TypeVar, Union

from msgspec import Struct
from msgspec.structs import replace

from meshapi_core._json_kinds import type_name, value_name
from meshapi_core._log_safe import one_line
from meshapi_core.calls import Call
from meshapi_core.errors import (
    APIConnectionError,
    InternalServerError,
    InvalidParamsError,
    JobFailedError,
    JobStatusError,
    JobTimeoutError,
    MeshAPIError,
    RateLimitError,
    ResponseDecodeError,
)
from meshapi_core.flows.steps import Flow, Now, Pause, RandomBytes
from meshapi_core.progress import OnProgress, Progress, progress_functions, tell_progress
from meshapi_core.randomness import number
from meshapi_core.response_meta import ResponseMeta
from meshapi_core.retry_after import wait_in_headers
from meshapi_core.types._outcomes import is_bad_end, is_end, is_known

__all__ = [
    "FIRST",
    "LONGEST",
    "TOLERANCE",
    "WAIT_NAMES",
    "JobFailure",
    "JobKind",
    "Look",
    "Polling",
    "Waiting",
    "random_number",
    "wait_for",
]

T = TypeVar("T")

FIRST: Final = 1.0
"""Seconds of the first pause, jitter included: small jobs take a few seconds."""

LONGEST: Final = 30.0
"""Seconds that pauses grow to: a job that takes an hour is found half a minute late at most, after
some 120 looks."""

GROWTH: Final = 1.5
"""By how much each pause is longer than the one before: it takes ten looks to get to `LONGEST`."""

TOLERANCE: Final = 300.0
"""Seconds for which looks may fail one after the other: a gateway is restarted, or a laptop changes
its network, in less."""

WAIT_NAMES: Final = ("timeout", "poll_interval", "on_progress", "progress")
"""The names of the arguments in `Waiting`."""

_LONGEST_WAIT: Final = 2_000_000
_LONGEST_STATUS: Final = 60
_LONGEST_POWER: Final = 60

# Another look would fail in the same way.
_HOPELESS: Final = frozenset(
    {"client_closed", "stream_closed", "interrupted", "tls_verify", "proxy_auth"}
)
_TRANSIENT: Final = (APIConnectionError, InternalServerError, RateLimitError, ResponseDecodeError)


class Polling:
    """Decides how long to pause between two looks at a job.

    Args:
        now: the time at which the wait begins, in seconds on a monotonic clock.
        timeout: seconds for the whole wait; None for no limit.
        poll_interval: seconds of every pause; None for pauses that grow.
    """

    def __init__(
        self, now: float, *, timeout: Optional[float] = None, poll_interval: Optional[float] = None
    ) -> None:
        self._deadline = None if timeout is None else now + timeout
        self._interval = poll_interval
        self._pauses = 0
        self._failing_since: Optional[float] = None

    def left(self, now: float) -> Optional[float]:
        """Return the seconds until the time limit, 0 after it; None if there is no limit."""
        return None if self._deadline is None else max(0.0, self._deadline - now)

    def succeeded(self) -> None:
        """Note that a look succeeded."""
        self._failing_since = None

    def tolerates(self, error: MeshAPIError, now: float) -> bool:
        """Note that a look failed, and return whether there should be another one."""
        if self._failing_since is None:
            # The call with its retries began before, but its first failure is what we know of.
            self._failing_since = now
        if not isinstance(error, _TRANSIENT) or error.error_code in _HOPELESS:
            return False
        return now - self._failing_since < TOLERANCE

    def pause(self, now: float, random: float, asked: Optional[float] = None) -> Optional[float]:
        """Return the seconds to pause before the next look; None if the wait is over.

        Args:
            now: the time, on the same clock as before.
            random: a number in [0, 1).
            asked: seconds for which the gateway asked not to be called.
        """
        least, asked = asked or 0.0, asked or 0.0
        if self._interval is None:
            step = min(LONGEST, FIRST * GROWTH ** min(self._pauses, _LONGEST_POWER))
            pause = max(step / 2, least) + step / 2 * random
        else:
            pause = max(self._interval, least)
        self._pauses += 1
        left = self.left(now)
        if left is None:
            return pause
        return None if left <= 0 or asked > left else min(pause, left)


class JobFailure(Struct, frozen=True):
    """What the gateway says about a job that failed.

    Fields:
        message: why, in words; "" if it does not say.
        code: an error code; "" if it does not say.
        details: each failure, if there are several.
    """

    message: str = ""
    code: str = ""
    details: list[Any] = []


class JobKind(Struct, Generic[T], frozen=True, kw_only=True):
    """One kind of job: how to look at it, and what its fields mean.

    Fields:
        name: such as "batch", for messages.
        wait: the method that waits for it, such as "batches.wait".
        look: returns the call that returns the job with an ID.
        status: returns the job's status; "" if it has none.
        failure: returns why it failed.
        progress: returns how far it has come: done, and in total.
        idle: returns for how many seconds the job may stay in its state, which is that nobody has
            begun with it, and what to do about that; None in all other states.
    """

    name: str
    wait: str
    look: Callable[[str], Call[T]]
    status: Callable[[T], Optional[str]]
    failure: Callable[[T], JobFailure]
    progress: Callable[[T], tuple[int, Optional[int]]] = lambda job: (0, None)
    idle: Callable[[T], Optional[tuple[float, str]]] = lambda job: None

    def id_of(self, parameter: str, job: Any, field: str = "id") -> str:
        """Return the ID of what was given, an ID or an object that has one in a field.

        Raises:
            InvalidParamsError: it is neither, or the ID is empty.
        """
        found: Any = job if isinstance(job, str) else getattr(job, field, None)
        if not isinstance(found, str):
            expected = f"the ID of a {self.name}, or an object with .{field}"
            # Of a submission, each batch has its own ID.
            hint = "results() waits for all that submit() made" if hasattr(job, "batch_ids") else ""
            raise InvalidParamsError(parameter, expected, type_name(job), hint)
        if not found:
            hint = "the gateway sent none" if found is not job else ""
            raise InvalidParamsError(parameter, "an ID", "an empty one", hint)
        return found


class Waiting(Struct, frozen=True, kw_only=True):
    """The arguments that all methods have in common that wait for a job; see `batches.wait`."""

    timeout: Optional[float] = None
    poll_interval: Optional[float] = None
    on_progress: Optional[OnProgress] = None
    progress: bool = False

    def begin(self, unit: str = "") -> Flow[tuple[OnProgress, ...]]:
        """Check the arguments, and return the functions to tell of progress.

        Raises:
            InvalidParamsError: an argument is wrong.
        """
        _check_seconds("timeout", self.timeout, 0)
        _check_seconds("poll_interval", self.poll_interval, 0.001)
        return (yield from progress_functions(self.on_progress, self.progress, unit))


def _check_seconds(name: str, value: Any, least: float) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        hint = "write x.total_seconds()" if hasattr(value, "total_seconds") else ""
        if type_name(value).endswith("Timeout"):
            hint = "limits for each call belong into client.with_options(timeout=...)"
        raise InvalidParamsError(name, "seconds or None", type_name(value), hint)
    if not least <= value <= _LONGEST_WAIT:
        hint = "None means no limit" if name == "timeout" and value > _LONGEST_WAIT else ""
        expected = f"{least} to {_LONGEST_WAIT} seconds"
        raise InvalidParamsError(name, expected, value_name(value, show=True), hint)


def wait_for(
    kind: JobKind[T],
    job_id: str,
    waiting: Waiting,
    functions: tuple[OnProgress, ...],
    *,
    begun: Optional[Any] = None,
) -> Flow[T]:
    """Look at a job until it has ended, and return it.

    Args:
        kind, job_id: the job.
        waiting: how long to wait, and how often to look.
        functions: what `Waiting.begin` returned.
        begun: the response that began the job, if that was just now: the first look comes after a
            pause.

    Raises:
        JobFailedError, JobStatusError, JobTimeoutError, MeshAPIError: see the table above.
    """
    look = Look(kind, job_id, seen=begun)
    now: float = yield Now()
    polling = Polling(now, timeout=waiting.timeout, poll_interval=waiting.poll_interval)
    asked: Optional[float] = None
    is_first = begun is not None
    if is_first:
        yield from tell_progress(functions, Progress(0, None, "created", job_id))
    while True:
        if not is_first:
            look.error = None
            try:
                job: T = yield from look.do(look.call(polling.left(now)))
            except MeshAPIError as exc:
                now = yield Now()
                asked = exc.retry_after_seconds
                look.error = exc
                # No gateway that was never reached comes back: the URL may be wrong.
                is_unknown = isinstance(exc, APIConnectionError) and not look.has_seen
                if is_unknown or not polling.tolerates(exc, now):
                    raise
            else:
                now = yield Now()
                polling.succeeded()
                asked = look.saw(job, now)
                yield from tell_progress(functions, look.progress(job))
                if look.has_ended(job, now):
                    return job
        is_first = False
        pause = polling.pause(now, (yield from random_number()), asked)
        if pause is None:
            raise look.timed_out(waiting.timeout, asked) from look.error
        yield from look.do(Pause(pause))
        now = yield Now()


def random_number() -> Flow[float]:
    """Return a random number in [0, 1), for `Polling.pause`."""
    drawn: bytes = yield RandomBytes(7)
    return number(lambda size: drawn)


class Look(Generic[T]):
    """What the looks at one job have found.

    Args:
        kind, job_id: the job.
        seen: the response that began it; None if it was not looked at yet.
    """

    def __init__(self, kind: JobKind[T], job_id: str, seen: Optional[Any] = None) -> None:
        self._kind = kind
        self._id = job_id
        self._seen = seen
        self._status = ""
        self._idle_since: Optional[float] = None
        self.error: Optional[MeshAPIError] = None

    @property
    def has_seen(self) -> bool:
        """Whether the job has been seen: by a look, or when it began."""
        return self._seen is not None

    @property
    def _name(self) -> str:
        return f"{self._kind.name} {self._id}"

    @property
    def _again(self) -> str:
        return f"call {self._kind.wait}({self._id!r}) to wait again"

    def call(self, left: Optional[float]) -> Call[T]:
        """Return the call that looks; it ends soon after the time limit."""
        call = self._kind.look(self._id)
        if left is None:
            return call
        limited: Call[T] = replace(call, answer_within=max(left, FIRST))
        return limited

    def do(self, step: Any) -> Flow[Any]:
        """Take a step; its error has the job as it was last seen."""
        try:
            return (yield step)
        except MeshAPIError as exc:
            if exc.partial is None:
                exc.partial = self._seen
            raise

    def saw(self, job: T, now: float) -> Optional[float]:
        """Keep the job, and return the seconds for which the gateway asked not to be called."""
        self._seen = job
        self._status = self._kind.status(job) or ""
        idle = self._kind.idle(job)
        if idle is None:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        return wait_in_headers(_meta_of(job).headers, None)

    def progress(self, job: T) -> Progress:
        """Return how far the job has come, as terminals can show it."""
        done, total = self._kind.progress(job)
        total = total if total and total > 0 else None
        return Progress(max(0, done), total, one_line(self._status, _LONGEST_STATUS), self._id)

    def has_ended(self, job: T, now: float) -> bool:
        """Return whether the job is done.

        Raises:
            JobFailedError: it has failed.
            JobStatusError: nobody can say whether it goes on.
        """
        status = self._status
        if is_bad_end(status):
            raise self._failed(job)
        if is_end(status):
            return True
        if not is_known(status):
            got = f"the status {status!r}, which meshapi does not know" if status else "no status"
            raise self._error(JobStatusError, f"{self._name} has {got}; {self._again}")
        idle = self._kind.idle(job)
        if idle is not None and self._idle_since is not None and now - self._idle_since >= idle[0]:
            raise self._error(JobStatusError, f"{self._name} {idle[1]}", "not_begun")
        return False

    def _failed(self, job: T) -> MeshAPIError:
        failure = self._kind.failure(job)
        status = self._status.lower()
        word = "cancelled" if status == "canceled" else status
        happened = {"cancelled": "was cancelled", "expired": "expired"}.get(word, "failed")
        message = f"{self._name} {happened}"
        if failure.message or failure.code:
            message = f"{message}: {failure.message or failure.code}"
        code = failure.code or ("job_failed" if happened == "failed" else f"job_{word}")
        return self._error(JobFailedError, message, code, failure.details)

    def timed_out(self, timeout: Optional[float], asked: Optional[float]) -> MeshAPIError:
        """Return the error of a wait that is over while the job goes on."""
        state = f"still {self._status!r}" if self._status else "not seen to end"
        message = f"{self._name} was {state} after {timeout:g} seconds"
        if asked:
            message = f"{message}, and the gateway asks for a pause of {asked:g} seconds"
        return self._error(JobTimeoutError, f"{message}; it goes on at the gateway: {self._again}")

    def _error(
        self,
        kind: type[MeshAPIError],
        message: str,
        code: Optional[str] = None,
        details: Optional[list[Any]] = None,
    ) -> MeshAPIError:
        meta = _meta_of(self._seen)
        return kind(
            message,
            status=meta.status,
            error_code=code,
            request_id=meta.request_id,
            details=details,
            partial=self._seen,
            headers=meta.headers,
        )


def _meta_of(job: Any) -> ResponseMeta:
    meta: Union[ResponseMeta, Any] = getattr(job, "meta", None)
    return meta if isinstance(meta, ResponseMeta) else ResponseMeta()
