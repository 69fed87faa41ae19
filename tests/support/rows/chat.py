"""Chat completions."""

import json

from meshapi import (
    ChatCompletionChoice,
    ChatCompletionChunk,
    ChatCompletionChunkChoice,
    ChatCompletionChunkDelta,
    ChatCompletionMessage,
    ChatCompletionParams,
    ChatCompletionResponse,
    ChatMessage,
    UsageInfo,
)
from support.endpoint_rows import Row

RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_780_000_000,
    "model": "openai/gpt-4o-mini",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "4", "mood": "calm"},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    "x_resolved_model_id": "openai/gpt-4o-mini",
}
VALUE = ChatCompletionResponse(
    id="chatcmpl-1",
    object="chat.completion",
    created=1_780_000_000,
    model="openai/gpt-4o-mini",
    choices=[
        ChatCompletionChoice(
            message=ChatCompletionMessage(content="4", mood="calm"), finish_reason="stop"
        )
    ],
    usage=UsageInfo(prompt_tokens=9, completion_tokens=1, total_tokens=10),
    x_resolved_model_id="openai/gpt-4o-mini",
)


def _chunk(content: str, finish_reason: "str | None" = None) -> "tuple[bytes, ChatCompletionChunk]":
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}
    value = ChatCompletionChunk(
        **head,
        choices=[
            ChatCompletionChunkChoice(
                delta=ChatCompletionChunkDelta(content=content), finish_reason=finish_reason
            )
        ],
    )
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n", value


CHUNKS = [_chunk("4"), _chunk("2", "stop")]
STREAM = b"".join(frame for frame, _ in CHUNKS) + b"data: [DONE]\n\n"
VALUES = [value for _, value in CHUNKS]

ROWS = [
    Row(
        "chat.completions.create",
        "/v1/chat/completions",
        args=(
            ChatCompletionParams(
                model="openai/gpt-4o-mini",
                messages=[ChatMessage(role="user", content="2+2?")],
                temperature=0.0,
                cache=False,
            ),
        ),
        json={
            "model": "openai/gpt-4o-mini",
            "messages": [{"role": "user", "content": "2+2?"}],
            "temperature": 0.0,
            "cache": False,
            "stream": False,
        },
        response=RESPONSE,
        value=VALUE,
    ),
    Row(
        "chat.completions.create",
        "/v1/chat/completions",
        kwargs={"params": ChatCompletionParams(messages=[ChatMessage(role="user", content="hi")])},
        json={"messages": [{"role": "user", "content": "hi"}], "stream": False},
        response=RESPONSE,
        value=VALUE,
    ),
    Row(
        "chat.completions.create",
        "/v1/chat/completions",
        kwargs={
            "messages": [
                {
                    "role": "developer",
                    "content": [
                        {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}},
                        {"type": "file", "file": {"file_id": "f", "new": 1}},
                    ],
                }
            ],
            "max_completion_tokens": 5,
            "n": 2,
            "logprobs": True,
            "top_logprobs": 3,
            "logit_bias": {"50256": -100},
            "stream_options": {"include_usage": True},
            "parallel_tool_calls": False,
            "metadata": {"a": "b"},
            "provider": {"order": ["openai"]},
            "service_tier": "flex",
            "reasoning": {"effort": "low"},
            "weight_profile": "cost_first",
            "tools": [{"type": "function", "function": {"name": "f", "strict": True}}],
            "user": None,
        },
        json={
            "messages": [
                {
                    "role": "developer",
                    "content": [
                        {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}},
                        {"type": "file", "file": {"file_id": "f", "new": 1}},
                    ],
                }
            ],
            "max_completion_tokens": 5,
            "n": 2,
            "logprobs": True,
            "top_logprobs": 3,
            "logit_bias": {"50256": -100},
            "stream_options": {"include_usage": True},
            "parallel_tool_calls": False,
            "metadata": {"a": "b"},
            "provider": {"order": ["openai"]},
            "service_tier": "flex",
            "reasoning": {"effort": "low"},
            "weight_profile": "cost_first",
            "tools": [{"type": "function", "function": {"name": "f", "strict": True}}],
            "stream": False,
        },
        response=RESPONSE,
        value=VALUE,
    ),
    Row(
        "chat.completions.stream",
        "/v1/chat/completions",
        kwargs={"model": "m", "messages": [{"role": "user", "content": "2+2?"}]},
        json={"model": "m", "messages": [{"role": "user", "content": "2+2?"}], "stream": True},
        accept="text/event-stream",
        response=STREAM,
        response_type="text/event-stream",
        value=VALUES,
    ),
]
