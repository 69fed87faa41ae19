"""Bytes to values: strict and fast when the server keeps its promise, forgiving when not.

The rule of the forgiving half: a paid answer is never thrown away for one odd field. Whatever
cannot be what its field declares becomes the field's default, and everything else stays.

- A null, missing or wrong-kind field takes its default, or the blank of its kind where the type
  has none (a tool call without `id` gets "").
- A number where text is declared becomes its text, and 3.0 is good for an int.
- Any string is good where a set of strings is declared: enums are open in answers.
- A list loses the rows that cannot be built; a list of plain numbers or strings, where a hole
  would shift the others, is kept whole or not at all.

`.raw` of the answer still shows what was really sent.
"""

import json
import math
import re
from enum import Enum
from functools import cache
from typing import Any, Callable, Final, TypeVar

import msgspec
from msgspec import inspect

from meshapi_core._kinds import is_array, is_kind, is_object, kind_name, shape, value_name
from meshapi_core.errors import ResponseDecodeError

__all__ = ["decode", "fit", "hand_down", "parse"]

T = TypeVar("T")


class _Misfit(Enum):
    MISFIT = "misfit"


_MISFIT: Final = _Misfit.MISFIT
_ANY: Final = msgspec.json.Decoder()
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def decode(data: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """Return the body as the decoder's type: strictly if it fits, else field by field.

    Answer types are made of JSON kinds (Structs, lists, dicts, unions, literals, scalars, Any).

    Raises:
        ResponseDecodeError: the body is not JSON, or not even of the right JSON kind.
    """
    try:
        answer = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Not raised from here: what follows succeeds, or says better what is wrong.
        return fit(parse(data), decoder.type)
    if keeps_parts(decoder.type):
        hand_down(answer, parse(data))
    return answer


def _keeps_parts(wanted: Any) -> bool:
    """Return whether an answer of this type holds parts that keep what the server sent for them.

    Such parts are Structs with a `__dict__`. The whole answer is no part: its body is attached.
    """
    return _is_in(_inner(shape(wanted)))


def _is_in(todo: list[inspect.Type]) -> bool:
    """Return whether one of these types is, or holds at any depth, a part that keeps something."""
    seen: set[type] = set()
    while todo:
        info = todo.pop()
        if isinstance(info, inspect.StructType):
            if info.cls.__dictoffset__:
                return True
            if info.cls in seen:
                continue
            seen.add(info.cls)
        todo += _inner(info)
    return False


# Not as a decorator: mypy asks of its arguments that they be hashable, as types are.
keeps_parts: Callable[[Any], bool] = cache(_keeps_parts)


def _inner(info: inspect.Type) -> list[inspect.Type]:
    if isinstance(info, inspect.StructType):
        return [field.type for field in info.fields]
    if isinstance(info, inspect.UnionType):
        return list(info.types)
    if isinstance(info, inspect.ListType):
        return [info.item_type]
    return [info.value_type] if isinstance(info, inspect.DictType) else []


def _find_ways_down(kind: Any) -> list[tuple[str, str]]:
    """Return the fields, by both names, that lead to parts which keep something."""
    info = shape(kind)
    assert isinstance(info, inspect.StructType)
    return [(field.name, field.encode_name) for field in info.fields if _is_in([field.type])]


_ways_down: Callable[[Any], list[tuple[str, str]]] = cache(_find_ways_down)


def hand_down(answer: Any, sent: Any) -> None:
    """Let each part of a strictly decoded value keep what it was decoded from."""
    if isinstance(answer, msgspec.Struct):
        if not is_object(sent):
            return
        _keep(answer, sent)
        for name, wire in _ways_down(type(answer)):
            if wire in sent:
                hand_down(getattr(answer, name), sent[wire])
    elif is_array(answer) and is_array(sent):
        for row, sent_row in zip(answer, sent):
            hand_down(row, sent_row)
    elif is_object(answer) and is_object(sent):
        for key, item in answer.items():
            hand_down(item, sent.get(key))


def _keep(record: msgspec.Struct, sent: Any) -> None:
    if type(record).__dictoffset__:
        vars(record)["_raw"] = sent


def parse(data: bytes) -> Any:
    """Return the body as plain Python values, whatever JSON it is.

    Invalid UTF-8 and lone surrogates (streams that split an emoji send them) are replaced by
    U+FFFD; a byte order mark, NaN and infinities, and numbers beyond a double are tolerated.

    Raises:
        ResponseDecodeError: the body is not JSON, or nested more deeply than the stack allows.

    Source: https://www.rfc-editor.org/rfc/rfc8259 sections 8.1, 8.2 and 9
    """
    try:
        return _ANY.decode(data)
    except RecursionError as exc:
        raise _broken("the body is nested too deeply") from exc
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _parse_tolerantly(data)


def _parse_tolerantly(data: bytes) -> Any:
    try:
        return _without_surrogates(json.loads(data.decode("utf-8-sig", "replace")))
    except json.JSONDecodeError as exc:
        raise _broken(f"the body is not JSON ({len(data)} bytes): {exc}") from exc
    except RecursionError as exc:
        raise _broken("the body is nested too deeply") from exc
    except ValueError as exc:
        # CPython refuses integers of more than a few thousand digits.
        raise _broken("the body holds a number that is too long") from exc


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if is_array(value):
        return [_without_surrogates(row) for row in value]
    if is_object(value):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def fit(value: Any, wanted: "type[T]") -> T:
    """Return a parsed JSON value as `wanted`: strictly if it fits, else field by field.

    Raises:
        ResponseDecodeError: the value is not even of the right JSON kind.
    """
    try:
        answer = msgspec.convert(value, wanted)
    except (msgspec.ValidationError, RecursionError):
        try:
            fitted = _fit(value, shape(wanted))
        except RecursionError as exc:
            raise _broken("the body is nested too deeply") from exc
    else:
        if keeps_parts(wanted):
            hand_down(answer, value)
        return answer
    if fitted is _MISFIT:
        expected = kind_name(shape(wanted), structs=False)
        raise _broken(
            f"the body is not what was promised: $: expected {expected}, got {value_name(value)}"
        )
    result: T = fitted
    return result


def _broken(message: str) -> ResponseDecodeError:
    return ResponseDecodeError(message, error_code="parse_error")


def _fit(value: Any, info: inspect.Type) -> Any:
    """Return the value as `info` wants it, or _MISFIT."""
    repair = _REPAIRS.get(type(info))
    return _MISFIT if repair is None else repair(value, info)


def _fit_any(value: Any, info: inspect.AnyType) -> Any:
    return value


def _fit_exact(value: Any, info: inspect.Type) -> Any:
    # Covers literals too: is_kind compares kinds only, so that unknown choices are kept.
    return value if is_kind(value, info) else _MISFIT


def _fit_int(value: Any, info: inspect.IntType) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else _MISFIT


def _fit_float(value: Any, info: inspect.FloatType) -> Any:
    if type(value) not in (int, float):
        return _MISFIT
    try:
        return float(value)
    except OverflowError:
        return _MISFIT


def _fit_str(value: Any, info: inspect.StrType) -> Any:
    if type(value) in (int, float) and -math.inf < value < math.inf:
        try:
            return str(value)
        except ValueError:
            return _MISFIT
    return value if isinstance(value, str) else _MISFIT


def _fit_list(value: Any, info: inspect.ListType) -> Any:
    if not is_array(value):
        return _MISFIT
    rows = [_fit(row, info.item_type) for row in value]
    kept = [row for row in rows if row is not _MISFIT]
    if len(kept) < len(rows) and not is_kind({}, info.item_type):
        return _MISFIT
    return kept


def _fit_dict(value: Any, info: inspect.DictType) -> Any:
    if not is_object(value):
        return _MISFIT
    items = ((key, _fit(item, info.value_type)) for key, item in value.items())
    return {key: item for key, item in items if item is not _MISFIT}


def _fit_union(value: Any, info: inspect.UnionType) -> Any:
    # Members of the value's own kind first, so that nothing is coerced without need.
    for member in sorted(info.types, key=lambda member: not is_kind(value, member)):
        fitted = _fit(value, member)
        if fitted is not _MISFIT:
            return fitted
    return _MISFIT


def _fit_struct(value: Any, info: inspect.StructType) -> Any:
    if not is_object(value):
        return _MISFIT
    if info.tag_field is not None and value.get(info.tag_field) != info.tag:
        return _MISFIT
    try:
        record = msgspec.convert(value, info.cls)
    except (msgspec.ValidationError, RecursionError):
        return _build(value, info)
    hand_down(record, value)
    return record


def _build(value: dict[str, Any], info: inspect.StructType) -> Any:
    fields: dict[str, Any] = {}
    for field in info.fields:
        # Most rows of a catalogue leave most of their fields out.
        given = field.encode_name in value
        fitted = _fit(value[field.encode_name], field.type) if given else _MISFIT
        if fitted is not _MISFIT:
            fields[field.name] = fitted
        elif field.required:
            fields[field.name] = _blank(field.type)
    try:
        record = info.cls(**fields)
    except (TypeError, ValueError):
        return _MISFIT
    _keep(record, value)
    return record


_REPAIRS: Final[dict[type[inspect.Type], Callable[[Any, Any], Any]]] = {
    inspect.AnyType: _fit_any,
    inspect.NoneType: _fit_exact,
    inspect.BoolType: _fit_exact,
    inspect.LiteralType: _fit_exact,
    inspect.IntType: _fit_int,
    inspect.FloatType: _fit_float,
    inspect.StrType: _fit_str,
    inspect.ListType: _fit_list,
    inspect.DictType: _fit_dict,
    inspect.UnionType: _fit_union,
    inspect.StructType: _fit_struct,
}

_BLANKS: Final[dict[type[inspect.Type], Callable[[], Any]]] = {
    inspect.BoolType: bool,
    inspect.IntType: int,
    inspect.FloatType: float,
    inspect.StrType: str,
    inspect.ListType: list,
    inspect.DictType: dict,
}


def _blank(info: inspect.Type) -> Any:
    """Return the value of a required field that the server left out."""
    if isinstance(info, inspect.StructType):
        return _build({}, info)
    if isinstance(info, inspect.LiteralType):
        return info.values[0]
    if isinstance(info, inspect.UnionType) and not info.includes_none:
        return _blank(info.types[0])
    blank = _BLANKS.get(type(info))
    return None if blank is None else blank()
