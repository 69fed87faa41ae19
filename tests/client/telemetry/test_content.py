"""The messages of a call as attributes: their form, and their size."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meshapi import ChatCompletionChunk
from meshapi.telemetry import content

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "text", "tool_calls", "function", "id", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(ANYTHING, st.integers(2, 200))
def test_any_messages_become_json_of_the_right_size(messages: Any, limit: int) -> None:
    for items in (
        content.input_messages({"messages": messages}),
        content.input_messages({"input": messages}),
        content.output_messages({"choices": messages, "output": messages}),
        content.tools({"tools": messages}),
    ):
        encoded = content.encode(items, limit)
        assert len(encoded.text.encode()) <= limit
        decoded = json.loads(encoded.text)
        assert isinstance(decoded, list)
        if not encoded.truncated:
            assert len(decoded) == len(items)


@given(st.lists(TEXT, min_size=1, max_size=5), st.integers(2, 300))
def test_what_is_cut_is_the_beginning(texts: list[str], limit: int) -> None:
    items = content.input_messages({"messages": [{"role": "user", "content": t} for t in texts]})
    encoded = content.encode(items, limit)
    found = [message["parts"][0]["content"] for message in json.loads(encoded.text)]
    kept = texts[len(texts) - len(found) :]
    assert found[1:] == kept[1:]
    assert not found or kept[0].startswith(found[0])


def test_a_conversation() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://signed.example/?sig=SECRET"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "42"},
    ]
    assert content.input_messages({"messages": messages}) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {
            "role": "user",
            "parts": [{"type": "text", "content": "What is this?"}, {"type": "image_url"}],
        },
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "call_1", "name": "f", "arguments": "{}"}],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "call_1", "response": "42"}],
        },
    ]


def test_the_input_of_responses() -> None:
    fields = {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "42"},
        ],
    }
    assert content.instructions(fields) == [{"type": "text", "content": "Be brief."}]
    assert [message["parts"][0]["type"] for message in content.input_messages(fields)] == [
        "text",
        "tool_call",
        "tool_call_response",
    ]


def test_what_a_model_said() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "4", "tool_calls": [call]}
    text = {"type": "text", "content": "4"}
    called = {"type": "tool_call", "id": "c", "name": "f", "arguments": "{}"}
    said = [{"role": "assistant", "parts": [text, called]}]
    chat = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
    assert content.output_messages(chat) == said
    # All items of a response are one answer.
    items = [
        {"type": "reasoning", "summary": []},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "4"}],
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ]
    assert content.output_messages({"output": items}) == said
    items[0]["summary"] = [{"type": "summary_text", "text": "Hm."}]
    (thought,) = content.output_messages({"output": items})
    assert thought["parts"][0] == {"type": "reasoning", "content": "Hm."}


def test_tools_are_named_without_their_schemas() -> None:
    schema = {"type": "object", "properties": {}}
    fields = {
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": schema}},
            {"type": "function", "name": "g", "parameters": schema},
            {"type": "web_search"},
        ]
    }
    assert content.tools(fields) == [
        {"type": "function", "name": "f"},
        {"type": "function", "name": "g"},
        {"type": "web_search", "name": "web_search"},
    ]


@given(
    st.lists(st.tuples(st.integers(0, 1), TEXT), max_size=8),
    st.integers(2, 200),
    st.integers(1, 5),
)
def test_a_stream_says_what_the_whole_response_does(
    pieces: list[tuple[int, str]], limit: int, size: int
) -> None:
    said = content.StreamedContent(limit)
    whole: dict[int, str] = {}
    for index, text in pieces:
        whole[index] = whole.get(index, "") + text
        for start in range(0, max(len(text), 1), size):
            delta = {"content": text[start : start + size]}
            choices = [{"index": index, "delta": delta}]
            said.take(ChatCompletionChunk.model_validate({"choices": choices}))
    choices = [{"message": {"content": whole[index] or None}} for index in sorted(whole)]
    wanted = content.encode(content.output_messages({"choices": choices}), limit)
    found = content.encode(said.messages(), limit)
    assert found.truncated == wanted.truncated
    if not wanted.truncated:
        assert found == wanted


def test_the_tool_calls_of_a_stream() -> None:
    said = content.StreamedContent(100)
    for call in (
        {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 1, "id": "d", "type": "function", "function": {"name": "g", "arguments": "1"}},
        {"index": 0, "function": {"arguments": "{}"}},
    ):
        choices = [{"index": 0, "delta": {"tool_calls": [call]}}]
        said.take(ChatCompletionChunk.model_validate({"choices": choices}))
    (message,) = said.messages()
    assert message["parts"] == [
        {"type": "tool_call", "id": "c", "name": "f", "arguments": "{}"},
        {"type": "tool_call", "id": "d", "name": "g", "arguments": "1"},
    ]
