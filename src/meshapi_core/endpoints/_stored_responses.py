"""The methods of `responses` for what the gateway keeps: `list`, `get` and `wait`."""

from typing import Any, Final, Optional, Union

from meshapi_core._json_kinds import is_object
from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, flow_endpoint
from meshapi_core.endpoints._lists import list_endpoint
from meshapi_core.flows.polling import JobFailure, JobKind, Waiting, wait_for
from meshapi_core.flows.steps import Flow
from meshapi_core.paths import path_segment
from meshapi_core.progress import OnProgress
from meshapi_core.queries import encode_query
from meshapi_core.readers import JSONReader
from meshapi_core.types._base import Params
from meshapi_core.types.responses import (
    ResponsesListItem,
    ResponsesListResponse,
    ResponsesResponse,
)

PATH: Final = "/v1/responses"


class _ListParams(Params, kw_only=True):
    after: Optional[str] = None
    limit: Optional[int] = None


class StoredResponses(Resource[R_co]):
    """The base of `Responses`."""

    @list_endpoint
    def list(
        self, *, after: Optional[str] = None, limit: Optional[int] = None
    ) -> Call[ResponsesListResponse]:
        """Return one page of the stored responses.

        Args:
            after: the ID after which the page begins: `.last_id` of the page before.
            limit: the size of the page.

        Returns:
            The page; the responses are in `.data`, without their output, and `.has_more` is True if
            another page follows. Iterate over it for the responses of all pages.

        Raises:
            InvalidParamsError, MeshAPIError: as for `create`.
        """
        query = encode_query(_ListParams, None, {"after": after, "limit": limit})
        reader = JSONReader(ResponsesListResponse)
        return Call(method="GET", path=PATH, query=query, reader=reader)

    @endpoint
    def get(self, response_id: str) -> Call[ResponsesResponse]:
        """Return one stored response, or the state of one that runs in the background.

        Returns:
            The response; `.output_text` is final once `.ended` is True. `wait` asks until then.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            MeshAPIError: as for `create`; for an unknown ID, a NotFoundError or a BadRequestError.
        """
        path = f"{PATH}/{path_segment('response_id', response_id)}"
        return Call(method="GET", path=path, reader=JSONReader(ResponsesResponse))

    @flow_endpoint
    def wait(
        self,
        response: Union[str, ResponsesResponse, ResponsesListItem],
        *,
        timeout: Optional[float] = None,
        poll_interval: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> Flow[ResponsesResponse]:
        """Return a response that runs in the background once it has ended.

        For example, `responses.wait(responses.create(..., background=True))`.

        Args:
            response: its ID, or what `create`, `get` or `list` returned.
            timeout, poll_interval, on_progress, progress: as for `batches.wait`.

        Returns:
            The response; its `.status` is "completed", or "incomplete" if the model had to stop.

        Raises:
            InvalidParamsError: an argument is wrong; nothing was sent.
            JobFailedError: the response has failed, expired, or was cancelled.
            JobTimeoutError, JobStatusError, MeshAPIError: as for `batches.wait`.
            NotFoundError, BadRequestError: there is no response with this ID.
        """
        waiting = Waiting(
            timeout=timeout,
            poll_interval=poll_interval,
            on_progress=on_progress,
            progress=progress,
        )
        functions = yield from waiting.begin()
        response_id = _JOB.id_of("response", response)
        return (yield from wait_for(_JOB, response_id, waiting, functions))


def _failure(response: ResponsesResponse) -> JobFailure:
    error: Any = response.model_extra.get("error")
    if not is_object(error):
        return JobFailure(error if isinstance(error, str) else "")
    message, code = error.get("message"), error.get("code")
    return JobFailure(
        message if isinstance(message, str) else "", code if isinstance(code, str) else ""
    )


_JOB: JobKind[ResponsesResponse] = JobKind(
    name="response",
    wait="responses.wait",
    look=StoredResponses.get.build,
    status=lambda response: response.status,
    failure=_failure,
)
