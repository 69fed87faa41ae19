"""Which tools the gateway calls, and with which arguments.

A question that names tools gets a call of each; a tool that it names more than once gets a call for
each time, with the arguments of the words that follow. "then" between two tools makes two turns.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from meshapi.gateway.content.schema_samples import sample
from meshapi.gateway.http.wire import dump, ulid

# Fragments this short split most strings and numbers of the arguments.
_FRAGMENT = re.compile(r".{1,6}", re.DOTALL)

_NEXT_TURN = re.compile(r"\bthen\b", re.IGNORECASE)

# The most calls of one tool in one turn: without a limit, a question could fill the memory.
_MOST_CALLS = 100


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


def new_call(name: str, arguments: str) -> ToolCall:
    """A call with a new ID."""
    return ToolCall(new_id(), name, arguments)


def new_id() -> str:
    """A new ID of a call."""
    return f"call_{ulid()}"


def fragments(arguments: str) -> list[str]:
    """The arguments of a call, in the fragments that a stream sends."""
    return _FRAGMENT.findall(arguments)


def calls(
    tools: Sequence[dict[str, Any]], choice: Any, question: str, turn: int = 0
) -> list[ToolCall]:
    """The calls that answer the question.

    Args:
        turn: how many turns of calls there have been for this question.

    Returns:
        None if there are no tools, if the choice is "none", or if no turn is left: a question has
        one turn, or as many as it has parts that name tools, separated by "then".
    """
    functions = [tool["function"] for tool in tools]
    if not functions or choice == "none":
        return []
    if isinstance(choice, dict):
        chosen = [f for f in functions if f["name"] == choice["function"]["name"]][:1]
        return [] if turn else [_call(function, question) for function in chosen]
    parts = [part for part in _NEXT_TURN.split(question) if _named(functions, part)]
    if len(parts) < 2:
        parts = [question]
    if turn >= len(parts):
        return []
    asked = parts[turn]
    chosen = _named(functions, asked) or [_closest(functions, asked)]
    return [call for function in chosen for call in _calls_of(function, asked)]


def _named(functions: Sequence[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    return [function for function in functions if _mention(function).search(text)]


def _mention(function: dict[str, Any]) -> "re.Pattern[str]":
    """The name of the tool as a word."""
    return re.compile(rf"(?<!\w){re.escape(function['name'])}(?!\w)")


def _calls_of(function: dict[str, Any], text: str) -> list[ToolCall]:
    """A call for each time that the text names the tool, but at least one."""
    _, *rest = _mention(function).split(text)
    if len(rest) < 2:
        return [_call(function, text)]
    return [_call(function, words.strip()) for words in rest[:_MOST_CALLS]]


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
    return new_call(function["name"], dump(arguments).decode())
