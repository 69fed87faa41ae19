"""The attempts of calls that are made in bulk: what each brought, and whether there is another.

The client makes one attempt at a time and does not retry, so that a retry waits its turn as every
other request does. The rules are those of the client's `RetryPolicy`, but for one: where the
gateway says that there are too many requests, all calls wait, and none of them has used up one of
its retries, as it is not to blame. So a gateway that is busy for an hour delays a run, and does not
fill it with errors.

    an attempt has failed with            what follows
    ------------------------------------  --------------------------------------------------------
    429, or 503 with a wait               all calls wait, then this one is sent again, at most
                                          `MOST_REFUSALS` times; where it is the limit of one
                                          model, its calls wait alone (`pacing.models`)
    the same, to wait for more than       the run ends: later is another day
    `LONGEST_WAIT`
    401, 402, or a code that says that    the run ends: every further call would fail, too
    the money is used up, or that the
    client is closed
    no connection, again and again        all calls wait: see `pacing.outages`
    the process may open no more files    the same as for anything else, but it is not to blame
    anything else that is retried         this call alone waits, as a single call would
    anything else                         the call has failed
"""

from typing import Any, Final, Generic, Optional, TypeVar, cast

from msgspec import Struct, structs

from meshapi_core._copies import copied
from meshapi_core.bulk.uploads import NO_FILES
from meshapi_core.calls import Call
from meshapi_core.errors import APIStatusError, AuthenticationError, PaymentRequiredError
from meshapi_core.messages import Response
from meshapi_core.readers import EmptyReader, Reader
from meshapi_core.retries import Outcome, RetryPolicy

__all__ = [
    "LONGEST_WAIT",
    "MOST_REFUSALS",
    "Received",
    "Retry",
    "attempt",
    "has_no_file",
    "is_refusal",
    "retry",
]

T = TypeVar("T")

MOST_REFUSALS: Final = 20
"""How often one call is sent again because there were too many requests: with waits that grow to
half a minute, that is some ten minutes, in which a limit by the minute has let others pass."""

LONGEST_WAIT: Final = 3600.0
"""Seconds that a gateway may ask all calls to wait: limits by the hour exist."""

_LONGEST_POWER: Final = 60

# The gateway's words for an account that has no money left, whatever the status.
_SPENT: Final = frozenset(
    {"spend_limit_exceeded", "insufficient_credits", "insufficient_quota", "monthly_quota_exceeded"}
)


class Received(Struct, Generic[T], frozen=True, gc=False):
    """The response to one attempt: typed, and as it came."""

    value: T
    response: Response


class _Reading(Struct, Generic[T], frozen=True, gc=False):
    reader: Reader[T]
    earlier: int

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return self.reader.accept

    def read(self, response: Response) -> Received[T]:
        """Return the response, typed and as it came."""
        if self.earlier:
            attempts = self.earlier + response.attempts
            response = structs.replace(response, attempts=attempts)
        return Received(self.reader.read(response), response)


class _ReadingNothing(EmptyReader, frozen=True):
    def read(self, response: Response) -> Any:
        """Return the response. A `Call` knows its reader by the class."""
        return Received(None, response)


def attempt(
    call: Call[T], idempotency_key: Optional[str] = None, earlier: int = 0
) -> Call[Received[T]]:
    """Return the call with a result that has the response as it came, too.

    Args:
        call: as the program made it.
        idempotency_key: of all its attempts; None leaves it as it is.
        earlier: how many attempts there have been.
    """
    reader: Any = call.reader
    reading: Any = (
        _ReadingNothing() if isinstance(reader, EmptyReader) else _Reading(reader, earlier)
    )
    # `replace` runs all checks again, which takes longer than everything else here.
    made: Any = copied(call)
    structs.force_setattr(made, "reader", reading)
    if idempotency_key is not None and call.idempotency_key is None:
        structs.force_setattr(made, "idempotency_key", idempotency_key)
    return cast("Call[Received[T]]", made)


class Retry(Struct, frozen=True):
    """What follows a failed attempt.

    Fields:
        delay: seconds after which the call is sent again; None if it has failed.
        cool_down: seconds for which no call is sent; 0 for no such wait.
        ends_run: whether every further call would fail in the same way.
    """

    delay: Optional[float] = None
    cool_down: float = 0.0
    ends_run: bool = False


_FAILED: Final = Retry()
_ALL_FAIL: Final = Retry(ends_run=True)


def is_refusal(error: Exception) -> bool:
    """Return whether the gateway says that it has too many requests, of whichever call."""
    if not isinstance(error, APIStatusError):
        return False
    if error.status == 429:
        return error.error_code not in _SPENT and error.provider_code not in _SPENT
    return error.status == 503 and error.retry_after_seconds is not None


def has_no_file(error: Exception) -> bool:
    """Return whether the process may open no further connections: another call must end first."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in NO_FILES


def retry(
    error: Exception,
    policy: RetryPolicy,
    *,
    failures: int,
    refusals: int,
    streak: int,
    random: float,
) -> Retry:
    """Return what follows a failed attempt.

    Args:
        error: what it raised.
        policy: of the client.
        failures: how many attempts of this call have failed before, but for refusals.
        refusals: how many were refused because there were too many requests.
        streak: how many refusals there have been since the last response, of all calls.
        random: a number in [0, 1).
    """
    outcome: Optional[Outcome] = getattr(error, "outcome", None)
    if is_refusal(error):
        asked = getattr(error, "retry_after_seconds", None) or 0.0
        if asked > LONGEST_WAIT:
            return _ALL_FAIL
        half = min(policy.max_delay, policy.initial_delay * 2.0 ** min(streak, _LONGEST_POWER)) / 2
        wait = max(half, asked) + half * random
        if outcome is None or refusals >= MOST_REFUSALS:
            return Retry(cool_down=wait)
        # As if it were the first failure, and asked for no wait: whether it is retried at all.
        first = policy.delay(0, structs.replace(outcome, retry_after=None), random)
        return Retry(None if first is None else wait, cool_down=wait)
    if isinstance(error, (AuthenticationError, PaymentRequiredError)) or _is_spent(error):
        return _ALL_FAIL
    if outcome is None:
        return _FAILED
    if outcome.stage == "closed":
        return _ALL_FAIL
    return Retry(policy.delay(failures, outcome, random))


def _is_spent(error: Exception) -> bool:
    codes = {getattr(error, "error_code", None), getattr(error, "provider_code", None)}
    return not _SPENT.isdisjoint(codes)
