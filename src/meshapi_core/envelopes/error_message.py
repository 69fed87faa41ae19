"""The message of an error, for people, and its details.

If none of the usual fields has a message, any field that may have one is used; if there is none,
the body itself is shown.
"""

from typing import Any

from meshapi_core.envelopes.error_fields import objects_in, unwrapped
from meshapi_core.envelopes.loose_json import (
    by_letters,
    excerpt_of,
    json_in,
    leaves,
    list_of,
    object_of,
    text_of,
)
from meshapi_core.sniffing import KEPT_BYTES, readable

__all__ = ["MESSAGE_KEYS", "details_in", "message_in", "shown"]

# These and the following names are as `letters_of` returns them. The title comes last: it usually
# names the kind of the error, and another field has the message.
MESSAGE_KEYS = (
    "message errordescription errormessage faultstring detail details msg errormsg errmsg reason"
    " description error errors statusmessage statusmsg statustext title"
).split()
_DETAILS_KEYS = ("details", "errors", "detail", "error")
_PROBLEM_KEYS = ("msg", "message", "error", "detail", "reason", "description", "title")
# How many values to search if none of the usual fields has a message.
_SEARCHED = 256


def message_in(content: Any, objects: list[dict[str, Any]]) -> str:
    """Return the message of an error; "" if it has none."""
    content = unwrapped(content)
    if isinstance(content, str):
        return readable(content[:KEPT_BYTES])
    problems = _problems(details_in(content, objects))
    for found in objects:
        for key in MESSAGE_KEYS:
            text = _said(found.get(key))
            if text and key == "detail":
                title = text_of(found.get("title"))
                return f"{title}: {text}" if title else text
            if text and key == "title":
                return f"{text}: {problems}" if problems else text
            if text:
                return _with_cause(text, found)
    return problems or _words_in(content)


def _said(value: Any) -> str:
    """Return the text of a field: itself, the message in its JSON, or the first of a list."""
    text = text_of(value)
    if text:
        inner = json_in(text, None)
        said = "" if inner is None else message_in(inner, objects_in(inner))
        return said or (readable(text) if text.startswith("<") else text)
    rows = list_of(value)
    return _problems(rows) if rows and isinstance(rows[0], str) else ""


def _with_cause(text: str, found: dict[str, Any]) -> str:
    # OpenRouter: "Provider returned error", and next to it what the provider returned.
    cause = _said(object_of(found.get("metadata")).get("raw"))
    return f"{text}: {cause}" if cause and cause not in text else text


def _words_in(content: Any) -> str:
    """Return the first message anywhere in JSON of unknown form."""
    todo = [content]
    for value in todo:
        members = by_letters(object_of(value))
        for key in MESSAGE_KEYS:
            text = _said(members.get(key))
            if text:
                return text
        inner = [*members.values(), *list_of(value)]
        todo += [item for item in inner if isinstance(item, (dict, list))]
        del todo[_SEARCHED:]
    return ""


def shown(text: str, content: Any, *, told: str = "") -> str:
    """Return a text followed by JSON of unknown form, unless the text contains all its values.

    Args:
        told: what else the error says, in addition to the text.
    """
    if isinstance(content, str):
        return text
    excerpt = excerpt_of(content)
    if all(leaf in text or leaf in told for leaf in leaves(excerpt)):
        return text
    import json

    try:
        return f"{text}: {json.dumps(excerpt, ensure_ascii=False, separators=(',', ':'))}"
    except ValueError:
        # CPython refuses to write integers of more than a few thousand digits.
        return text


def details_in(content: Any, objects: list[dict[str, Any]]) -> list[Any]:
    """Return the details that an error lists in addition to its message."""
    if isinstance(content, list):
        return list_of(content)
    for key in _DETAILS_KEYS:
        for found in objects:
            value = found.get(key)
            if list_of(value):
                return list_of(value)
            # An object by itself is one detail, unless it is an envelope.
            if key != "error" and object_of(value) and not object_of(object_of(value).get("error")):
                return [value]
    return []


def _problems(details: list[Any]) -> str:
    """Return the first of the details as text, and how many more there are."""
    first = next((text for text in map(_problem, details) if text), "")
    more = len(details) - 1
    return f"{first} (and {more} more)" if first and more else first


def _problem(detail: Any) -> str:
    """Return one detail as text: FastAPI's `{"loc", "msg"}`, compare's `{"model", "error"}`.

    If the object lists problems by field, as in Rails and ASP.NET, return the first.
    """
    if isinstance(detail, str):
        return detail.strip()
    found = object_of(detail)
    members = by_letters(found)
    text = next(filter(None, (_said(members.get(key)) for key in _PROBLEM_KEYS)), "")
    parts = list_of(found.get("loc")) or [found.get("model")]
    place = ".".join(str(part) for part in parts if isinstance(part, (str, int)))
    if text:
        return f"{place}: {text}" if place else text
    told = ((name, _said(value)) for name, value in found.items() if not name.startswith("@"))
    return next((f"{name}: {words}" for name, words in told if words), "")
