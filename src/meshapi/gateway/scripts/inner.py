"""Requests inside others, which scripts see like those that come alone.

These are the models of a comparison, and the requests of a batch.
"""

from typing import Any, Optional, Union

from meshapi.gateway import failing_models
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.request_log import RecordedHeaders, RecordedRequest
from meshapi.gateway.http.wire import dump
from meshapi.gateway.scripts.engine import Asked, ScriptError
from meshapi.gateway.scripts.faults import error_of
from meshapi.gateway.scripts.values import Body, ErrorReply, Fault, Reply
from meshapi.gateway.state import GatewayState

CHAT_PATH = "/v1/chat/completions"


def asked_of(request: RecordedRequest, *, words: bool = True) -> Asked:
    """Return a request as scripts see it.

    Args:
        words: whether it has a model and a text for scripts.
    """
    if not words:
        return Asked(request.method, request.path, request=request)
    return Asked(request.method, request.path, request.model, request.text, request)


def error_for(error: ScriptError) -> GatewayError:
    """Return the response to a request whose scripts are wrong: an error that no client retries."""
    return GatewayError(501, error.code, str(error))


def inner_answer(state: GatewayState, path: str, body: Any) -> Union[Reply, Body, None]:
    """Return what a script says in response to a request inside another one; None for nothing.

    Args:
        path: the endpoint that would respond to the request, if it came alone.

    Raises:
        GatewayError: the script wants it so, or is wrong.
    """
    if not state.scripts.active:
        return None
    data = dump(body)
    request = RecordedRequest("POST", path, "", RecordedHeaders({}), data, len(data))
    try:
        action = state.scripts.action_for(asked_of(request))
    except ScriptError as error:
        raise error_for(error) from None
    if isinstance(action, ErrorReply):
        raise error_of(action)
    if isinstance(action, Fault):
        if action.error is not None:
            raise error_of(action.error)
        if action.kind != "slow":
            raise GatewayError(*failing_models.CLOSED)
        return action.answer
    return action


def inner_reply(state: GatewayState, path: str, body: Any) -> Optional[Reply]:
    """Return what a script says, as `inner_answer` does, where a whole body has no place.

    Raises:
        GatewayError: the script wants it so, or is wrong.
    """
    answer = inner_answer(state, path, body)
    if isinstance(answer, Body):
        message = f"a request inside another one can't have a dict for {path}: use reply(...)"
        raise error_for(ScriptError("script_does_not_fit", message))
    return answer
