"""The account behind the token: balance, usage, and versions of the API.

Filters are documented in part only, so keywords are sent as given; the docstrings list the known
ones.

Source: https://developers.meshapi.ai/docs/guides/usage-monitoring-api
"""

from typing import Any

from meshapi_core.calls import Call
from meshapi_core.endpoints._any_shape import AnyShapeReader
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint
from meshapi_core.endpoints._lists import list_endpoint
from meshapi_core.params.encoding import encode_params
from meshapi_core.paths import path_segment
from meshapi_core.queries import encode_query
from meshapi_core.readers import ListReader
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

__all__ = ["APIVersions", "Balance", "Usage"]

_USAGE = "/v1/usage"


class Balance(Resource[R_co]):
    """The balance of the account."""

    @endpoint
    def get(self) -> Call[AccountBalance]:
        """Return the balance of the account, or of the organization that the token belongs to.

        Returns:
            US dollars as text: `.available_usd` can be spent, and `.reserved_usd` is held back for
            work in progress. `.balance_usd` is the sum of both.
        """
        return Call(method="GET", path="/v1/balance", reader=AnyShapeReader(AccountBalance))


class Usage(Resource[R_co]):
    """What this token has used, and how close it is to its limits."""

    @endpoint
    def query(self, /, **fields: Any) -> Call[UsageSummary]:
        """Return the usage of this token, added up.

        Args:
            fields: filters, sent as given. The known ones are `since`, `until`, `model`, `status`,
                `key_id`, `team_id`, `member_user_id` and `end_user_id`; `limit` and `offset` choose
                a page of `.by_model`.

        Returns:
            The totals, such as `.total_requests`, `.total_tokens` and `.total_cost_usd` (US dollars
            as text), and in `.by_model` a row for each model.

        Raises:
            InvalidParamsError: JSON cannot represent a value; nothing was sent.
            UnprocessableEntityError: the gateway does not know a filter.
        """
        reader = AnyShapeReader(UsageSummary)
        return Call(method="POST", path=_USAGE, body=_body(fields), reader=reader)

    @list_endpoint
    def events(self, /, **fields: Any) -> Call[UsageEvents]:
        """Return one page of the requests made with this token, the newest first.

        Args:
            fields: as for `query`; `limit` is at most 200.

        Returns:
            The page: a dict for each request in `.events`, and in `.total` the number of requests
            on all pages. Iterate over it for all of them.

        Raises:
            InvalidParamsError, UnprocessableEntityError: as for `query`.
        """
        reader = AnyShapeReader(UsageEvents)
        return Call(method="POST", path=f"{_USAGE}/events", body=_body(fields), reader=reader)

    @endpoint
    def attempts(self, event_id: str) -> Call[UsageAttempts]:
        """Return the attempts that one request took; their form is not documented: see `.raw`.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no request with this ID.
        """
        path = f"{_USAGE}/events/{path_segment('event_id', event_id)}/attempts"
        return Call(method="GET", path=path, reader=AnyShapeReader(UsageAttempts))

    @endpoint
    def spend_trend(self, /, **fields: Any) -> Call[SpendTrend]:
        """Return the money spent over time; its form is not documented: see `.raw`.

        Args:
            fields: query parameters, sent as given.

        Raises:
            InvalidParamsError: a value does not fit into a query; nothing was sent.
            PermissionDeniedError: the token may not ask for this.
        """
        query = encode_query(dict, None, fields)
        reader = AnyShapeReader(SpendTrend)
        return Call(method="GET", path=f"{_USAGE}/spend-trend", query=query, reader=reader)

    @endpoint
    def rate_limits(self, /, **fields: Any) -> Call[RateLimits]:
        """Return how close the token is to its rate limits right now.

        Args:
            fields: query parameters, sent as given. `team_id` is a known one.

        Returns:
            In `.key` the limits of the token: requests and tokens a minute, and requests a day,
            each with `current` and `limit`.

        Raises:
            InvalidParamsError: a value does not fit into a query; nothing was sent.
        """
        query = encode_query(dict, None, fields)
        reader = AnyShapeReader(RateLimits)
        return Call(method="GET", path=f"{_USAGE}/rate-limits", query=query, reader=reader)


class APIVersions(Resource[R_co]):
    """The versions of the API."""

    _name = "api_versions"

    @list_endpoint
    def list(self) -> Call[ResponseList[APIVersion]]:
        """Return the versions that the gateway serves."""
        return Call(method="GET", path="/v1/api-versions", reader=ListReader(APIVersion))


def _body(fields: dict[str, Any]) -> bytes:
    return encode_params(dict, None, fields)
