"""A client of httpx in place of our own connections, as the README of 0.1.0 has it."""

import asyncio

import pytest
from interop.questions import TOKEN, ask

from meshapi import (
    AsyncMeshAPI,
    MeshAPI,
)

HANDBOOK = b"Our onboarding process takes two days. Ask Ada for a desk.\n\nLunch is at noon.\n"


def test_requests_go_through_an_injected_client(gateway, url):
    httpx = pytest.importorskip("httpx", reason="needs the extra `interop`")
    with httpx.Client(headers={"X-Corporate": "yes"}) as theirs:
        client = MeshAPI(base_url=url, token=TOKEN, httpx_client=theirs)
        assert client.chat.completions.create(ask("What is 2+2?")).choices
        assert list(client.chat.completions.stream(ask("Count to 3.")))
        client.rag.upload_file(file_name="a.txt", mime_type="text/plain", content=HANDBOOK)
        client.close()
        assert not theirs.is_closed
    seen = {request.method + request.path[:9]: request for request in gateway.requests}
    assert seen["POST/v1/chat/"].headers["x-corporate"] == "yes"
    assert "x-corporate" not in seen["PUT/storage/"].headers


def test_requests_go_through_an_injected_client_on_asyncio(url):
    httpx = pytest.importorskip("httpx", reason="needs the extra `interop`")

    async def main():
        async with httpx.AsyncClient() as theirs:
            async with AsyncMeshAPI(base_url=url, token=TOKEN, async_httpx_client=theirs) as client:
                response = await client.chat.completions.create(ask("What is 2+2?"))
                chunks = [c async for c in client.chat.completions.stream(ask("Count to 3."))]
            return response, chunks, theirs.is_closed

    response, chunks, is_closed = asyncio.run(main())
    assert response.choices
    assert chunks
    assert not is_closed
