"""response_meta: what the head of a response says; odd headers are None, and never raise."""

import copy
import math
import pickle
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import Headers, MeshAPIError, ResponseMeta
from meshapi_core.response_meta import RateLimit, Routing

# Every header that is read, and values that come close to those that can be read.
NAMES = [
    "x-request-id", "x-mesh-version", "mesh-version", "x-cache", "x-auto-routed", "date",
    "x-resolved-model-id", "x-mesh-routing-attempts", "x-mesh-routing-fallback",
    "x-mesh-served-provider", "x-byok-fallback-triggered", "x-provider-latency-ms", "deprecation",
    "sunset", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
    "x-ratelimit-", "X-RateLimit-Other",
]  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"[0-9]{1,20}(\.[0-9]{0,20})?(s|ms|m|h|d)?", fullmatch=True),
    st.sampled_from(
        ["", " ", "nan", "inf", "-1", "1e9", "0", "007", "1_000", "\u0663", "\xb2", "true", "HIT,",
         "6m0s", "1741305600000", "2026-01-01T00:00:00Z", "Sun, 06 Nov 1994 08:49:37 GMT", ","]
    ),
)  # fmt: skip
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=12)


def meta(**headers: str) -> ResponseMeta:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ResponseMeta(200, Headers(named), 1, 0.25)


@given(PAIRS)
def test_whatever_the_headers_everything_can_be_read_and_is_bounded(
    pairs: list[tuple[str, str]],
) -> None:
    made = ResponseMeta(200, Headers(pairs), 2, 0.5)
    limits, routing = made.rate_limits, made.routing
    counts: list[Optional[float]] = [routing.attempts, made.provider_latency_ms]
    for limit in (limits.requests, limits.tokens):
        counts += [limit.limit, limit.remaining, limit.reset]
    for number in counts:
        assert number is None or (math.isfinite(number) and 0 <= number < 1e15)
    for flag in (routing.auto_routed, routing.fallback, routing.byok_fallback_triggered):
        assert flag in (True, False, None)
    for text in (made.api_version, made.deprecation, made.sunset, routing.served_provider):
        assert text is None or text.strip() == text != ""
    assert type(made.cache_hit) is bool
    assert set(limits.raw) == {n.lower() for n, _ in pairs if n.lower().startswith("x-ratelimit-")}
    assert isinstance(made.request_id, str)
    repr(made)


@given(PAIRS)
def test_copies_have_the_same_headers(pairs: list[tuple[str, str]]) -> None:
    made = ResponseMeta(200, Headers(pairs), 2, 0.5)
    for twin in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert twin == made
        assert twin.headers.raw == made.headers.raw


class TestRateLimits:
    def test_of_requests_and_of_tokens(self) -> None:
        limits = meta(
            x_ratelimit_limit_requests="60",
            x_ratelimit_remaining_requests="59",
            x_ratelimit_reset_requests="1s",
            X_RateLimit_Limit_Tokens="150000",
            x_ratelimit_remaining_tokens="149984",
            x_ratelimit_reset_tokens="6m0s",
        ).rate_limits
        assert limits.requests == RateLimit(limit=60, remaining=59, reset=1.0)
        assert limits.tokens == RateLimit(limit=150_000, remaining=149_984, reset=360.0)
        assert limits.raw["x-ratelimit-limit-tokens"] == "150000"
        assert len(limits.raw) == 6

    def test_one_without_a_unit_is_one_of_requests(self) -> None:
        limits = meta(x_ratelimit_limit="20", x_ratelimit_remaining="0").rate_limits
        assert limits.requests == RateLimit(limit=20, remaining=0)
        assert limits.tokens == RateLimit()

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("6m0s", 360.0),
            ("20ms", 0.02),
            ("30", 30.0),
            ("1.5", 1.5),
            ("784111782", 784111782.0),
            ("1735689605", 5.0),
            ("1735689605000", 5.0),
            ("2025-01-01T00:00:07Z", 7.0),
            ("Wed, 01 Jan 2025 00:00:09 GMT", 9.0),
            ("1735689500", 0.0),
            ("soon", None),
            ("-1", None),
            ("nan", None),
        ],
    )
    def test_a_reset_is_in_seconds_from_the_response(
        self, value: str, seconds: Optional[float]
    ) -> None:
        now = "Wed, 01 Jan 2025 00:00:00 GMT"
        made = meta(x_ratelimit_reset_tokens=value, date=now)
        assert made.rate_limits.tokens.reset == seconds

    def test_a_point_in_time_needs_the_date_of_the_response(self) -> None:
        assert meta(x_ratelimit_reset_requests="1735689605").rate_limits.requests.reset is None

    @pytest.mark.parametrize("value", ["", "many", "-1", "1.5", "1, 2", "9" * 16, "\u0663"])
    def test_an_odd_count_is_none(self, value: str) -> None:
        assert meta(x_ratelimit_limit_requests=value).rate_limits.requests.limit is None


def test_routing() -> None:
    made = meta(
        x_auto_routed="true",
        x_resolved_model_id="openai/gpt-4o-mini",
        x_mesh_routing_attempts="2",
        x_mesh_routing_fallback="True",
        x_mesh_served_provider="azure",
        x_byok_fallback_triggered="false",
    )
    assert made.routing == Routing(
        auto_routed=True,
        resolved_model_id="openai/gpt-4o-mini",
        attempts=2,
        fallback=True,
        served_provider="azure",
        byok_fallback_triggered=False,
    )
    assert meta().routing == Routing()
    assert meta(x_auto_routed="perhaps").routing.auto_routed is None


@pytest.mark.parametrize(
    ("value", "hit"),
    [
        ("HIT", True), ("hit", True), (" Hit from edge-7", True), ("HIT, MISS", True),
        ("MISS", False), ("", False), ("no hit", False), ("HITS", False),
    ],
)  # fmt: skip
def test_the_cache(value: str, hit: bool) -> None:
    assert meta(x_cache=value).cache_hit is hit


def test_the_rest() -> None:
    made = meta(
        x_provider_latency_ms="812.5",
        Mesh_Version="2026-08",
        deprecation="@1688169599",
        sunset="Sun, 30 Jun 2024 23:59:59 GMT",
        x_request_id="req_1",
    )
    assert made.provider_latency_ms == 812.5
    assert made.api_version == "2026-08"
    assert made.deprecation == "@1688169599"
    assert made.sunset == "Sun, 30 Jun 2024 23:59:59 GMT"
    assert made.request_id == "req_1"
    assert meta(x_mesh_version="2026-09", mesh_version="2026-08").api_version == "2026-09"
    assert meta().cache_hit is False
    assert meta().provider_latency_ms is None


def test_what_no_server_sent() -> None:
    made = ResponseMeta()
    assert (made.status, made.attempts, made.elapsed, made.request_id) == (0, 0, 0.0, "")
    assert dict(made.headers) == {}
    assert made.rate_limits.requests == RateLimit()


def test_its_repr_shows_no_header() -> None:
    made = meta(set_cookie="session=secret", x_request_id="req_1")
    shown = "ResponseMeta(status=200, request_id='req_1', attempts=1, elapsed=0.25)"
    assert repr(made) == shown
    assert dict(made.__rich_repr__())["status"] == 200


def test_an_error_has_one_too() -> None:
    headers: Any = {"x-ratelimit-remaining-requests": "0", "x-request-id": "req_1"}
    for given_headers in (headers, Headers(headers)):
        error = MeshAPIError("no", status=429, headers=given_headers)
        error.attempts, error.elapsed = 3, 1.5
        for each in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
            made = each.meta
            assert (made.status, made.attempts, made.elapsed) == (429, 3, 1.5)
            assert made.rate_limits.requests.remaining == 0
    assert MeshAPIError("no").meta == ResponseMeta()
