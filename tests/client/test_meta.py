"""`.meta` of responses, streams and errors, and `client.with_raw_response`."""

import asyncio
import copy
import gc
import gzip
import inspect
import json
import pickle
import weakref
from pathlib import Path
from typing import Any

import pytest
from client.test_content_codings import client_over, collected, over_both_transports
from client.test_secrets import ECHOES, fixed, seen

from meshapi import (
    AsyncMeshAPI,
    ChatCompletionResponse,
    ChatCompletionStream,
    InternalServerError,
    MeshAPI,
    MeshAPIError,
    RateLimitError,
    RawResponse,
    ResponseDecodeError,
    ResponseMeta,
    RetryPolicy,
    StreamInterruptedError,
)
from meshapi_core.accumulators.chat import ChatAccumulator
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import (
    REQUEST_ID,
    chunked,
    completion,
    dump,
    failed,
    make_response,
    serve,
    stream_head,
    texts,
)

SPEECH = {"model": "m", "input": "hi", "voice": "alloy"}
LIMITS = (
    "X-RateLimit-Limit-Requests: 60",
    "X-RateLimit-Remaining-Requests: 59",
    "X-RateLimit-Reset-Requests: 1s",
)
PONG = make_response(200, dump(completion("pong")), *LIMITS, "X-Mesh-Version: 2026-09")
STREAM = stream_head(*LIMITS) + chunked(*texts("po", "ng"))


def busy_first(response: bytes) -> Any:
    """A script: a 503, and then this response."""

    def script(peer: Peer) -> None:
        for number, _ in enumerate(peer.requests()):
            peer.send(response if number else failed(503, "busy", "no", "Retry-After: 0"))

    return script


def always(response: bytes) -> Any:
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(response)

    return script


# What a response tells


@over_both_transports
@on_every_flavour
async def test_a_response_tells_about_its_call(world: World, over: str) -> None:
    with ScriptedServer(busy_first(PONG)) as server:
        async with client_over(world, over, server.url) as client:
            before = world.network.now()
            response = await client.chat.completions.create(**ASK)
            took = world.network.now() - before
            meta = response.meta
            again = await client.chat.completions.create(**ASK)
    assert type(meta) is ResponseMeta
    assert (meta.status, meta.attempts, meta.request_id) == (200, 2, REQUEST_ID)
    assert 0 < meta.elapsed <= took
    assert again.meta.attempts == 1
    assert meta.headers["X-RATELIMIT-LIMIT-REQUESTS"] == "60"
    assert (meta.rate_limits.requests.remaining, meta.rate_limits.requests.reset) == (59, 1.0)
    assert meta.api_version == "2026-09"
    assert meta is response.meta
    assert TOKEN not in str(meta.headers) + repr(meta)


@on_every_flavour
async def test_it_takes_no_part_in_what_the_response_says(world: World) -> None:
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            one = await client.chat.completions.create(**ASK)
            other = await client.chat.completions.create(**ASK)
    assert one == other
    assert "meta" not in one.model_dump()
    assert "meta" not in repr(one)
    for twin in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert twin.meta == one.meta
        assert twin.meta.headers.raw == one.meta.headers.raw
    assert ChatCompletionResponse.model_validate(one.model_dump()).meta.status == 0
    assert not hasattr(one.choices[0], "meta")


@on_every_flavour
async def test_a_list_has_it_and_a_field_of_that_name_is_in_raw(world: World) -> None:
    def script(peer: Peer) -> None:
        for request in peer.requests():
            row = {"id": "a", "meta": 1}
            is_list = b"/v1/models" in request.line
            body = [row] if is_list else {"id": "resp_1", "output": [], "meta": {"server": 1}}
            peer.send(make_response(200, dump(body)))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            rows = await client.models.list()
            response = await client.responses.create(input="hi")
    assert (rows.meta.status, rows.meta.request_id, rows.meta.attempts) == (200, REQUEST_ID, 1)
    assert pickle.loads(pickle.dumps(rows)).meta == rows.meta
    assert rows[0].meta.status == 0
    assert response.meta.status == 200
    assert response.raw["meta"] == {"server": 1}
    assert response.model_extra["meta"] == {"server": 1}


@on_every_flavour
async def test_a_compressed_response_and_one_that_was_streamed_unasked_have_it(
    world: World,
) -> None:
    coded = gzip.compress(dump(completion("pong")))
    for body in (make_response(200, coded, "Content-Encoding: gzip", *LIMITS), STREAM):
        with ScriptedServer(always(body)) as server:
            async with world.client(server.url) as client:
                response = await client.chat.completions.create(**ASK)
        assert response.choices[0].message.text == "pong"
        assert (response.meta.status, response.meta.attempts) == (200, 1)
        assert response.meta.rate_limits.requests.limit == 60


# Streams


@over_both_transports
@on_every_flavour
async def test_a_stream_has_it_when_its_head_has_come(world: World, over: str) -> None:
    with ScriptedServer(always(STREAM)) as server:
        async with client_over(world, over, server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            assert stream.meta == ResponseMeta()
            async with stream:
                meta = stream.meta
                assert (meta.status, meta.attempts, meta.request_id) == (200, 1, REQUEST_ID)
                assert meta.elapsed > 0
                assert meta.rate_limits.requests.limit == 60
                chunks = [chunk async for chunk in stream]
            assert stream.meta == meta
    assert [chunk.meta for chunk in chunks] == [meta] * len(chunks)
    assert chunks[0].meta is chunks[1].meta
    accumulator = ChatAccumulator()
    for chunk in chunks:
        accumulator.add(chunk)
    whole = accumulator.partial()
    assert whole is not None
    assert (whole.choices[0].message.text, whole.meta, whole.raw) == ("pong", meta, None)


@over_both_transports
@on_every_flavour
async def test_a_byte_stream_has_it_too(world: World, over: str) -> None:
    body = b"\xff\xf3" * 50
    with ScriptedServer(always(make_response(200, body, *LIMITS, kind="audio/mpeg"))) as server:
        async with client_over(world, over, server.url) as client:
            stream = client.audio.stream(**SPEECH)
            assert b"".join([piece async for piece in stream]) == body
            assert (stream.meta.status, stream.meta.attempts) == (200, 1)
            assert stream.meta.rate_limits.requests.limit == 60


@on_every_flavour
async def test_the_partial_response_of_a_stream_has_it(world: World) -> None:
    with ScriptedServer(fixed(stream_head() + chunked(*texts("po")[:1]))) as server:
        async with world.client(server.url) as client:
            with pytest.raises(StreamInterruptedError) as caught:
                await collected(client.chat.completions.stream(**ASK))
    partial = caught.value.partial
    assert partial.choices[0].message.text == "po"
    assert (partial.meta.status, partial.meta.request_id) == (200, REQUEST_ID)
    assert caught.value.attempts == 1
    assert caught.value.elapsed > 0


@pytest.mark.parametrize("call", ["chat", "speech"])
@over_both_transports
@on_every_flavour
async def test_the_error_of_a_stream_has_the_status_of_the_head(
    world: World, over: str, call: str
) -> None:
    kind = "text/event-stream" if call == "chat" else "audio/mpeg"
    body = b"".join(texts("po")[:1]) if call == "chat" else b"\xff\xf3" * 50
    whole = make_response(201, body + b"x", *LIMITS, kind=kind)
    with ScriptedServer(fixed(whole[:-1])) as server:
        async with client_over(world, over, server.url) as client:
            chat = call == "chat"
            stream = (
                client.chat.completions.stream(**ASK) if chat else client.audio.stream(**SPEECH)
            )
            with pytest.raises(StreamInterruptedError) as caught:
                await collected(stream)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert (error.status, error.meta.status, error.meta.attempts) == (0, 201, 1)
        assert error.meta.rate_limits.requests.limit == 60


@on_every_flavour
async def test_an_error_in_a_stream_has_the_status_of_the_head(world: World) -> None:
    event = b'data: {"error": {"code": "rate_limit_exceeded", "message": "no"}}\n\n'
    with ScriptedServer(fixed(stream_head() + chunked(*texts("po")[:1], event))) as server:
        async with world.client(server.url) as client:
            with pytest.raises(RateLimitError) as caught:
                await collected(client.chat.completions.stream(**ASK))
    assert (caught.value.status, caught.value.meta.status) == (0, 200)


# Errors


@over_both_transports
@on_every_flavour
async def test_an_error_tells_how_many_attempts_there_were(world: World, over: str) -> None:
    refusal = failed(429, "rate_limit_exceeded", "no", "Retry-After: 0", *LIMITS)
    with ScriptedServer(always(refusal)) as server:
        async with client_over(world, over, server.url) as client:
            client = client.with_options(retry=RetryPolicy(max_retries=2, initial_delay=0.001))
            with pytest.raises(RateLimitError) as caught:
                await client.chat.completions.create(**ASK)
    error = caught.value
    assert error.attempts == 3
    assert error.elapsed > 0
    assert (error.meta.status, error.meta.attempts, error.meta.elapsed) == (429, 3, error.elapsed)
    assert error.meta.rate_limits.requests.remaining == 59


# Raw responses


@over_both_transports
@on_every_flavour
async def test_a_raw_response_is_as_it_came(world: World, over: str) -> None:
    with ScriptedServer(busy_first(PONG)) as server:
        async with client_over(world, over, server.url) as client:
            raw = await client.with_raw_response.chat.completions.create(**ASK)
            response = await client.chat.completions.create(**ASK)
        first, *_, last = server.requests
    assert type(raw) is RawResponse
    assert (raw.status, raw.request_id, raw.meta.attempts) == (200, REQUEST_ID, 2)
    assert raw.content == dump(completion("pong"))
    assert raw.text == raw.content.decode()
    assert raw.json() == completion("pong")
    assert raw.headers["x-mesh-version"] == "2026-09"
    parsed = raw.parse()
    assert type(parsed) is ChatCompletionResponse
    assert parsed is raw.parse()
    assert parsed == response
    assert parsed.raw == response.raw
    assert parsed.meta == raw.meta
    assert parsed.meta.headers == response.meta.headers
    assert first.body == last.body
    assert first.headers["accept"] == last.headers["accept"]
    assert repr(raw) == f"<RawResponse 200 ({len(raw.content)} bytes)>"


@on_every_flavour
async def test_of_every_kind_of_response(world: World) -> None:
    def script(peer: Peer) -> None:
        for request in peer.requests():
            if b"/v1/audio" in request.line:
                peer.send(make_response(200, b"\xff\xf3" * 9, kind="audio/mpeg"))
            elif request.line.startswith(b"DELETE"):
                peer.send(make_response(200, b"\x00", "Content-Encoding: gzip"))
            else:
                peer.send(make_response(200, b'[{"id": "a"}]'))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            raw = client.with_raw_response
            speech = await raw.audio.synthesize(**SPEECH)
            models = await raw.models.list()
            deleted = await raw.templates.delete("t")
    assert speech.parse() == speech.content == b"\xff\xf3" * 9
    assert [row.id for row in models.parse()] == ["a"]
    assert models.parse().meta == models.meta
    assert deleted.parse() is None
    assert deleted.status == 200


@on_every_flavour
async def test_a_compressed_body_is_decompressed(world: World) -> None:
    plain = dump(completion("pong"))
    response = make_response(200, gzip.compress(plain), "Content-Encoding: gzip")
    with ScriptedServer(always(response)) as server:
        async with world.client(server.url) as client:
            raw = await client.with_raw_response.chat.completions.create(**ASK)
    assert raw.content == plain
    assert raw.headers["content-encoding"] == "gzip"
    assert raw.parse().choices[0].message.text == "pong"


@over_both_transports
@on_every_flavour
async def test_errors_raise_and_odd_bodies_raise_when_they_are_parsed(
    world: World, over: str
) -> None:
    busy = failed(500, "internal_error")
    with ScriptedServer(always(busy)) as server:
        async with client_over(world, over, server.url) as client:
            with pytest.raises(InternalServerError):
                await client.with_raw_response.chat.completions.create(**ASK)
    for body, kind in (
        (dump({"error": {"code": "rate_limit_exceeded", "message": "no"}}), RateLimitError),
        (b"<html>", ResponseDecodeError),
    ):
        with ScriptedServer(always(make_response(200, body))) as server:
            async with client_over(world, over, server.url) as client:
                raw = await client.with_raw_response.chat.completions.create(**ASK)
                with pytest.raises(kind) as plain:
                    await client.chat.completions.create(**ASK)
        for _ in range(2):
            with pytest.raises(kind) as caught:
                raw.parse()
            assert str(caught.value) == str(plain.value)
            assert caught.value.error_code == plain.value.error_code
            assert caught.value.attempts == plain.value.attempts == 1
        assert raw.content == body
    with pytest.raises(ResponseDecodeError) as caught:
        raw.json()
    assert (caught.value.status, caught.value.request_id) == (200, REQUEST_ID)


@pytest.mark.parametrize("echo", ECHOES)
@on_every_flavour
async def test_no_error_shows_a_token_that_the_gateway_quotes(world: World, echo: str) -> None:
    with ScriptedServer(fixed(ECHOES[echo])) as server:
        async with world.client(server.url) as client:
            told = ""
            try:
                raw = await client.with_raw_response.chat.completions.create(**ASK)
            except MeshAPIError as exc:
                told += seen(exc)
            else:
                told += repr(raw)
                for read in (raw.parse, raw.json):
                    try:
                        read()
                    except MeshAPIError as exc:
                        told += seen(exc)
    assert TOKEN not in told
    assert TOKEN[:20] not in told


@on_every_flavour
async def test_options_may_be_set_before_or_after(world: World) -> None:
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            options: Any = {"extra_headers": {"X-Team": "a"}}
            for view in (
                client.with_options(**options).with_raw_response,
                client.with_raw_response.with_options(**options),
            ):
                raw = await view.chat.completions.create(**ASK)
                assert raw.parse().choices[0].message.text == "pong"
            await client.with_raw_response.chat.completions.create(**ASK)
        teams = [request.headers.get("x-team") for request in server.requests]
    assert teams == ["a", "a", None]
    assert server.connections == 1


@on_every_flavour
async def test_streams_are_those_of_the_client(world: World) -> None:
    with ScriptedServer(always(STREAM)) as server:
        async with world.client(server.url) as client:
            stream = client.with_raw_response.chat.completions.stream(**ASK)
            assert "".join([chunk.text async for chunk in stream]) == "pong"
            assert stream.headers["x-request-id"] == REQUEST_ID


@on_every_flavour
async def test_several_calls_have_no_raw_response(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"hello")
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            raw = client.with_raw_response
            with pytest.raises(TypeError, match=r"^this method makes several calls"):
                await raw.rag.upload_file(path)
            with pytest.raises(TypeError, match=r"^this method makes several calls"):
                await raw.chat.completions.parse(**ASK, response_format=int)
            with pytest.raises(TypeError, match=r"^this method makes several calls"):
                raw.chat.completions.run_tools(**ASK, tools=[])
        assert server.requests == []


def test_a_view_is_kept_and_keeps_nothing_alive() -> None:
    client = MeshAPI(base_url="http://127.0.0.1:9", token=TOKEN)
    view = client.with_raw_response
    assert view is client.with_raw_response
    assert TOKEN not in repr(view) + str(vars(view))
    assert not hasattr(view, "close")
    known = weakref.ref(client)
    gc.disable()
    try:
        del client, view
        assert known() is None
    finally:
        gc.enable()


def test_a_raw_response_is_not_pickled() -> None:
    with ScriptedServer(serve) as server, MeshAPI(base_url=server.url, token=TOKEN) as client:
        raw = client.with_raw_response.chat.completions.create(**ASK)
    for make in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"copy what parse\(\) returns"):
            make(raw)
    assert json.loads(raw.content) == raw.json()


def test_the_signatures_say_what_is_returned() -> None:
    with MeshAPI(base_url="http://127.0.0.1:9", token=TOKEN) as client:
        raw = client.with_raw_response
        create = raw.chat.completions.create
        assert inspect.signature(create).return_annotation == RawResponse[ChatCompletionResponse]
        assert create.__doc__ == client.chat.completions.create.__doc__
        stream = raw.chat.completions.stream
        assert inspect.signature(stream).return_annotation is ChatCompletionStream
    other = AsyncMeshAPI(base_url="http://127.0.0.1:9", token=TOKEN)
    assert inspect.iscoroutinefunction(other.with_raw_response.chat.completions.create)
    asyncio.run(other.aclose())
