"""What the model says in one choice of a chat response: a text, tool calls, or a refusal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from meshapi.gateway.content.answers import REFUSAL_TEXT, answer, shorten, words
from meshapi.gateway.content.schema_samples import sample
from meshapi.gateway.content.tokens import count_words
from meshapi.gateway.content.tool_calls import ToolCall, new_id
from meshapi.gateway.http.wire import dump
from meshapi.gateway.mistakes import CUT_SHORT, MISTAKEN, called_by, half, mistake
from meshapi.gateway.models import REFUSAL, WRONG_JSON_ONCE
from meshapi.gateway.scripts.values import Reply
from meshapi.gateway.state import GatewayState


@dataclass(frozen=True)
class Choice:
    """One choice of a response. A refusal takes the place of the text.

    Attributes:
        chunks: the deltas of the text; None for one delta a word.
    """

    text: Optional[str]
    finish_reason: str
    tool_calls: Sequence[ToolCall] = ()
    refusal: Optional[str] = None
    chunks: Optional[Sequence[str]] = None

    @property
    def cut_short(self) -> Optional[str]:
        """The finish reason of a choice that is not complete."""
        return self.finish_reason if self.finish_reason in CUT_SHORT.values() else None

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.refusal is not None:
            message["refusal"] = self.refusal
        if self.tool_calls:
            message["tool_calls"] = [call.whole() for call in self.tool_calls]
        return message

    def deltas(self) -> Iterator[dict[str, Any]]:
        for word in words(self.text or "") if self.chunks is None else self.chunks:
            yield {"content": word}
        for word in words(self.refusal or ""):
            yield {"refusal": word}
        for index, call in enumerate(self.tool_calls):
            for part in call.deltas(index):
                yield {"tool_calls": [part]}

    def size(self) -> int:
        called = (call.arguments for call in self.tool_calls)
        return count_words(" ".join([self.text or self.refusal or "", *called]))


def choose_words(state: GatewayState, body: dict[str, Any], model: str, index: int) -> Choice:
    """The choice with this index, in response to a request that passes `SCHEMA`."""
    if model == REFUSAL:
        return Choice(None, "stop", refusal=REFUSAL_TEXT)
    called = _tool_calls(body, model)
    choice = Choice(None, "tool_calls", called) if called else _text(state, body, model, index)
    return _cut(choice, CUT_SHORT[model]) if model in CUT_SHORT else choice


def scripted_choice(said: Reply) -> Optional[Choice]:
    """The choice that a script says; None if it leaves the words to the gateway."""
    if said.says <= {"usage"}:
        return None
    calls = [ToolCall(call.id or new_id(), call.name, call.arguments) for call in said.tool_calls]
    silent = calls or said.refusal is not None
    return Choice(
        said.text if said.text is not None or silent else "",
        said.finish_reason or ("tool_calls" if calls else "stop"),
        calls,
        said.refusal,
        said.chunks,
    )


def text_of(message: dict[str, Any]) -> str:
    """The text of a message, without its pictures and other parts."""
    content: Any = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part["type"] == "text")


def _tool_calls(body: dict[str, Any], model: str) -> list[ToolCall]:
    tools: list[dict[str, Any]] = body.get("tools") or []
    messages: list[dict[str, Any]] = body["messages"]
    turn = _turns_of_tools(messages)
    called = called_by(model, tools, body.get("tool_choice"), question_of(messages), turn)
    return called[:1] if body.get("parallel_tool_calls") is False else called


def _text(state: GatewayState, body: dict[str, Any], model: str, index: int) -> Choice:
    results = _tool_results(body["messages"])
    question = question_of(body["messages"])
    text = f"The tool answered: {'; '.join(results)}" if results else answer(question)
    wanted: dict[str, Any] = body.get("response_format") or {}
    if wanted.get("type") in ("json_object", "json_schema") and _is_mistaken(state, body, model):
        text = mistake(model)
    else:
        text = _formatted(text, wanted, question)
    if index and wanted.get("type") in (None, "text"):
        text += f" (Choice {index + 1}.)"
    stop: Any = body.get("stop") or []
    stops: list[str] = [stop] if isinstance(stop, str) else stop
    max_words = body.get("max_completion_tokens") or body.get("max_tokens")
    return Choice(*shorten(text, stop=stops, max_words=max_words))


def _is_mistaken(state: GatewayState, body: dict[str, Any], model: str) -> bool:
    if model == WRONG_JSON_ONCE:
        return state.next_turn(f"{WRONG_JSON_ONCE} {body.get('user') or ''}") % 2 == 0
    return model in MISTAKEN


def _formatted(text: str, wanted: dict[str, Any], question: str) -> str:
    if wanted.get("type") == "json_object":
        return dump({"answer": text}).decode()
    if wanted.get("type") == "json_schema":
        return dump(sample(wanted["json_schema"]["schema"], question)).decode()
    return text


def _cut(choice: Choice, reason: str) -> Choice:
    """The first half of the choice."""
    if choice.tool_calls:
        *complete, last = choice.tool_calls
        cut = replace(last, arguments=half(last.arguments))
        return replace(choice, tool_calls=[*complete, cut], finish_reason=reason)
    return replace(choice, text=half(choice.text or ""), finish_reason=reason)


def question_of(messages: Sequence[dict[str, Any]]) -> str:
    """The text of the user's last message."""
    asked = [text_of(message) for message in messages if message["role"] == "user"]
    return asked[-1] if asked else ""


def _since_question(messages: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The messages after the last one of the user."""
    asked = [at for at, message in enumerate(messages) if message["role"] == "user"]
    return messages[asked[-1] + 1 :] if asked else messages


def _tool_results(messages: Sequence[dict[str, Any]]) -> list[str]:
    """The contents of the `tool` messages since the question."""
    return [text_of(one) for one in _since_question(messages) if one["role"] == "tool"]


def _turns_of_tools(messages: Sequence[dict[str, Any]]) -> int:
    """How many groups of `tool` messages there have been since the question."""
    roles = [message["role"] for message in _since_question(messages)]
    return sum(role == "tool" and before != "tool" for before, role in zip(["", *roles], roles))
