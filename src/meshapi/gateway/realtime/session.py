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

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Optional

import anyio
from anyio.abc import TaskGroup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from meshapi.gateway import failing_models
from meshapi.gateway.http.auth import check_token
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.guard import bearer_token
from meshapi.gateway.http.wire import dump
from meshapi.gateway.models import (
    BROKEN_STREAM,
    CLOSE_1000,
    CLOSE_1011,
    CLOSE_4402,
    ERROR_IN_STREAM,
    LARGE_FRAME,
    SLOW,
    STALL,
    choose_realtime,
)
from meshapi.gateway.realtime.conversation import Action, Cancel, Conversation, Plan, Respond
from meshapi.gateway.realtime.events import Event, Refused, error_event, event, parse
from meshapi.gateway.realtime.reply import Reply, Step
from meshapi.gateway.state import GatewayState

# The service's own, and OpenAI's.
_SUBPROTOCOLS = ("openai-realtime", "realtime")
_KEY_PREFIX = "openai-insecure-api-key."
_PATH = "/v1/realtime"

# As `_faults.py` has it for streams.
_SLOW_START = 1.0
_SLOW_PAUSE = 0.5

# 3 MiB of base64, in one frame.
_LARGE_AUDIO = 3 * 1024 * 1024 // 4 * 3

_TIMEOUT = Refused(
    "gateway_timeout", "Upstream provider did not respond in time.", kind="server_error"
)
_FATAL = {
    CLOSE_1011: (1011, Refused("upstream_error", "The provider failed.", kind="server_error")),
    CLOSE_4402: (
        4402,
        Refused("insufficient_quota", "The balance is used up.", kind="insufficient_quota"),
    ),
}


def routes(state: GatewayState) -> list[BaseRoute]:
    """This file's endpoints, and the answer to WebSockets anywhere else."""

    async def connect(socket: WebSocket) -> None:
        check_token(state, _token_of(socket))
        model = choose_realtime(socket.query_params.get("model"))
        failing_models.refuse(state, model, "")
        offered: list[str] = socket.scope["subprotocols"]
        await socket.accept(next((name for name in _SUBPROTOCOLS if name in offered), None))
        await _Session(socket, model, state.pause).serve()

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


class _Session:
    """One connection after its upgrade."""

    def __init__(self, socket: WebSocket, model: str, pause: float) -> None:
        self._socket = socket
        self._model = model
        self._pause = _SLOW_PAUSE if model == SLOW else pause
        self._conversation = Conversation(model)
        self._open = True
        # The response under way, what cancels it, and what is set at its end.
        self._reply: Optional[Reply] = None
        self._playing = anyio.CancelScope()
        self._idle = anyio.Event()
        self._why = ""

    async def serve(self) -> None:
        """Return when the connection is closed, or is to be dropped."""
        await self._say(event("session.created", session=self._conversation.config))
        async with anyio.create_task_group() as tasks:
            try:
                await self._listen(tasks)
            finally:
                tasks.cancel_scope.cancel()

    async def _listen(self, tasks: TaskGroup) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text: Optional[str] = message.get("text")
            if self._model == STALL:
                continue
            if text is None:
                await self._refuse_binary()
                return
            await self._obey(text, tasks)

    async def _refuse_binary(self) -> None:
        refused = Refused("invalid_event", "Binary frames are not supported: send audio as base64.")
        await self._tell(refused)
        await self._close(1003, "binary frames are not supported")

    async def _obey(self, text: str, tasks: TaskGroup) -> None:
        cause: Any = None
        try:
            received = parse(text)
            cause = received.get("event_id")
            for action in self._conversation.handle(received):
                await self._do(action, tasks)
        except Refused as error:
            await self._tell(error, cause)
        except RecursionError:
            await self._tell(Refused("invalid_event", "The event is nested too deeply."), cause)

    async def _do(self, action: Action, tasks: TaskGroup) -> None:
        if isinstance(action, Cancel):
            await self._cancel(action)
        elif isinstance(action, Respond):
            if self._reply is not None:
                message = f"Response {self._reply.id} is still under way."
                raise Refused("conversation_already_has_active_response", message)
            self._begin(action.plan, tasks)
        else:
            await self._say(action)

    def _begin(self, plan: Plan, tasks: TaskGroup) -> None:
        if self._model == LARGE_FRAME:
            plan = replace(plan, spoken=True, modalities=["audio"])
        self._reply = Reply(plan)
        self._playing, self._idle = anyio.CancelScope(), anyio.Event()
        tasks.start_soon(self._respond, self._reply, plan, tasks)

    async def _cancel(self, wanted: Cancel) -> None:
        """End the response under way, and return when it has ended."""
        reply = self._reply
        if reply is not None and wanted.response_id in (None, reply.id):
            self._why = "client_cancelled" if wanted.wanted else "turn_detected"
            self._playing.cancel()
            await self._idle.wait()
        elif wanted.wanted:
            raise Refused("response_cancel_not_active", "There is no such response under way.")

    async def _respond(self, reply: Reply, plan: Plan, tasks: TaskGroup) -> None:
        """The response as the model plays it, in a task of its own."""
        try:
            if self._model in _FATAL:
                code, error = _FATAL[self._model]
                await self._tell(error)
                await self._close(code, error.message)
                return
            await self._say_all(reply.opening())
            if plan.kept:
                self._conversation.add(reply.item)
            with self._playing:
                await self._play(reply)
            if self._model == BROKEN_STREAM:
                self._open = False
                tasks.cancel_scope.cancel()
                return
            await self._finish(reply, plan)
        finally:
            self._reply = None
            self._idle.set()
        if self._model == CLOSE_1000:
            await self._close(1000, "that was all")

    async def _play(self, reply: Reply) -> None:
        steps = reply.steps
        if self._model == LARGE_FRAME:
            steps = [Step("", bytes(_LARGE_AUDIO))]
        elif self._model in (BROKEN_STREAM, ERROR_IN_STREAM):
            steps = steps[: (len(steps) + 1) // 2]
        elif self._model == SLOW:
            await anyio.sleep(_SLOW_START)
        for step in steps:
            await anyio.sleep(self._pause)
            await self._say_all(reply.play(step))

    async def _finish(self, reply: Reply, plan: Plan) -> None:
        if self._playing.cancelled_caught:
            details = {"type": "cancelled", "reason": self._why}
            await self._say_all(reply.closing("cancelled", details))
        elif self._model == ERROR_IN_STREAM:
            await self._tell(_TIMEOUT)
            error = {"type": _TIMEOUT.kind, "code": _TIMEOUT.code}
            await self._say_all(reply.closing("failed", {"type": "failed", "error": error}))
        elif plan.shortened:
            details = {"type": "incomplete", "reason": "max_output_tokens"}
            await self._say_all(reply.closing("incomplete", details))
        else:
            await self._say_all(reply.closing("completed"))

    async def _tell(self, error: Refused, cause: Any = None) -> None:
        request_id: str = self._socket.state.request_id
        await self._say(error_event(error, request_id, cause if isinstance(cause, str) else None))

    async def _say_all(self, events: Iterable[Event]) -> None:
        for said in events:
            await self._say(said)

    async def _say(self, said: Event) -> None:
        if not self._open:
            return
        try:
            await self._socket.send_text(dump(said).decode())
        except WebSocketDisconnect:
            self._open = False

    async def _close(self, code: int, reason: str) -> None:
        """Nothing is said after this."""
        if not self._open:
            return
        self._open = False
        # The client may have left in the meantime.
        with contextlib.suppress(WebSocketDisconnect):
            await self._socket.close(code, reason)
