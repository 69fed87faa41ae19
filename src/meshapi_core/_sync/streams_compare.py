# Generated from _async/streams_compare.py by `python tools/mirror.py --write`: edit that file.
"""Streams of comparisons: what each model has said."""

from meshapi_core._sync.streams import AccumulatingStream
from meshapi_core.types.compare import CompareResponse, CompareStreamEvent, ModelCompareResult

__all__ = ["CompareStream"]


class CompareStream(AccumulatingStream[CompareStreamEvent, CompareResponse]):
    """The events of a streamed comparison, and the comparison that they add up to."""

    __slots__ = ()

    def by_model(self) -> dict[str, ModelCompareResult]:
        """Return what each model has said so far, by its ID; {} before the first has begun."""
        partial = self.partial
        return {} if partial is None else partial.by_model()
