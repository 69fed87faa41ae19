"""Streams of comparisons: what each model has said."""

from meshapi_core._async.streams import AsyncAccumulatingStream
from meshapi_core.types.compare import CompareResponse, CompareStreamEvent, ModelCompareResult

__all__ = ["AsyncCompareStream"]


class AsyncCompareStream(AsyncAccumulatingStream[CompareStreamEvent, CompareResponse]):
    """The events of a streamed comparison, and the comparison that they add up to."""

    __slots__ = ()

    def by_model(self) -> dict[str, ModelCompareResult]:
        """Return what each model has said so far, by its ID; {} before the first has begun."""
        partial = self.partial
        return {} if partial is None else partial.by_model()
