"""Responses."""

import json
from typing import Any

from meshapi_core.types.response_events import (
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseErrorEvent,
    ResponseOutputItemAddedEvent,
    ResponseTextDeltaEvent,
)
from meshapi_core.types.responses import (
    BuiltinTool,
    ResponsesFunctionTool,
    ResponsesListItem,
    ResponsesListResponse,
    ResponsesParams,
    ResponsesResponse,
    ResponsesStreamEvent,
    ResponsesUsage,
)
from support.endpoint_rows import Row

_ITEM = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "42", "annotations": []}],
}
_USAGE = {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10, "new_count": 3}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_780_000_000,
    "status": "completed",
    "model": "openai/o4-mini",
    "output": [_ITEM],
    "usage": _USAGE,
    "error": None,
    "x_resolved_model_id": "openai/o4-mini",
}
VALUE = ResponsesResponse(
    id="resp_1",
    object="response",
    status="completed",
    model="openai/o4-mini",
    output=[_ITEM],
    usage=ResponsesUsage(input_tokens=9, output_tokens=1, total_tokens=10),
    created_at=1_780_000_000,
    error=None,
    x_resolved_model_id="openai/o4-mini",
)
QUEUED = {"id": "resp_2", "object": "response", "status": "queued", "output": []}

_BEGUN = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
_PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
FRAMES: list[dict[str, Any]] = [
    {"type": "response.created", "response": _BEGUN, "sequence_number": 0},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**_ITEM, "content": []},
        "sequence_number": 1,
    },
    {"type": "response.output_text.delta", **_PLACE, "delta": "4", "sequence_number": 2},
    {
        "type": "response.output_text.delta",
        **_PLACE,
        "delta": "2",
        "logprobs": None,
        "sequence_number": 3,
        "obfuscation": "x7",
    },
    {"type": "response.hologram.delta", "delta": {"angle": 7}, "sequence_number": 4},
    {"type": "error", "code": None, "message": "a hiccup", "param": None, "sequence_number": 5},
    {
        "type": "response.completed",
        "response": RESPONSE,
        "usage": _USAGE,
        "sequence_number": 6,
    },
]
EVENTS: list[ResponsesStreamEvent] = [
    ResponseCreatedEvent(response=_BEGUN),
    ResponseOutputItemAddedEvent(item={**_ITEM, "content": []}, sequence_number=1),
    ResponseTextDeltaEvent(item_id="msg_1", delta="4", sequence_number=2),
    ResponseTextDeltaEvent(item_id="msg_1", delta="2", sequence_number=3, obfuscation="x7"),
    ResponsesStreamEvent(type="response.hologram.delta", delta={"angle": 7}, sequence_number=4),
    ResponseErrorEvent(message="a hiccup", sequence_number=5),
    ResponseCompletedEvent(response=RESPONSE, usage=VALUE.usage, sequence_number=6),
]


def _named(frame: "dict[str, Any]") -> bytes:
    return f"event: {frame['type']}\ndata: {json.dumps(frame)}\n\n".encode()


def _bare(frame: "dict[str, Any]") -> bytes:
    return f"data: {json.dumps(frame)}\n\n".encode()


_PATH = "/v1/responses"
_SEARCH = {"type": "web_search_preview", "search_context_size": "low"}

ROWS = [
    Row(
        "responses.create",
        _PATH,
        args=(
            ResponsesParams(
                model="openai/o4-mini",
                input="What is the response?",
                reasoning={"effort": "medium"},
                max_output_tokens=512,
                tools=[
                    ResponsesFunctionTool(name="f", strict=False),
                    BuiltinTool(type="web_search_preview", search_context_size="low"),
                ],
            ),
        ),
        json={
            "model": "openai/o4-mini",
            "input": "What is the response?",
            "reasoning": {"effort": "medium"},
            "max_output_tokens": 512,
            "tools": [{"type": "function", "name": "f", "strict": False}, _SEARCH],
            "stream": False,
        },
        response=RESPONSE,
        value=VALUE,
    ),
    Row(
        "responses.create",
        _PATH,
        kwargs={
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}, None],
            "background": True,
            "store": False,
            "temperature": 0,
            "tools": [_SEARCH, {"type": "mcp", "server_url": "https://x/y"}],
            "text": {"format": {"type": "text"}, "verbosity": None},
            "metadata": {},
            "user": None,
        },
        json={
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}, None],
            "background": True,
            "store": False,
            "temperature": 0,
            "tools": [_SEARCH, {"type": "mcp", "server_url": "https://x/y"}],
            "text": {"format": {"type": "text"}, "verbosity": None},
            "metadata": {},
            "stream": False,
        },
        status=202,
        response=QUEUED,
        value=ResponsesResponse(id="resp_2", object="response", status="queued", output=[]),
    ),
    Row(
        "responses.stream",
        _PATH,
        args=(ResponsesParams(input="What is the response?"),),
        json={"input": "What is the response?", "stream": True},
        accept="text/event-stream",
        response=b"".join(map(_named, FRAMES)),
        response_type="text/event-stream",
        value=EVENTS,
    ),
    Row(
        "responses.stream",
        _PATH,
        kwargs={"input": "", "model": "auto", "top_p": 0.5},
        json={"input": "", "model": "auto", "top_p": 0.5, "stream": True},
        accept="text/event-stream",
        response=b": ping\n\n" + b"".join(map(_bare, FRAMES)) + b"data: [DONE]\n\n",
        response_type="text/event-stream; charset=utf-8",
        value=EVENTS,
    ),
    Row(
        "responses.stream",
        _PATH,
        args=(ResponsesParams(input="hi", stream=True),),
        json={"input": "hi", "stream": True},
        accept="text/event-stream",
        response=RESPONSE,
        value=[ResponseCompletedEvent(response=RESPONSE, usage=VALUE.usage)],
    ),
    Row(
        "responses.list",
        _PATH,
        method="GET",
        response={"object": "list", "data": [], "has_more": False},
        value=ResponsesListResponse(object="list"),
    ),
    Row(
        "responses.list",
        _PATH,
        method="GET",
        query="after=resp_1%26limit%3D2%20%2B%C3%A9&limit=0",
        kwargs={"after": "resp_1&limit=2 +é", "limit": 0},
        response={
            "object": "list",
            "data": [{"id": "resp_0", "created_at": 5, "region": "eu"}, {"id": None}],
            "has_more": True,
            "first_id": "resp_0",
            "last_id": None,
            "cursor": "c",
        },
        value=ResponsesListResponse(
            object="list",
            data=[
                ResponsesListItem(id="resp_0", created_at=5, region="eu"),
                ResponsesListItem(),
            ],
            has_more=True,
            first_id="resp_0",
            cursor="c",
        ),
    ),
    Row(
        "responses.get",
        f"{_PATH}/resp_1",
        method="GET",
        args=("resp_1",),
        response=RESPONSE,
        value=VALUE,
    ),
    Row(
        "responses.get",
        f"{_PATH}/a%2Fb%3Fx%3D1%23f%25%20%C3%A9",
        method="GET",
        kwargs={"response_id": "a/b?x=1#f% é"},
        response=QUEUED,
        value=ResponsesResponse(id="resp_2", object="response", status="queued", output=[]),
    ),
]
