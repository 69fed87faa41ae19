"""The protocol of the MeshAPI gateway as pure state machines: decides, never does.

No sockets, no clock, no randomness, no event loop. A host that has an HTTP client gives a `Call` to
an `Exchange`, sends what it says and reports what came back. A host that has only a byte pipe puts
`HTTP11Connection` in between. ARCHITECTURE.md has the map.
"""

from typing import TYPE_CHECKING, Any

from meshapi_core._secret import Secret
from meshapi_core._version import (
    __version__,
)
from meshapi_core.accumulators import (
    Accumulator,
    ChatAccumulator,
)
from meshapi_core.calls import (
    MAX_BODY_SIZE,
    AnyCall,
    Call,
    StreamCall,
)
from meshapi_core.chunks import (
    ChunkDecoder,
)
from meshapi_core.config import (
    DEFAULT_BASE_URL,
    BaseURL,
    Limits,
    MeshAPIConfig,
    Timeout,
    parse_base_url,
)
from meshapi_core.endpoints import (
    AsyncRunner,
    AsyncStream,
    Chat,
    Completions,
    Resource,
    Runner,
    Stream,
    endpoint,
    stream_endpoint,
)
from meshapi_core.envelopes import (
    error_from_frame,
    error_from_reply,
)
from meshapi_core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ContentTooLargeError,
    InternalServerError,
    MeshAPIError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RedirectError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnprocessableEntityError,
    error_class,
)
from meshapi_core.exchange import (
    TRANSITIONS,
    Done,
    Exchange,
    ExchangeUsageError,
    Input,
    Send,
    State,
    Wait,
)
from meshapi_core.headers import (
    Headers,
)
from meshapi_core.messages import (
    Failure,
    Origin,
    Reply,
    Request,
    Stage,
)
from meshapi_core.params import (
    InvalidParamsError,
)
from meshapi_core.pool import (
    OPEN,
    WAIT,
    Decision,
    PoolState,
)
from meshapi_core.retries import (
    Outcome,
    RetryPolicy,
    parse_http_date,
    parse_retry_after,
)
from meshapi_core.sse import (
    END_OF_STREAM,
    NEED_DATA,
    EndOfStream,
    NeedData,
    ServerSentEvent,
    SSEDecoder,
)
from meshapi_core.types import (
    AudioOutputOptions,
    ChatCompletionChoice,
    ChatCompletionChunk,
    ChatCompletionChunkChoice,
    ChatCompletionChunkDelta,
    ChatCompletionFields,
    ChatCompletionMessage,
    ChatCompletionParams,
    ChatCompletionResponse,
    ChatMessage,
    ChatRole,
    ContentPart,
    ContentPartAudio,
    ContentPartFile,
    ContentPartImage,
    ContentPartText,
    ContentPartVideo,
    ImageDetail,
    ImageOptions,
    InputAudio,
    InputFile,
    ProviderPreferences,
    Tool,
    ToolCall,
    ToolCallChunk,
    ToolCallFunction,
    ToolCallFunctionChunk,
    ToolChoice,
    ToolChoiceFunction,
    ToolChoiceObject,
    ToolFunction,
    UsageInfo,
    VideoUrl,
)

if TYPE_CHECKING:
    from meshapi_core.http11 import (
        END_OF_BODY,
        EndOfBody,
        HTTP11Connection,
        ResponseHead,
    )

__all__ = [
    "DEFAULT_BASE_URL",
    "END_OF_BODY",
    "END_OF_STREAM",
    "MAX_BODY_SIZE",
    "NEED_DATA",
    "OPEN",
    "TRANSITIONS",
    "WAIT",
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "Accumulator",
    "AnyCall",
    "AsyncRunner",
    "AsyncStream",
    "AudioOutputOptions",
    "AuthenticationError",
    "BadRequestError",
    "BaseURL",
    "Call",
    "Chat",
    "ChatAccumulator",
    "ChatCompletionChoice",
    "ChatCompletionChunk",
    "ChatCompletionChunkChoice",
    "ChatCompletionChunkDelta",
    "ChatCompletionFields",
    "ChatCompletionMessage",
    "ChatCompletionParams",
    "ChatCompletionResponse",
    "ChatMessage",
    "ChatRole",
    "ChunkDecoder",
    "Completions",
    "ConflictError",
    "ContentPart",
    "ContentPartAudio",
    "ContentPartFile",
    "ContentPartImage",
    "ContentPartText",
    "ContentPartVideo",
    "ContentTooLargeError",
    "Decision",
    "Done",
    "EndOfBody",
    "EndOfStream",
    "Exchange",
    "ExchangeUsageError",
    "Failure",
    "HTTP11Connection",
    "Headers",
    "ImageDetail",
    "ImageOptions",
    "Input",
    "InputAudio",
    "InputFile",
    "InternalServerError",
    "InvalidParamsError",
    "Limits",
    "MeshAPIConfig",
    "MeshAPIError",
    "NeedData",
    "NotFoundError",
    "Origin",
    "Outcome",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "PoolState",
    "ProtocolError",
    "ProviderPreferences",
    "RateLimitError",
    "RedirectError",
    "Reply",
    "Request",
    "Resource",
    "ResponseDecodeError",
    "ResponseHead",
    "RetryPolicy",
    "Runner",
    "SSEDecoder",
    "Secret",
    "Send",
    "ServerSentEvent",
    "Stage",
    "State",
    "Stream",
    "StreamCall",
    "StreamInterruptedError",
    "Timeout",
    "Tool",
    "ToolCall",
    "ToolCallChunk",
    "ToolCallFunction",
    "ToolCallFunctionChunk",
    "ToolChoice",
    "ToolChoiceFunction",
    "ToolChoiceObject",
    "ToolFunction",
    "UnprocessableEntityError",
    "UsageInfo",
    "VideoUrl",
    "Wait",
    "__version__",
    "endpoint",
    "error_class",
    "error_from_frame",
    "error_from_reply",
    "parse_base_url",
    "parse_http_date",
    "parse_retry_after",
    "stream_endpoint",
]

# Only who speaks HTTP/1.1 through the core loads h11.
_HTTP11 = frozenset({"END_OF_BODY", "EndOfBody", "HTTP11Connection", "ResponseHead"})


def __getattr__(name: str) -> Any:
    if name in _HTTP11:
        from meshapi_core import http11

        return getattr(http11, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | _HTTP11)
