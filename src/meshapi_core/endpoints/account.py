"""The account behind the token: balance, usage, and versions of the API.

What may be asked is documented in part only, so the keywords go out as they are; the docstrings
say which names are known.

Source: https://developers.meshapi.ai/docs/guides/usage-monitoring-api
"""

from typing import Any

from meshapi_core.calls import Call
from meshapi_core.endpoints._any_shape import AnyShapeReader
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint
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
    """How much money is left."""

    @endpoint
    def get(self) -> Call[AccountBalance]:
        """Return the balance of the account, or of the organization that the token belongs to."""
        return Call(method="GET", path="/v1/balance", reader=AnyShapeReader(AccountBalance))


class Usage(Resource[R_co]):
    """What has been used with this token, and how close it is to its limits."""

    @endpoint
    def query(self, /, **fields: Any) -> Call[UsageSummary]:
        """Return what has been used, added up.

        Args:
            fields: sent as they are. Known are `since`, `until`, `model`, `status`, `key_id`,
                `team_id`, `member_user_id`, `end_user_id`; `limit` and `offset` for the rows by
                model.

        Raises:
            InvalidParamsError: a value that JSON cannot hold; nothing was sent.
            UnprocessableEntityError: a filter that the gateway does not know.
        """
        reader = AnyShapeReader(UsageSummary)
        return Call(method="POST", path=_USAGE, body=_body(fields), reader=reader)

    @endpoint
    def events(self, /, **fields: Any) -> Call[UsageEvents]:
        """Return one page of the requests that were made, the newest first.

        Args:
            fields: as for `query`; `limit` is at most 200.

        Raises:
            InvalidParamsError, UnprocessableEntityError: as for `query`.
        """
        reader = AnyShapeReader(UsageEvents)
        return Call(method="POST", path=f"{_USAGE}/events", body=_body(fields), reader=reader)

    @endpoint
    def attempts(self, event_id: str) -> Call[UsageAttempts]:
        """Return the attempts that one request took; look into `.raw`.

        Raises:
            InvalidParamsError: the id is empty, `.` or `..`.
            NotFoundError: there is no request with this id.
        """
        path = f"{_USAGE}/events/{path_segment('event_id', event_id)}/attempts"
        return Call(method="GET", path=path, reader=AnyShapeReader(UsageAttempts))

    @endpoint
    def spend_trend(self, /, **fields: Any) -> Call[SpendTrend]:
        """Return money spent over time; look into `.raw`. Not every token may ask.

        Args:
            fields: for the query, sent as they are.
        """
        query = encode_query(dict, None, fields)
        reader = AnyShapeReader(SpendTrend)
        return Call(method="GET", path=f"{_USAGE}/spend-trend", query=query, reader=reader)

    @endpoint
    def rate_limits(self, /, **fields: Any) -> Call[RateLimits]:
        """Return how close the token is to its limits at this moment.

        Args:
            fields: for the query, sent as they are. Known is `team_id`.
        """
        query = encode_query(dict, None, fields)
        reader = AnyShapeReader(RateLimits)
        return Call(method="GET", path=f"{_USAGE}/rate-limits", query=query, reader=reader)


class APIVersions(Resource[R_co]):
    """The versions of the API."""

    _name = "api_versions"

    @endpoint
    def list(self) -> Call[ResponseList[APIVersion]]:
        """Return the versions that the gateway serves."""
        return Call(method="GET", path="/v1/api-versions", reader=ListReader(APIVersion))


def _body(fields: dict[str, Any]) -> bytes:
    return encode_params(dict, None, fields)
