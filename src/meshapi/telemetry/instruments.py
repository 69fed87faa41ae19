"""The metrics: instruments by group and name, made when they are first needed."""

from typing import Any, Literal

from meshapi.telemetry import names
from meshapi.telemetry.attributes import Attributes
from meshapi.telemetry.names import METRICS, Metric

__all__ = ["Instruments", "Measured"]

Measured = Literal["duration", "first_chunk", "per_chunk", "input", "output"]


class Instruments:
    """The metrics of a client.

    Args:
        meter: makes the instruments.
        which: the names to record under.
    """

    def __init__(self, meter: Any, which: "tuple[Literal['current', 'older'], ...]") -> None:
        self._meter = meter
        self._which = which
        self._made: dict[str, Any] = {}

    def record(self, group: str, measured: Measured, value: float, attributes: Attributes) -> None:
        """Record one value, under each of the names that it has."""
        recorded: set[str] = set()
        for which in self._which:
            metric = METRICS.get((which, group, measured))
            # Some metrics kept their names.
            if metric is None or metric.name in recorded:
                continue
            recorded.add(metric.name)
            if metric.kind == "counter":
                self._instrument(metric).add(int(value), attributes)
            elif measured in ("input", "output"):
                typed = attributes if which == "current" else _of_type(attributes, measured)
                self._instrument(metric).record(int(value), typed)
            else:
                self._instrument(metric).record(value, attributes)

    def _instrument(self, metric: Metric) -> Any:
        made = self._made.get(metric.name)
        if made is None:
            made = self._made[metric.name] = self._make(metric)
        return made

    def _make(self, metric: Metric) -> Any:
        about: dict[str, Any] = {"unit": metric.unit, "description": metric.description}
        if metric.kind == "counter":
            return self._meter.create_counter(metric.name, **about)
        return self._meter.create_histogram(
            metric.name, explicit_bucket_boundaries_advisory=list(metric.buckets), **about
        )


def _of_type(attributes: Attributes, measured: Measured) -> Attributes:
    return {**attributes, names.TOKEN_TYPE: measured}
