"""endpoints.chat: a whole response as one chunk, and how many choices a stream waits for."""

import copy
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given

from meshapi_core.accumulators.chat import ChatAccumulator
from meshapi_core.chunks.decoder import ChunkDecoder
from meshapi_core.endpoints import Compare, Completions
from meshapi_core.errors import InvalidParamsError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.types.chat import (
    ChatCompletionChoice,
    ChatCompletionChunk,
    ChatCompletionChunkChoice,
    ChatCompletionChunkDelta,
    ChatCompletionMessage,
    ChatCompletionParams,
    ChatCompletionResponse,
    ChatMessage,
    ToolCall,
    ToolCallChunk,
)
from support.structs import forms, sample, shape

FIELDS: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}


def reader_of(call: Any) -> Any:
    """The reader of the response to a call."""
    return call.reader


def body_of(call: Any) -> bytes:
    body = call.body
    assert isinstance(body, bytes)
    return body


def chunk_of(response: dict[str, Any]) -> ChatCompletionChunk:
    """The one chunk that a stream makes of a whole JSON response."""
    headers = Headers([("content-type", "application/json")])
    decoder = Completions.stream.build(**FIELDS).read(Response(200, headers))
    assert isinstance(decoder, ChunkDecoder)
    decoder.receive_data(msgspec.json.encode({"choices": [], **response}))
    decoder.receive_data(b"")
    chunk = decoder.next_event()
    assert isinstance(chunk, ChatCompletionChunk)
    return chunk


def shared(one: type[msgspec.Struct], other: type[msgspec.Struct], *but: str) -> list[str]:
    """The names of the fields that both have; none is missing by mistake."""
    names = [name for name in one.__struct_fields__ if name in other.__struct_fields__]
    assert set(but) <= set(names)
    return [name for name in names if name not in but]


def assert_carried(response: Any, chunk: Any, *but: str) -> None:
    for name in shared(type(response), type(chunk), *but):
        assert getattr(chunk, name) == getattr(response, name), name


def assert_whole(response: ChatCompletionResponse, chunk: ChatCompletionChunk) -> None:
    assert chunk.object == "chat.completion.chunk"
    assert_carried(response, chunk, "object", "choices")
    assert len(chunk.choices) == len(response.choices)
    for choice, part in zip(response.choices, chunk.choices):
        assert_carried(choice, part)
        message, delta = choice.message, part.delta
        assert_carried(message, delta, "content", "tool_calls")
        calls, pieces = message.tool_calls or [], delta.tool_calls or []
        assert [piece.index for piece in pieces] == list(range(len(calls)))
        for call, piece in zip(calls, pieces):
            assert_carried(call, piece, "function")
            assert piece.function is not None
            assert_carried(call.function, piece.function)


@given(forms(shape(ChatCompletionResponse)))
def test_a_whole_response_as_one_chunk_keeps_every_field_that_chunks_have(fields):
    response, chunk = msgspec.convert(fields, ChatCompletionResponse), chunk_of(fields)
    assert_whole(response, chunk)
    firsts = [choice for choice in response.choices if choice.index == 0]
    assert chunk.text == "".join(choice.message.text for choice in firsts)


def test_a_response_with_every_field_there_is():
    fields = sample(shape(ChatCompletionResponse))
    chunk = chunk_of(fields)
    assert_whole(msgspec.convert(fields, ChatCompletionResponse), chunk)
    assert (chunk.cost, chunk.system_fingerprint, chunk.x_auto_routed) == ("text", "text", True)
    delta = chunk.choices[0].delta
    assert delta.audio
    assert delta.annotations
    assert delta.tool_calls
    assert delta.tool_calls[0].thought_signature == "text"
    assert chunk.raw == fields


@pytest.mark.parametrize(
    ("whole", "piece", "same_fields_but"),
    [
        (ChatCompletionResponse, ChatCompletionChunk, set()),
        (ChatCompletionChoice, ChatCompletionChunkChoice, {"message", "delta"}),
        (ChatCompletionMessage, ChatCompletionChunkDelta, {"name", "tool_call_id"}),
        (ToolCall, ToolCallChunk, {"index"}),
    ],
)
def test_chunks_have_the_fields_of_responses(whole, piece, same_fields_but):
    """So nothing else needs to be carried over."""
    assert set(whole.__struct_fields__) ^ set(piece.__struct_fields__) == same_fields_but


def test_the_texts_of_parts_are_put_together():
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "u"}},
        {"type": "text", "text": "b"},
    ]
    delta = chunk_of({"choices": [{"message": {"content": parts}}]}).choices[0].delta
    assert delta.content == "ab"


# Empty messages

EMPTY = ChatCompletionResponse.model_validate({"choices": [{"message": None}]}).choices[0].message


@pytest.mark.parametrize("message", [EMPTY, {"role": "assistant"}, EMPTY.model_copy()])
@pytest.mark.parametrize("build", [Completions.create.build, Completions.stream.build])
def test_an_assistant_message_that_is_empty_is_refused(build, message):
    """A response without a message has one; the error of the gateway would not say so."""
    with pytest.raises(InvalidParamsError) as caught:
        build(messages=[{"role": "user", "content": "hi"}, message])
    assert str(caught.value) == (
        "messages[1]: expected an assistant message with content or tool_calls, got an empty one;"
        " leave it out: a response without a message has an empty one"
    )


def test_it_is_refused_in_a_comparison_and_in_params_too():
    params = ChatCompletionParams(messages=[EMPTY])
    with pytest.raises(InvalidParamsError, match=r"messages\[0\]: "):
        Completions.create.build(params)
    with pytest.raises(InvalidParamsError, match=r"messages\[0\]: "):
        Compare.create.build(models=["a"], messages=[EMPTY])


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": '{"role":"assistant"}'}]},
        {"messages": [{"role": "assistant", "content": ""}]},
        {"messages": [{"role": "assistant", "x_new": {"role": "assistant"}}]},
        {**FIELDS, "response_format": {"type": "x", "default": {"role": "assistant"}}},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"type": "x"}]}]},
    ],
)
def test_what_only_looks_like_one_is_sent(fields):
    body = msgspec.json.decode(body_of(Completions.create.build(**fields)))
    assert body == {**fields, "stream": False}


# The number of choices


def finish(index: int) -> ChatCompletionChunk:
    choice = ChatCompletionChunkChoice(index=index, finish_reason="stop")
    return ChatCompletionChunk(choices=[choice])


@pytest.mark.parametrize(("n", "wanted"), [(None, 1), (1, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("form", ["object", "keywords"])
def test_a_stream_is_complete_when_every_choice_that_was_asked_for_is(n, wanted, form):
    if form == "object":
        params = ChatCompletionParams(messages=[ChatMessage(role="user", content="hi")], n=n)
        call = Completions.stream.build(params)
    else:
        call = Completions.stream.build(**FIELDS, n=n)
    accumulator = reader_of(call).accumulator()
    assert isinstance(accumulator, ChatAccumulator)
    for index in range(wanted):
        assert not accumulator.complete
        accumulator.add(finish(index))
    assert accumulator.complete


def test_streams_of_several_choices_are_values():
    call = Completions.stream.build(**FIELDS, n=2)
    assert call == Completions.stream.build(**FIELDS, n=2) == copy.copy(call)
    assert hash(call) == hash(Completions.stream.build(**FIELDS, n=2))
    accumulator = reader_of(call).accumulator
    assert accumulator == pickle.loads(pickle.dumps(accumulator))
    assert accumulator != reader_of(Completions.stream.build(**FIELDS, n=3)).accumulator


# Wrong parameters


@pytest.mark.parametrize("build", [Completions.create.build, Completions.stream.build])
def test_a_common_mistake_is_told_with_the_way_out(build):
    with pytest.raises(InvalidParamsError) as caught:
        build({"model": "auto", **FIELDS})
    assert str(caught.value).endswith("got dict; pass it as keywords: **params")
    for text in ("hi", "x" * 5000):
        with pytest.raises(InvalidParamsError) as caught:
            build(messages=text)
        assert str(caught.value) == (
            'messages: expected list, got str; write messages=[{"role": "user", "content": "..."}]'
        )
