"""The application: every route, and what stands around them.

A new endpoint is a file with `routes(state)` and one line in `build`.
"""

from collections.abc import Collection
from typing import Optional

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from meshapi.testing import (
    _account,
    _batches,
    _catalogue,
    _chat,
    _compare,
    _documents,
    _embeddings,
    _files,
    _images,
    _moderations,
    _pictures,
    _rag,
    _realtime,
    _responses,
    _router,
    _speech,
    _templates,
    _transcriptions,
    _videos,
    _voices,
    _web,
)
from meshapi.testing._errors import handlers
from meshapi.testing._guard import Guard
from meshapi.testing._recorder import Recorder
from meshapi.testing._state import GatewayState
from meshapi.testing._wire import dump


def create_app(
    *,
    token: str = "rsk_demo",
    words_per_second: float = 20.0,
    allowed_hosts: Optional[Collection[str]] = None,
) -> ASGIApp:
    """An ASGI application that answers like the gateway.

    Args:
        token: the only Bearer token that it accepts.
        words_per_second: the pace of streams; 0 is as fast as possible.
        allowed_hosts: names by which it may be called, beside `localhost` and IP addresses, and
            whose web pages may use it; None: any name, and pages of the same host and port.
    """
    return build(GatewayState(token, words_per_second), allowed_hosts)


def build(state: GatewayState, hosts: Optional[Collection[str]]) -> ASGIApp:
    """The application on a state that the caller keeps hold of."""
    endpoints = [
        *_account.routes(state),
        *_batches.routes(state),
        *_catalogue.routes(state),
        *_chat.routes(state),
        *_compare.routes(state),
        *_documents.routes(state),
        *_embeddings.routes(state),
        *_files.routes(state),
        *_images.routes(state),
        *_moderations.routes(state),
        *_pictures.routes(state),
        *_rag.routes(state),
        *_realtime.routes(state),
        *_responses.routes(state),
        *_router.routes(state),
        *_speech.routes(state),
        *_templates.routes(state),
        *_transcriptions.routes(state),
        *_videos.routes(state),
        *_voices.routes(state),
        *_web.routes(state),
    ]
    app = Starlette(
        routes=[Route("/health", _health), *endpoints],
        exception_handlers=handlers(),
    )
    # The service redirects nothing, and a redirect would lose the body.
    app.router.redirect_slashes = False
    return Recorder(app, state.requests, Guard(state.token, hosts))


async def _health(request: Request) -> Response:
    return Response(dump({"status": "ok"}), media_type="application/json")
