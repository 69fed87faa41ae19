"""The values that the gateway makes up match their schema."""

import datetime
import enum
import json
import re
import uuid
from decimal import Decimal
from typing import (  # noqa: UP035 - see `Tree`
    Annotated,
    Any,
    List,
    Literal,
    NamedTuple,
    Optional,
    TypedDict,
    Union,
)

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from meshapi.gateway.content.bounds import number_in_bounds
from meshapi.gateway.content.patterns import matching_text
from meshapi.gateway.content.schema_samples import sample


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    x: float
    y: int


class Place(TypedDict):
    name: str
    at: Point


class Circle(Struct, tag=True):
    radius: Annotated[float, Meta(gt=2, lt=3)]


class Square(Struct, tag=True):
    side: Annotated[int, Meta(ge=5, multiple_of=4)]


class Tree(Struct):
    name: Annotated[str, Meta(pattern=r"^[A-Z]{2}-\d{3,}$")]
    children: List["Tree"]  # noqa: UP006 - Python 3.9 leaves the name in `list["Tree"]` as text
    parent: Optional["Tree"]


class Everything(Struct):
    colour: Colour
    place: Place
    shape: Union[Circle, Square]
    shapes: Annotated[list[Union[Circle, Square]], Meta(min_length=3)]
    kind: Literal["a", "b"]
    counts: Annotated[dict[str, int], Meta(min_length=2)]
    short: Annotated[str, Meta(max_length=2)]
    long: Annotated[str, Meta(min_length=50)]
    when: Annotated[datetime.datetime, Meta(tz=True)]
    day: datetime.date
    clock: Annotated[datetime.time, Meta(tz=True)]
    lasts: datetime.timedelta
    price: Decimal
    id: uuid.UUID
    data: bytes
    unique: Annotated[set[int], Meta(min_length=3)]
    pair: tuple[int, str]
    tree: Tree
    anything: Any
    nothing: None


@pytest.mark.parametrize("question", ["", "Where is Oslo?", "Take -50 of 99999999999"])
@pytest.mark.parametrize(
    "kind", [Everything, Tree, list[Tree], Union[Circle, Square, None], Point, dict[str, Place]]
)
def test_samples_are_valid_values_of_the_type(kind: Any, question: str) -> None:
    made = json.dumps(sample(msgspec.json.schema(kind), question))
    msgspec.json.decode(made, type=kind)


@given(
    st.booleans(),
    st.integers(-1000, 1000),
    st.fractions(-100, 100, max_denominator=8).map(float),
    st.integers(3, 20),
    st.sampled_from([None, 1, 0.5, 2]),
    st.booleans(),
    st.booleans(),
)
def test_numbers_keep_to_their_bounds(
    whole: bool, wanted: int, low: float, width: int, step: Any, above: bool, below: bool
) -> None:
    high = low + width
    rules: dict[str, Any] = {"exclusiveMinimum" if above else "minimum": low}
    rules["exclusiveMaximum" if below else "maximum"] = high
    rules["multipleOf"] = step
    made = number_in_bounds(rules, whole, wanted)
    assert low <= made <= high
    assert not (above and made == low)
    assert not (below and made == high)
    assert not whole or isinstance(made, int)
    assert step is None or (made / step).is_integer()


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{3}-\d{4}$",
        r"^[^a-zA-Z0-9]+$",
        r"^(?:red|blue)(\w)\1\s\S\D\W$",
        r"^[a-z]{2,5}?@[\w.]+\.(com|org)$",
        r"(?i)^x.y$",
        r"^.{20,}$",
        r"[\d_]",
        "",
    ],
)
def test_texts_match_their_pattern(pattern: str) -> None:
    made = matching_text(pattern, "Oslo", 0, None)
    assert made is not None
    assert re.search(pattern, made)


def test_texts_that_match_keep_to_their_length() -> None:
    assert len(matching_text(r"^a+$", "Oslo", 17, 20) or "") in range(17, 21)
    assert matching_text(r"^a{3}$", "Oslo", 5, None) is None


@pytest.mark.parametrize("pattern", ["(", "(?=a)b(?!b)", r"^a{1000}{1000}$"])
def test_patterns_that_are_too_hard_have_no_text(pattern: str) -> None:
    assert matching_text(pattern, "Oslo", 0, None) is None


def test_all_of_is_one_schema() -> None:
    schema = {
        "$defs": {"Named": {"properties": {"name": {"const": "x"}}, "required": ["name"]}},
        "allOf": [
            {"$ref": "#/$defs/Named"},
            {"properties": {"age": {"type": "integer", "minimum": 3}}, "required": ["age"]},
        ],
        "properties": {"age": {"type": "integer"}},
    }
    assert sample(schema, "?") == {"name": "x", "age": 3}


def test_siblings_of_a_choice_count() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    assert sample(schema, "7") == {"a": 7}


def test_items_that_have_to_differ_do() -> None:
    for item in ({"type": "string"}, {"type": "string", "maxLength": 1}, {"enum": [1, 2, 3]}):
        made = sample({"type": "array", "items": item, "minItems": 3}, "Oslo")
        assert len(set(made)) == 3


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": 10**9},
        {"type": "object", "minProperties": 10**9},
        {
            "$ref": "#/$defs/T",
            "$defs": {"T": {"type": "array", "items": {"$ref": "#/$defs/T"}, "minItems": 9}},
        },
        {
            "properties": {name: {"$ref": "#"} for name in "abcdefghij"},
            "required": list("abcdefghij"),
        },
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
    ],
)
def test_no_schema_fills_the_memory(schema: Any) -> None:
    assert len(json.dumps(sample(schema, "?"))) < 200_000
