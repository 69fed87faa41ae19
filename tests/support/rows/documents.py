"""Documents."""

from meshapi_core.types.documents import (
    DocumentListResponse,
    DocumentResponse,
    GenerateDocumentRequest,
    ListDocumentsParams,
)
from support.endpoint_rows import Row

_PATH = "/v1/documents"

ROWS = [
    Row(
        "documents.generate",
        f"{_PATH}/generate",
        args=(GenerateDocumentRequest(format="pdf", prompt="A poem", metadata={"a": [None]}),),
        json={"format": "pdf", "prompt": "A poem", "metadata": {"a": [None]}},
        response={
            "document_id": "doc_1",
            "status": "processing",
            "format": "pdf",
            "model": "m",
            "title": None,
            "prompt_tokens": 0,
        },
        value=DocumentResponse(
            document_id="doc_1", status="processing", format="pdf", model="m", prompt_tokens=0
        ),
    ),
    Row(
        "documents.generate",
        f"{_PATH}/generate",
        kwargs={"format": "csv", "prompt": "", "model": "m"},
        json={"format": "csv", "prompt": "", "model": "m"},
        response={"document_id": "doc_2", "status": "failed", "failure_reason": "No words."},
        value=DocumentResponse(document_id="doc_2", status="failed", failure_reason="No words."),
    ),
    Row(
        "documents.list",
        _PATH,
        method="GET",
        args=(ListDocumentsParams(limit=200, offset=0),),
        query="limit=200&offset=0",
        response={
            "documents": [{"document_id": "doc_1"}, "odd", {"document_id": "doc_2"}],
            "total": 2,
            "limit": 200,
            "offset": 0,
        },
        value=DocumentListResponse(
            documents=[
                DocumentResponse(document_id="doc_1"),
                DocumentResponse(document_id="doc_2"),
            ],
            total=2,
            limit=200,
        ),
    ),
    Row(
        "documents.list",
        _PATH,
        method="GET",
        kwargs={"limit": 1},
        query="limit=1",
        response={},
        value=DocumentListResponse(),
    ),
    Row(
        "documents.retrieve",
        f"{_PATH}/a%20b%2F%C3%A4",
        method="GET",
        args=("a b/\u00e4",),
        response={
            "document_id": "a b/\u00e4",
            "status": "completed",
            "download_url": "https://x.test/d.pdf",
            "size_bytes": 12,
        },
        value=DocumentResponse(
            document_id="a b/\u00e4",
            status="completed",
            download_url="https://x.test/d.pdf",
            size_bytes=12,
        ),
    ),
]
