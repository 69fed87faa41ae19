"""POST /v1/chat/compare: one conversation, several models, and a judge that compares their answers.

A model that is unknown or fails is an entry with an `error`, and the others go on. It fails at
once: it neither falls silent nor closes the connection. A `comparison_model` that fails on purpose
makes the whole response fail in its way.
"""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import failing_models
from meshapi.gateway.endpoints.chat.comparison import Comparison, Entry
from meshapi.gateway.endpoints.chat.completion import completion_of
from meshapi.gateway.endpoints.chat.request import MESSAGE
from meshapi.gateway.endpoints.templates import with_template
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.responses import json_response, stream_response, whole_response
from meshapi.gateway.http.validation import (
    Check,
    array,
    boolean,
    fields,
    integer,
    mapping,
    number,
    only_fields,
    read_json,
    string,
)
from meshapi.gateway.http.wire import dump
from meshapi.gateway.models import STALL
from meshapi.gateway.scripts.inner import CHAT_PATH, inner_reply
from meshapi.gateway.state import GatewayState

_MOST_MODELS = 10

_HALF_WAY = {**failing_models.BREAKS_OFF, STALL: failing_models.TIMEOUT}
# The only error codes of an entry; all others become the last one.
_CODES = ("gateway_timeout", "model_not_found", "upstream_error")

# The parameters that all models share, and that a template can add to.
_COMMON = ("messages", "max_tokens", "template", "variables")

_SETTINGS: dict[str, Check] = {"temperature": number(ge=0, le=2), "max_tokens": integer(ge=1)}
_SCHEMA: Check = only_fields(
    {
        "models": array(string, min_length=1, max_length=_MOST_MODELS),
        "messages": array(MESSAGE, min_length=1),
    },
    {
        **_SETTINGS,
        "model_overrides": array(fields({"model": string}, {**_SETTINGS, "system_prompt": string})),
        "comparison_model": string,
        "comparison_instructions": string,
        "stream": boolean,
        "cache": boolean,
        "template": string,
        "variables": mapping,
        "skip_comparison": boolean,
    },
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def compare(request: Request) -> Response:
        body = await read_json(request, _SCHEMA)
        comparison = Comparison(body, _entries(state, body, request.state.request_id))
        if all(entry.failed_at_once for entry in comparison.entries):
            return _all_failed(comparison.entries)
        failing_models.refuse(state, comparison.fault)
        if body.get("stream"):
            return stream_response(state, request, comparison.fault, comparison.frames())
        if all(entry.error for entry in comparison.entries):
            return _all_failed(comparison.entries)
        return await whole_response(request, comparison.fault, dump(comparison.whole()))

    return [protected(state, "/v1/chat/compare", ["POST"], compare)]


def _entries(state: GatewayState, body: dict[str, Any], request_id: str) -> list[Entry]:
    given: list[dict[str, Any]] = body.get("model_overrides") or []
    overrides = {override["model"]: override for override in given}
    common = with_template(state, {key: body[key] for key in _COMMON if body.get(key) is not None})
    # A model that is named twice answers once.
    return [
        _entry(state, _chat_body(common, model, overrides.get(model, {})), f"{request_id}::{model}")
        for model in dict.fromkeys(body["models"])
    ]


def _chat_body(common: dict[str, Any], model: str, override: dict[str, Any]) -> dict[str, Any]:
    messages: list[dict[str, Any]] = common["messages"]
    if override.get("system_prompt"):
        messages = [{"role": "system", "content": override["system_prompt"]}, *messages]
    max_tokens = override.get("max_tokens") or common.get("max_tokens")
    return {"model": model, "messages": messages, "max_tokens": max_tokens}


def _entry(state: GatewayState, asked: dict[str, Any], request_id: str) -> Entry:
    model = asked["model"]
    try:
        said = inner_reply(state, CHAT_PATH, asked)
        completion = completion_of(state, asked, said)
        failing_models.refuse(state, model)
    except GatewayError as error:
        code = error.error["code"] if error.error["code"] in _CODES else _CODES[-1]
        return Entry(model, request_id, error=str(error), error_code=code)
    if model in _HALF_WAY:
        failure = _HALF_WAY[model]
        return Entry(model, request_id, completion, failure.message, failure.code)
    return Entry(model, request_id, completion)


def _all_failed(entries: Sequence[Entry]) -> Response:
    # Here the service does not use its envelope.
    details = [
        {"model": entry.model, "error": entry.error, "error_code": entry.error_code}
        for entry in entries
    ]
    message = "None of the models gave an answer."
    error = {"code": "all_models_failed", "message": message, "details": details}
    return json_response({"detail": {"error": error}}, 502)
