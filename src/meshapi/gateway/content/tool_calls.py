"""Which tools the gateway calls, and with which arguments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from meshapi.gateway.content.schema_samples import sample
from meshapi.gateway.http.wire import dump, ulid

# Fragments this short split most strings and numbers of the arguments.
_FRAGMENT = re.compile(r".{1,6}", re.DOTALL)


@dataclass(frozen=True)
class ToolCall:
    """One call that an answer asks for. `arguments` is JSON, as text."""

    id: str
    name: str
    arguments: str

    def whole(self) -> dict[str, Any]:
        """The call as it appears in a message."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}

    def deltas(self, index: int) -> list[dict[str, Any]]:
        """The call as deltas of a stream: first the name, then the arguments in fragments."""
        function = {"name": self.name, "arguments": ""}
        head = {"index": index, "id": self.id, "type": "function", "function": function}
        parts = fragments(self.arguments)
        return [head, *({"index": index, "function": {"arguments": part}} for part in parts)]


def fragments(arguments: str) -> list[str]:
    """The arguments of a call, in the fragments that a stream sends."""
    return _FRAGMENT.findall(arguments)


def calls(tools: Sequence[dict[str, Any]], choice: Any, question: str) -> list[ToolCall]:
    """The calls that answer the question; none if there are no tools or the choice is "none"."""
    if not tools or choice == "none":
        return []
    functions = [tool["function"] for tool in tools]
    if isinstance(choice, dict):
        chosen = [f for f in functions if f["name"] == choice["function"]["name"]][:1]
    else:
        chosen = [f for f in functions if f["name"] in question] or [_closest(functions, question)]
    return [_call(function, question) for function in chosen]


def _closest(functions: Sequence[dict[str, Any]], question: str) -> dict[str, Any]:
    asked = _vocabulary(question)

    def likeness(function: dict[str, Any]) -> int:
        described = f"{function['name']} {function.get('description') or ''}"
        return len(asked & _vocabulary(described))

    return max(functions, key=likeness)


def _vocabulary(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]{3,}", text.lower()))


def _call(function: dict[str, Any], question: str) -> ToolCall:
    schema = function.get("parameters") or {"type": "object"}
    arguments = sample({"type": "object", **schema}, question)
    return ToolCall(f"call_{ulid()}", function["name"], dump(arguments).decode())
