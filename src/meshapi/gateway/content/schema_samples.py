"""Values that match a JSON schema: arguments of a tool, or an answer in a requested format.

Supported are `$ref`, `allOf`, `anyOf`, `oneOf`, `const`, `enum` and the keywords of each type, with
these limits: a list has at most 1,000 items, a string is padded to at most 10,000 characters, and a
schema that no value matches produces nulls. `not`, `if`, `contains`, `patternProperties` and the
`dependent` keywords are ignored.

Source: https://json-schema.org/draft/2020-12/json-schema-validation
"""

import re
from collections.abc import Mapping
from itertools import count
from typing import Any, Optional, cast

from meshapi.gateway.content.bounds import number_in_bounds
from meshapi.gateway.content.patterns import matching_text

# Below this depth, lists are empty and choices end, if the schema lets them: it contains itself.
_DEEP = 8
# A schema that contains itself and never ends is cut off here. Both limits are far above those of
# any schema that a program writes.
_DEEPEST = 40
_MOST_VALUES = 5000
_MOST_REFERENCES = 20

_MOST_ITEMS = 1000
_LONGEST_TEXT = 10_000

_NAME = re.compile(r"[A-ZÀ-Þ][\w'-]*(?:\s+[A-ZÀ-Þ][\w'-]*)*")
_WORD = re.compile(r"[\w'-]+")
_INTEGER = re.compile(r"-?\b\d{1,15}\b")

_FORMATS = {
    "date-time": "2026-01-01T12:00:00Z",
    "date": "2026-01-01",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "decimal": "1",
    "byte": "bG9jYWw=",
}
_BASE64 = "bG9jYWw="

_Rules = dict[str, Any]


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
        self._made = 0

    def value(self, schema: object, depth: int, nth: int = 0) -> Any:
        """A value; `nth` tells the items of a list apart."""
        self._made += 1
        rules = self._merged(schema)
        if not rules or depth > _DEEPEST or self._made > 2 * _MOST_VALUES:
            return None
        for keyword in ("const", "default"):
            if keyword in rules:
                return rules[keyword]
        allowed = _items(rules.get("enum"))
        if allowed:
            return allowed[nth % len(allowed)]
        for keyword in ("anyOf", "oneOf"):
            variants = _items(rules.get(keyword))
            if variants:
                others = {key: rule for key, rule in rules.items() if key != keyword}
                chosen = self._merged(self._simplest(variants, depth))
                return self.value(_combined(others, chosen), depth + 1, nth)
        return self._of_kind(rules, depth, nth)

    def _merged(self, schema: object) -> _Rules:
        """The schema with those that it refers to, and those of `allOf`, in one."""
        rules: _Rules = {}
        waiting, seen = [schema], 0
        while waiting and seen < _MOST_REFERENCES:
            seen += 1
            part = dict(_members(waiting.pop(0)))
            if "$ref" in part:
                waiting.append(self._resolve(str(part.pop("$ref"))))
            waiting += _items(part.pop("allOf", None))
            rules = _combined(rules, part)
        return rules

    def _is_deep(self, depth: int) -> bool:
        return depth > _DEEP or self._made > _MOST_VALUES

    def _simplest(self, variants: list[object], depth: int) -> object:
        if not self._is_deep(depth):
            return variants[0]
        return min(variants, key=lambda one: _is_nested(self._merged(one)))

    def _of_kind(self, rules: _Rules, depth: int, nth: int) -> Any:
        kind: object = rules.get("type")
        if kind is None:
            kind = _kind_of(rules)
        kinds = _items(kind) or [kind]
        # A list of types allows any of them.
        kind = "null" if "null" in kinds and self._is_deep(depth) else kinds[0]
        if kind == "object":
            return self._object(rules, depth)
        if kind == "array":
            return self._array(rules, depth)
        if kind == "string":
            return self._string(rules, nth)
        if kind in ("integer", "number"):
            return self._number(rules, kind == "integer", nth)
        return nth % 2 == 0 if kind == "boolean" else None

    def _object(self, rules: _Rules, depth: int) -> _Rules:
        properties = _members(rules.get("properties"))
        rest = rules.get("additionalProperties")
        usual = [] if self._is_deep(depth) else list(properties)
        names = [str(name) for name in _items(rules.get("required", usual))]
        made = {name: self.value(properties.get(name, rest), depth + 1) for name in names}
        least = _whole(rules.get("minProperties")) or 0
        if not properties and _members(rest) and not self._is_deep(depth):
            # A mapping: one pair shows more than none.
            least = max(least, 1)
        for nth in range(min(least, _MOST_ITEMS) * 2):
            if len(made) >= least:
                break
            name = self._string(_members(rules.get("propertyNames")), nth)
            made.setdefault(name, self.value(properties.get(name, rest), depth + 1, nth))
        return made

    def _array(self, rules: _Rules, depth: int) -> list[Any]:
        first = _items(rules.get("prefixItems"))
        least = _whole(rules.get("minItems")) or 0
        most = _whole(rules.get("maxItems"))
        has_items = rules.get("items") is not False
        size = least if self._is_deep(depth) else max(least, len(first) or int(has_items))
        size = min(size, _MOST_ITEMS, _MOST_ITEMS if most is None else most)
        schemas = [*first, *([rules.get("items")] * (size - len(first)))][:size]
        made: list[Any] = []
        for schema, nth in zip(schemas, count()):
            if self._made > 2 * _MOST_VALUES:
                break
            made.append(self.value(schema, depth + 1, nth))
        return made

    def _string(self, rules: _Rules, nth: int) -> str:
        if isinstance(rules.get("format"), str) and rules["format"] in _FORMATS:
            return _FORMATS[rules["format"]]
        if rules.get("contentEncoding") == "base64":
            return _BASE64
        least = min(_whole(rules.get("minLength")) or 0, _LONGEST_TEXT)
        most = _whole(rules.get("maxLength"))
        if isinstance(rules.get("pattern"), str):
            found = matching_text(rules["pattern"], self._text(), least, most)
            if found is not None:
                return found
        text = self._text() + (f" {nth + 1}" if nth else "")
        text = text.ljust(least, "x")
        if most is None or len(text) <= most:
            return text
        # The end tells the items of a list apart.
        return text[len(text) - most :] if nth else text[:most]

    def _text(self) -> str:
        found = _NAME.findall(self._question)
        # The first word of a sentence is capitalised without being a name.
        if found and not (len(found) == 1 and self._question.startswith(found[0])):
            return str(found[-1])
        return str((_WORD.findall(self._question) or [""])[-1])

    def _number(self, rules: _Rules, whole: bool, nth: int) -> Any:
        found = _INTEGER.search(self._question)
        return number_in_bounds(rules, whole, (int(found[0]) if found else 1) + nth)

    def _resolve(self, reference: str) -> object:
        target: object = self._root
        for step in filter(None, reference.lstrip("#").split("/")):
            name = step.replace("~1", "/").replace("~0", "~")
            target = _members(target).get(name)
        return target


def _combined(one: _Rules, other: _Rules) -> _Rules:
    """Both schemas in one: objects and lists of names add up, the narrower bound counts."""
    made = dict(one)
    for key, rule in other.items():
        if key not in made:
            made[key] = rule
        elif key == "properties":
            made[key] = {**_members(made[key]), **_members(rule)}
        elif key == "required":
            made[key] = list(dict.fromkeys([*_items(made[key]), *_items(rule)]))
        elif key == "enum":
            made[key] = [value for value in _items(made[key]) if value in _items(rule)]
        elif key in _NARROWING and _is_number(made[key]) and _is_number(rule):
            made[key] = _NARROWING[key](made[key], rule)
        else:
            made[key] = rule
    return made


_NARROWING: Mapping[str, Any] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def _kind_of(rules: _Rules) -> str:
    if "properties" in rules or "additionalProperties" in rules:
        return "object"
    return "array" if "items" in rules or "prefixItems" in rules else "string"


def _is_nested(rules: _Rules) -> bool:
    kinds = _items(rules.get("type")) or [rules.get("type")]
    known = {"null", "string", "integer", "number", "boolean"}
    return not ("const" in rules or "enum" in rules or bool(known & set(map(str, kinds))))


def _whole(value: object) -> Optional[int]:
    """The value as a size, at most the longest text; None if it is not one."""
    if not isinstance(value, (int, float)) or value < 0:
        return None
    return int(min(value, _LONGEST_TEXT))


def _members(value: object) -> _Rules:
    return cast("_Rules", value) if isinstance(value, dict) else {}


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
