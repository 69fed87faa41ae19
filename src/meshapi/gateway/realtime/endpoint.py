"""GET /v1/realtime: the upgrade to a WebSocket, and what goes over it.

Events are those of OpenAI's GA API; audio is PCM of 16 bits and 24,000 samples a second, one
channel, as base64. `session.type` may be left out of an update. A text response is the answer of
chat to the user's last item; a spoken one says it, as a tone that is as long as the audio that
came since the last answer, or as long as it takes to say the text if none came. Of audio that is
committed, the transcript tells how long it is; `transcription` null turns that off.

Turn detection is on, as at the service: `server_vad` hears a turn in what is loud, and its end in
`silence_duration_ms` of audio that is not (see `turns.py`; its `threshold`, paddings and
time-out are not looked at). `semantic_vad` and audio other than PCM are an `error` event with the
code `not_implemented`. Tools are kept and never called. One response at a time.
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
from meshapi.gateway.realtime.session import Session
from meshapi.gateway.state import GatewayState

# The service's own, and OpenAI's.
_SUBPROTOCOLS = ("openai-realtime", "realtime")
_KEY_PREFIX = "openai-insecure-api-key."
_PATH = "/v1/realtime"


def routes(state: GatewayState) -> list[BaseRoute]:
    """This file's endpoints, and the answer to WebSockets anywhere else."""

    async def connect(socket: WebSocket) -> None:
        check_token(state, _token_of(socket))
        model = choose_realtime(socket.query_params.get("model"))
        failing_models.refuse(state, model)
        offered: list[str] = socket.scope["subprotocols"]
        await socket.accept(next((name for name in _SUBPROTOCOLS if name in offered), None))
        await Session(socket, model, state.pause).serve()

    async def plain(request: Request) -> Response:
        message = f"GET {_PATH} has to ask for an upgrade to a WebSocket."
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
    """A subprotocol goes before the others: as browsers send it, or as the service has it."""
    offered: list[str] = socket.scope["subprotocols"]
    for name in offered:
        scheme, _, token = name.partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
        if name.startswith(_KEY_PREFIX):
            return name[len(_KEY_PREFIX) :]
    return socket.query_params.get("api_key") or bearer_token(socket.headers)
