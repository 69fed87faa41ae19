"""POST /v1/images/generations: a picture for a prompt.

Whatever format is requested, the picture is a PNG, and the response's `output_format` says so.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.endpoints.images.response import (
    COUNT,
    DEFAULT_SIDE,
    FORMAT,
    check_size,
    respond_with_pictures,
    sides_of,
)
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.validation import (
    Check,
    array,
    boolean,
    integer,
    mapping,
    number,
    one_of,
    only_fields,
    read_json,
    string,
    string_or,
    text,
)
from meshapi.gateway.models import DEFAULT_IMAGE_MODEL, IMAGE_MODELS, choose_from
from meshapi.gateway.state import GatewayState

_GENERATION: Check = only_fields(
    {"prompt": text(min_length=1, max_length=32_000)},
    {
        "model": string,
        "n": COUNT,
        "size": check_size,
        "quality": string,
        "response_format": FORMAT,
        "output_format": one_of("png", "jpeg", "webp"),
        "stream": boolean,
        "aspect_ratio": string,
        "resolution": string,
        "output_compression": integer(ge=0, le=100),
        "background": one_of("transparent", "opaque", "auto"),
        "moderation": one_of("low", "auto"),
        "partial_images": integer(ge=0, le=3),
        "image": string_or(string, array(string)),
        "seed": integer(ge=-1, le=2147483647),
        "sequential_image_generation": one_of("auto", "disabled"),
        "sequential_image_generation_options": mapping,
        "guidance_scale": number(ge=1, le=10),
        "watermark": boolean,
        "optimize_prompt_options": mapping,
    },
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def generate(request: Request) -> Response:
        body = await read_json(request, _GENERATION)
        model = choose_from(IMAGE_MODELS, body.get("model"), DEFAULT_IMAGE_MODEL)
        known_by = f"{body['prompt']} {body.get('seed')}"
        size = sides_of(body.get("size"), (DEFAULT_SIDE, DEFAULT_SIDE))
        return await respond_with_pictures(state, request, body, model, known_by, size)

    return [protected(state, "/v1/images/generations", ["POST"], generate)]
