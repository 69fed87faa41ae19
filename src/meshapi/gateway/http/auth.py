"""Who may ask: routes that need the gateway's token, and those that anyone may open."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Optional

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.state import GatewayState

Endpoint = Callable[[Request], Awaitable[Response]]


def protected(state: GatewayState, path: str, methods: Sequence[str], endpoint: Endpoint) -> Route:
    """A route that only requests with the gateway's token get through; others get a 401."""

    async def checked(request: Request) -> Response:
        check_token(state, bearer_token(request.headers))
        return await endpoint(request)

    return Route(path, checked, methods=methods)


def public(path: str, methods: Sequence[str], endpoint: Endpoint) -> Route:
    """A route that needs no token: for pictures, documents, signed uploads."""
    return Route(path, endpoint, methods=methods)


def public_url(request: Request, path: str) -> str:
    """The whole URL of a public path, on the host and port that this request was sent to."""
    return str(request.base_url).rstrip("/") + path


def bearer_token(headers: Headers) -> Optional[str]:
    """The token of the `Authorization` header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def check_token(state: GatewayState, token: Optional[str]) -> None:
    """Return if it is the gateway's token.

    Raises:
        GatewayError: 401 `unauthorized`.
    """
    if token != state.token:
        message = "The API key is missing or not valid."
        raise GatewayError(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
