"""Responses that differ from the documentation: converted, kept or reported, but never lost."""

import json
from pathlib import Path
from typing import Any

import pytest

from meshapi import JobFailedError, ResponseDecodeError, ResponseWarning, StreamInterruptedError
from support.flavours import ASK, World, on_every_flavour
from support.scripted_server import ScriptedServer, answering
from support.turns import by_turns
from support.wire import REQUEST_ID, dump, make_response

MESSAGE: dict[str, Any] = {
    "role": "assistant",
    "content": [{"type": "text", "text": "let me see", "cited": [1]}],
    "reasoning": "hm",
    "thinking_blocks": [{"signature": "S"}],
    "tool_calls": [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "w", "arguments": "{}", "strict": True},
            "extra_content": {"google": {"thought_signature": "SIG"}},
        }
    ],
}


def whole(message: Any) -> bytes:
    return make_response(200, dump({"choices": [{"index": 0, "message": message}]}))


def stream(*deltas: Any) -> bytes:
    """A stream that ends before it is complete."""
    frames = [json.dumps({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
    body = "".join(f"data: {frame}\n\n" for frame in frames).encode()
    return make_response(200, body, kind="text/event-stream")


async def interrupted(client: Any) -> tuple[list[Any], Any]:
    """The deltas of an interrupted stream, and the message as far as it had arrived."""
    said = []
    with pytest.raises(StreamInterruptedError) as caught:
        async for chunk in client.chat.completions.stream(**ASK):
            said.append(chunk.choices[0].delta)
    return said, caught.value.partial.choices[0].message


@on_every_flavour
async def test_what_a_response_brought_goes_back_as_it_came(world: World) -> None:
    with ScriptedServer(answering(*[whole(MESSAGE)] * 3)) as server:
        async with world.client(server.url) as client:
            response = await client.chat.completions.create(**ASK)
            message = response.choices[0].message
            assert message.reasoning == "hm"
            for back in (message, message.model_dump(exclude_none=True)):
                await client.chat.completions.create(messages=[*ASK["messages"], back])
        assert [request.json()["messages"][1] for request in server.requests[1:]] == [MESSAGE] * 2


@on_every_flavour
async def test_what_a_stream_brought_goes_back_as_it_came(world: World) -> None:
    delta = {**MESSAGE, "content": "let me see"}
    with ScriptedServer(answering(stream(delta), whole(MESSAGE))) as server:
        async with world.client(server.url) as client:
            (said,), message = await interrupted(client)
            assert said.tool_calls[0].extra_content == {"google": {"thought_signature": "SIG"}}
            await client.chat.completions.create(messages=[*ASK["messages"], message])
        assert server.requests[1].json()["messages"][1] == delta


@on_every_flavour
async def test_parallel_calls_at_one_index_are_two(world: World) -> None:
    def call(id: str, arguments: Any) -> Any:  # noqa: A002 - the name of the field
        function = {"name": "f", "arguments": arguments}
        return {"tool_calls": [{"index": 0, "id": id, "function": function}]}

    with ScriptedServer(answering(stream(call("a", "1"), call("b", {"x": 2})))) as server:
        async with world.client(server.url) as client:
            _, message = await interrupted(client)
    calls = [(call.id, call.function.arguments) for call in message.tool_calls]
    assert calls == [("a", "1"), ("b", '{"x":2}')]


@on_every_flavour
async def test_an_emoji_that_was_cut_in_two_is_whole(world: World) -> None:
    deltas = ({"content": "a \ud83d"}, {"content": "\ude00 b"})
    with ScriptedServer(answering(stream(*deltas))) as server:
        async with world.client(server.url) as client:
            said, message = await interrupted(client)
    assert "".join(delta.content for delta in said) == message.content == "a \U0001f600 b"


@on_every_flavour
async def test_an_emoji_that_was_cut_in_two_can_be_sent_back(world: World) -> None:
    """Half of the emoji used to remain in the details, and the message was refused."""
    deltas = [{"reasoning_details": [{"index": 0, "text": text}]} for text in ("\ud83d", "\ude00")]
    with ScriptedServer(answering(stream(*deltas), whole(MESSAGE))) as server:
        async with world.client(server.url) as client:
            _, message = await interrupted(client)
            await client.chat.completions.create(messages=[*ASK["messages"], message])
        sent = server.requests[1].json()["messages"][1]
    assert "".join(part["text"] for part in sent["reasoning_details"]) == "\U0001f600"


@on_every_flavour
async def test_what_stands_around_the_deltas_is_in_the_response_so_far(world: World) -> None:
    """It used to be lost."""

    def frame(token: str, **around: Any) -> str:
        logprobs = {"content": [{"token": token, "logprob": -1}]}
        choice = {"index": 0, "delta": {"content": token}, "logprobs": logprobs}
        return f"data: {json.dumps({'choices': [choice], **around})}\n\n"

    body = frame("a", citations=["u"]) + frame("\ud83d", x_auto_routed=True)
    with ScriptedServer(
        answering(make_response(200, body.encode(), kind="text/event-stream"))
    ) as server:
        async with world.client(server.url) as client:
            with pytest.raises(StreamInterruptedError) as caught:
                async for chunk in client.chat.completions.stream(**ASK):
                    assert json.loads(chunk.model_dump_json())["choices"]
    response = caught.value.partial
    tokens = [entry["token"] for entry in response.choices[0].logprobs["content"]]
    assert (tokens, response.x_auto_routed, response.raw["citations"]) == (
        ["a", "\ud83d"],
        True,
        ["u"],
    )
    assert json.loads(response.model_dump_json())["choices"][0]["message"]["content"] == "a\ufffd"


@on_every_flavour
async def test_a_vector_with_a_hole_is_an_error_and_a_count_with_a_fraction_a_warning(
    world: World,
) -> None:
    report = r"usage\.total_tokens: expected int, got float"
    vector = make_response(200, dump({"data": [{"embedding": [1.0, None]}]}))
    count = make_response(
        200, dump({"data": [{"embedding": ["1"]}], "usage": {"total_tokens": 0.5}})
    )
    with ScriptedServer(answering(vector, count)) as server:
        async with world.client(server.url) as client:
            with pytest.raises(ResponseDecodeError, match=r"data\[0\]\.embedding\[1\]") as caught:
                await client.embeddings.create(input="a")
            assert (caught.value.status, caught.value.error_code) == (200, "parse_error")
            with pytest.warns(ResponseWarning, match=report):
                response = await client.embeddings.create(input="a")
            assert response.data[0].embedding == [1.0]


LISTS = {
    "models.list": ("", "id"),
    "models.free": ("", "id"),
    "models.paid": ("", "id"),
    "models.search": ("items", "id"),
    "templates.list": ("", "id"),
    "api_versions.list": ("", "version"),
    "audio.list_voices": ("voices", "voice_id"),
    "batches.list": ("data", "id"),
    "documents.list": ("documents", "document_id"),
    "rag.list": ("files", "file_id"),
    "responses.list": ("data", "id"),
    "videos.list": ("data", "id"),
}


@by_turns
@pytest.mark.parametrize("name", LISTS)
@on_every_flavour
async def test_every_list_may_be_bare_or_in_an_object(world: World, name: str) -> None:
    field, key = LISTS[name]
    rows = [{key: "a"}, {key: "b"}]
    bodies: list[Any] = [rows, {"data": rows}, {"object": "list", "data": rows, "has_more": False}]
    with ScriptedServer(answering(*(make_response(200, dump(body)) for body in bodies))) as server:
        async with world.client(server.url) as client:
            method = client
            for part in name.split("."):
                method = getattr(method, part)
            for body in bodies:
                response = await method()
                found = getattr(response, field) if field else response
                assert [getattr(row, key) for row in found] == ["a", "b"]
                assert response.raw == body


EMBEDDED = {
    "results": [
        {"file_id": "good", "embedding_status": "ready", "chunk_count": 3},
        {"file_id": "bad", "embedding_status": "failed", "error": "no text in it"},
        {"file_id": "worse", "embedding_status": "failed"},
    ]
}


@on_every_flavour
async def test_a_document_that_failed_while_it_was_waited_for_is_an_error(world: World) -> None:
    response = make_response(200, dump(EMBEDDED))
    ready = make_response(200, dump({"results": EMBEDDED["results"][:1]}))
    with ScriptedServer(answering(response, ready, response)) as server:
        async with world.client(server.url) as client:
            with pytest.raises(JobFailedError) as caught:
                await client.rag.embed(file_ids=["good", "bad", "worse"], wait=True)
            good = await client.rag.embed(file_ids=["good"], wait=True)
            # A caller that does not wait checks the rows itself.
            told = await client.rag.embed(file_ids=["good", "bad", "worse"])
    error = caught.value
    assert error.message == (
        "2 of 3 documents could not be embedded: bad (no text in it), worse (failed)"
    )
    assert (error.error_code, error.status, error.request_id) == ("job_failed", 200, REQUEST_ID)
    assert [row.file_id for row in error.partial.results if not row.failed] == ["good"]
    assert [row["file_id"] for row in error.details] == ["bad", "worse"]
    assert [row.failed for row in good.results] == [False]
    assert [row.failed for row in told.results] == [False, True, True]


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
@on_every_flavour
async def test_a_task_that_failed_says_so(world: World, status: str) -> None:
    task = {"id": "t", "status": status, "error": "no credit"}
    batch = {"id": "b", "status": status}
    partly = {"id": "b", "status": "completed", "request_counts": {"total": 3, "failed": 2}}
    bodies = [task, batch, partly]
    with ScriptedServer(answering(*(make_response(200, dump(body)) for body in bodies))) as server:
        async with world.client(server.url) as client:
            video = await client.videos.retrieve("t")
            whole = await client.batches.get("b")
            mixed = await client.batches.get("b")
    assert video.ended
    assert video.failed
    assert video.error.message == "no credit"
    assert (whole.ended, whole.failed) == (True, True)
    assert (mixed.ended, mixed.failed, mixed.failed_requests) == (True, False, 2)


@on_every_flavour
async def test_a_warning_stands_at_the_line_of_the_program(world: World) -> None:
    odd = make_response(200, dump({"choices": [], "usage": {"prompt_tokens": "many"}}))
    with ScriptedServer(answering(odd)) as server:
        async with world.client(server.url) as client:
            with pytest.warns(ResponseWarning) as warned:
                await client.chat.completions.create(**ASK)
    (warning,) = warned
    assert "src" not in Path(warning.filename).parts
