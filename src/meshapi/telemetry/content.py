"""The messages to and from a model, in the form of the conventions, up to a size.

Only text, and the names and arguments of tool calls: an image, a file or audio is named by its
kind, because it may be megabytes, or a signed URL.

Source: https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
    (gen-ai-input-messages.json, gen-ai-output-messages.json, gen-ai-tool-definitions.json)
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Optional, cast

from meshapi.telemetry.lenient import fields as fields_in
from meshapi.telemetry.lenient import items as items_in

__all__ = [
    "Encoded",
    "StreamedContent",
    "encode",
    "input_messages",
    "instructions",
    "output_message",
    "output_messages",
    "tools",
]

_TEXTS: Final = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})

Part = dict[str, Any]
Message = dict[str, Any]


class Encoded(NamedTuple):
    """JSON for an attribute, and whether something is missing from it."""

    text: str
    truncated: bool


def input_messages(fields: Mapping[str, Any]) -> list[Message]:
    """Return the messages of a request: chat, responses or embeddings."""
    given = fields.get("messages", fields.get("input", fields.get("prompt")))
    items = items_in(given) or [given]
    return [message for message in map(_message, items) if message is not None]


def instructions(fields: Mapping[str, Any]) -> list[Part]:
    """Return the instructions that a request has apart from its messages."""
    text = fields.get("instructions")
    return [_text_part(text)] if isinstance(text, str) and text else []


def tools(fields: Mapping[str, Any]) -> list[Any]:
    """Return the types and names of a request's tools, without their schemas, which are large."""
    found: list[Part] = []
    for tool in map(fields_in, items_in(fields.get("tools"))):
        kind = tool.get("type")
        name = tool.get("name", fields_in(tool.get("function")).get("name"))
        kind = kind if isinstance(kind, str) else "function"
        # The conventions want a name; tools of the provider have none but their type.
        found.append({"type": kind, "name": name if isinstance(name, str) else kind})
    return found


def output_message(message: object) -> Message:
    """Return what a model said, from a message as a dict."""
    found = _message(fields_in(message))
    return {"role": "assistant", "parts": [] if found is None else found["parts"]}


def output_messages(body: object) -> list[Message]:
    """Return what a model said in a whole response: of chat, or of `responses`."""
    fields = fields_in(body)
    choices = map(fields_in, items_in(fields.get("choices")))
    found = [output_message(choice.get("message")) for choice in choices]
    # The items of a response, such as text and tool calls, are one answer.
    said = [
        part for item in items_in(fields.get("output")) for part in output_message(item)["parts"]
    ]
    return [*found, {"role": "assistant", "parts": said}] if said else found


def _message(item: object) -> Optional[Message]:
    if isinstance(item, str):
        return {"role": "user", "parts": [_text_part(item)]}
    fields = fields_in(item)
    if not fields:
        return None
    role = fields.get("role")
    content = fields.get("content")
    parts: list[Part]
    if role == "tool" or fields.get("type") == "function_call_output":
        result = content if content is not None else fields.get("output")
        call_id = fields.get("tool_call_id", fields.get("call_id"))
        parts = [{"type": "tool_call_response", "id": call_id, "response": _only_text(result)}]
        return {"role": "tool", "parts": parts}
    if fields.get("type") == "reasoning":
        summary = _only_text([*items_in(fields.get("summary")), *items_in(content)])
        parts = [{"type": "reasoning", "content": summary}] if summary else []
    elif isinstance(content, str):
        parts = [_text_part(content)]
    else:
        parts = [_part(part) for part in items_in(content)]
    parts += map(_tool_call, items_in(fields.get("tool_calls")))
    if fields.get("type") == "function_call":
        parts.append(_tool_call({"id": fields.get("call_id"), "function": fields}))
    return {"role": role if isinstance(role, str) else "user", "parts": parts}


def _text_part(text: str) -> Part:
    return {"type": "text", "content": text}


def _part(part: object) -> Part:
    if isinstance(part, str):
        return _text_part(part)
    fields = fields_in(part)
    kind, text = fields.get("type"), fields.get("text")
    if kind in _TEXTS and isinstance(text, str):
        return _text_part(text)
    return {"type": kind if isinstance(kind, str) else "unknown"}


def _only_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "".join(_part(part).get("content", "") for part in items_in(value))


def _tool_call(call: object) -> Part:
    fields = fields_in(call)
    named = fields_in(fields.get("function"))
    return {
        "type": "tool_call",
        "id": fields.get("id"),
        "name": named.get("name"),
        "arguments": named.get("arguments"),
    }


class StreamedContent:
    """What a model says in a stream, put together from its chunks.

    Args:
        limit: the most characters to keep. The attribute has at most as many bytes.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._choices: dict[int, tuple[list[str], dict[int, Part]]] = {}
        self._response: object = None

    def take(self, chunk: object) -> None:
        """Take the next chunk: of chat, or an event of `responses`."""
        # The last one is the whole response.
        self._response = fields_in(getattr(chunk, "response", None)) or self._response
        for choice in items_in(getattr(chunk, "choices", None)):
            delta = getattr(choice, "delta", None)
            texts, calls = self._choices.setdefault(getattr(choice, "index", 0), ([], {}))
            text = getattr(delta, "content", None)
            if isinstance(text, str) and text:
                texts.append(self._kept(text))
            for call in items_in(getattr(delta, "tool_calls", None)):
                self._take_call(calls, call)

    def _take_call(self, calls: dict[int, Part], call: object) -> None:
        whole = calls.setdefault(getattr(call, "index", 0), {"id": None, "function": {}})
        whole["id"] = whole["id"] or getattr(call, "id", None)
        pieces, named = getattr(call, "function", None), whole["function"]
        for name in ("name", "arguments"):
            piece = getattr(pieces, name, None)
            if isinstance(piece, str):
                named[name] = named.get(name, "") + self._kept(piece)

    def _kept(self, text: str) -> str:
        text = text[: self._left + 1]  # one more than fits, so that it is noticed
        self._left -= len(text)
        return text

    def messages(self) -> list[Message]:
        """Return what the model has said so far."""
        said = [
            output_message({"content": "".join(texts) or None, "tool_calls": [*calls.values()]})
            for _, (texts, calls) in sorted(self._choices.items())
        ]
        return said or output_messages(self._response)


def encode(items: list[Any], limit: int) -> Encoded:
    """Return items as JSON of at most `limit` bytes.

    The last items are kept, as they say most about a call. The first of those that are kept has its
    texts cut.
    """
    kept: list[str] = []
    left = limit - len("[]")
    for item in reversed(items):
        text = _json(item)
        if _size(text) <= left:
            kept.append(text)
            left -= _size(text) + len(",")
            continue
        cut = _cut(item, left)
        if cut:
            kept.append(cut)
        return Encoded(f"[{','.join(reversed(kept))}]", truncated=True)
    return Encoded(f"[{','.join(reversed(kept))}]", truncated=False)


def _cut(item: Any, limit: int) -> str:
    """Return an item with shorter texts, as JSON; "" if even without them it is too long."""
    texts = sorted(_longest(item), reverse=True)
    length = texts[0] if texts else 0
    while True:
        text = _json(_shortened(item, length))
        if _size(text) <= limit:
            return text
        if length == 0:
            return ""
        length = min(length // 2, length * limit // max(_size(text), 1)) if limit > 0 else 0


def _longest(value: Any) -> list[int]:
    """The lengths of all texts in a value."""
    if isinstance(value, str):
        return [len(value)]
    inner = items_in(value) or fields_in(value).values()
    return [size for item in inner for size in _longest(item)]


_WORDS: Final = frozenset({"role", "type", "finish_reason", "name", "id"})
"""Fields that are not text, and are not cut."""


def _shortened(value: Any, length: int) -> Any:
    if isinstance(value, str):
        return value[:length]
    if isinstance(value, dict):
        return {
            key: item if key in _WORDS else _shortened(item, length)
            for key, item in fields_in(cast("object", value)).items()
        }
    if isinstance(value, list):
        return [_shortened(item, length) for item in items_in(cast("object", value))]
    return value


def _json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except (ValueError, RecursionError):
        return '"(cannot be encoded)"'
    # Half of an emoji is legal in JSON, and not in an attribute.
    return text.encode("utf-8", "replace").decode("utf-8")


def _size(text: str) -> int:
    return len(text.encode("utf-8"))
