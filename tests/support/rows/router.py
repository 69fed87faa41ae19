"""The router."""

from meshapi_core.types.chat import ChatMessage
from meshapi_core.types.router import AutoRouterMeta, RouterSelectParams, RouterSelectResponse
from support.endpoint_rows import Row

_PATH = "/v1/router/select"
_MESSAGES = [{"role": "user", "content": "Prove it."}]

ROWS = [
    Row(
        "router.select",
        _PATH,
        args=(RouterSelectParams(messages=[ChatMessage(role="user", content="Prove it.")]),),
        json={"messages": _MESSAGES, "api_type": "completions"},
        response={
            "model": "openai/o4-mini",
            "auto_router": {"fallback_used": True, "fallback_reason": "slow"},
            "reasoning_effort": "high",
        },
        value=RouterSelectResponse(
            model="openai/o4-mini",
            auto_router=AutoRouterMeta(fallback_used=True, fallback_reason="slow"),
            reasoning_effort="high",
        ),
    ),
    Row(
        "router.select",
        _PATH,
        kwargs={
            "messages": _MESSAGES,
            "api_type": "embeddings",
            "candidate_models": ["a/1", "b/2"],
            "exclude_models": [],
        },
        json={
            "messages": _MESSAGES,
            "api_type": "embeddings",
            "candidate_models": ["a/1", "b/2"],
            "exclude_models": [],
        },
        response={"model": "a/1", "auto_router": None},
        value=RouterSelectResponse(model="a/1"),
    ),
]
