"""POST /v1/moderations: a stub that looks for a few words, and says so in each response."""

import re
from collections.abc import Iterator
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.responses import make_response
from meshapi.gateway.http.validation import (
    Check,
    Detail,
    Location,
    array,
    fields,
    only_fields,
    read_json,
    string,
    string_or,
    tagged,
)
from meshapi.gateway.http.wire import dump, ulid
from meshapi.gateway.models import MODERATION_MODELS, choose_from
from meshapi.gateway.state import GatewayState

_DEFAULT_MODEL = "omni-moderation-latest"
_NOTE = "A stub: it knows a few words, does not look at images, and protects nobody."

_WORDS = {
    "harassment": {"idiot", "loser", "stupid"},
    "hate": {"hate", "vermin"},
    "illicit": {"counterfeit", "heroin", "launder"},
    "self-harm": {"suicide"},
    "sexual": {"porn", "nude"},
    "violence": {"attack", "bomb", "kill", "murder", "shoot"},
}
_HIGH, _LOW = 0.99, 0.01

_OBJECT = tagged(
    "type",
    {
        "text": fields({"text": string}, {}),
        "image_url": fields({"image_url": fields({"url": string}, {})}, {}),
    },
)


def _list(value: Any, at: Location) -> Iterator[Detail]:
    """Check for a list whose items are all of the same kind as the first."""
    rows = cast("list[object]", value) if isinstance(value, list) else []
    item = _OBJECT if rows and isinstance(rows[0], dict) else string
    yield from array(item, min_length=1)(value, at)


_SCHEMA: Check = only_fields({"input": string_or(string, _list)}, {"model": string})


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def create(request: Request) -> Response:
        body = await read_json(request, _SCHEMA)
        model = choose_from(MODERATION_MODELS, body.get("model"), _DEFAULT_MODEL)
        given: Any = body["input"]
        inputs: list[Any] = [given] if isinstance(given, str) else given
        response = {
            "id": f"modr-{ulid()}",
            "model": model,
            "results": [_judge(_text(item)) for item in inputs],
            "x_stub": True,
            "x_note": _NOTE,
        }
        return await make_response(state, request, model, dump(response))

    return [protected(state, "/v1/moderations", ["POST"], create)]


def _text(item: Any) -> str:
    return item if isinstance(item, str) else item.get("text") or ""


def _judge(text: str) -> dict[str, Any]:
    said = set(re.findall(r"\w+", text.lower()))
    categories = {name: bool(said & listed) for name, listed in _WORDS.items()}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": {name: _HIGH if hit else _LOW for name, hit in categories.items()},
    }
