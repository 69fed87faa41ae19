"""Embeddings, and what is done with files for retrieval."""

import urllib.request
from typing import Any

from interop.cases.grammar import Ask, case

from meshapi import (
    BulkEmbedRequest,
    EmbeddingsParams,
    ImageEmbeddingUrl,
    InitUploadRequest,
    MultimodalEmbeddingInput,
    ProviderPreferences,
    SearchRequest,
)

HANDBOOK = (
    b"Onboarding takes two days.\n\nLunch is at noon.\n\nThe onboarding process has a form.\n"
)

# Embeddings


def embed(given: Any, **fields: Any) -> Ask:
    return lambda c: c.embeddings.create(
        EmbeddingsParams(
            **{"model": "openai/text-embedding-3-small", "input": given, "dimensions": 8, **fields}
        )
    )


@case()
def embeddings_of_texts_and_tokens():
    yield embed("hello world")
    yield embed(["hello", "world", ""])
    yield embed([1, 2, 3])
    yield embed([[1, 2], [3]])


@case()
def embeddings_in_base64():
    yield embed(["hello world"], encoding_format="base64", user="user-1")


@case()
def embeddings_with_every_option():
    provider = ProviderPreferences(order=["openai"], allow_fallbacks=False, data_collection="deny")
    yield embed("a", provider=provider, input_type="query", instructions="For search.")
    yield embed("a", provider="openai", model=None)


@case()
def embeddings_of_images():
    parts = [
        MultimodalEmbeddingInput(type="text", text="a fox"),
        MultimodalEmbeddingInput(
            type="image_url", image_url=ImageEmbeddingUrl(url="https://example.com/fox.png")
        ),
    ]
    yield embed(parts, encoding_format="float")


@case()
def embeddings_with_an_unknown_model():
    yield embed("a", model="no/such")


# Files for retrieval


def put(url: str, content: bytes, mime_type: str) -> int:
    request = urllib.request.Request(
        url,
        data=content,
        method="PUT",
        headers={"Content-Type": mime_type, "User-Agent": "program"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        status: int = response.status
        return status


@case()
def rag_uploads_by_hand():
    upload = yield lambda c: c.rag.init_upload(
        InitUploadRequest(
            file_name="handbook.txt",
            mime_type="text/plain",
            embed=False,
            metadata={"team": "people", "draft": None},
        )
    )
    yield lambda c: c.rag.get(upload.file_id)
    assert put(upload.signed_url, HANDBOOK, "text/plain") in (200, 201, 204)
    yield lambda c: c.rag.get(upload.file_id)
    yield lambda c: c.rag.embed(BulkEmbedRequest(file_ids=[upload.file_id, "none"]))
    for _ in range(4):
        yield lambda c: c.rag.get(upload.file_id)
    yield lambda c: c.rag.search(SearchRequest(query="onboarding process", top_k=2))
    yield lambda c: c.rag.search(
        SearchRequest(
            query="lunch", file_ids=[upload.file_id], filter={"team": "people"}, date_from=0
        )
    )
    yield lambda c: c.rag.search(SearchRequest(query="lunch", filter={"team": "other"}))


@case()
def rag_uploads_in_one_step():
    first = yield lambda c: c.rag.upload_file(
        file_name="handbook.txt",
        mime_type="text/plain",
        content=HANDBOOK,
        embed=True,
        metadata={"team": "people"},
    )
    yield lambda c: c.rag.upload_file(
        file_name="empty.pdf", mime_type="application/pdf", content=b"%PDF-1.4 " + bytes(range(256))
    )
    for _ in range(4):
        yield lambda c: c.rag.get(first.file_id)
    yield lambda c: c.rag.embed(
        BulkEmbedRequest(file_ids=[first.file_id], wait=True, metadata={"again": True})
    )
    yield lambda c: c.rag.list()
    yield lambda c: c.rag.list(limit=1, offset=0)
    yield lambda c: c.rag.list(1, 1)
    yield lambda c: c.rag.search(SearchRequest(query="noon", top_k=1))


@case()
def rag_files_that_are_not_there():
    yield lambda c: c.rag.get("none/../such?x=1")
