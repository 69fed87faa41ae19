"""The step before the endpoints: a script responds, or the request goes on."""

from typing import Optional

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from meshapi.gateway import clock
from meshapi.gateway.http.errors import GatewayError, envelope
from meshapi.gateway.http.request_log import RecordedRequest
from meshapi.gateway.http.streams import ConnectionCut
from meshapi.gateway.http.wire import dump
from meshapi.gateway.scripts import handover
from meshapi.gateway.scripts.conditions import RequestView
from meshapi.gateway.scripts.engine import ScriptError
from meshapi.gateway.scripts.errors import script_failure, scripted_error
from meshapi.gateway.scripts.faults import FaultySend, with_headers
from meshapi.gateway.scripts.fits import INNER
from meshapi.gateway.scripts.values import Action, Body, ErrorReply, Fault, Reply
from meshapi.gateway.state import GatewayState

_WHOLE = (Body, ErrorReply, Fault)

_SCRIPTED = "/v1/"


class Scripter:
    """ASGI middleware. It belongs inside the recorder, which leaves it the recorded request."""

    def __init__(self, app: ASGIApp, state: GatewayState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request: Optional[RecordedRequest] = scope.get("state", {}).get("recorded")
        scripts = self._state.scripts
        # A realtime session asks for each of its responses itself.
        is_scripted = scope["type"] == "http" and scope["path"].startswith(_SCRIPTED)
        if request is None or not scripts.active or not is_scripted:
            await self._app(scope, receive, send)
            return
        try:
            if _asks_others(request):
                # Its model and its text are those of the requests inside it, which come later.
                view = RequestView(request.method, request.path, request=request)
                action = scripts.action_for(view, _WHOLE)
            else:
                action = scripts.action_for(RequestView.of(request))
            if isinstance(action, ErrorReply):
                raise scripted_error(action)
            self._check_form(action, request)
        except ScriptError as error:
            await self._refuse(script_failure(error), scope, receive, send)
        except GatewayError as error:
            await self._refuse(error, scope, receive, send)
        else:
            await self._play(action, scope, receive, send)

    def _check_form(self, action: Optional[Action], request: RecordedRequest) -> None:
        """Raise ScriptError if a script has a whole body for a stream."""
        said = action.answer if isinstance(action, Fault) else action
        if isinstance(said, Body) and request.asks_for_stream:
            message = (
                f"{request.method} {request.path} asks for a stream, and the script responds with a"
                " dict, which is a whole body: use reply(...)"
            )
            self._state.scripts.report(message)
            raise ScriptError("script_does_not_fit", message)

    async def _refuse(
        self, error: GatewayError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        await envelope(error, scope["state"]["request_id"])(scope, receive, send)

    async def _play(
        self, action: Optional[Action], scope: Scope, receive: Receive, send: Send
    ) -> None:
        app, answer = self._app, action
        if isinstance(action, Fault):
            answer = action.answer
            handover.leave(scope["state"], fault=action)
            send = FaultySend(action, scope, receive, send).send
        if isinstance(answer, Reply):
            if answer.says:
                handover.leave(scope["state"], reply=answer)
            if answer.headers:
                send = with_headers(send, answer.headers)
            if answer.delay:
                await clock.sleep(answer.delay)
        elif isinstance(answer, Body):
            app = Response(dump(dict(answer.value)), media_type="application/json")
        try:
            await app(scope, receive, send)
        except ConnectionCut:
            # An ASGI server closes the connection if a response began and did not end.
            return


def _asks_others(request: RecordedRequest) -> bool:
    return request.method == "POST" and request.path in INNER
