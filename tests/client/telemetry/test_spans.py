"""The spans of calls: one of each call, with its parent, its name and its attributes."""

import asyncio
import contextvars
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from client.test_tour import STOPS, chunks_of
from opentelemetry.trace import SpanKind, StatusCode

from meshapi import AsyncMeshAPI, MeshAPI
from meshapi.testing import LocalGateway
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.telemetry import OVERS, Telemetry, traced
from support.turns import by_turns
from support.wire import chunk, completion, dump, frame, make_response, serve, streamed

CHAT = "openai/gpt-4o-mini"
MESSAGES = [{"role": "user", "content": "What is 2+2?"}]


@pytest.fixture(scope="module")
def shared_gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


@pytest.fixture
def gateway(shared_gateway: LocalGateway) -> LocalGateway:
    shared_gateway.reset()
    return shared_gateway


over_everything = pytest.mark.parametrize("over", OVERS)


@over_everything
@on_every_flavour
async def test_a_call_is_one_span(world: World, over: str, gateway: LocalGateway) -> None:
    telemetry = Telemetry()
    async with traced(world, gateway.url, telemetry, over) as client:
        with telemetry.tracer.start_as_current_span("parent") as parent:
            response = await client.chat.completions.create(
                model=CHAT, messages=MESSAGES, temperature=0.5, max_tokens=20
            )
    span, attributes = telemetry.span, telemetry.attributes
    assert (span.name, span.kind) == (f"chat {CHAT}", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert span.parent == parent.get_span_context()
    assert list(span.events) == []
    assert attributes.pop("gen_ai.response.id") == response.id
    assert attributes.pop("meshapi.request_id") == response.meta.request_id
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "meshapi",
        "gen_ai.request.model": CHAT,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 20,
        "gen_ai.response.model": response.model,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": response.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": response.usage.completion_tokens,
        "server.address": "127.0.0.1",
        "server.port": int(gateway.url.rpartition(":")[2]),
        "http.response.status_code": 200,
        "meshapi.attempts": 1,
    }


@over_everything
@on_every_flavour
async def test_a_stream_is_one_span(world: World, over: str, gateway: LocalGateway) -> None:
    telemetry = Telemetry()
    async with traced(world, gateway.url, telemetry, over) as client:
        stream = client.chat.completions.stream(
            model=CHAT, messages=MESSAGES, stream_options={"include_usage": True}
        )
        chunks = await chunks_of(stream)
    span, attributes = telemetry.span, telemetry.attributes
    assert span.name == f"chat {CHAT}"
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["gen_ai.usage.output_tokens"] == chunks[-1].usage.completion_tokens
    assert span.start_time is not None
    assert span.end_time is not None
    seconds = (span.end_time - span.start_time) / 1e9
    assert 0 < attributes["gen_ai.response.time_to_first_chunk"] <= seconds
    assert "meshapi.closed" not in attributes


@on_every_flavour
async def test_a_stream_has_no_usage_if_none_was_sent(world: World) -> None:
    telemetry = Telemetry()
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            await chunks_of(client.chat.completions.stream(**ASK))
    assert not [name for name in telemetry.attributes if "usage" in name]
    assert not [name for name in telemetry.points() if "tokens" in name]


@pytest.mark.slow
@by_turns
@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.__name__)
@on_every_flavour
async def test_every_request_of_the_tour_has_its_span(
    world: World, stop: Any, gateway: LocalGateway
) -> None:
    telemetry = Telemetry(traces={"content_mode": "content"})
    if stop.__name__ == "the_small_ones":
        async with world.client(gateway.url) as client:
            await client.chat.completions.create(**ASK)
            gateway.reset()
            await client.chat.completions.create(**ASK)
    before = len(gateway.requests)
    async with traced(world, gateway.url, telemetry) as client:
        await stop(client)
    sent = gateway.requests[before:]
    spans = telemetry.spans
    assert len(spans) == len(sent)
    for span in spans:
        found = dict(span.attributes or {})
        assert span.kind is SpanKind.CLIENT
        assert span.status.status_code is StatusCode.UNSET
        assert found["http.response.status_code"] < 400
        assert found["meshapi.attempts"] == 1
        assert ("gen_ai.operation.name" in found) != ("http.request.method" in found)


NAMES = {
    "responses": {"chat openai/o4-mini", "chat openai/gpt-4o-mini", "GET /v1/responses"},
    "embeddings": {"embeddings"},
    "images": {"generate_content openai/gpt-image-1"},
    "audio": {
        "generate_content openai/tts-1",
        "generate_content openai/whisper-1",
        "generate_content elevenlabs/scribe_v1",
        "generate_content",
        "GET /v1/audio",
    },
    "models": {"GET /v1/models"},
    "rag": {"POST /v1/files", "PUT", "GET /v1/files", "retrieval"},
    "compare": {"chat"},
    "templates": {f"{method} /v1/templates" for method in ("POST", "GET", "PATCH", "DELETE")},
}


@pytest.mark.slow
@by_turns
@pytest.mark.parametrize("name", NAMES)
@on_every_flavour
async def test_names_have_no_ids(world: World, name: str, gateway: LocalGateway) -> None:
    telemetry = Telemetry()
    (stop,) = [stop for stop in STOPS if stop.__name__ == name]
    async with traced(world, gateway.url, telemetry) as client:
        await stop(client)
    assert {span.name for span in telemetry.spans} == NAMES[name]


@on_every_flavour
async def test_embeddings(world: World, gateway: LocalGateway) -> None:
    telemetry = Telemetry()
    async with traced(world, gateway.url, telemetry) as client:
        await client.embeddings.create(
            model="openai/text-embedding-3-small", input="a", dimensions=8, encoding_format="base64"
        )
    found = telemetry.attributes
    assert found["gen_ai.operation.name"] == "embeddings"
    assert found["gen_ai.embeddings.dimension.count"] == 8
    assert found["gen_ai.request.encoding_formats"] == ("base64",)
    assert found["gen_ai.usage.input_tokens"] > 0


@on_every_flavour
async def test_a_form_has_a_model(world: World, gateway: LocalGateway) -> None:
    telemetry = Telemetry()
    async with traced(world, gateway.url, telemetry) as client:
        await client.audio.transcribe(b"RIFF", model="openai/whisper-1")
    assert telemetry.attributes["gen_ai.request.model"] == "openai/whisper-1"
    assert telemetry.attributes["gen_ai.output.type"] == "text"


@pytest.mark.parametrize("streaming", [False, True])
@on_every_flavour
async def test_responses(world: World, gateway: LocalGateway, streaming: bool) -> None:
    telemetry = Telemetry(traces={"content_mode": "content"})
    fields: dict[str, Any] = {"model": "openai/o4-mini", "input": "What is 2+2?"}
    async with world.client(gateway.url) as client:
        before = (await client.responses.create(**fields)).id
    async with traced(world, gateway.url, telemetry) as client:
        if streaming:
            await chunks_of(client.responses.stream(**fields, previous_response_id=before))
        else:
            await client.responses.create(**fields, previous_response_id=before)
    found = telemetry.attributes
    assert found["gen_ai.response.finish_reasons"] == ("stop",)
    assert found["gen_ai.response.id"].startswith("resp")
    assert found["gen_ai.request.previous_response.id"] == before
    assert found["gen_ai.usage.output_tokens"] > 0
    (said,) = json.loads(found["gen_ai.output.messages"])
    assert said["parts"][-1] == {"type": "text", "content": "2 + 2 = 4."}


@on_every_flavour
async def test_other_calls_follow_the_conventions_of_http(
    world: World, gateway: LocalGateway
) -> None:
    telemetry = Telemetry(conversation_id="conv_1")
    async with traced(world, gateway.url, telemetry) as client:
        await client.models.get("openai/gpt-4o-mini")
    found = telemetry.attributes
    assert telemetry.span.name == "GET /v1/models"
    assert found["http.request.method"] == "GET"
    assert found["url.path"].startswith("/v1/models/openai")
    assert not [name for name in found if name.startswith("gen_ai")]
    assert telemetry.points() == {}


@on_every_flavour
async def test_an_upload_has_a_span_for_each_request(world: World, gateway: LocalGateway) -> None:
    telemetry = Telemetry()
    async with traced(world, gateway.url, telemetry) as client:
        await client.rag.upload_file(file_name="a.txt", mime_type="text/plain", content=b"x")
    names = [span.name for span in telemetry.spans]
    assert names[:2] == ["POST /v1/files", "PUT"]
    put = dict(telemetry.spans[1].attributes or {})
    # Neither the path nor the query of a signed URL.
    assert {*put} == {
        "http.request.method",
        "server.address",
        "server.port",
        "http.response.status_code",
        "meshapi.attempts",
    } | ({"meshapi.request_id"} & {*put})


@on_every_flavour
async def test_a_conversation(world: World) -> None:
    telemetry = Telemetry(conversation_id="conv_1")
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            await client.chat.completions.create(**ASK)
    assert telemetry.attributes["gen_ai.conversation.id"] == "conv_1"


@on_every_flavour
async def test_options_and_raw_responses_keep_tracing(world: World) -> None:
    telemetry = Telemetry(traces={"content_mode": "content"})
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            await client.with_options(timeout=4.0).chat.completions.create(**ASK)
            await client.with_raw_response.chat.completions.create(**ASK)
    first, second = (dict(span.attributes or {}) for span in telemetry.spans)
    assert first == second
    assert first["gen_ai.usage.input_tokens"] == 1
    assert "pong" in first["gen_ai.output.messages"]


@on_every_flavour
async def test_a_cache_and_reasoning_are_told(world: World) -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 8,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 6},
    }

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(make_response(200, dump(completion("a", usage=usage))))

    telemetry = Telemetry()
    with ScriptedServer(script) as server:
        async with traced(world, server.url, telemetry) as client:
            await client.chat.completions.create(**ASK)
    found = {name: value for name, value in telemetry.attributes.items() if "usage" in name}
    assert found == {
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 8,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "gen_ai.usage.cache_write.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 6,
    }


# Parents


@on_every_flavour
async def test_calls_at_the_same_time_have_their_own_parents(world: World) -> None:
    telemetry = Telemetry()
    parents: dict[int, Any] = {}

    with ScriptedServer(*[serve] * 3) as server:
        async with traced(world, server.url, telemetry) as client:

            async def ask(number: int) -> None:
                with telemetry.tracer.start_as_current_span("parent") as parent:
                    parents[number] = parent.get_span_context()
                    await client.chat.completions.create(**ASK, seed=number)

            outcomes = await world.together(*[lambda i=i: ask(i) for i in range(3)])
    assert outcomes == [None] * 3
    found = {
        (span.attributes or {})["gen_ai.request.seed"]: span.parent for span in telemetry.spans
    }
    assert found == parents


def test_a_stream_that_another_thread_reads_has_the_parent_of_where_it_was_made() -> None:
    telemetry = Telemetry()
    with (
        ScriptedServer(serve) as server,
        MeshAPI(base_url=server.url, token=TOKEN, open_telemetry=telemetry.options) as client,
    ):
        with telemetry.tracer.start_as_current_span("parent") as parent:
            stream = client.chat.completions.stream(**ASK)
        thread = threading.Thread(target=lambda: list(stream))
        thread.start()
        thread.join()
    assert telemetry.span.parent == parent.get_span_context()
    assert telemetry.attributes["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_stream_that_another_task_reads_has_the_parent_of_where_it_was_made() -> None:
    telemetry = Telemetry()

    async def main(url: str) -> None:
        options: Any = telemetry.options
        async with AsyncMeshAPI(base_url=url, token=TOKEN, open_telemetry=options) as client:
            with telemetry.tracer.start_as_current_span("parent"):
                stream = client.chat.completions.stream(**ASK)

            async def read() -> None:
                async for _ in stream:
                    pass

            empty = contextvars.Context()
            await empty.run(asyncio.ensure_future, read())

    with ScriptedServer(serve) as server:
        asyncio.run(main(server.url))
    (parent,) = [span for span in telemetry.all_spans if span.name == "parent"]
    assert telemetry.span.parent == parent.get_span_context()


@on_every_flavour
async def test_the_span_of_a_call_is_not_the_current_one_of_the_program(world: World) -> None:
    telemetry = Telemetry()
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            stream = client.chat.completions.stream(**ASK)
            async for _ in stream:
                with telemetry.tracer.start_as_current_span("of the program"):
                    pass
    assert {span.parent for span in telemetry.all_spans} == {None}


# Content


@on_every_flavour
async def test_content_is_off_by_default(world: World) -> None:
    telemetry = Telemetry()
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            await client.chat.completions.create(**ASK)
            await chunks_of(client.chat.completions.stream(**ASK))
    assert "ping" not in telemetry.everything()
    assert "pong" not in telemetry.everything()


@pytest.mark.parametrize("streaming", [False, True])
@on_every_flavour
async def test_content_is_there_if_it_is_asked_for(world: World, streaming: bool) -> None:
    telemetry = Telemetry(traces={"content_mode": "content"})
    with ScriptedServer(serve) as server:
        async with traced(world, server.url, telemetry) as client:
            if streaming:
                await chunks_of(client.chat.completions.stream(**ASK))
            else:
                await client.chat.completions.create(**ASK)
    found = telemetry.attributes
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "ping"}]}
    ]
    assert json.loads(found["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "pong"}]}
    ]
    assert "meshapi.content.truncated" not in found
    assert "ping" not in str(telemetry.points())


@on_every_flavour
async def test_long_content_is_cut(world: World) -> None:
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(streamed(frame(chunk("é" * 500)), frame(chunk("é", "stop"))))

    telemetry = Telemetry(traces={"content_mode": "content", "max_content_bytes": 100})
    messages = [{"role": "user", "content": "x" * 500}]
    with ScriptedServer(script) as server:
        async with traced(world, server.url, telemetry) as client:
            await chunks_of(client.chat.completions.stream(model="m", messages=messages))
    found = telemetry.attributes
    for name in ("gen_ai.input.messages", "gen_ai.output.messages"):
        assert 60 < len(found[name].encode()) <= 100
        json.loads(found[name])
    assert found["meshapi.content.truncated"] is True
