"""Videos."""

from meshapi_core.types.videos import (
    CreateVideoGenerationResponse,
    ListVideoGenerationsParams,
    VideoContentItem,
    VideoGenerationParams,
    VideoTaskContent,
    VideoTaskError,
    VideoTaskListResponse,
    VideoTaskResponse,
    VideoTaskUsage,
)
from support.endpoint_rows import Row

_PATH = "/v1/video/generations"

ROWS = [
    Row(
        "videos.generate",
        _PATH,
        args=(
            VideoGenerationParams(
                model="m",
                content=[
                    VideoContentItem(type="text", text="A bicycle in the rain"),
                    VideoContentItem(
                        type="image_url",
                        image_url={"url": "https://x.test/1.png"},
                        role="first_frame",
                    ),
                ],
                callback_url="https://x.test/done",
                return_last_frame=False,
                duration=5,
                seed=0,
            ),
        ),
        json={
            "model": "m",
            "content": [
                {"type": "text", "text": "A bicycle in the rain"},
                {
                    "type": "image_url",
                    "image_url": {"url": "https://x.test/1.png"},
                    "role": "first_frame",
                },
            ],
            "callback_url": "https://x.test/done",
            "return_last_frame": False,
            "duration": 5,
            "seed": 0,
        },
        response={"id": "task_1", "request_id": "req_1"},
        value=CreateVideoGenerationResponse(id="task_1", request_id="req_1"),
    ),
    Row(
        "videos.generate",
        _PATH,
        kwargs={
            "model": "m",
            "content": [{"type": "hologram", "hologram": {"url": None}}],
            "ratio": "16:9",
            "priority": None,
        },
        json={
            "model": "m",
            "content": [{"type": "hologram", "hologram": {"url": None}}],
            "ratio": "16:9",
        },
        status=202,
        response={"id": "task_2"},
        value=CreateVideoGenerationResponse(id="task_2"),
    ),
    Row(
        "videos.list",
        _PATH,
        method="GET",
        args=(
            ListVideoGenerationsParams(
                status="running", created_after="2026-07-01T00:00:00+00:00", limit=20, offset=0
            ),
        ),
        query="status=running&created_after=2026-07-01T00%3A00%3A00%2B00%3A00&limit=20&offset=0",
        response={
            "object": "list",
            "data": [{"id": "task_1", "status": "running", "mood": 1}, None],
            "has_more": True,
            "total": 21,
            "limit": 20,
            "offset": 0,
        },
        value=VideoTaskListResponse(
            object="list",
            data=[VideoTaskResponse(id="task_1", status="running")],
            has_more=True,
            total=21,
            limit=20,
        ),
    ),
    Row(
        "videos.list",
        _PATH,
        method="GET",
        kwargs={"model": "a/b&c", "limit": None},
        query="model=a%2Fb%26c",
        response={"data": None},
        value=VideoTaskListResponse(),
    ),
    Row(
        "videos.retrieve",
        f"{_PATH}/task%2F1",
        method="GET",
        args=("task/1",),
        response={
            "id": "task/1",
            "status": "succeeded",
            "model": "m",
            "error": None,
            "created_at": 1,
            "updated_at": 2,
            "content": {"video_url": "https://x.test/v.mp4", "last_frame_url": None},
            "seed": 0,
            "framespersecond": 24,
            "generate_audio": False,
            "usage": {"completion_tokens": 9, "total_tokens": 9},
        },
        value=VideoTaskResponse(
            id="task/1",
            status="succeeded",
            model="m",
            created_at=1,
            updated_at=2,
            content=VideoTaskContent(video_url="https://x.test/v.mp4"),
            seed=0,
            framespersecond=24,
            generate_audio=False,
            usage=VideoTaskUsage(completion_tokens=9, total_tokens=9),
        ),
    ),
    Row(
        "videos.retrieve",
        f"{_PATH}/..%2Fmodels%3Fx%3D1%23f",
        method="GET",
        kwargs={"task_id": "../models?x=1#f"},
        response={"id": "t", "status": "a new one", "error": {"code": "c", "message": None}},
        value=VideoTaskResponse(id="t", status="a new one", error=VideoTaskError(code="c")),
    ),
]
