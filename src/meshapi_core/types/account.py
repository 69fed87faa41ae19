"""The account behind the token: its balance and usage, and the versions of the API.

Amounts of money are text, so that none is rounded. Fields that the gateway's documentation does not
describe are attributes, too, and `.raw` has everything.

Source: MeshAPI usage and monitoring,
    https://developers.meshapi.ai/docs/guides/usage-monitoring-api
"""

from typing import Any, ClassVar, Optional

import msgspec

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import OpenResponseModel
from meshapi_core.types._pages import OffsetPage

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
    """The money that is left, in US dollars as text.

    Fields:
        balance_usd: the whole balance; the members of an organization share one.
        reserved_usd: held back for work under way: realtime sessions, background jobs, videos.
        available_usd: what can be spent.
        reserved_breakdown: the amounts held back, by purpose.
    """

    balance_usd: Optional[str] = None
    reserved_usd: Optional[str] = None
    available_usd: Optional[str] = None
    reserved_breakdown: Optional[Any] = None


class UsageSummary(OpenResponseModel, kw_only=True, dict=True):
    """The usage of this token, added up.

    Fields:
        total_cost_usd, ..._usd: US dollars as text.
        by_model: one page of rows, one row for each model.
        by_model_total: number of models on all pages.
        cached_at: when the figures were computed; None if just now.
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


class UsageEvents(OpenResponseModel, OffsetPage[dict[str, Any]], kw_only=True, dict=True):
    """One page of the requests made with this token, newest first.

    Fields:
        events: one row for each request, retried or not.
        total: number of requests on all pages.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="events")

    events: list[dict[str, Any]] = msgspec.field(default_factory=list)
    total: Optional[int] = None
    limit: Optional[int] = None
    offset: Optional[int] = None

    def _rows(self) -> list[dict[str, Any]]:
        return self.events


class UsageAttempts(OpenResponseModel, kw_only=True, dict=True):
    """The attempts that one request took; their form is not documented: see `.raw`."""


class SpendTrend(OpenResponseModel, kw_only=True, dict=True):
    """Spending over time; its form is not documented: see `.raw`."""


class RateLimits(OpenResponseModel, kw_only=True, dict=True):
    """How close the token is to its limits.

    Fields:
        as_of: when the figures were read.
        key: for requests per minute, model tokens per minute and requests per day: `current`,
            `limit`, `pct` (0 to 100), `resets_in_seconds` and `is_default_limit`.
        org, team, member: the same for the organization, the team and the member; None for
            data-plane tokens.
    """

    as_of: Optional[str] = None
    key: Optional[dict[str, Any]] = None
    org: Optional[dict[str, Any]] = None
    team: Optional[dict[str, Any]] = None
    member: Optional[dict[str, Any]] = None


class APIVersion(OpenResponseModel, kw_only=True, dict=True):
    """A version of the API that the gateway serves.

    Fields:
        label: the value for the header `X-Mesh-Version`, such as "2026-08".
        baseline: whether requests without that header get this version.
        latest: whether it is the newest version.
        sunset_on: the first day on which it is no longer served.
        notes_url: a page that says what changed.
    """

    label: str = ""
    status: Optional[str] = None
    baseline: Optional[bool] = None
    latest: Optional[bool] = None
    capabilities: Optional[list[Any]] = None
    sunset_on: Optional[str] = None
    notes_url: Optional[str] = None
