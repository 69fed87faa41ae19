"""Balance, usage, and versions of the API."""

from meshapi_core.types._base import ResponseList
from meshapi_core.types.account import (
    AccountBalance,
    APIVersion,
    RateLimits,
    SpendTrend,
    UsageAttempts,
    UsageEvents,
    UsageSummary,
)
from support.endpoint_rows import Row

REQUESTS_A_MINUTE = {
    "current": 3,
    "limit": 60,
    "pct": 5,
    "resets_in_seconds": 12,
    "is_default_limit": True,
}

ROWS = [
    Row(
        "balance.get",
        "/v1/balance",
        method="GET",
        response={
            "balance_usd": "12.50",
            "reserved_usd": "2.50",
            "available_usd": 10,
            "reserved_breakdown": {"video": "2.50"},
            "currency": "USD",
        },
        value=AccountBalance(
            balance_usd="12.50",
            reserved_usd="2.50",
            available_usd="10",
            reserved_breakdown={"video": "2.50"},
            currency="USD",
        ),
    ),
    Row(
        "usage.query",
        "/v1/usage",
        json={},
        response={
            "total_requests": 1,
            "total_cost_usd": "0.0001",
            "by_model": [{"model": "m", "requests": 1}],
            "cached_at": None,
        },
        value=UsageSummary(
            total_requests=1,
            total_cost_usd="0.0001",
            by_model=[{"model": "m", "requests": 1}],
        ),
    ),
    Row(
        "usage.query",
        "/v1/usage",
        kwargs={"since": "2026-07-01", "model": ["a"], "self": 1, "offset": 0, "until": None},
        json={"since": "2026-07-01", "model": ["a"], "self": 1, "offset": 0},
        response={"data": []},
        value=UsageSummary(data=[]),
    ),
    Row(
        "usage.events",
        "/v1/usage/events",
        kwargs={"limit": 200},
        json={"limit": 200},
        response={"events": [{"id": "e", "routing_fallback": False}], "total": 1, "limit": 200},
        value=UsageEvents(events=[{"id": "e", "routing_fallback": False}], total=1, limit=200),
    ),
    Row(
        "usage.attempts",
        "/v1/usage/events/e%2F1/attempts",
        method="GET",
        args=("e/1",),
        response=[{"attempt": 1}],
        value=UsageAttempts(),
    ),
    Row(
        "usage.spend_trend",
        "/v1/usage/spend-trend",
        method="GET",
        kwargs={"days": 30, "models": ["a", "b"], "refresh": False},
        query="days=30&models=a&models=b&refresh=false",
        response={"data": [{"date": "2026-07-01"}]},
        value=SpendTrend(data=[{"date": "2026-07-01"}]),
    ),
    Row(
        "usage.rate_limits",
        "/v1/usage/rate-limits",
        method="GET",
        response={"as_of": "2026-07-01T00:00:00Z", "key": {"rpm": REQUESTS_A_MINUTE}, "org": None},
        value=RateLimits(as_of="2026-07-01T00:00:00Z", key={"rpm": REQUESTS_A_MINUTE}),
    ),
    Row(
        "usage.rate_limits",
        "/v1/usage/rate-limits",
        method="GET",
        kwargs={"team_id": "t", "org_id": None},
        query="team_id=t",
        response={},
        value=RateLimits(),
    ),
    Row(
        "api_versions.list",
        "/v1/api-versions",
        method="GET",
        response=[
            {"label": "2026-08", "status": "supported", "baseline": True, "latest": False},
            {"label": "2026-09", "latest": True, "capabilities": ["video_request_id"], "new": 1},
        ],
        value=ResponseList(
            [
                APIVersion(label="2026-08", status="supported", baseline=True, latest=False),
                APIVersion(label="2026-09", latest=True, capabilities=["video_request_id"], new=1),
            ]
        ),
    ),
]
