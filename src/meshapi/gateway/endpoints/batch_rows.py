"""The requests of a batch: the endpoints that they may have, and how one of them is processed.

A request whose text begins with "Fail:" fails with a 500. "Fail 429:", "Fail 503:" and so on choose
the status, and in "Fail 429 once: Hi" the same text succeeds in the next batch.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from meshapi.gateway import failing_models
from meshapi.gateway.endpoints import embeddings
from meshapi.gateway.endpoints.chat.choices import question_of
from meshapi.gateway.endpoints.chat.completion import completion_of
from meshapi.gateway.endpoints.chat.completions import prepared
from meshapi.gateway.endpoints.chat.request import SCHEMA as CHAT
from meshapi.gateway.endpoints.responses import endpoint as responses
from meshapi.gateway.endpoints.responses import input as responses_input
from meshapi.gateway.failing_models import Failure
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.validation import Check, invalid
from meshapi.gateway.http.wire import ulid
from meshapi.gateway.jobs import asked_to_fail
from meshapi.gateway.models import (
    DEFAULT_EMBEDDING_MODEL,
    DEFAULT_MODEL,
)
from meshapi.gateway.scripts.inner import inner_answer
from meshapi.gateway.scripts.values import Body, Reply
from meshapi.gateway.state import GatewayState

CHAT_ENDPOINT = "/v1/chat/completions"

# The error codes of the statuses that a request may choose.
_CODES: Mapping[int, str] = {
    400: "bad_request",
    422: "validation_error",
    429: "rate_limit_exceeded",
    500: "internal_error",
    502: "upstream_error",
    503: "provider_not_available",
    504: "gateway_timeout",
}
_FAIL = re.compile(r"fail (\d{3})( once)?:\s*(.*)", re.IGNORECASE | re.DOTALL)


class _Made(NamedTuple):
    """A response, and what decides whether it is sent at all."""

    body: dict[str, Any]
    model: str
    text: str


class _Endpoint(NamedTuple):
    check: Check
    make: Callable[[GatewayState, dict[str, Any], Optional[Reply]], _Made]
    default_model: str


def _chat(state: GatewayState, asked: dict[str, Any], scripted: Optional[Reply]) -> _Made:
    body = prepared(state, asked)
    completion = completion_of(state, body, scripted)
    return _Made(completion.whole(), completion.requested, question_of(body["messages"]))


def _response(state: GatewayState, asked: dict[str, Any], scripted: Optional[Reply]) -> _Made:
    made = responses.make(state, asked, scripted)
    question = responses_input.question_of(responses_input.messages_of(asked["input"]))
    return _Made(made.response, made.completion.requested, question)


def _embedding(state: GatewayState, asked: dict[str, Any], scripted: Optional[Reply]) -> _Made:
    model = embeddings.model_of(asked, scripted)
    given = asked["input"]
    first = given if isinstance(given, str) else given[0]
    return _Made(
        embeddings.embed(asked, model, scripted), model, first if isinstance(first, str) else ""
    )


ENDPOINTS: Mapping[str, _Endpoint] = {
    CHAT_ENDPOINT: _Endpoint(CHAT, _chat, DEFAULT_MODEL),
    "/v1/responses": _Endpoint(responses_input.SCHEMA, _response, DEFAULT_MODEL),
    "/v1/embeddings": _Endpoint(embeddings.SCHEMA, _embedding, DEFAULT_EMBEDDING_MODEL),
}


def endpoint_of(requests: Sequence[dict[str, Any]], named: Optional[str]) -> str:
    """The endpoint of a batch.

    Args:
        named: the one that the batch itself names, if it does.

    Raises:
        GatewayError: 400 `invalid_request`, if there is more than one; 501, if batches can't have
            it.
    """
    rows = {row.get("url") or named or CHAT_ENDPOINT for row in requests}
    found = sorted(rows if named is None else rows | {named})
    for endpoint in found:
        if endpoint not in ENDPOINTS:
            message = f"Batches of the local gateway support {', '.join(ENDPOINTS)} only."
            raise GatewayError(501, "not_implemented", message)
    if len(found) > 1:
        message = f"All requests of a batch must have the same endpoint, not {', '.join(found)}."
        raise GatewayError(400, "invalid_request", message)
    return found[0]


def model_of(requests: Sequence[dict[str, Any]], endpoint: str) -> str:
    """The model of a batch.

    Raises:
        GatewayError: 400 `mixed_models`, if the requests name more than one.
    """
    named = [row["body"].get("model") for row in requests]
    models = sorted({model for model in named if isinstance(model, str)})
    if len(models) > 1:
        message = f"All requests of a batch must name the same model, not {', '.join(models)}."
        raise GatewayError(400, "mixed_models", message)
    return models[0] if models else ENDPOINTS[endpoint].default_model


def result_of(state: GatewayState, endpoint: str, row: dict[str, Any]) -> dict[str, Any]:
    """The result of one request: the response of its endpoint, or its error."""
    request_id = f"req_{ulid()}"
    error: Optional[dict[str, Any]] = None
    try:
        status, body = 200, _body(state, endpoint, row["body"])
    except GatewayError as failure:
        error = failure.error
        status, body = failure.status, {"error": error, "request_id": request_id}
    response = {"status_code": status, "request_id": request_id, "body": body}
    return {**_entry(row), "response": response, "error": error}


def expired(row: dict[str, Any]) -> dict[str, Any]:
    """The result of a request that had no turn."""
    error = {"code": "batch_expired", "message": "The batch expired before this request's turn."}
    return {**_entry(row), "response": None, "error": error}


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"batch_req_{ulid()}", "custom_id": row["custom_id"]}


def _body(state: GatewayState, path: str, asked: dict[str, Any]) -> dict[str, Any]:
    endpoint = ENDPOINTS[path]
    faults = list(endpoint.check(asked, ("body",)))
    if faults:
        raise invalid(*faults)
    scripted = inner_answer(state, path, asked)
    if isinstance(scripted, Body):
        return dict(scripted.value)
    made = endpoint.make(state, asked, scripted)
    failure = _chosen_failure(state, made.text) or asked_to_fail(made.text)
    if failure:
        raise GatewayError(*failure)
    failing_models.refuse(state, made.model, asked.get("user") or "")
    if made.model in failing_models.BREAKS_OFF:
        raise GatewayError(*failing_models.BREAKS_OFF[made.model])
    return made.body


def _chosen_failure(state: GatewayState, text: str) -> Optional[Failure]:
    found = _FAIL.match(text)
    if found is None:
        return None
    status = int(found[1])
    if status not in _CODES or (found[2] and state.next_turn(f"batch {text}")):
        return None
    return Failure(status, _CODES[status], found[3] or f"The request asked for a {status}.")
