"""The options of `open_telemetry`, and what is imported for it."""

import subprocess
import sys
from typing import Any

import pytest
from house.fresh import modules_after, run_python

from meshapi import AsyncMeshAPI, InvalidParamsError, MeshAPI
from meshapi.telemetry.options import settings_of
from support.flavours import TOKEN

WRONG: list[tuple[Any, str]] = [
    (True, "open_telemetry: expected dict, got bool; write open_telemetry={}"),
    ("on", "open_telemetry: expected dict, got str"),
    ({"tracer": None}, "open_telemetry['tracer']: no such option"),
    (
        {"tracer_provider": object()},
        "open_telemetry.tracer_provider: expected a provider with get_tracer(), got object",
    ),
    (
        {"meter_provider": 1},
        "open_telemetry.meter_provider: expected a provider with get_meter(), got 1",
    ),
    ({"propagation": "no"}, "open_telemetry.propagation: expected True or False, got 'no'"),
    ({"conversation_id": 7}, "open_telemetry.conversation_id: expected str or None, got 7"),
    ({"traces": None}, "open_telemetry.traces: expected dict, got None"),
    (
        {"traces": {"content": True}},
        "open_telemetry.traces['content']: no such option; did you mean content_mode?",
    ),
    (
        {"traces": {"content_mode": "full"}},
        "open_telemetry.traces.content_mode: expected 'metadata_only' or 'content', got 'full'",
    ),
    (
        {"traces": {"content_mode": ["content"]}},
        "open_telemetry.traces.content_mode: expected 'metadata_only' or 'content', got list",
    ),
    (
        {"traces": {"max_content_bytes": 1}},
        "open_telemetry.traces.max_content_bytes: expected a number of bytes, 64 or more, got 1",
    ),
    (
        {"metrics": {"names": "new"}},
        "open_telemetry.metrics.names: expected 'current', 'older' or 'both', got 'new'",
    ),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[message for _, message in WRONG])
@pytest.mark.parametrize("client", [MeshAPI, AsyncMeshAPI])
def test_a_wrong_option_is_refused(client: Any, options: Any, message: str) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        client(token=TOKEN, open_telemetry=options)
    assert str(caught.value).startswith(message)


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(InvalidParamsError, match="tracer_provider"):
        settings_of({"trace_provider": None})


def test_a_long_value_is_not_shown() -> None:
    with pytest.raises(InvalidParamsError) as caught:
        settings_of({"propagation": "x" * 1000})
    assert len(str(caught.value)) < 200


def test_the_defaults() -> None:
    assert settings_of({}) == (None, None, True, None, False, 65536, ("current",))
    given = {"tracer_provider": None, "meter_provider": None, "conversation_id": None}
    assert settings_of(given) == settings_of({})


@pytest.mark.slow
def test_nothing_of_opentelemetry_is_loaded_without_the_option() -> None:
    loaded = modules_after(
        "import meshapi, meshapi_backends, meshapi_core",
        "from meshapi import OpenTelemetryOptions",
        "meshapi.MeshAPI(token='rsk_test_import', hooks=meshapi.Hooks())",
        "meshapi.AsyncMeshAPI(token='rsk_test_import')",
    )
    assert not [name for name in loaded if name.partition(".")[0] == "opentelemetry"]
    assert "meshapi.telemetry.spans" not in loaded


@pytest.mark.slow
def test_the_sdk_and_the_package_of_the_names_are_not_loaded_with_it() -> None:
    loaded = modules_after(
        "import meshapi", "meshapi.MeshAPI(token='rsk_test_import', open_telemetry={})"
    )
    assert "opentelemetry.trace" in loaded
    assert not [name for name in loaded if name.startswith("opentelemetry.sdk")]
    assert not [name for name in loaded if name.startswith("opentelemetry.semconv")]


@pytest.mark.slow
@pytest.mark.parametrize("client", ["MeshAPI", "AsyncMeshAPI"])
def test_without_the_package_the_error_says_what_to_install(client: str) -> None:
    printed = run_python(
        "import sys",
        "sys.modules['opentelemetry'] = None",
        "import meshapi",
        "try:",
        f"    meshapi.{client}(token='rsk_test_import', open_telemetry={{}})",
        "except ImportError as exc:",
        "    print(exc)",
    )
    assert printed.strip() == (
        "open_telemetry: needs opentelemetry: in a checkout, pip install '.[otel]'"
    )


@pytest.mark.slow
def test_the_global_providers_are_the_default(tmp_path: Any) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from meshapi import MeshAPI, MeshAPIError

client = MeshAPI(
    base_url="http://127.0.0.1:1", token="rsk_test_x", open_telemetry={}, max_retries=0
)
# Even if they are set after the client was made.
exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
try:
    client.moderations.create(input="a")
    client.embeddings.create(input="a")
except MeshAPIError:
    pass
try:
    client.embeddings.create(input="a")
except MeshAPIError:
    pass
print([span.name for span in exporter.get_finished_spans()])
print("gen_ai.client.embeddings.duration" in reader.get_metrics_data().to_json())
""",
        "utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "['POST /v1/moderations', 'embeddings']\nTrue\n"
