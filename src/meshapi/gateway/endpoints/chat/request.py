"""The schema of a chat request: all documented fields, and no others."""

from collections.abc import Sequence
from typing import Any, Optional

from meshapi.gateway.http.validation import (
    Check,
    Detail,
    anything,
    array,
    boolean,
    detail,
    fields,
    integer,
    mapping,
    number,
    one_of,
    only_fields,
    string,
    string_or,
    tagged,
)

_TOOL: Check = fields(
    {
        "type": one_of("function"),
        "function": fields({"name": string}, {"description": string, "parameters": mapping}),
    },
    {},
)
_TOOL_CHOICE: Check = string_or(
    one_of("none", "auto", "required"),
    fields({"type": one_of("function"), "function": fields({"name": string}, {})}, {}),
)
_TOOL_CALL: Check = fields(
    {
        "id": string,
        "type": one_of("function"),
        "function": fields({"name": string, "arguments": string}, {}),
    },
    {"thought_signature": anything},
)

_CONTENT_PART = tagged(
    "type",
    {
        "text": fields({"text": string}, {}),
        "image_url": fields(
            {"image_url": fields({"url": string}, {"detail": one_of("auto", "low", "high")})}, {}
        ),
        "input_audio": fields(
            {
                "input_audio": fields(
                    {
                        "format": one_of(
                            *("wav", "mp3", "aiff", "aac", "ogg", "flac", "m4a", "pcm16", "pcm24")
                        )
                    },
                    {"data": string, "uri": string, "url": string},
                )
            },
            {},
        ),
        "video_url": fields({"video_url": fields({"url": string}, {})}, {"fps": string}),
        "file": fields(
            {"file": fields({}, {"file_data": string, "file_id": string, "filename": string})}, {}
        ),
    },
)

MESSAGE: Check = fields(
    {"role": one_of("system", "developer", "user", "assistant", "tool")},
    {
        "content": string_or(string, array(_CONTENT_PART)),
        "name": string,
        "tool_call_id": string,
        "tool_calls": array(_TOOL_CALL),
        "reasoning_details": array(mapping),
    },
)

SCHEMA: Check = only_fields(
    {"messages": array(MESSAGE, min_length=1)},
    {
        "model": string,
        "models": array(string),
        "template": string,
        "variables": mapping,
        "session_id": string,
        "user": string,
        "stream": boolean,
        "async_mode": boolean,
        "cache": boolean,
        "n": integer(ge=1, le=8),
        "temperature": number(),
        "top_p": number(),
        "frequency_penalty": number(),
        "presence_penalty": number(),
        "max_tokens": integer(ge=1),
        "max_completion_tokens": integer(ge=1),
        "seed": integer(),
        "stop": string_or(string, array(string)),
        "timeout": number(gt=0),
        "transforms": array(string),
        "reasoning_effort": one_of("high", "medium", "low", "none"),
        "reasoning": mapping,
        # Stands for a field that is newer than the client, which can only send it as an extra.
        "thinking_budget": integer(ge=0),
        "service_tier": one_of("auto", "default", "flex"),
        "weight_profile": one_of("quality_first", "balanced", "cost_first", "latency_first"),
        "logprobs": boolean,
        "top_logprobs": integer(ge=0),
        "logit_bias": mapping,
        "metadata": mapping,
        "stream_options": mapping,
        "tools": array(_TOOL),
        "tool_choice": _TOOL_CHOICE,
        "parallel_tool_calls": boolean,
        "response_format": fields(
            {"type": one_of("text", "json_object", "json_schema")},
            {"json_schema": fields({"schema": mapping}, {"name": string})},
        ),
        "modality": one_of("text", "image"),
        "modalities": array(one_of("text", "audio", "image")),
        "image": fields({}, {"n": integer(ge=1, le=10), "size": string, "quality": string}),
        "audio": anything,
    },
)


def fault_of_choice(tools: Sequence[dict[str, Any]], choice: Any) -> Optional[Detail]:
    """The fault of `tool_choice`, given the tools; None if there is none."""
    at = ("body", "tool_choice")
    if choice in (None, "none", "auto"):
        return None
    if not tools:
        return detail("value_error", at, "Value error, tool_choice needs tools")
    if choice == "required":
        return None
    name = choice["function"]["name"]
    if name not in [tool["function"]["name"] for tool in tools]:
        return detail("value_error", at, f"Value error, there is no tool named {name!r}")
    return None
