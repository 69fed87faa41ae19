"""GET /v1/api-versions: the versions of the service's API."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.state import GatewayState

_VERSIONS: list[dict[str, Any]] = [
    {
        "label": "2026-08",
        "status": "supported",
        "baseline": True,
        "latest": False,
        "capabilities": [],
        "sunset_on": None,
        "notes_url": "https://example.com/versions/2026-08",
    },
    {
        "label": "2026-09",
        "status": "supported",
        "baseline": False,
        "latest": True,
        "capabilities": ["video_request_id"],
        "sunset_on": None,
        "notes_url": "https://example.com/versions/2026-09",
    },
]


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def versions(request: Request) -> Response:
        return json_response(_VERSIONS)

    return [protected(state, "/v1/api-versions", ["GET"], versions)]
