"""The streams of the Responses API, of comparisons and of images add up, too."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import ToolArgumentsError
from meshapi_core.endpoints import (
    Compare,
    CompareStream,
    Images,
    ImagesStream,
    Responses,
    ResponsesStream,
)
from meshapi_core.types import ResponseFunctionCallArgumentsDoneEvent, ResponsesResponse
from support import sse_streams
from support.decoded_streams import DecodedStream
from support.rows import compare, images, responses

TEXTS = st.sampled_from(["", "a", "Hello", " wörld", "\u2028", "\U0001f600", '"'])


def framed(events: list[dict[str, Any]]) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def opened(*pieces: bytes) -> ResponsesStream:
    return ResponsesStream(DecodedStream(Responses.stream.build(model="m", input="hi"), pieces))


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """A text, and a stream in which each part of it comes in deltas, whole, or at the end only."""
    texts = draw(st.lists(st.lists(TEXTS, max_size=3), min_size=1, max_size=3))
    with_deltas = draw(st.booleans())
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "r", "output": []}}
    ]
    output = []
    for index, pieces in enumerate(texts):
        place = {"item_id": f"m{index}", "output_index": index, "content_index": 0}
        text = "".join(pieces)
        item = {"id": f"m{index}", "type": "message", "role": "assistant"}
        output.append({**item, "content": [{"type": "output_text", "text": text}]})
        if with_deltas:
            added = {**item, "content": []}
            kind = "response.output_item.added"
            events.append({"type": kind, "output_index": index, "item": added})
            if draw(st.booleans()):
                kind = "response.output_text.delta"
                events += [{"type": kind, **place, "delta": piece} for piece in pieces]
            events.append({"type": "response.output_text.done", **place, "text": text})
    end = {"id": "r", "status": "completed", "output": output}
    events.append({"type": "response.completed", "response": end})
    return "".join(itertools.chain.from_iterable(texts)), framed(events)


@given(st.data(), bodies(), st.integers(0, 5), st.integers(0, 5))
def test_the_text_of_a_response_comes_once_whatever_has_been_read_before(
    data: st.DataObject, drawn: tuple[str, bytes], passed: int, read: int
) -> None:
    text, body = drawn
    assert "".join(opened(body).text_stream) == text
    stream = opened(*data.draw(sse_streams.pieces(body)))
    said = [*itertools.islice(stream.text_stream, read)]
    if stream.complete:
        assert "".join(said) == text
    else:
        passed_over = [*itertools.islice(stream.events(), passed)]
        before = stream.text if passed_over else "".join(said)
        if not stream.complete:
            assert before + "".join(stream.text_stream) == text
    final = stream.get_final_response()
    assert final == opened(body).get_final_response() == stream.response
    assert stream.get_final_text() == final.output_text == stream.text == text


def test_a_response_adds_up() -> None:
    stream = opened(framed(responses.FRAMES))
    assert (stream.text, stream.partial) == ("", None)
    for event in itertools.islice(stream.events(), 3):
        assert event.type
    assert stream.text == "4"
    assert [*stream.text_stream] == ["2"]
    assert isinstance(stream.response, ResponsesResponse)
    assert stream.response.output_text == stream.get_final_text() == "42"


def test_a_text_that_comes_at_the_end_alone_comes_once() -> None:
    part = {"type": "output_text", "text": "42"}
    response = {
        "id": "r",
        "status": "completed",
        "output": [{"type": "message", "content": [part]}],
    }
    end = {"type": "response.completed", "response": response}
    assert [*opened(framed([end, end])).text_stream] == ["42"]


CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look_up"}


def test_the_tool_calls_of_a_response_have_parsed_arguments() -> None:
    items: list[Any] = [
        {"type": "reasoning", "summary": []},
        {**CALL, "arguments": '{"x": 1}', "new": 2},
        {**CALL, "arguments": ""},
        {**CALL, "arguments": "[1]"},
        "no object",
    ]
    good, empty, bad = ResponsesResponse(output=items).tool_calls
    assert (good.call_id, good.name, good.parsed_arguments) == ("call_1", "look_up", {"x": 1})
    assert good.model_extra == {"new": 2}
    assert empty.parsed_arguments == {}
    with pytest.raises(ToolArgumentsError, match="look_up"):
        _ = bad.parsed_arguments
    assert ResponsesResponse(output=None).tool_calls == []
    assert ResponsesResponse().tool_calls == []


def test_an_event_with_whole_arguments_has_them_parsed() -> None:
    event = ResponseFunctionCallArgumentsDoneEvent(arguments='{"x": [1]}')
    assert event.parsed_arguments == {"x": [1]}
    with pytest.raises(ToolArgumentsError, match="a tool call"):
        _ = ResponseFunctionCallArgumentsDoneEvent(arguments="x").parsed_arguments


def test_a_comparison_adds_up_by_model() -> None:
    body = b"".join(
        f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode() for kind, data in compare.SKIPPED
    )
    call = Compare.stream.build(models=["a/1", "b/2"], messages=[])
    stream = CompareStream(DecodedStream(call, [body]))
    assert stream.by_model() == {}
    for step in stream:
        if step.event == "model_chunk":
            break
    assert {model: result.content for model, result in stream.by_model().items()} == {"a/1": "4"}
    final = stream.get_final_response()
    assert stream.by_model() == final.by_model()
    assert [*final.by_model()] == ["a/1", "b/2"]
    assert final.by_model()["b/2"].error == "It broke."
    assert final == stream.response == stream.partial


def test_images_add_up() -> None:
    body = images.frames(images.WAITING, images.images("u1"), images.images("u2")) + images.DONE
    call = Images.stream.build(prompt="a fox", n=2)
    stream = ImagesStream(DecodedStream(call, [body]))
    assert stream.images == []
    for chunk in stream:
        if chunk.data:
            break
    assert [image.url for image in stream.images] == ["u1"]
    assert [image.url for image in stream.get_final_images()] == ["u1", "u2"]
    assert stream.response.data == stream.images == stream.get_final_images()
