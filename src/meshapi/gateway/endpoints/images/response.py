"""The responses of /v1/images: pictures, in the requested size."""

import base64
import re
from collections.abc import Iterator
from typing import Any, Optional

from starlette.requests import Request
from starlette.responses import Response

from meshapi.gateway import clock, failing_models
from meshapi.gateway.content.pictures import Picture, fitted
from meshapi.gateway.content.tokens import count_words, usage
from meshapi.gateway.endpoints.pictures import publish
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.responses import stream_response, whole_response
from meshapi.gateway.http.streams import PacedFrames
from meshapi.gateway.http.validation import Check, Detail, Location, detail, integer, one_of, string
from meshapi.gateway.http.wire import PING, dump, frame, ulid
from meshapi.gateway.models import REFUSAL, cost_of
from meshapi.gateway.state import GatewayState

DEFAULT_SIDE = 1024
_NAMED_SIZES = {"auto": 1024, "1K": 1024, "2K": 2048, "4K": 4096}
_SIZE = re.compile(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", re.ASCII)

FORMAT: Check = one_of("url", "b64_json")
COUNT: Check = integer(ge=1, le=10)

# Made up: the model tokens of one picture.
_TOKENS_OF_PICTURE = 16

# How many keep-alive chunks a stream sends before the pictures.
_KEEP_ALIVES = 2


def check_size(value: Any, at: Location) -> Iterator[Detail]:
    """Check for width x height, or the name of a size."""
    if not isinstance(value, str):
        yield from string(value, at)
    elif value not in _NAMED_SIZES and not _SIZE.fullmatch(value):
        message = f"String should match pattern '{_SIZE.pattern}'"
        yield detail("string_pattern_mismatch", at, message)


def sides_of(size: Optional[str], default: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a size that passes `check_size`."""
    if size is None:
        return default
    found = _SIZE.fullmatch(size)
    return (int(found[1]), int(found[2])) if found else (_NAMED_SIZES[size], _NAMED_SIZES[size])


async def respond_with_pictures(
    state: GatewayState,
    request: Request,
    body: dict[str, Any],
    model: str,
    known_by: str,
    size: tuple[int, int],
) -> Response:
    """The response to a request for pictures, in the way of its model.

    Args:
        known_by: the text from which the colours are made.

    Raises:
        GatewayError: the model fails before its response begins, or refuses.
    """
    failing_models.refuse(state, model)
    if model == REFUSAL:
        message = "The request was refused: it violates the provider's policy."
        raise GatewayError(400, "content_policy_violation", message)
    size = fitted(*size)
    items = [
        _item(state, request, body, Picture(f"{known_by} {index}", *size), model)
        for index in range(body.get("n") or 1)
    ]
    words = count_words(body.get("prompt") or "")
    charged = {
        "usage": _usage(words, len(items)),
        "cost": cost_of(model, words, 0, pictures=len(items)),
    }
    if body.get("stream"):
        return stream_response(state, request, model, _frames(model, items, charged))
    response = {
        "created": int(clock.time()),
        "data": items,
        "background": body.get("background") or "auto",
        "output_format": "png",
        "quality": body.get("quality") or "auto",
        "size": f"{size[0]}x{size[1]}",
        **charged,
    }
    return await whole_response(request, model, dump(response))


def _item(
    state: GatewayState, request: Request, body: dict[str, Any], picture: Picture, model: str
) -> dict[str, Any]:
    if body.get("response_format") == "b64_json":
        return {"b64_json": base64.b64encode(picture.png()).decode()}
    return {"url": publish(state, request, picture, model)}


def _frames(model: str, items: list[dict[str, Any]], charged: dict[str, Any]) -> PacedFrames:
    """Keep-alive chunks, then the pictures in one chunk."""
    head = {
        "id": f"img_{ulid()}",
        "object": "image.chunk",
        "created": int(clock.time()),
        "model": model,
    }
    waiting = frame({**head, "data": [], "status": "processing"})
    done = frame({**head, "data": items, "status": "completed", **charged})
    return PacedFrames([waiting], [PING + waiting] * _KEEP_ALIVES, [done])


def _usage(prompt_tokens: int, pictures: int) -> dict[str, Any]:
    completion_tokens = pictures * _TOKENS_OF_PICTURE
    return {
        **usage(prompt_tokens, completion_tokens),
        "input_tokens_details": {"text_tokens": prompt_tokens, "image_tokens": 0},
        "output_tokens_details": {"image_tokens": completion_tokens},
    }
