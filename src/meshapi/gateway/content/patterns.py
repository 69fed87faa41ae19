"""Texts that match a regular expression, for the `pattern` of a JSON schema.

Python's own parser says what the expression consists of. Look-around is ignored, so a text is only
returned if the expression really matches it.
"""

import re
from collections.abc import Iterable
from typing import Any, Optional

# Its name since Python 3.11, and before.
_PARSER: Any = getattr(re, "_parser", None) or getattr(re, "sre_parse", None)

# How much further than necessary repetitions go, in the attempts to reach a length.
_EXTRAS = (0, 1, 2, 4, 8, 16, 32, 64)
_MOST_REPEATS = 1000
_LONGEST = 10_000

_OF_CATEGORY = {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}
_NOT_OF_CATEGORY = {
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_NOT_WORD": " ",
}
_CATEGORIES = {**_OF_CATEGORY, **_NOT_OF_CATEGORY}
_ALPHABET = "aA1 -_.:/xyzXYZ023"


def matching_text(pattern: str, wanted: str, least: int, most: Optional[int]) -> Optional[str]:
    """The wanted text, or one that the pattern matches somewhere; None if there seems to be none.

    Args:
        least: the least number of characters.
        most: the greatest number of characters; None for any.
    """
    try:
        found = re.compile(pattern)
        parsed: Any = _PARSER.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return None
    texts = [wanted]
    for extra in (*_EXTRAS, least):
        if len(texts[-1]) < _LONGEST:
            texts.append(_Writer(extra).text(parsed))
    for text in texts:
        if least <= len(text) <= (len(text) if most is None else most) and found.search(text):
            return text
    return None


class _Writer:
    def __init__(self, extra: int) -> None:
        self._extra = extra
        self._groups: dict[Any, str] = {}
        self._left = _LONGEST

    def text(self, parts: Iterable[Any]) -> str:
        return "".join(self._part(str(kind), value) for kind, value in parts)

    def _part(self, kind: str, value: Any) -> str:
        if kind == "LITERAL":
            return chr(value)
        if kind == "ANY":
            return "a"
        if kind == "NOT_LITERAL":
            return _other_than([("LITERAL", value)])
        if kind == "IN":
            return _one_of(value)
        if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            return self._repeated(*value)
        if kind == "SUBPATTERN":
            group, *_, inner = value
            self._groups[group] = self.text(inner)
            return self._groups[group]
        if kind == "BRANCH":
            return self.text(value[1][0])
        if kind == "GROUPREF":
            return self._groups.get(value, "")
        return self.text(value) if kind == "ATOMIC_GROUP" else ""

    def _repeated(self, least: Any, most: Any, inner: Any) -> str:
        times = min(int(most), int(least) + self._extra, _MOST_REPEATS)
        made = ""
        for _ in range(times):
            if len(made) > self._left:
                break
            made += self.text(inner)
        self._left -= len(made)
        return made


def _one_of(members: Any) -> str:
    """A character of the set."""
    (kind, value), *_ = members
    name = str(kind)
    if name == "NEGATE":
        return _other_than(members[1:])
    if name == "RANGE":
        return chr(value[0])
    return chr(value) if name == "LITERAL" else _CATEGORIES.get(str(value), "a")


def _other_than(members: Any) -> str:
    """A character outside the set."""
    return next((char for char in _ALPHABET if not _holds(members, char)), "é")


def _holds(members: Any, char: str) -> bool:
    for kind, value in members:
        name = str(kind)
        if name == "LITERAL" and chr(value) == char:
            return True
        if name == "RANGE" and value[0] <= ord(char) <= value[1]:
            return True
        if name == "CATEGORY" and _in_category(str(value), char):
            return True
    return False


def _in_category(name: str, char: str) -> bool:
    tests = {
        "DIGIT": char.isdigit(),
        "SPACE": char.isspace(),
        "WORD": char.isalnum() or char == "_",
    }
    plain = name.replace("CATEGORY_", "").replace("NOT_", "")
    return tests.get(plain, False) is not ("NOT_" in name)
