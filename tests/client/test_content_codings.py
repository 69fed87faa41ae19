"""Responses that are compressed unasked: the right value, or an error that names the coding.

On every flavour, over our own connections and over an injected httpx client.
"""

import contextlib
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from meshapi import (
    APIConnectionError,
    MeshAPIError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from support.codings import CODERS
from support.flavours import ASK, World, on_every_flavour
from support.scripted_server import Peer, Script, ScriptedServer
from support.turns import by_turns
from support.wire import chunk, completion, dump, frame, make_response, texts

FIELD = {"sync": "httpx_client", "asyncio": "async_httpx_client", "trio": "async_httpx_client"}

over_both_transports = pytest.mark.parametrize("over", ["own", "httpx"])
in_every_coding = pytest.mark.parametrize("coding", sorted(CODERS))


@contextlib.asynccontextmanager
async def client_over(world: World, over: str, url: str, **hooks: Any) -> AsyncIterator[Any]:
    if over == "own":
        async with world.client(url) as client:
            yield client
        return
    options = {"verify": False, "trust_env": False, **hooks}
    if world.name == "sync":
        with httpx.Client(**options) as http:
            async with world.client(url, httpx_client=http) as client:
                yield client
    else:
        http = httpx.AsyncClient(**options)
        async with http, world.client(url, async_httpx_client=http) as client:
            yield client


def coded(status: int, body: bytes, coding: str = "gzip", kind: str = "application/json") -> bytes:
    name, encode = CODERS[coding]
    return make_response(status, encode(body), f"Content-Encoding: {name}", kind=kind)


def fixed(response: bytes) -> Script:
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(response)

    return script


async def collected(stream: Any) -> list[Any]:
    return [item async for item in stream]


@by_turns
@in_every_coding
@over_both_transports
@on_every_flavour
async def test_every_kind_of_response_is_decoded(world: World, over: str, coding: str) -> None:
    lines = b'{"custom_id":"1"}\n' * 1000
    responses: list[tuple[bytes, str, Callable[[Any], Any], Callable[[Any], Any], Any]] = [
        (
            dump(completion("pong")),
            "application/json",
            lambda c: c.chat.completions.create(**ASK),
            lambda response: response.choices[0].message.content,
            "pong",
        ),
        (
            b"".join(texts("po", "ng")),
            "text/event-stream",
            lambda c: collected(c.chat.completions.stream(**ASK)),
            lambda chunks: "".join(each.choices[0].delta.content or "" for each in chunks),
            "pong",
        ),
        (lines, "application/jsonl", lambda c: c.files.content("f"), bytes, lines),
        (
            lines,
            "application/jsonl",
            lambda c: collected(c.files.stream("f")),
            b"".join,
            lines,
        ),
        (
            b"RIFF....",
            "audio/wav",
            lambda c: c.audio.synthesize(model="m", input="x"),
            bytes,
            b"RIFF....",
        ),
        (
            b"hello",
            "text/plain",
            lambda c: c.audio.transcribe(b"x", model="m", response_format="text"),
            lambda response: response.text,
            "hello",
        ),
    ]
    for body, kind, call, read, expected in responses:
        with ScriptedServer(fixed(coded(200, body, coding, kind))) as server:
            async with client_over(world, over, server.url) as client:
                assert read(await call(client)) == expected


@over_both_transports
@on_every_flavour
async def test_an_error_body_is_decoded(world: World, over: str) -> None:
    body = dump({"error": {"message": "slow down", "code": "rate_limit_exceeded"}})
    with ScriptedServer(fixed(coded(429, body))) as server:
        async with client_over(world, over, server.url) as client:
            for call in (
                lambda: client.chat.completions.create(**ASK),
                lambda: collected(client.chat.completions.stream(**ASK)),
            ):
                with pytest.raises(RateLimitError, match=r"^slow down \(429 ") as caught:
                    await call()
                assert caught.value.headers["content-encoding"] == "gzip"


@over_both_transports
@on_every_flavour
async def test_what_lies_about_its_coding_is_an_error_that_names_it(
    world: World, over: str
) -> None:
    lie = make_response(200, dump(completion("pong")), "Content-Encoding: gzip")
    with ScriptedServer(fixed(lie)) as server:
        async with client_over(world, over, server.url) as client:
            with pytest.raises(ResponseDecodeError, match="Content-Encoding: gzip") as caught:
                await client.chat.completions.create(**ASK)
            assert caught.value.request_id == "req_01TEST"
            with pytest.raises(ResponseDecodeError, match="Content-Encoding: gzip"):
                await collected(client.files.stream("f"))
    lie = make_response(
        429, dump({"error": {"message": "slow down"}}), "Content-Encoding: br, gzip"
    )
    with ScriptedServer(fixed(lie)) as server:
        async with client_over(world, over, server.url) as client:
            with pytest.raises(RateLimitError, match=r"slow down.*Content-Encoding: br, gzip"):
                await client.chat.completions.create(**ASK)


@on_every_flavour
async def test_what_is_done_is_done_whatever_its_body_is(world: World) -> None:
    for fields in ("Content-Encoding: gzip", "Content-Encoding: unknown"):
        with ScriptedServer(fixed(make_response(200, b"done", fields))) as server:
            async with world.client(server.url) as client:
                await client.files.delete("f")


@over_both_transports
@on_every_flavour
async def test_a_body_that_ends_before_its_coding_is_an_error(world: World, over: str) -> None:
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(frame(chunk("po"))) + packer.flush(zlib.Z_SYNC_FLUSH)
    cut = make_response(200, body, "Content-Encoding: gzip", kind="text/event-stream")
    with ScriptedServer(fixed(cut)) as server:
        async with client_over(world, over, server.url) as client:
            with pytest.raises(StreamInterruptedError, match="gzip") as caught:
                await collected(client.chat.completions.stream(**ASK))
            assert caught.value.partial.choices[0].message.content == "po"
            with pytest.raises(APIConnectionError, match="gzip") as lost:
                await client.files.content("f")
            assert lost.value.error_code == "truncated"
            assert lost.value.request_id == "req_01TEST"


@over_both_transports
@on_every_flavour
async def test_events_come_as_they_are_compressed_not_at_the_end(world: World, over: str) -> None:
    def script(peer: Peer) -> None:
        peer.receive()
        packer = zlib.compressobj(wbits=31)
        fields = "Content-Encoding: gzip\r\nContent-Type: text/event-stream"
        peer.send(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode())
        peer.send(packer.compress(frame(chunk("po"))) + packer.flush(zlib.Z_SYNC_FLUSH))
        peer.server.healthy.wait(5)
        peer.send(packer.compress(b"".join(texts("ng"))) + packer.flush())

    with ScriptedServer(script) as server:
        async with client_over(world, over, server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            first = await stream.__anext__()
            assert first.choices[0].delta.content == "po"
            server.healthy.set()
            rest = await collected(stream)
            assert rest[0].choices[0].delta.content == "ng"


@on_every_flavour
async def test_a_hook_of_httpx_may_have_read_and_so_decoded_the_body(world: World) -> None:
    async def read(response: Any) -> None:
        await response.aread()

    hook = (lambda response: response.read()) if world.name == "sync" else read
    for coding in sorted(CODERS):
        with ScriptedServer(fixed(coded(200, dump(completion("pong")), coding))) as server:
            hooks = {"event_hooks": {"response": [hook]}}
            async with client_over(world, "httpx", server.url, **hooks) as client:
                result = await client.chat.completions.create(**ASK)
        assert result.choices[0].message.content == "pong"


@over_both_transports
@on_every_flavour
async def test_nobody_asks_for_a_coding_but_the_caller_may(world: World, over: str) -> None:
    with ScriptedServer(fixed(coded(200, dump(completion("pong"))))) as server:
        async with client_over(world, over, server.url) as client:
            await client.chat.completions.create(**ASK)
            asking = client.with_options(extra_headers={"Accept-Encoding": "gzip"})
            response = await asking.chat.completions.create(**ASK)
        plain, asked = server.requests
    assert response.choices[0].message.content == "pong"
    assert plain.headers["accept-encoding"] == "identity"
    assert asked.headers["accept-encoding"] == "gzip"


@on_every_flavour
async def test_the_refusal_of_a_session_is_decoded(world: World) -> None:
    body = gzip.compress(dump({"error": {"message": "no such model", "code": "model_not_found"}}))
    response = make_response(404, body, "Content-Encoding: gzip")
    with ScriptedServer(fixed(response)) as server:
        async with world.client(server.url, max_retries=0) as client:
            with pytest.raises(MeshAPIError, match="no such model"):
                await client.realtime.connect(model="m")
