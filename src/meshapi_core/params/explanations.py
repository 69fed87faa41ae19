"""Where plain values differ from a declared type: the slow second walk of a bad request."""

import operator
from typing import Any, Final, NoReturn

import msgspec
from msgspec import inspect

from meshapi_core._json_kinds import is_exact, is_kind, kind_name, value_name
from meshapi_core.codec.decoding import without_unknown
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.advice import for_kind, for_missing
from meshapi_core.params.field_paths import joined, within
from meshapi_core.params.wrong_names import no_such_field

__all__ = ["explain"]


def explain(value: Any, info: inspect.Type, field: str) -> None:
    """Raise for the first value that is not as declared; return if there is none."""
    if not is_kind(value, info):
        _refuse(value, info, field)
    if isinstance(info, inspect.UnionType):
        explain(value, next(member for member in info.types if is_kind(value, member)), field)
    elif isinstance(info, inspect.LiteralType):
        if value not in info.values:
            expected = ", ".join(repr(choice) for choice in info.values)
            got = value_name(value, show=True)
            raise InvalidParamsError(field, f"one of {expected}", got)
    elif isinstance(info, inspect.StructType):
        _explain_struct(value, info, field)
    elif isinstance(info, inspect.ListType):
        _explain_limits(value, info, field)
        for index, item in enumerate(value):
            explain(item, info.item_type, f"{field}[{index}]")
    elif isinstance(info, inspect.DictType):
        for key, item in value.items():
            explain(item, info.value_type, within(field, key))
    else:
        _explain_limits(value, info, field)


def _explain_struct(value: dict[str, Any], info: inspect.StructType, field: str) -> None:
    declared = {member.encode_name: member for member in info.fields}
    for name, item in value.items():
        if name in declared:
            explain(item, declared[name].type, within(field, name))
        elif info.forbid_unknown_fields and not is_exact(info):
            raise no_such_field(name, declared.keys(), info.cls.__name__, field)
    for name, member in declared.items():
        if member.required and name not in value:
            hint = for_missing(field, name, info, value.keys() - declared.keys())
            raise InvalidParamsError(within(field, name), kind_name(member.type), "nothing", hint)
    try:
        msgspec.convert(without_unknown(value, info), info.cls)
    except msgspec.ValidationError as exc:
        # All fields are as declared, so the error comes from __post_init__ of the class.
        cause = exc.__cause__
        if isinstance(cause, InvalidParamsError):
            where = joined(field, cause.field)
            raise InvalidParamsError(where, cause.expected, cause.got, cause.hint) from None


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
    raise InvalidParamsError(field, f"{kind_name(info)} of length {limit}", f"length {len(value)}")


def _refuse(value: Any, info: inspect.Type, field: str) -> NoReturn:
    hint = for_kind(value, info, field)
    raise InvalidParamsError(field, kind_name(info), value_name(value), hint)
