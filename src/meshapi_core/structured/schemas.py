"""The JSON schema of any type that msgspec can decode, one node of its description after the other.

msgspec's own generator describes how msgspec writes a value, and says nothing about a datetime
without a time zone or the names in a NamedTuple. A model needs both.

The result may use any keyword; `strictness` makes it strict. `FIELDS` names the items of an array
that has a schema for each.

Source: https://jcristharif.com/msgspec/api.html#inspect (the nodes)
"""

import re
from collections.abc import Callable, Iterator
from inspect import cleandoc
from typing import Annotated, Any, ClassVar, Final, Union, cast, get_args, get_origin

import msgspec
from msgspec import inspect

from meshapi_core.errors import UnsupportedSchemaError
from meshapi_core.structured import models

__all__ = ["FIELDS", "Schema", "TypeSchemas", "name_of_type", "refused", "unsupported"]

Schema = dict[str, Any]

FIELDS: Final = "x-fields"
"""A keyword of our own: the names of the items that `prefixItems` describes."""

_BASE64: Final = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_DECIMAL: Final = r"^-?[0-9]+(\.[0-9]+)?$"

_HAS_FIELDS: Final = (
    inspect.StructType,
    inspect.DataclassType,
    inspect.TypedDictType,
    inspect.NamedTupleType,
)


def name_of_type(kind: Any) -> str:
    """Return the name of a type for people: `Person`, `list[Person]`, `Union[Cat, Dog]`."""
    if isinstance(kind, type) and not get_args(kind):
        return kind.__name__
    text = str(kind)
    for part in _annotated(kind):
        text = text.replace(str(part), name_of_type(get_args(part)[0]))
    return re.sub(r"\b(?:\w+\.|<locals>\.)+", "", text)


def _annotated(kind: Any) -> Iterator[Any]:
    """Yield the parts of a type that are `Annotated`, the outermost ones alone."""
    if get_origin(kind) is Annotated:
        yield kind
    else:
        for part in get_args(kind):
            yield from _annotated(part)


def unsupported(path: str, kind: str, reason: str = "") -> UnsupportedSchemaError:
    """Return the error for a type that has no schema.

    Args:
        path: where it is.
        kind: its name.
        reason: why it has none, if that is not plain.
    """
    why = f" ({reason})" if reason else ""
    where = "" if path == kind else f"{path}: "
    return UnsupportedSchemaError(
        f"{where}{kind} has no JSON schema{why}; nothing was sent", path=path
    )


def _always(schema: Schema) -> "Callable[[Any, Any, str], Schema]":
    """Return what makes the schema of a node that has no choices."""

    def make(schemas: Any, info: Any, path: str) -> Schema:
        return {**schema}

    return make


class TypeSchemas:
    """Makes the schemas of one program's type, and of those that it contains.

    Attributes:
        definitions: the schemas that others refer to, by name.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._names: dict[Any, str] = {}

    def of(self, info: inspect.Type, path: str) -> Schema:
        """Return the schema of a node.

        Args:
            path: where the node is, for errors.

        Raises:
            UnsupportedSchemaError: it has no schema, or contains a type that has none.
        """
        make = self._makers.get(type(info))
        if make is None:
            raise unsupported(path, type(info).__name__.replace("Type", ""))
        return make(self, info, path)

    def _annotated(self, info: inspect.Metadata, path: str) -> Schema:
        added = cast("Schema", info.extra_json_schema or {})
        kept = {name: value for name, value in added.items() if name not in ("default", "examples")}
        return {**self.of(info.type, path), **kept}

    def _integer(self, info: inspect.IntType, path: str) -> Schema:
        return {"type": "integer", **_bounds(info)}

    def _number(self, info: inspect.FloatType, path: str) -> Schema:
        return {"type": "number", **_bounds(info)}

    def _string(self, info: inspect.StrType, path: str) -> Schema:
        limits = {
            "minLength": info.min_length,
            "maxLength": info.max_length,
            "pattern": info.pattern,
        }
        return {"type": "string", **_given(limits)}

    def _literal(self, info: Union[inspect.LiteralType, inspect.EnumType], path: str) -> Schema:
        if isinstance(info, inspect.LiteralType):
            return {"enum": [*info.values]}
        return {"enum": [member.value for member in info.cls], **_described(info.cls)}

    def _union(self, info: inspect.UnionType, path: str) -> Schema:
        return {"anyOf": [self.of(member, path) for member in info.types]}

    def _array(self, info: Any, path: str) -> Schema:
        limits = {"minItems": info.min_length, "maxItems": info.max_length}
        return {"type": "array", "items": self.of(info.item_type, f"{path}[]"), **_given(limits)}

    def _tuple(self, info: inspect.TupleType, path: str) -> Schema:
        items = [self.of(item, f"{path}[{i}]") for i, item in enumerate(info.item_types)]
        names = [f"item_{i + 1}" for i in range(len(items))]
        return {"type": "array", "prefixItems": items, FIELDS: names}

    def _mapping(self, info: inspect.DictType, path: str) -> Schema:
        limits = {"minProperties": info.min_length, "maxProperties": info.max_length}
        key = info.key_type
        while isinstance(key, inspect.Metadata):
            key = key.type
        if isinstance(key, inspect.AnyType):
            names: Schema = {"type": "string"}
        elif isinstance(key, inspect.IntType):
            names = {"type": "string", "pattern": "^-?[0-9]+$"}
        else:
            names = self.of(info.key_type, f"{path}[key]")
        values = self.of(info.value_type, f"{path}[]")
        schema = {"type": "object", "propertyNames": names, "additionalProperties": values}
        return {**schema, **_given(limits)}

    def _fields(self, info: Any, path: str) -> Schema:
        if models.is_adapted(info.cls):
            reason = "a pydantic dataclass within another class: make it a BaseModel"
            raise unsupported(path, name_of_type(info.cls), reason)
        if info.cls not in self._names:
            self._names[info.cls] = name = self._new_name(name_of_type(info.cls))
            # The name is taken before the fields, which may contain the type itself.
            self.definitions[name] = {}
            self.definitions[name] = self._definition(info, path)
        return {"$ref": f"#/$defs/{self._names[info.cls]}"}

    def _definition(self, info: Any, path: str) -> Schema:
        properties: dict[str, Schema] = {}
        if getattr(info, "tag", None) is not None:
            properties[info.tag_field] = {"enum": [info.tag]}
        required = [*properties]
        for field in info.fields:
            properties[field.encode_name] = made = self.of(field.type, f"{path}.{field.name}")
            if field.required:
                required.append(field.encode_name)
            elif isinstance(info, inspect.NamedTupleType) or getattr(info, "array_like", False):
                # In an array, a place cannot be left out, so null becomes this.
                properties[field.encode_name] = {**made, "default": _default(field)}
        described = _described(get_origin(info.cls) or info.cls)
        if isinstance(info, inspect.NamedTupleType) or getattr(info, "array_like", False):
            items = [*properties.values()]
            return {"type": "array", "prefixItems": items, FIELDS: [*properties], **described}
        return {"type": "object", "properties": properties, "required": required, **described}

    def _custom(self, info: inspect.CustomType, path: str) -> Schema:
        if not models.is_model(info.cls):
            reason = "dataclasses, TypedDicts, msgspec Structs and pydantic models have one"
            raise unsupported(path, name_of_type(info.cls), reason)
        if info.cls not in self._names:
            self._names[info.cls] = name = self._new_name(info.cls.__name__)
            root, others = models.schema_of(info.cls, f"{name}_", path)
            if [*root] == ["$ref"]:
                # The model contains itself, and is among the others.
                self._names[info.cls] = root["$ref"].rpartition("/")[2]
            else:
                others[name] = root
            self.definitions.update(others)
        return {"$ref": f"#/$defs/{self._names[info.cls]}"}

    def _any(self, info: inspect.Type, path: str) -> Schema:
        raise unsupported(path, "Any", "name the type, as in list[str] or dict[str, int]")

    def _new_name(self, wanted: str) -> str:
        wanted = name = re.sub(r"[^\w-]+", "_", wanted, flags=re.ASCII).strip("_") or "Value"
        number = 1
        while name in self.definitions:
            number += 1
            name = f"{wanted}_{number}"
        return name

    _makers: ClassVar[dict[Any, Callable[[Any, Any, str], Schema]]] = {
        inspect.AnyType: _any,
        inspect.CustomType: _custom,
        inspect.DictType: _mapping,
        inspect.EnumType: _literal,
        inspect.FloatType: _number,
        inspect.IntType: _integer,
        inspect.LiteralType: _literal,
        inspect.Metadata: _annotated,
        inspect.StrType: _string,
        inspect.TupleType: _tuple,
        inspect.UnionType: _union,
        inspect.BoolType: _always({"type": "boolean"}),
        inspect.NoneType: _always({"type": "null"}),
        inspect.DateTimeType: _always({"type": "string", "format": "date-time"}),
        inspect.DateType: _always({"type": "string", "format": "date"}),
        inspect.TimeType: _always({"type": "string", "format": "time"}),
        inspect.TimeDeltaType: _always({"type": "string", "format": "duration"}),
        inspect.UUIDType: _always({"type": "string", "format": "uuid"}),
        inspect.DecimalType: _always({"type": "string", "pattern": _DECIMAL}),
        **dict.fromkeys(
            (inspect.BytesType, inspect.ByteArrayType, inspect.MemoryViewType),
            _always({"type": "string", "pattern": _BASE64, "description": "data in base64"}),
        ),
        **dict.fromkeys(
            (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType), _array
        ),
        **dict.fromkeys(_HAS_FIELDS, _fields),
    }


def _bounds(info: Any) -> Schema:
    return _given(
        {
            "minimum": info.ge,
            "exclusiveMinimum": info.gt,
            "maximum": info.le,
            "exclusiveMaximum": info.lt,
            "multipleOf": info.multiple_of,
        }
    )


def _given(keywords: Schema) -> Schema:
    return {name: value for name, value in keywords.items() if value is not None}


def _described(cls: Any) -> Schema:
    """Return the docstring of a class as a description; nothing if nobody wrote one."""
    text = cast("Any", vars(cls)).get("__doc__")
    # Those that Python makes: `Point(x: int)` of dataclasses and NamedTuples, and that of Enum.
    is_made = not isinstance(text, str) or text.startswith(f"{cls.__name__}(")
    if is_made or text in ("", "An enumeration.", dict.__doc__):
        return {}
    return {"description": cleandoc(text)}


def _default(field: Any) -> Any:
    """Return the default of a field, as JSON; None if it has no such form."""
    value = field.default
    if value is msgspec.NODEFAULT:
        if field.default_factory is msgspec.NODEFAULT:
            return None
        value = field.default_factory()
    try:
        return msgspec.to_builtins(value)
    except (TypeError, ValueError):
        return None


def refused(kind: Any, reason: Exception) -> UnsupportedSchemaError:
    """Return the error for a type that msgspec refuses, with the place of what it does not know."""
    path, culprit = _culprit(kind, name_of_type(kind), ())
    why = str(reason).partition(" - type ")[0].partition(". ")[0]
    return unsupported(path, name_of_type(culprit), why)


def _culprit(kind: Any, path: str, seen: tuple[Any, ...]) -> tuple[str, Any]:
    from typing_extensions import get_type_hints

    try:
        hints = get_type_hints(kind, include_extras=True) if isinstance(kind, type) else {}
    except (NameError, TypeError):
        hints = {}
    inner = [(f"{path}.{name}", hint) for name, hint in hints.items()]
    inner += [(f"{path}[]", argument) for argument in get_args(kind)]
    for place, each in inner:
        if each in seen:
            continue
        try:
            inspect.type_info(each)
        except (TypeError, NameError, ValueError):
            return _culprit(each, place, (*seen, kind))
    return path, kind
