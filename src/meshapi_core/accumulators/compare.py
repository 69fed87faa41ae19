"""Comparisons: puts together the outputs of several models, and the comparison of them."""

from typing import Any, Optional

import msgspec

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.codec.decoding import fit
from meshapi_core.growing import GrowingText, SurrogateBuffer, hold_back
from meshapi_core.types.compare import (
    CompareResponse,
    CompareStreamEvent,
    ModelCompareResult,
    TokenUsage,
)

__all__ = ["CompareAccumulator"]

# The fields about the comparison as a whole, which events and the response have in common.
_SHARED = (
    "comparison_id",
    "models",
    "comparison_model",
    "skip_comparison",
    "total_latency_ms",
    "partial",
    "comparison_fallback_used",
)


class _ModelOutput:
    """The output of one model so far."""

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
    """Puts a streamed comparison together; complete after the event `done`."""

    __slots__ = (
        "_began",
        "_comparison",
        "_ended",
        "_shared",
        "_surrogates",
        "_results",
        "_outputs",
    )

    def __init__(self) -> None:
        self._began = False
        self._ended = False
        self._shared: dict[str, Any] = {}
        self._outputs: dict[str, _ModelOutput] = {}
        self._results: list[ModelCompareResult] = []
        self._comparison = GrowingText()
        self._surrogates: dict[Any, SurrogateBuffer] = {}

    def add(self, chunk: CompareStreamEvent) -> None:
        """Add the next chunk."""
        self._began = True
        if chunk.event == "comparison_chunk":
            self._comparison.add(chunk.delta or "")
            hold_back(chunk, "delta", self._surrogates, "")
        elif chunk.event == "model_done":
            rows: Any = (chunk.data or {}).get("results")
            self._results = fit(rows, list[ModelCompareResult]) if is_array(rows) else []
        elif chunk.event == "done":
            self._ended = True
        elif chunk.model:
            self._outputs.setdefault(chunk.model, _ModelOutput()).add(chunk)
            hold_back(chunk, "delta", self._surrogates, chunk.model)
            return
        for name in _SHARED:
            value = getattr(chunk, name)
            if value is not None:
                self._shared[name] = value

    @property
    def complete(self) -> bool:
        """Whether the event `done` has come."""
        return self._ended

    def partial(self) -> Optional[CompareResponse]:
        """Return the comparison so far, as a whole response; None before the first chunk.

        `results` has the models that have begun to answer, in the order of the request.
        """
        if not self._began:
            return None
        models = [name for name in self._shared.get("models", ()) if name in self._outputs]
        order = dict.fromkeys([*models, *self._outputs])
        return CompareResponse(
            object="compare.completion",
            results=self._results[:] or [self._outputs[name].result(name) for name in order],
            comparison=self._comparison.value(),
            **self._shared,
        )
