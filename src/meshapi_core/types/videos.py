"""Videos: tasks that take minutes; one call starts a task, others return its progress.

`None` in a field of a request means "not sent". In responses, every field has a default, so that a
missing or null field never raises, and `status` may be any word.

Source: MeshAPI video generation, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Optional, Union

import msgspec
from typing_extensions import TypedDict

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import Params, Record, ResponseModel
from meshapi_core.types._outcomes import is_bad_end, is_end
from meshapi_core.types._pages import OffsetPage

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
    """One input for a video: a text, an image, a video, or audio.

    Fields:
        type: the name of the field that has the input: "text", "image_url", "video_url",
            "audio_url", ...
        image_url, video_url, audio_url: `{"url": "https://..."}`.
        draft_task: an earlier draft, by its ID, to make the final video from.
        role: how the model uses the input, such as "first_frame" or "reference_image".
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
    """The parameters of `videos.generate`; `model` and `content` are required.

    Fields:
        callback_url: where the gateway POSTs the finished task, once, with a timeout of 10
            seconds.
        return_last_frame: True to get the last frame as an image, too, to continue from.
        execution_expires_after: seconds after which a task that has not ended expires.
        draft: True for a small, quick draft to look at first.
        ratio: aspect ratio, such as "16:9".
        duration, frames: length in seconds, or in frames.
        safety_identifier: your user's ID, hashed.
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
    """The fields of `VideoGenerationParams` as keyword arguments; Structs may be plain dicts."""

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
    """A task that was started.

    Fields:
        id: the ID of the task, for `videos.retrieve`.
        request_id: since version 2026-09 of the API; also works for `videos.retrieve`.
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
    """The results of a task.

    Fields:
        video_url, last_frame_url: URLs that expire.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(bare="video_url")

    video_url: Optional[str] = None
    last_frame_url: Optional[str] = None


class VideoTaskUsage(Record, kw_only=True):
    """The usage of a task, in model tokens."""

    completion_tokens: int = 0
    total_tokens: int = 0


class VideoTaskResponse(ResponseModel, kw_only=True):
    """A task and its progress.

    Fields:
        status: "queued" or "running"; at the end "succeeded", "failed", "expired" or "cancelled".
        error: why the task failed.
        created_at, updated_at: Unix time in seconds.
        content: the video, once the task has succeeded.
        duration, frames: length in seconds, or in frames.
        execution_expires_after: in seconds.
        request_id: since version 2026-09 of the API.
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
    def url(self) -> Optional[str]:
        """The URL of the video, which expires; None if there is no video, or not yet."""
        return None if self.content is None else self.content.video_url

    @property
    def ended(self) -> bool:
        """Whether the task has ended, successfully or not."""
        return is_end(self.status)

    @property
    def failed(self) -> bool:
        """Whether the task ended without a video: failed, expired or cancelled; see `error`."""
        return is_bad_end(self.status)


class ListVideoGenerationsParams(Params, kw_only=True):
    """The parameters of `videos.list`; none is required.

    Fields:
        created_after, created_before: times as text; sent as given.
        limit, offset: size of the page, and number of tasks before it.
    """

    status: Optional[str] = None
    model: Optional[str] = None
    created_after: Optional[str] = None
    created_before: Optional[str] = None
    limit: Optional[int] = None
    offset: Optional[int] = None


class ListVideoGenerationsFields(TypedDict, total=False):
    """The fields of `ListVideoGenerationsParams` as keyword arguments."""

    status: Optional[str]
    model: Optional[str]
    created_after: Optional[str]
    created_before: Optional[str]
    limit: Optional[int]
    offset: Optional[int]


class VideoTaskListResponse(ResponseModel, OffsetPage[VideoTaskResponse], kw_only=True):
    """One page of tasks.

    Fields:
        has_more: whether there is a next page.
        total: number of tasks on all pages.
        limit, offset: size of this page, and number of tasks before it.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="data")

    object: Optional[str] = None
    data: list[VideoTaskResponse] = msgspec.field(default_factory=list)
    has_more: bool = False
    total: int = 0
    limit: int = 0
    offset: int = 0

    def _rows(self) -> list[VideoTaskResponse]:
        return self.data
