"""POST /v1/chat/completions."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import failing_models
from meshapi.gateway.endpoints.chat.completion import completion_of
from meshapi.gateway.endpoints.chat.request import SCHEMA, fault_of_choice
from meshapi.gateway.endpoints.templates import with_template
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.responses import stream_response, whole_response
from meshapi.gateway.http.validation import detail, invalid, read_json
from meshapi.gateway.http.wire import dump
from meshapi.gateway.scripts.handover import scripted_reply
from meshapi.gateway.state import GatewayState


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def complete(request: Request) -> Response:
        body = prepared(state, await read_json(request, SCHEMA))
        completion = completion_of(state, body, scripted_reply(request))
        model = completion.requested
        state.rate_limits.spend(completion.usage()["total_tokens"])
        failing_models.refuse(state, model, body.get("user") or "")
        if body.get("stream"):
            frames = completion.frames()
            return stream_response(state, request, model, frames, completion.headers())
        whole = dump(completion.whole())
        return await whole_response(request, model, whole, headers=completion.headers())

    return [protected(state, "/v1/chat/completions", ["POST"], complete)]


def prepared(state: GatewayState, body: dict[str, Any]) -> dict[str, Any]:
    """A request that passes `SCHEMA`, with its template filled in.

    Raises:
        GatewayError: as for `with_template`; 501 if the request asks for what only the service
            can do; 422 if it chooses a tool that it does not have, or a format without its schema.
    """
    body = with_template(state, body)
    _refuse_unsupported(body)
    return body


def _refuse_unsupported(body: dict[str, Any]) -> None:
    kinds: list[str] = [body.get("modality") or "text", *(body.get("modalities") or [])]
    if set(kinds) != {"text"}:
        raise GatewayError(501, "not_implemented", "The local gateway answers chat in text only.")
    fault = fault_of_choice(body.get("tools") or [], body.get("tool_choice"))
    if fault:
        raise invalid(fault)
    wanted: dict[str, Any] = body.get("response_format") or {}
    if wanted.get("type") == "json_schema" and wanted.get("json_schema") is None:
        at = ("body", "response_format", "json_schema")
        raise invalid(detail("missing", at, "Field required"))
