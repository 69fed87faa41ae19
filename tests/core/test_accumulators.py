import json
import sys
from collections.abc import Iterable
from typing import Any, Optional

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.accumulators import ChatAccumulator
from meshapi_core.codec import decode
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
    """The answer that a list of chunks makes, put together the slow and plain way."""
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
        "calls": merged_calls([call for delta in deltas for call in delta.tool_calls or ()]),
    }


def merged_calls(pieces: list[ToolCallChunk]) -> list[tuple[str, str, Optional[str], str]]:
    calls: dict[int, tuple[str, str, Optional[str], str]] = {}
    for piece in pieces:
        index = piece.index
        if index is None:
            index = max(calls, default=0)
            if piece.id and calls and calls[index][0] != piece.id:
                index += 1
        known, name, signature, arguments = calls.get(index, ("", "", None, ""))
        function = piece.function or ToolCallFunctionChunk()
        calls[index] = (
            piece.id or known,
            function.name or name,
            piece.thought_signature or signature,
            arguments + (function.arguments or ""),
        )
    return [calls[index] for index in sorted(calls)]


def plain(answer: Optional[ChatCompletionResponse]) -> Optional[dict[str, Any]]:
    """A partial answer in the terms of `merged`."""
    if answer is None:
        return None
    choices = []
    for choice in answer.choices:
        message = choice.message
        calls = [
            (c.id, c.function.name, c.thought_signature, c.function.arguments)
            for c in message.tool_calls or ()
        ]
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
                    "calls": calls,
                },
            )
        )
    return {
        "id": answer.id,
        "created": answer.created,
        "model": answer.model,
        "usage": answer.usage,
        "cost": answer.cost,
        "system_fingerprint": answer.system_fingerprint,
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


def piece_of(text: str) -> ChatCompletionChunk:
    function = ToolCallFunctionChunk(arguments=text)
    delta = ChatCompletionChunkDelta(
        content=text, tool_calls=[ToolCallChunk(index=0, function=function)]
    )
    return ChatCompletionChunk(choices=[ChatCompletionChunkChoice(delta=delta)])


@pytest.mark.slow
def test_a_long_answer_is_kept_as_a_few_texts_and_not_as_its_pieces():
    accumulator = ChatAccumulator()
    for number in range(20_000):
        accumulator.add(piece_of(f"{number} "))
    choice = accumulator._choices[0]
    for text in (choice.content, choice.calls[0].arguments):
        kept = text.blocks + text.pieces
        assert len(kept) < 64 + 16
        # None is shorter than a later one: none is copied more often than its length doubles.
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
