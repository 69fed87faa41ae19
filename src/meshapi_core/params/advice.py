"""What to do about a value that is refused: the last part of the message.

This module is loaded only when something is wrong. It recognises types of other libraries by their
names and attributes, and imports none of them. It never quotes the value, which may be a prompt or
a key.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final, Optional, cast

import msgspec
from msgspec import inspect

from meshapi_core._json_kinds import is_kind, is_object, is_type, shape
from meshapi_core.params.field_paths import within
from meshapi_core.params.wrong_names import MESSAGE, did_you_mean

__all__ = [
    "for_kind",
    "for_missing",
    "for_odd",
    "for_part",
    "for_positional",
    "form",
]


# JSON values of the wrong type.


def form(info: inspect.Type) -> str:
    """Return a value of a declared type as one would write it: `{"url": "..."}`."""
    if isinstance(info, inspect.StructType):
        return _form(info.cls)
    if isinstance(info, inspect.ListType):
        return f"[{form(info.item_type)}]"
    if isinstance(info, inspect.UnionType):
        structs = [member for member in info.types if isinstance(member, inspect.StructType)]
        return form((*structs, *info.types)[0])
    if isinstance(info, inspect.DictType):
        return "{...}"
    return '"..."' if isinstance(info, inspect.StrType) else "..."


def _form(kind: Any) -> str:
    parts: list[str] = []
    one_of_them: tuple[str, ...] = getattr(kind, "_one_of", ())[:1]
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if field.default_factory not in (msgspec.NODEFAULT, list, dict):
            parts.append(f'"{name}": "{field.default_factory()}"')
        elif name == "role" and field.required:
            parts.append('"role": "user"')
        elif name == "parameters":
            parts.append('"parameters": {...}')
        elif field.required or name in one_of_them:
            text = '"..."' if name in one_of_them else form(shape(field.type))
            parts.append(f'"{name}": {text}')
    return f"{{{', '.join(parts)}}}"


def for_kind(value: object, info: inspect.Type, field: str) -> str:
    """Return what to do about a JSON value of the wrong type; "" if that is unknown."""
    kinds = info.types if isinstance(info, inspect.UnionType) else (info,)
    name = _last(field)
    # Sorted, as Python may return an equal union with its members in another order.
    for kind in sorted(kinds, key=lambda kind: type(kind).__name__):
        hint = _for_kind(value, kind, field, name)
        if hint:
            return hint
    return ""


def _for_kind(value: object, kind: inspect.Type, field: str, name: str) -> str:
    if isinstance(kind, inspect.ListType):
        return _for_list(value, kind, field)
    if isinstance(kind, inspect.StructType):
        return f"write {form(kind)}" if value is not None else ""
    if isinstance(kind, inspect.DictType):
        return _for_dict(value, name)
    if isinstance(kind, inspect.StrType):
        return _for_str(value, name)
    if isinstance(kind, inspect.BoolType):
        return "write True or False" if isinstance(value, (str, int, float)) else ""
    if isinstance(kind, (inspect.IntType, inspect.FloatType)):
        call = "int" if isinstance(kind, inspect.IntType) else "float"
        is_number = isinstance(value, float) or (isinstance(value, str) and _is_number(value))
        return f"write {call}(x)" if is_number else ""
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _for_list(value: object, kind: inspect.ListType, field: str) -> str:
    is_mapping = is_object(value)
    if isinstance(kind.item_type, inspect.StructType) and not is_mapping and field.isidentifier():
        return f"write {field}={form(kind)}"
    is_item = isinstance(value, (str, bool, int, float)) and not _is_any(kind.item_type)
    if is_mapping or (is_item and is_kind(value, kind.item_type)):
        return f"put it in a list: {field}=[...]" if field.isidentifier() else "put it in a list"
    return ""


def _is_any(info: inspect.Type) -> bool:
    """Return whether a declared type accepts any value."""
    return isinstance(info, (inspect.AnyType, inspect.Metadata))


def _for_dict(value: object, name: str) -> str:
    if not isinstance(value, str):
        return ""
    if value.lstrip()[:1] == "{":
        return "write json.loads(x)"
    if name == "response_format":
        return 'write {"type": "json_object"}, or {"type": "json_schema", ...}'
    return 'write {"effort": "..."}' if name == "reasoning" else ""


def _for_str(value: object, name: str) -> str:
    if name == "size":
        return 'write "1024x1024"'
    if name == "arguments" and is_object(value):
        return "write json.dumps(x)"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "write str(x)"
    return ""


def for_part(value: object, field: str, classes: Sequence[Any]) -> str:
    """Return what to do about a value in place of a dict with a `type`.

    Args:
        classes: the classes that are known for such a dict, the most common one first.
    """
    return for_odd(value, field) if _is_odd(value) else f"write {_form(classes[0])}"


def _is_odd(value: object) -> bool:
    return value is not None and not isinstance(value, (str, bool, int, float, list, tuple))


def for_missing(field: str, name: str, owner: inspect.StructType, given: Collection[str]) -> str:
    """Return what to do about a missing field.

    Args:
        field: the path of the object that lacks it; "" for the parameters as a whole.
        given: the names in the object that its class does not know.
    """
    for other in given:
        if did_you_mean(other, [name]):
            return f"write {name} instead of {within('', other)}"
    if field:
        return f"write {form(owner)}"
    if name == "messages":
        return f"write messages=[{MESSAGE}]"
    return f"write {name}=..."


def for_positional(value: object, params_type: Any) -> str:
    """Return what to write instead of a value in place of the object of parameters."""
    if hasattr(type(value), "keys"):
        return "pass it as keywords: **params"
    if not isinstance(value, msgspec.Struct) and issubclass(params_type, msgspec.Struct):
        for field in msgspec.structs.fields(params_type):
            if field.required and field.name != "model" and is_kind(value, shape(field.type)):
                return f"write {field.name}=..."
    return "pass the parameters as keywords"


# Values that JSON cannot represent.

_IMAGE: Final = frozenset("image images mask url first_frame last_frame".split())


def for_odd(value: Any, field: str, info: Optional[inspect.Type] = None) -> str:
    """Return what to do about a value that JSON cannot represent; "" if that is unknown.

    Args:
        info: its declared type, if that is known.
    """
    kind: Any = cast(Any, type(value))
    if field.startswith(("response_format", "text.format")) and is_type(value):
        return "call parse(response_format=...), which takes a type"
    if isinstance(value, type):
        return _for_class(value, field)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _for_bytes(field, "x", info)
    if _has(kind, "__fspath__"):
        if _last(field) in _IMAGE:
            return _for_bytes(field, "x.read_bytes()")
        return "write x.read_text() for its content, or str(x) for its path"
    if _has(kind, "read"):
        if _has(kind, "encoding"):
            return "write x.read()"
        if _last(field) in _IMAGE:
            return _for_bytes(field, "x.read()")
        return "read it and encode it as base64 text"
    if _has(kind, "isoformat"):
        return "write x.isoformat()"
    if isinstance(value, (set, frozenset)) or _has(kind, "__next__"):
        return "write list(x)"
    return _for_number(kind, info) or _for_object(kind, field)


def _has(kind: type, name: str) -> bool:
    """Return whether a class has an attribute; `hasattr` would ask its metaclass, too."""
    return any(name in vars(base) for base in kind.__mro__)


def _is(info: Optional[inspect.Type], kind: type[inspect.Type]) -> bool:
    """Return whether a declared type, or a member of a union, is of a kind."""
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    return any(isinstance(member, kind) for member in members)


def _for_bytes(field: str, data: str, info: Optional[inspect.Type] = None) -> str:
    if _last(field) in _IMAGE:
        return f'write "data:image/png;base64," + base64.b64encode({data}).decode()'
    if _is(info, inspect.StrType):
        return "write x.decode()"
    if field == "messages":
        return f"write messages=[{MESSAGE}]"
    if _last(field) == "content":
        return "write x.decode() for text; send an image as an image_url part"
    return "write x.decode() for text, or base64.b64encode(x).decode() for other data"


# How the names of numeric types begin, in numpy and elsewhere; and what converts them.
_CALLS: Final = (
    ("bool", "bool"),
    ("uint", "int"),
    ("int", "int"),
    ("float", "float"),
    ("longdouble", "float"),
    ("decimal", "float"),
    ("fraction", "float"),
)


def _for_number(kind: Any, info: Optional[inspect.Type]) -> str:
    name = kind.__name__.lower()
    for start, call in _CALLS:
        # Other classes have such names, too: `Interval`.
        if name.startswith(start) and (_has(kind, "__float__") or call == "bool"):
            wanted = "int" if _is(info, inspect.IntType) and call == "float" else call
            return f"write {wanted}(x)"
    return "write x.tolist()" if _has(kind, "tolist") else ""


def _for_object(kind: Any, field: str) -> str:
    if _has(kind, "total_seconds"):
        return "write x.total_seconds()"
    if _has(kind, "model_dump"):
        return "write x.model_dump()"
    if _has(kind, "__dataclass_fields__"):
        return "write dataclasses.asdict(x)"
    if _has(kind, "__attrs_attrs__"):
        return "write attrs.asdict(x)"
    if _has(kind, "__await__"):
        return "await it"
    if kind.__name__ in ("UUID", "URL"):
        return "write str(x)"
    if _has(kind, "__iter__"):
        return "write list(x)"
    if _has(kind, "__call__"):
        if field.startswith("tools"):
            return f"run_tools() takes functions; or describe it: {_tool_form('...', '{...}')}"
        return "call it, and pass the result"
    return ""


def _for_class(value: type, field: str) -> str:
    is_pydantic = hasattr(value, "model_json_schema")
    schema = f"{value.__name__}.model_json_schema()" if is_pydantic else "{...}"
    if field.startswith("tools"):
        return f"write {_tool_form(value.__name__, schema)}"
    return f"write {schema}" if is_pydantic else "pass an instance of it, as a dict"


def _tool_form(name: str, schema: str) -> str:
    return f'{{"type": "function", "function": {{"name": "{name}", "parameters": {schema}}}}}'


def _last(field: str) -> str:
    """Return the name at the end of a path: `url` of `content[0].image_url.url`."""
    return field.rpartition(".")[2].partition("[")[0]
