"""Scripts in a realtime session: each response of the model asks for one."""

from dataclasses import dataclass, replace
from typing import Optional

from starlette.websockets import WebSocket

from meshapi.gateway.content.tool_calls import ToolCall, new_id
from meshapi.gateway.failing_models import SLOW_PAUSE, SLOW_START, TIMEOUT
from meshapi.gateway.http.request_log import RecordedRequest
from meshapi.gateway.models import BROKEN_STREAM, ERROR_IN_STREAM, SLOW, STALL
from meshapi.gateway.realtime.actions import Plan
from meshapi.gateway.realtime.events import Refused
from meshapi.gateway.scripts.conditions import RequestView
from meshapi.gateway.scripts.engine import ScriptError
from meshapi.gateway.scripts.errors import script_failure, scripted_error
from meshapi.gateway.scripts.values import Body, ErrorReply, Fault, Reply
from meshapi.gateway.state import GatewayState

_MODELS = {
    "broken_stream": BROKEN_STREAM,
    "cut": BROKEN_STREAM,
    "error_in_stream": ERROR_IN_STREAM,
    "stall": STALL,
}

_TIMED_OUT = Refused(TIMEOUT.code, TIMEOUT.message, kind="server_error")


@dataclass(frozen=True)
class Manner:
    """How a response goes wrong.

    Attributes:
        model: the model that does it in this way; another one if none does.
        pause: seconds between two words.
        start: seconds until the first.
        error: the error that ends it, for `mesh/error-in-stream`.
        closes: the close code and its reason, if the session ends in place of the response.
    """

    model: str
    pause: float
    start: float = 0.0
    error: Refused = _TIMED_OUT
    closes: Optional[tuple[int, str]] = None

    def __post_init__(self) -> None:
        if self.model == SLOW:
            object.__setattr__(self, "pause", SLOW_PAUSE)
            object.__setattr__(self, "start", SLOW_START)


class SessionScripts:
    """The scripts of the gateway, as one session asks for them."""

    def __init__(self, state: GatewayState, socket: WebSocket) -> None:
        self._scripts = state.scripts
        self._request: RecordedRequest = socket.state.recorded

    def refuse(self) -> None:
        """Return if no script has an error for the upgrade.

        Raises:
            GatewayError: one has.
        """
        try:
            action = self._scripts.action_for(RequestView.of(self._request), (ErrorReply,))
        except ScriptError as error:
            raise script_failure(error) from None
        if isinstance(action, ErrorReply):
            raise scripted_error(action)

    def turn(self, plan: Plan, usual: Manner) -> tuple[Plan, Manner]:
        """Return a response as a script wants it.

        Raises:
            Refused: the script has an error in place of the response, or is wrong.
        """
        if not self._scripts.active:
            return plan, usual
        try:
            view = RequestView.of(self._request)._replace(text=plan.question)
            action = self._scripts.action_for(view)
        except ScriptError as error:
            raise Refused(error.code, str(error)) from None
        if isinstance(action, ErrorReply):
            raise _refused(action)
        answer = action.answer if isinstance(action, Fault) else action
        if isinstance(answer, Body):
            message = "a realtime session can't respond with a dict: use reply(...)"
            raise Refused("script_does_not_fit", message)
        said = plan if answer is None else _said(plan, answer)
        return said, usual if not isinstance(action, Fault) else _manner(action, usual)


def _said(plan: Plan, answer: Reply) -> Plan:
    """The response with the words of a script."""
    if not answer.says:
        return plan
    calls = [ToolCall(one.id or new_id(), one.name, one.arguments) for one in answer.tool_calls]
    spoken = "audio" in plan.modalities and not calls
    return replace(plan, text=answer.text or "", calls=calls, spoken=spoken, shortened=False)


def _manner(fault: Fault, usual: Manner) -> Manner:
    if fault.kind == "close":
        return replace(usual, closes=(fault.close_code, fault.reason))
    if fault.kind == "slow":
        return replace(usual, start=fault.start, pause=fault.pause)
    error = usual.error if fault.error is None else _refused(fault.error)
    return replace(usual, model=_MODELS[fault.kind], error=error)


def _refused(error: ErrorReply) -> Refused:
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    return Refused(error.code, error.message, kind=kind)
