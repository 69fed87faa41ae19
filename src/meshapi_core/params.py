"""Parameters to JSON: checked all the way down before any byte is sent.

Three passes at C speed, so that a good request pays little: to plain values, a conversion to the
declared type whose result is thrown away (msgspec does not check when a Struct is made), and the
encoding. A bad request is walked once more, slowly, to name the field.

What JSON cannot hold is refused, never coerced: msgspec alone would send NaN as null, bytes as
base64, a set in any order, and a datetime as text.
"""

import operator
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from math import isfinite
from types import MappingProxyType
from typing import Any, Final, NoReturn, Optional, TypeVar

import msgspec
from msgspec import inspect

from meshapi_core._kinds import (
    is_array,
    is_default,
    is_exact,
    is_kind,
    is_mapping,
    is_object,
    is_sequence,
    kind_name,
    shape,
    value_name,
)
from meshapi_core._names import misspelt, near
from meshapi_core._warnings import warn
from meshapi_core.codec import hand_down, without_unknown
from meshapi_core.errors import InvalidParamsError, ParamsWarning

__all__ = [
    "as_plain",
    "build_params",
    "check",
    "encode_params",
    "look_at_names",
    "refuse_odd",
]

P = TypeVar("P")

# A key that is longer is cut in messages, like a value.
_LONGEST_KEY = 40


def encode_params(
    params_type: "type[P]",
    params: Optional[object],
    fields: Mapping[str, Any],
    forced: Mapping[str, Any] = MappingProxyType({}),
    hint: str = "",
) -> bytes:
    """Return the JSON body of a request.

    `build_params` says what the arguments mean and what is refused.

    Raises:
        InvalidParamsError: the parameters are not what `params_type` declares.
    """
    plain = build_params(params_type, params, fields, forced, hint)
    try:
        return msgspec.json.encode(plain)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        refuse_odd(plain, "")
        raise InvalidParamsError("", "JSON values", "a value that JSON cannot hold") from exc


def build_params(
    params_type: "type[P]",
    params: Optional[object],
    fields: Mapping[str, Any],
    forced: Mapping[str, Any] = MappingProxyType({}),
    hint: str = "",
) -> dict[str, Any]:
    """Return the body of a request as plain values, checked.

    None is left out where a Struct or the keywords hold it, and kept inside plain dicts. Names
    that nested Structs do not know are sent as given where they stand in plain dicts; one that
    looks misspelt is warned of (`ParamsWarning`), once.

    Args:
        params: an instance of `params_type`, or None where `fields` hold the parameters.
        fields: the same as keywords; Structs may be plain mappings.
        forced: what the called method decides; a parameter that says otherwise is refused.
        hint: names the method to call instead, for that refusal.

    Raises:
        InvalidParamsError: a parameter is missing, unknown or of the wrong kind, contradicts
            `forced`, or holds what JSON cannot (NaN, bytes, a set, a generator, a datetime, a key
            that is no string); or a part says nothing but by a misspelt name.
    """
    try:
        plain: dict[str, Any] = as_plain(_source(params_type, params, fields))
        check(plain, params_type)
    except RecursionError as exc:
        raise InvalidParamsError("", "values within each other", "too many levels") from exc
    look_at_names(plain, params_type)
    for name, value in forced.items():
        if plain.get(name, value) != value:
            raise InvalidParamsError(name, repr(value), repr(plain[name]), hint)
        plain[name] = value
    return plain


def as_plain(value: Any) -> Any:
    """Return Structs, mappings and sequences as plain dicts and lists, at every depth.

    Fields at their defaults are left out, as on the wire; fields that a Struct holds without
    declaring them are kept.

    Raises:
        InvalidParamsError: it holds what JSON cannot.
        RecursionError: it holds itself.
    """
    if not _is_plain(value):
        value = _unfolded(value)
        refuse_odd(value, "")
    return msgspec.to_builtins(value, enc_hook=_plain_kind)


def check(value: Any, wanted: "type[P]", field: str = "") -> P:
    """Return plain values as the declared type.

    Raises:
        InvalidParamsError: they are not of that type; its `field` starts with the one given.
    """
    try:
        return msgspec.convert(value, wanted)
    except UnicodeError:
        refuse_odd(value, field)
        raise
    except msgspec.ValidationError as exc:
        reason = exc
    # Outside of the handler, so that msgspec's words for it do not stand above ours.
    _explain(value, shape(wanted), field)
    known = without_unknown(value, shape(wanted))
    if known != value:
        # A part of an answer that goes back with fields that its class does not name.
        record = check(known, wanted, field)
        hand_down(record, value)
        return record
    # Only where msgspec is stricter than our explanation; better vague than silent.
    raise InvalidParamsError(field, kind_name(shape(wanted)), "something else") from reason


# Names that are warned of, at most: whoever passes dicts of others on has no end of them.
_MOST_NAMED = 1000
_named: Final[set[tuple[type, str]]] = set()


def look_at_names(plain: dict[str, Any], kind: type[Any]) -> None:
    """Warn of names that look misspelt in plain values which fit a Struct; each of them once.

    Raises:
        InvalidParamsError: a part says nothing but by such a name.
    """
    for found in misspelt(plain, kind):
        field = _within(_place(plain, found.holder, "") or "", found.name)
        expected, hint = f"a field of {found.kind.__name__}", f"did you mean {found.meant}?"
        if found.alone:
            raise InvalidParamsError(field, expected, "an unknown name", hint)
        key = (found.kind, found.name)
        if key not in _named and len(_named) < _MOST_NAMED:
            warn(f"{field}: expected {expected}, and sent as it is; {hint}", ParamsWarning)
            # Not before: where warnings are errors, each of them is.
            _named.add(key)


def _place(value: Any, holder: object, field: str) -> Optional[str]:
    """Return where in plain values a dict stands."""
    if value is holder:
        return field
    if is_object(value):
        items = ((_within(field, key), item) for key, item in value.items())
    elif is_array(value):
        items = ((f"{field}[{index}]", item) for index, item in enumerate(value))
    else:
        return None
    return next(filter(None, (_place(item, holder, where) for where, item in items)), None)


def _source(params_type: type[Any], params: Optional[object], fields: Mapping[str, Any]) -> object:
    if params is None and isinstance(fields.get("params"), params_type):
        # By keyword, where a parameter of that name hides the argument.
        params, fields = fields["params"], {k: v for k, v in fields.items() if k != "params"}
    if params is None:
        _refuse_unknown(params_type, fields)
        given = {name: value for name, value in fields.items() if value is not None}
        # As an object of the class would have them.
        return {**_defaults(params_type), **given}
    name = params_type.__name__
    if fields:
        raise InvalidParamsError(next(iter(fields)), f"{name} or keywords", "both")
    if not isinstance(params, params_type):
        hint = "give a dict as keywords: **params" if hasattr(params, "keys") else ""
        raise InvalidParamsError("", name, type(params).__name__, hint)
    return params


def _refuse_unknown(params_type: Any, fields: Mapping[str, Any]) -> None:
    """Refuse a misspelt keyword by its name, whatever its value is."""
    known = _names(params_type)
    if known is None or fields.keys() <= known:
        return
    name = next(name for name in fields if name not in known)
    refuse_odd({name: None}, "")
    meant = near(name, known)
    hint = "use client.with_options()" if name in _OPTIONS else ""
    hint = f"did you mean {meant}?" if meant else hint
    expected = f"a field of {params_type.__name__}"
    raise InvalidParamsError(_within("", name), expected, "an unknown name", hint)


def _declared_names(params_type: Any) -> Optional[frozenset[str]]:
    """Return the fields of a Struct; None for a type that takes any name."""
    names = getattr(params_type, "__struct_encode_fields__", None)
    return None if names is None else frozenset(names)


_names: Callable[[Any], Optional[frozenset[str]]] = cache(_declared_names)


def _always_sent(params_type: Any) -> dict[str, Any]:
    """Return the fields that are sent even when nobody has set them, by their defaults."""
    if not hasattr(params_type, "__struct_fields__"):
        return {}
    return {
        field.encode_name: field.default_factory()
        for field in msgspec.structs.fields(params_type)
        if field.default_factory not in (msgspec.NODEFAULT, list, dict)
    }


_defaults: Callable[[Any], dict[str, Any]] = cache(_always_sent)

# What other clients take with each call.
_OPTIONS: Final = frozenset({"extra_body", "extra_headers", "extra_query", "max_retries"})

_PLAIN: Final = frozenset((str, bool, type(None)))
_LISTS: Final = frozenset((list, tuple))
_KEYS: Final = frozenset((str,))

# From here on a double is infinite (or just before it), and most readers of JSON have doubles.
_INFINITE_BITS: Final = 1024


def _is_plain(value: Any) -> bool:
    """Return whether plain values and Structs are all there is in it; False means: look closer."""
    if type(value) in _PLAIN:
        return True
    if is_object(value):
        return _KEYS.issuperset(map(type, value)) and _are_plain(value.values())
    if type(value) in _LISTS:
        return _are_plain(value)
    if type(value) is float:
        return isfinite(value)
    if type(value) is int:
        return value.bit_length() < _INFINITE_BITS
    # What a Struct has in its `__dict__` may be fields that msgspec does not see.
    return (
        isinstance(value, msgspec.Struct)
        and not (type(value).__dictoffset__ and vars(value))
        and _are_plain(msgspec.structs.astuple(value))
    )


def _are_plain(values: Any) -> bool:
    # Most of them are None or text, and a call (or a generator) for each would double the cost.
    for value in values:
        if value is not None and type(value) is not str and not _is_plain(value):
            return False
    return True


def _unfolded(value: Any) -> Any:
    """Return the value with the undeclared fields of its Structs in place: these become dicts."""
    if isinstance(value, msgspec.Struct):
        extra: Any = getattr(value, "model_extra", None)
        declared = {
            field.encode_name: _unfolded(getattr(value, field.name))
            for field in msgspec.structs.fields(type(value))
            if not is_default(getattr(value, field.name), field)
        }
        return {**declared, **_unfolded(extra)} if is_object(extra) else declared
    if is_mapping(value):
        return {key: _unfolded(item) for key, item in value.items()}
    if is_sequence(value):
        return [_unfolded(row) for row in value]
    return value


def _plain_kind(value: Any) -> Any:
    """Turn what msgspec does not know, and refuse_odd let pass, into what it knows."""
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
    """Raise for the first thing in it that JSON cannot hold; return if there is none."""
    if isinstance(value, Enum):
        refuse_odd(value.value, field)
    elif isinstance(value, str):
        _refuse_surrogates(value, field)
    elif isinstance(value, float):
        if not isfinite(value):
            raise InvalidParamsError(field, "a finite number", repr(float(value)))
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            refuse_odd(getattr(value, name), _within(field, name))
    elif is_mapping(value):
        for key, item in value.items():
            if type(key) is not str:
                raise InvalidParamsError(field, "str keys", f"a key of type {type(key).__name__}")
            inner = _within(field, key)
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
        raise InvalidParamsError(field, "a JSON value", type(value).__name__, _advice(value))


def _refuse_surrogates(text: str, field: str) -> None:
    try:
        text.encode()
        return
    except UnicodeEncodeError as exc:
        start = exc.start
    # Outside of the handler: that error holds the text, which may be a secret.
    raise InvalidParamsError(field, "text that UTF-8 can hold", f"a lone surrogate at {start}")


def _advice(value: object) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "encode it as base64 text"
    if hasattr(value, "read"):
        return "read it and encode it as base64 text"
    if hasattr(value, "isoformat"):
        return "make it text, by isoformat()"
    if isinstance(value, (set, frozenset)) or hasattr(value, "__next__"):
        return "make it a list"
    return ""


def _within(field: str, name: str) -> str:
    if not name.isidentifier():
        shown = name if len(name) <= _LONGEST_KEY else f"{name[:_LONGEST_KEY]}..."
        return f"{field}[{shown!r}]"
    name = name[:_LONGEST_KEY]
    return f"{field}.{name}" if field else name


def _explain(value: Any, info: inspect.Type, field: str) -> None:
    """Raise for the first thing in it that is not as declared."""
    if not is_kind(value, info):
        _refuse(value, info, field)
    if isinstance(info, inspect.UnionType):
        _explain(value, next(member for member in info.types if is_kind(value, member)), field)
    elif isinstance(info, inspect.LiteralType):
        if value not in info.values:
            expected = ", ".join(repr(choice) for choice in info.values)
            raise InvalidParamsError(field, f"one of {expected}", value_name(value, show=True))
    elif isinstance(info, inspect.StructType):
        _explain_struct(value, info, field)
    elif isinstance(info, inspect.ListType):
        _explain_limits(value, info, field)
        for index, item in enumerate(value):
            _explain(item, info.item_type, f"{field}[{index}]")
    elif isinstance(info, inspect.DictType):
        for key, item in value.items():
            _explain(item, info.value_type, _within(field, key))
    else:
        _explain_limits(value, info, field)


def _explain_struct(value: dict[str, Any], info: inspect.StructType, field: str) -> None:
    declared = {member.encode_name: member for member in info.fields}
    for name, item in value.items():
        if name in declared:
            _explain(item, declared[name].type, _within(field, name))
        elif info.forbid_unknown_fields and not is_exact(info):
            expected = f"a field of {info.cls.__name__}"
            raise InvalidParamsError(_within(field, name), expected, "an unknown name")
    for name, member in declared.items():
        if member.required and name not in value:
            given = near(name, value.keys() - declared.keys())
            hint = f"did you mean it by {_within('', given)}?" if given else ""
            raise InvalidParamsError(_within(field, name), kind_name(member.type), "nothing", hint)
    try:
        msgspec.convert(without_unknown(value, info), info.cls)
    except msgspec.ValidationError as exc:
        # Its fields are as declared, so it is what its own __post_init__ says.
        cause = exc.__cause__
        if isinstance(cause, InvalidParamsError):
            where = _join(field, cause.field)
            raise InvalidParamsError(where, cause.expected, cause.got, cause.hint) from None


def _join(field: str, inner: str) -> str:
    return f"{field}.{inner}" if field and inner else field or inner


_LIMITS: Final = (
    ("gt", ">", operator.gt),
    ("ge", ">=", operator.ge),
    ("lt", "<", operator.lt),
    ("le", "<=", operator.le),
)


def _explain_limits(value: Any, info: inspect.Type, field: str) -> None:
    for name, sign, holds in _LIMITS:
        limit = getattr(info, name, None)
        if limit is not None and not holds(value, limit):
            expected = f"{kind_name(info)} {sign} {limit}"
            raise InvalidParamsError(field, expected, value_name(value, show=True))
    shortest, longest = getattr(info, "min_length", None), getattr(info, "max_length", None)
    if shortest is not None and len(value) < shortest:
        _refuse_length(value, info, f"at least {shortest}", field)
    if longest is not None and len(value) > longest:
        _refuse_length(value, info, f"at most {longest}", field)


def _refuse_length(value: Any, info: inspect.Type, limit: str, field: str) -> NoReturn:
    raise InvalidParamsError(field, f"{kind_name(info)} of length {limit}", str(len(value)))


def _refuse(value: Any, info: inspect.Type, field: str) -> NoReturn:
    raise InvalidParamsError(field, kind_name(info), value_name(value))
