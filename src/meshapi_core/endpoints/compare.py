"""Compare: `POST /v1/chat/compare`, whole and streamed.

Source: https://developers.meshapi.ai/docs (compare)
"""

from typing import Any, Optional

import msgspec
from typing_extensions import Unpack

from meshapi_core import endpoints
from meshapi_core._json_kinds import is_object
from meshapi_core.accumulators.compare import CompareAccumulator
from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec.decoding import fit
from meshapi_core.codec.parsing import parse
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, stream_endpoint_as
from meshapi_core.params.encoding import encode_conversation
from meshapi_core.readers import ChunkReader, JSONReader
from meshapi_core.types.compare import (
    CompareFields,
    CompareParams,
    CompareResponse,
    CompareStreamEvent,
)

_PATH = "/v1/chat/compare"

_EVENTS = frozenset("meta model_chunk model_done model_stream_done comparison_chunk done".split())


class _Events(msgspec.Struct, frozen=True):
    """Reads the events of a streamed comparison."""

    def is_error(self, name: str, frame: dict[str, Any]) -> bool:
        """Return whether the whole comparison has failed, not just one model; see `EventReader`."""
        if name == "error":
            return True
        if frame.get("model"):
            return False
        return name not in _EVENTS or is_object(frame.get("error"))

    def read(self, name: str, frame: dict[str, Any]) -> Optional[CompareStreamEvent]:
        """Return the event with its payload flattened into it; see `EventReader`."""
        if not frame and name not in _EVENTS:
            # An empty event of an unknown name only keeps the connection alive.
            return None
        return _flattened(name, frame)


def _flattened(name: str, payload: dict[str, Any]) -> CompareStreamEvent:
    event = fit(payload, CompareStreamEvent)
    event.data = payload
    if name not in ("", "message"):
        event.event = name
    return event


class Compare(Resource[R_co]):
    """The responses of several models to one conversation, and how they differ."""

    @endpoint
    def create(
        self, params: Optional[CompareParams] = None, **fields: Unpack[CompareFields]
    ) -> Call[CompareResponse]:
        """Return the responses of several models, and a comparison of them unless it is skipped.

        For example, `compare.create(models=["a", "b"], messages=[{...}])`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `CompareParams`.

        Returns:
            The comparison is in `.comparison`, and `.results` has one entry for each model, with
            its text in `.content`. The entry of a model that failed has an `.error` instead.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid, or `stream` is True;
                nothing was sent.
            MeshAPIError: as for `chat.completions.create`. If all models failed, `.error_code` is
                "all_models_failed" and `.details` says why for each of them.
        """
        body = encode_conversation(CompareParams, params, fields, {"stream": False}, "use stream()")
        reader = JSONReader(CompareResponse, stream=_chunk_reader())
        return Call(method="POST", path=_PATH, body=body, reader=reader)

    @stream_endpoint_as(lambda: endpoints.CompareStream, lambda: endpoints.AsyncCompareStream)
    def stream(
        self, params: Optional[CompareParams] = None, **fields: Unpack[CompareFields]
    ) -> StreamCall[CompareStreamEvent]:
        """Return the responses and the comparison as a stream of events.

        Args:
            params, fields: as for `create`.

        Returns:
            An iterator of events that is also a context manager. `.event` is "meta" first, then
            "model_chunk" (text in `.delta`, from `.model`), "comparison_chunk" and others, and
            "done" last. The event of a model that failed has an `.error`, and the others go on. The
            request is sent when the stream is entered or first iterated. `.by_model()` is what each
            model has said so far; `.get_final_response()` reads what is left, and returns the whole
            comparison.

        Raises:
            InvalidParamsError: as for `create`; raised at once.
            MeshAPIError: as for `create`; raised when the stream is entered or iterated, also for
                an error of the whole comparison that the gateway sends within the stream.
            StreamInterruptedError: the stream broke off; `.partial` is a `CompareResponse` with
                what had arrived.
        """
        body = encode_conversation(CompareParams, params, fields, {"stream": True}, "use create()")
        return StreamCall(method="POST", path=_PATH, body=body, reader=_chunk_reader())


def _chunk_reader() -> ChunkReader[CompareStreamEvent]:
    return ChunkReader(
        CompareStreamEvent,
        accumulator=CompareAccumulator,
        from_response=_event_from_response,
        response=CompareResponse,
        marker=b'"results"',
        events=_Events(),
    )


def _event_from_response(body: bytes) -> CompareStreamEvent:
    return _flattened("done", parse(body))
