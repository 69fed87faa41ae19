"""Videos: `/v1/video/generations`.

Source: https://developers.meshapi.ai/docs (video generation)
"""

from typing import Optional, Union

from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import (
    R_co,
    Resource,
    endpoint,
    flow_endpoint,
)
from meshapi_core.endpoints._lists import list_endpoint
from meshapi_core.flows.polling import WAIT_NAMES, JobFailure, JobKind, Waiting, wait_for
from meshapi_core.flows.steps import Flow
from meshapi_core.params.encoding import encode_params
from meshapi_core.paths import path_segment
from meshapi_core.progress import OnProgress
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
        """Start a task, and return its `.id`, with which `wait` returns the video.

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
        return _generate(params, fields)

    @list_endpoint
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
            Iterate over it for the tasks of all pages.

        Raises:
            InvalidParamsError: a parameter is unknown or invalid; nothing was sent.
        """
        query = encode_query(ListVideoGenerationsParams, params, fields)
        return Call(method="GET", path=_PATH, query=query, reader=JSONReader(VideoTaskListResponse))

    @endpoint
    def retrieve(self, task_id: str) -> Call[VideoTaskResponse]:
        """Return a task: its progress in `.status`, and in the end the video.

        Returns:
            The task. Once `.ended` is True, `.url` is a link to the video, which
            expires, unless `.failed` is True. `wait` asks until then.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no task with this ID.
        """
        path = f"{_PATH}/{path_segment('task_id', task_id)}"
        return Call(method="GET", path=path, reader=JSONReader(VideoTaskResponse))

    @flow_endpoint
    def wait(
        self,
        task: Union[str, CreateVideoGenerationResponse, VideoTaskResponse],
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> Flow[VideoTaskResponse]:
        """Return a task once it has succeeded; `.url` is a link to the video.

        For example, `videos.wait(task, timeout=600)`.

        Args:
            task: its ID, or what `generate`, `retrieve` or `list` returned.
            timeout, poll_interval, on_progress, progress: as for `batches.wait`.

        Raises:
            InvalidParamsError: an argument is wrong; nothing was sent.
            JobFailedError: the task has failed, expired, or was cancelled.
            JobTimeoutError, JobStatusError, NotFoundError, MeshAPIError: as for `batches.wait`.
        """
        waiting = Waiting(
            timeout=timeout,
            poll_interval=poll_interval,
            on_progress=on_progress,
            progress=progress,
        )
        functions = yield from waiting.begin()
        task_id = _JOB.id_of("task", task)
        return (yield from wait_for(_JOB, task_id, waiting, functions))

    @flow_endpoint
    def generate_and_wait(
        self,
        params: Optional[VideoGenerationParams] = None,
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
        **fields: Unpack[VideoGenerationFields],
    ) -> Flow[VideoTaskResponse]:
        """Start a task, and return it once it has succeeded: `generate`, then `wait`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `VideoGenerationParams`.
            timeout, poll_interval, on_progress, progress: as for `batches.wait`.
                `on_progress` is first called when the task has started, with its ID in `.job_id`:
                if this call is cancelled, `wait` with that ID takes the task up again.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            BadRequestError, UnprocessableEntityError: as for `generate`.
            JobFailedError, JobTimeoutError, JobStatusError, MeshAPIError: as for `wait`. `.partial`
                is the task as it was last seen, and `.partial.id` its ID.
        """
        waiting = Waiting(
            timeout=timeout,
            poll_interval=poll_interval,
            on_progress=on_progress,
            progress=progress,
        )
        start = _generate(params, fields, beside=WAIT_NAMES)
        functions = yield from waiting.begin()
        started: CreateVideoGenerationResponse = yield start
        task_id = _JOB.id_of("task", started)
        return (yield from wait_for(_JOB, task_id, waiting, functions, begun=started))


def _generate(
    params: Optional[VideoGenerationParams],
    fields: VideoGenerationFields,
    beside: tuple[str, ...] = (),
) -> Call[CreateVideoGenerationResponse]:
    return Call(
        method="POST",
        starts_job=True,
        path=_PATH,
        body=encode_params(VideoGenerationParams, params, fields, beside=beside),
        reader=JSONReader(CreateVideoGenerationResponse),
    )


def _failure(task: VideoTaskResponse) -> JobFailure:
    return JobFailure() if task.error is None else JobFailure(task.error.message, task.error.code)


_JOB: JobKind[VideoTaskResponse] = JobKind(
    name="video",
    wait="videos.wait",
    look=Videos.retrieve.build,
    status=lambda task: task.status,
    failure=_failure,
)
