"""The application: every route, and what stands around them.

A new endpoint is a file with `routes(state)`, one line in `build`, and one line less in `_PENDING`.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from meshapi.testing import _chat
from meshapi.testing._auth import protected
from meshapi.testing._errors import GatewayError, handlers
from meshapi.testing._recorder import Recorder
from meshapi.testing._state import GatewayState
from meshapi.testing._wire import dump

# What the service has and this gateway has not yet: these answer 501, whatever else is 404.
_PENDING = {
    "/v1/responses": ["GET", "POST"],
    "/v1/responses/{id}": ["GET"],
    "/v1/embeddings": ["POST"],
    "/v1/chat/compare": ["POST"],
    "/v1/images/generations": ["POST"],
    "/v1/images/edits": ["POST"],
    "/v1/video/generations": ["GET", "POST"],
    "/v1/video/generations/{id}": ["GET"],
    "/v1/audio/speech": ["POST"],
    "/v1/audio/transcriptions": ["POST"],
    "/v1/audio/transcriptions/translate": ["POST"],
    "/v1/audio/transcriptions/{id}": ["GET"],
    "/v1/audio/translations": ["POST"],
    "/v1/audio/voices": ["GET"],
    "/v1/audio/voices/{id}": ["GET"],
    "/v1/models": ["GET"],
    # The id of a model has a slash.
    "/v1/models/{id:path}": ["GET"],
    "/v1/templates": ["GET", "POST"],
    "/v1/templates/{id}": ["GET", "PATCH", "DELETE"],
    "/v1/batches": ["GET", "POST"],
    "/v1/batches/{id}": ["GET"],
    "/v1/batches/{id}/cancel": ["POST"],
    "/v1/files": ["GET", "POST"],
    "/v1/files/embed": ["POST"],
    "/v1/files/search": ["POST"],
    "/v1/files/{id}": ["GET"],
    "/v1/moderations": ["POST"],
    "/v1/web/search": ["POST"],
    "/v1/router/select": ["POST"],
    "/v1/realtime": ["GET"],
}


def create_app(*, token: str = "rsk_demo", words_per_second: float = 20.0) -> ASGIApp:
    """An ASGI application that answers like the gateway.

    Args:
        token: the only Bearer token that it accepts.
        words_per_second: the pace of streams; 0 is as fast as possible.
    """
    return build(GatewayState(token, words_per_second))


def build(state: GatewayState) -> ASGIApp:
    """The application on a state that the caller keeps hold of."""
    pending = [protected(state, path, methods, _not_yet) for path, methods in _PENDING.items()]
    app = Starlette(
        routes=[Route("/health", _health), *_chat.routes(state), *pending],
        exception_handlers=handlers(),
    )
    # The service redirects nothing, and a redirect would lose the body.
    app.router.redirect_slashes = False
    return Recorder(app, state.requests)


async def _health(request: Request) -> Response:
    return Response(dump({"status": "ok"}), media_type="application/json")


async def _not_yet(request: Request) -> Response:
    message = f"The local gateway does not have {request.method} {request.url.path} yet."
    raise GatewayError(501, "not_implemented", message)
