"""The fields of an error: where in a body they may be, the most specific place first.

`objects_in` returns the objects that may contain them. A field's value is the first that these
objects have under one of its names.
"""

import math
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, Optional

from meshapi_core.durations import parse_duration
from meshapi_core.envelopes.loose_json import (
    by_letters,
    is_blank,
    json_in,
    list_of,
    object_of,
    text_of,
)
from meshapi_core.retry_after import parse_retry_after
from meshapi_core.statuses import code_of_status, status_of_code

__all__ = [
    "WRAPPINGS",
    "code_in",
    "failed_choices",
    "first_of",
    "first_text",
    "objects_in",
    "status_in",
    "status_number",
    "unwrapped",
    "wait_in_objects",
]

# The fields in which APIs, proxies and events wrap an error.
WRAPPINGS = ("fault", "exception", "baseresp", "data", "response", "result")
# Those of them that never contain anything else.
_ERRORS_THEMSELVES = ("fault", "exception", "baseresp")


def unwrapped(content: Any) -> Any:
    """Return decoded content without its wrapping: JSON in a str, or a list around an error."""
    content = json_in(content, content)
    rows = list_of(content)
    around = next((row for row in map(object_of, rows) if not is_blank(row.get("error"))), None)
    if around is None and len(rows) == 1 and not {"code", "status"}.isdisjoint(object_of(rows[0])):
        around = object_of(rows[0])
    return content if around is None else around


def objects_in(content: Any) -> list[dict[str, Any]]:
    """Return the objects that may contain the fields, the most specific first, the whole last.

    Their fields have the names of `by_letters`.
    """
    whole = by_letters(object_of(unwrapped(content)))
    choices = failed_choices(whole) if "choices" in whole else ()
    inner = [by_letters(holder) for choice in choices for holder in _holders(choice)]
    candidates = [*chain.from_iterable(_levels(holder, "error") for holder in inner)]
    candidates += [*_levels(whole, "error"), *_levels(whole, "detail")]
    for name in WRAPPINGS:
        levels = _levels(whole, name)
        # `data` and the like usually contain other things: only an `error` in them counts.
        candidates += levels if name in _ERRORS_THEMSELVES else levels[:-1]
    return [candidate for candidate in (*candidates, whole) if candidate]


def _levels(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects in one field: those within its `error` first, the field itself last."""
    value = json_in(found.get(name), found.get(name))
    # The first of a list of errors; `details_in` handles lists of details.
    first = list_of(value)[0] if name == "error" and list_of(value) else None
    members = by_letters(object_of(value) or object_of(first))
    inner = json_in(members.get("error"), members.get("error"))
    nested = json_in(members.get("message"), None)
    levels = [by_letters(object_of(inner)), members]
    if nested is not None:
        levels = [*objects_in(nested), *levels]
    return levels


def failed_choices(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the choices of a response or a chunk that ended in an error."""
    choices = map(object_of, list_of(found.get("choices")))
    return [
        choice
        for choice in choices
        if choice.get("finish_reason") == "error"
        or any(not is_blank(holder.get("error")) for holder in _holders(choice))
    ]


def _holders(choice: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a choice that may contain its error."""
    return [choice, object_of(choice.get("delta")), object_of(choice.get("message"))]


def first_of(objects: list[dict[str, Any]], key: str) -> Any:
    """Return the first value that the objects have under a name; None if there is none."""
    return next((found[key] for found in objects if found.get(key) is not None), None)


def first_text(objects: list[dict[str, Any]], *keys: str) -> str:
    """Return the first text that the objects have under any of the names; "" if there is none."""
    texts = (text_of(found.get(key)) for found in objects for key in keys)
    return next(filter(None, texts), "")


_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_THREE_DIGITS = re.compile(r"[0-9]{3}")


def code_in(objects: list[dict[str, Any]]) -> str:
    """Return the error code that the error names; "" if it names none."""
    texts = (text_of(found.get(key)) for found in objects for key in ("code", "errorcode"))
    word = next((text for text in texts if text and not _as_status(text)), "")
    if word:
        return word
    status = status_number(objects)
    if status:
        return code_of_status(status)
    # OpenAI's way. Outside the error's own object, `type` means other things: an event, a URI.
    kind = first_text(objects[:-1], "type")
    return kind if _WORD.fullmatch(kind) else ""


def status_number(objects: list[dict[str, Any]]) -> int:
    """Return the HTTP status that an error names in its JSON; 0 if it names none."""
    keys = ("code", "errorcode", "status", "statuscode", "httpstatus", "httpcode")
    numbers = (_as_status(found.get(key)) for found in objects for key in keys)
    return next(filter(None, numbers), 0)


def _as_status(value: Any) -> int:
    if isinstance(value, str) and _THREE_DIGITS.fullmatch(value):
        value = int(value)
    return value if isinstance(value, int) and 400 <= value <= 599 else 0


def status_in(objects: list[dict[str, Any]]) -> int:
    """Return the status that an error's code stands for, or else the one it names; 0 for none."""
    return status_of_code(code_in(objects)) or status_number(objects)


_WAITS = (("retryafterseconds", 1.0), ("retryafter", 1.0), ("retryafterms", 0.001))


def wait_in_objects(objects: list[dict[str, Any]]) -> Optional[float]:
    """Return how many seconds an error asks to wait; None if it does not say."""
    waits = (_seconds(found.get(key), unit) for found in objects for key, unit in _WAITS)
    return next((wait for wait in chain(waits, _delays(objects)) if wait is not None), None)


def _delays(objects: list[dict[str, Any]]) -> Iterator[Optional[float]]:
    """Yield the delays of Google's RetryInfo, which is among the details."""
    for found in objects:
        for detail in (found, *map(object_of, list_of(found.get("details")))):
            yield parse_duration(text_of(by_letters(detail).get("retrydelay")))


def _seconds(value: Any, unit: float) -> Optional[float]:
    if isinstance(value, str):
        return parse_retry_after(value, unit=unit)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds * unit if math.isfinite(seconds) and seconds >= 0 else None
