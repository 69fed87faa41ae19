"""POST /v1/images/edits: each edit is a new picture, with the size of the old one by default."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Optional

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.content.pictures import size_of
from meshapi.gateway.endpoints.images.response import (
    COUNT,
    DEFAULT_SIDE,
    FORMAT,
    check_size,
    respond_with_pictures,
    sides_of,
)
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.forms import read_form
from meshapi.gateway.http.query import whole, word, words
from meshapi.gateway.http.validation import (
    Check,
    Detail,
    Location,
    array,
    detail,
    fields,
    integer,
    invalid,
    number,
    one_of,
    only_fields,
    read_json,
    string,
    string_or,
    text,
)
from meshapi.gateway.models import DEFAULT_IMAGE_MODEL, MODELS, choose_from
from meshapi.gateway.state import GatewayState

_EDIT_MODELS = frozenset(
    model.id for model in MODELS if model.use == "image" and "image" in model.reads
)


def _picture(value: Any, at: Location) -> Iterator[Detail]:
    """Check for a data URL or base64, bare or as the `url` of an object; links are refused."""
    if isinstance(value, dict):
        yield from fields({"url": _picture}, {})(value, at)
    elif not isinstance(value, str):
        yield from string(value, at)
    elif value.lower().startswith(("http:", "https:")):
        message = "Value error, images have to be data URLs or base64, not links"
        yield detail("value_error", at, message)
    elif not _bytes_of(value):
        yield detail("value_error", at, "Value error, neither a data URL nor base64")


_OPERATIONS = ("edit", "inpaint", "outpaint", "mix", "reframe", "upscale", "remove_background")
_EDIT: Check = only_fields(
    {"model": string, "image": _picture},
    {
        "prompt": text(max_length=32_000),
        "operation": one_of(*_OPERATIONS),
        "mask": _picture,
        "reference_images": array(_picture),
        "n": COUNT,
        "size": check_size,
        "response_format": FORMAT,
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
    """This file's endpoint."""

    async def edit(request: Request) -> Response:
        body = await _edit_body(request)
        model = choose_from(_EDIT_MODELS, body["model"], DEFAULT_IMAGE_MODEL)
        known_by = f"{body.get('operation')} {body.get('prompt')} {_url_of(body['image'])}"
        return await respond_with_pictures(
            state, request, body, model, known_by, _edited_size(body)
        )

    return [protected(state, "/v1/images/edits", ["POST"], edit)]


async def _edit_body(request: Request) -> dict[str, Any]:
    """The body of an edit request, from JSON or a form; files of a form become base64."""
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
    """The fault of a request that lacks what its operation needs; None if there is none."""
    operation = body.get("operation") or "edit"
    references: list[Any] = body.get("reference_images") or []
    if operation == "inpaint" and not body.get("mask"):
        return _need("mask", "inpaint needs a mask, which is white where the image is to change")
    if operation == "upscale" and body.get("upscale_factor") not in ("x2", "x4"):
        return _need("upscale_factor", "upscale needs an upscale_factor of x2 or x4")
    if operation == "mix" and not 1 <= len(references) <= 3:
        return _need("reference_images", "mix needs one to three reference_images")
    if operation == "reframe" and not body.get("aspect_ratio"):
        return _need("aspect_ratio", "reframe needs an aspect_ratio")
    return None


def _need(name: str, message: str) -> Detail:
    return detail("value_error", ("body", name), f"Value error, {message}")


def _edited_size(body: dict[str, Any]) -> tuple[int, int]:
    """The requested size; without one, the size of the picture if it is a PNG, or the default."""
    original = size_of(_bytes_of(_url_of(body["image"])))
    width, height = original or (DEFAULT_SIDE, DEFAULT_SIDE)
    times = {"x2": 2, "x4": 4}.get(body.get("upscale_factor") or "", 1)
    return sides_of(body.get("size"), (width * times, height * times))


def _url_of(image: Any) -> str:
    return image if isinstance(image, str) else str(image["url"])


def _bytes_of(image: str) -> bytes:
    """The bytes of a data URL or of base64; empty if it is neither."""
    head, comma, data = image.partition(",")
    if image.startswith("data:") and not (comma and head.endswith(";base64")):
        return b""
    try:
        return base64.b64decode(data if image.startswith("data:") else image, validate=True)
    except (binascii.Error, ValueError):
        return b""
