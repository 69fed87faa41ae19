"""The events that ask the model for something, from plain arguments."""

from typing import Any

from meshapi_core._json_kinds import value_name
from meshapi_core.errors import InvalidParamsError

__all__ = ["check_text", "say_events", "text_events"]

_SAY = "Say the user's text word for word, and nothing else."


def text_events(text: str, *, respond: bool) -> list[dict[str, Any]]:
    """Return the events that add a message of the user's, and ask for a response.

    Raises:
        InvalidParamsError: the text is no str.
    """
    item = _message(check_text("text", text))
    event = {"type": "conversation.item.create", "item": item}
    return [event, {"type": "response.create"}] if respond else [event]


def say_events(text: str) -> list[dict[str, Any]]:
    """Return the event that asks the model to say a text.

    The text is the input of this one response, beside the conversation; what the model says is
    added to the conversation. The protocol has no other way to make a model speak.

    Source: https://platform.openai.com/docs/api-reference/realtime-client-events/response/create

    Raises:
        InvalidParamsError: the text is no str.
    """
    response = {"instructions": _SAY, "input": [_message(check_text("text", text))]}
    response["tool_choice"] = "none"
    return [{"type": "response.create", "response": response}]


def _message(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content}


def check_text(field: str, text: Any) -> str:
    """Return the text.

    Raises:
        InvalidParamsError: it is no str.
    """
    if isinstance(text, str):
        return text
    hint = "write json.dumps(x)" if field == "output" else ""
    raise InvalidParamsError(field, "str", value_name(text), hint)
