"""Whatever a program imports from the official package can be imported from this one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

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
# T9: the official package defines these types without exporting them.
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

SEEDS = Path(__file__).parents[3] / "shared" / "seeds"
IMPORT = re.compile(r"^from meshapi import\s*(\([^)]*\)|.*)", re.MULTILINE)


def test_the_list_is_whole() -> None:
    assert len(OFFICIAL) == 132


def test_every_official_name_is_exported() -> None:
    assert OFFICIAL - set(meshapi.__all__) == set()


def test_names_that_the_official_package_forgets_or_has_removed_are_exported() -> None:
    assert (FORGOTTEN | REMOVED) - set(meshapi.__all__) == set()


def test_what_is_exported_is_there() -> None:
    assert [name for name in meshapi.__all__ if not hasattr(meshapi, name)] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from meshapi import MeshAPI, Tool\n", {"MeshAPI", "Tool"}),
        ("1from meshapi import MeshAPI", {"MeshAPI"}),
        (
            "+from meshapi import (\n+    # chat\n+    Tool,  # one\n+    ToolCall as Call,\n+)\n",
            {"Tool", "ToolCall"},
        ),
        (
            "12\n+ from meshapi import (\n13\n+ Tool, ToolCall,\n14\n+ # more\n15\n+ )\n",
            {"Tool", "ToolCall"},
        ),
        ("import meshapi\nfrom meshapi.testing import LocalGateway", set()),
    ],
    ids=["line", "numbered", "diff", "numbered diff", "others"],
)
def test_imports_are_found_in_pages_and_in_diffs(text: str, names: set[str]) -> None:
    assert set(imported(text)) == names


def test_what_the_published_examples_import_is_there() -> None:
    pages = sorted(SEEDS.glob("*.txt"))
    if not pages:
        pytest.skip("no published pages beside the repository")
    names = {name for page in pages for name in imported(page.read_text("utf-8"))}
    assert {"MeshAPI", "UploadBatchFileParams", "UploadFileParams"} <= names
    assert {name for name in names if not hasattr(meshapi, name)} == set()


def imported(text: str) -> Iterator[str]:
    """The names that a page imports; its lines may have a number or the mark of a diff."""
    # A page of a diff has the number of a line on a line of its own.
    lines = [line for line in text.splitlines() if not re.fullmatch(r"\d+", line)]
    plain = "\n".join(re.sub(r"^(?:[+-]|\d+(?=from )) ?", "", line) for line in lines)
    for found in IMPORT.finditer(plain):
        names = re.sub(r"#.*", "", found[1]).strip("()").replace("\n", " ").split(",")
        yield from (name.split()[0] for name in names if name.strip())
