"""Every name that goes to OpenTelemetry. No other module has one.

The conventions for generative AI are not stable, and the package that has their names marks those
of the metrics as deprecated. So the names are written here, and the package is not imported.

Source: https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
    (v0.1: client-inference.md, client-embeddings.md, gen-ai-token-metrics.md; the older names are
    in non-normative/migration.md),
    https://opentelemetry.io/docs/specs/semconv/http/http-spans/ (calls that run no model)
"""

from typing import Final, Literal, NamedTuple, Optional

__all__ = [
    "DURATION_BUCKETS",
    "METRICS",
    "OPERATIONS",
    "PROVIDER",
    "REQUEST",
    "TOKEN_BUCKETS",
    "Metric",
    "MetricNames",
    "Operation",
    "operation_of",
    "span_name",
]

PROVIDER: Final = "meshapi"
"""`gen_ai.provider.name`: the gateway, as a client does not see which provider it relays to."""

# Attributes of spans and metrics.
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
OUTPUT_TYPE: Final = "gen_ai.output.type"
TOKEN_TYPE: Final = "gen_ai.token.type"
TOKEN_MODALITY: Final = "gen_ai.token.modality"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
METHOD: Final = "http.request.method"
PATH: Final = "url.path"
STATUS: Final = "http.response.status_code"
RESEND_COUNT: Final = "http.request.resend_count"

# What the conventions have no name for; the prefix is this package's.
ATTEMPTS: Final = "meshapi.attempts"
REQUEST_ID: Final = "meshapi.request_id"
RETRY_DELAY: Final = "meshapi.retry.delay"
TRUNCATED: Final = "meshapi.content.truncated"
CLOSED: Final = "meshapi.closed"

RETRY_EVENT: Final = "meshapi.retry"
"""The event of a span that says why the call was retried, and after how many seconds."""

LOST_EVENT: Final = "meshapi.connection_lost"
"""The event of a realtime session whose connection was lost."""

CLOSE_CODE: Final = "meshapi.close_code"

REQUEST: Final = {
    "model": REQUEST_MODEL,
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.retrieval.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
    "stop": "gen_ai.request.stop_sequences",
    "reasoning_effort": "gen_ai.request.reasoning.level",
    "previous_response_id": "gen_ai.request.previous_response.id",
    "dimensions": "gen_ai.embeddings.dimension.count",
    "encoding_format": "gen_ai.request.encoding_formats",
}
"""Fields of requests -> their attributes. Only searches have a `top_k`."""


class Operation(NamedTuple):
    """What a call asks a model to do.

    Fields:
        name: the operation's name; None where no model runs, as in `models.list`.
        metrics: which group of metrics it belongs to.
        output: the kind of its output; None if the request says it, or if it is none of the kinds.
    """

    name: Optional[str]
    metrics: Literal["inference", "embeddings", "other"]
    output: Optional[Literal["text", "json", "image", "speech"]] = None


_CHAT = Operation("chat", "inference")

REALTIME_PATH: Final = "/v1/realtime"

OPERATIONS: Final = {
    ("POST", "/v1/chat/completions"): _CHAT,
    ("POST", "/v1/responses"): _CHAT,
    ("POST", "/v1/chat/compare"): _CHAT,
    ("POST", "/v1/embeddings"): Operation("embeddings", "embeddings"),
    # Theirs for any kind of content: images, video and speech.
    ("POST", "/v1/images/generations"): Operation("generate_content", "inference", "image"),
    ("POST", "/v1/images/edits"): Operation("generate_content", "inference", "image"),
    ("POST", "/v1/video/generations"): Operation("generate_content", "inference"),
    ("POST", "/v1/audio/speech"): Operation("generate_content", "inference", "speech"),
    ("POST", "/v1/audio/transcriptions"): Operation("generate_content", "inference", "text"),
    ("POST", "/v1/audio/translations"): Operation("generate_content", "inference", "text"),
    ("POST", "/v1/audio/transcriptions/translate"): Operation(
        "generate_content", "inference", "text"
    ),
    ("POST", "/v1/files/search"): Operation("retrieval", "other"),
    # Not one of theirs, which are single requests; this is a session.
    ("GET", REALTIME_PATH): Operation("realtime", "other"),
}
"""Methods and paths -> operations. Every other call runs no model."""

_OTHER: Final = Operation(None, "other")


def operation_of(method: str, path: str) -> Operation:
    """Return the operation of a call."""
    return OPERATIONS.get((method, path), _OTHER)


def span_name(operation: Operation, method: str, path: str, model: object) -> str:
    """Return the name of a call's span, without IDs, so that there are few different ones."""
    if operation.name is None:
        return f"{method} {'/'.join(path.split('/', 3)[:3])}".rstrip()
    return f"{operation.name} {model}" if model else operation.name


MetricNames = Literal["current", "older", "both"]
"""Which names the metrics have: those of the conventions v0.1, those before, or both."""

DURATION_BUCKETS: Final = tuple(0.01 * 2**power for power in range(14))
"""Boundaries in seconds, for durations and for the time to the first chunk."""

TOKEN_BUCKETS: Final = tuple(float(4**power) for power in range(14))
"""Boundaries in tokens."""


class Metric(NamedTuple):
    """One instrument.

    Fields:
        name: its name.
        kind: "histogram" or "counter".
        unit: "s" or "{token}".
        buckets: the boundaries of a histogram; empty for a counter.
        description: for people.
        has_error: whether it has the attribute `error.type` after a failure.
        further: an attribute that only this metric has.
    """

    name: str
    kind: Literal["histogram", "counter"]
    unit: str
    buckets: tuple[float, ...]
    description: str
    has_error: bool = False
    further: Optional[tuple[str, str]] = None


def _duration(name: str) -> Metric:
    text = "The duration of a call with its retries."
    return Metric(name, "histogram", "s", DURATION_BUCKETS, text, has_error=True)


def _seconds(name: str, description: str) -> Metric:
    return Metric(name, "histogram", "s", DURATION_BUCKETS, description)


def _tokens(name: str, description: str) -> Metric:
    return Metric(name, "histogram", "{token}", TOKEN_BUCKETS, description, has_error=True)


def _older_tokens(direction: str) -> Metric:
    # One histogram for both directions, which an attribute tells apart.
    name, text = "gen_ai.client.token.usage", "Tokens of one call."
    further = (TOKEN_TYPE, direction)
    return Metric(name, "histogram", "{token}", TOKEN_BUCKETS, text, further=further)


def _counter(name: str, description: str) -> Metric:
    # The gateway does not say which tokens are text, and which are images or audio.
    further = (TOKEN_MODALITY, "unknown")
    name = f"gen_ai.client.inference.usage.{name}"
    return Metric(name, "counter", "{token}", (), description, further=further)


_OF_INPUT = "Tokens of input of one call, cached ones included."
_FIRST = "Seconds from a request to the first chunk of its stream."
_PER_CHUNK = "Seconds from one chunk of a stream to the next."
_OLDER_DURATION = _duration("gen_ai.client.operation.duration")

METRICS: Final[dict[tuple[str, str, str], tuple[Metric, ...]]] = {
    ("current", "inference", "duration"): (_duration("gen_ai.client.inference.duration"),),
    ("current", "inference", "first_chunk"): (
        _seconds("gen_ai.client.inference.time_to_first_chunk", _FIRST),
    ),
    ("current", "inference", "per_chunk"): (
        _seconds("gen_ai.client.inference.time_per_output_chunk", _PER_CHUNK),
    ),
    ("current", "inference", "input"): (
        _counter("input_tokens", "Tokens of input, cached ones included."),
        _tokens("gen_ai.client.inference.operation.input_tokens", _OF_INPUT),
    ),
    ("current", "inference", "output"): (
        _counter("output_tokens", "Tokens of output, reasoning included."),
        _tokens(
            "gen_ai.client.inference.operation.output_tokens",
            "Tokens of output of one call, reasoning included.",
        ),
    ),
    ("current", "inference", "cache_read"): (
        _counter("cache_read.input_tokens", "Tokens of input that came from a cache."),
    ),
    ("current", "inference", "cache_write"): (
        _counter("cache_write.input_tokens", "Tokens of input that were written to a cache."),
    ),
    ("current", "inference", "reasoning"): (
        _counter("reasoning.output_tokens", "Tokens of output that were reasoning."),
    ),
    ("current", "embeddings", "duration"): (_duration("gen_ai.client.embeddings.duration"),),
    ("current", "embeddings", "input"): (
        _tokens("gen_ai.client.embeddings.operation.input_tokens", _OF_INPUT),
    ),
    ("current", "other", "duration"): (_OLDER_DURATION,),
    ("older", "inference", "duration"): (_OLDER_DURATION,),
    ("older", "inference", "first_chunk"): (
        _seconds("gen_ai.client.operation.time_to_first_chunk", _FIRST),
    ),
    ("older", "inference", "per_chunk"): (
        _seconds("gen_ai.client.operation.time_per_output_chunk", _PER_CHUNK),
    ),
    ("older", "inference", "input"): (_older_tokens("input"),),
    ("older", "inference", "output"): (_older_tokens("output"),),
    ("older", "embeddings", "duration"): (_OLDER_DURATION,),
    ("older", "embeddings", "input"): (_older_tokens("input"),),
    ("older", "other", "duration"): (_OLDER_DURATION,),
}
"""(names, group, what is measured) -> the metrics."""
