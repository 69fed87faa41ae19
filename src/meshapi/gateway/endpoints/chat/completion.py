"""The response to a chat request before it is sent: whole, or as a stream."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Optional

from meshapi.gateway.content.answers import REFUSAL_TEXT, answer, shorten, words
from meshapi.gateway.content.schema_samples import sample
from meshapi.gateway.content.tokens import count_words, usage
from meshapi.gateway.content.tool_calls import ToolCall, calls
from meshapi.gateway.http.streams import Script
from meshapi.gateway.http.wire import dump, frame, ulid
from meshapi.gateway.models import AUTO, DEFAULT_MODEL, REFUSAL, choose


@dataclass(frozen=True)
class Choice:
    """One choice of a response. A refusal takes the place of the text."""

    text: Optional[str]
    finish_reason: str
    tool_calls: Sequence[ToolCall] = ()
    refusal: Optional[str] = None

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.refusal is not None:
            message["refusal"] = self.refusal
        if self.tool_calls:
            message["tool_calls"] = [call.whole() for call in self.tool_calls]
        return message

    def deltas(self) -> Iterator[dict[str, Any]]:
        for word in words(self.text or ""):
            yield {"content": word}
        for word in words(self.refusal or ""):
            yield {"refusal": word}
        for index, call in enumerate(self.tool_calls):
            for part in call.deltas(index):
                yield {"tool_calls": [part]}

    def size(self) -> int:
        called = (call.arguments for call in self.tool_calls)
        return count_words(" ".join([self.text or self.refusal or "", *called]))


@dataclass(frozen=True)
class Completion:
    """A response before it is sent; `requested` may be `AUTO`, but `model` never is."""

    requested: str
    choices: Sequence[Choice]
    prompt_tokens: int
    id: str = field(default_factory=lambda: f"chatcmpl-{ulid()}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def model(self) -> str:
        return DEFAULT_MODEL if self.requested == AUTO else self.requested

    def headers(self) -> dict[str, str]:
        if self.requested != AUTO:
            return {}
        return {"X-Auto-Routed": "true", "X-Resolved-Model-Id": self.model}

    def whole(self) -> dict[str, Any]:
        choices = [
            {
                "index": index,
                "message": choice.message(),
                "finish_reason": choice.finish_reason,
                "logprobs": None,
            }
            for index, choice in enumerate(self.choices)
        ]
        response = {**self._head("chat.completion"), "choices": choices, "usage": self.usage()}
        if self.requested == AUTO:
            response.update(
                x_resolved_model_id=self.model,
                x_auto_routed=True,
                x_auto_routed_fallback=False,
                x_auto_routed_fallback_reason=None,
                x_classifier_usage=[],
            )
        return response

    def script(self) -> Script:
        """The stream: the role of each choice, the words of all choices in parallel, the ends."""
        indexed = list(enumerate(self.choices))
        start = {"role": "assistant", "content": ""}
        steps = zip_longest(*(choice.deltas() for choice in self.choices))
        return Script(
            [self._delta(index, start) for index, _ in indexed],
            [
                b"".join(self._delta(index, delta) for index, delta in enumerate(step) if delta)
                for step in steps
            ],
            [
                *(self._delta(index, {}, choice.finish_reason) for index, choice in indexed),
                self._chunk(choices=[], usage=self.usage(), cost=self._cost()),
            ],
        )

    def _delta(self, index: int, delta: Any, finish_reason: Optional[str] = None) -> bytes:
        choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
        return self._chunk(choices=[choice])

    def _chunk(self, **members: Any) -> bytes:
        return frame({**self._head("chat.completion.chunk"), **members})

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "fp_local_gateway",
        }

    def usage(self) -> dict[str, int]:
        completion_tokens = sum(choice.size() for choice in self.choices)
        return usage(self.prompt_tokens, completion_tokens)

    def _cost(self) -> str:
        """A decimal string of dollars, in the service's format; the price is made up."""
        return f"{self.usage()['total_tokens'] * 1e-7:.7f}"


def completion_of(body: dict[str, Any]) -> Completion:
    """The response to a request that passes `SCHEMA`.

    Raises:
        GatewayError: the model is unknown, or not for chat.
    """
    messages: list[dict[str, Any]] = body["messages"]
    requested = choose(body.get("model"), body.get("models") or [])
    refused = Choice(None, "stop", refusal=REFUSAL_TEXT) if requested == REFUSAL else None
    return Completion(
        requested=requested,
        choices=[refused or _choose_words(body, index) for index in range(body.get("n") or 1)],
        prompt_tokens=sum(count_words(_text(message)) for message in messages),
    )


def _choose_words(body: dict[str, Any], index: int) -> Choice:
    results = _tool_results(body["messages"])
    question = _question(body["messages"])
    if not results:
        called = calls(body.get("tools") or [], body.get("tool_choice"), question)
        if called:
            most = 1 if body.get("parallel_tool_calls") is False else len(called)
            return Choice(None, "tool_calls", called[:most])
    text = f"The tool answered: {'; '.join(results)}" if results else answer(question)
    text = _formatted(text, body.get("response_format") or {}, question)
    if index:
        text += f" (Choice {index + 1}.)"
    stop: Any = body.get("stop") or []
    stops: list[str] = [stop] if isinstance(stop, str) else stop
    max_words = body.get("max_completion_tokens") or body.get("max_tokens")
    return Choice(*shorten(text, stop=stops, max_words=max_words))


def _formatted(text: str, wanted: dict[str, Any], question: str) -> str:
    if wanted.get("type") == "json_object":
        return dump({"answer": text}).decode()
    if wanted.get("type") == "json_schema":
        return dump(sample(wanted["json_schema"]["schema"], question)).decode()
    return text


def _question(messages: Sequence[dict[str, Any]]) -> str:
    asked = [_text(message) for message in messages if message["role"] == "user"]
    return asked[-1] if asked else ""


def _tool_results(messages: Sequence[dict[str, Any]]) -> list[str]:
    """The contents of the `tool` messages at the end of the conversation."""
    results: list[str] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        results.insert(0, _text(message))
    return results


def _text(message: dict[str, Any]) -> str:
    content: Any = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part["type"] == "text")
