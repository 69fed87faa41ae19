"""Videos: `/v1/video/generations`.

Source: https://developers.meshapi.ai/docs (video generation)
"""

from typing import Optional

from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint
from meshapi_core.params.encoding import encode_params
from meshapi_core.paths import path_segment
from meshapi_core.queries import encode_query
from meshapi_core.readers import JSONReader
from meshapi_core.types.videos import (
    CreateVideoGenerationResponse,
    ListVideoGenerationsFields,
    ListVideoGenerationsParams,
    VideoGenerationFields,
    VideoGenerationParams,
    VideoTaskListResponse,
    VideoTaskResponse,
)

__all__ = ["Videos"]

_PATH = "/v1/video/generations"


class Videos(Resource[R_co]):
    """Videos. They take minutes: start a task, then ask for its progress."""

    @endpoint
    def generate(
        self,
        params: Optional[VideoGenerationParams] = None,
        **fields: Unpack[VideoGenerationFields],
    ) -> Call[CreateVideoGenerationResponse]:
        """Start a task, and return its `.id`, with which `retrieve` returns the video.

        For example, `videos.generate(model="...", content=[{"type": "text", "text": "..."}])`.

        The call is not retried when it is unknown whether the gateway has begun: a second task
        would cost as much as the first.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `VideoGenerationParams`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            BadRequestError, UnprocessableEntityError: the model does not accept this content, or an
                uploaded reference is not ready yet.
            MeshAPIError: as for `chat.completions.create`.
        """
        return Call(
            method="POST",
            starts_job=True,
            path=_PATH,
            body=encode_params(VideoGenerationParams, params, fields),
            reader=JSONReader(CreateVideoGenerationResponse),
        )

    @endpoint
    def list(
        self,
        params: Optional[ListVideoGenerationsParams] = None,
        **fields: Unpack[ListVideoGenerationsFields],
    ) -> Call[VideoTaskListResponse]:
        """Return one page of tasks.

        For example, `videos.list(status="running", limit=20, offset=0)`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `ListVideoGenerationsParams`.

        Returns:
            The page; the tasks are in `.data`, and `.has_more` is True if another page follows.

        Raises:
            InvalidParamsError: a parameter is unknown or invalid; nothing was sent.
        """
        query = encode_query(ListVideoGenerationsParams, params, fields)
        return Call(method="GET", path=_PATH, query=query, reader=JSONReader(VideoTaskListResponse))

    @endpoint
    def retrieve(self, task_id: str) -> Call[VideoTaskResponse]:
        """Return a task: its progress in `.status`, and in the end the video.

        Returns:
            The task. Ask again until `.ended` is True; `.content.video_url` is then a link to the
            video, which expires, unless `.failed` is True.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no task with this ID.
        """
        path = f"{_PATH}/{path_segment('task_id', task_id)}"
        return Call(method="GET", path=path, reader=JSONReader(VideoTaskResponse))
