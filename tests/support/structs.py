"""Strategies for JSON, and for the JSON forms of Structs, drawn from their declared types.

They do not use the way in which `meshapi_core` reads types, because its tests compare it with them.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from meshapi_core.types.chat import (
    ContentPartAudio,
    ContentPartFile,
    ContentPartImage,
    ContentPartText,
    ContentPartVideo,
)

# Text that UTF-8 can encode; long enough to matter, short enough to read in a failure.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = st.sampled_from(["a", "b", "cost", "x_y", "type", "index"])
integers = st.integers(-(2**53), 2**53)
floats = st.floats(allow_nan=False, allow_infinity=False, width=32)
scalars = st.none() | st.booleans() | integers | floats | texts
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)
json_objects = st.dictionaries(keys, json_values, max_size=4)

# The `type` of a content part, which msgspec takes for Any.
PARTS: dict[str, type] = {
    "text": ContentPartText,
    "image_url": ContentPartImage,
    "input_audio": ContentPartAudio,
    "video_url": ContentPartVideo,
    "file": ContentPartFile,
}


@functools.cache
def shape(kind: Any) -> inspect.Type:
    """msgspec's description of a type."""
    return inspect.type_info(kind)


_FORMS: dict[int, tuple[inspect.Type, "st.SearchStrategy[Any]"]] = {}


def forms(info: inspect.Type) -> "st.SearchStrategy[Any]":
    """JSON values of a declared type."""
    # A strategy is expensive to make, and hundreds of tests use it. Types of msgspec have no hash:
    # the key is their identity, and they are kept alive.
    if id(info) not in _FORMS:
        _FORMS[id(info)] = (info, _new_forms(info))
    return _FORMS[id(info)][1]


def _new_forms(info: inspect.Type) -> "st.SearchStrategy[Any]":
    if isinstance(info, inspect.UnionType):
        return st.one_of([forms(member) for member in info.types])
    if isinstance(info, inspect.LiteralType):
        return st.sampled_from(info.values)
    if isinstance(info, inspect.ListType):
        return st.lists(forms(info.item_type), **_sizes(info, 2))
    if isinstance(info, inspect.DictType):
        return st.dictionaries(keys, forms(info.value_type), max_size=2)
    if isinstance(info, inspect.StructType):
        return struct_forms(info)
    if isinstance(info, inspect.IntType):
        return st.integers(*_bounds(info, 2**53))
    if isinstance(info, inspect.FloatType):
        return floats if _is_unlimited(info) else st.floats(*_bounds(info, 1000))
    if isinstance(info, inspect.Metadata):
        parts = [_part_forms(name, kind) for name, kind in _by_type(info).items()]
        return st.one_of(parts) if parts else forms(info.type)
    if isinstance(info, inspect.AnyType):
        return json_values
    if isinstance(info, inspect.StrType) and not _is_unlimited(info):
        assert info.pattern is None, "draw texts that match it"
        return st.text(st.characters(exclude_categories=["Cs"]), **_sizes(info, 12))
    plain = {inspect.NoneType: st.none(), inspect.BoolType: st.booleans(), inspect.StrType: texts}
    return plain[type(info)]


def _by_type(info: inspect.Metadata) -> dict[str, type]:
    """The classes of a tagged union, by their `type`; none for a plain dict."""
    classes: dict[Optional[str], type] = (info.extra or {})["by_type"]
    return {name: kind for name, kind in classes.items() if name is not None}


def _is_unlimited(info: Any) -> bool:
    names = ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern")
    return all(getattr(info, name, None) is None for name in names)


def _bounds(info: Any, widest: Any) -> tuple[Any, Any]:
    """The smallest and the largest number that a type with limits takes."""
    step = 1 if isinstance(info, inspect.IntType) else 0.125
    least = info.ge if info.gt is None else info.gt + step
    most = info.le if info.lt is None else info.lt - step
    least = -widest if least is None else least
    return least, (widest if most is None else most)


def _sizes(info: Any, longest: int) -> dict[str, int]:
    """The length arguments of a strategy, from the limits of a type."""
    least = info.min_length or 0
    most = max(longest, least) if info.max_length is None else min(info.max_length, longest + least)
    return {"min_size": least, "max_size": most}


@st.composite
def struct_forms(draw: st.DrawFn, info: inspect.StructType) -> dict[str, Any]:
    """JSON objects with all the required fields of a Struct and some of the others."""
    optional = [field for field in info.fields if not field.required]
    chosen = [field for field in info.fields if field.required]
    if optional:
        chosen += draw(st.lists(st.sampled_from(optional), unique_by=id, max_size=4))
    return {field.encode_name: draw(_field_forms(field)) for field in chosen}


def _field_forms(field: inspect.Field) -> "st.SearchStrategy[Any]":
    if not _holds_parts(field):
        return forms(field.type)
    parts = st.one_of([_part_forms(name, kind) for name, kind in PARTS.items()])
    return st.none() | texts | st.lists(parts, max_size=2)


def _holds_parts(field: inspect.Field) -> bool:
    """Whether a field is the content of a response's message: parts, which are declared as Any."""
    members = field.type.types if isinstance(field.type, inspect.UnionType) else ()
    lists = [member for member in members if isinstance(member, inspect.ListType)]
    return field.name == "content" and any(isinstance(m.item_type, inspect.AnyType) for m in lists)


def _part_forms(name: str, kind: type) -> "st.SearchStrategy[dict[str, Any]]":
    return forms(shape(kind)).map(lambda fields: {**fields, "type": name})


_SAMPLES: dict[type[inspect.Type], Any] = {
    inspect.BoolType: True,
    inspect.IntType: 2,
    inspect.FloatType: 0.5,
    inspect.StrType: "text",
    inspect.AnyType: {"free": ["form", None]},
    inspect.NoneType: None,
}


def sample(info: inspect.Type) -> Any:
    """One JSON value of a declared type with every field, at every depth."""
    if isinstance(info, inspect.UnionType):
        return sample(next(m for m in info.types if not isinstance(m, inspect.NoneType)))
    if isinstance(info, inspect.LiteralType):
        return info.values[0]
    if isinstance(info, inspect.Metadata):
        for name, kind in _by_type(info).items():
            return {**sample(shape(kind)), "type": name}
        return sample(info.type)
    if isinstance(info, inspect.ListType):
        count = max(2, info.min_length or 0)
        return [sample(info.item_type) for _ in range(min(count, info.max_length or count))]
    if isinstance(info, inspect.DictType):
        return {"key": sample(info.value_type)}
    if isinstance(info, inspect.StructType):
        return {field.encode_name: _field_sample(field) for field in info.fields}
    if isinstance(info, (inspect.IntType, inspect.FloatType)):
        least, most = _bounds(info, 1000)
        return min(max(_SAMPLES[type(info)], least), most)
    if isinstance(info, inspect.StrType):
        return "text".ljust(info.min_length or 0, "t")[: info.max_length]
    return _SAMPLES[type(info)]


def _field_sample(field: inspect.Field) -> Any:
    if not _holds_parts(field):
        return sample(field.type)
    return [{**sample(shape(kind)), "type": name} for name, kind in PARTS.items()]


class Place(NamedTuple):
    """A value inside a JSON document: `holder[key]`, with its path and its declared type."""

    path: str
    holder: Any
    key: Any
    info: inspect.Type


def places(value: Any, info: inspect.Type, path: str = "") -> Iterator[Place]:
    """Every place of a JSON document whose type is declared (that is not Any)."""
    if isinstance(info, inspect.UnionType):
        fitting = [member for member in info.types if not _wrong_kind(value, member)]
        if fitting:
            yield from places(value, fitting[0], path)
    elif isinstance(info, inspect.StructType):
        for field in info.fields:
            if field.encode_name in value:
                inner = f"{path}.{field.encode_name}" if path else field.encode_name
                yield from _at(inner, value, field.encode_name, field.type)
    elif isinstance(info, inspect.ListType):
        for index in range(len(value)):
            yield from _at(f"{path}[{index}]", value, index, info.item_type)
    elif isinstance(info, inspect.DictType):
        for key in value:
            yield from _at(f"{path}.{key}", value, key, info.value_type)
    elif isinstance(info, inspect.Metadata):
        kind = _by_type(info).get(value.get("type")) if isinstance(value, dict) else None
        if kind is not None:
            yield from places(value, shape(kind), path)
    elif isinstance(value, dict) and value.get("type") in PARTS:
        yield from places(value, shape(PARTS[value["type"]]), path)


def _at(path: str, holder: Any, key: Any, info: inspect.Type) -> Iterator[Place]:
    if not isinstance(info, (inspect.AnyType, inspect.Metadata)):
        yield Place(path, holder, key, info)
    yield from places(holder[key], info, path)


def wrong_values(info: inspect.Type) -> "st.SearchStrategy[Any]":
    """JSON values of a kind that the declared type does not take."""
    return json_values.filter(lambda value: _wrong_kind(value, info))


def _wrong_kind(value: Any, info: inspect.Type) -> bool:
    if isinstance(info, inspect.AnyType):
        return False
    if isinstance(info, inspect.Metadata):
        return not isinstance(value, dict)
    if isinstance(info, inspect.UnionType):
        return all(_wrong_kind(value, member) for member in info.types)
    if isinstance(info, inspect.LiteralType):
        return not isinstance(value, str)
    kinds = {
        inspect.NoneType: (type(None),),
        inspect.BoolType: (bool,),
        inspect.IntType: (int,),
        inspect.FloatType: (int, float),
        inspect.StrType: (str,),
        inspect.ListType: (list,),
        inspect.DictType: (dict,),
        inspect.StructType: (dict,),
    }
    return type(value) not in kinds[type(info)]


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """The paths at which two decoded values differ."""
    if isinstance(one, msgspec.Struct) and type(one) is type(other):
        for name in one.__struct_fields__:
            inner = f"{path}.{name}" if path else name
            yield from differences(getattr(one, name), getattr(other, name), inner)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other)):
            yield from differences(left, right, f"{path}[{index}]")
    elif isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differences(one[key], other[key], f"{path}.{key}")
    elif one != other:
        yield path
