"""The metrics: instruments by group and name, made when they are first needed."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Union

from typing_extensions import TypeAlias

from meshapi.telemetry import names
from meshapi.telemetry.names import METRICS, Metric

__all__ = ["Attributes", "Instruments", "Measured", "Recorders"]

Attributes: TypeAlias = dict[str, Union[str, bool, int, float, Sequence[str]]]
"""Attributes of spans and metrics."""

Measured: TypeAlias = Literal[
    "duration", "first_chunk", "per_chunk", "input", "output", "cache_read", "cache_write",
    "reasoning",
]  # fmt: skip

Recorders: TypeAlias = list[tuple[Callable[[float, Attributes], object], Attributes]]
"""Functions that record a value, each with the attributes to call it with."""


class Instruments:
    """The metrics of a client.

    Args:
        meter: makes the instruments.
        which: the names to record under.
    """

    def __init__(self, meter: Any, which: "Sequence[Literal['current', 'older']]") -> None:
        self._meter = meter
        self._which = which
        self._made: dict[str, Any] = {}

    def recorders(self, group: str, measured: Measured, attributes: Attributes) -> Recorders:
        """Return what records a value under each of its names, if it has any in this group.

        Args:
            group: the operation's.
            measured: what the value is: seconds, or a number of model tokens.
            attributes: of the call; each metric gets those that belong to it.
        """
        found: Recorders = []
        recorded: set[str] = set()
        for which in self._which:
            for metric in METRICS.get((which, group, measured), ()):
                # Some metrics kept their names.
                if metric.name in recorded:
                    continue
                recorded.add(metric.name)
                instrument = self._made.get(metric.name)
                if instrument is None:
                    instrument = self._made[metric.name] = self._make(metric)
                record = instrument.add if metric.kind == "counter" else instrument.record
                found.append((record, _attributes_of(metric, attributes)))
        return found

    def _make(self, metric: Metric) -> Any:
        about: dict[str, Any] = {"unit": metric.unit, "description": metric.description}
        if metric.kind == "counter":
            return self._meter.create_counter(metric.name, **about)
        return self._meter.create_histogram(
            metric.name, explicit_bucket_boundaries_advisory=list(metric.buckets), **about
        )


def _attributes_of(metric: Metric, given: Attributes) -> Attributes:
    found = dict(given)
    if not metric.has_error:
        found.pop(names.ERROR_TYPE, None)
    if metric.further is not None:
        name, value = metric.further
        found[name] = value
    return found
