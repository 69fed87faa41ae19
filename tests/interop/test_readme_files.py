"""Programs with files, batches and retrieval, which each official version does in its own way."""

import asyncio
import json

import pytest
from interop.questions import TOKEN, batch_items

from meshapi import (
    AsyncMeshAPI,
    BatchObject,
    BulkEmbedRequest,
    BulkEmbedResponse,
    CreateBatchParams,
    FileObject,
    ImageGenerationParams,
    InitUploadRequest,
    InitUploadResponse,
    MeshAPI,
    RagFileListResponse,
    RagFileStatus,
    SearchRequest,
    SearchResponse,
    SearchResult,
    UploadBatchFileParams,
    UploadFileParams,
)

HANDBOOK = b"Our onboarding process takes two days. Ask Ada for a desk.\n\nLunch is at noon.\n"


# Up to 0.1.3


def test_a_file_of_requests_is_a_batch(client):
    file = client.files.upload(UploadBatchFileParams(purpose="batch", requests=batch_items()))
    assert isinstance(file, FileObject)
    batch = client.batches.create(
        CreateBatchParams(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
    )
    assert isinstance(batch, BatchObject)
    status = client.batches.get(batch.id)
    while status.status != "completed":
        status = client.batches.get(batch.id)
    assert status.input_file_id == file.id
    output_bytes = client.files.content(status.output_file_id)
    rows = [json.loads(line) for line in output_bytes.splitlines()]
    assert {
        row["custom_id"]: row["response"]["body"]["choices"][0]["message"]["content"]
        for row in rows
    } == {"req-1": "hi", "req-2": "bye"}
    assert client.files.get(file.id).id == file.id
    assert client.files.delete(file.id) is None


def test_a_file_of_requests_is_a_batch_on_asyncio(url):
    async def main():
        async with AsyncMeshAPI(base_url=url, token=TOKEN) as client:
            file = await client.files.upload(UploadBatchFileParams(requests=batch_items()))
            batch = await client.batches.create(
                CreateBatchParams(
                    input_file_id=file.id,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                )
            )
            while batch.status != "completed":
                batch = await client.batches.get(batch.id)
            return await client.files.content(batch.output_file_id)

    assert len(asyncio.run(main()).splitlines()) == 2


def test_a_picture_is_drawn(client):
    result = client.images.generate(
        ImageGenerationParams(
            model="openai/gpt-image-1",
            prompt="A watercolor of a fox in a snowy forest",
            n=1,
            size="1024x1024",
            quality="high",
            output_format="webp",
        )
    )
    assert result.data[0].url.startswith("http")


# 0.1.4


def test_requests_are_a_batch_without_a_file(client):
    batch = client.batches.create(
        CreateBatchParams(requests=batch_items(), metadata={"job": "my-batch"})
    )
    assert batch.metadata == {"job": "my-batch"}
    status = client.batches.get(batch.id)
    assert status.status in ("validating", "in_progress", "completed")
    assert client.batches.cancel(batch.id).id == batch.id
    assert [row.id for row in client.batches.list(limit=5).data] == [batch.id]


def until_ready(client: MeshAPI, file_id: str) -> RagFileStatus:
    while True:
        status = client.rag.get(file_id)
        assert isinstance(status, RagFileStatus)
        if status.embedding_status == "ready":
            return status


def check_search(client: MeshAPI, file_id: str) -> None:
    results = client.rag.search(SearchRequest(query="onboarding process", top_k=5))
    assert isinstance(results, SearchResponse)
    lines = [f"{result.score:.4f} {result.text}" for result in results.results]
    assert "onboarding process" in lines[0]
    assert isinstance(results.results[0], SearchResult)
    assert results.results[0].file_id == file_id


def test_a_document_is_put_to_its_signed_url(client):
    httpx = pytest.importorskip("httpx", reason="needs the extra `interop`")
    upload = client.rag.init_upload(
        InitUploadRequest(file_name="handbook.txt", mime_type="text/plain")
    )
    assert isinstance(upload, InitUploadResponse)
    httpx.put(
        upload.signed_url, content=HANDBOOK, headers={"Content-Type": "text/plain"}
    ).raise_for_status()
    assert client.rag.get(upload.file_id).upload_status == "ready"
    embedded = client.rag.embed(BulkEmbedRequest(file_ids=[upload.file_id]))
    assert isinstance(embedded, BulkEmbedResponse)
    until_ready(client, upload.file_id)
    check_search(client, upload.file_id)


def test_a_document_is_uploaded_in_one_step(client):
    upload = client.rag.upload_file(
        file_name="handbook.txt", mime_type="text/plain", content=HANDBOOK
    )
    client.rag.embed(BulkEmbedRequest(file_ids=[upload.file_id]))
    until_ready(client, upload.file_id)
    check_search(client, upload.file_id)
    page = client.rag.list(limit=50)
    assert isinstance(page, RagFileListResponse)
    assert f"{page.total} total files" == "1 total files"


def test_an_upload_has_parameters_too(client):
    upload = client.rag.upload_file(
        UploadFileParams(
            file_name="handbook.txt", mime_type="text/plain", content=HANDBOOK, embed=True
        )
    )
    assert until_ready(client, upload.file_id).file_name == "handbook.txt"


def test_the_same_steps_on_asyncio(url):
    async def main():
        async with AsyncMeshAPI(base_url=url, token=TOKEN) as client:
            upload = await client.rag.upload_file(
                file_name="handbook.txt", mime_type="text/plain", content=HANDBOOK, embed=True
            )
            while (await client.rag.get(upload.file_id)).embedding_status != "ready":
                pass
            return await client.rag.search(SearchRequest(query="lunch", top_k=1))

    assert "noon" in asyncio.run(main()).results[0].text


def test_a_client_has_every_resource_of_the_page(client):
    resources = {"audio", "batches", "chat", "compare", "embeddings", "files", "images", "models"}
    resources |= {"moderations", "rag", "realtime", "responses", "router", "templates", "videos"}
    resources |= {"web", "documents"}
    assert {name for name in resources if not hasattr(client, name)} == set()
