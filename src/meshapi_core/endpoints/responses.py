"""Responses: `/v1/responses`, whole, streamed, and those that are stored.

Source: https://developers.meshapi.ai/docs (responses),
    https://platform.openai.com/docs/api-reference/responses-streaming
"""

from typing import Any, Optional

from msgspec import Struct
from typing_extensions import Unpack

from meshapi_core._json_kinds import is_object
from meshapi_core._raw_data import keep_extra
from meshapi_core.accumulators.responses import ENDS, ResponsesAccumulator
from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec.decoding import fit
from meshapi_core.codec.parsing import parse
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, stream_endpoint
from meshapi_core.envelopes import is_blank
from meshapi_core.params.encoding import encode_params
from meshapi_core.paths import path_segment
from meshapi_core.queries import encode_query
from meshapi_core.readers import ChunkReader, JSONReader
from meshapi_core.types import response_events as events
from meshapi_core.types._base import Params
from meshapi_core.types.responses import (
    ResponsesFields,
    ResponsesListResponse,
    ResponsesParams,
    ResponsesResponse,
    ResponsesStreamEvent,
    ResponsesUsage,
)

_PATH = "/v1/responses"

# Also those in which a response that runs in the background may be when it is answered whole.
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
        """Whether the gateway speaks, and not the model; see `EventReader`."""
        kind = frame.get("type")
        if isinstance(kind, str) and kind.startswith("response."):
            # It has an error as one of its facts.
            return False
        return kind != "error" or not is_blank(frame.get("error"))

    def read(self, name: str, frame: dict[str, Any]) -> Optional[ResponsesStreamEvent]:
        """The typed event; see `EventReader`."""
        kind = frame.get("type")
        if not isinstance(kind, str):
            # Some say it in the one place, some in the other, most in both.
            kind = name if name.startswith("response.") else None
            if kind is None and name not in ("", "message"):
                # What says it in neither is there to keep the connection alive.
                return None
        event = fit(frame, events.EVENTS.get(kind or "", ResponsesStreamEvent))
        event.type = kind
        return event


class Responses(Resource[R_co]):
    """Responses, the API of reasoning models: create them, stream them, look them up."""

    @endpoint
    def create(
        self, params: Optional[ResponsesParams] = None, **fields: Unpack[ResponsesFields]
    ) -> Call[ResponsesResponse]:
        """Return one response, whole; with `background=True` one that has yet to be made.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `create(model="openai/o4-mini", input="...")`.

        Returns:
            The response; the text is in `.output_text`, everything in `.output`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind, `stream=True`
                among them; nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(ResponsesParams, params, fields, {"stream": False}, "use stream()")
        return Call(
            method="POST",
            path=_PATH,
            body=body,
            reader=JSONReader(ResponsesResponse, stream=_chunk_reader()),
            starts_job=_in_background(params, fields),
        )

    @stream_endpoint
    def stream(
        self, params: Optional[ResponsesParams] = None, **fields: Unpack[ResponsesFields]
    ) -> StreamCall[ResponsesStreamEvent]:
        """Return one response as a stream of events.

        Args:
            params, fields: as for `create`.

        Returns:
            An iterator of events that is a context manager, too. Tell them apart by class or by
            `.type`; text is in the `.delta` of each `ResponseTextDeltaEvent`. The last one is
            completed, incomplete or failed, and has the whole response in `.response`. The request
            is sent when it is entered or first iterated.

        Raises:
            InvalidParamsError: at once, as for `create`.
            MeshAPIError: when it is entered or iterated; also later, for an error that the gateway
                sends within the stream. An error that the model reports is a `ResponseErrorEvent`,
                and is raised where nothing comes after it. A response that failed is a
                `ResponseFailedEvent`.
            StreamInterruptedError: the stream broke off; `.partial` has the response so far.
        """
        body = encode_params(ResponsesParams, params, fields, {"stream": True}, "use create()")
        return StreamCall(
            method="POST",
            path=_PATH,
            body=body,
            reader=_chunk_reader(),
            starts_job=_in_background(params, fields),
        )

    @endpoint
    def list(
        self, *, after: Optional[str] = None, limit: Optional[int] = None
    ) -> Call[ResponsesListResponse]:
        """Return one page of the stored responses.

        Args:
            after: the id of a response; the page begins with the one that follows it.
            limit: how many at most.

        Raises:
            InvalidParamsError, MeshAPIError: as for `create`.
        """
        query = encode_query(_ListParams, None, {"after": after, "limit": limit})
        reader = JSONReader(ResponsesListResponse)
        return Call(method="GET", path=_PATH, query=query, reader=reader)

    @endpoint
    def get(self, response_id: str) -> Call[ResponsesResponse]:
        """Return one stored response, or the state of one that runs in the background.

        Raises:
            InvalidParamsError: the id is none.
            MeshAPIError: as for `create`; for an unknown id a NotFoundError or a BadRequestError.
        """
        path = f"{_PATH}/{path_segment('response_id', response_id)}"
        return Call(method="GET", path=path, reader=JSONReader(ResponsesResponse))


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
    # The members of what was sent are those of the response, and not further ones of the event.
    keep_extra(event, {})
    return event


def _in_background(params: Optional[ResponsesParams], fields: ResponsesFields) -> bool:
    return bool(fields.get("background") if params is None else params.background)
