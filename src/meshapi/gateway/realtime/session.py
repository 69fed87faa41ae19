"""One realtime session after its upgrade: sends its events, and fails as its model does."""

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Optional

from starlette.websockets import WebSocket, WebSocketDisconnect

from meshapi.gateway import clock
from meshapi.gateway.http.wire import dump
from meshapi.gateway.models import (
    BROKEN_STREAM,
    CLOSE_1000,
    CLOSE_1011,
    CLOSE_4402,
    ERROR_IN_STREAM,
    LARGE_FRAME,
    STALL,
)
from meshapi.gateway.realtime.actions import Action, Cancel, Plan, Respond
from meshapi.gateway.realtime.calls import response_to
from meshapi.gateway.realtime.conversation import Conversation
from meshapi.gateway.realtime.events import Event, Refused, error_event, event, parse
from meshapi.gateway.realtime.response import Response, Step
from meshapi.gateway.realtime.scripts import Manner, SessionScripts

# 3 MiB of base64, in one frame.
_LARGE_AUDIO = 3 * 1024 * 1024 // 4 * 3

_FATAL = {
    CLOSE_1011: (1011, Refused("upstream_error", "The provider failed.", kind="server_error")),
    CLOSE_4402: (
        4402,
        Refused("insufficient_quota", "The balance is used up.", kind="insufficient_quota"),
    ),
}


class Session:
    """One session, on a connection after its upgrade."""

    def __init__(
        self, socket: WebSocket, model: str, pause: float, scripts: SessionScripts
    ) -> None:
        self._socket = socket
        self._model = model
        # How the response under way goes wrong: as the model, or as a script wants it.
        self._manner = Manner(model, pause)
        self._usual = self._manner
        self._scripts = scripts
        self._conversation = Conversation(model)
        self._open = True
        # The response under way, the scope that cancels it, and the event that is set at its end.
        self._response: Optional[Response] = None
        self._playing = clock.cancel_scope()
        self._idle = clock.event()
        self._cancel_reason = ""
        # How many items of the response under way are part of the conversation.
        self._kept = 0

    async def serve(self) -> None:
        """Run the session; return when the connection is closed, or has to be dropped."""
        await self._send(event("session.created", session=self._conversation.config))
        async with clock.task_group() as tasks:
            try:
                await self._listen(tasks)
            finally:
                tasks.cancel_scope.cancel()

    async def _listen(self, tasks: clock.TaskGroup) -> None:
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
            await self._handle(text, tasks)

    async def _refuse_binary(self) -> None:
        refused = Refused("invalid_event", "Binary frames are not supported: send audio as base64.")
        await self._send_error(refused)
        await self._close(1003, "binary frames are not supported")

    async def _handle(self, text: str, tasks: clock.TaskGroup) -> None:
        cause: Any = None
        try:
            received = parse(text)
            cause = received.get("event_id")
            for action in self._conversation.handle(received):
                await self._perform(action, tasks)
        except Refused as error:
            await self._send_error(error, cause)
        except RecursionError:
            await self._send_error(
                Refused("invalid_event", "The event is nested too deeply."), cause
            )

    async def _perform(self, action: Action, tasks: clock.TaskGroup) -> None:
        if isinstance(action, Cancel):
            await self._cancel(action)
        elif isinstance(action, Respond):
            if self._response is not None:
                message = f"Response {self._response.id} is still under way."
                raise Refused("conversation_already_has_active_response", message)
            await self._begin(action.plan, tasks)
        else:
            await self._send(action)

    async def _begin(self, plan: Plan, tasks: clock.TaskGroup) -> None:
        plan, self._manner = self._scripts.turn(plan, self._usual)
        if self._manner.closes is not None:
            await self._close(*self._manner.closes)
            return
        if self._manner.model == STALL:
            return
        if self._model == LARGE_FRAME:
            plan = replace(plan, spoken=True, calls=(), modalities=["audio"])
        self._response, self._kept = response_to(plan), 0
        self._playing, self._idle = clock.cancel_scope(), clock.event()
        tasks.start_soon(self._respond, self._response, plan, tasks)

    async def _cancel(self, wanted: Cancel) -> None:
        """Cancel the response under way, and return once it has ended."""
        response = self._response
        if response is not None and wanted.response_id in (None, response.id):
            self._cancel_reason = "client_cancelled" if wanted.wanted else "turn_detected"
            self._playing.cancel()
            await self._idle.wait()
        elif wanted.wanted:
            raise Refused("response_cancel_not_active", "There is no such response under way.")

    async def _respond(self, response: Response, plan: Plan, tasks: clock.TaskGroup) -> None:
        """Send the response in the way of the model; runs in its own task."""
        try:
            if self._manner.model in _FATAL:
                code, error = _FATAL[self._manner.model]
                await self._send_error(error)
                await self._close(code, error.message)
                return
            await self._send_all(response.opening())
            self._keep(response, plan)
            with self._playing:
                await self._play(response, plan)
            if self._manner.model == BROKEN_STREAM:
                self._open = False
                tasks.cancel_scope.cancel()
                return
            await self._finish(response, plan)
        finally:
            self._response = None
            self._idle.set()
        if self._model == CLOSE_1000:
            await self._close(1000, "that was all")

    def _keep(self, response: Response, plan: Plan) -> None:
        """Add the items of the response that have begun to the conversation."""
        if plan.kept:
            for item in response.items[self._kept :]:
                self._conversation.add(item)
            self._kept = len(response.items)

    async def _play(self, response: Response, plan: Plan) -> None:
        steps = response.steps
        if self._model == LARGE_FRAME:
            steps = [Step("", bytes(_LARGE_AUDIO))]
        elif self._manner.model in (BROKEN_STREAM, ERROR_IN_STREAM):
            steps = steps[: (len(steps) + 1) // 2]
        elif self._manner.start:
            await clock.sleep(self._manner.start)
        for step in steps:
            await clock.sleep(self._manner.pause)
            for said in response.play(step):
                self._keep(response, plan)
                await self._send(said)

    async def _finish(self, response: Response, plan: Plan) -> None:
        if self._playing.cancelled_caught:
            details = {"type": "cancelled", "reason": self._cancel_reason}
            await self._send_all(response.closing("cancelled", details))
        elif self._manner.model == ERROR_IN_STREAM:
            failure = self._manner.error
            await self._send_error(failure)
            error = {"type": failure.kind, "code": failure.code}
            await self._send_all(response.closing("failed", {"type": "failed", "error": error}))
        elif plan.shortened:
            details = {"type": "incomplete", "reason": "max_output_tokens"}
            await self._send_all(response.closing("incomplete", details))
        else:
            await self._send_all(response.closing("completed"))

    async def _send_error(self, error: Refused, cause: Any = None) -> None:
        request_id: str = self._socket.state.request_id
        await self._send(error_event(error, request_id, cause if isinstance(cause, str) else None))

    async def _send_all(self, events: Iterable[Event]) -> None:
        for said in events:
            await self._send(said)

    async def _send(self, said: Event) -> None:
        if not self._open:
            return
        try:
            await self._socket.send_text(dump(said).decode())
        except WebSocketDisconnect:
            self._open = False

    async def _close(self, code: int, reason: str) -> None:
        """Close the connection; nothing is sent after this."""
        if not self._open:
            return
        self._open = False
        # The client may have left in the meantime.
        with contextlib.suppress(WebSocketDisconnect):
            await self._socket.close(code, reason)
