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
    """Videos, which take minutes: start a task, then ask how far it is."""

    @endpoint
    def generate(
        self,
        params: Optional[VideoGenerationParams] = None,
        **fields: Unpack[VideoGenerationFields],
    ) -> Call[CreateVideoGenerationResponse]:
        """Start a task, and return its id for `retrieve`.

        It is not repeated where it is unknown whether the gateway has begun: a second task would
        cost as much as the first.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `generate(model="...", content=[{"type": "text",
                "text": "A bicycle in the rain"}], duration=5)`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent.
            BadRequestError, UnprocessableEntityError: the model does not take this content, or an
                uploaded reference is not ready yet.
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

        Args:
            params: which of them as one object, or
            fields: the same by keyword: `list(status="running", limit=20, offset=0)`.

        Raises:
            InvalidParamsError: a parameter is unknown or of the wrong kind; nothing was sent.
        """
        query = encode_query(ListVideoGenerationsParams, params, fields)
        return Call(method="GET", path=_PATH, query=query, reader=JSONReader(VideoTaskListResponse))

    @endpoint
    def retrieve(self, task_id: str) -> Call[VideoTaskResponse]:
        """Return a task and how far it is; the video is at `.content.video_url` in the end.

        Raises:
            InvalidParamsError: the id is empty, `.` or `..`.
            NotFoundError: there is none with this id.
        """
        path = f"{_PATH}/{path_segment('task_id', task_id)}"
        return Call(method="GET", path=path, reader=JSONReader(VideoTaskResponse))
