"""Responses and chunks as values."""

import json

import pytest
from house.fresh import modules_after
from hypothesis import given
from hypothesis import strategies as st

from meshapi import ChatCompletionResponse
from meshapi.testing import chunks, completion, tool_call
from meshapi_core import ServerSentEvent, SSEDecoder

lines = st.text(st.characters(codec="utf-8"), max_size=8)


def test_a_completion_is_what_create_returns() -> None:
    response = completion("Hi there", usage={"prompt_tokens": 5}, model="m")
    assert isinstance(response, ChatCompletionResponse)
    assert (response.text, response.model) == ("Hi there", "m")
    assert response.choices[0].finish_reason == "stop"
    assert response.usage is not None
    assert (response.usage.prompt_tokens, response.usage.total_tokens) == (5, 7)
    assert response.raw["choices"][0]["message"]["content"] == "Hi there"
    assert response.meta.status == 0


def test_a_completion_may_call_tools_refuse_or_be_json() -> None:
    response = completion(tool_calls=[tool_call("get_weather", {"city": "Paris"})])
    (call,) = response.tool_calls
    assert (call.function.name, call.parsed_arguments) == ("get_weather", {"city": "Paris"})
    assert response.choices[0].finish_reason == "tool_calls"
    assert completion(refusal="No.").choices[0].message.refusal == "No."
    assert json.loads(completion(json={"a": "ü"}).text) == {"a": "ü"}
    with pytest.raises(ValueError, match="text and json: expected one of them"):
        completion("a", json={})


def test_chunks_are_what_a_stream_yields() -> None:
    first, *texts, last, usage = chunks("he", "llo")
    assert first.choices[0].delta.role == "assistant"
    assert [chunk.text for chunk in texts] == ["he", "llo"]
    assert last.choices[0].finish_reason == "stop"
    assert usage.usage is not None
    assert usage.usage.total_tokens == 2
    assert len({chunk.id for chunk in (first, *texts, last, usage)}) == 1
    assert [chunk.text for chunk in chunks("he", finish_reason=None)] == ["", "he"]


@pytest.mark.slow
@given(st.lists(lines, max_size=4), st.integers(1, 40))
def test_pieces_are_the_same_stream_wherever_they_are_cut(texts: "list[str]", cut: int) -> None:
    pieces = chunks(*texts, cut=cut)
    assert {len(piece) for piece in pieces[:-1]} <= {cut}
    decoder = SSEDecoder()
    events: list[str] = []
    for piece in pieces:
        decoder.receive_data(piece)
        while isinstance(event := decoder.next_event(), ServerSentEvent):
            events.append(event.data)
    *rows, done = events
    assert done == "[DONE]"
    deltas = [json.loads(row)["choices"] for row in rows]
    said = [choice["delta"].get("content") for row in deltas for choice in row]
    assert said == ["", *texts, None]


def test_pieces_have_at_least_a_byte() -> None:
    with pytest.raises(ValueError, match="cut: expected 1 or more bytes, got 0"):
        chunks("a", cut=0)


@pytest.mark.slow
def test_they_need_no_gateway() -> None:
    loaded = modules_after("from meshapi.testing import chunks, completion, reply, tool_call")
    assert not {"starlette", "uvicorn", "anyio", "httpcore"} & {*loaded}
