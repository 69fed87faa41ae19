"""Streams that add up, on every flavour: one transcript, three runs."""

import inspect
import pydoc
from typing import Any

import pytest

import meshapi
from meshapi import (
    AsyncMeshAPI,
    MeshAPI,
    MeshAPIError,
    StreamInterruptedError,
    StreamUsageError,
)
from meshapi_core.endpoints import AsyncStream, Stream
from support.flavours import ASK, World, on_every_flavour
from support.rows import compare, images, responses
from support.scripted_server import Peer, ScriptedServer, answering
from support.wire import DONE, chunk, chunked, dump, frame, stream_head, streamed, texts


def delta(finish_reason: Any = None, **fields: Any) -> bytes:
    part = {"index": 0, "delta": fields, "finish_reason": finish_reason}
    return frame({**chunk(None), "choices": [part]})


def call_part(arguments: str, **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", None)
    return {"index": 0, **fields, "function": {"name": name, "arguments": arguments}}


RICH = (
    delta(reasoning_content="hm", content="Hel"),
    delta(content="lo"),
    delta(tool_calls=[call_part("", id="call_1", name="look_up")]),
    delta(tool_calls=[call_part('{"x"')]),
    delta(tool_calls=[call_part(": 1}")]),
    delta("tool_calls"),
    frame({**chunk(None), "choices": [], "usage": {"prompt_tokens": 3, "total_tokens": 9}}),
    DONE,
)

MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "42"}]}


async def _all(items: Any) -> list[Any]:
    return [item async for item in items]


@on_every_flavour
async def test_every_way_to_read_a_stream_gives_one_transcript(world: World) -> None:
    seen: dict[str, Any] = {}
    with ScriptedServer(answering(*[streamed(*RICH)] * 6)) as server:
        async with world.client(server.url) as client:
            chat = client.chat.completions

            def opened() -> Any:
                return chat.stream(**ASK)

            async with opened() as stream:
                assert (stream.text, stream.partial) == ("", None)
                seen["chunks"] = [chunk.text async for chunk in stream]
                seen["text"], whole = stream.text, stream.response
                with pytest.raises(StreamUsageError, match="has ended"):
                    await _all(stream)
            async with opened() as stream:
                seen["text_stream"] = await _all(stream.text_stream)
            async with opened() as stream:
                seen["events"] = [event.type for event in await _all(stream.events())]
            async with opened() as stream:
                assert await stream.get_final_completion() == whole
                assert await stream.get_final_text() == whole.text
            # Without a block, too.
            assert await opened().get_final_text() == whole.text
            assert await opened().get_final_completion() == whole
            assert len(server.requests) == 6
    assert seen == {
        "chunks": ["Hel", "lo", "", "", "", "", ""],
        "text": "Hello",
        "text_stream": ["Hel", "lo"],
        "events": [
            *("reasoning.delta", "content.delta", "content.delta"),
            *["tool_call.delta"] * 3,
            *("reasoning.done", "content.done", "tool_call.done", "usage.done", "done"),
        ],
    }
    assert whole.tool_calls[0].parsed_arguments == {"x": 1}
    assert whole.usage.total_tokens == 9


@on_every_flavour
async def test_readers_take_turns_at_one_stream(world: World) -> None:
    with ScriptedServer(answering(streamed(*RICH))) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            async for event in stream.events():
                assert event.type == "reasoning.delta"
                break
            # The text of the same chunk has not been taken yet.
            async for text in stream.text_stream:
                assert text == "Hel"
                break
            async for part in stream:
                assert part.text == "lo"
                break
            rest = [event async for event in stream.events()]
            assert rest[0].id == "call_1"
            assert [event.type for event in rest[-2:]] == ["usage.done", "done"]
            assert stream.text == "Hello"
            for items in (stream.events, lambda: stream.text_stream):
                with pytest.raises(StreamUsageError, match="has ended"):
                    await _all(items())
            assert (await stream.get_final_completion()).text == "Hello"


@on_every_flavour
async def test_what_is_done_is_told_after_the_text_was_read(world: World) -> None:
    with ScriptedServer(answering(streamed(*RICH))) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            assert await _all(stream.text_stream) == ["Hel", "lo"]
            done = [event async for event in stream.events()]
    assert [event.type for event in done] == [
        *("reasoning.done", "content.done", "tool_call.done", "usage.done", "done")
    ]


@on_every_flavour
async def test_leaving_early_keeps_what_came_and_has_no_whole_response(world: World) -> None:
    with ScriptedServer(answering(streamed(*texts("po", "ng")))) as server:
        async with world.client(server.url) as client:
            async with client.chat.completions.stream(**ASK) as stream:
                async for _ in stream.text_stream:
                    break
                with pytest.raises(StreamUsageError, match="get_final_response"):
                    _ = stream.response
            assert stream.text == stream.partial.text == "po"
            for read in (stream.get_final_completion, stream.get_final_text):
                with pytest.raises(StreamUsageError, match=r"is the response so far$"):
                    await read()
            with pytest.raises(StreamUsageError, match=r"is the response so far$"):
                _ = stream.response
            for items in (stream.events, lambda: stream.text_stream):
                with pytest.raises(StreamUsageError, match="has ended or was closed"):
                    await _all(items())


@on_every_flavour
async def test_a_broken_connection_keeps_what_came_and_says_so_again(world: World) -> None:
    def break_off(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head() + chunked(*texts("po", "ng")[:1], end=False))

    with ScriptedServer(break_off) as server:
        async with world.client(server.url) as client:
            stream = client.chat.completions.stream(**ASK)
            said = []
            with pytest.raises(StreamInterruptedError) as caught:
                async for event in stream.events():
                    said.append(event.text)
            assert said == ["po"]
            assert stream.text == "po"
            assert stream.partial == caught.value.partial
            for read in (stream.get_final_completion, stream.get_final_text):
                with pytest.raises(StreamInterruptedError) as again:
                    await read()
                assert again.value.partial == stream.partial
            with pytest.raises(StreamUsageError):
                _ = stream.response
        assert len(server.requests) == 1


@on_every_flavour
async def test_an_error_response_is_raised_by_whatever_reads_first(world: World) -> None:
    with ScriptedServer(answering(*[b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"] * 3)) as server:
        async with world.client(server.url) as client:
            for read in (
                lambda stream: stream.get_final_text(),
                lambda stream: _all(stream.events()),
                lambda stream: _all(stream.text_stream),
            ):
                stream = client.chat.completions.stream(**ASK)
                with pytest.raises(MeshAPIError) as caught:
                    await read(stream)
                assert caught.value.status == 404
                assert (stream.text, stream.partial, stream.complete) == ("", None, False)


@on_every_flavour
async def test_the_first_chunk_is_not_counted_before_it_was_read(world: World) -> None:
    """It may have come with the head of the response, when the block is entered."""
    ended = {"id": "resp_1", "status": "completed", "output": [MESSAGE]}
    body = frame({"type": "response.completed", "response": ended})
    with ScriptedServer(answering(streamed(body))) as server:
        async with world.client(server.url) as client:
            async with client.responses.stream(input="hi") as stream:
                assert (stream.text, stream.partial) == ("", None)
                assert await _all(stream.text_stream) == ["42"]
            assert stream.text == stream.response.output_text == await stream.get_final_text()


@on_every_flavour
async def test_other_streams_add_up_on_every_flavour(world: World) -> None:
    compared = b"".join(
        f"event: {kind}\ndata: ".encode() + dump(data) + b"\n\n" for kind, data in compare.SKIPPED
    )
    drawn = images.frames(images.images("u1"), images.images("u2")) + images.DONE
    spoken = b"".join(frame(event) for event in responses.FRAMES)
    script = answering(*map(streamed, (compared, drawn, spoken, spoken)))
    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            stream = client.compare.stream(models=["a/1", "b/2"], messages=[])
            final = await stream.get_final_response()
            assert stream.by_model() == final.by_model()
            assert [*final.by_model()] == ["a/1", "b/2"]
            stream = client.images.stream(prompt="a fox", n=2)
            assert [image.url for image in await stream.get_final_images()] == ["u1", "u2"]
            assert stream.images == stream.response.data
            stream = client.responses.stream(input="hi")
            assert (await stream.get_final_response()).output_text == stream.text == "42"
            stream = client.responses.stream(input="hi")
            events = await _all(stream.events())
            assert [event.type for event in events] == [event["type"] for event in responses.FRAMES]


PAIRS = [
    ("chat.completions", "ChatCompletionStream"),
    ("responses", "ResponsesStream"),
    ("compare", "CompareStream"),
    ("images", "ImagesStream"),
]


@pytest.mark.parametrize(("resource", "name"), PAIRS)
@pytest.mark.parametrize(("client_class", "prefix"), [(MeshAPI, ""), (AsyncMeshAPI, "Async")])
def test_help_completion_and_signatures_name_what_a_stream_has(
    resource: str, name: str, client_class: Any, prefix: str
) -> None:
    client = client_class(base_url="http://127.0.0.1:9", token="rsk_test_streams")
    method = client
    for part in [*resource.split("."), "stream"]:
        method = getattr(method, part)
    kind = getattr(meshapi, prefix + name)
    assert inspect.signature(method).return_annotation is kind
    stream = method(**({"models": ["m"], "messages": []} if name == "CompareStream" else {
        "ChatCompletionStream": {"model": "m", "messages": []},
        "ResponsesStream": {"input": "hi"},
        "ImagesStream": {"prompt": "a fox"},
    }[name]))  # fmt: skip
    assert type(stream) is kind
    assert isinstance(stream, AsyncStream if prefix else Stream)
    public = [each for each in dir(stream) if not each.startswith("_")]
    assert {"partial", "response", "get_final_response", "request_id", "meta"} <= {*public}
    text = pydoc.plain(pydoc.render_doc(kind))
    for each in public:
        declared = inspect.getattr_static(kind, each)
        assert inspect.getdoc(declared), each
        assert each in text
        if inspect.isfunction(declared):
            assert inspect.signature(declared).return_annotation is not inspect.Signature.empty
