"""JSON of which nothing is certain: each look gives something of the right kind, or nothing.

No look raises, and none goes deeper, or keeps more, than an error may cost.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.codec.parsing import parse
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.sniffing import KEPT_BYTES

__all__ = [
    "abridged",
    "by_letters",
    "excerpt_of",
    "first_json",
    "is_blank",
    "json_in",
    "leaves",
    "letters_of",
    "list_of",
    "object_of",
    "text_of",
]

T = TypeVar("T")

# An excerpt of a 422 that echoes the images of the request: so many values, each with a key and a
# text of so many characters, which is 64 KiB again.
_EXCERPT_VALUES = 64
_EXCERPT_TEXT = 500
# Deeper than any error is, and far from where pickle and copy run out of stack.
_DEEPEST = 64
# JSON in a string in JSON: two gateways, one behind the other, and one more.
_MOST_LAYERS = 3


def object_of(value: Any) -> dict[str, Any]:
    """Return an object as it is, and an empty one for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Return a list as it is, and an empty one for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """Return a text without the blanks around it, and "" for anything else."""
    return value.strip() if isinstance(value, str) else ""


def letters_of(name: str) -> str:
    """Return a name by its letters alone: `errorMessage` and `error_message` are the same."""
    return name.replace("_", "").replace("-", "").lower()


def by_letters(found: dict[str, Any]) -> dict[str, Any]:
    """Return an object's members by the letters of their names; the first of a name counts."""
    members: dict[str, Any] = {}
    for name, value in found.items():
        members.setdefault(letters_of(name), value)
    return members


def is_blank(value: Any, depth: int = _DEEPEST) -> bool:
    """Return whether a value says nothing: null, false, 0, no text, or none but such values."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, (dict, list)):
        inner: Any = object_of(value).values() if isinstance(value, dict) else list_of(value)
        return depth > 0 and all(is_blank(item, depth - 1) for item in inner)
    return not value


def json_in(value: Any, otherwise: Any, layers: int = _MOST_LAYERS) -> Any:
    """Return the object or list that a text is the JSON of; `otherwise` where it is none."""
    text = text_of(value)
    if layers == 0 or text[:1] not in ("{", "[", '"') or len(text) > KEPT_BYTES:
        return otherwise
    try:
        inner: Any = parse(text.encode("utf-8", "replace"))
    except ResponseDecodeError:
        return otherwise
    if isinstance(inner, str):
        return json_in(inner, otherwise, layers - 1)
    return inner if is_object(inner) or is_array(inner) else otherwise


def first_json(text: str, otherwise: str) -> Any:
    """Return the object or list that a text begins with; `otherwise` where there is none."""
    import json

    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return otherwise
    return json_in(text[:end], otherwise)


def leaves(value: Any) -> Iterator[str]:
    """Give the values in a value that say something, as texts."""
    if isinstance(value, (dict, list)):
        inner: Any = object_of(value).values() if isinstance(value, dict) else list_of(value)
        for item in inner:
            yield from leaves(item)
    elif not is_blank(value) and value is not True:
        yield value if isinstance(value, str) else repr(value)


def abridged(value: Any, longest: int, values: float = math.inf) -> Any:
    """Return a copy with long texts cut to so many characters, for at most so many values."""
    return _Abridgement(longest, values).of(value, _DEEPEST)


def excerpt_of(value: Any) -> Any:
    """Return as much of a value as is kept of a large body, or shown of a strange one."""
    return abridged(value, _EXCERPT_TEXT, _EXCERPT_VALUES)


class _Abridgement:
    def __init__(self, longest: int, values: float) -> None:
        self._longest = longest
        self._room = values

    def of(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return value[: self._longest]
        if not isinstance(value, (dict, list)):
            return value
        if depth == 0:
            return None
        if isinstance(value, list):
            return [self.of(row, depth - 1) for row in self._as_many_as_fit(list_of(value))]
        return {
            name[: self._longest]: self.of(member, depth - 1)
            for name, member in self._as_many_as_fit(object_of(value).items())
        }

    def _as_many_as_fit(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            if self._room <= 0:
                return
            self._room -= 1
            yield item
