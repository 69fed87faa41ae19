"""Responses and streams as values, for tests of code that takes them: no gateway, no client."""

import json as _json
import time
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, Optional, Union, overload

from meshapi_core import InvalidParamsError
from meshapi_core.types import ChatCompletionChunk, ChatCompletionResponse

if TYPE_CHECKING:
    from meshapi.gateway import ScriptedCall

_MODEL = "openai/gpt-4o-mini"

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]

_numbers = count(1)


def completion(
    text: Optional[str] = None,
    *,
    tool_calls: "Sequence[ScriptedCall]" = (),
    finish_reason: Optional[FinishReason] = None,
    usage: Optional[Mapping[str, int]] = None,
    json: Any = None,
    refusal: Optional[str] = None,
    model: str = _MODEL,
) -> ChatCompletionResponse:
    """Return a response, as `client.chat.completions.create` does.

    Args:
        text: what the model says.
        tool_calls: calls of tools, made by `tool_call`.
        finish_reason: by default, "tool_calls" with calls and "stop" without.
        usage: `prompt_tokens` and `completion_tokens`; by default, 1 and the number of words.
        json: a value whose JSON is the text.
        refusal: a refusal in place of the text.
        model: the model that responded.

    Raises:
        ValueError: there are both a text and `json`.
    """
    _check_text("text", text)
    if json is not None:
        if text is not None:
            raise ValueError("text and json: expected one of them")
        text = _json.dumps(json, ensure_ascii=False)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if refusal is not None:
        message["refusal"] = refusal
    if tool_calls:
        message["tool_calls"] = [_call(call) for call in tool_calls]
    reason = finish_reason or ("tool_calls" if tool_calls else "stop")
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    counts = {"prompt_tokens": 1, "completion_tokens": len((text or "").split()), **(usage or {})}
    counts["total_tokens"] = counts["prompt_tokens"] + counts["completion_tokens"]
    body = {**_head("chat.completion", model), "choices": [choice], "usage": counts}
    return ChatCompletionResponse.model_validate(body)


@overload
def chunks(
    *texts: str, finish_reason: Optional[FinishReason] = "stop", model: str = _MODEL
) -> list[ChatCompletionChunk]: ...


@overload
def chunks(
    *texts: str,
    cut: int,
    finish_reason: Optional[FinishReason] = "stop",
    model: str = _MODEL,
) -> list[bytes]: ...


def chunks(
    *texts: str,
    cut: Optional[int] = None,
    finish_reason: Optional[FinishReason] = "stop",
    model: str = _MODEL,
) -> Union[list[ChatCompletionChunk], list[bytes]]:
    """Return the chunks of a stream, as `client.chat.completions.stream` yields them.

    Args:
        texts: the text of each chunk. Before them comes a chunk with the role, after them one with
            the finish reason and one with the usage.
        cut: to test a parser, return the bytes of the whole event stream instead, in pieces of that
            many bytes.
        finish_reason: None for a stream that breaks off after the last text.
        model: the model that responds.

    Raises:
        ValueError: `cut` is less than 1.
    """
    for number, text in enumerate(texts):
        _check_text(f"texts[{number}]", text)
    _check_cut(cut)
    head = _head("chat.completion.chunk", model)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text} for text in texts]
    rows = [_choice(head, delta, None) for delta in deltas]
    if finish_reason is not None:
        words = len("".join(texts).split())
        counts = {"prompt_tokens": 1, "completion_tokens": words, "total_tokens": words + 1}
        rows.append(_choice(head, {}, finish_reason))
        rows.append({**head, "choices": [], "usage": counts})
    if cut is None:
        return [ChatCompletionChunk.model_validate(row) for row in rows]
    events = [_json.dumps(row, ensure_ascii=False) for row in rows]
    if finish_reason is not None:
        events.append("[DONE]")
    data = "".join(f"data: {event}\n\n" for event in events).encode()
    return [data[start : start + cut] for start in range(0, len(data), cut)]


def _check_text(name: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise InvalidParamsError(name, "a text", repr(value))


def _check_cut(value: object) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise InvalidParamsError("cut", "1 or more bytes", repr(value))


def _call(call: "ScriptedCall") -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id or _id("call"), "type": "function", "function": function}


def _choice(head: dict[str, Any], delta: dict[str, Any], reason: Optional[str]) -> dict[str, Any]:
    return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def _head(kind: str, model: str) -> dict[str, Any]:
    created = int(time.time())
    return {"id": _id("chatcmpl"), "object": kind, "created": created, "model": model}


def _id(kind: str) -> str:
    return f"{kind}_test_{next(_numbers)}"
