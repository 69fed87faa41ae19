"""Whatever a program imports from the official package can be imported from this one."""

import meshapi

# `meshapi.__all__` of the official 0.1.11.
OFFICIAL = frozenset(
    """
    __version__ MeshAPI AsyncMeshAPI MeshAPIConfig MeshAPIError ChatRole ChatMessage ContentPart
    ContentPartAudio ContentPartText ContentPartImage ContentPartVideo VideoUrl ImageDetail
    InputAudio ImageOptions ImageEditParams ImageRef ImageGenerationChunk ImageGenerationParams
    ImageGenerationResponse ImageItem ImageUsage AudioOutputOptions ToolFunction Tool ToolCall
    ToolCallFunction ToolChoice ToolChoiceFunction ToolChoiceObject ChatCompletionParams
    ChatCompletionResponse ChatCompletionChoice ChatCompletionMessage ChatCompletionChunk
    ChatCompletionChunkChoice ChatCompletionChunkDelta UsageInfo ModelPricing ModelInfo
    ListModelsParams EmbeddingsParams EmbeddingItem EmbeddingsUsage EmbeddingsResponse
    ImageEmbeddingUrl VideoEmbeddingUrl MultimodalEmbeddingInput ResponsesFunctionTool BuiltinTool
    ResponsesParams ResponsesUsage ResponsesResponse ResponsesStreamEvent ModelOverride
    ModelSearchParams ModelsPage ResponsesListItem ResponsesListResponse CompareParams TokenUsage
    CompareResponse CompareStreamEvent BatchRequestItem CreateBatchParams BatchObject
    BatchListResponse ProviderPreferences CreateTemplateParams UpdateTemplateParams
    TemplateSummary ApiErrorBody ApiErrorEnvelope ModerationsResource AsyncModerationsResource
    ModerationParams ModerationImageUrl ModerationInputItem ModerationResult ModerationResponse
    WebResource AsyncWebResource WebSearchParams WebSearchResultItem WebSearchResponse
    RouterResource AsyncRouterResource RouterSelectParams AutoRouterMeta RouterSelectResponse
    RealtimeResource AsyncRealtimeResource RealtimeSession AsyncRealtimeSession RealtimeMessage
    RealtimeError RagResource AsyncRagResource InitUploadRequest InitUploadResponse RagFileStatus
    RagFileListResponse BulkEmbedRequest BulkEmbedResult BulkEmbedResponse SearchRequest
    SearchResult SearchResponse VideosResource AsyncVideosResource CreateVideoGenerationResponse
    ListVideoGenerationsParams VideoContentItem VideoGenerationParams VideoTaskContent
    VideoTaskError VideoTaskListResponse VideoTaskResponse VideoTaskUsage AudioResource
    AsyncAudioResource SpeechParams VoiceSettings PronunciationDictionaryLocator
    TranscriptionParams TranscriptionTranslateParams AudioTranslationsParams
    TranscriptionResponse ListVoicesParams Voice VoicesResponse
    """.split()
)
# The official package defines these types without exporting them.
FORGOTTEN = frozenset(
    "ModelCompareResult TemplateMessage ToolCallChunk ToolCallFunctionChunk".split()
)
# Of the versions up to 0.1.3, of 0.1.7, and one that the page of 0.1.4 imports in vain.
REMOVED = frozenset(
    """
    UploadBatchFileParams FileObject GenerateDocumentRequest ListDocumentsParams DocumentResponse
    DocumentListResponse UploadFileParams
    """.split()
)


def test_the_list_is_whole() -> None:
    assert len(OFFICIAL) == 132


def test_every_official_name_is_exported() -> None:
    assert OFFICIAL - set(meshapi.__all__) == set()


def test_names_that_the_official_package_forgets_or_has_removed_are_exported() -> None:
    assert (FORGOTTEN | REMOVED) - set(meshapi.__all__) == set()


def test_what_is_exported_is_there() -> None:
    assert [name for name in meshapi.__all__ if not hasattr(meshapi, name)] == []
