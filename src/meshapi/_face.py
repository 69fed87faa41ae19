"""The public names of `meshapi`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

import meshapi_core.types

PACKAGE: Final = "meshapi"

_NAMES: Final = {
    "meshapi._async_client": "AsyncMeshAPI",
    "meshapi._blocking_client": "MeshAPI",
    "meshapi._client_settings": "ClientSettings",
    "meshapi._raw_clients": "AsyncRawMeshAPI RawMeshAPI",
    "meshapi._realtime": """
        AsyncRealtimeResource AsyncRealtimeSession RealtimeResource RealtimeSession
    """,
    "meshapi._resources": """
        AsyncAudioResource AsyncModerationsResource AsyncRagResource AsyncRouterResource
        AsyncVideosResource AsyncWebResource AudioResource ModerationsResource RagResource
        RouterResource VideosResource WebResource
    """,
    "meshapi._settings": "NOT_GIVEN NotGiven",
    "meshapi.telemetry.options": "OpenTelemetryMetrics OpenTelemetryOptions OpenTelemetryTraces",
    "meshapi_backends": "Budget Hooks UsageTracker",
    "meshapi_core": """
        APIConnectionError APIStatusError APITimeoutError AuthenticationError BadRequestError
        Base64Error CassetteError ConflictError ContentFilterError ContentTooLargeError Headers
        InternalServerError InvalidParamsError JobFailedError JobStatusError JobTimeoutError
        JournalError Limits MeshAPIConfig MeshAPIError ModelRefusalError NetworkBlockedError
        NotFoundError OutputTruncatedError OutputValidationError ParamsWarning PaymentRequiredError
        PermissionDeniedError ProtocolError Proxy RateLimitError RawResponse RealtimeAuth
        RealtimeConnectionClosed RealtimeError RealtimeMessage Reconnect Reconnected RedirectError
        ResponseDecodeError ResponseMeta ResponseWarning RetryPolicy SocketOptions
        StreamInterruptedError StreamUsageError StructuredOutputError Timeout ToolArgumentsError
        ToolCallsPendingError ToolLoopLimitError UnprocessableEntityError UnsupportedSchemaError
        __version__
    """,
    "meshapi_core.bulk": "AsyncMapRun Estimate MapItem MapRun MapSummary PerMinute SavedRows",
    "meshapi_core.endpoints": """
        AsyncChatCompletionStream AsyncCompareStream AsyncConversation AsyncConversationStream
        AsyncImagesStream AsyncParsedChatCompletionStream AsyncParsedResponsesStream
        AsyncResponsesStream AsyncStream BatchItem BatchSubmission ChatCompletionStream
        CompareStream Conversation ConversationStream ImagesStream ParsedChatCompletionStream
        ParsedResponsesStream ResponsesStream Stream
    """,
    "meshapi_core.flows": "Progress SavedFile",
    "meshapi_core.observing": "AttemptStarted CallFailed ItemReceived ResponseStarted RetryPlanned",
    "meshapi_core.streams": """
        ChatEvent CompletionDone ContentDelta ContentDone ReasoningDelta ReasoningDone RefusalDelta
        RefusalDone ToolCallDelta ToolCallDone UsageDone
    """,
    "meshapi_core.tools": """
        AnyTool AsyncToolRun Deferred FunctionTool ModelResponded Refuse RequestedCall ToolCallBegun
        ToolCallDeferred ToolCallEnded ToolRun ToolRunResult
    """,
    "meshapi_core.turns": "AsyncRealtimeTurns RealtimeToolCall RealtimeTurn RealtimeTurns",
    "meshapi_core.usage": "BudgetExceededError TotalUsage",
}
_HOMES: Final = {
    name: f"{module}:{name}" for module, names in _NAMES.items() for name in names.split()
}
_HOMES.update((name, f"meshapi_core.types:{name}") for name in vars(meshapi_core.types)["__all__"])
EXPORTED: Final = sorted(name for name, home in _HOMES.items() if ":" in home)


def __getattr__(name: str) -> Any:
    """Import the module that has a name, when the name is used for the first time."""
    if name not in _HOMES:
        raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    __import__(module)
    value: Any = sys.modules[module]
    if attribute:
        value = getattr(value, attribute)
    vars(sys.modules[PACKAGE])[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*vars(sys.modules[PACKAGE]), *_HOMES})
