"""The values that callers pass, as plain dicts and lists that JSON can represent.

A value that JSON cannot represent is refused, never coerced: msgspec alone would send NaN as null,
bytes as base64, a set in any order, and a datetime as text.
"""

from enum import Enum
from math import isfinite
from typing import Any, Final

import msgspec

from meshapi_core._json_kinds import (
    fields_of,
    is_default,
    is_mapping,
    is_object,
    is_sequence,
    type_name,
)
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.field_paths import within

__all__ = ["NOT_JSON", "TOO_DEEP", "as_plain", "is_ready", "refuse_odd"]

NOT_JSON: Final = "a JSON value"
"""What a message expects if nothing is known about the declared type."""

TOO_DEEP: Final = "nested too deeply, or contains itself"
"""What a message says instead of a RecursionError."""

_LEAVES: Final = frozenset((str, bool, type(None)))
_KEYS: Final = frozenset((str,))
_DICTS: Final = frozenset((dict,))
_LISTS: Final = frozenset((list,))
_ROWS: Final = frozenset((list, tuple))

# Most readers of JSON turn numbers into doubles. An integer of this many bits is too large for one,
# or nearly so: the largest double is just below 2**1024.
_INFINITE_BITS: Final = 1024


def as_plain(value: Any) -> Any:
    """Return Structs, mappings and sequences as plain dicts and lists, at every depth.

    Fields at their defaults are left out, as on the wire. Undeclared fields of a Struct are kept.

    Raises:
        InvalidParamsError: it contains a value that JSON cannot represent.
        RecursionError: it contains itself, or is nested too deeply.
    """
    if not (is_ready(value) or _is_plain(value)):
        value = _unfolded(value)
        refuse_odd(value, "")
    return msgspec.to_builtins(value, enc_hook=_plain_kind)


def is_ready(value: Any) -> bool:
    """Return whether a value can be encoded as it is: dicts, lists and JSON values, at every depth.

    Raises:
        RecursionError: it contains itself, or is nested too deeply.
    """
    if type(value) in _LEAVES:
        return True
    if type(value) in _DICTS:
        for key, item in value.items():
            if type(key) is not str or (type(item) not in _LEAVES and not is_ready(item)):
                return False
        return True
    if type(value) in _LISTS:
        # A list of texts is checked in one go.
        return _LEAVES.issuperset(map(type, value)) or all(map(is_ready, value))
    if type(value) is float:
        return isfinite(value)
    return type(value) is int and value.bit_length() < _INFINITE_BITS


def _is_plain(value: Any) -> bool:
    """Return whether it has nothing but Structs and tuples besides ready values."""
    if type(value) in _DICTS:
        return _KEYS.issuperset(map(type, value)) and all(map(_is_plain, value.values()))
    if type(value) in _ROWS:
        return all(map(_is_plain, value))
    if not isinstance(value, msgspec.Struct):
        return is_ready(value)
    # The `__dict__` of a Struct may have fields that msgspec does not see.
    if type(value).__dictoffset__ and vars(value):
        return False
    fields = msgspec.structs.astuple(value)
    return _LEAVES.issuperset(map(type, fields)) or all(map(_is_plain, fields))


def _unfolded(value: Any) -> Any:
    """Return the value with Structs as dicts, in which their undeclared fields are in place."""
    if isinstance(value, msgspec.Struct):
        extra: Any = getattr(value, "model_extra", None)
        declared = {
            field.encode_name: _unfolded(getattr(value, field.name))
            for field in fields_of(type(value))
            if not is_default(getattr(value, field.name), field)
        }
        return {**declared, **_unfolded(extra)} if is_object(extra) else declared
    if is_mapping(value):
        return {key: _unfolded(item) for key, item in value.items()}
    if is_sequence(value):
        return [_unfolded(row) for row in value]
    return value


def _plain_kind(value: Any) -> Any:
    """Return a value that `refuse_odd` lets pass as one that msgspec knows; a hook for msgspec."""
    if is_mapping(value):
        return dict(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if is_sequence(value):
        return list(value)
    raise NotImplementedError


def refuse_odd(value: Any, field: str) -> None:
    """Raise for the first value that JSON cannot represent; return if there is none."""
    if isinstance(value, Enum):
        refuse_odd(value.value, field)
    elif isinstance(value, str):
        _refuse_surrogates(value, field)
    elif isinstance(value, float):
        if not isfinite(value):
            hint = "JSON has no NaN or infinity"
            raise InvalidParamsError(field, "a finite number", repr(float(value)), hint)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            refuse_odd(getattr(value, name), within(field, name))
    elif is_mapping(value):
        for key, item in value.items():
            if type(key) is not str:
                hint = "write str(key)"
                raise InvalidParamsError(field, "str keys", f"a key of type {type_name(key)}", hint)
            inner = within(field, key)
            _refuse_surrogates(key, inner)
            refuse_odd(item, inner)
    elif is_sequence(value):
        for index, item in enumerate(value):
            refuse_odd(item, f"{field}[{index}]")
    elif isinstance(value, int):
        bits = value.bit_length()
        if bits >= _INFINITE_BITS:
            raise InvalidParamsError(field, "a finite number", f"an int of {bits} bits")
    elif value is not None:
        from meshapi_core.params.advice import for_odd

        raise InvalidParamsError(field, NOT_JSON, type_name(value), for_odd(value, field))


def _refuse_surrogates(text: str, field: str) -> None:
    try:
        text.encode()
        return
    except UnicodeEncodeError as exc:
        start = exc.start
    # Outside the handler: the UnicodeEncodeError has the text in it, which may be a secret.
    got = f"a lone surrogate at index {start}"
    hint = 'decode the text with errors="replace"'
    raise InvalidParamsError(field, "text that UTF-8 can encode", got, hint)
