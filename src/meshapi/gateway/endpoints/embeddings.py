"""POST /v1/embeddings: the same vector for the same input, and near ones if words are shared."""

import base64
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Optional, Union, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.content.tokens import count_words
from meshapi.gateway.content.vectors import vector_of
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.responses import make_response
from meshapi.gateway.http.validation import (
    Check,
    Detail,
    Location,
    array,
    boolean,
    fields,
    integer,
    mapping,
    one_of,
    only_fields,
    read_json,
    string,
    string_or,
    tagged,
    text,
)
from meshapi.gateway.http.wire import dump
from meshapi.gateway.models import (
    AUTO,
    DEFAULT_EMBEDDING_MODEL,
    EMBEDDING_MODELS,
    choose_from,
    cost_of,
)
from meshapi.gateway.scripts.handover import scripted_reply
from meshapi.gateway.scripts.values import Reply
from meshapi.gateway.state import GatewayState

_DEFAULT_DIMENSIONS = 1536
# Twice the dimensions of any well-known model; a limit, because memory has one.
_MOST_DIMENSIONS = 8192
# The limit of the well-known services.
_MOST_INPUTS = 2048


# One input before it is embedded: the text that identifies it, and its size in model tokens.
_Input = tuple[str, int]

_TOKEN = integer(ge=0)
_URL = fields({"url": string}, {})
_OBJECT = tagged(
    "type",
    {
        "text": fields({"text": string}, {}),
        "image_url": fields({"image_url": _URL}, {}),
        "video_url": fields({"video_url": _URL}, {}),
    },
)


def _list(value: Any, at: Location) -> Iterator[Detail]:
    """Check for a list whose items are all of the same kind as the first."""
    rows = cast("list[object]", value) if isinstance(value, list) else []
    first = rows[0] if rows else None
    item: Check = string
    if isinstance(first, dict):
        item = _OBJECT
    elif isinstance(first, list):
        item = array(_TOKEN, min_length=1)
    elif isinstance(first, int):
        item = _TOKEN
    yield from array(item, min_length=1, max_length=None if item is _TOKEN else _MOST_INPUTS)(
        value, at
    )


SCHEMA: Check = only_fields(
    {"input": string_or(string, _list)},
    {
        "model": string,
        "dimensions": integer(ge=1, le=_MOST_DIMENSIONS),
        "encoding_format": one_of("float", "base64"),
        "input_type": string,
        "provider": string_or(
            string,
            fields(
                {},
                {
                    "order": array(string),
                    "allow_fallbacks": boolean,
                    "require_parameters": boolean,
                    "data_collection": one_of("allow", "deny"),
                },
            ),
        ),
        "user": text(max_length=256),
        "instructions": string,
        "sparse_embedding": mapping,
    },
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def create(request: Request) -> Response:
        body = await read_json(request, SCHEMA)
        if body.get("sparse_embedding"):
            message = "The local gateway has no sparse embeddings."
            raise GatewayError(501, "not_implemented", message)
        scripted = scripted_reply(request)
        made = embed(body, model_of(body, scripted), scripted)
        model: str = made["model"]
        user, tokens = body.get("user") or "", made["usage"]["total_tokens"]
        return await make_response(state, request, model, dump(made), user=user, tokens=tokens)

    return [protected(state, "/v1/embeddings", ["POST"], create)]


def model_of(body: dict[str, Any], scripted: Optional[Reply] = None) -> str:
    """The model of a request that passes `SCHEMA`; with a script, it may be any.

    Raises:
        GatewayError: the model is unknown, or not for embeddings.
    """
    named: Optional[str] = body.get("model")
    if scripted is not None and named is not None and named != AUTO:
        return named
    return choose_from(EMBEDDING_MODELS, named, DEFAULT_EMBEDDING_MODEL)


def embed(body: dict[str, Any], model: str, scripted: Optional[Reply] = None) -> dict[str, Any]:
    """The response to a request that passes `SCHEMA`.

    Args:
        scripted: what a script says.
    """
    said = Reply() if scripted is None else scripted
    inputs = list(_inputs(body["input"]))
    dimensions: int = body.get("dimensions") or _DEFAULT_DIMENSIONS
    items = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _encoded(
                said.embedding
                or vector_of(known_by if said.text is None else said.text, dimensions),
                body.get("encoding_format"),
            ),
        }
        for index, (known_by, _) in enumerate(inputs)
    ]
    tokens = said.usage.get("prompt_tokens", sum(size for _, size in inputs))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    cost = cost_of(model, tokens, 0)
    return {"object": "list", "data": items, "model": model, "usage": usage, "cost": cost}


def _encoded(vector: Sequence[float], encoding: Optional[str]) -> Union[str, Sequence[float]]:
    if encoding == "base64":
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector


def _inputs(given: Any) -> Iterator[_Input]:
    if isinstance(given, str):
        yield given, count_words(given)
        return
    rows: list[Any] = given
    if isinstance(rows[0], int):
        # A list of numbers is one text, as model tokens.
        yield _of_tokens(rows)
        return
    for row in rows:
        if isinstance(row, str):
            yield row, count_words(row)
        elif isinstance(row, list):
            yield _of_tokens(cast("list[int]", row))
        else:
            yield _of_object(row)


def _of_tokens(tokens: Sequence[int]) -> _Input:
    return " ".join(f"token{token}" for token in tokens), len(tokens)


def _of_object(given: dict[str, Any]) -> _Input:
    if given["type"] == "text":
        return given["text"], count_words(given["text"])
    # The picture is not fetched: pictures are as near to each other as their URLs are.
    return given[given["type"]]["url"], 1
