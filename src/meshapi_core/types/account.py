"""The account behind the token: its balance and usage, and the versions of the API.

Money is text, so that none is rounded. What the documentation does not describe is an open
response: its fields are attributes, and `.raw` has everything.

Source: MeshAPI usage and monitoring,
    https://developers.meshapi.ai/docs/guides/usage-monitoring-api
"""

from typing import Any, ClassVar, Optional

import msgspec

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import OpenResponseModel

__all__ = [
    "APIVersion",
    "AccountBalance",
    "RateLimits",
    "SpendTrend",
    "UsageAttempts",
    "UsageEvents",
    "UsageSummary",
]


class AccountBalance(OpenResponseModel, kw_only=True, dict=True):
    """How much money is left, in US dollars as text.

    Fields:
        balance_usd: all of it; an organization's members share one balance.
        reserved_usd: held back for what is under way: realtime sessions, background jobs, videos.
        available_usd: what can be spent.
        reserved_breakdown: what holds it, and how much.
    """

    balance_usd: Optional[str] = None
    reserved_usd: Optional[str] = None
    available_usd: Optional[str] = None
    reserved_breakdown: Optional[Any] = None


class UsageSummary(OpenResponseModel, kw_only=True, dict=True):
    """What this token has used, added up.

    Fields:
        total_cost_usd, ..._usd: US dollars as text.
        by_model: one page of rows, one for each model.
        by_model_total: number of models on all pages.
        cached_at: when it was counted; None where that was just now.
    """

    total_requests: Optional[int] = None
    successful_requests: Optional[int] = None
    error_requests: Optional[int] = None
    prompt_tokens: Optional[int] = None
    completion_tokens: Optional[int] = None
    total_tokens: Optional[int] = None
    total_cost_usd: Optional[str] = None
    by_model: Optional[list[dict[str, Any]]] = None
    by_model_total: Optional[int] = None
    total_platform_fee_usd: Optional[str] = None
    total_platform_requests: Optional[int] = None
    total_platform_tokens: Optional[int] = None
    total_byok_platform_fee_usd: Optional[str] = None
    total_byok_cost_usd: Optional[str] = None
    total_byok_requests: Optional[int] = None
    total_byok_tokens: Optional[int] = None
    cached_at: Optional[str] = None


class UsageEvents(OpenResponseModel, kw_only=True, dict=True):
    """One page of the requests that were made with this token, the newest first.

    Fields:
        events: one row for each request; one that was retried stands there once.
        total: number of requests on all pages.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="events")

    events: list[dict[str, Any]] = msgspec.field(default_factory=list)
    total: Optional[int] = None
    limit: Optional[int] = None
    offset: Optional[int] = None


class UsageAttempts(OpenResponseModel, kw_only=True, dict=True):
    """The attempts that one request took; its form is not documented, so look into `.raw`."""


class SpendTrend(OpenResponseModel, kw_only=True, dict=True):
    """Money spent over time; its form is not documented, so look into `.raw`."""


class RateLimits(OpenResponseModel, kw_only=True, dict=True):
    """How close the token is to its limits.

    Fields:
        as_of: when it was read.
        key: for requests and tokens a minute and requests a day: `current`, `limit`, `pct` (0 to
            100), `resets_in_seconds` and `is_default_limit`.
        org, team, member: the same of these; None for tokens of the data plane.
    """

    as_of: Optional[str] = None
    key: Optional[dict[str, Any]] = None
    org: Optional[dict[str, Any]] = None
    team: Optional[dict[str, Any]] = None
    member: Optional[dict[str, Any]] = None


class APIVersion(OpenResponseModel, kw_only=True, dict=True):
    """A version of the API that the gateway serves.

    Fields:
        label: for the header `X-Mesh-Version`: "2026-08".
        baseline: whether it is what requests without that header get.
        latest: whether it is the newest.
        sunset_on: the day from which on it is no longer served.
        notes_url: what changed.
    """

    label: str = ""
    status: Optional[str] = None
    baseline: Optional[bool] = None
    latest: Optional[bool] = None
    capabilities: Optional[list[Any]] = None
    sunset_on: Optional[str] = None
    notes_url: Optional[str] = None
