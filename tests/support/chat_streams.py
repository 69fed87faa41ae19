"""Strategies for the bodies of streamed chat completions."""

import json
from typing import Any

from hypothesis import strategies as st

from support import sse_streams

Json = dict[str, Any]

_texts = st.sampled_from(["", "a", "Hello", " wörld", "\u2028\x85", "\U0001f600", '"error"', "\n"])
_maybe_texts = st.none() | _texts
_calls = st.fixed_dictionaries(
    {},
    optional={
        "index": st.none() | st.integers(0, 2),
        "id": st.sampled_from([None, "", "call_1", "call_2"]),
        "thought_signature": st.sampled_from([None, "s1", "s2"]),
        "function": st.none()
        | st.fixed_dictionaries(
            {}, optional={"name": st.sampled_from([None, "f", "g"]), "arguments": _maybe_texts}
        ),
    },
)
_audio = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("audio_1"),
        "data": st.sampled_from(["", "AAAA", "AA=="]),
        "transcript": _texts,
        "expires_at": st.integers(0, 9),
    },
)
_details = st.lists(st.fixed_dictionaries({"text": _texts}), max_size=2)
_deltas = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from([None, "assistant", "tool"]),
        "content": _maybe_texts,
        "reasoning_content": _maybe_texts,
        "refusal": _maybe_texts,
        "audio": st.none() | _audio,
        "annotations": st.none() | _details,
        "reasoning_details": st.none() | _details,
        "tool_calls": st.none() | st.lists(_calls, max_size=3),
    },
)
_choices = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(0, 2),
        "delta": st.none() | _deltas,
        "finish_reason": st.sampled_from([None, None, None, "stop", "tool_calls", "new_reason"]),
    },
)
_usages = st.fixed_dictionaries({"prompt_tokens": st.integers(0, 9)})

chunks: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {"choices": st.lists(_choices, max_size=3)},
    optional={
        "id": st.sampled_from(["c1", "c2"]),
        "created": st.integers(0, 9),
        "model": st.just("openai/gpt-4o-mini"),
        "usage": st.none() | _usages,
        "cost": st.sampled_from([None, "0.1", "0.2"]),
        "system_fingerprint": st.sampled_from([None, "fp_1", "fp_2"]),
        "new_field": st.just({"a": [1]}),
    },
)
"""Chunks as decoded JSON: several choices, tool calls with and without an index, nulls."""

_passed_over = st.sampled_from(
    [b": ping", b'data: "ping"', b"data: [1]", b"data: null", b"data:", b"event: ping\ndata: {"]
)
_ends = st.sampled_from(
    [b"", b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE]\n\ndata: {\n\n"]
)
_broken = st.sampled_from(
    [
        b'data: {"error": {"message": "m", "code": "rate_limit_exceeded"}}',
        b'data: {"error": "text"}',
        b'event: error\ndata: {"message": "m"}',
        b"event: error\ndata: text",
        b'data: {"choices": [',
        b"data: text",
        b"data: " + b"a" * 300,
    ]
)


def frame(chunk: Json, *, compact: bool = True) -> bytes:
    """A chunk as one event, without its blank line."""
    separators = (",", ":") if compact else (", ", ": ")
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=separators).encode()


_frames = st.one_of(
    chunks.map(frame),
    chunks.map(frame),
    chunks.map(frame),
    _passed_over,
)


@st.composite
def _bodies(draw: st.DrawFn, frames: st.SearchStrategy[bytes], ends: Any) -> bytes:
    body = draw(st.sampled_from([b"", b"\xef\xbb\xbf", b"\n", b": hi\n\n"]))
    body += b"".join(event + b"\n\n" for event in draw(st.lists(frames, max_size=6)))
    return (body + draw(ends)).replace(b"\n", draw(sse_streams.line_ends))


good = _bodies(_frames, _ends)
"""Event streams without errors, complete or not."""

bodies = st.one_of(
    good,
    _bodies(_frames | _broken, _ends),
    sse_streams.written,
    chunks.map(lambda chunk: json.dumps(chunk).encode()),
    st.sampled_from([b"", b" ", b"<html>", b'{"error": "text"}', b"{}", b'{"id": ', b"[]"]),
    st.binary(max_size=40),
)
"""Bodies of all kinds: valid, nearly valid, and arbitrary."""

content_types = st.sampled_from(
    ["text/event-stream", "text/event-stream; charset=utf-8", "application/json", "", "text/html"]
)
