"""Access to routes: those that need the gateway's token, and public ones."""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Optional

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.rate_limits import BILLED
from meshapi.gateway.state import GatewayState

Endpoint = Callable[[Request], Awaitable[Response]]


def protected(state: GatewayState, path: str, methods: Sequence[str], endpoint: Endpoint) -> Route:
    """A route that needs the gateway's token; requests without it get a 401.

    What the service charges for counts against the rate limits.
    """

    limited = path.startswith(BILLED)

    async def checked(request: Request) -> Response:
        check_token(state, bearer_token(request.headers))
        if limited and request.method == "POST":
            state.rate_limits.admit()
        return await endpoint(request)

    return Route(path, checked, methods=methods)


def public(path: str, methods: Sequence[str], endpoint: Endpoint) -> Route:
    """A route that needs no token: for pictures, documents, signed uploads."""
    return Route(path, endpoint, methods=methods)


def public_url(request: Request, path: str) -> str:
    """The full URL of a public path, on the host name and port that the request was sent to."""
    return str(request.base_url).rstrip("/") + path


def bearer_token(headers: Headers) -> Optional[str]:
    """The token of the `Authorization` header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_token(right: str, token: Optional[str]) -> bool:
    """Whether a token is the gateway's; the time it takes says nothing about how much of it is."""
    given = (token or "").encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, right.encode())


def check_token(state: GatewayState, token: Optional[str]) -> None:
    """Return if the token is the gateway's.

    Raises:
        GatewayError: 401 `unauthorized`, if it is not.
    """
    if not is_token(state.token, token):
        message = "The API key is missing or not valid."
        raise GatewayError(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
