"""Responses: `/v1/responses`, whole, streamed and stored.

Source: https://developers.meshapi.ai/docs (responses),
    https://platform.openai.com/docs/api-reference/responses-streaming
"""

from typing import Any, Optional, Union

from msgspec import Struct
from typing_extensions import Unpack

from meshapi_core._json_kinds import is_object
from meshapi_core._raw_data import keep_extra
from meshapi_core.accumulators.responses import ENDS, ResponsesAccumulator
from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec.decoding import fit
from meshapi_core.codec.parsing import parse
from meshapi_core.endpoints._descriptor import (
    R_co,
    Resource,
    endpoint,
    flow_endpoint,
    list_endpoint,
    stream_endpoint,
)
from meshapi_core.envelopes import is_blank
from meshapi_core.flows.polling import JobFailure, JobKind, Waiting, wait_for
from meshapi_core.flows.steps import Flow
from meshapi_core.params.encoding import encode_params
from meshapi_core.paths import path_segment
from meshapi_core.progress import OnProgress
from meshapi_core.queries import encode_query
from meshapi_core.readers import ChunkReader, JSONReader
from meshapi_core.types import response_events as events
from meshapi_core.types._base import Params
from meshapi_core.types.responses import (
    ResponsesFields,
    ResponsesListItem,
    ResponsesListResponse,
    ResponsesParams,
    ResponsesResponse,
    ResponsesStreamEvent,
    ResponsesUsage,
)

_PATH = "/v1/responses"

# Besides the final ones, those of a response that still runs in the background.
_EVENT_OF_STATUS: dict[str, type[ResponsesStreamEvent]] = {
    **{status: kind for kind, status in ENDS.items()},
    "queued": events.ResponseQueuedEvent,
    "in_progress": events.ResponseInProgressEvent,
}


class _ListParams(Params, kw_only=True):
    after: Optional[str] = None
    limit: Optional[int] = None


class _Events(Struct, frozen=True):
    """Reads the events of a stream of responses, each as the class of its type."""

    def is_error(self, name: str, frame: dict[str, Any]) -> bool:
        """Return whether the error is the gateway's, not the model's; see `EventReader`."""
        kind = frame.get("type")
        if isinstance(kind, str) and kind.startswith("response."):
            # `error` is an ordinary field of these: a `response.failed` says why.
            return False
        return kind != "error" or not is_blank(frame.get("error"))

    def read(self, name: str, frame: dict[str, Any]) -> Optional[ResponsesStreamEvent]:
        """Return the typed event; see `EventReader`."""
        kind = frame.get("type")
        if not isinstance(kind, str):
            # The type is in the data, in the name of the event, or in both.
            kind = name if name.startswith("response.") else None
            if kind is None and name not in ("", "message"):
                # An event of another name, without a type, only keeps the connection alive.
                return None
        event = fit(frame, events.EVENTS.get(kind or "", ResponsesStreamEvent))
        event.type = kind
        return event


class Responses(Resource[R_co]):
    """Responses, the API for reasoning models: create, stream and look them up."""

    @endpoint
    def create(
        self, params: Optional[ResponsesParams] = None, **fields: Unpack[ResponsesFields]
    ) -> Call[ResponsesResponse]:
        """Return one response, whole; with `background=True`, before it is made.

        For example, `responses.create(model="openai/o4-mini", input="...")`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `ResponsesParams`.

        Returns:
            The response; the text is in `.output_text`, and all items are in `.output`. With
            `background=True`, ask `get` with its `.id` for the finished one.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid, or `stream` is True;
                nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(ResponsesParams, params, fields, {"stream": False}, "use stream()")
        return Call(
            method="POST",
            path=_PATH,
            body=body,
            reader=JSONReader(ResponsesResponse, stream=_chunk_reader()),
            starts_job=_in_background(params, fields),
            answer_within=fields.get("timeout") if params is None else params.timeout,
        )

    @stream_endpoint
    def stream(
        self, params: Optional[ResponsesParams] = None, **fields: Unpack[ResponsesFields]
    ) -> StreamCall[ResponsesStreamEvent]:
        """Return one response as a stream of events.

        Args:
            params, fields: as for `create`.

        Returns:
            An iterator of events that is also a context manager. Tell the events apart by class or
            by `.type`; the text is in the `.delta` of each `ResponseTextDeltaEvent`. The last event
            says that the response is completed, incomplete or failed, and has all of it in
            `.response`. The request is sent when the stream is entered or first iterated.

        Raises:
            InvalidParamsError: as for `create`; raised at once.
            MeshAPIError: as for `create`; raised when the stream is entered or iterated, also for
                an error that the gateway sends within the stream. An error that the model reports
                is a `ResponseErrorEvent`, and raised only if no event follows it. A response that
                failed is a `ResponseFailedEvent`.
            StreamInterruptedError: the stream broke off; `.partial` has the response so far.
        """
        body = encode_params(ResponsesParams, params, fields, {"stream": True}, "use create()")
        return StreamCall(
            method="POST",
            path=_PATH,
            body=body,
            reader=_chunk_reader(),
            starts_job=_in_background(params, fields),
            answer_within=fields.get("timeout") if params is None else params.timeout,
        )

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
            another page follows.

        Raises:
            InvalidParamsError, MeshAPIError: as for `create`.
        """
        query = encode_query(_ListParams, None, {"after": after, "limit": limit})
        reader = JSONReader(ResponsesListResponse)
        return Call(method="GET", path=_PATH, query=query, reader=reader)

    @endpoint
    def get(self, response_id: str) -> Call[ResponsesResponse]:
        """Return one stored response, or the state of one that runs in the background.

        Returns:
            The response; `.output_text` is final once `.ended` is True. `wait` asks until then.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            MeshAPIError: as for `create`; for an unknown ID, a NotFoundError or a BadRequestError.
        """
        path = f"{_PATH}/{path_segment('response_id', response_id)}"
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


def _chunk_reader() -> ChunkReader[ResponsesStreamEvent]:
    return ChunkReader(
        ResponsesStreamEvent,
        accumulator=ResponsesAccumulator,
        from_response=_event_from_response,
        response=ResponsesResponse,
        marker=b'"output"',
        events=_Events(),
    )


def _event_from_response(body: bytes) -> ResponsesStreamEvent:
    response: dict[str, Any] = parse(body)
    status, usage = response.get("status"), response.get("usage")
    kind = _EVENT_OF_STATUS.get(status) if isinstance(status, str) else None
    event = (kind or events.ResponseCompletedEvent)(
        response=response, usage=fit(usage, ResponsesUsage) if is_object(usage) else None
    )
    # What the server sent is the response: its fields are not those of this event.
    keep_extra(event, {})
    return event


def _in_background(params: Optional[ResponsesParams], fields: ResponsesFields) -> bool:
    return bool(fields.get("background") if params is None else params.background)


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
    look=Responses.get.build,
    status=lambda response: response.status,
    failure=_failure,
)
