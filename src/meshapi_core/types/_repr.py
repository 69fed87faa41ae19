"""The `repr()` of the API's objects: fields that are not at their defaults, long values cut short.

An image in base64 or 1,536 floats would bury the fields that people look for. The query of a URL is
left out, as it may contain a signature.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgspec

from meshapi_core._json_kinds import fields_of, is_default, is_mapping, is_object, is_sequence
from meshapi_core._secret import SecretURL

_LONGEST_TEXT = 200
_LONGEST_NAME = 40
_MOST_ROWS = 6
_MOST_FIELDS = 30
_DEEPEST = 6

_LONGEST = 8000
"""Characters of the whole text: with rows within rows, the other limits allow for more."""


def show(value: Any) -> str:
    """Return a Struct's name and its fields that are not at their defaults; a list's first rows."""
    text = _show(value, _DEEPEST)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


def _show(value: Any, depth: int) -> str:
    if isinstance(value, SecretURL):
        return repr(value)
    if isinstance(value, str):
        return _show_text(str.__str__(value))
    if isinstance(value, (bytes, bytearray)):
        return f"<{len(value)} bytes>"
    if isinstance(value, msgspec.Struct):
        return _show_struct(value, depth)
    if is_mapping(value):
        return f"{{{_show_items(value.items(), len(value), depth)}}}"
    if is_sequence(value):
        return _show_rows(value, len(value), depth)
    return _show_other(value)


def _show_text(text: str) -> str:
    if text[:8].lower().startswith(("http://", "https://")) and "?" in text:
        text = text[: text.index("?")] + "?..."
    if len(text) <= _LONGEST_TEXT:
        return repr(text)
    return f"{text[:_LONGEST_TEXT]!r}... ({len(text)} characters)"


def _show_other(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        # CPython does not print integers of more than a few thousand digits.
        return f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


def _show_struct(value: msgspec.Struct, depth: int) -> str:
    name = type(value).__name__
    if depth <= 0:
        return f"{name}(...)"
    fields = [
        f"{field.name}={_show(getattr(value, field.name), depth - 1)}"
        for field in fields_of(type(value))
        if not is_default(getattr(value, field.name), field)
    ]
    extra: Any = getattr(value, "model_extra", None)
    if is_object(extra):
        fields += [
            f"{key[:_LONGEST_NAME]}={_show(item, depth - 1)}"
            for key, item in islice(extra.items(), _MOST_FIELDS)
        ]
        if len(extra) > _MOST_FIELDS:
            fields.append(f"... {len(extra)} more")
    return f"{name}({', '.join(fields)})"


def _show_rows(rows: Iterable[Any], count: int, depth: int) -> str:
    if depth <= 0:
        return f"[... {count} rows]"
    shown = [_show(row, depth - 1) for row in islice(rows, _MOST_ROWS)]
    if count > _MOST_ROWS:
        shown.append(f"... {count} rows")
    return f"[{', '.join(shown)}]"


def _show_items(items: Iterable[tuple[Any, Any]], count: int, depth: int) -> str:
    if depth <= 0:
        return f"... {count} fields"
    shown = [
        f"{_show(key, depth - 1)}: {_show(item, depth - 1)}"
        for key, item in islice(items, _MOST_FIELDS)
    ]
    if count > _MOST_FIELDS:
        shown.append(f"... {count} fields")
    return ", ".join(shown)
