"""Access to JSON of unknown form: each function returns a value of the right kind, or a blank.

None of them raises, and there are limits on how deep they look and how much they keep.
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

# The limits of an excerpt, such as from a 422 that echoes the images of the request. 64 values,
# each with a key and a text of 500 characters, are about 64 KiB, like `KEPT_BYTES`.
_EXCERPT_VALUES = 64
_EXCERPT_TEXT = 500
# Deeper than any error, and far from the depth at which pickle and copy run out of stack.
_DEEPEST = 64
# JSON in a string in JSON: enough for two gateways in a row, and one more.
_MOST_LAYERS = 3


def object_of(value: Any) -> dict[str, Any]:
    """Return an object unchanged, and an empty one for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Return a list unchanged, and an empty one for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """Return a text without surrounding whitespace, and "" for anything else."""
    return value.strip() if isinstance(value, str) else ""


def letters_of(name: str) -> str:
    """Return a name reduced to its letters: `errorMessage` and `error_message` are the same."""
    return name.replace("_", "").replace("-", "").lower()


def by_letters(found: dict[str, Any]) -> dict[str, Any]:
    """Return an object's fields by the letters of their names; the first of a name counts."""
    members: dict[str, Any] = {}
    for name, value in found.items():
        members.setdefault(letters_of(name), value)
    return members


def is_blank(value: Any, depth: int = _DEEPEST) -> bool:
    """Return whether a value says nothing: null, false, 0, blank text, or only such values."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, (dict, list)):
        inner: Any = object_of(value).values() if isinstance(value, dict) else list_of(value)
        return depth > 0 and all(is_blank(item, depth - 1) for item in inner)
    return not value


def json_in(value: Any, otherwise: Any, layers: int = _MOST_LAYERS) -> Any:
    """Return the object or list in a JSON text; `otherwise` if the value is not such a text."""
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
    """Return the JSON object or list that a text begins with; `otherwise` if there is none."""
    import json

    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return otherwise
    return json_in(text[:end], otherwise)


def leaves(value: Any) -> Iterator[str]:
    """Yield the values within a value that are not blank, as texts."""
    if isinstance(value, (dict, list)):
        inner: Any = object_of(value).values() if isinstance(value, dict) else list_of(value)
        for item in inner:
            yield from leaves(item)
    elif not is_blank(value) and value is not True:
        yield value if isinstance(value, str) else repr(value)


def abridged(value: Any, longest: int, values: float = math.inf) -> Any:
    """Return a copy with texts cut to `longest` characters, and of at most `values` values."""
    return _Abridgement(longest, values).of(value, _DEEPEST)


def excerpt_of(value: Any) -> Any:
    """Return the excerpt that is kept of a large body, or shown of one of unknown form."""
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
