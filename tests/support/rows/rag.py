"""Retrieval; the upload, which takes two requests, has its tests elsewhere."""

from meshapi_core.types.rag import (
    BulkEmbedRequest,
    BulkEmbedResponse,
    BulkEmbedResult,
    InitUploadRequest,
    InitUploadResponse,
    RagFileListResponse,
    RagFileStatus,
    SearchRequest,
    SearchResponse,
    SearchResult,
)
from support.endpoint_rows import Row

UPLOAD = {
    "file_id": "f1",
    "signed_url": "https://storage.example.com/f1?signature=s",
    "expires_at": "2026-07-01T00:00:00Z",
}
STATUS = {
    "file_id": "f1",
    "upload_status": "ready",
    "file_name": "handbook.pdf",
    "file_type": "pdf",
    "mime_type": "application/pdf",
    "size_bytes": 0,
    "embedding_status": "queued",
    "created_at": "2026-07-01T00:00:00Z",
    "updated_at": "2026-07-01T00:00:01Z",
    "total_cost_usd": 1,
    "last_error_code": None,
    "new": 1,
}
FILE = RagFileStatus(
    file_id="f1",
    upload_status="ready",
    file_name="handbook.pdf",
    file_type="pdf",
    mime_type="application/pdf",
    size_bytes=0,
    embedding_status="queued",
    created_at="2026-07-01T00:00:00Z",
    updated_at="2026-07-01T00:00:01Z",
    total_cost_usd=1.0,
)

ROWS = [
    Row(
        "rag.init_upload",
        "/v1/files",
        args=(InitUploadRequest(file_name="handbook.pdf", mime_type="application/pdf"),),
        json={"file_name": "handbook.pdf", "mime_type": "application/pdf"},
        response=UPLOAD,
        value=InitUploadResponse(**UPLOAD),
    ),
    Row(
        "rag.init_upload",
        "/v1/files",
        kwargs={
            "file_name": "ä.txt",
            "mime_type": "text/plain",
            "embed": False,
            "metadata": {"a": [1, None]},
        },
        json={
            "file_name": "ä.txt",
            "mime_type": "text/plain",
            "embed": False,
            "metadata": {"a": [1, None]},
        },
        status=201,
        response=UPLOAD,
        value=InitUploadResponse(**UPLOAD),
    ),
    Row(
        "rag.list",
        "/v1/files",
        method="GET",
        response={"files": [STATUS], "total": 1, "limit": 20, "offset": 0},
        value=RagFileListResponse(files=[FILE], total=1, limit=20),
    ),
    Row(
        "rag.list",
        "/v1/files",
        method="GET",
        args=(50, 0),
        query="limit=50&offset=0",
        response={"files": [], "total": 0, "limit": 50, "offset": 0},
        value=RagFileListResponse(limit=50),
    ),
    Row(
        "rag.list",
        "/v1/files",
        method="GET",
        kwargs={"limit": 0, "offset": None},
        query="limit=0",
        response={"files": None, "total": 0, "limit": 0, "offset": 0},
        value=RagFileListResponse(),
    ),
    Row("rag.get", "/v1/files/f%2F1", method="GET", args=("f/1",), response=STATUS, value=FILE),
    Row(
        "rag.embed",
        "/v1/files/embed",
        args=(BulkEmbedRequest(file_ids=["f1"], wait=False, metadata={}),),
        json={"file_ids": ["f1"], "wait": False, "metadata": {}},
        response={
            "results": [
                {"file_id": "f1", "embedding_status": "queued", "chunk_count": None},
                {"file_id": "f2", "embedding_status": "failed", "error": "not ready"},
            ]
        },
        value=BulkEmbedResponse(
            results=[
                BulkEmbedResult(file_id="f1", embedding_status="queued"),
                BulkEmbedResult(file_id="f2", embedding_status="failed", error="not ready"),
            ]
        ),
    ),
    Row(
        "rag.embed",
        "/v1/files/embed",
        kwargs={"file_ids": ("f1", "f2")},
        json={"file_ids": ["f1", "f2"]},
        response={"results": []},
        value=BulkEmbedResponse(),
    ),
    Row(
        "rag.search",
        "/v1/files/search",
        args=(SearchRequest(query="onboarding process", top_k=5),),
        json={"query": "onboarding process", "top_k": 5},
        response={
            "results": [
                {"score": 1, "text": "t", "parent_text": "p", "file_id": "f1", "metadata": None}
            ]
        },
        value=SearchResponse(
            results=[SearchResult(score=1.0, text="t", parent_text="p", file_id="f1")]
        ),
    ),
    Row(
        "rag.search",
        "/v1/files/search",
        kwargs={
            "query": "",
            "file_ids": [],
            "filter": {"team": None, "year": 2026},
            "date_from": 0,
            "date_to": 1_780_000_000,
            "top_k": None,
        },
        json={
            "query": "",
            "file_ids": [],
            "filter": {"team": None, "year": 2026},
            "date_from": 0,
            "date_to": 1_780_000_000,
        },
        response={"results": None},
        value=SearchResponse(),
    ),
]
