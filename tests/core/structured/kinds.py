"""Types with values of theirs, and each value as a model writes it into the strict schema.

The rules are written down once more here, so that the code under test is not its own judge.
"""

import base64
import dataclasses
import enum
import json
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Optional, Union

import msgspec
from hypothesis import strategies as st
from typing_extensions import TypedDict


class Kind(NamedTuple):
    """A type, and pairs of a value and what the model writes for it."""

    type: Any
    pairs: "st.SearchStrategy[tuple[Any, Any]]"
    allows_null: bool = False


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


def _leaf(kind: Any, values: Any, write: Callable[[Any], Any] = lambda value: value) -> Kind:
    return Kind(kind, values.map(lambda value: (value, write(value))))


def _text(value: Any) -> str:
    return value.isoformat()  # type: ignore[no-any-return]


texts = st.text(st.characters(codec="utf-8"), max_size=8)
decimals = st.integers(-(10**9), 10**9).map(lambda number: Decimal(number) / 100)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc))

LEAVES = [
    _leaf(int, st.integers(-(2**53), 2**53)),
    _leaf(float, st.floats(allow_nan=False, allow_infinity=False)),
    _leaf(str, texts),
    _leaf(bool, st.booleans()),
    _leaf(bytes, st.binary(max_size=8), lambda value: base64.b64encode(value).decode()),
    _leaf(datetime, moments, _text),
    _leaf(date, st.dates(), _text),
    _leaf(time, st.times(), _text),
    _leaf(uuid.UUID, st.uuids(), str),
    _leaf(Decimal, decimals, lambda value: format(value, "f")),
    _leaf(Colour, st.sampled_from(Colour), lambda value: value.value),
    _leaf(Level, st.sampled_from(Level), lambda value: value.value),
    _leaf(Literal["a", "b"], st.sampled_from(["a", "b"])),
    _leaf(Union[int, str], st.integers(-9, 9) | texts),
]


def _list(inner: Kind) -> Kind:
    lists = st.lists(inner.pairs, max_size=3)
    return Kind(list[inner.type], lists.map(_unzipped))  # type: ignore[name-defined]


def _unzipped(pairs: list[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    return [value for value, _ in pairs], [written for _, written in pairs]


def _mapping(inner: Kind) -> Kind:
    mappings = st.dictionaries(texts, inner.pairs, max_size=3)

    def pair(items: dict[str, tuple[Any, Any]]) -> tuple[Any, Any]:
        value = {key: one for key, (one, _) in items.items()}
        return value, [{"key": key, "value": written} for key, (_, written) in items.items()]

    return Kind(dict[str, inner.type], mappings.map(pair))  # type: ignore[name-defined]


def _optional(inner: Kind) -> Kind:
    return Kind(Optional[inner.type], inner.pairs | st.just((None, None)), allows_null=True)


def _fixed(inner: list[Kind]) -> Kind:
    def pair(items: tuple[Any, ...]) -> tuple[Any, Any]:
        values, written = _unzipped([*items])
        return tuple(values), {f"item_{i + 1}": one for i, one in enumerate(written)}

    kind = tuple[tuple(one.type for one in inner)]  # type: ignore[misc]
    return Kind(kind, st.tuples(*(one.pairs for one in inner)).map(pair))


def _record(
    make: Callable[[list[Kind]], tuple[Any, Callable[..., Any]]], inner: list[Kind]
) -> Kind:
    kind, build = make(inner)

    def pair(items: tuple[Any, ...]) -> tuple[Any, Any]:
        values, written = _unzipped([*items])
        names = [f"f{i}" for i in range(len(values))]
        return build(**dict(zip(names, values))), dict(zip(names, written))

    return Kind(kind, st.tuples(*(one.pairs for one in inner)).map(pair))


def _struct(inner: list[Kind]) -> tuple[Any, Any]:
    made = msgspec.defstruct("Struct", [(f"f{i}", one.type) for i, one in enumerate(inner)])
    return made, made


def _dataclass(inner: list[Kind]) -> tuple[Any, Any]:
    made = dataclasses.make_dataclass("Data", [(f"f{i}", one.type) for i, one in enumerate(inner)])
    return made, made


def _named_tuple(inner: list[Kind]) -> tuple[Any, Any]:
    made: Any = NamedTuple("Named", [(f"f{i}", one.type) for i, one in enumerate(inner)])  # type: ignore[misc]
    return made, made


def _typed_dict(inner: list[Kind]) -> tuple[Any, Any]:
    made: Any = TypedDict("Dict", {f"f{i}": one.type for i, one in enumerate(inner)})  # type: ignore[misc]
    return made, dict


@st.composite
def _with_defaults(draw: Any, inner: list[Kind]) -> Kind:
    """A Struct whose fields may be missing, for which the model writes null."""
    defaults = [draw(one.pairs)[0] for one in inner]
    fields = [
        (f"f{i}", one.type, msgspec.field(default_factory=lambda default=default: default))
        for i, (one, default) in enumerate(zip(inner, defaults))
    ]
    made = msgspec.defstruct("Defaults", fields)
    pairs = [
        one.pairs if one.allows_null else one.pairs | st.just((default, None))
        for one, default in zip(inner, defaults)
    ]

    def pair(items: tuple[Any, ...]) -> tuple[Any, Any]:
        values, written = _unzipped([*items])
        return made(*values), {f"f{i}": one for i, one in enumerate(written)}

    return Kind(made, st.tuples(*pairs).map(pair))


def _extended(inner: "st.SearchStrategy[Kind]") -> "st.SearchStrategy[Kind]":
    several = st.lists(inner, min_size=1, max_size=3)
    records = [
        several.map(lambda kinds, make=make: _record(make, kinds))
        for make in (_struct, _dataclass, _named_tuple, _typed_dict)
    ]
    return st.one_of(
        inner.map(_list),
        inner.map(_mapping),
        inner.filter(lambda kind: not kind.allows_null).map(_optional),
        several.map(_fixed),
        several.flatmap(_with_defaults),
        *records,
    )


KINDS = st.recursive(st.sampled_from(LEAVES), _extended, max_leaves=6)


def as_text(written: Any) -> str:
    """What a model writes, as JSON."""
    return json.dumps(written)
