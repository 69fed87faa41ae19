"""GET /v1/balance: always the same amount, because this gateway is free."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.state import GatewayState


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def balance(request: Request) -> Response:
        amounts = {"balance_usd": "100.00", "reserved_usd": "0.00", "available_usd": "100.00"}
        return json_response({**amounts, "reserved_breakdown": {}})

    return [protected(state, "/v1/balance", ["GET"], balance)]
