"""POST /v1/router/select: the model that `auto` would choose, whatever the question."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.endpoints.chat.request import MESSAGE
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.validation import (
    Check,
    array,
    one_of,
    only_fields,
    read_json,
    string,
)
from meshapi.gateway.models import DEFAULT_EMBEDDING_MODEL, DEFAULT_MODEL, MODELS
from meshapi.gateway.state import GatewayState

_SCHEMA: Check = only_fields(
    {"messages": array(MESSAGE, min_length=1)},
    {
        "api_type": one_of("completions", "responses", "embeddings"),
        "exclude_models": array(string),
        "candidate_models": array(string),
    },
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def select(request: Request) -> Response:
        return json_response(_select(await read_json(request, _SCHEMA)))

    return [protected(state, "/v1/router/select", ["POST"], select)]


def _select(body: dict[str, Any]) -> dict[str, Any]:
    embeds = body.get("api_type") == "embeddings"
    default = DEFAULT_EMBEDDING_MODEL if embeds else DEFAULT_MODEL
    use = "embedding" if embeds else "chat"
    candidates = body.get("candidate_models")
    excluded: list[str] = body.get("exclude_models") or []
    fit = [
        model
        for model in MODELS
        if model.use == use
        and model.id not in excluded
        and (candidates is None or model.id in candidates)
    ]
    # The default if it fits, else the first that does.
    best = sorted(fit, key=lambda model: model.id != default)[:1]
    thinks = bool(best) and best[0].thinks
    return {
        "model": best[0].id if best else default,
        "auto_router": {
            "fallback_used": not best,
            "fallback_reason": None if best else "no model is left to choose from",
        },
        "reasoning_effort": "low" if thinks else None,
    }
