"""Values that match a JSON schema: arguments of a tool, or an answer in a requested format.

The common keywords are supported; a schema that makes no sense produces nulls.

Source: https://json-schema.org/draft/2020-12/json-schema-validation
"""

import re
from collections.abc import Mapping
from typing import Any, cast

# Only a schema that contains itself goes deeper.
_DEEPEST = 12

_NAME = re.compile(r"[A-ZÀ-Þ][\w'-]*(?:\s+[A-ZÀ-Þ][\w'-]*)*")
_WORD = re.compile(r"[\w'-]+")
_INTEGER = re.compile(r"-?\b\d{1,15}\b")


def sample(schema: Mapping[str, Any], question: str) -> Any:
    """A value that matches the schema, with words and numbers taken from the question.

    `const`, `default` and `enum` take precedence. Strings are the last name in the question
    ("Paris", "New York"), or its last word; numbers are its first number, or 1.
    """
    return _Sampler(schema, question).value(schema, 0)


class _Sampler:
    def __init__(self, root: Mapping[str, Any], question: str) -> None:
        self._root = root
        self._question = question

    def value(self, schema: object, depth: int) -> Any:
        rules = _members(schema)
        if not rules or depth > _DEEPEST:
            return None
        for keyword in ("const", "default"):
            if keyword in rules:
                return rules[keyword]
        for value in _items(rules.get("enum")):
            return value
        if "$ref" in rules:
            return self.value(self._resolve(str(rules["$ref"])), depth + 1)
        for keyword in ("anyOf", "oneOf", "allOf"):
            for variant in _items(rules.get(keyword)):
                return self.value(variant, depth + 1)
        return self._of_kind(rules, depth)

    def _of_kind(self, rules: dict[str, Any], depth: int) -> Any:
        kind: object = rules.get("type", "object" if "properties" in rules else "string")
        # A list of types allows any of them.
        kind = next(iter(_items(kind)), kind)
        if kind == "object":
            return self._object(rules, depth)
        if kind == "array":
            return [self.value(rules.get("items"), depth + 1)]
        if kind == "string":
            return self._text()
        if kind in ("integer", "number"):
            return self._number(rules)
        return True if kind == "boolean" else None

    def _object(self, rules: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = _members(rules.get("properties"))
        names = _items(rules.get("required", list(properties)))
        return {str(name): self.value(properties.get(str(name)), depth + 1) for name in names}

    def _text(self) -> str:
        found = _NAME.findall(self._question)
        # The first word of a sentence is capitalised without being a name.
        if found and not (len(found) == 1 and self._question.startswith(found[0])):
            return str(found[-1])
        return str((_WORD.findall(self._question) or [""])[-1])

    def _number(self, rules: dict[str, Any]) -> Any:
        found = _INTEGER.search(self._question)
        number: Any = int(found[0]) if found else 1
        least, most = rules.get("minimum"), rules.get("maximum")
        if isinstance(least, (int, float)):
            number = max(number, least)
        return min(number, most) if isinstance(most, (int, float)) else number

    def _resolve(self, reference: str) -> object:
        target: object = self._root
        for step in filter(None, reference.lstrip("#").split("/")):
            target = _members(target).get(step)
        return target


def _members(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
