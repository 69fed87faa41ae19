"""What a traced client sends to OpenTelemetry, kept in memory by its SDK."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Optional

import httpx
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from support.flavours import World

OVERS = ("own", "httpx", "own, middleware", "httpx, middleware")
"""What a client can send its requests over."""


class Telemetry:
    """Providers that keep what they get, and how to look at it.

    Args:
        sampler: decides which spans are kept.
        processor: gets the spans as well.
        options: further ones of `open_telemetry`.
    """

    def __init__(
        self,
        sampler: Sampler = ALWAYS_ON,
        processor: Optional[SpanProcessor] = None,
        **options: Any,
    ) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        if processor is not None:
            self.tracers.add_span_processor(processor)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.tracer = self.tracers.get_tracer("the program")
        self.options = {
            "tracer_provider": self.tracers,
            "meter_provider": self.meters,
            **options,
        }

    @property
    def all_spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that have ended, in that order."""
        return self.exporter.get_finished_spans()

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those of the client."""
        return [span for span in self.all_spans if _scope(span) == "meshapi"]

    @property
    def span(self) -> ReadableSpan:
        """The only span of the client."""
        (span,) = self.spans
        return span

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the only span."""
        return dict(self.span.attributes or {})

    def points(self) -> dict[str, list[Any]]:
        """The data points of each metric."""
        found: dict[str, list[Any]] = {}
        data = self.reader.get_metrics_data()
        for of_resource in [] if data is None else data.resource_metrics:
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    found[metric.name] = list(metric.data.data_points)
        return found

    def instruments(self) -> dict[str, tuple[str, str]]:
        """The kind and the unit of each metric."""
        data: Any = self.reader.get_metrics_data()
        return {
            metric.name: (type(metric.data).__name__, metric.unit)
            for of_resource in data.resource_metrics
            for of_scope in of_resource.scope_metrics
            for metric in of_scope.metrics
        }

    def everything(self) -> str:
        """All that was sent, as one text."""
        data = self.reader.get_metrics_data()
        metrics = "" if data is None else data.to_json()
        return "\n".join([*(span.to_json() for span in self.all_spans), metrics])


def _scope(span: ReadableSpan) -> str:
    return "" if span.instrumentation_scope is None else span.instrumentation_scope.name


def events_of(span: ReadableSpan) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a span: names and attributes."""
    return ((event.name, dict(event.attributes or {})) for event in span.events)


def decoded(attributes: dict[str, Any], name: str) -> Any:
    """The JSON of an attribute."""
    return json.loads(attributes[name])


@contextlib.asynccontextmanager
async def traced(
    world: World, url: str, telemetry: Telemetry, over: str = "own", **options: Any
) -> AsyncIterator[Any]:
    """A traced client.

    Args:
        over: one of `OVERS`.
        options: of the client.
    """
    options["open_telemetry"] = telemetry.options
    transport, _, has_middleware = over.partition(", ")
    if has_middleware:

        async def pass_on(request: Any, call_next: Any) -> Any:
            return await call_next(request)

        options["middleware"] = [world.middleware(pass_on)]
    if transport == "own":
        async with world.client(url, **options) as client:
            yield client
    elif world.name == "sync":
        with httpx.Client(verify=False, trust_env=False) as http:
            async with world.client(url, httpx_client=http, **options) as client:
                yield client
    else:
        http = httpx.AsyncClient(verify=False, trust_env=False)
        async with http, world.client(url, async_httpx_client=http, **options) as client:
            yield client
