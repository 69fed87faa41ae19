"""Parameters to JSON, checked at every depth before any byte is sent.

A good request pays for three passes: a check that its values are plain, or a conversion to plain
values; a conversion to the declared type whose result is discarded (msgspec checks nothing when a
Struct is made); and the encoding. A bad request is walked once more, slowly, to name the field that
is wrong.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Optional, TypeVar, cast

import msgspec

from meshapi_core._json_kinds import fields_of, kind_name, shape, type_name, value_name
from meshapi_core.codec.decoding import hand_down, without_unknown
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.plain_values import NOT_JSON, TOO_DEEP, as_plain, is_ready, refuse_odd
from meshapi_core.params.unknown_names import look_at_names

__all__ = ["build_params", "check", "encode_conversation", "encode_params", "refuse_unknown"]

P = TypeVar("P")

_LIMITS: Final = "for those of the client, use client.with_options(timeout=meshapi.Timeout(...))"


def encode_params(
    params_type: "type[P]",
    params: Optional[object],
    fields: Mapping[str, Any],
    forced: Mapping[str, Any] = MappingProxyType({}),
    hint: str = "",
    beside: Iterable[str] = (),
) -> bytes:
    """Return the JSON body of a request.

    The arguments are those of `build_params`.

    Raises:
        InvalidParamsError: as for `build_params`.
    """
    plain = build_params(params_type, params, fields, forced, hint, beside)
    try:
        return msgspec.json.encode(plain)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        refuse_odd(plain, "")
        raise InvalidParamsError("", "JSON values", "a value that JSON cannot represent") from exc


def build_params(
    params_type: "type[P]",
    params: Optional[object],
    fields: Mapping[str, Any],
    forced: Mapping[str, Any] = MappingProxyType({}),
    hint: str = "",
    beside: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the parameters of a request as plain values, checked.

    A None in a Struct or among the keywords is left out; one in a plain dict is kept. A plain dict
    in place of a nested Struct may have names that the Struct does not know: they are sent as
    given, and one that looks misspelt causes a `ParamsWarning`, once.

    Args:
        params_type: the Struct that declares the parameters, or `dict` for any names.
        params: an instance of `params_type`, or None if `fields` has the parameters.
        fields: the parameters as keywords; plain mappings may stand for nested Structs.
        forced: parameters that the method itself decides; one that contradicts them is refused.
        hint: what to do about such a contradiction, such as "use stream()".
        beside: the names of the method's other parameters, which a misspelt keyword may mean.

    Raises:
        InvalidParamsError: a parameter is missing, unknown or of the wrong type, contradicts
            `forced`, or contains what JSON cannot represent (NaN, bytes, a set, a generator, a
            datetime, a key that is not a string); or all that a part says is under a misspelt name.
    """
    try:
        source: Any = _source(params_type, params, fields, beside)
        # What the caller has in it is only read.
        plain: dict[str, Any] = {**source} if is_ready(source) else as_plain(source)
        check(plain, params_type)
    except RecursionError as exc:
        raise InvalidParamsError(_too_deep(params, fields), "", TOO_DEEP) from exc
    except InvalidParamsError as exc:
        raise _as_declared(exc, params_type, params, fields) from None
    if plain.get("model") == "" and getattr(params_type, "_calls_model", True):
        raise InvalidParamsError("model", "a model ID", "an empty string")
    look_at_names(plain, params_type)
    for name, value in forced.items():
        if plain.get(name, value) != value:
            raise InvalidParamsError(name, repr(value), repr(plain[name]), hint)
        plain[name] = value
    return plain


def check(value: Any, wanted: "type[P]", field: str = "") -> P:
    """Return plain values as the declared type.

    Raises:
        InvalidParamsError: they are not of that type; `field` of the error begins with `field`.
    """
    try:
        return msgspec.convert(value, wanted)
    except UnicodeError:
        refuse_odd(value, field)
        raise
    except msgspec.ValidationError as exc:
        reason = exc
    # Outside the handler, so that msgspec's error is not shown above ours. Imported here, as a call
    # that succeeds does not need it.
    from meshapi_core.params.explanations import explain

    explain(value, shape(wanted), field)
    known = without_unknown(value, shape(wanted))
    if known != value:
        # A part of a response that is sent back, with fields that its class does not declare.
        record = check(known, wanted, field)
        hand_down(record, value)
        return record
    # msgspec is stricter than our explanation: a vague error is better than none.
    got = f"not a valid {kind_name(shape(wanted))}"
    raise InvalidParamsError(field, "", got, str(reason)) from reason


def _as_declared(
    error: InvalidParamsError, params_type: Any, params: Optional[object], fields: Mapping[str, Any]
) -> InvalidParamsError:
    """Return the error, made more precise by what only the parameters as given tell."""
    name = error.field
    if name == "timeout":
        given = fields.get(name) if params is None else getattr(params, name, None)
        if type(given).__name__.endswith("Timeout"):
            # The time limits of a client, ours or another library's.
            return InvalidParamsError(
                name, "the seconds of the gateway's limit", type_name(given), _LIMITS
            )
    if error.got == "nothing" and name in fields:
        # It was given as None, which is left out before anything is checked.
        hint = error.hint if name == "messages" else ""
        return InvalidParamsError(name, error.expected, "None", hint)
    if error.expected != NOT_JSON or name not in (_names(params_type) or ()):
        return error
    from meshapi_core.params.advice import for_odd

    params = fields.get("params") if params is None and name not in fields else params
    value = fields[name] if params is None else getattr(params, name)
    info = next(field.type for field in fields_of(params_type) if field.encode_name == name)
    hint = for_odd(value, name, shape(info))
    return InvalidParamsError(name, kind_name(shape(info)), error.got, hint)


def _too_deep(params: Optional[object], fields: Mapping[str, Any]) -> str:
    """Return the name of the parameter that is nested too deeply; "" if no single one is."""
    given = fields if params is None else msgspec.structs.asdict(cast("msgspec.Struct", params))
    for name, value in given.items():
        try:
            as_plain(value)
        except RecursionError:
            return name
        except InvalidParamsError:
            continue
    return ""


def _source(
    params_type: type[Any],
    params: Optional[object],
    fields: Mapping[str, Any],
    beside: Iterable[str],
) -> object:
    if params is None and isinstance(fields.get("params"), params_type):
        # The method has a parameter called `params`, so the object was given as one of the fields.
        params, fields = fields["params"], {k: v for k, v in fields.items() if k != "params"}
    if params is None:
        refuse_unknown(params_type, fields, beside)
        # With the same defaults as an instance of the class.
        given = _defaults(params_type).copy()
        for name, value in fields.items():
            if value is not None:
                given[name] = value
        return given
    name = params_type.__name__
    if not isinstance(params, params_type):
        from meshapi_core.params.advice import for_positional

        hint = for_positional(params, params_type)
        raise InvalidParamsError("params", name, value_name(params), hint)
    if fields:
        hint = f"put it into the {name}, or pass all parameters as keywords"
        raise InvalidParamsError(next(iter(fields)), "", "given together with params", hint)
    return params


def refuse_unknown(params_type: Any, fields: Mapping[str, Any], beside: Iterable[str]) -> None:
    """Refuse the first unknown keyword, whatever its value.

    Args:
        params_type: the class of the parameters.
        fields: the keywords.
        beside: the names of the method's other parameters, which a misspelt keyword may mean.

    Raises:
        InvalidParamsError: there is one.
    """
    known = _names(params_type)
    if known is None or known.issuperset(fields):
        return
    name = next(name for name in fields if name not in known)
    refuse_odd({name: None}, "")
    from meshapi_core.params.wrong_names import no_such_parameter

    raise no_such_parameter(name, {*known, *beside}, takes_body=True)


def _declared_names(params_type: Any) -> Optional[frozenset[str]]:
    """Return the names of the fields of a Struct; None for a type that accepts any name."""
    names = getattr(params_type, "__struct_encode_fields__", None)
    return None if names is None else frozenset(names)


_names: Callable[[Any], Optional[frozenset[str]]] = cache(_declared_names)


def _always_sent(params_type: Any) -> dict[str, Any]:
    """Return the fields that are sent even if they are not given, with their defaults."""
    if not hasattr(params_type, "__struct_fields__"):
        return {}
    return {
        field.encode_name: field.default_factory()
        for field in msgspec.structs.fields(params_type)
        if field.default_factory not in (msgspec.NODEFAULT, list, dict)
    }


_defaults: Callable[[Any], dict[str, Any]] = cache(_always_sent)


# The empty message that stands in for a missing one in a response, as JSON. Inside a JSON string
# its quotes are escaped, so no text can look like it.
_EMPTY = b'{"role":"assistant"}'


def encode_conversation(
    params_type: "type[msgspec.Struct]",
    params: Optional[object],
    fields: Mapping[str, Any],
    forced: Mapping[str, Any],
    hint: str,
) -> bytes:
    """Return a request body that contains messages, as `encode_params` does.

    Raises:
        InvalidParamsError: as for `encode_params`; or an assistant message is empty.
    """
    body = encode_params(params_type, params, fields, forced, hint)
    if _EMPTY in body:
        _refuse_empty(body)
    return body


def _refuse_empty(body: bytes) -> None:
    """Raise if a message is empty; return if something else in the body only looks like one."""
    messages = msgspec.json.decode(body)["messages"]
    for place, message in enumerate(messages):
        if message == {"role": "assistant"}:
            raise InvalidParamsError(
                f"messages[{place}]",
                "an assistant message with content or tool_calls",
                "an empty one",
                "leave it out: a response without a message has an empty one",
            )
