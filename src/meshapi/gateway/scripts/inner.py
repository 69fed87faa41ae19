"""Requests inside others, which scripts see as if they came alone.

These are the models of a comparison, and the requests of a batch.
"""

from typing import Any, Optional, Union

from meshapi.gateway import failing_models
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.request_log import RecordedHeaders, RecordedRequest
from meshapi.gateway.http.wire import dump
from meshapi.gateway.scripts.conditions import RequestView
from meshapi.gateway.scripts.engine import ScriptError
from meshapi.gateway.scripts.errors import script_failure, scripted_error
from meshapi.gateway.scripts.values import Body, ErrorReply, Fault, Reply
from meshapi.gateway.state import GatewayState

CHAT_PATH = "/v1/chat/completions"


def inner_answer(state: GatewayState, path: str, body: Any) -> Union[Reply, Body, None]:
    """Return what a script says to a request inside another; None for the gateway's own response.

    Args:
        path: the endpoint of the request, if it came alone.

    Raises:
        GatewayError: the script responds with an error, or is wrong.
    """
    if not state.scripts.active:
        return None
    data = dump(body)
    request = RecordedRequest("POST", path, "", RecordedHeaders({}), data, len(data))
    try:
        action = state.scripts.action_for(RequestView.of(request))
    except ScriptError as error:
        raise script_failure(error) from None
    if isinstance(action, ErrorReply):
        raise scripted_error(action)
    if isinstance(action, Fault):
        if action.error is not None:
            raise scripted_error(action.error)
        if action.kind != "slow":
            raise GatewayError(*failing_models.CLOSED)
        return action.answer
    return action


def inner_reply(state: GatewayState, path: str, body: Any) -> Optional[Reply]:
    """Return what a script says, as `inner_answer` does, where a whole body does not fit.

    Raises:
        GatewayError: the script responds with an error, or is wrong.
    """
    answer = inner_answer(state, path, body)
    if isinstance(answer, Body):
        message = f"a request inside another one can't have a dict for {path}: use reply(...)"
        raise script_failure(ScriptError("script_does_not_fit", message))
    return answer
