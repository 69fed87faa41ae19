"""Parameters to JSON: checked all the way down before any byte is sent.

Three passes, so that a good request pays little: a look whether it is plain values, or else the way
there; a conversion to the declared type, whose result is thrown away (msgspec does not check when a
Struct is made); and the encoding. A bad request is walked once more, slowly, to name the field.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Optional, TypeVar

import msgspec

from meshapi_core._json_kinds import kind_name, shape
from meshapi_core.codec.decoding import hand_down, without_unknown
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.explanations import explain
from meshapi_core.params.field_paths import within
from meshapi_core.params.plain_values import as_plain, is_ready, refuse_odd
from meshapi_core.params.unknown_names import look_at_names, near

__all__ = ["build_params", "check", "encode_params"]

P = TypeVar("P")


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
        source: Any = _source(params_type, params, fields)
        # What the caller has in it is only read.
        plain: dict[str, Any] = {**source} if is_ready(source) else as_plain(source)
        check(plain, params_type)
    except RecursionError as exc:
        raise InvalidParamsError("", "values within each other", "too many levels") from exc
    look_at_names(plain, params_type)
    for name, value in forced.items():
        if plain.get(name, value) != value:
            raise InvalidParamsError(name, repr(value), repr(plain[name]), hint)
        plain[name] = value
    return plain


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
    explain(value, shape(wanted), field)
    known = without_unknown(value, shape(wanted))
    if known != value:
        # A part of a response that goes back with fields that its class does not name.
        record = check(known, wanted, field)
        hand_down(record, value)
        return record
    # Only where msgspec is stricter than our explanation; better vague than silent.
    raise InvalidParamsError(field, kind_name(shape(wanted)), "something else") from reason


def _source(params_type: type[Any], params: Optional[object], fields: Mapping[str, Any]) -> object:
    if params is None and isinstance(fields.get("params"), params_type):
        # By keyword, where a parameter of that name hides the argument.
        params, fields = fields["params"], {k: v for k, v in fields.items() if k != "params"}
    if params is None:
        _refuse_unknown(params_type, fields)
        # As an object of the class would have them.
        given = _defaults(params_type).copy()
        for name, value in fields.items():
            if value is not None:
                given[name] = value
        return given
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
    if known is None or known.issuperset(fields):
        return
    name = next(name for name in fields if name not in known)
    refuse_odd({name: None}, "")
    meant = near(name, known)
    hint = "use client.with_options()" if name in _OPTIONS else ""
    hint = f"did you mean {meant}?" if meant else hint
    expected = f"a field of {params_type.__name__}"
    raise InvalidParamsError(within("", name), expected, "an unknown name", hint)


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
