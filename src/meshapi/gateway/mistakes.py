"""What models say that go wrong on purpose in what they say: tool calls, and JSON.

`failing_models` has those that go wrong in how it is sent.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from meshapi.gateway.content.tool_calls import ToolCall, calls, new_call
from meshapi.gateway.http.wire import dump
from meshapi.gateway.models import (
    CONTENT_FILTER,
    LENGTH,
    NOT_JSON,
    TOOL_LOOP,
    UNKNOWN_TOOL,
    WRONG_JSON,
    WRONG_JSON_ONCE,
)

CUT_SHORT = {LENGTH: "length", CONTENT_FILTER: "content_filter"}
"""The finish reasons of models that stop half-way."""

MISTAKEN = (WRONG_JSON, WRONG_JSON_ONCE, NOT_JSON)
"""The models that do not keep to a JSON schema."""

# Matches no schema that says what it wants.
_WRONG = {"wrong": [None]}

_NO_SUCH_TOOL = "no_such_tool"


def called_by(
    model: str, tools: Sequence[dict[str, Any]], choice: Any, question: str, turn: int
) -> list[ToolCall]:
    """The calls of the model; the arguments are those of `calls`."""
    # The model that makes a mistake once gets another turn for the correction.
    again = model == WRONG_JSON_ONCE and turn > 0
    made = calls(tools, choice, question, 0 if model == TOOL_LOOP else turn - again)
    if model == UNKNOWN_TOOL:
        return [new_call(_NO_SUCH_TOOL, "{}") for _ in made[:1]]
    if model in MISTAKEN and not again:
        return [replace(call, arguments=mistake(model)) for call in made]
    return made


def mistake(model: str) -> str:
    """What a model of `MISTAKEN` says in place of the right JSON."""
    return "This is not JSON." if model == NOT_JSON else dump(_WRONG).decode()


def half(text: str) -> str:
    """As much of the text as a model of `CUT_SHORT` says."""
    return text[: len(text) // 2]
