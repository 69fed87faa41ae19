"""The JSON kinds of declared types, for the slow paths that explain or repair a mismatch.

msgspec accepts or refuses a value at full speed; `params` and `codec` come here only after it has
refused one.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Callable

import msgspec
from msgspec import inspect
from typing_extensions import TypeGuard

__all__ = [
    "fields_of",
    "is_array",
    "is_default",
    "is_exact",
    "is_kind",
    "is_mapping",
    "is_object",
    "is_sequence",
    "is_type",
    "kind_name",
    "shape",
    "type_name",
    "value_name",
]

# Longer strings are described, not shown: a message must never carry a prompt or a file.
_LONGEST_SHOWN = 40
_MOST_SHOWN = 10**40


shape: Callable[[Any], inspect.Type] = lru_cache(maxsize=None)(inspect.type_info)
"""Return msgspec's description of a type; computed once for each type."""

fields_of: Callable[[Any], tuple[msgspec.structs.FieldInfo, ...]] = lru_cache(maxsize=None)(
    msgspec.structs.fields
)
"""Return the fields of a Struct; cached, as msgspec reads the annotations again each time."""


# Type guards, because isinstance narrows Any to list[Unknown], which pyright strict refuses.


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a parsed value is a JSON object."""
    return type(value) is dict


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Return whether a parsed value is a JSON array."""
    return type(value) is list


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Return whether a caller's value can be sent as a JSON object."""
    return isinstance(value, Mapping)


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Return whether a caller's value can be sent as a JSON array."""
    return isinstance(value, Sequence) and not isinstance(
        value, (str, bytes, bytearray, memoryview)
    )


def is_type(value: object) -> bool:
    """Return whether a value is a type, in any form: a class, `list[int]`, `Optional[X]`, ..."""
    if isinstance(value, type) or hasattr(value, "__supertype__"):
        return True
    return type(value).__module__ in ("types", "typing", "typing_extensions")


def is_default(value: object, field: msgspec.structs.FieldInfo) -> bool:
    """Return whether msgspec leaves this value of a field out when it encodes."""
    if field.default is not msgspec.NODEFAULT:
        # Their types must match, too: 0 equals False.
        return type(value) is type(field.default) and bool(value == field.default)
    # What other factories make is always encoded.
    factory = field.default_factory
    return factory in (list, dict) and type(value) is factory and not value


def is_exact(info: inspect.StructType) -> bool:
    """Return whether a Struct keeps unknown fields, and makes msgspec refuse them.

    msgspec drops unknown fields silently unless it is told to refuse them. A value that it decodes
    as such a Struct therefore has none, and that costs nothing; a value that it refuses is read
    again, and keeps them.
    """
    return info.forbid_unknown_fields and bool(info.cls.__dictoffset__)


_SCALARS: dict[type[inspect.Type], tuple[type, ...]] = {
    inspect.BoolType: (bool,),
    inspect.IntType: (int,),
    inspect.FloatType: (int, float),
    inspect.StrType: (str,),
}


def is_kind(value: object, info: inspect.Type) -> bool:
    """Return whether a JSON value is of the kind that `info` declares; its items are ignored."""
    if isinstance(info, inspect.Metadata):
        return is_kind(value, info.type)
    if isinstance(info, inspect.AnyType):
        return True
    if isinstance(info, inspect.UnionType):
        return any(is_kind(value, member) for member in info.types)
    if isinstance(info, inspect.LiteralType):
        return type(value) in {type(choice) for choice in info.values}
    if isinstance(info, (inspect.DictType, inspect.StructType)):
        return is_mapping(value)
    if isinstance(info, inspect.ListType):
        return is_sequence(value)
    if isinstance(info, inspect.NoneType):
        return value is None
    # bool is a kind of int in Python, but not in JSON.
    return type(value) in _SCALARS.get(type(info), ())


_NAMES: dict[type[inspect.Type], str] = {
    inspect.AnyType: "any value",
    inspect.NoneType: "None",
    inspect.BoolType: "bool",
    inspect.IntType: "int",
    inspect.FloatType: "float",
    inspect.StrType: "str",
    inspect.ListType: "list",
    inspect.DictType: "dict",
}


def kind_name(info: inspect.Type, *, structs: bool = True) -> str:
    """Return the name of a declared type for a message: `str`, `list or str`, `ChatMessage`.

    With `structs=False`, a Struct is named after its JSON kind, `dict`.
    """
    if isinstance(info, inspect.UnionType):
        members = [m for m in info.types if not isinstance(m, inspect.NoneType)]
        return " or ".join(dict.fromkeys(kind_name(member, structs=structs) for member in members))
    if isinstance(info, inspect.Metadata):
        return kind_name(info.type, structs=structs)
    if isinstance(info, inspect.LiteralType):
        return " or ".join(dict.fromkeys(type(choice).__name__ for choice in info.values))
    if isinstance(info, inspect.StructType):
        return info.cls.__name__ if structs else "dict"
    return _NAMES.get(type(info), "another value")


def value_name(value: object, *, show: bool = False) -> str:
    """Return the name of a value for a message: its type, or with `show` the value, if short."""
    if value is None:
        return "None"
    if show and isinstance(value, str) and len(value) <= _LONGEST_SHOWN:
        return repr(value)
    # An int may have more digits than Python prints.
    if show and (isinstance(value, float) or (isinstance(value, int) and abs(value) < _MOST_SHOWN)):
        return repr(value)
    return type_name(value)


# Types of these modules are named without the module.
_NAMELESS = frozenset({"", "__main__", "builtins", "meshapi", "meshapi_backends", "meshapi_core"})


def type_name(value: object) -> str:
    """Return the type of a value, with its library: `numpy.float32`, `the class httpx.Client`."""
    if isinstance(value, type):
        return f"the class {_class_name(value)}"
    return _class_name(type(value))


def _class_name(kind: type) -> str:
    library = str(kind.__module__).partition(".")[0]
    if library in _NAMELESS:
        return "None" if kind is type(None) else kind.__name__
    # `_io.BytesIO` is imported from `io`.
    return f"{library.lstrip('_')}.{kind.__name__}"
