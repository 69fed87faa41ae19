"""The public names of `meshapi_core.types`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

PACKAGE: Final = "meshapi_core.types"

_NAMES: Final = {
    "meshapi_core.types._base": "ResponseList",
    "meshapi_core.types.account": """
        APIVersion AccountBalance RateLimits SpendTrend UsageAttempts UsageEvents UsageSummary
    """,
    "meshapi_core.types.audio": """
        AudioTranslationsFields AudioTranslationsParams ListVoicesFields ListVoicesParams
        PronunciationDictionaryLocator SpeechFields SpeechParams TranscriptionFields
        TranscriptionParams TranscriptionResponse TranscriptionTranslateFields
        TranscriptionTranslateParams Voice VoiceSettings VoicesResponse
    """,
    "meshapi_core.types.batches": """
        BatchListResponse BatchObject BatchRequestItem CreateBatchFields CreateBatchParams
    """,
    "meshapi_core.types.chat": """
        AudioOutputOptions ChatCompletionChoice ChatCompletionChunk ChatCompletionChunkChoice
        ChatCompletionChunkDelta ChatCompletionFields ChatCompletionMessage ChatCompletionParams
        ChatCompletionResponse ChatConversationFields ChatMessage ChatParseFields ChatRole
        ChatToolRunFields ContentPart ContentPartAudio ContentPartFile ContentPartImage
        ContentPartText ContentPartVideo ImageDetail ImageOptions InputAudio InputFile
        ProviderPreferences Tool ToolCall ToolCallChunk ToolCallFunction ToolCallFunctionChunk
        ToolChoice ToolChoiceFunction ToolChoiceObject ToolFunction UsageInfo VideoUrl
    """,
    "meshapi_core.types.compare": """
        CompareFields CompareParams CompareResponse CompareStreamEvent ModelCompareResult
        ModelOverride TokenUsage
    """,
    "meshapi_core.types.documents": """
        DocumentListResponse DocumentResponse GenerateDocumentFields GenerateDocumentRequest
        ListDocumentsFields ListDocumentsParams
    """,
    "meshapi_core.types.embeddings": """
        EmbeddingItem EmbeddingsFields EmbeddingsParams EmbeddingsResponse EmbeddingsUsage
        ImageEmbeddingUrl MultimodalEmbeddingInput VideoEmbeddingUrl
    """,
    "meshapi_core.types.errors": "ApiErrorBody ApiErrorEnvelope",
    "meshapi_core.types.files": "FileObject UploadBatchFileFields UploadBatchFileParams",
    "meshapi_core.types.images": """
        ImageEditFields ImageEditParams ImageGenerationChunk ImageGenerationFields
        ImageGenerationParams ImageGenerationResponse ImageItem ImageRef ImageUsage
    """,
    "meshapi_core.types.models": """
        ListModelsParams ModelInfo ModelPricing ModelProviders ModelSearchFields ModelSearchParams
        ModelsPage
    """,
    "meshapi_core.types.moderations": """
        ModerationFields ModerationImageUrl ModerationInputItem ModerationParams ModerationResponse
        ModerationResult
    """,
    "meshapi_core.types.parsed": "ParsedChatCompletion ParsedResponse",
    "meshapi_core.types.rag": """
        BulkEmbedFields BulkEmbedRequest BulkEmbedResponse BulkEmbedResult InitUploadFields
        InitUploadRequest InitUploadResponse RagFileListResponse RagFileStatus SearchFields
        SearchRequest SearchResponse SearchResult UploadFileFields UploadFileParams
    """,
    "meshapi_core.types.realtime": """
        RealtimeAudioConfig RealtimeAudioFormat RealtimeAudioInput RealtimeAudioOutput
        RealtimeContentPart RealtimeConversation RealtimeErrorDetail RealtimeItem
        RealtimeNoiseReduction RealtimeRateLimit RealtimeResponse RealtimeResponseConfig
        RealtimeResponseStatus RealtimeSessionConfig RealtimeSessionInfo RealtimeTokenDetails
        RealtimeTool RealtimeTranscription RealtimeTurnDetection RealtimeUsage
    """,
    "meshapi_core.types.realtime_client": """
        RealtimeClientEvent RealtimeInputAudioAppendEvent RealtimeInputAudioClearEvent
        RealtimeInputAudioCommitEvent RealtimeItemCreateEvent RealtimeItemDeleteEvent
        RealtimeItemRetrieveEvent RealtimeItemTruncateEvent RealtimeOutputAudioClearEvent
        RealtimeResponseCancelEvent RealtimeResponseCreateEvent RealtimeSessionUpdateEvent
    """,
    "meshapi_core.types.realtime_server": """
        RealtimeArgumentsDeltaEvent RealtimeArgumentsDoneEvent RealtimeAudioDeltaEvent
        RealtimeAudioDoneEvent RealtimeContentPartAddedEvent RealtimeContentPartDoneEvent
        RealtimeConversationCreatedEvent RealtimeDtmfEvent RealtimeErrorEvent
        RealtimeInputAudioClearedEvent RealtimeInputAudioCommittedEvent
        RealtimeInputAudioTimeoutEvent RealtimeInputTranscriptCompletedEvent
        RealtimeInputTranscriptDeltaEvent RealtimeInputTranscriptFailedEvent
        RealtimeInputTranscriptSegmentEvent RealtimeItemAddedEvent RealtimeItemDeletedEvent
        RealtimeItemDoneEvent RealtimeItemRetrievedEvent RealtimeItemTruncatedEvent
        RealtimeMcpCallEvent RealtimeMcpListToolsEvent RealtimeOutputAudioBufferEvent
        RealtimeOutputItemAddedEvent RealtimeOutputItemDoneEvent RealtimeRateLimitsUpdatedEvent
        RealtimeResponseCreatedEvent RealtimeResponseDoneEvent RealtimeServerEvent
        RealtimeSessionCreatedEvent RealtimeSessionUpdatedEvent RealtimeSpeechStartedEvent
        RealtimeSpeechStoppedEvent RealtimeTextDeltaEvent RealtimeTextDoneEvent
        RealtimeTranscriptDoneEvent
    """,
    "meshapi_core.types.response_events": """
        ResponseAudioDeltaEvent ResponseAudioDoneEvent ResponseAudioTranscriptDeltaEvent
        ResponseAudioTranscriptDoneEvent ResponseCodeInterpreterCallCodeDeltaEvent
        ResponseCodeInterpreterCallCodeDoneEvent ResponseCodeInterpreterCallCompletedEvent
        ResponseCodeInterpreterCallInProgressEvent ResponseCodeInterpreterCallInterpretingEvent
        ResponseCompactionCompactingEvent ResponseCompletedEvent ResponseContentPartAddedEvent
        ResponseContentPartDoneEvent ResponseCreatedEvent ResponseCustomToolCallInputDeltaEvent
        ResponseCustomToolCallInputDoneEvent ResponseErrorEvent ResponseFailedEvent
        ResponseFileSearchCallCompletedEvent ResponseFileSearchCallInProgressEvent
        ResponseFileSearchCallSearchingEvent ResponseFunctionCallArgumentsDeltaEvent
        ResponseFunctionCallArgumentsDoneEvent ResponseImageGenCallCompletedEvent
        ResponseImageGenCallGeneratingEvent ResponseImageGenCallInProgressEvent
        ResponseImageGenCallPartialImageEvent ResponseInProgressEvent ResponseIncompleteEvent
        ResponseMcpCallArgumentsDeltaEvent ResponseMcpCallArgumentsDoneEvent
        ResponseMcpCallCompletedEvent ResponseMcpCallFailedEvent ResponseMcpCallInProgressEvent
        ResponseMcpListToolsCompletedEvent ResponseMcpListToolsFailedEvent
        ResponseMcpListToolsInProgressEvent ResponseOutputItemAddedEvent ResponseOutputItemDoneEvent
        ResponseOutputTextAnnotationAddedEvent ResponseQueuedEvent
        ResponseReasoningSummaryPartAddedEvent ResponseReasoningSummaryPartDoneEvent
        ResponseReasoningSummaryTextDeltaEvent ResponseReasoningSummaryTextDoneEvent
        ResponseReasoningTextDeltaEvent ResponseReasoningTextDoneEvent ResponseRefusalDeltaEvent
        ResponseRefusalDoneEvent ResponseShellCallCommandAddedEvent
        ResponseShellCallCommandDeltaEvent ResponseShellCallCommandDoneEvent
        ResponseShellCallOutputContentDeltaEvent ResponseShellCallOutputContentDoneEvent
        ResponseTextDeltaEvent ResponseTextDoneEvent ResponseWebSearchCallCompletedEvent
        ResponseWebSearchCallInProgressEvent ResponseWebSearchCallSearchingEvent
    """,
    "meshapi_core.types.responses": """
        BuiltinTool ResponsesFields ResponsesFunctionCall ResponsesFunctionTool ResponsesListItem
        ResponsesListResponse ResponsesParams ResponsesParseFields ResponsesResponse
        ResponsesStreamEvent ResponsesToolRunFields ResponsesUsage
    """,
    "meshapi_core.types.router": """
        AutoRouterMeta RouterSelectFields RouterSelectParams RouterSelectResponse
    """,
    "meshapi_core.types.templates": """
        CreateTemplateFields CreateTemplateParams TemplateMessage TemplateSummary
        UpdateTemplateFields UpdateTemplateParams
    """,
    "meshapi_core.types.videos": """
        CreateVideoGenerationResponse ListVideoGenerationsFields ListVideoGenerationsParams
        VideoContentItem VideoGenerationFields VideoGenerationParams VideoTaskContent VideoTaskError
        VideoTaskListResponse VideoTaskResponse VideoTaskUsage
    """,
    "meshapi_core.types.web": """
        WebSearchFields WebSearchParams WebSearchResponse WebSearchResultItem
    """,
}
_HOMES: Final = {
    name: f"{module}:{name}" for module, names in _NAMES.items() for name in names.split()
}
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
