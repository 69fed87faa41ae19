"""The check of the token in front of an endpoint."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Optional

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.guard import bearer_token
from meshapi.gateway.state import GatewayState

Endpoint = Callable[[Request], Awaitable[Response]]


def protected(state: GatewayState, path: str, methods: Sequence[str], endpoint: Endpoint) -> Route:
    """A route that only requests with the gateway's token get through; others get a 401."""

    async def checked(request: Request) -> Response:
        check_token(state, bearer_token(request.headers))
        return await endpoint(request)

    return Route(path, checked, methods=methods)


def check_token(state: GatewayState, token: Optional[str]) -> None:
    """Return if it is the gateway's token.

    Raises:
        GatewayError: 401 `unauthorized`.
    """
    if token != state.token:
        message = "The API key is missing or not valid."
        raise GatewayError(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
