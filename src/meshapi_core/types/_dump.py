"""Conversion of Structs to plain dicts and lists, for `model_dump`."""

from typing import Any

import msgspec

from meshapi_core._json_kinds import (
    fields_of,
    is_default,
    is_mapping,
    is_object,
    is_sequence,
    value_name,
)
from meshapi_core.errors import InvalidParamsError


def dump(record: msgspec.Struct, *, exclude_defaults: bool, exclude_none: bool) -> dict[str, Any]:
    """Return the fields of a Struct by name, including undeclared ones.

    Nested Structs, mappings and sequences become new dicts and lists. None in a plain mapping
    stays, as it may mean something to the server. Fields that are UNSET are left out.
    """
    tree: dict[str, Any] = {}
    for field in fields_of(type(record)):
        value = getattr(record, field.name)
        if value is msgspec.UNSET or (exclude_none and value is None):
            continue
        if exclude_defaults and is_default(value, field):
            continue
        tree[field.encode_name] = _dump(value, exclude_defaults, exclude_none)
    extra: Any = getattr(record, "model_extra", None)
    if is_object(extra):
        for name, value in extra.items():
            if not (exclude_none and value is None):
                tree[name] = _dump(value, exclude_defaults, exclude_none)
    return tree


def _dump(value: Any, exclude_defaults: bool, exclude_none: bool) -> Any:
    if isinstance(value, msgspec.Struct):
        return dump(value, exclude_defaults=exclude_defaults, exclude_none=exclude_none)
    if is_mapping(value):
        return {key: _dump(item, exclude_defaults, exclude_none) for key, item in value.items()}
    if is_sequence(value):
        return [_dump(row, exclude_defaults, exclude_none) for row in value]
    return value


def refuse_nested(**names: object) -> None:
    """Refuse what is no flat set of names for `include` or `exclude`."""
    for field, value in names.items():
        if isinstance(value, str) or is_mapping(value):
            hint = "names of nested fields are not supported"
            if isinstance(value, str):
                hint = f'write {field}={{"..."}}'
            raise InvalidParamsError(field, "a set of names", value_name(value), hint)
