import base64
import json
import sys
from collections.abc import Iterable
from typing import Any, Optional

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.accumulators.chat import ChatAccumulator
from meshapi_core.codec.decoding import decode
from meshapi_core.types.chat import (
    ChatCompletionChunk,
    ChatCompletionChunkChoice,
    ChatCompletionChunkDelta,
    ChatCompletionResponse,
    ToolCallChunk,
    ToolCallFunctionChunk,
)
from support import chat_streams

CHUNK = msgspec.json.Decoder(ChatCompletionChunk)


def merged(chunks: list[ChatCompletionChunk]) -> Optional[dict[str, Any]]:
    """The response made from a list of chunks, in the slow and plain way."""
    if not chunks:
        return None
    parts: dict[int, list[ChatCompletionChunkChoice]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            parts.setdefault(choice.index, []).append(choice)
    usages = [chunk.usage for chunk in chunks if chunk.usage is not None]
    return {
        "id": chunks[0].id,
        "created": chunks[0].created,
        "model": chunks[0].model,
        "usage": usages[-1] if usages else None,
        "cost": last(chunk.cost for chunk in chunks),
        "system_fingerprint": last(chunk.system_fingerprint for chunk in chunks),
        "choices": [(index, merged_choice(parts[index])) for index in sorted(parts)],
    }


def last(values: Iterable[Any]) -> Any:
    return ([None] + [value for value in values if value is not None])[-1]


def joined(lists: Iterable[Optional[list[Any]]]) -> Optional[list[Any]]:
    return [value for values in lists for value in values or ()] or None


def merged_audio(pieces: list[dict[str, Any]]) -> Optional[dict[str, Any]]:
    audio: dict[str, Any] = {}
    for name, value in [item for piece in pieces for item in piece.items()]:
        if name in ("data", "transcript"):
            audio[name] = audio.get(name, "") + value
        else:
            audio[name] = value
    if "=" in audio.get("data", "").rstrip("="):
        # Padding ends one base64 text.
        sound = b"".join(base64.b64decode(piece.get("data", "")) for piece in pieces)
        audio["data"] = base64.b64encode(sound).decode()
    return audio or None


def merged_choice(parts: list[ChatCompletionChunkChoice]) -> dict[str, Any]:
    deltas = [part.delta for part in parts]
    return {
        "role": ([delta.role for delta in deltas if delta.role] or ["assistant"])[-1],
        "content": "".join(delta.content or "" for delta in deltas) or None,
        "reasoning": "".join(delta.reasoning_content or "" for delta in deltas) or None,
        "refusal": "".join(delta.refusal or "" for delta in deltas) or None,
        "finish_reason": ([part.finish_reason for part in parts if part.finish_reason] or [None])[
            -1
        ],
        "audio": merged_audio([delta.audio for delta in deltas if delta.audio]),
        "reasoning_details": joined(delta.reasoning_details for delta in deltas),
        "annotations": joined(delta.annotations for delta in deltas),
    }


def plain(response: Optional[ChatCompletionResponse]) -> Optional[dict[str, Any]]:
    """A partial response in the terms of `merged`."""
    if response is None:
        return None
    choices = []
    for choice in response.choices:
        message = choice.message
        choices.append(
            (
                choice.index,
                {
                    "role": message.role,
                    "content": message.content,
                    "reasoning": message.reasoning_content,
                    "refusal": message.refusal,
                    "finish_reason": choice.finish_reason,
                    "audio": message.audio,
                    "reasoning_details": message.reasoning_details,
                    "annotations": message.annotations,
                },
            )
        )
    return {
        "id": response.id,
        "created": response.created,
        "model": response.model,
        "usage": response.usage,
        "cost": response.cost,
        "system_fingerprint": response.system_fingerprint,
        "choices": choices,
    }


@given(st.lists(chat_streams.chunks, max_size=8), st.sampled_from([1, 30]), st.integers(-1, 4))
def test_what_has_arrived_is_what_the_chunks_make_together(raw, times, asked):
    chunks = [decode(json.dumps(chunk).encode(), CHUNK) for chunk in raw * times]
    accumulator = ChatAccumulator(asked)
    for chunk in chunks:
        accumulator.add(chunk)
    assert plain(accumulator.partial()) == merged(chunks)
    choices = [choice for chunk in chunks for choice in chunk.choices]
    begun, finished = {c.index for c in choices}, {c.index for c in choices if c.finish_reason}
    assert accumulator.complete == (begun == finished and len(begun) >= max(asked, 1))


@given(st.lists(chat_streams.chunks, max_size=8))
def test_whatever_pieces_come_no_argument_is_lost_and_no_id_either(raw):
    chunks = [ChatCompletionChunk.model_validate_json(json.dumps(chunk)) for chunk in raw]
    response = together(chunks)
    pieces = [
        (choice.index, piece)
        for chunk in chunks
        for choice in chunk.choices
        for piece in (choice.delta.tool_calls or () if choice.delta is not None else ())
    ]
    for choice in response.choices if response is not None else ():
        said = [piece for index, piece in pieces if index == choice.index]
        calls = choice.message.tool_calls or []
        arguments = "".join(p.function.arguments or "" for p in said if p.function is not None)
        assert sorted("".join(call.function.arguments for call in calls)) == sorted(arguments)
        assert {call.id for call in calls if call.id} == {piece.id for piece in said if piece.id}


@given(st.lists(chat_streams.chunks, max_size=8))
def test_the_texts_of_the_chunks_are_that_of_the_first_choice(raw):
    chunks = [decode(json.dumps(chunk).encode(), CHUNK) for chunk in raw]
    response = together(chunks)
    choices = response.choices if response is not None else []
    texts = [choice.message.text for choice in choices if choice.index == 0]
    assert "".join(chunk.text for chunk in chunks) == "".join(texts)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices if choice.index == 0]
    assert "".join(delta.text for delta in deltas) == "".join(texts)


def together(chunks: list[ChatCompletionChunk]) -> Any:
    accumulator = ChatAccumulator()
    for chunk in chunks:
        accumulator.add(chunk)
    return accumulator.partial()


def deltas(*raw: dict[str, Any]) -> list[ChatCompletionChunk]:
    return [
        ChatCompletionChunk.model_validate_json(json.dumps({"choices": [{"delta": delta}]}))
        for delta in raw
    ]


def test_what_nobody_has_declared_is_put_together_too():
    response = together(
        deltas(
            {"reasoning": "I th", "thinking_blocks": [{"n": 1}], "x": {"a": 1}, "nothing": None},
            {"reasoning": "ink", "thinking_blocks": [{"n": 2}], "x": {"b": 2}, "word": "one"},
            {"word": "two", "audio": {"id": "a", "data": "AA", "x": 1}},
            {"tool_calls": [{"index": 0, "id": "c", "extra_content": {"g": {"s": "SIG"}}, "n": 1,
                             "function": {"name": "f", "arguments": "{", "y": [1]}}]},
            {"tool_calls": [{"index": 0, "n": 2, "function": {"arguments": "}", "y": [2]}}]},
        )
    )  # fmt: skip
    assert response.choices[0].message.model_dump(exclude_none=True) == {
        "role": "assistant",
        "audio": {"id": "a", "data": "AA", "x": 1},
        "reasoning": "I think",
        "thinking_blocks": [{"n": 1}, {"n": 2}],
        "x": {"a": 1, "b": 2},
        "word": "two",
        "tool_calls": [
            {
                "id": "c",
                "type": "function",
                "function": {"name": "f", "arguments": "{}", "y": [1, 2]},
                "extra_content": {"g": {"s": "SIG"}},
                "n": 2,
            }
        ],
    }


def test_choices_without_an_index_are_told_apart_by_their_place():
    chunk = {"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}
    chunks = [ChatCompletionChunk.model_validate_json(json.dumps(chunk)) for _ in range(2)]
    response = together(chunks)
    assert [choice.message.content for choice in response.choices] == ["aa", "bb"]
    assert [choice.index for choice in chunks[0].choices] == [0, 1]


@given(st.text(st.sampled_from("a\U0001f600\U0001f680\ue000"), max_size=8), st.data())
def test_characters_that_are_cut_in_two_are_put_together(text, data):
    units = text.encode("utf-16-le")
    size = len(units) // 2
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=4)))
    pieces = [
        units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")
        for start, end in zip([0, *cuts], [*cuts, size])
    ]
    chunks = deltas(
        *(
            {"content": piece, "reasoning_content": piece, "refusal": piece, "reasoning": piece,
             "tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            for piece in pieces
        )
    )  # fmt: skip
    message = together(chunks).choices[0].message
    assert [message.content, message.reasoning_content, message.refusal] == [text or None] * 3
    assert message.tool_calls[0].function.arguments == text == message.reasoning
    said = [chunk.choices[0].delta for chunk in chunks]
    # Also for a program that joins the texts itself, and knows nothing of surrogates.
    assert "".join(delta.content or "" for delta in said) == text
    assert "".join(delta.tool_calls[0].function.arguments or "" for delta in said) == text
    assert [chunk.raw["choices"][0]["delta"]["content"] for chunk in chunks] == pieces


def test_a_half_that_nothing_follows_is_a_replacement_character():
    chunks = deltas({"content": "a\ud83d"}, {"content": "b\ude00c\ud83d"})
    assert together(chunks).choices[0].message.content == "a\ufffdb\ufffdc\ufffd"
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["a", "\ufffdb\ufffdc"]


def piece_of(text: str) -> ChatCompletionChunk:
    function = ToolCallFunctionChunk(arguments=text)
    delta = ChatCompletionChunkDelta(
        content=text, tool_calls=[ToolCallChunk(index=0, function=function)]
    )
    return ChatCompletionChunk(choices=[ChatCompletionChunkChoice(delta=delta)])


@pytest.mark.slow
def test_a_long_response_is_kept_as_a_few_texts_and_not_as_its_pieces():
    accumulator = ChatAccumulator()
    for number in range(20_000):
        accumulator.add(piece_of(f"{number} "))
    choice = accumulator._choices[0]
    for text in (choice.content, choice.calls._calls[0].arguments):
        kept = text.blocks + text.pieces
        assert len(kept) < 64 + 16
        # No text is shorter than a later one: each is copied only as often as its length doubles.
        assert text.blocks == sorted(text.blocks, key=len, reverse=True)
        assert "".join(kept).split() == [str(number) for number in range(20_000)]
        assert sum(map(sys.getsizeof, kept)) < 1.2 * len("".join(kept)) + 10_000


def test_nothing_has_arrived_before_the_first_chunk():
    assert ChatAccumulator().partial() is None
    assert not ChatAccumulator().complete


def test_what_was_given_out_does_not_change_when_more_arrives():
    def chunk(text: str) -> ChatCompletionChunk:
        delta = ChatCompletionChunkDelta(
            audio={"id": "a1", "data": text},
            annotations=[{"text": text}],
            reasoning_details=[{"text": text}],
        )
        return ChatCompletionChunk(choices=[ChatCompletionChunkChoice(delta=delta)])

    accumulator = ChatAccumulator()
    accumulator.add(chunk("1"))
    first, again = accumulator.partial(), accumulator.partial()
    accumulator.add(chunk("2"))
    second = accumulator.partial()
    assert first is not None
    assert second is not None
    assert first == again != second
    message = second.choices[0].message
    assert message.audio == {"id": "a1", "data": "12"}
    assert message.annotations == message.reasoning_details == [{"text": "1"}, {"text": "2"}]
