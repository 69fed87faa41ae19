"""/v1/usage: counts of the recorded requests, all of them free of charge, and the rate limits."""

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any, Optional, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.pages import HIGHEST_LIMIT, offset_page
from meshapi.gateway.http.query import read_query, whole
from meshapi.gateway.http.request_log import RecordedRequest
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.validation import Check, fields, integer, read_json, string
from meshapi.gateway.rate_limits import BILLED
from meshapi.gateway.state import GatewayState

_FREE = "0.0000000"
_DEFAULT_DAYS, _MOST_DAYS = 30, 365

_USAGE: Check = fields({}, {"since": string, "until": string, "model": string})
_EVENTS: Check = fields(
    {}, {"limit": integer(ge=1, le=HIGHEST_LIMIT), "offset": integer(ge=0), "model": string}
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def usage(request: Request) -> Response:
        body = await read_json(request, _USAGE)
        return json_response(_summary(_events(state, body.get("model"))))

    async def events(request: Request) -> Response:
        body = await read_json(request, _EVENTS)
        return json_response(offset_page("events", _events(state, body.get("model")), body))

    async def attempts(request: Request) -> Response:
        return json_response(_attempts(state, request.path_params["id"]))

    async def spend_trend(request: Request) -> Response:
        query = read_query(request, {"days": whole(integer(ge=1, le=_MOST_DAYS))})
        return json_response({"data": _trend(state, query.get("days", _DEFAULT_DAYS))})

    async def rate_limits(request: Request) -> Response:
        limits = state.rate_limits.rows()
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        others = {"org": None, "team": None, "member": None}
        return json_response({"as_of": now, "key": limits, **others})

    return [
        protected(state, "/v1/usage", ["POST"], usage),
        protected(state, "/v1/usage/events", ["POST"], events),
        protected(state, "/v1/usage/events/{id}/attempts", ["GET"], attempts),
        protected(state, "/v1/usage/spend-trend", ["GET"], spend_trend),
        protected(state, "/v1/usage/rate-limits", ["GET"], rate_limits),
    ]


def _events(state: GatewayState, model: Optional[str] = None) -> list[dict[str, Any]]:
    """A row for each request that the service would charge for, newest first."""
    asked = [
        request
        for request in state.requests.snapshot()
        if request.method == "POST" and request.path.startswith(BILLED)
    ]
    rows = [_event(request, number) for number, request in enumerate(asked, 1)]
    return [row for row in reversed(rows) if model is None or row["model"] == model]


def _event(request: RecordedRequest, number: int) -> dict[str, Any]:
    return {
        "id": f"evt_{number}",
        "endpoint": request.path,
        "model": _model_of(request),
        "cost_usd": _FREE,
    }


def _model_of(request: RecordedRequest) -> Optional[str]:
    try:
        body = request.json()
    except (ValueError, RecursionError):
        return None
    model = cast("dict[str, Any]", body).get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else None


def _summary(events: list[dict[str, Any]]) -> dict[str, Any]:
    counts = Counter(event["model"] for event in events)
    rows = [
        {"model": model, "requests": count, "cost_usd": _FREE} for model, count in counts.items()
    ]
    return {
        "total_requests": len(events),
        "total_cost_usd": _FREE,
        "by_model": rows,
        "by_model_total": len(rows),
        "cached_at": None,
    }


def _attempts(state: GatewayState, event_id: str) -> dict[str, Any]:
    for event in _events(state):
        if event["id"] == event_id:
            attempt = {"attempt": 1, "provider": "local", "model": event["model"]}
            return {"event_id": event_id, "data": [attempt]}
    raise GatewayError(404, "not_found", f"Event '{event_id}' was not found.")


def _trend(state: GatewayState, days: int) -> list[dict[str, Any]]:
    """A row for each day, today last; all requests count as today's."""
    today = datetime.now(timezone.utc).date()
    dates = [today - timedelta(days=back) for back in reversed(range(days))]
    rows = [{"date": str(date), "cost_usd": _FREE, "requests": 0} for date in dates]
    rows[-1]["requests"] = len(_events(state))
    return rows
