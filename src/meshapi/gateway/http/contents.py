"""What a request is about: its model, its messages, its text.

The body may be anything, even what an endpoint refuses, so nothing here raises.
"""

from typing import Any, Optional, cast

_TEXTS = ("prompt", "query", "text")
"""Fields with the text of a request that has neither `messages` nor `input`."""


def model_in(body: object) -> Optional[str]:
    """Return the model that the body names."""
    model = _field(body, "model")
    return model if isinstance(model, str) else None


def messages_in(body: object) -> list[dict[str, Any]]:
    """Return the messages of a conversation, in `messages` or, as items, in `input`."""
    given = _field(body, "messages")
    if given is None:
        given = _field(body, "input")
        if isinstance(given, str):
            return [{"role": "user", "content": given}]
    rows = cast("list[object]", given) if isinstance(given, list) else []
    return [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]


def text_in(body: object) -> Optional[str]:
    """Return the text that a script looks at; None if there is none.

    Of a conversation, that is the last message of the user; of embeddings, all inputs, one a line.
    """
    if _field(body, "messages") is not None:
        return _last_of_user(messages_in(body))
    given = _field(body, "input")
    if given is not None:
        return _text_of_input(given, body)
    for name in _TEXTS:
        text = _field(body, name)
        if isinstance(text, str):
            return text
    return _content(_field(body, "content"))


def _field(body: object, name: str) -> Any:
    return cast("dict[str, Any]", body).get(name) if isinstance(body, dict) else None


def _text_of_input(given: object, body: object) -> Optional[str]:
    if isinstance(given, str):
        return given
    messages = messages_in(body)
    if any("role" in message for message in messages):
        return _last_of_user(messages)
    rows = cast("list[object]", given) if isinstance(given, list) else []
    texts = [row if isinstance(row, str) else _field(row, "text") for row in rows]
    found = [text for text in texts if isinstance(text, str)]
    return "\n".join(found) if found else None


def _last_of_user(messages: list[dict[str, Any]]) -> Optional[str]:
    said = [_content(one.get("content")) for one in messages if one.get("role") == "user"]
    return said[-1] if said else None


def _content(content: object) -> Optional[str]:
    """Return the text of a message's content, without its pictures and other parts."""
    if isinstance(content, str):
        return content
    parts = cast("list[object]", content) if isinstance(content, list) else []
    texts = [_field(part, "text") for part in parts]
    found = [text for text in texts if isinstance(text, str)]
    return " ".join(found) if found else None
