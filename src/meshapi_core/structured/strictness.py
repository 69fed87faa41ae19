"""A schema as strict modes demand it, and a value back in the form of its own schema.

A strict schema describes objects with all their properties, and nothing else. What it lacks is
replaced, and `restored` undoes that in the value that the model wrote:

    in the schema of the type            in the strict one
    a property that may be missing       required, and may be null
    a mapping                            a list of objects with `key` and `value`
    an array with a schema per item      an object with a property per item
    `const`, `oneOf`, `allOf`            `enum`, `anyOf`, one schema
    lengths, formats and the like        said in the description, where there is no keyword

Source: https://platform.openai.com/docs/guides/structured-outputs (supported schemas)
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Optional

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.structured.models import Mismatch
from meshapi_core.structured.schemas import FIELDS, Schema, unsupported

__all__ = ["properties", "restored", "strict"]

_REFERENCE: Final = "#/$defs/"

_FORMATS: Final = frozenset("date-time date time duration email hostname ipv4 ipv6 uuid".split())

_KEPT: Final = (
    *("description", "pattern", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
)

# In patterns, strict modes refuse what looks ahead or back.
_LOOKS_AROUND: Final = re.compile(r"\(\?<?[=!]")

_SAID: Final = {
    "minLength": "minimum length: {}",
    "maxLength": "maximum length: {}",
    "format": "format: {}",
    "contentEncoding": "encoding: {}",
}

_NULL: Final[Schema] = {"type": "null"}

_KINDS: Final = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (type(None), "null"),
)


def strict(root: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    """Return a whole strict schema, with the definitions that it needs in `$defs`.

    Args:
        path: the name of the type, with which the paths in errors begin.

    Raises:
        UnsupportedSchemaError: a part of it allows anything, or has no strict form.
    """
    made = _Strict(definitions)
    schema = made.of(root, path)
    name = _referred(schema)
    if name:
        # The whole must be an object, not a reference to one.
        schema = dict(made.done[name])
        if not made.is_used(name):
            del made.done[name]
    return {**schema, "$defs": made.done} if made.done else schema


class _Strict:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.done: dict[str, Schema] = {}
        self._definitions = definitions

    def is_used(self, name: str) -> bool:
        return _uses([*self.done.values()], _REFERENCE + name)

    def of(self, schema: Schema, path: str) -> Schema:
        """Return the strict form of a schema."""
        name = _referred(schema)
        if name:
            return self._reference(name, schema, path)
        parts = schema.get("allOf")
        if is_array(parts) and len(parts) == 1:
            others = {key: value for key, value in schema.items() if key != "allOf"}
            return self.of({**parts[0], **others}, path)
        made = self._by_kind(schema, path)
        return {**made, **_noted(schema)}

    def _reference(self, name: str, schema: Schema, path: str) -> Schema:
        if name not in self.done:
            self.done[name] = {}
            self.done[name] = self.of(self._definitions[name], path)
        reference = {"$ref": _REFERENCE + name}
        # A strict `$ref` stands alone.
        return {"anyOf": [reference], "description": text} if (text := _text(schema)) else reference

    def _by_kind(self, schema: Schema, path: str) -> Schema:
        variants = schema.get("anyOf") or schema.get("oneOf")
        if variants:
            return {"anyOf": _distinct([self.of(each, path) for each in variants])}
        if "const" in schema:
            return _enum([schema["const"]])
        if "enum" in schema:
            return _enum(schema["enum"])
        kind = schema.get("type")
        if is_array(kind):
            return {"anyOf": [self.of({**schema, "type": each}, path) for each in kind]}
        if kind == "object":
            return self._object(schema, path)
        if kind == "array":
            return self._array(schema, path)
        if kind is None:
            raise unsupported(path, "Any")
        return {"type": kind}

    def _object(self, schema: Schema, path: str) -> Schema:
        properties: dict[str, Schema] = schema.get("properties") or {}
        rest = schema.get("additionalProperties")
        if properties or (rest in (None, False) and "properties" in schema):
            optional = properties.keys() - set(schema.get("required") or ())
            return self._closed(properties, optional, path)
        if not is_object(rest):
            raise unsupported(path, "dict", "the type of its values is not known")
        key = schema.get("propertyNames") or {"type": "string"}
        pair = {"key": {"type": "string", **key}, "value": rest}
        limits = {"minItems": schema.get("minProperties"), "maxItems": schema.get("maxProperties")}
        return {
            "type": "array",
            "items": self._closed(pair, set(), f"{path}[]"),
            **{name: limit for name, limit in limits.items() if limit is not None},
        }

    def _closed(self, properties: Mapping[str, Schema], optional: Any, path: str) -> Schema:
        made = {}
        for name, schema in properties.items():
            one = self.of(schema, f"{path}.{name}")
            if name in optional and not self.allows_null(schema):
                one = {"anyOf": [*(one["anyOf"] if [*one] == ["anyOf"] else [one]), _NULL]}
            made[name] = one
        return {
            "type": "object",
            "properties": made,
            "required": [*made],
            "additionalProperties": False,
        }

    def _array(self, schema: Schema, path: str) -> Schema:
        if "prefixItems" in schema:
            return self._closed(*_as_object(schema), path)
        items = schema.get("items")
        if not is_object(items):
            raise unsupported(path, "list", "the type of its items is not known")
        return {"type": "array", "items": self.of(items, f"{path}[]")}

    def allows_null(self, schema: Schema) -> bool:
        return _allows_null(schema, self._definitions)


def _referred(schema: Schema) -> str:
    """Return the name of the definition that a schema refers to; "" if it refers to none."""
    reference = schema.get("$ref")
    return reference[len(_REFERENCE) :] if isinstance(reference, str) else ""


def _uses(value: Any, reference: str) -> bool:
    if is_object(value):
        return value.get("$ref") == reference or _uses([*value.values()], reference)
    return is_array(value) and any(_uses(each, reference) for each in value)


def _as_object(schema: Schema) -> tuple[dict[str, Schema], set[str]]:
    """Return the items of an array as properties, and which of them may be null instead."""
    items: list[Schema] = schema["prefixItems"]
    names = schema.get(FIELDS) or [f"item_{i + 1}" for i in range(len(items))]
    optional = {name for name, item in zip(names, items) if "default" in item}
    return dict(zip(names, items)), optional


def _allows_null(schema: Schema, definitions: Mapping[str, Schema]) -> bool:
    name = _referred(schema)
    if name:
        return _allows_null(definitions[name], definitions)
    variants = schema.get("anyOf") or schema.get("oneOf") or ()
    if any(_allows_null(each, definitions) for each in variants):
        return True
    kind = schema.get("type")
    kinds = kind if is_array(kind) else [kind]
    return "null" in kinds or None in (schema.get("enum") or ())


def _enum(values: Any) -> Schema:
    kinds = _distinct([_kind(value) for value in values])
    return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": [*values]}


def _kind(value: Any) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "string")


def _distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _noted(schema: Schema) -> Schema:
    """Return the keywords that a strict schema has, too, and the others in words."""
    kept: Schema = {name: schema[name] for name in _KEPT if name in schema}
    if "prefixItems" in schema:
        kept = {name: value for name, value in kept.items() if name == "description"}
    if "pattern" in kept and _LOOKS_AROUND.search(kept["pattern"]):
        del kept["pattern"]
    if schema.get("format") in _FORMATS:
        kept["format"] = schema["format"]
    text = _text(schema)
    if text:
        kept["description"] = text
    return kept


def _text(schema: Schema) -> str:
    """Return the description of a schema, with what only words can say in a strict one."""
    rules = [
        words.format(schema[name])
        for name, words in _SAID.items()
        if name in schema and schema[name] not in _FORMATS
    ]
    pattern = schema.get("pattern", "")
    if _LOOKS_AROUND.search(pattern):
        rules.append(f"pattern: {pattern}")
    said = [schema["description"]] if schema.get("description") else []
    return "; ".join([*said, *rules])


def restored(value: Any, schema: Schema, definitions: Mapping[str, Schema], path: str = "") -> Any:
    """Return a value that matches the strict form of a schema, in the form of the schema itself.

    What does not match is returned as it is, for the decoder of the type to refuse.

    Raises:
        Mismatch: a mapping has the same key twice.
    """
    return _Restorer(definitions).of(value, schema, path)


class _Restorer:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def of(self, value: Any, schema: Schema, path: str) -> Any:
        if not is_object(value) and not is_array(value):
            return value
        schema = _resolved(schema, self._definitions)
        variants = schema.get("anyOf") or schema.get("oneOf")
        if variants:
            schema = self._chosen(value, variants)
        if is_object(value):
            if "prefixItems" in schema:
                return self._items(value, schema, path)
            return self._properties(value, schema, path)
        if _is_mapping(schema):
            return self._mapping(value, schema["additionalProperties"], path)
        items = schema.get("items")
        if not is_object(items):
            return value
        return [self.of(each, items, f"{path}[{i}]") for i, each in enumerate(value)]

    def _properties(self, value: dict[str, Any], schema: Schema, path: str) -> dict[str, Any]:
        declared: dict[str, Schema] = schema.get("properties") or {}
        optional = declared.keys() - set(schema.get("required") or ())
        made: dict[str, Any] = {}
        for name, each in value.items():
            rules = declared.get(name, {})
            is_missing = each is None and name in optional
            if is_missing and not _allows_null(rules, self._definitions):
                continue
            made[name] = self.of(each, rules, f"{path}.{name}")
        return made

    def _items(self, value: dict[str, Any], schema: Schema, path: str) -> Any:
        declared, _ = _as_object(schema)
        if not declared.keys() <= value.keys():
            return value
        made: list[Any] = []
        for name, rules in declared.items():
            each = value[name]
            if each is None and "default" in rules and not _allows_null(rules, self._definitions):
                each = rules["default"]
                made.append(each)
            else:
                made.append(self.of(each, rules, f"{path}.{name}"))
        return made

    def _mapping(self, pairs: Any, schema: Schema, path: str) -> Any:
        made: dict[Any, Any] = {}
        for i, pair in enumerate(pairs):
            if not _is_pair(pair):
                return pairs
            key = pair["key"]
            if not isinstance(key, str):
                return pairs
            if key in made:
                raise Mismatch(f"{path}[{i}].key".lstrip("."), f"the key {key!r} occurs twice")
            made[key] = self.of(pair["value"], schema, f"{path}[{i}].value")
        return made

    def _chosen(self, value: Any, variants: list[Schema]) -> Schema:
        """Return the variant that a value probably matches."""
        flat: list[Schema] = []
        for each in variants:
            schema = _resolved(each, self._definitions)
            inner = schema.get("anyOf") or schema.get("oneOf")
            flat += [_resolved(one, self._definitions) for one in inner] if inner else [schema]
        return max(flat, key=lambda schema: self._likeness(value, schema))

    def _likeness(self, value: Any, schema: Schema) -> int:
        if is_array(value):
            if _is_mapping(schema):
                return 2 if value and all(map(_is_pair, value)) else int(not value)
            return int(schema.get("type") == "array" and "prefixItems" not in schema)
        names = properties(schema, self._definitions)
        if names is None:
            return 0
        declared: dict[str, Schema] = schema.get("properties") or {}
        for name, each in declared.items():
            allowed = each.get("enum") or ([each["const"]] if "const" in each else ())
            if allowed and name in value and value[name] not in allowed:
                return 1
        return 3 if names == value.keys() else 2


def properties(schema: Schema, definitions: Mapping[str, Schema]) -> Optional[frozenset[str]]:
    """Return the properties of an object in the strict form; None if that is not an object."""
    schema = _resolved(schema, definitions)
    if "prefixItems" in schema:
        return frozenset(_as_object(schema)[0])
    if schema.get("type") != "object" or _is_mapping(schema):
        return None
    return frozenset(schema.get("properties") or ())


def _resolved(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    while True:
        name = _referred(schema)
        parts = schema.get("allOf")
        if name:
            schema = definitions[name]
        elif is_array(parts) and len(parts) == 1:
            schema = parts[0]
        else:
            return schema


def _is_mapping(schema: Schema) -> bool:
    return is_object(schema.get("additionalProperties")) and not schema.get("properties")


def _is_pair(value: Any) -> bool:
    return is_object(value) and value.keys() == {"key", "value"}
