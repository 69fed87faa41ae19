"""How the model's answer in a response ended, in the words of chat completions.

    "stop"            the answer is whole
    "length"          it is cut off at a limit of model tokens
    "content_filter"  a content filter stopped the model
    "refusal"         the model refused to answer
    "tool_calls"      it calls tools

A chat completion says so itself, but for a refusal; what it says else is returned as it is. Of the
Responses API, it is made from the status. A response that did not end in that way has its status,
such as "failed".

Of several choices, the first one counts that is not whole: nobody looks at the second of two
choices, either.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Optional

from typing_extensions import TypeAlias

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.types.chat import ChatCompletionResponse
from meshapi_core.types.responses import ResponsesResponse

__all__ = ["NOT_WHOLE", "NotWhole", "finish_reason_of"]

NotWhole: TypeAlias = Literal["truncated", "filtered", "refused"]

_REFUSAL: Final = "refusal"

# Providers have words of their own for a limit: see `structured/answers.py`.
NOT_WHOLE: Final[Mapping[Optional[str], NotWhole]] = {
    "length": "truncated",
    "max_output_tokens": "truncated",
    "max_tokens": "truncated",
    "content_filter": "filtered",
    _REFUSAL: "refused",
}
"""What a summary counts."""


def finish_reason_of(value: object) -> Optional[str]:
    """Return how the answer in a response ended; None where no model has answered in words."""
    # Every item of a run is looked at.
    if isinstance(value, ChatCompletionResponse):
        first: Optional[str] = None
        for choice in value.choices:
            reason = _REFUSAL if choice.message.refusal else choice.finish_reason
            if reason in NOT_WHOLE:
                return reason
            first = first or reason
        return first
    return _of_response(value) if isinstance(value, ResponsesResponse) else None


def _of_response(response: ResponsesResponse) -> Optional[str]:
    reason = "stop" if response.status == "completed" else response.status
    if reason == "incomplete":
        details = response.model_extra.get("incomplete_details")
        told = details.get("reason") if is_object(details) else None
        reason = told if isinstance(told, str) and told else "length"
        reason = "length" if NOT_WHOLE.get(reason) == "truncated" else reason
    output: list[Any] = response.output or []
    for item in output:
        kind = item.get("type") if is_object(item) else None
        if kind == "function_call" and reason == "stop":
            reason = "tool_calls"
        elif kind == "message":
            parts: object = item.get("content")
            if is_array(parts) and any(map(_is_refusal, parts)):
                return _REFUSAL
    return reason


def _is_refusal(part: object) -> bool:
    return is_object(part) and part.get("type") == "refusal"
