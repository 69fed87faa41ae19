"""/v1/images: pictures for prompts, and edits of pictures, each of which is a new one.

Whatever format is asked for, the picture is a PNG, and the answer's `output_format` says so.
"""

import base64
import binascii
import re
import time
from collections.abc import Iterator
from typing import Any, Optional

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import failing_models
from meshapi.gateway.content.answers import count_words
from meshapi.gateway.content.pictures import Picture, fitted, publish, size_of
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.forms import read_form
from meshapi.gateway.http.query import whole, word, words
from meshapi.gateway.http.replies import stream_reply, whole_reply
from meshapi.gateway.http.streams import Script
from meshapi.gateway.http.validation import (
    Check,
    Detail,
    Location,
    array,
    boolean,
    detail,
    fields,
    integer,
    invalid,
    mapping,
    number,
    one_of,
    read_json,
    string,
    string_or,
    text,
)
from meshapi.gateway.http.wire import PING, dump, frame, ulid
from meshapi.gateway.models import DEFAULT_IMAGE_MODEL, IMAGE_MODELS, MODELS, REFUSAL, choose_from
from meshapi.gateway.state import GatewayState

_DEFAULT_SIDE = 1024
_NAMED_SIZES = {"auto": 1024, "1K": 1024, "2K": 2048, "4K": 4096}
_SIZE = re.compile(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", re.ASCII)

# What one picture counts in tokens: made up.
_TOKENS_OF_PICTURE = 16

# How long a stream says that it works on it: so many keep-alive chunks.
_KEEP_ALIVES = 2

_EDIT_MODELS = frozenset(
    model.id for model in MODELS if model.use == "image" and "image" in model.reads
)


def _size(value: Any, at: Location) -> Iterator[Detail]:
    """Width x height, or one of the names for a size."""
    if not isinstance(value, str):
        yield from string(value, at)
    elif value not in _NAMED_SIZES and not _SIZE.fullmatch(value):
        message = f"String should match pattern '{_SIZE.pattern}'"
        yield detail("string_pattern_mismatch", at, message)


_FORMAT: Check = one_of("url", "b64_json")
_COUNT: Check = integer(ge=1, le=10)
_GENERATION: Check = fields(
    {"prompt": text(min_length=1, max_length=32_000)},
    {
        "model": string,
        "n": _COUNT,
        "size": _size,
        "quality": string,
        "response_format": _FORMAT,
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


def _picture(value: Any, at: Location) -> Iterator[Detail]:
    """A data URL or bare base64, by itself or as the `url` of an object; nothing is fetched."""
    if isinstance(value, dict):
        yield from fields({"url": _picture}, {})(value, at)
    elif not isinstance(value, str):
        yield from string(value, at)
    elif value.lower().startswith(("http:", "https:")):
        message = "Value error, images have to be data URLs or base64, not links"
        yield detail("value_error", at, message)
    elif not _bytes_of(value):
        yield detail("value_error", at, "Value error, not a data URL, and not base64")


_OPERATIONS = ("edit", "inpaint", "outpaint", "mix", "reframe", "upscale", "remove_background")
_EDIT: Check = fields(
    {"model": string, "image": _picture},
    {
        "prompt": text(max_length=32_000),
        "operation": one_of(*_OPERATIONS),
        "mask": _picture,
        "reference_images": array(_picture),
        "n": _COUNT,
        "size": _size,
        "response_format": _FORMAT,
        "background": string,
        "upscale_factor": string,
        "quality_tier": string,
        "aspect_ratio": string,
        "resolution": string,
        "expand_factor": string_or(string, number()),
        "mask_feather": integer(ge=0),
    },
)
_EDIT_FORM = {
    **{name: word() for name in ("model", "prompt", "operation", "size", "response_format")},
    **{name: word() for name in ("background", "upscale_factor", "quality_tier", "aspect_ratio")},
    **{name: word() for name in ("resolution", "expand_factor", "image", "mask")},
    "reference_images": words(),
    "n": whole(integer()),
    "mask_feather": whole(integer()),
}


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def generate(request: Request) -> Response:
        body = await read_json(request, _GENERATION)
        model = choose_from(IMAGE_MODELS, body.get("model"), DEFAULT_IMAGE_MODEL)
        known_by = f"{body['prompt']} {body.get('seed')}"
        size = _sides(body.get("size"), (_DEFAULT_SIDE, _DEFAULT_SIDE))
        return await _answer(state, request, body, model, known_by, size)

    async def edit(request: Request) -> Response:
        body = await _edit_body(request)
        model = choose_from(_EDIT_MODELS, body["model"], DEFAULT_IMAGE_MODEL)
        known_by = f"{body.get('operation')} {body.get('prompt')} {_url_of(body['image'])}"
        return await _answer(state, request, body, model, known_by, _edited_size(body))

    return [
        protected(state, "/v1/images/generations", ["POST"], generate),
        protected(state, "/v1/images/edits", ["POST"], edit),
    ]


async def _answer(
    state: GatewayState,
    request: Request,
    body: dict[str, Any],
    model: str,
    known_by: str,
    size: tuple[int, int],
) -> Response:
    failing_models.refuse(state, model)
    if model == REFUSAL:
        message = "The request was refused: it is against the provider's policy."
        raise GatewayError(400, "content_policy_violation", message)
    size = fitted(*size)
    items = [
        _item(state, request, body, Picture(f"{known_by} {index}", *size))
        for index in range(body.get("n") or 1)
    ]
    if body.get("stream"):
        return stream_reply(state, model, _script(model, items))
    answer = {
        "created": int(time.time()),
        "data": items,
        "background": body.get("background") or "auto",
        "output_format": "png",
        "quality": body.get("quality") or "auto",
        "size": f"{size[0]}x{size[1]}",
        "usage": _usage(count_words(body.get("prompt") or ""), len(items)),
    }
    return await whole_reply(request, model, dump(answer))


def _item(
    state: GatewayState, request: Request, body: dict[str, Any], picture: Picture
) -> dict[str, Any]:
    if body.get("response_format") == "b64_json":
        return {"b64_json": base64.b64encode(picture.png()).decode()}
    return {"url": publish(state, request, picture)}


def _script(model: str, items: list[dict[str, Any]]) -> Script:
    """Signs of life, then the pictures in one chunk."""
    head = {
        "id": f"img_{ulid()}",
        "object": "image.chunk",
        "created": int(time.time()),
        "model": model,
    }
    waiting = frame({**head, "data": [], "status": "processing"})
    done = frame({**head, "data": items, "status": "completed"})
    return Script([waiting], [PING + waiting] * _KEEP_ALIVES, [done])


def _usage(prompt_tokens: int, pictures: int) -> dict[str, Any]:
    completion_tokens = pictures * _TOKENS_OF_PICTURE
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "input_tokens_details": {"text_tokens": prompt_tokens, "image_tokens": 0},
        "output_tokens_details": {"image_tokens": completion_tokens},
    }


def _sides(size: Optional[str], default: tuple[int, int]) -> tuple[int, int]:
    if size is None:
        return default
    found = _SIZE.fullmatch(size)
    return (int(found[1]), int(found[2])) if found else (_NAMED_SIZES[size], _NAMED_SIZES[size])


async def _edit_body(request: Request) -> dict[str, Any]:
    """The request for an edit, as JSON or as a form, whose files become base64."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        body = await read_json(request, _EDIT)
    else:
        async with read_form(request, {}, _EDIT_FORM) as form:
            body = {**form.values, **await _uploads(form.files)}
        faults = list(_EDIT(body, ("body",)))
        if faults:
            raise invalid(*faults)
    fault = _fault_of_operation(body)
    if fault is not None:
        raise invalid(fault)
    return body


async def _uploads(files: dict[str, list[UploadFile]]) -> dict[str, Any]:
    encoded: dict[str, list[str]] = {}
    for name, uploads in files.items():
        encoded[name] = [base64.b64encode(await file.read()).decode() for file in uploads]
    body: dict[str, Any] = {name: found[-1] for name, found in encoded.items()}
    if "reference_images" in encoded:
        body["reference_images"] = encoded["reference_images"]
    return body


def _fault_of_operation(body: dict[str, Any]) -> Optional[Detail]:
    """What the operation needs and the request does not have."""
    operation = body.get("operation") or "edit"
    references: list[Any] = body.get("reference_images") or []
    if operation == "inpaint" and not body.get("mask"):
        return _needs("mask", "inpaint needs a mask, white where to edit")
    if operation == "upscale" and body.get("upscale_factor") not in ("x2", "x4"):
        return _needs("upscale_factor", "upscale needs an upscale_factor of x2 or x4")
    if operation == "mix" and not 1 <= len(references) <= 3:
        return _needs("reference_images", "mix needs one to three reference_images")
    if operation == "reframe" and not body.get("aspect_ratio"):
        return _needs("aspect_ratio", "reframe needs an aspect_ratio")
    return None


def _needs(name: str, message: str) -> Detail:
    return detail("value_error", ("body", name), f"Value error, {message}")


def _edited_size(body: dict[str, Any]) -> tuple[int, int]:
    """The size that is asked for, or else that of the picture, if it is a PNG."""
    original = size_of(_bytes_of(_url_of(body["image"])))
    width, height = original or (_DEFAULT_SIDE, _DEFAULT_SIDE)
    times = {"x2": 2, "x4": 4}.get(body.get("upscale_factor") or "", 1)
    return _sides(body.get("size"), (width * times, height * times))


def _url_of(image: Any) -> str:
    return image if isinstance(image, str) else str(image["url"])


def _bytes_of(image: str) -> bytes:
    """The bytes of a data URL or of base64; none if it is neither."""
    head, comma, data = image.partition(",")
    if image.startswith("data:") and not (comma and head.endswith(";base64")):
        return b""
    try:
        return base64.b64decode(data if image.startswith("data:") else image, validate=True)
    except (binascii.Error, ValueError):
        return b""
