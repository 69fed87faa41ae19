"""What the head of a response says about its call: `response.meta`.

A `ResponseMeta` holds the head of a response and two numbers. Everything else is read from the
headers when it is asked for. Servers write them, so nothing here raises: a value that cannot be
read is None.

Source: https://www.rfc-editor.org/rfc/rfc9745 (Deprecation),
    https://www.rfc-editor.org/rfc/rfc8594 (Sunset),
    https://platform.openai.com/docs/guides/rate-limits (x-ratelimit-*)
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Optional

from msgspec import Struct

from meshapi_core.headers import Headers, find_request_id
from meshapi_core.retries import Outcome

__all__ = ["CallFacts", "RateLimit", "RateLimitHeaders", "ResponseMeta", "Routing"]

# Fifteen digits are more than any count, and few enough for a float to hold exactly.
_COUNT: Final = re.compile(r"[0-9]{1,15}")
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")

_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

_RATE_LIMIT: Final = "x-ratelimit-"


class RateLimit(Struct, frozen=True, kw_only=True):
    """One rate limit of the account; a value that the gateway did not send is None.

    Fields:
        limit: the most in one period.
        remaining: what is left of it.
        reset: seconds from the response until the limit is full again.
    """

    limit: Optional[int] = None
    remaining: Optional[int] = None
    reset: Optional[float] = None


class RateLimitHeaders(Struct, frozen=True, kw_only=True):
    """The rate limits in the headers of a response.

    Fields:
        requests: the limit of requests, or one that does not say what it counts.
        tokens: the limit of model tokens.
        raw: every `x-ratelimit-*` header, by its name in lower case.
    """

    requests: RateLimit
    tokens: RateLimit
    raw: Mapping[str, str]


class Routing(Struct, frozen=True, kw_only=True):
    """How the gateway chose a model and a provider; what it did not say is None.

    Fields:
        auto_routed: whether the gateway chose the model (`model="auto"`).
        resolved_model_id: the model that it chose.
        attempts: how many providers it tried.
        fallback: whether the first provider failed, so that another one served the request.
        served_provider: the provider that served the request.
        byok_fallback_triggered: whether your own key for the provider failed, so that the gateway
            used its own.
    """

    auto_routed: Optional[bool] = None
    resolved_model_id: Optional[str] = None
    attempts: Optional[int] = None
    fallback: Optional[bool] = None
    served_provider: Optional[str] = None
    byok_fallback_triggered: Optional[bool] = None


class ResponseMeta(Struct, frozen=True):
    """What is known about a response besides its body.

    An object that no server sent has the status 0, no headers, and 0 attempts.

    Fields:
        status: the HTTP status.
        headers: the headers of the response, as received. Look-ups ignore case.
        attempts: how many attempts the call took, the last one included.
        elapsed: seconds from the beginning of the call to the end of the response, with all
            attempts and the waits between them. For a stream, to the head of the response.
    """

    status: int = 0
    headers: Headers = Headers()
    attempts: int = 0
    elapsed: float = 0.0

    @property
    def request_id(self) -> str:
        """The request ID, to quote to support; "" if the gateway sent none."""
        return find_request_id(self.headers)

    @property
    def rate_limits(self) -> RateLimitHeaders:
        """What is left of the account's rate limits."""
        raw = {name: value for name, value in self.headers.items() if name.startswith(_RATE_LIMIT)}
        # Read at once: with a Date header, a reset may be a point in time.
        return RateLimitHeaders(
            requests=self._limit("-requests", raw), tokens=self._limit("-tokens", raw), raw=raw
        )

    def _limit(self, unit: str, raw: Mapping[str, str]) -> RateLimit:
        # Imported on first use: few programs look at their rate limits.
        from meshapi_core.retry_after import now_of, until_reset

        def value(word: str) -> str:
            name = _RATE_LIMIT + word
            # A limit without a unit counts requests.
            rest = "" if unit != "-requests" else raw.get(name, "")
            return raw.get(name + unit, rest).strip()

        return RateLimit(
            limit=_count(value("limit")),
            remaining=_count(value("remaining")),
            reset=until_reset(value("reset"), now_of(self.headers, None)),
        )

    @property
    def routing(self) -> Routing:
        """How the gateway chose a model and a provider."""
        headers = self.headers
        return Routing(
            auto_routed=_truth(headers.get("x-auto-routed")),
            resolved_model_id=_text(headers.get("x-resolved-model-id")),
            attempts=_count(headers.get("x-mesh-routing-attempts", "").strip()),
            fallback=_truth(headers.get("x-mesh-routing-fallback")),
            served_provider=_text(headers.get("x-mesh-served-provider")),
            byok_fallback_triggered=_truth(headers.get("x-byok-fallback-triggered")),
        )

    @property
    def cache_hit(self) -> bool:
        """Whether the response came from the gateway's cache."""
        # Each cache on the way adds a value, in words of its own: "HIT, Miss from edge-7".
        values = self.headers.get("x-cache", "").lower().split(",")
        return any(value.split()[:1] == ["hit"] for value in values)

    @property
    def provider_latency_ms(self) -> Optional[float]:
        """How long the provider took, in milliseconds; None if the gateway did not say."""
        value = self.headers.get("x-provider-latency-ms", "").strip()
        return float(value) if _NUMBER.fullmatch(value) else None

    @property
    def api_version(self) -> Optional[str]:
        """The version of the API that served the request."""
        headers = self.headers
        return _text(headers.get("x-mesh-version")) or _text(headers.get("mesh-version"))

    @property
    def deprecation(self) -> Optional[str]:
        """When the endpoint became deprecated, as received: `@` and Unix seconds."""
        return _text(self.headers.get("deprecation"))

    @property
    def sunset(self) -> Optional[str]:
        """When the endpoint will be removed, as received: an HTTP date."""
        return _text(self.headers.get("sunset"))

    def __repr__(self) -> str:
        # Without the headers, which may have a cookie.
        named = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"ResponseMeta({named})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Without this, rich would show all fields in place of the repr.
        return [
            ("status", self.status),
            ("request_id", self.request_id),
            ("attempts", self.attempts),
            ("elapsed", self.elapsed),
        ]


class CallFacts:
    """What an error knows about its call.

    Attributes:
        attempts: how many attempts the call took; 0 if the error is not that of a call.
        elapsed: seconds from the beginning of the call to its failure.
        stream_status: the status of the response whose stream failed; 0 if there was no stream.
        outcome: how the last attempt failed, for a `RetryPolicy`; None if that is not what the
            error is about.
    """

    status: int
    headers: Mapping[str, str]
    attempts: int = 0
    elapsed: float = 0.0
    stream_status: int = 0
    outcome: Optional[Outcome] = None

    @property
    def meta(self) -> ResponseMeta:
        """Rate limits, routing and the like, as a response that is not an error has them."""
        status = self.status or self.stream_status
        return ResponseMeta(status, Headers(self.headers), self.attempts, self.elapsed)


def _text(value: Optional[str]) -> Optional[str]:
    return (value or "").strip() or None


def _truth(value: Optional[str]) -> Optional[bool]:
    return _TRUTHS.get((value or "").strip().lower())


def _count(value: str) -> Optional[int]:
    return int(value) if _COUNT.fullmatch(value) else None
