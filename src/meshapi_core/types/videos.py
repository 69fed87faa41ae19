"""Videos: tasks that take minutes; one call starts a task, others tell how far it is.

`None` in a field of a request means "not sent". In responses every field has a default, so that a
missing or null one never raises, and any status is possible.

Source: MeshAPI video generation, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Optional, Union

import msgspec
from typing_extensions import TypedDict

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import Params, Record, ResponseModel
from meshapi_core.types._outcomes import is_bad_end, is_end

__all__ = [
    "CreateVideoGenerationResponse",
    "ListVideoGenerationsFields",
    "ListVideoGenerationsParams",
    "VideoContentItem",
    "VideoGenerationFields",
    "VideoGenerationParams",
    "VideoTaskContent",
    "VideoTaskError",
    "VideoTaskListResponse",
    "VideoTaskResponse",
    "VideoTaskUsage",
]


class VideoContentItem(Record, kw_only=True):
    """One thing that the model goes by: words, a picture, a video, audio.

    Fields:
        type: "text", "image_url", "video_url", "audio_url", ...: which other field counts.
        image_url, video_url, audio_url: `{"url": "https://..."}`.
        draft_task: an earlier draft to be made into the final video, by its id.
        role: what the model takes it for, such as "first_frame" or "reference_image".
    """

    _one_of: ClassVar = ("text", "image_url", "video_url", "audio_url", "draft_task")
    type: str
    text: Optional[str] = None
    image_url: Optional[dict[str, Any]] = None
    video_url: Optional[dict[str, Any]] = None
    audio_url: Optional[dict[str, Any]] = None
    draft_task: Optional[dict[str, Any]] = None
    role: Optional[str] = None


class VideoGenerationParams(Params, kw_only=True):
    """The parameters of one video; `model` and `content` are required.

    Fields:
        callback_url: the gateway posts the finished task there, once, and waits 10 seconds.
        return_last_frame: True for a picture of the last frame, too, to go on from.
        execution_expires_after: seconds after which the task expires where it has not ended.
        draft: True for a quick and small one to look at first.
        ratio: such as "16:9".
        duration, frames: length in seconds, or in frames.
        safety_identifier: your user's id, hashed.
    """

    model: str
    content: list[VideoContentItem]
    callback_url: Optional[str] = None
    return_last_frame: Optional[bool] = None
    service_tier: Optional[str] = None
    execution_expires_after: Optional[int] = None
    generate_audio: Optional[bool] = None
    draft: Optional[bool] = None
    resolution: Optional[str] = None
    ratio: Optional[str] = None
    duration: Optional[int] = None
    frames: Optional[int] = None
    seed: Optional[int] = None
    camera_fixed: Optional[bool] = None
    watermark: Optional[bool] = None
    safety_identifier: Optional[str] = None
    priority: Optional[int] = None


class VideoGenerationFields(TypedDict, total=False):
    """The fields of `VideoGenerationParams` as keywords; Structs may be given as plain dicts."""

    model: str
    content: Sequence[Union[VideoContentItem, Mapping[str, Any]]]
    callback_url: Optional[str]
    return_last_frame: Optional[bool]
    service_tier: Optional[str]
    execution_expires_after: Optional[int]
    generate_audio: Optional[bool]
    draft: Optional[bool]
    resolution: Optional[str]
    ratio: Optional[str]
    duration: Optional[int]
    frames: Optional[int]
    seed: Optional[int]
    camera_fixed: Optional[bool]
    watermark: Optional[bool]
    safety_identifier: Optional[str]
    priority: Optional[int]


class CreateVideoGenerationResponse(ResponseModel, kw_only=True):
    """A task that has been started.

    Fields:
        id: to ask for the task with `retrieve`.
        request_id: from version 2026-09 of the API; it serves for `retrieve`, too.
    """

    id: str = ""
    request_id: Optional[str] = None


class VideoTaskError(Record, kw_only=True):
    """Why a task failed."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        prose=frozenset({"message"}), bare="message"
    )

    code: str = ""
    message: str = ""


class VideoTaskContent(Record, kw_only=True):
    """What a task has made.

    Fields:
        video_url, last_frame_url: links that expire.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(bare="video_url")

    video_url: Optional[str] = None
    last_frame_url: Optional[str] = None


class VideoTaskUsage(Record, kw_only=True):
    """What a task took, in tokens."""

    completion_tokens: int = 0
    total_tokens: int = 0


class VideoTaskResponse(ResponseModel, kw_only=True):
    """One task.

    Fields:
        status: "queued" or "running"; in the end "succeeded", "failed", "expired" or "cancelled".
        error: why it failed.
        created_at, updated_at: Unix times in seconds.
        content: the video, once it has succeeded.
        duration, frames: length in seconds, or in frames.
        execution_expires_after: seconds.
        request_id: from version 2026-09 of the API.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(essential=frozenset({"content"}))

    id: str = ""
    status: str = ""
    model: Optional[str] = None
    error: Optional[VideoTaskError] = None
    created_at: Optional[int] = None
    updated_at: Optional[int] = None
    content: Optional[VideoTaskContent] = None
    seed: Optional[int] = None
    resolution: Optional[str] = None
    ratio: Optional[str] = None
    duration: Optional[int] = None
    frames: Optional[int] = None
    framespersecond: Optional[int] = None
    generate_audio: Optional[bool] = None
    safety_identifier: Optional[str] = None
    priority: Optional[int] = None
    draft: Optional[bool] = None
    draft_task_id: Optional[str] = None
    service_tier: Optional[str] = None
    execution_expires_after: Optional[int] = None
    usage: Optional[VideoTaskUsage] = None
    request_id: Optional[str] = None

    @property
    def ended(self) -> bool:
        """Whether it is over, well or not."""
        return is_end(self.status)

    @property
    def failed(self) -> bool:
        """Whether it is over and has no video: failed, expired or cancelled; `error` says why."""
        return is_bad_end(self.status)


class ListVideoGenerationsParams(Params, kw_only=True):
    """Which tasks to list.

    Fields:
        created_after, created_before: times as text, sent as they are.
        limit, offset: size of the page, and number of tasks before it.
    """

    status: Optional[str] = None
    model: Optional[str] = None
    created_after: Optional[str] = None
    created_before: Optional[str] = None
    limit: Optional[int] = None
    offset: Optional[int] = None


class ListVideoGenerationsFields(TypedDict, total=False):
    """The fields of `ListVideoGenerationsParams` as keywords."""

    status: Optional[str]
    model: Optional[str]
    created_after: Optional[str]
    created_before: Optional[str]
    limit: Optional[int]
    offset: Optional[int]


class VideoTaskListResponse(ResponseModel, kw_only=True):
    """One page of tasks.

    Fields:
        has_more: whether there are others after this page.
        total: number of tasks on all pages.
        limit, offset: of this page.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="data")

    object: Optional[str] = None
    data: list[VideoTaskResponse] = msgspec.field(default_factory=list)
    has_more: bool = False
    total: int = 0
    limit: int = 0
    offset: int = 0
