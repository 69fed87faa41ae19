"""When to send a request again, and how long to wait before that. No clock, no randomness.

The question is whether another attempt could do harm, that is, whether the server may have begun
the work of the failed one:

    how far the attempt got              retried
    -----------------------------------  ------------------------------------------------------
    no connection, so nothing was sent   always, streams too
    a kept connection was dead           at once, once a call, streams too (`is_dead_on_arrival`);
                                         never a call that starts a job
    the request was sent, then silence   GET, HEAD, DELETE and PUT only, no streams
    the response broke off               the same
    429, 502, 503, 504                   everything but streams, unless the code is final
    any response, x-should-retry: false  never
    4xx, 5xx, x-should-retry: true       everything but streams, unless the code is final
    5xx but 503, for a call that starts  never: the job may be running, and would be billed twice
    a job
    any other response                   never
    TLS identity refused, pool full,
    client closed                        never: the next attempt would fail in the same way

A dead connection is recognised by evidence, not by likelihood: it had carried a response before,
not a byte came back, and it broke within `DEAD_WITHIN` of the request's first byte. A server that
took the request and worked on it is silent for longer than that.

The wait is the exponential backoff, capped, with equal jitter: half of it is fixed, half random.
If the server asks for a wait, the fixed part is at least that long. So no client comes back too
early, and clients that failed together do not come back together.

Source: https://developers.meshapi.ai (errors, retries),
    https://github.com/openai/openai-python `_base_client.py` (x-should-retry),
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from typing import Literal, Optional

from msgspec import Struct, structs
from msgspec.structs import force_setattr

from meshapi_core._checks import check_count
from meshapi_core._copies import copied
from meshapi_core._json_kinds import type_name
from meshapi_core._named_fields import NamedFields

__all__ = [
    "DEAD_WITHIN",
    "RETRY_QUOTA",
    "THROTTLED_COST",
    "TRANSIENT_COST",
    "Outcome",
    "RetryPolicy",
    "parse_should_retry",
]

DEAD_WITHIN = 0.5
"""Seconds within which a dead connection fails: the peer sends a reset for the first packet, so it
takes one round trip, which is 0.3 s to the other side of the earth."""

RETRY_QUOTA = 500
"""The tokens of a full bucket, from which retries are paid for; see `retry_quota`."""

TRANSIENT_COST = 14
"""Tokens for one retry: after a failure, or a response other than a 429."""

THROTTLED_COST = 5
"""Tokens for one retry after a 429, by which a gateway that is well says that it is busy."""

# RFC 9110, section 9.2.2: sending the request twice has the same effect as sending it once.
_IDEMPOTENT = frozenset({"GET", "HEAD", "DELETE", "PUT"})
# The methods that may be retried after a response that refuses the request.
_REPEATABLE = _IDEMPOTENT | {"POST", "PATCH"}
# The only 5xx that says that no work has begun.
_UNAVAILABLE = 503

# The largest power of two that a float holds; far beyond any max_delay.
_MAX_EXPONENT = 1023
# Thirty years in seconds, the most that a Retry-After can say; floats stay far from overflow.
_MAX_NUMBER = 999_999_999


# A peer that does not speak HTTP/1.1 will not speak it at the next attempt either. These codes are
# the client's own: a gateway's response may use the same words for something else.
_NOT_HTTP = frozenset(
    {"bad_response", "framing", "headers_too_large", "too_many_1xx", "unexpected_upgrade"}
)


class Outcome(Struct, frozen=True):
    """How an attempt failed: the facts that decide whether there is a retry.

    Fields:
        method: of the request, upper case.
        stage: how far the attempt got. "pool": no connection became free in time. "closed": the
            client is closed. "connect": no connection, nothing sent. "verify": the server's TLS
            identity was refused. "request": some bytes of the request were sent, and no byte of a
            response arrived. "response": the response broke off. "complete": a whole HTTP response
            arrived.
        status: of the response, else 0.
        error_code: of the error that the caller would get.
        retry_after: the wait that the server asked for, in seconds.
        reused: the connection had carried a response before.
        timed_out: a time limit of the client ended the attempt.
        streaming: the response was to be a stream.
        provider_code: of the error that the caller would get.
        silence: seconds between the first byte of the request and the failure; None where it was
            not measured.
        should_retry: the x-should-retry header, None where it says nothing.
        starts_job: the request starts work that goes on, and is billed, after its response.
    """

    method: str
    stage: Literal["pool", "closed", "connect", "verify", "request", "response", "complete"]
    status: int = 0
    error_code: str = ""
    retry_after: Optional[float] = None
    reused: bool = False
    timed_out: bool = False
    streaming: bool = False
    provider_code: Optional[str] = None
    silence: Optional[float] = None
    should_retry: Optional[bool] = None
    starts_job: bool = False

    def coded(self, error_code: str, provider_code: Optional[str]) -> "Outcome":
        """Return it with these codes: those of an error in which no secret is left."""
        return structs.replace(self, error_code=error_code, provider_code=provider_code)


class RetryPolicy(Struct, frozen=True, metaclass=NamedFields):
    """The rules for retries: whether there is one, and after how long a wait. A pure value.

    Fields:
        max_retries: attempts after the first one.
        initial_delay: seconds before the first retry; doubles with each.
        max_delay: the most seconds that the delay doubles to.
        max_retry_after: the longest wait, in seconds, that a server may ask for. If it asks for
            more, there is no retry, and the error is raised at once: the caller can plan better
            than a sleeping thread.
        statuses: the statuses that are retried.
        final_codes: error codes and provider codes that are never retried, whatever the status.
        quota: how many tokens a client has to pay for its retries: a retry costs 14, or 5 after a
            429, and successful calls pay back (`retry_quota`). If they are used up, the error is
            raised at once, with `retry_quota_exhausted`. None sets no quota.

    Raises:
        TypeError: a field that should be a number is not one.
        ValueError: a number is negative, NaN, or larger than thirty years in seconds.
    """

    max_retries: int = 3
    initial_delay: float = 0.5
    max_delay: float = 30.0
    max_retry_after: float = 60.0
    # 500 is missing on purpose: the gateway uses it for failed jobs that were already billed.
    statuses: frozenset[int] = frozenset({429, 502, 503, 504})
    final_codes: frozenset[str] = frozenset(
        {
            # Credits and quotas are not restored within a minute.
            "spend_limit_exceeded",
            "insufficient_credits",
            "insufficient_quota",
            "monthly_quota_exceeded",
            "session_token_cap_exceeded",
            # A 502, but the gateway has already tried every model of the comparison.
            "all_models_failed",
            # A retry would start a second job, billed again.
            "provider_job_failed",
        }
    )
    quota: Optional[int] = RETRY_QUOTA

    def __post_init__(self) -> None:
        for name in ("max_retries", "initial_delay", "max_delay", "max_retry_after", "quota"):
            kinds = (int,) if name in ("max_retries", "quota") else (int, float)
            value = getattr(self, name)
            if value is None and name == "quota":
                continue
            # Python's bool is a kind of int.
            if isinstance(value, bool) or not isinstance(value, kinds):
                expected = " or ".join(kind.__name__ for kind in kinds)
                raise TypeError(f"{name}: expected {expected}, got {type_name(value)}")
            if not 0 <= value <= _MAX_NUMBER:
                raise ValueError(f"{name}: expected 0 to {_MAX_NUMBER}, got {value!r}")

    def limited(self, max_retries: int) -> "RetryPolicy":
        """Return the same policy with another number of retries."""
        check_count("max_retries", max_retries, 0)
        # `replace` runs all checks, which takes longer than everything else here.
        limited = copied(self)
        force_setattr(limited, "max_retries", max_retries)
        return limited

    def delay(self, attempt: int, outcome: Outcome, random: float) -> Optional[float]:
        """Return the seconds to wait before the next attempt; None if there is none.

        Never less than `outcome.retry_after`. At most `max_delay`, or `outcome.retry_after` plus
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
        """Return whether the attempt used a kept connection that the server had closed.

        The server never saw the request, so it is sent again at once on a new connection, which
        does not count as a retry; a POST and a stream are sent again, too. A call that starts a job
        is not, as there is a small risk of error, and two jobs are worse than a failed call.
        """
        return (
            outcome.stage == "request"
            and outcome.reused
            and outcome.silence is not None
            and outcome.silence < DEAD_WITHIN
            and not outcome.timed_out
            and not outcome.starts_job
        )

    def _is_repeatable(self, outcome: Outcome) -> bool:
        if outcome.stage == "connect":
            return True
        if outcome.streaming:
            return False
        if outcome.stage == "complete":
            return self._response_is_repeatable(outcome)
        if outcome.error_code in _NOT_HTTP:
            return False
        return outcome.stage in ("request", "response") and outcome.method in _IDEMPOTENT

    def _response_is_repeatable(self, outcome: Outcome) -> bool:
        if outcome.should_retry is False or outcome.method not in _REPEATABLE:
            return False
        if not self.final_codes.isdisjoint({outcome.error_code, outcome.provider_code}):
            return False
        if outcome.starts_job and outcome.status >= 500 and outcome.status != _UNAVAILABLE:
            # Most of these come from a proxy, which does not know whether the job has begun.
            return False
        return outcome.status in self.statuses or (
            outcome.should_retry is True and outcome.status >= 400
        )


def parse_should_retry(value: Optional[str]) -> Optional[bool]:
    """Return the value of an x-should-retry header; None if it is neither true nor false."""
    return {"true": True, "false": False}.get((value or "").strip(" \t").lower())
