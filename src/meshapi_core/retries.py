"""When to send a request again, and how long to wait before that. No clock, no randomness.

What decides is whether a second attempt could do harm, that is, whether the server may have begun
the work of the first one:

    how far the first one came          is repeated
    ----------------------------------  ------------------------------------------------------
    no connection, so nothing was sent  always, streams too
    a kept-alive connection was dead    always and at once (`is_dead_on_arrival`)
    the request went out, then silence  GET, HEAD, DELETE and PUT only, no streams
    the answer broke off                the same
    429, 502, 503, 504                  everything but streams, unless the code is final
    502, 504 to what starts a job       never: it may be running, and would be billed twice
    any other answer                    never
    TLS identity refused, pool full,
    client closed                       never: nothing heals by itself

The wait is equal jitter: half of the capped exponential is certain, the other half random, and
what the server asks for is a floor under both, so that no client is ever early and clients that
failed together do not come back together.

Source: https://developers.meshapi.ai (errors, retries),
    https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 (Retry-After),
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import math
import re
from datetime import datetime, timezone
from typing import Optional

from msgspec import Struct
from typing_extensions import Literal

__all__ = ["Outcome", "RetryPolicy", "parse_http_date", "parse_retry_after"]

# Twice is the same as once.
_IDEMPOTENT = frozenset({"GET", "HEAD", "DELETE", "PUT"})
# With an answer that refuses the request.
_REPEATABLE = _IDEMPOTENT | {"POST", "PATCH"}
# Answers of somebody in between, who does not know what became of the request.
_UNCERTAIN = frozenset({502, 504})

# The largest power of two that a float holds; far beyond any max_delay.
_MAX_EXPONENT = 1023
# In seconds thirty years, as much as a Retry-After can say; floats stay far from overflow.
_MAX_NUMBER = 999_999_999


# A peer that does not speak HTTP/1.1 has not learned it by the next attempt. These codes are ours:
# a gateway's answer may use the same words for something else.
_NOT_HTTP = frozenset(
    {"bad_response", "framing", "headers_too_large", "too_many_1xx", "unexpected_upgrade"}
)


class Outcome(Struct, frozen=True):
    """How an attempt failed: the facts that decide whether another one follows.

    Fields:
        method: of the request, upper case.
        stage: how far the attempt came. "pool": no connection was free in time. "closed": our
            client is closed. "connect": no connection, nothing sent. "verify": the server's TLS
            identity was refused. "request": some bytes of the request went out, no byte of an
            answer came. "reply": the answer broke off. "answer": a whole HTTP answer came.
        status: of the answer, else 0.
        error_code: of the error that the caller would get.
        retry_after: what the server asked for, in seconds.
        reused: the connection had served an answer before.
        timed_out: a limit of ours ended the attempt, not the peer.
        streaming: the answer was to be a stream.
        replayable: the body can be sent again.
        provider_code: of the error that the caller would get.
        starts_job: the request starts work that goes on, and is billed, after its answer.
    """

    method: str
    stage: Literal["pool", "closed", "connect", "verify", "request", "reply", "answer"]
    status: int = 0
    error_code: str = ""
    retry_after: Optional[float] = None
    reused: bool = False
    timed_out: bool = False
    streaming: bool = False
    replayable: bool = True
    provider_code: Optional[str] = None
    starts_job: bool = False


class RetryPolicy(Struct, frozen=True):
    """Whether and when a failed attempt is repeated; a pure value.

    Fields:
        max_retries: attempts after the first one.
        initial_delay: seconds before the first retry; doubles with each.
        max_delay: the most that it doubles to.
        max_retry_after: a server that wants more seconds than this gets no retry: the error goes
            to the caller at once, who can plan better than a sleeping thread.
        statuses: answers worth repeating.
        final_codes: error and provider codes that are final in spite of their status.

    Raises:
        TypeError: a number is something else.
        ValueError: a number is negative, NaN, or larger than thirty years.
    """

    max_retries: int = 3
    initial_delay: float = 0.5
    max_delay: float = 30.0
    max_retry_after: float = 60.0
    # 500 is missing on purpose: the gateway uses it for failed jobs that were already billed.
    statuses: frozenset[int] = frozenset({429, 502, 503, 504})
    final_codes: frozenset[str] = frozenset(
        {
            # Money and quotas do not come back within a minute.
            "spend_limit_exceeded",
            "insufficient_credits",
            "insufficient_quota",
            "monthly_quota_exceeded",
            "session_token_cap_exceeded",
            # A 502, but the gateway has just tried every model of the comparison.
            "all_models_failed",
            # Starts a second billed job.
            "provider_job_failed",
        }
    )

    def __post_init__(self) -> None:
        for name in ("max_retries", "initial_delay", "max_delay", "max_retry_after"):
            kinds = (int,) if name == "max_retries" else (int, float)
            value = getattr(self, name)
            # bool is an int to Python, not to people.
            if isinstance(value, bool) or not isinstance(value, kinds):
                expected = " or ".join(kind.__name__ for kind in kinds)
                raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")
            if not 0 <= value <= _MAX_NUMBER:
                raise ValueError(f"{name}: expected 0 to {_MAX_NUMBER}, got {value!r}")

    def delay(self, attempt: int, outcome: Outcome, random: float) -> Optional[float]:
        """Return the seconds to wait before the next attempt; None means that there is none.

        Never less than `outcome.retry_after`. At most `max_delay`, or `outcome.retry_after` and
        half of `max_delay`, whichever is more.

        Args:
            attempt: which attempt failed, counted from 0.
            outcome: how it failed.
            random: a number in [0, 1).
        """
        if attempt >= self.max_retries or not self._is_repeatable(outcome):
            return None
        asked = outcome.retry_after or 0.0
        if asked > self.max_retry_after:
            return None
        backoff = self.initial_delay * 2.0 ** min(attempt, _MAX_EXPONENT)
        half = min(self.max_delay, backoff) / 2
        return max(half, asked) + half * random

    def is_dead_on_arrival(self, outcome: Outcome) -> bool:
        """Return whether the attempt met a kept-alive connection that the server had closed.

        The server never saw the request, so it is sent again at once on a fresh connection and
        costs no attempt; a POST and a stream, too.
        """
        return (
            outcome.stage == "request"
            and outcome.reused
            and not outcome.timed_out
            and outcome.replayable
        )

    def _is_repeatable(self, outcome: Outcome) -> bool:
        if outcome.stage == "connect":
            return True
        if outcome.streaming or not outcome.replayable:
            return False
        if outcome.stage == "answer":
            return (
                outcome.status in self.statuses
                and not (outcome.starts_job and outcome.status in _UNCERTAIN)
                and outcome.method in _REPEATABLE
                and self.final_codes.isdisjoint({outcome.error_code, outcome.provider_code})
            )
        if outcome.error_code in _NOT_HTTP:
            return False
        return outcome.stage in ("request", "reply") and outcome.method in _IDEMPOTENT


# Fewer than ten ASCII digits, thirty years: Unicode digits, signs, fractions and exponents are
# what makes int() and float() of a hostile header raise or answer with NaN.
_SECONDS = re.compile(r"[0-9]{1,9}")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_HTTP_DATES = tuple(
    re.compile(form)
    for form in (
        f"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        f"{_DAY} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def parse_retry_after(
    value: Optional[str], *, date: Optional[str] = None, received_at: Optional[float] = None
) -> Optional[float]:
    """Return the seconds that a Retry-After field asks for, None if it says nothing usable.

    Never raises, never returns a negative number, NaN or infinity. A date in the past is 0.

    Args:
        value: fewer than ten ASCII digits, or an HTTP date.
        date: the answer's Date field: a date counts from there, so that the clocks of server
            and client need not agree.
        received_at: Unix seconds; a date counts from here where `date` is missing or broken.
            Without either a date says nothing.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
    """
    text = (value or "").strip(" \t")
    if _SECONDS.fullmatch(text):
        return float(text)
    then = parse_http_date(text)
    now = parse_http_date(date.strip(" \t")) if date else None
    if now is None:
        now = received_at
    if then is None or now is None or not math.isfinite(now):
        return None
    return max(0.0, then - now)


def parse_http_date(value: str) -> Optional[float]:
    """Return an HTTP date as Unix seconds, None if it is none. Never raises.

    All three forms of the standard: `Sun, 06 Nov 1994 08:49:37 GMT`,
    `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`. The day of the week is not
    checked against the date. Years of two digits lie between 1970 and 2069, as in POSIX.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
    """
    for form in _HTTP_DATES:
        match = form.fullmatch(value)
        if match:
            return _unix_seconds(match)
    return None


def _unix_seconds(match: "re.Match[str]") -> Optional[float]:
    year, second = int(match["year"]), int(match["second"])
    if len(match["year"]) == 2:
        year += 2000 if year < 70 else 1900
    if second > 60:
        return None
    try:
        minute = datetime(
            year,
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            tzinfo=timezone.utc,
        )
    except ValueError:
        return None
    # The second is added, not passed on: the standard allows the leap second 60, datetime does not.
    return (minute - _EPOCH).total_seconds() + second
