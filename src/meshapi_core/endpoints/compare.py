"""Compare: `POST /v1/chat/compare`, whole and streamed.

Source: https://developers.meshapi.ai/docs (compare)
"""

from collections.abc import Mapping
from typing import Any, Optional

import msgspec
from typing_extensions import Unpack

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec import fit
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, stream_endpoint
from meshapi_core.errors import InvalidParamsError
from meshapi_core.growing import GrowingText, Halves, hold_back
from meshapi_core.params import encode_params
from meshapi_core.parsing import parse
from meshapi_core.readers import ChunkReader, JSONReader
from meshapi_core.types.compare import (
    CompareFields,
    CompareParams,
    CompareResponse,
    CompareStreamEvent,
    ModelCompareResult,
    TokenUsage,
)

_PATH = "/v1/chat/compare"

_EVENTS = frozenset("meta model_chunk model_done model_stream_done comparison_chunk done".split())

# What events say of the comparison as a whole, under the names that an answer has for it.
_FACTS = (
    "comparison_id",
    "models",
    "comparison_model",
    "skip_comparison",
    "total_latency_ms",
    "partial",
    "comparison_fallback_used",
)


class _Events(msgspec.Struct, frozen=True):
    """Reads the events of a streamed comparison."""

    def is_error(self, name: str, frame: dict[str, Any]) -> bool:
        """Whether the comparison has failed, and not just one of the models; see `EventReader`."""
        if name == "error":
            return True
        if frame.get("model"):
            return False
        return name not in _EVENTS or is_object(frame.get("error"))

    def read(self, name: str, frame: dict[str, Any]) -> Optional[CompareStreamEvent]:
        """The event with its payload flattened into it; see `EventReader`."""
        if not frame and name not in _EVENTS:
            # Says nothing: something that keeps the line open.
            return None
        return _flattened(name, frame)


def _flattened(name: str, payload: dict[str, Any]) -> CompareStreamEvent:
    event = fit(payload, CompareStreamEvent)
    event.data = payload
    if name not in ("", "message"):
        event.event = name
    vars(event)["_raw"] = payload
    return event


class Compare(Resource[R_co]):
    """The answers of several models to one conversation, and how they differ."""

    @endpoint
    def create(
        self, params: Optional[CompareParams] = None, **fields: Unpack[CompareFields]
    ) -> Call[CompareResponse]:
        """Return the answers of all models, and the comparison unless it is skipped.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `create(models=["a", "b"], messages=[{...}])`.

        Returns:
            The comparison, with one of `.results` for each model. A model that failed has an
            `.error` there; only if all of them failed this raises.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind, `stream=True`
                among them; nothing was sent.
            MeshAPIError: as for `chat.completions.create`; with `error_code="all_models_failed"`
                the `.details` say why each of them did.
        """
        body = _encode(params, fields, {"stream": False}, hint="use stream()")
        reader = JSONReader(CompareResponse, stream=_chunk_reader())
        return Call(method="POST", path=_PATH, body=body, reader=reader)

    @stream_endpoint
    def stream(
        self, params: Optional[CompareParams] = None, **fields: Unpack[CompareFields]
    ) -> StreamCall[CompareStreamEvent]:
        """Return the answers and the comparison as a stream of events.

        Args:
            params, fields: as for `create`.

        Returns:
            An iterator of events that is a context manager, too. `.event` is "meta" first, then
            "model_chunk" (text in `.delta`, from `.model`), "comparison_chunk" and others, and
            "done" last. A model that failed has an `.error` in its event, and the others go on.
            The request is sent when it is entered or first iterated.

        Raises:
            InvalidParamsError: at once, as for `create`.
            MeshAPIError: when it is entered or iterated; also later, for an error of the whole
                comparison that the gateway sends within the stream.
            StreamInterruptedError: the stream broke off; `.partial` is a `CompareResponse` with
                what had arrived.
        """
        body = _encode(params, fields, {"stream": True}, hint="use create()")
        return StreamCall(method="POST", path=_PATH, body=body, reader=_chunk_reader())


def _encode(
    params: Optional[CompareParams],
    fields: Mapping[str, Any],
    forced: Mapping[str, Any],
    hint: str,
) -> bytes:
    if isinstance(fields.get("messages"), str):
        example = 'write messages=[{"role": "user", "content": "..."}]'
        raise InvalidParamsError("messages", "list", "str", example)
    return encode_params(CompareParams, params, fields, forced, hint)


def _chunk_reader() -> ChunkReader[CompareStreamEvent]:
    return ChunkReader(
        CompareStreamEvent,
        accumulator=CompareAccumulator,
        from_answer=_event_from_answer,
        answer=CompareResponse,
        marker=b'"results"',
        events=_Events(),
    )


def _event_from_answer(body: bytes) -> CompareStreamEvent:
    return _flattened("done", parse(body))


class _Said:
    """What one of the models has said."""

    __slots__ = ("fields", "text")

    def __init__(self) -> None:
        self.text = GrowingText()
        self.fields: dict[str, Any] = {}

    def add(self, event: CompareStreamEvent) -> None:
        if event.delta:
            self.text.add(event.delta)
        if event.latency_ms is not None:
            self.fields["latency_ms"] = event.latency_ms
        if event.error is not None:
            self.fields["error"] = _sentence(event.error)
        if event.error_code is not None:
            self.fields["error_code"] = event.error_code
        if event.usage is not None:
            self.fields["usage"] = fit(event.usage, TokenUsage)

    def result(self, model: str) -> ModelCompareResult:
        return ModelCompareResult(model=model, content=self.text.value(), **self.fields)


def _sentence(error: Any) -> str:
    said = error.get("message") if is_object(error) else error
    return said if isinstance(said, str) else msgspec.json.encode(error).decode()


class CompareAccumulator:
    """Puts a streamed comparison together; complete after its `done`."""

    __slots__ = ("_began", "_comparison", "_ended", "_facts", "_halves", "_results", "_said")

    def __init__(self) -> None:
        self._began = False
        self._ended = False
        self._facts: dict[str, Any] = {}
        self._said: dict[str, _Said] = {}
        self._results: list[ModelCompareResult] = []
        self._comparison = GrowingText()
        self._halves: dict[Any, Halves] = {}

    def add(self, chunk: CompareStreamEvent) -> None:
        """Take note of the next chunk."""
        self._began = True
        if chunk.event == "comparison_chunk":
            self._comparison.add(chunk.delta or "")
            hold_back(chunk, "delta", self._halves, "")
        elif chunk.event == "model_done":
            rows: Any = (chunk.data or {}).get("results")
            self._results = fit(rows, list[ModelCompareResult]) if is_array(rows) else []
        elif chunk.event == "done":
            self._ended = True
        elif chunk.model:
            self._said.setdefault(chunk.model, _Said()).add(chunk)
            hold_back(chunk, "delta", self._halves, chunk.model)
            return
        for name in _FACTS:
            value = getattr(chunk, name)
            if value is not None:
                self._facts[name] = value

    @property
    def complete(self) -> bool:
        """Whether the gateway has said that it is done."""
        return self._ended

    def partial(self) -> Optional[CompareResponse]:
        """The comparison as far as it came, in the shape of a whole one.

        `results` has the models that have begun to answer, in the order of the request.
        """
        if not self._began:
            return None
        models = [name for name in self._facts.get("models", ()) if name in self._said]
        order = dict.fromkeys([*models, *self._said])
        return CompareResponse(
            object="compare.completion",
            results=self._results[:] or [self._said[name].result(name) for name in order],
            comparison=self._comparison.value(),
            **self._facts,
        )
