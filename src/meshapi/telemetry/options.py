"""`open_telemetry={...}`: what can be set, and its checks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, NoReturn, Optional, cast

from typing_extensions import TypedDict

from meshapi.telemetry.names import MetricNames
from meshapi_core import InvalidParamsError, no_such_parameter, type_name

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = [
    "OpenTelemetryOptions",
    "OpenTelemetryMetrics",
    "OpenTelemetryTraces",
    "Settings",
    "settings_of",
]

MAX_CONTENT: Final = 64 * 1024
"""The default of `max_content_bytes`."""

LEAST_CONTENT: Final = 64
"""A message without any text has nearly as many bytes: less would show nothing."""

_SHOWN: Final = 40


class OpenTelemetryTraces(TypedDict, total=False):
    """What the spans contain.

    Fields:
        content_mode: "metadata_only" (the default) or "content": the messages to and from the
            model, its instructions and its tools, as JSON in attributes of the span. They may be
            confidential.
        max_content_bytes: the most bytes of each of these attributes (default 65,536, at least 64).
            Text that is longer is cut.
    """

    content_mode: Literal["metadata_only", "content"]
    max_content_bytes: int


class OpenTelemetryMetrics(TypedDict, total=False):
    """What the metrics are called.

    Fields:
        names: "current" (the default) for the names of the conventions for generative AI v0.1,
            "older" for those before, which dashboards may still expect, or "both".
    """

    names: MetricNames


class OpenTelemetryOptions(TypedDict, total=False):
    """Traces and metrics of a client; `{}` switches them on with the defaults.

    Fields:
        tracer_provider: makes the spans; the global provider by default.
        meter_provider: makes the metrics; the global provider by default.
        propagation: whether requests to the gateway carry the context of the span in W3C's
            `traceparent` (the default).
        conversation_id: `gen_ai.conversation.id` of every span, which connects the calls of one
            conversation.
        traces: see `OpenTelemetryTraces`.
        metrics: see `OpenTelemetryMetrics`.
    """

    tracer_provider: "Optional[TracerProvider]"
    meter_provider: "Optional[MeterProvider]"
    propagation: bool
    conversation_id: Optional[str]
    traces: OpenTelemetryTraces
    metrics: OpenTelemetryMetrics


class Settings(NamedTuple):
    """The options, checked, with their defaults."""

    tracer_provider: Any
    meter_provider: Any
    propagation: bool
    conversation_id: Optional[str]
    content: bool
    max_content_bytes: int
    names: tuple[Literal["current", "older"], ...]


_NAMES: Final[dict[object, tuple[Literal["current", "older"], ...]]] = {
    "current": ("current",),
    "older": ("older",),
    "both": ("current", "older"),
}


def settings_of(options: object) -> Settings:
    """Return the options of a client, checked.

    Raises:
        InvalidParamsError: an option is unknown, or has a wrong value.
    """
    given = _mapping("open_telemetry", options, OpenTelemetryOptions)
    traces = _mapping("open_telemetry.traces", given.get("traces", {}), OpenTelemetryTraces)
    metrics = _mapping("open_telemetry.metrics", given.get("metrics", {}), OpenTelemetryMetrics)
    mode = traces.get("content_mode", "metadata_only")
    if mode not in ("metadata_only", "content"):
        _refuse("open_telemetry.traces.content_mode", "'metadata_only' or 'content'", mode)
    size = traces.get("max_content_bytes", MAX_CONTENT)
    if type(size) is not int or size < LEAST_CONTENT:
        expected = f"a number of bytes, {LEAST_CONTENT} or more"
        _refuse("open_telemetry.traces.max_content_bytes", expected, size)
    names = metrics.get("names", "current")
    if not isinstance(names, str) or names not in _NAMES:
        _refuse("open_telemetry.metrics.names", "'current', 'older' or 'both'", names)
    conversation = given.get("conversation_id")
    if conversation is not None and not isinstance(conversation, str):
        _refuse("open_telemetry.conversation_id", "str or None", conversation)
    propagation = given.get("propagation", True)
    if type(propagation) is not bool:
        _refuse("open_telemetry.propagation", "True or False", propagation)
    return Settings(
        tracer_provider=_provider(given, "tracer_provider", "get_tracer"),
        meter_provider=_provider(given, "meter_provider", "get_meter"),
        propagation=propagation,
        conversation_id=conversation,
        content=mode == "content",
        max_content_bytes=size,
        names=_NAMES[names],
    )


def _mapping(field: str, value: object, known: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        hint = "write open_telemetry={}" if value is True else ""
        raise InvalidParamsError(field, "dict", type_name(value), hint)
    mapping = cast("Mapping[str, Any]", value)
    for name in mapping:
        if name not in known.__annotations__:
            error = no_such_parameter(str(name), known.__annotations__)
            hint = error.hint.replace("parameter", "option")
            raise InvalidParamsError(f"{field}[{name!r}]", "", "no such option", hint)
    return mapping


def _provider(given: Mapping[str, Any], name: str, method: str) -> Any:
    provider = given.get(name)
    if provider is not None and not callable(getattr(provider, method, None)):
        _refuse(f"open_telemetry.{name}", f"a provider with {method}()", provider)
    return provider


def _refuse(field: str, expected: str, value: object) -> NoReturn:
    shown = isinstance(value, (str, int, float)) and len(repr(value)) <= _SHOWN
    raise InvalidParamsError(field, expected, repr(value) if shown else type_name(value))
