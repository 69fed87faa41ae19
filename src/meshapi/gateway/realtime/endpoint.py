"""GET /v1/realtime: the upgrade to a WebSocket, and what goes over it.

The events are those of OpenAI's GA API. Audio is PCM, 16 bits, 24,000 samples a second, one
channel, as base64. `session.type` may be left out of an update. A text response is the answer of
chat to the user's last item. A spoken response is a tone with that answer as its transcript; it is
as long as the audio that arrived since the last response, or as long as it takes to say the text
if no audio arrived. The transcript of committed audio states its length; `transcription` null turns
transcripts off.

Turn detection is on, as with the service: for `server_vad`, a turn begins when the audio is loud,
and ends after `silence_duration_ms` of quiet audio (see `turns.py`; `threshold`,
`prefix_padding_ms` and `idle_timeout_ms` are ignored). `semantic_vad` and audio other than PCM get
an `error` event with the code `not_implemented`. There is one response at a time.

Tools of the session, or of `response.create`, are called as in chat; after their outputs, the next
response quotes them.
"""

from typing import Optional

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from meshapi.gateway import failing_models
from meshapi.gateway.http.auth import bearer_token, check_token
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.models import choose_realtime
from meshapi.gateway.realtime.scripts import SessionScripts
from meshapi.gateway.realtime.session import Session
from meshapi.gateway.state import GatewayState

# The service's own subprotocol, and OpenAI's.
_SUBPROTOCOLS = ("openai-realtime", "realtime")
_KEY_PREFIX = "openai-insecure-api-key."
_PATH = "/v1/realtime"


def routes(state: GatewayState) -> list[BaseRoute]:
    """This file's endpoints, and the response to WebSocket upgrades on any other path."""

    async def connect(socket: WebSocket) -> None:
        check_token(state, _token_of(socket))
        scripts = SessionScripts(state, socket)
        scripts.refuse()
        model = choose_realtime(socket.query_params.get("model"))
        failing_models.refuse(state, model)
        offered: list[str] = socket.scope["subprotocols"]
        await socket.accept(next((name for name in _SUBPROTOCOLS if name in offered), None))
        await Session(socket, model, state.pause, scripts).serve()

    async def plain(request: Request) -> Response:
        message = f"GET {_PATH} has to ask for an upgrade to WebSocket."
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        raise GatewayError(426, "upgrade_required", message, headers=headers)

    async def elsewhere(socket: WebSocket) -> None:
        raise GatewayError(404, "not_found", f"There is no WebSocket at {socket.url.path}.")

    return [
        WebSocketRoute(_PATH, connect),
        Route(_PATH, plain, methods=["GET"]),
        WebSocketRoute("/{path:path}", elsewhere),
    ]


def _token_of(socket: WebSocket) -> Optional[str]:
    """The token: from a subprotocol in the form of OpenAI or the service, the query, or a header.

    The first of these that has a token counts.
    """
    offered: list[str] = socket.scope["subprotocols"]
    for name in offered:
        scheme, _, token = name.partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
        if name.startswith(_KEY_PREFIX):
            return name[len(_KEY_PREFIX) :]
    return socket.query_params.get("api_key") or bearer_token(socket.headers)
