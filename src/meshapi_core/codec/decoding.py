"""Bytes to values: strict and fast where a response fits its type, lenient where not.

`repairs` has the rules of the lenient half: what is converted, and what is reported. The response's
`.raw` shows what was really sent.
"""

from functools import cache
from typing import Any, Callable, Final, Optional, TypeVar, cast

import msgspec
from msgspec import inspect

from meshapi_core._json_kinds import (
    is_array,
    is_exact,
    is_kind,
    is_object,
    kind_name,
    shape,
    value_name,
)
from meshapi_core._raw_data import keep_raw
from meshapi_core.codec.decoding_rules import decoding_rules_of
from meshapi_core.codec.mismatches import LOST, Mismatch, broken, report
from meshapi_core.codec.parsing import parse, parse_piece
from meshapi_core.codec.repairs import Converter

__all__ = ["decode", "fit", "hand_down", "without_unknown"]

T = TypeVar("T")


def decode(data: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """Return the body as the decoder's type: strictly if it fits, else field by field.

    Response types consist of Structs, lists, dicts, unions, literals, scalars and Any.

    Warns:
        ResponseWarning: something that is not essential could not be read.

    Raises:
        ResponseDecodeError: the body is not JSON, not even of the right JSON kind, or something
            essential could not be read.
    """
    kind: Any = decoder.type
    try:
        response = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Not raised: what follows succeeds, or its error explains better what is wrong.
        sent = parse_piece(data) if decoding_rules_of(kind).pieces else parse(data)
        return cast("T", fit(sent, kind))
    rows = decoding_rules_of(kind).rows
    if rows and not getattr(response, rows):
        # There are no rows, or they are under another name.
        return cast("T", fit(parse(data), kind))
    if keeps_parts(kind):
        hand_down(response, parse(data))
    return response


def _keeps_parts(wanted: Any) -> bool:
    """Return whether a response of this type has parts that must be given what was sent for them.

    Such parts are Structs with a `__dict__`, with two exceptions. The response itself is not a
    part: its body is attached to it. And a Struct that forbids unknown fields needs nothing: if it
    was decoded strictly, all that was sent is in its fields. So the usual response, and each usual
    chunk, is parsed only once.
    """
    return _is_in(_inner(shape(wanted)), lambda part: not is_exact(part))


def _is_in(todo: list[inspect.Type], wanted: Callable[[inspect.StructType], bool]) -> bool:
    """Return whether one of these types is, or contains at any depth, a wanted Struct.

    Only Structs with a `__dict__` count, which can keep what they were made from.
    """
    seen: set[type] = set()
    while todo:
        info = todo.pop()
        if isinstance(info, inspect.StructType):
            if info.cls.__dictoffset__ and wanted(info):
                return True
            if info.cls in seen:
                continue
            seen.add(info.cls)
        todo += _inner(info)
    return False


# Not as a decorator: mypy would then require hashable arguments, and does not see that types are.
keeps_parts: Callable[[Any], bool] = cache(_keeps_parts)


def _inner(info: inspect.Type) -> list[inspect.Type]:
    if isinstance(info, inspect.StructType):
        return [field.type for field in info.fields]
    if isinstance(info, inspect.UnionType):
        return list(info.types)
    if isinstance(info, inspect.ListType):
        return [info.item_type]
    return [info.value_type] if isinstance(info, inspect.DictType) else []


def _any(part: inspect.StructType) -> bool:
    return True


def _find_ways_down(kind: Any) -> list[tuple[str, str]]:
    """Return the fields that lead to Structs with a `__dict__`, each by its name and JSON name."""
    info = shape(kind)
    assert isinstance(info, inspect.StructType)
    return [(field.name, field.encode_name) for field in info.fields if _is_in([field.type], _any)]


_ways_down: Callable[[Any], list[tuple[str, str]]] = cache(_find_ways_down)


def hand_down(response: Any, sent: Any) -> None:
    """Store in each part of a strictly decoded value what it was decoded from."""
    if isinstance(response, msgspec.Struct):
        if not is_object(sent):
            return
        keep_raw(response, sent)
        for name, wire in _ways_down(type(response)):
            if sent.get(wire) is not None:
                hand_down(getattr(response, name), sent[wire])
    elif is_array(response) and is_array(sent):
        for row, sent_row in zip(response, sent):
            hand_down(row, sent_row)
    elif is_object(response) and is_object(sent):
        for key, item in response.items():
            hand_down(item, sent.get(key))


def fit(value: Any, wanted: "type[T]") -> T:
    """Return a parsed JSON value as `wanted`: strictly if it fits, else field by field.

    Warns:
        ResponseWarning: something that is not essential could not be read.

    Raises:
        ResponseDecodeError: the value is not even of the right JSON kind, or something essential
            could not be read.
    """
    sent, mismatches = value, list[Mismatch]()
    value = _with_rows(value, wanted)
    try:
        try:
            response = msgspec.convert(value, wanted)
        except msgspec.ValidationError:
            # A gateway that adds unknown fields adds them to each chunk, and this is quicker than
            # the converter.
            response = msgspec.convert(without_unknown(value, shape(wanted)), wanted)
    except (msgspec.ValidationError, RecursionError, SystemError):
        # msgspec 0.20 raises SystemError for an int that no float can hold.
        converter = Converter(hand_down)
        try:
            fitted = converter.fit(value, shape(wanted))
        except RecursionError as exc:
            raise broken("the body is nested too deeply") from exc
        mismatches = converter.mismatches
    else:
        # What a chunk keeps also shows that it was not decoded at once, and is no template for the
        # next chunks.
        if keeps_parts(wanted) or bool(getattr(wanted, "__dictoffset__", False)):
            hand_down(response, value)
        fitted = response
    if fitted is LOST:
        whole = Mismatch((), kind_name(shape(wanted), structs=False), value_name(value))
        raise broken(
            f"the response does not have the expected form: {[*mismatches, whole][0].says()}"
        )
    report(mismatches)
    result: Any = fitted
    if value is not sent and isinstance(result, msgspec.Struct):
        keep_raw(result, sent)
    return cast("T", result)


def without_unknown(value: Any, info: inspect.Type) -> Any:
    """Return the value without the fields that an exact Struct in it does not name.

    See `is_exact`. `hand_down` then stores them in the Structs.
    """
    if isinstance(info, inspect.StructType):
        return _known(value, info.cls) if is_object(value) else value
    if isinstance(info, inspect.ListType):
        return [without_unknown(row, info.item_type) for row in value] if is_array(value) else value
    if isinstance(info, inspect.DictType) and is_object(value):
        return {key: without_unknown(item, info.value_type) for key, item in value.items()}
    if isinstance(info, inspect.Metadata):
        return without_unknown(value, info.type)
    if isinstance(info, inspect.UnionType):
        for member in info.types:
            if not isinstance(member, inspect.NoneType) and is_kind(value, member):
                return without_unknown(value, member)
    return value


def _known(value: dict[str, Any], kind: Any) -> dict[str, Any]:
    names, ways = _exact_ways(kind)
    known = dict(value) if names is None else {n: item for n, item in value.items() if n in names}
    for name, info in ways:
        item = known.get(name)
        if item is not None:
            known[name] = without_unknown(item, info)
    return known


def _find_exact_ways(kind: Any) -> tuple[Optional[frozenset[str]], list[tuple[str, inspect.Type]]]:
    """Return the field names of an exact Struct, and the fields that lead to exact Structs.

    The names are None for any other Struct.
    """
    info = shape(kind)
    assert isinstance(info, inspect.StructType)
    names = frozenset(kind.__struct_encode_fields__) if is_exact(info) else None
    leading = [field for field in info.fields if _is_in([field.type], is_exact)]
    # Without None, which leads nowhere.
    return names, [(field.encode_name, _without_none(field.type)) for field in leading]


def _without_none(info: inspect.Type) -> inspect.Type:
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    kept = [member for member in members if not isinstance(member, inspect.NoneType)]
    return kept[0] if len(kept) == 1 else info


_exact_ways: Callable[[Any], tuple[Optional[frozenset[str]], list[tuple[str, inspect.Type]]]] = (
    cache(_find_exact_ways)
)


def _with_rows(value: Any, wanted: Any) -> Any:
    """Return a list in the form that `wanted` declares: bare, or as a field of a page.

    OpenAI's API wraps all lists in an object with `data`; gateways use either form.
    """
    rows = decoding_rules_of(wanted).rows
    if rows:
        if is_array(value):
            return {rows: value}
        if is_object(value) and (rows not in value or is_object(value[rows])):
            known: tuple[str, ...] = wanted.__struct_encode_fields__
            found = _rows_in({n: item for n, item in value.items() if n == rows or n not in known})
            return value if found is None else {**value, rows: found}
    elif is_object(value) and _is_list(shape(wanted)):
        found = _rows_in(value)
        lists = [item for item in value.values() if is_array(item)]
        if found is None and len(lists) == 1 and value.keys().isdisjoint(_COMPLAINTS):
            return lists[0]
        return value if found is None else found
    return value


def _is_list(info: inspect.Type) -> bool:
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    return any(isinstance(member, inspect.ListType) for member in members)


_ROWS: Final = ("data", "items", "results", "models", "result", "list", "embeddings", "images")
_COMPLAINTS: Final = frozenset({"detail", "details", "error", "errors"})


def _rows_in(page: dict[str, Any]) -> Optional[list[Any]]:
    """Return the rows of an object that wraps a list; None where no list is found."""
    for name in _ROWS:
        rows = page.get(name)
        if is_array(rows):
            return rows
        if is_object(rows):
            return _rows_in(rows)
    # An empty list that was written as null.
    return [] if page.get("object") == "list" and page.get("data", 0) is None else None
