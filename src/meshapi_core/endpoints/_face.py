"""The public names of `meshapi_core.endpoints`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

PACKAGE: Final = "meshapi_core.endpoints"

_NAMES: Final = {
    "meshapi_core._async.conversation": "AsyncConversation AsyncConversationStream",
    "meshapi_core._async.streams": "AsyncAccumulatingStream",
    "meshapi_core._async.streams_chat": "AsyncChatCompletionStream",
    "meshapi_core._async.streams_compare": "AsyncCompareStream",
    "meshapi_core._async.streams_images": "AsyncImagesStream",
    "meshapi_core._async.streams_parsed": """
        AsyncParsedChatCompletionStream AsyncParsedResponsesStream
    """,
    "meshapi_core._async.streams_responses": "AsyncResponsesStream",
    "meshapi_core._closing": "AsyncCloses AsyncClosesWithCode Closes ClosesWithCode",
    "meshapi_core._sync.conversation": "Conversation ConversationStream",
    "meshapi_core._sync.streams": "AccumulatingStream",
    "meshapi_core._sync.streams_chat": "ChatCompletionStream",
    "meshapi_core._sync.streams_compare": "CompareStream",
    "meshapi_core._sync.streams_images": "ImagesStream",
    "meshapi_core._sync.streams_parsed": "ParsedChatCompletionStream ParsedResponsesStream",
    "meshapi_core._sync.streams_responses": "ResponsesStream",
    "meshapi_core.accumulators": "Accumulator",
    "meshapi_core.batching.items": "BatchItem",
    "meshapi_core.batching.submission": "BatchSubmission",
    "meshapi_core.bodies": "FileSource file_source",
    "meshapi_core.calls": "Call SignedPut StreamCall",
    "meshapi_core.endpoints._descriptor": """
        R_co Resource endpoint flow_endpoint item_flow_endpoint item_flow_endpoint_as
        stream_endpoint stream_endpoint_as
    """,
    "meshapi_core.endpoints._lists": "list_endpoint",
    "meshapi_core.endpoints._signatures": "explains_arguments lists_keywords",
    "meshapi_core.endpoints.account": "APIVersions Balance Usage",
    "meshapi_core.endpoints.audio": "Audio",
    "meshapi_core.endpoints.batches": "Batches",
    "meshapi_core.endpoints.chat": "Chat Completions",
    "meshapi_core.endpoints.compare": "Compare",
    "meshapi_core.endpoints.documents": "Documents",
    "meshapi_core.endpoints.downloads": "Downloads",
    "meshapi_core.endpoints.embeddings": "Embeddings",
    "meshapi_core.endpoints.files": "Files",
    "meshapi_core.endpoints.images": "Images",
    "meshapi_core.endpoints.models": "Models",
    "meshapi_core.endpoints.moderations": "Moderations",
    "meshapi_core.endpoints.rag": "Rag",
    "meshapi_core.endpoints.responses": "Responses",
    "meshapi_core.endpoints.router": "Router",
    "meshapi_core.endpoints.templates": "Templates",
    "meshapi_core.endpoints.videos": "Videos",
    "meshapi_core.endpoints.web": "Web",
    "meshapi_core.errors": "InvalidParamsError",
    "meshapi_core.flows.steps": "Flow ItemFlow",
    "meshapi_core.multipart": "FilePart Multipart",
    "meshapi_core.params.encoding": "build_params encode_params",
    "meshapi_core.paths": "model_path path_segment",
    "meshapi_core.protocols": """
        AsyncItemStream AsyncRawRunner AsyncRunner AsyncStream ItemStream RawRunner Runner Stream
    """,
    "meshapi_core.queries": "encode_query",
    "meshapi_core.readers": """
        ByteStreamReader BytesReader ChunkReader EmptyReader JSONReader ListReader Reader
        StreamReader TextReader
    """,
    "meshapi_core.types._base": "ResponseModel",
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
