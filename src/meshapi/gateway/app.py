"""The application: every route, and what wraps them.

A new endpoint is a module with a function `routes(state)` in the folder for its path, such as
`endpoints/x.py` for /v1/x, and one line in `_ENDPOINTS`.
"""

from collections.abc import Collection, Sequence
from typing import Callable, Optional

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from meshapi.gateway.endpoints import (
    api_versions,
    balance,
    batches,
    documents,
    embeddings,
    models,
    moderations,
    pictures,
    router,
    templates,
    usage,
    video,
    web,
)
from meshapi.gateway.endpoints.audio import speech, transcriptions, voices
from meshapi.gateway.endpoints.chat import compare, completions
from meshapi.gateway.endpoints.files import collection, search, storage
from meshapi.gateway.endpoints.images import edits, generations
from meshapi.gateway.endpoints.responses import endpoint as responses
from meshapi.gateway.http.access_rules import AccessRules
from meshapi.gateway.http.errors import handlers
from meshapi.gateway.http.recorder import Recorder
from meshapi.gateway.http.replays import Replayer
from meshapi.gateway.http.wire import dump
from meshapi.gateway.rate_limits import Kind, RateLimits
from meshapi.gateway.realtime import endpoint as realtime
from meshapi.gateway.scripts import control
from meshapi.gateway.scripts.middleware import Scripter
from meshapi.gateway.state import GatewayState

_ENDPOINTS: Sequence[Callable[[GatewayState], Sequence[BaseRoute]]] = (
    api_versions.routes,
    balance.routes,
    batches.routes,
    documents.routes,
    embeddings.routes,
    models.routes,
    moderations.routes,
    pictures.routes,
    router.routes,
    templates.routes,
    usage.routes,
    video.routes,
    web.routes,
    speech.routes,
    transcriptions.routes,
    voices.routes,
    compare.routes,
    completions.routes,
    collection.routes,
    search.routes,
    storage.routes,
    edits.routes,
    generations.routes,
    responses.routes,
    control.routes,
    realtime.routes,
)


def create_app(
    *,
    token: str = "rsk_demo",
    words_per_second: float = 20.0,
    allowed_hosts: Optional[Collection[str]] = None,
    requests_per_minute: Optional[int] = None,
    tokens_per_minute: Optional[int] = None,
    window: Kind = "sliding",
) -> ASGIApp:
    """An ASGI application that responds like the gateway.

    Args:
        token: the only Bearer token that it accepts.
        words_per_second: the pace of streams; 0 is as fast as possible.
        allowed_hosts: host names that it serves in addition to `localhost` and IP addresses, and
            whose web pages may use it. None serves any host name, and pages of the same host name
            and port.
        requests_per_minute, tokens_per_minute, window: its rate limits, as of `LocalGateway`.

    Raises:
        ValueError: the pace is negative, a limit is not positive, or no request could carry the
            token.
    """
    limits = RateLimits(requests_per_minute, tokens_per_minute, window)
    return build(GatewayState(token, words_per_second, limits), allowed_hosts)


def build(state: GatewayState, hosts: Optional[Collection[str]]) -> ASGIApp:
    """The application, on state that the caller also holds."""
    endpoints = [route for routes in _ENDPOINTS for route in routes(state)]
    app = Starlette(
        routes=[Route("/health", _health), *endpoints],
        exception_handlers=handlers(),
    )
    # The service never redirects, and a redirect would lose the body.
    app.router.redirect_slashes = False
    scripted = Scripter(app, state)
    return Recorder(Replayer(scripted, state), state, AccessRules(state.token, hosts))


async def _health(request: Request) -> Response:
    return Response(dump({"status": "ok"}), media_type="application/json")
