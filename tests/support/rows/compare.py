"""Compare."""

import json
from typing import Any

from meshapi_core.types.chat import ChatMessage
from meshapi_core.types.compare import (
    CompareParams,
    CompareResponse,
    CompareStreamEvent,
    ModelCompareResult,
    ModelOverride,
    TokenUsage,
)
from support.endpoint_rows import Row

_RESULTS: list[dict[str, Any]] = [
    {
        "model": "a/1",
        "response_body": {"id": "c1", "choices": []},
        "content": "4",
        "latency_ms": 12,
        "error": None,
        "error_code": None,
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
        "request_id": "req_1::a/1",
    },
    {
        "model": "b/2",
        "latency_ms": 30000,
        "error": "Upstream provider did not respond in time.",
        "error_code": "gateway_timeout",
        "request_id": "req_1::b/2",
    },
]
RESPONSE: dict[str, Any] = {
    "comparison_id": "cmp_1",
    "object": "compare.completion",
    "created": 1_780_000_000,
    "models": ["a/1", "b/2"],
    "results": _RESULTS,
    "comparison": "Only one has answered.",
    "comparison_model": "c/3",
    "comparison_usage": {"total_tokens": 7},
    "comparison_fallback_used": True,
    "total_latency_ms": 30001,
    "partial": True,
    "skip_comparison": False,
    "new_field": {"a": [None]},
}
VALUE = CompareResponse(
    comparison_id="cmp_1",
    object="compare.completion",
    created=1_780_000_000,
    models=["a/1", "b/2"],
    results=[
        ModelCompareResult(
            model="a/1",
            response_body={"id": "c1", "choices": []},
            content="4",
            latency_ms=12,
            usage=TokenUsage(prompt_tokens=9, completion_tokens=1, total_tokens=10),
            request_id="req_1::a/1",
        ),
        ModelCompareResult(
            model="b/2",
            latency_ms=30000,
            error="Upstream provider did not respond in time.",
            error_code="gateway_timeout",
            request_id="req_1::b/2",
        ),
    ],
    comparison="Only one has answered.",
    comparison_model="c/3",
    comparison_usage=TokenUsage(total_tokens=7),
    comparison_fallback_used=True,
    total_latency_ms=30001,
    partial=True,
)

JUDGED: list[tuple[str, dict[str, Any]]] = [
    (
        "meta",
        {
            "comparison_id": "cmp_1",
            "models": ["a/1", "b/2"],
            "comparison_model": "c/3",
            "skip_comparison": False,
        },
    ),
    (
        "model_chunk",
        {
            "model": "b/2",
            "delta": None,
            "latency_ms": 30000,
            "error": "Upstream provider did not respond in time.",
            "error_code": "gateway_timeout",
            "usage": None,
        },
    ),
    (
        "model_chunk",
        {"model": "a/1", "delta": "4", "latency_ms": 12, "error": None, "usage": {"total": 1}},
    ),
    ("model_done", {"results": _RESULTS}),
    ("comparison_chunk", {"delta": "Only one ", "finish_reason": None}),
    ("comparison_chunk", {"delta": "has answered.", "finish_reason": "stop"}),
    (
        "done",
        {
            "comparison_id": "cmp_1",
            "total_latency_ms": 30001,
            "partial": True,
            "comparison_model": "c/3",
            "comparison_fallback_used": True,
        },
    ),
]
SKIPPED: list[tuple[str, dict[str, Any]]] = [
    ("meta", {"comparison_id": "cmp_2", "models": ["a/1", "b/2"], "skip_comparison": True}),
    ("model_chunk", {"model": "a/1", "delta": "4", "finish_reason": None}),
    ("model_chunk", {"model": "b/2", "delta": "fo", "finish_reason": None}),
    ("model_stream_done", {"model": "a/1", "finish_reason": "stop", "usage": {}, "error": None}),
    ("model_stream_done", {"model": "b/2", "error": "It broke.", "error_code": "upstream_error"}),
    ("a_new_event", {"event": "of ours", "data": {"not": "that"}, "mood": "calm"}),
    ("done", {"comparison_id": "cmp_2", "total_latency_ms": 9, "skip_comparison": True}),
]


def frames(events: "list[tuple[str, dict[str, Any]]]") -> bytes:
    """A stream of these chunks, without [DONE]."""
    return b"".join(
        f"event: {name}\ndata: {json.dumps(payload)}\n\n".encode() for name, payload in events
    )


def values(events: "list[tuple[str, dict[str, Any]]]") -> list[CompareStreamEvent]:
    """What a user gets from them."""
    return [
        CompareStreamEvent(**{**payload, "event": name, "data": payload})
        for name, payload in events
    ]


_PATH = "/v1/chat/compare"
_MESSAGES = [{"role": "user", "content": "2+2?"}]

ROWS = [
    Row(
        "compare.create",
        _PATH,
        args=(
            CompareParams(
                models=["a/1", "b/2"],
                messages=[ChatMessage(role="user", content="2+2?")],
                model_overrides=[ModelOverride(model="a/1", temperature=0.0)],
                comparison_model="c/3",
            ),
        ),
        json={
            "models": ["a/1", "b/2"],
            "messages": _MESSAGES,
            "model_overrides": [{"model": "a/1", "temperature": 0.0}],
            "comparison_model": "c/3",
            "skip_comparison": False,
            "stream": False,
        },
        response=RESPONSE,
        value=VALUE,
    ),
    Row(
        "compare.create",
        _PATH,
        kwargs={
            "models": ["a/1"],
            "messages": [{**_MESSAGES[0], "mood": "calm"}],
            "model_overrides": [{"model": "a/1", "top_k": 0}],
            "cache": False,
            "max_tokens": 1,
            "skip_comparison": True,
            "template": None,
        },
        json={
            "models": ["a/1"],
            "messages": [{**_MESSAGES[0], "mood": "calm"}],
            "model_overrides": [{"model": "a/1", "top_k": 0}],
            "cache": False,
            "max_tokens": 1,
            "skip_comparison": True,
            "stream": False,
        },
        response={"comparison_id": None, "results": [None, {"model": "a/1", "latency_ms": "12"}]},
        value=CompareResponse(results=[ModelCompareResult(model="a/1", latency_ms=12)]),
    ),
    Row(
        "compare.stream",
        _PATH,
        args=(
            CompareParams(
                models=["a/1", "b/2"],
                messages=[ChatMessage(role="user", content="2+2?")],
                stream=True,
            ),
        ),
        json={
            "models": ["a/1", "b/2"],
            "messages": _MESSAGES,
            "skip_comparison": False,
            "stream": True,
        },
        accept="text/event-stream",
        response=frames(JUDGED),
        response_type="text/event-stream",
        value=values(JUDGED),
    ),
    Row(
        "compare.stream",
        _PATH,
        kwargs={"models": ["a/1", "b/2"], "messages": _MESSAGES, "skip_comparison": True},
        json={
            "models": ["a/1", "b/2"],
            "messages": _MESSAGES,
            "skip_comparison": True,
            "stream": True,
        },
        accept="text/event-stream",
        response=b"event: ping\ndata: {}\n\n" + frames(SKIPPED) + b"data: [DONE]\n\n",
        response_type="text/event-stream",
        value=values(SKIPPED),
    ),
    Row(
        "compare.stream",
        _PATH,
        args=(CompareParams(models=[], messages=[]),),
        json={"models": [], "messages": [], "skip_comparison": False, "stream": True},
        accept="text/event-stream",
        response=RESPONSE,
        value=[CompareStreamEvent(**{**RESPONSE, "event": "done", "data": RESPONSE})],
    ),
]
