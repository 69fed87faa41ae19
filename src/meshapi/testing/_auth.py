"""The Bearer check in front of an endpoint."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.testing._errors import GatewayError
from meshapi.testing._state import GatewayState

Endpoint = Callable[[Request], Awaitable[Response]]


def protected(state: GatewayState, path: str, methods: Sequence[str], endpoint: Endpoint) -> Route:
    """A route that only requests with the gateway's token get through; others get a 401."""

    async def checked(request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token.strip() != state.token:
            message = "The API key is missing or not valid."
            raise GatewayError(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
        return await endpoint(request)

    return Route(path, checked, methods=methods)
