"""Images."""

import json
from typing import Any

from meshapi_core.types.images import (
    ImageEditParams,
    ImageGenerationChunk,
    ImageGenerationParams,
    ImageGenerationResponse,
    ImageItem,
    ImageRef,
    ImageUsage,
)
from support.endpoint_rows import Row

_GENERATIONS = "/v1/images/generations"
_EDITS = "/v1/images/edits"
_STREAM = "text/event-stream"

HEAD: dict[str, Any] = {"id": "img_1", "object": "image.chunk", "created": 7, "model": "m"}
WAITING: dict[str, Any] = {**HEAD, "data": [], "status": "processing"}
DONE = b"data: [DONE]\n\n"


def images(*urls: str) -> dict[str, Any]:
    """A chunk with these images."""
    return {**HEAD, "data": [{"url": url} for url in urls], "status": "completed"}


def frames(*chunks: Any) -> bytes:
    """A stream of these chunks, without [DONE]."""
    return b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks)


ROWS = [
    Row(
        "images.generate",
        _GENERATIONS,
        args=(
            ImageGenerationParams(
                model="openai/gpt-image-1",
                prompt="A red bicycle",
                n=1,
                size="1024x1024",
                response_format="b64_json",
                output_compression=0,
                seed=-1,
                watermark=False,
            ),
        ),
        json={
            "model": "openai/gpt-image-1",
            "prompt": "A red bicycle",
            "n": 1,
            "size": "1024x1024",
            "response_format": "b64_json",
            "output_compression": 0,
            "seed": -1,
            "watermark": False,
        },
        response={
            "created": 1_780_000_000,
            "data": [{"b64_json": "iVBORw==", "revised_prompt": "A bicycle, red"}],
            "background": "auto",
            "output_format": "png",
            "quality": "high",
            "size": "1024x1024",
            "usage": {
                "prompt_tokens": 3,
                "completion_tokens": 16,
                "total_tokens": 19,
                "input_tokens_details": {"text_tokens": 3},
                "output_tokens_details": {"image_tokens": 16},
            },
        },
        value=ImageGenerationResponse(
            created=1_780_000_000,
            data=[ImageItem(b64_json="iVBORw==", revised_prompt="A bicycle, red")],
            background="auto",
            output_format="png",
            quality="high",
            size="1024x1024",
            usage=ImageUsage(
                prompt_tokens=3,
                completion_tokens=16,
                total_tokens=19,
                input_tokens_details={"text_tokens": 3},
                output_tokens_details={"image_tokens": 16},
            ),
        ),
    ),
    Row(
        "images.generate",
        _GENERATIONS,
        kwargs={
            "prompt": "",
            "image": ["data:image/png;base64,AA==", "AA=="],
            "partial_images": 0,
            "sequential_image_generation": "auto",
            "sequential_image_generation_options": {"max_images": 4},
            "guidance_scale": 1,
            "optimize_prompt_options": {},
            "model": None,
        },
        json={
            "prompt": "",
            "image": ["data:image/png;base64,AA==", "AA=="],
            "partial_images": 0,
            "sequential_image_generation": "auto",
            "sequential_image_generation_options": {"max_images": 4},
            "guidance_scale": 1,
            "optimize_prompt_options": {},
        },
        response={
            "created": None,
            "data": [{"url": "https://x.test/1.png?s=1", "b64_json": None}, None],
            "usage": {"input_tokens": 3, "output_tokens": 16, "total_tokens": 19},
        },
        value=ImageGenerationResponse(
            data=[ImageItem(url="https://x.test/1.png?s=1")],
            usage=ImageUsage(input_tokens=3, output_tokens=16, total_tokens=19),
        ),
    ),
    Row(
        "images.stream",
        _GENERATIONS,
        args=(ImageGenerationParams(prompt="A red bicycle", stream=True, n=2),),
        json={"prompt": "A red bicycle", "stream": True, "n": 2},
        accept=_STREAM,
        response=frames(WAITING) + b": ping\n\n" + frames(WAITING, images("u1", "u2")) + DONE,
        response_type=_STREAM,
        value=[
            ImageGenerationChunk(id="img_1", created=7, model="m", status="processing"),
            ImageGenerationChunk(id="img_1", created=7, model="m", status="processing"),
            ImageGenerationChunk(
                id="img_1",
                created=7,
                model="m",
                status="completed",
                data=[ImageItem(url="u1"), ImageItem(url="u2")],
            ),
        ],
    ),
    Row(
        "images.stream",
        _GENERATIONS,
        kwargs={"prompt": "A red bicycle", "background": "transparent"},
        json={"prompt": "A red bicycle", "background": "transparent", "stream": True},
        accept=_STREAM,
        response={"created": 7, "data": [{"b64_json": "AA=="}], "size": "1x1", "usage": {}},
        value=[
            ImageGenerationChunk(
                created=7, data=[ImageItem(b64_json="AA==")], size="1x1", usage=ImageUsage()
            )
        ],
    ),
    Row(
        "images.edit",
        _EDITS,
        args=(ImageEditParams(model="m", image="data:image/png;base64,AA=="),),
        json={
            "model": "m",
            "image": "data:image/png;base64,AA==",
            "prompt": "",
            "operation": "edit",
        },
        response={"created": 7, "data": [{"url": "data:image/png;base64,AA=="}]},
        value=ImageGenerationResponse(
            created=7, data=[ImageItem(url="data:image/png;base64,AA==")]
        ),
    ),
    Row(
        "images.edit",
        _EDITS,
        kwargs={
            "model": "m",
            "image": ImageRef(url="data:,a"),
            "prompt": "More sky",
            "operation": "mix",
            "mask": {"url": "data:,m", "new": None},
            "reference_images": ["data:,b", {"url": "data:,c"}, ImageRef(url="data:,d")],
            "expand_factor": 1.5,
            "mask_feather": 0,
        },
        json={
            "model": "m",
            "image": {"url": "data:,a"},
            "prompt": "More sky",
            "operation": "mix",
            "mask": {"url": "data:,m", "new": None},
            "reference_images": ["data:,b", {"url": "data:,c"}, {"url": "data:,d"}],
            "expand_factor": 1.5,
            "mask_feather": 0,
        },
        response={"created": "7", "data": []},
        value=ImageGenerationResponse(created=7),
    ),
]
