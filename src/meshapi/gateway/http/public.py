"""Addresses on this gateway that anyone may open: pictures, documents, signed uploads."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.routing import Route

from meshapi.gateway.http.auth import Endpoint


def public(path: str, methods: Sequence[str], endpoint: Endpoint) -> Route:
    """A route that needs no token."""
    return Route(path, endpoint, methods=methods)


def address(request: Request, path: str) -> str:
    """The whole URL of a path, on the host and port that this request was sent to."""
    return str(request.base_url).rstrip("/") + path
