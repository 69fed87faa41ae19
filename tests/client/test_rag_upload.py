"""The upload of a document: two requests to two servers, on every flavour."""

import io
from pathlib import Path
from typing import Any, Optional

import pytest

from meshapi import APIConnectionError, MeshAPIError, PermissionDeniedError
from meshapi_core.types.rag import InitUploadResponse, UploadFileParams
from support.flavours import TOKEN, World, on_every_flavour
from support.scripted_server import ScriptedServer, answering
from support.wire import dump, failed, make_response

STORED = make_response(200, b"", kind="")
SIGNATURE = "X-Signature=s3cret"
REFUSED = make_response(
    403,
    b"<Error><Code>SignatureDoesNotMatch</Code><Message>X-Signature=s3cret</Message></Error>",
    kind="application/xml",
)
CONTENT = bytes(range(256)) * 1000


def initiated(storage: ScriptedServer) -> bytes:
    """The gateway's response that directs the upload to this storage."""
    url = f"{storage.url}/bucket/f%201?{SIGNATURE}"
    return make_response(200, dump({"file_id": "f", "signed_url": url, "expires_at": "soon"}))


async def upload(client: Any, content: Any, **more: Any) -> InitUploadResponse:
    response = await client.rag.upload_file(
        file_name="a.bin", mime_type="application/octet-stream", content=content, **more
    )
    assert isinstance(response, InitUploadResponse)
    return response


@on_every_flavour
async def test_the_content_goes_to_the_storage_and_nothing_else_does(world: World) -> None:
    with ScriptedServer(answering(STORED)) as storage:
        with ScriptedServer(answering(initiated(storage))) as gateway:
            async with world.client(gateway.url) as client:
                response = await upload(client, CONTENT, embed=False)
            (init,) = gateway.requests
        (put,) = storage.requests
    assert response.file_id == "f"
    assert response.raw["expires_at"] == "soon"
    assert init.json() == {
        "file_name": "a.bin",
        "mime_type": "application/octet-stream",
        "embed": False,
    }
    assert put.line == f"PUT /bucket/f%201?{SIGNATURE} HTTP/1.1".encode()
    assert put.body == CONTENT
    assert set(put.headers) == {"host", "content-type", "content-length"}
    assert put.headers["content-type"] == "application/octet-stream"
    assert TOKEN.encode() not in put.head


@pytest.mark.parametrize("kind", ["path", "str", "open", "bytearray", "list"])
@on_every_flavour
async def test_content_of_every_kind(world: World, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    with ScriptedServer(answering(STORED)) as storage:
        with ScriptedServer(answering(initiated(storage))) as gateway:
            async with world.client(gateway.url) as client:
                with path.open("rb") as file:
                    contents = {
                        "path": path,
                        "str": str(path),
                        "open": file,
                        "bytearray": bytearray(CONTENT),
                        "list": [CONTENT[:7], b"", CONTENT[7:]],
                    }
                    params = UploadFileParams(
                        file_name="a.bin", mime_type="text/plain", content=contents[kind]
                    )
                    await client.rag.upload_file(params)
        (put,) = storage.requests
    assert put.body == CONTENT
    assert put.headers["content-type"] == "text/plain"


@on_every_flavour
async def test_a_storage_that_is_busy_is_asked_again(world: World) -> None:
    """Other clients never retried the PUT."""
    busy = make_response(503, b"<Error><Code>SlowDown</Code></Error>", kind="application/xml")
    with ScriptedServer(answering(busy, busy, STORED)) as storage:
        with ScriptedServer(answering(initiated(storage))) as gateway:
            async with world.client(gateway.url) as client:
                await upload(client, io.BytesIO(CONTENT))
            assert len(gateway.requests) == 1
        assert [request.body for request in storage.requests] == [CONTENT] * 3


@on_every_flavour
async def test_a_refusal_is_one_of_ours_and_shows_no_signature(world: World) -> None:
    """Other clients raised the error of a library, with the signed URL in its message."""
    with (
        ScriptedServer(answering(REFUSED)) as storage,
        ScriptedServer(answering(initiated(storage))) as gateway,
    ):
        async with world.client(gateway.url) as client:
            with pytest.raises(PermissionDeniedError) as caught:
                await upload(client, CONTENT)
    assert caught.value.provider_code == "SignatureDoesNotMatch"
    assert_secret(caught.value)


@on_every_flavour
async def test_a_storage_that_is_not_there_is_one_of_ours_too(world: World) -> None:
    with ScriptedServer(answering(STORED)) as storage:
        response = initiated(storage)
    with ScriptedServer(answering(response)) as gateway:
        async with world.client(gateway.url) as client:
            with pytest.raises(APIConnectionError) as caught:
                await upload(client, CONTENT)
    assert_secret(caught.value)


@pytest.mark.parametrize("url", ["", "not a url", f"ftp://example.com/f?{SIGNATURE}"])
@on_every_flavour
async def test_a_response_without_a_usable_url_is_an_error(world: World, url: str) -> None:
    response = make_response(200, dump({"file_id": "f", "signed_url": url}))
    with ScriptedServer(answering(response)) as gateway:
        async with world.client(gateway.url) as client:
            with pytest.raises(MeshAPIError) as caught:
                await upload(client, CONTENT)
    assert_secret(caught.value)


@on_every_flavour
async def test_nothing_goes_to_the_storage_where_the_gateway_refuses(world: World) -> None:
    with ScriptedServer(answering(failed(422, "validation_error"))) as gateway:
        async with world.client(gateway.url) as client:
            with pytest.raises(MeshAPIError) as caught:
                await upload(client, CONTENT)
    assert caught.value.error_code == "validation_error"


@pytest.mark.parametrize("kind", ["text/plain\r\nX-Evil: 1", "a/b ", "a\0b", "tëxt/x"])
@on_every_flavour
async def test_a_type_that_is_no_header_is_refused_before_anything_is_sent(
    world: World, kind: str
) -> None:
    with ScriptedServer(answering()) as gateway:
        async with world.client(gateway.url) as client:
            with pytest.raises(ValueError, match="mime_type"):
                await client.rag.upload_file(file_name="a", mime_type=kind, content=b"")
        assert gateway.requests == []


def assert_secret(error: BaseException) -> None:
    seen: Optional[BaseException] = error
    while seen is not None:
        assert "s3cret" not in f"{seen!r} {seen} {vars(seen)}"
        seen = seen.__cause__ or seen.__context__


@on_every_flavour
async def test_a_missing_file_is_noticed_before_anything_is_sent(world: World) -> None:
    with ScriptedServer(lambda peer: None) as server:
        async with world.client(server.url) as client:
            with pytest.raises(FileNotFoundError):
                await client.rag.upload_file(
                    file_name="a.txt", mime_type="text/plain", content="no/such/file.txt"
                )
        assert server.connections == 0
