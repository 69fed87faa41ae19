"""When to send a request again, and how long to wait before that. No clock, no randomness.

What decides is whether a second attempt could do harm, that is, whether the server may have begun
the work of the first one:

    how far the first one came          is repeated
    ----------------------------------  ------------------------------------------------------
    no connection, so nothing was sent  always, streams too
    a kept-alive connection was dead    at once, once a call, streams too (`is_dead_on_arrival`);
                                        never what starts a job
    the request went out, then silence  GET, HEAD, DELETE and PUT only, no streams
    the response broke off                the same
    429, 502, 503, 504                  everything but streams, unless the code is final
    any response, x-should-retry: false   never
    4xx, 5xx, x-should-retry: true      everything but streams, unless the code is final
    5xx but 503 to what starts a job    never: it may be running, and would be billed twice
    any other response                    never
    TLS identity refused, pool full,
    client closed                       never: nothing heals by itself

Dead on arrival is what the facts say, not what is likely: the connection had served a response
before, not a byte came back, and it broke within `DEAD_WITHIN` of the request's first byte. A
server that took the request and worked on it is silent for longer than that.

The wait is equal jitter: half of the capped exponential is certain, the other half random, and
what the server asks for is a floor under both, so that no client is ever early and clients that
failed together do not come back together.

Source: https://developers.meshapi.ai (errors, retries),
    https://github.com/openai/openai-python `_base_client.py` (x-should-retry),
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from typing import Literal, Optional

from msgspec import Struct

from meshapi_core._json_kinds import type_name
from meshapi_core._named_fields import NamedFields

__all__ = [
    "DEAD_WITHIN",
    "Outcome",
    "RetryPolicy",
    "parse_should_retry",
]

DEAD_WITHIN = 0.5
"""Seconds within which a dead connection shows: its peer answers the first packet with a reset, so
it takes one round trip, which is 0.3 s to the other side of the earth."""

# Twice is the same as once.
_IDEMPOTENT = frozenset({"GET", "HEAD", "DELETE", "PUT"})
# With a response that refuses the request.
_REPEATABLE = _IDEMPOTENT | {"POST", "PATCH"}
# The one response from 500 on that says that nothing was begun.
_UNAVAILABLE = 503

# The largest power of two that a float holds; far beyond any max_delay.
_MAX_EXPONENT = 1023
# In seconds thirty years, as much as a Retry-After can say; floats stay far from overflow.
_MAX_NUMBER = 999_999_999


# A peer that does not speak HTTP/1.1 has not learned it by the next attempt. These codes are ours:
# a gateway's response may use the same words for something else.
_NOT_HTTP = frozenset(
    {"bad_response", "framing", "headers_too_large", "too_many_1xx", "unexpected_upgrade"}
)


class Outcome(Struct, frozen=True):
    """How an attempt failed: the facts that decide whether another one follows.

    Fields:
        method: of the request, upper case.
        stage: how far the attempt came. "pool": no connection was free in time. "closed": our
            client is closed. "connect": no connection, nothing sent. "verify": the server's TLS
            identity was refused. "request": some bytes of the request went out, no byte of a
            response came. "response": the response broke off. "complete": a whole HTTP response
            came.
        status: of the response, else 0.
        error_code: of the error that the caller would get.
        retry_after: what the server asked for, in seconds.
        reused: the connection had served a response before.
        timed_out: a limit of ours ended the attempt, not the peer.
        streaming: the response was to be a stream.
        provider_code: of the error that the caller would get.
        silence: seconds between the first byte of the request and the failure; None where nobody
            measured it.
        should_retry: what the server says about another attempt, None where it says nothing.
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


class RetryPolicy(Struct, frozen=True, metaclass=NamedFields):
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
                raise TypeError(f"{name}: expected {expected}, got {type_name(value)}")
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
        costs no attempt; a POST and a stream, too. What starts a job is not, as no fact is
        certain, and two jobs are worse than an error.
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
            # Most of them come from somebody in between, who does not know what became of it.
            return False
        return outcome.status in self.statuses or (
            outcome.should_retry is True and outcome.status >= 400
        )


def parse_should_retry(value: Optional[str]) -> Optional[bool]:
    """Return what an x-should-retry field says, None if it says nothing usable."""
    return {"true": True, "false": False}.get((value or "").strip(" \t").lower())
