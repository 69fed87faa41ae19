"""What type checkers must say about `open_telemetry=`. Checked, never run.

As in `api.py`: a `type: ignore` is a negative case.
"""

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from meshapi import (
    AsyncMeshAPI,
    MeshAPI,
    OpenTelemetryMetrics,
    OpenTelemetryOptions,
    OpenTelemetryTraces,
)


def both_clients_take_the_options() -> None:
    MeshAPI(open_telemetry={})
    AsyncMeshAPI(open_telemetry={})
    MeshAPI(open_telemetry=None)
    MeshAPI(
        open_telemetry={
            "tracer_provider": TracerProvider(),
            "meter_provider": MeterProvider(),
            "propagation": False,
            "conversation_id": "conv_1",
            "traces": {"content_mode": "content", "max_content_bytes": 1000},
            "metrics": {"names": "both"},
        }
    )
    traces = OpenTelemetryTraces(content_mode="metadata_only")
    metrics: OpenTelemetryMetrics = {"names": "older"}
    options = OpenTelemetryOptions(traces=traces, metrics=metrics)
    options["propagation"] = True
    AsyncMeshAPI(open_telemetry=options)


def something_else_is_refused(provider: Any) -> None:
    MeshAPI(open_telemetry=True)  # type: ignore[arg-type]
    MeshAPI(open_telemetry={"tracer": provider})  # type: ignore[arg-type]
    MeshAPI(open_telemetry={"metrics": {"names": "new"}})  # type: ignore[arg-type]
    MeshAPI(open_telemetry={"tracer_provider": 1})  # type: ignore[arg-type]
