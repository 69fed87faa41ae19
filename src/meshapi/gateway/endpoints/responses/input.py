"""The schema of a request to /v1/responses, and the translation into a chat request.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.validation import (
    Check,
    Detail,
    Location,
    anything,
    array,
    boolean,
    fields,
    integer,
    mapping,
    number,
    one_of,
    only_fields,
    string,
    string_or,
    tagged,
    text,
)

_BUILTIN_TOOLS = (
    "image_generation",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "file_search",
    "computer_use_preview",
    "code_interpreter",
)

_PART = tagged(
    "type",
    {
        **dict.fromkeys(("input_text", "output_text", "text"), fields({"text": string}, {})),
        "refusal": fields({"refusal": string}, {}),
        **dict.fromkeys(("input_image", "input_file", "input_audio"), mapping),
    },
)
_WORDS = string_or(string, array(_PART))
_ITEMS = {
    "message": fields(
        {"role": one_of("system", "developer", "user", "assistant"), "content": _WORDS}, {}
    ),
    "function_call": fields({"call_id": string, "name": string, "arguments": string}, {}),
    "function_call_output": fields({"call_id": string, "output": _WORDS}, {}),
}


def _item(value: Any, at: Location) -> Iterator[Detail]:
    # Items that only a model could use (reasoning, references ...) are accepted as they are.
    if isinstance(value, dict):
        kind: Any = cast("dict[str, Any]", value).get("type", "message")
        check = _ITEMS.get(kind, mapping) if isinstance(kind, str) else fields({"type": string}, {})
        yield from check(value, at)
    else:
        yield from mapping(value, at)


def _tool(value: Any, at: Location) -> Iterator[Detail]:
    kind: Any = cast("dict[str, Any]", value).get("type") if isinstance(value, dict) else None
    if kind in (None, "function"):
        yield from fields({"name": string}, {"description": string, "parameters": mapping})(
            value, at
        )
    else:
        yield from one_of("function", *_BUILTIN_TOOLS)(kind, (*at, "type"))


_FORMAT = fields(
    {"type": one_of("text", "json_object", "json_schema")},
    {"schema": mapping, "name": string, "json_schema": fields({}, {"schema": mapping})},
)

SCHEMA: Check = only_fields(
    {"input": string_or(string, array(_item))},
    {
        "model": string,
        "template": string,
        "variables": mapping,
        "session_id": string,
        "previous_response_id": string,
        "instructions": string,
        "stream": boolean,
        "background": boolean,
        "store": boolean,
        "max_output_tokens": integer(ge=1),
        "max_tool_calls": integer(ge=1, le=10),
        "temperature": number(ge=0, le=2),
        "top_p": number(ge=0, le=1),
        "seed": integer(),
        "expire_at": integer(),
        "timeout": number(gt=0),
        "user": text(max_length=256),
        "reasoning": mapping,
        "text": fields({}, {"format": _FORMAT, "verbosity": string}),
        "response_format": _FORMAT,
        "thinking": mapping,
        "caching": mapping,
        "context_management": mapping,
        "metadata": mapping,
        "include": array(anything),
        "plugins": array(anything),
        "tools": array(_tool),
        "tool_choice": string_or(
            one_of("none", "auto", "required"), fields({"type": string}, {"name": string})
        ),
        "parallel_tool_calls": boolean,
    },
)


# The fields that have the same name and meaning in both.
_SHARED = ("model", "template", "variables", "user", "parallel_tool_calls")


def chat_body(body: dict[str, Any], earlier: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The request as a chat request.

    Args:
        earlier: the messages of the conversation that it continues.

    Raises:
        GatewayError: 501, for a tool that only the service has.
    """
    given: list[dict[str, Any]] = body.get("tools") or []
    tools = [_chat_tool(tool) for tool in given]
    system: list[dict[str, Any]] = []
    if body.get("instructions"):
        system = [{"role": "system", "content": body["instructions"]}]
    asked = {
        **{key: body.get(key) for key in _SHARED},
        "max_tokens": body.get("max_output_tokens"),
        "tools": tools or None,
        "tool_choice": _chat_choice(body.get("tool_choice")),
        "response_format": _chat_format(body) or None,
        "messages": [*system, *earlier, *messages_of(body["input"])],
    }
    return {key: value for key, value in asked.items() if value is not None}


def messages_of(items: Any) -> list[dict[str, Any]]:
    """The input, or the output of a response, as chat messages."""
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    found = (_message(item) for item in items)
    return [message for message in found if message]


def question_of(messages: Sequence[dict[str, Any]]) -> str:
    """The content of the user's last message."""
    return next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")


def _message(item: dict[str, Any]) -> dict[str, Any]:
    kind = item.get("type", "message")
    if kind == "message":
        return {"role": item["role"], "content": _plain(item["content"])}
    if kind == "function_call":
        function = {"name": item["name"], "arguments": item["arguments"]}
        call = {"id": item["call_id"], "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if kind == "function_call_output":
        return {
            "role": "tool",
            "tool_call_id": item["call_id"],
            "content": _plain(item["output"]),
        }
    return {}


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = content
    return " ".join(part.get("text") or part.get("refusal") or "" for part in parts).strip()


def _chat_tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type", "function") != "function":
        raise GatewayError(501, "not_implemented", f"The local gateway has no tool {tool['type']}.")
    function = {key: tool[key] for key in ("name", "description", "parameters") if key in tool}
    return {"type": "function", "function": function}


def _chat_choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    wanted = cast("dict[str, Any]", choice)
    if wanted["type"] != "function":
        message = f"The local gateway has no tool {wanted['type']}."
        raise GatewayError(501, "not_implemented", message)
    return {"type": "function", "function": {"name": wanted.get("name")}}


def _chat_format(body: dict[str, Any]) -> dict[str, Any]:
    """The format as chat requests have it; the request may have either form."""
    settings: dict[str, Any] = body.get("text") or {}
    wanted: dict[str, Any] = settings.get("format") or body.get("response_format") or {}
    if wanted.get("type") != "json_schema":
        return wanted
    inner: dict[str, Any] = wanted.get("json_schema") or wanted
    # If the schema is missing, the checks of chat report it.
    schema = {"json_schema": inner} if inner.get("schema") is not None else {}
    return {"type": "json_schema", **schema}
