"""Bodies as values for JSON files that people read and compare, and back, byte for byte.

A body is one of these objects:

    {}                      nothing
    {"json": ...}           JSON that one of a few usual layouts turns into the same bytes again;
                            `layout` names any but the first
    {"text": "..."}         UTF-8
    {"base64": "..."}       other bytes
    {"pieces": [...]}       a body that came in several pieces: each is a text, a list of texts (one
                            for each event), or {"base64": "..."}
    {"multipart": [...]}    the parts of a form, each with its headers; only in requests, as the
                            boundary is not kept

A whole JSON response has no pieces: what reads it waits for its end.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Any, Union, cast

__all__ = [
    "form_as_value",
    "items_of",
    "pieces_as_value",
    "pieces_of",
    "same_json",
    "whole_as_value",
]

_EVENT = re.compile(r".*?\n\n|.+\Z", re.DOTALL)

_LAYOUTS: "dict[str, Callable[[Any], str]]" = {
    "": lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    "spaced": lambda value: json.dumps(value, ensure_ascii=False),
    "ascii": lambda value: json.dumps(value, separators=(",", ":")),
    "spaced ascii": json.dumps,
}


def whole_as_value(body: bytes) -> dict[str, Any]:
    """Return a body that is read as a whole."""
    if not body:
        return {}
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": b64encode(body).decode()}
    try:
        value = json.loads(text)
        # Half a surrogate pair, which JSON may have, and the file may not.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return {"text": text}
    if not isinstance(value, (dict, list)):
        return {"text": text}
    for layout, write in _LAYOUTS.items():
        if write(value) == text:
            return {"json": value, "layout": layout} if layout else {"json": value}
    return {"text": text}


def pieces_as_value(pieces: Sequence[bytes]) -> dict[str, Any]:
    """Return a body that is read piece by piece."""
    if len(pieces) <= 1:
        return whole_as_value(b"".join(pieces))
    return {"pieces": [_piece_as_value(piece) for piece in pieces]}


def _piece_as_value(piece: bytes) -> Union[str, list[str], dict[str, str]]:
    try:
        text = piece.decode("utf-8")
        # A line for each event, so that people can read them.
        events = _EVENT.findall(text)
        return events if len(events) > 1 else text
    except UnicodeDecodeError:
        # Audio, or a character of which another piece has the rest.
        return {"base64": b64encode(piece).decode()}


def pieces_of(value: dict[str, Any]) -> list[bytes]:
    """Return the pieces of a body.

    Raises:
        ValueError: the value is none of those above.
    """
    if "json" in value:
        layout = value.get("layout", "")
        if layout not in _LAYOUTS:
            raise ValueError(f"no layout is called {layout!r}")
        return [_LAYOUTS[layout](value["json"]).encode("utf-8", "surrogatepass")]
    if "pieces" in value:
        return [_bytes_of(each) for each in items_of(value["pieces"])]
    if "text" in value or "base64" in value:
        return [_bytes_of(value.get("text", value))]
    if value:
        raise ValueError(f"expected json, text, base64 or pieces, got {', '.join(value)}")
    return []


def items_of(value: Any) -> list[Any]:
    """Return a list of JSON.

    Raises:
        ValueError: it is not a list.
    """
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return items
    raise ValueError("expected a list")


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, list):
        return b"".join(_bytes_of(each) for each in items_of(value))
    if isinstance(value, dict):
        coded = cast("dict[str, Any]", value).get("base64")
        if isinstance(coded, str):
            return b64decode(coded, validate=True)
    raise ValueError("expected a text, or an object with base64")


def form_as_value(body: bytes, boundary: str) -> dict[str, Any]:
    """Return a multipart form, without its boundary."""
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1"))
    if first or not parts or not parts[-1].startswith(b"--"):
        return whole_as_value(body)
    return {"multipart": [_part_as_value(part) for part in parts[:-1]]}


def _part_as_value(part: bytes) -> dict[str, Any]:
    head, _, body = part.partition(b"\r\n\r\n")
    lines = [line for line in head.decode("utf-8", "replace").split("\r\n") if line]
    headers = {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}
    return {**headers, **whole_as_value(body)}


def same_json(value: Any) -> Any:
    """Return a value of which equal JSON has the same: 1.0 is 1, but True is not."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: same_json(each) for name, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [same_json(each) for each in items_of(value)]
    return value
