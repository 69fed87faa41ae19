"""Any type as a strict schema, and what a model wrote as a value of it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, make_dataclass
from datetime import date
from typing import Annotated, Any, Callable, Generic, Literal, NamedTuple, Optional, TypeVar, Union

import attrs
import jsonschema
import msgspec
import pytest
from core.structured.kinds import KINDS, Kind, as_text
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct
from typing_extensions import NotRequired, TypeAliasType, TypedDict

from meshapi_core import MeshAPIError, UnsupportedSchemaError
from meshapi_core.structured.models import Mismatch
from meshapi_core.structured.outputs import output_of

T = TypeVar("T")

# Source: https://platform.openai.com/docs/guides/structured-outputs (supported schemas)
KEYWORDS = frozenset(
    "type properties required additionalProperties items enum anyOf $ref $defs description pattern"
    " format minItems maxItems minimum maximum exclusiveMinimum exclusiveMaximum multipleOf".split()
)


def schemas_in(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all within it."""
    yield schema
    for name, each in schema.items():
        if name in ("properties", "$defs"):
            for one in each.values():
                yield from schemas_in(one)
        elif name == "items":
            yield from schemas_in(each)
        elif name == "anyOf":
            for one in each:
                yield from schemas_in(one)


def check_strict(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object", "the whole must be an object"
    for each in schemas_in(schema):
        assert each.keys() <= KEYWORDS
        assert "type" in each or "anyOf" in each or "$ref" in each
        if "$ref" in each:
            assert [*each] == ["$ref"]
            assert each["$ref"].rpartition("/")[2] in schema["$defs"]
        if each.get("type") == "object":
            assert each["required"] == [*each["properties"]]
            assert each["additionalProperties"] is False


@given(KINDS, st.data())
def test_what_a_model_writes_by_the_schema_is_the_value(kind: Kind, data: Any) -> None:
    output = output_of(kind.type)
    check_strict(output.schema)
    assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", output.name)
    value, written = data.draw(kind.pairs)
    whole = {"value": written} if output.is_wrapped else written
    jsonschema.validate(whole, output.schema)
    made = output.decode(as_text(whole))
    assert made == value
    assert type(made) is type(value)


@given(KINDS, st.text())
def test_any_other_text_is_a_mismatch_or_a_value(kind: Kind, text: str) -> None:
    try:
        output_of(kind.type).decode(text)
    except Mismatch as exc:
        assert exc.reason


@given(KINDS, st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_other_json_is_a_mismatch_or_a_value(kind: Kind, plain: Any) -> None:
    output = output_of(kind.type)
    try:
        output.decode(json.dumps({"value": plain} if output.is_wrapped else plain))
    except Mismatch as exc:
        assert exc.reason


class Address(NamedTuple):
    street: str
    number: int = 1


@attrs.define
class Car:
    wheels: int


@dataclass
class Person:
    """Somebody."""

    name: Annotated[str, Meta(description="the full name", min_length=2)]
    address: Address
    tags: dict[str, int] = field(default_factory=dict)
    age: int = 30
    parent: Optional["Person"] = None
    car: Optional[Car] = None


class Move(TypedDict):
    x: int
    y: NotRequired[int]


class Cat(Struct, tag=True):
    lives: int


class Dog(Struct, tag="dog", rename="camel"):
    good_boy: bool


class Page(Struct, Generic[T]):
    items: list[T]
    following: Optional["Page[T]"] = None


class Flat(Struct, array_like=True, tag=True):
    x: int
    y: int = 7


@dataclass
class A:
    x: int


@dataclass
class B:
    x: int
    y: int


def test_the_schema_of_a_class_is_complete() -> None:
    output = output_of(Person)
    assert output.name == "Person"
    check_strict(output.schema)
    schema = {**output.schema}
    definitions = schema.pop("$defs")
    person = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "the full name; minimum length: 2"},
            "address": {"$ref": "#/$defs/Address"},
            "tags": {
                "anyOf": [
                    {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"key": {"type": "string"}, "value": {"type": "integer"}},
                            "required": ["key", "value"],
                            "additionalProperties": False,
                        },
                    },
                    {"type": "null"},
                ]
            },
            "age": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "parent": {"anyOf": [{"$ref": "#/$defs/Person"}, {"type": "null"}]},
            "car": {"anyOf": [{"$ref": "#/$defs/Car"}, {"type": "null"}]},
        },
        "required": ["name", "address", "tags", "age", "parent", "car"],
        "additionalProperties": False,
        "description": "Somebody.",
    }
    assert schema == person
    assert definitions["Person"] == person
    assert definitions["Address"]["properties"] == {
        "street": {"type": "string"},
        "number": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    }


def test_null_stands_for_what_may_be_missing() -> None:
    parent = {"name": "Bo", "address": {"street": "s", "number": None}, "age": None, "tags": None}
    text = {**parent, "parent": {**parent, "age": 60}, "car": {"wheels": 3}}
    made = output_of(Person).decode(json.dumps(text))
    assert made == Person("Bo", Address("s"), parent=Person("Bo", Address("s"), age=60), car=Car(3))
    assert output_of(Move).decode('{"x": 1, "y": null}') == {"x": 1}
    assert output_of(Move).decode('{"x": 1, "y": 2}') == {"x": 1, "y": 2}


def test_tagged_unions_names_on_the_wire_and_arrays() -> None:
    output = output_of(list[Union[Cat, Dog]])
    check_strict(output.schema)
    text = '{"value": [{"type": "Cat", "lives": 9}, {"type": "dog", "goodBoy": true}]}'
    jsonschema.validate(json.loads(text), output.schema)
    assert output.decode(text) == [Cat(9), Dog(True)]
    flat = output_of(Flat)
    check_strict(flat.schema)
    assert flat.decode('{"type": "Flat", "x": 1, "y": null}') == Flat(1, 7)


def test_generic_classes_have_a_definition_for_each_argument() -> None:
    output = output_of(Page[A])
    check_strict(output.schema)
    text = '{"items": [{"x": 1}], "following": {"items": [], "following": null}}'
    assert output.decode(text) == Page([A(1)], Page([]))
    assert output.name == "Page_A"
    assert "Page_int" in output_of(tuple[Page[int], Page[str]]).schema["$defs"]


def test_two_classes_of_one_name_have_two_definitions() -> None:
    first, other = A, make_dataclass("A", [("z", str)])
    output = output_of(tuple[first, other])  # type: ignore[valid-type]
    assert {*output.schema["$defs"]} == {"A", "A_2"}
    assert output.decode('{"item_1": {"x": 1}, "item_2": {"z": "b"}}') == (A(1), other("b"))


@dataclass
class MaybeX:
    x: Optional[int] = None


@dataclass
class MaybeY:
    y: Optional[int] = 3


class First(NamedTuple):
    a: int


class Second(NamedTuple):
    b: int


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (Union[A, B, str], {"x": 1}, A(1)),
        (Union[A, B, str], {"x": 1, "y": 2}, B(1, 2)),
        (Union[A, B, str], "2026-01-01", "2026-01-01"),
        # A null that stands for a default does not make them alike.
        (Union[MaybeX, MaybeY], {"x": None}, MaybeX()),
        (Union[MaybeX, MaybeY], {"y": None}, MaybeY(None)),
        (Union[First, Second], {"b": 1}, Second(1)),
        (Union[First, MaybeX], {"x": 1}, MaybeX(1)),
        # Both are lists in the schema.
        (Union[list[int], dict[str, int]], [1], [1]),
        (Union[list[int], dict[str, int]], [], []),
        (Union[list[int], dict[str, int]], [{"key": "a", "value": 1}], {"a": 1}),
        (Union[dict[str, int], list[dict[str, int]]], [[{"key": "a", "value": 1}]], [{"a": 1}]),
        (Union[dict[str, int], list[dict[str, int]]], [{"key": "a", "value": 1}], {"a": 1}),
        (Optional[dict[str, int]], [], {}),
        # Equal types, of which the first match counts.
        (Union[date, str], "2026-01-01", date(2026, 1, 1)),
        (Union[str, date], "2026-01-01", "2026-01-01"),
    ],
)
def test_a_union_without_tags_is_told_apart_by_what_was_written(
    kind: Any, written: Any, value: Any
) -> None:
    output = output_of(kind)
    check_strict(output.schema)
    made = output.decode(json.dumps({"value": written}))
    assert made == value
    assert type(made) is type(value)


def test_what_one_member_refuses_is_not_taken_for_another() -> None:
    with pytest.raises(Mismatch, match=r"^x: expected B or MaybeX: Expected `int`"):
        output_of(Union[B, MaybeX]).decode('{"value": {"x": "a", "y": 2}}')
    with pytest.raises(Mismatch, match="expected A or B: no member has these fields"):
        output_of(Union[A, B]).decode('{"value": {"x": 1, "z": 2}}')


def test_what_matches_no_member_of_a_union_says_why() -> None:
    with pytest.raises(Mismatch, match=r"^x: expected A or B: Expected `int`, got `str`$"):
        output_of(Union[A, B]).decode('{"value": {"x": "1", "y": 2}}')


class Deep(Struct):
    when: Callable[[], int]


class Outer(Struct):
    address: list[Deep]


class Mixed(Struct):
    pets: list[Union[A, B]]


class Loose(Struct):
    extra: Any


@attrs.define
class TakesSelf:
    x: int = attrs.Factory(lambda self: 1, takes_self=True)


class Missing(Struct):
    other: "NoSuchClass"  # type: ignore[name-defined] # noqa: F821


@pytest.mark.parametrize(
    ("kind", "path", "said"),
    [
        (Outer, "Outer.address[].when", "Callable has no JSON schema"),
        (Mixed, "Mixed.pets[]", r"Union\[A, B\] has no JSON schema \(.*more than one dataclass"),
        (Loose, "Loose.extra", "Any has no JSON schema"),
        (dict[str, Loose], "dict[str, Loose][].extra", "Any"),
        (list, "list[]", r"Any has no JSON schema \(name the type, as in list\[str\]"),
        (dict, "dict[]", "Any has no JSON schema"),
        (object, "object", "^object has no JSON schema"),
        (complex, "complex", r"^complex has no JSON schema \(dataclasses, TypedDicts"),
        (Union[Deep, A, B], "Deep.when", "Callable"),
        (Missing, "Missing", "NoSuchClass"),
        (7, "7", "7"),
        ("Person", "Person", "Person"),
        (msgspec.Raw, "Raw", "Raw"),
        (Generic, "Generic", "Generic"),
        (TakesSelf, "TakesSelf", "takes_self=True` is not implemented\\)"),
    ],
)
def test_what_has_no_schema_is_refused_with_its_place(kind: Any, path: str, said: str) -> None:
    with pytest.raises(UnsupportedSchemaError, match=said) as caught:
        output_of(kind)
    assert caught.value.path == path
    assert isinstance(caught.value, MeshAPIError)
    assert isinstance(caught.value, TypeError)


PAIR = '{"key": "a", "value": 1}'


@pytest.mark.parametrize(
    ("kind", "text", "path", "reason"),
    [
        (A, "", "", "it is empty"),
        (A, "{", "", "not JSON: Input data was truncated"),
        (A, '```json\n{"x": 1}\n```', "", "not JSON: "),
        (A, '{"x": "1"}', "x", "Expected `int`, got `str`"),
        (A, '{"x": 1.0}', "x", "Expected `int`, got `float`"),
        (A, '{"x": null}', "x", "Expected `int`, got `null`"),
        (A, "{}", "", "Object missing required field `x`"),
        (A, "[1]", "", "Expected `object`, got `array`"),
        (list[A], '{"value": [{"x": 1}, {"x": []}]}', "[1].x", "Expected `int`, got `array`"),
        (int, "7", "", 'expected an object with the field "value" alone'),
        (int, '{"value": 7, "more": 8}', "", 'expected an object with the field "value" alone'),
        (str, '{"value": "\ud800"}', "", "not JSON: "),
        (list[int], "[" * 100_000, "", "nested too deeply"),
        (Annotated[str, Meta(min_length=3)], '{"value": "ab"}', "", "Expected `str` of length"),
        (dict[str, int], f'{{"value": [{PAIR}, {PAIR}]}}', "[1].key", "the key 'a' occurs twice"),
        (dict[int, int], f'{{"value": [{PAIR}]}}', "", "Expected `int`, got `str`"),
        (Literal["a"], '{"value": "b"}', "", "Invalid enum value"),
    ],
)
def test_a_text_that_does_not_match_says_where_and_why(
    kind: Any, text: str, path: str, reason: str
) -> None:
    with pytest.raises(Mismatch) as caught:
        output_of(kind).decode(text)
    assert caught.value.path.startswith(path)
    assert caught.value.reason.startswith(reason)
    assert "$" not in str(caught.value)


def test_a_schema_is_made_once_for_each_type() -> None:
    assert output_of(Person) is output_of(Person)
    assert output_of(list[Person]) is output_of(list[Person])
    # A key that cannot be hashed.
    odd = Annotated[int, Meta(ge=1), ["a", "list"]]
    assert output_of(odd).schema == output_of(odd).schema


def test_long_and_odd_names_become_valid_ones() -> None:
    odd, long = (make_dataclass(name, [("x", int)]) for name in ("Ünïcode", "A" * 99))
    assert output_of(odd).name == "n_code"
    assert output_of(long).name == "A" * 64
    assert output_of(Literal["?", "!"]).name == "Literal"
    positive = Annotated[int, Meta(gt=0)]
    assert output_of(dict[str, list[positive]]).name == "dict_str_list_int"
    assert output_of(TypeAliasType("Whole", positive)).name == "Whole"


def test_both_forms_on_the_wire() -> None:
    output = output_of(A)
    named = {"name": "A", "schema": output.schema, "strict": True}
    assert output.response_format() == {"type": "json_schema", "json_schema": named}
    assert output.text_format() == {"format": {"type": "json_schema", **named}}
