"""Pydantic's models, which bring their own schema and validator."""

import json
import sys
from dataclasses import dataclass
from typing import Annotated, Any, Callable, Literal, Optional, Union

import jsonschema
import pytest
from core.structured.test_outputs import check_strict
from house.fresh import modules_after
from msgspec import Struct

from meshapi_core import UnsupportedSchemaError
from meshapi_core.structured.models import Mismatch
from meshapi_core.structured.outputs import output_of

pydantic = pytest.importorskip("pydantic")


class Part(pydantic.BaseModel):
    name: Annotated[str, pydantic.Field(description="what it is", max_length=9)]
    weight: float = 1.5


class Tree(pydantic.BaseModel):
    """A tree of parts."""

    kind: Literal["tree"] = "tree"
    parts: list[Part] = pydantic.Field(default_factory=list)
    named: dict[str, Part] = pydantic.Field(default_factory=dict)
    left: Optional["Tree"] = None
    place: tuple[int, str] = (0, "")


class Loop(pydantic.RootModel[Optional["Loop"]]):
    pass


class Holder(pydantic.BaseModel):
    loop: Loop = pydantic.Field(default_factory=lambda: Loop(None))


class Leaf(pydantic.BaseModel):
    kind: Literal["leaf"]
    green: bool


class Choice(pydantic.BaseModel):
    one: Annotated[Union[Tree, Leaf], pydantic.Field(discriminator="kind")]


class Box(Struct):
    part: Part
    tree: Optional[Tree] = None


@pydantic.dataclasses.dataclass
class Checked:
    weight: Annotated[int, pydantic.Field(gt=1)]


class Checking(Struct):
    checked: Checked


class Renamed(pydantic.BaseModel):
    first_name: str = pydantic.Field(alias="firstName")

    @pydantic.field_validator("first_name")
    @classmethod
    def is_not_empty(cls, value: str) -> str:
        if not value:
            raise ValueError("is empty")
        return value


class Handler(pydantic.BaseModel):
    when: Callable[[], int]


@dataclass
class Plain:
    x: int


DISCRIMINATED = Annotated[Union[Tree, Leaf], pydantic.Field(discriminator="kind")]
LEAF = {"kind": "leaf", "green": True}
PART = {"name": "n", "weight": None}
TREE = {
    "kind": "tree",
    "parts": [PART],
    "named": [{"key": "a", "value": PART}],
    "left": None,
    "place": {"item_1": 4, "item_2": "b"},
}


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (Part, PART, Part(name="n")),
        (
            Tree,
            {**TREE, "left": TREE},
            Tree(
                parts=[Part(name="n")],
                named={"a": Part(name="n")},
                place=(4, "b"),
                left=Tree(parts=[Part(name="n")], named={"a": Part(name="n")}, place=(4, "b")),
            ),
        ),
        (
            Choice,
            {"one": LEAF},
            Choice(one=Leaf(kind="leaf", green=True)),
        ),
        (Choice, {"one": TREE}, None),
        (Box, {"part": PART, "tree": TREE}, None),
        (Box, {"part": PART, "tree": None}, Box(Part(name="n"))),
        (list[Part], {"value": [PART]}, [Part(name="n")]),
        (Optional[Part], {"value": None}, None),
        (Union[Part, Plain], {"value": {"x": 1}}, Plain(1)),
        (Union[Part, Leaf], {"value": PART}, Part(name="n")),
        (pydantic.RootModel[list[int]], {"value": [1]}, None),
        (Renamed, {"firstName": "a"}, Renamed(firstName="a")),
        # What msgspec does not know, pydantic does.
        (list[Union[Tree, Leaf]], {"value": [LEAF]}, [Leaf(kind="leaf", green=True)]),
        (DISCRIMINATED, {"value": LEAF}, Leaf(kind="leaf", green=True)),
        (Checked, {"weight": 2}, Checked(2)),
        (Optional[Checked], {"value": {"weight": 2}}, Checked(2)),
        (Union[Checked, Leaf], {"value": LEAF}, Leaf(kind="leaf", green=True)),
    ],
)
def test_models_alone_and_within_other_types(kind: Any, written: Any, value: Any) -> None:
    output = output_of(kind)
    check_strict(output.schema)
    jsonschema.validate(written, output.schema)
    made = output.decode(json.dumps(written))
    if value is not None:
        assert made == value


def test_lengths_and_docstrings_are_said_in_descriptions() -> None:
    (part,) = [
        schema for name, schema in output_of(Tree).schema["$defs"].items() if name.endswith("Part")
    ]
    assert part["properties"]["name"] == {
        "type": "string",
        "description": "what it is; maximum length: 9",
    }
    assert output_of(Tree).schema["description"] == "A tree of parts."


@pytest.mark.parametrize(
    ("kind", "text", "path"),
    [
        (Part, '{"weight": "heavy", "name": "n"}', "weight"),
        (Tree, json.dumps({**TREE, "parts": [PART, {}]}), "parts[1].name"),
        (Box, '{"part": {}}', "part"),
        (Checked, '{"weight": 1}', "weight"),
        (list[Checked], '{"value": [{"weight": 1}]}', "[0].weight"),
        (Renamed, '{"firstName": ""}', "firstName"),
        (DISCRIMINATED, '{"value": {"kind": "root"}}', ""),
    ],
)
def test_a_mismatch_names_its_place(kind: Any, text: str, path: str) -> None:
    with pytest.raises(Mismatch) as caught:
        output_of(kind).decode(text)
    assert caught.value.path == path


def test_a_model_that_is_nothing_but_itself_is_refused() -> None:
    with pytest.raises(UnsupportedSchemaError, match=r"Holder has no JSON schema .* itself"):
        output_of(Holder)


def test_what_pydantic_has_no_schema_for_is_refused() -> None:
    with pytest.raises(UnsupportedSchemaError, match="Handler has no JSON schema"):
        output_of(Handler)
    with pytest.raises(UnsupportedSchemaError, match="make it a BaseModel") as caught:
        output_of(Checking)
    assert caught.value.path == "Checking.checked"


def test_pydantic_is_not_imported_for_other_types() -> None:
    loaded = modules_after(
        "from meshapi_core.structured.outputs import output_of",
        "import dataclasses",
        "output_of(dataclasses.make_dataclass('A', ['x']).__class__ and list[int])",
    )
    assert not [name for name in loaded if name.startswith("pydantic")]
    assert "pydantic" in sys.modules
