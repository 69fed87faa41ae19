"""What `--schema` checks, against a validator of JSON Schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.cli import schemas

NAMES = st.sampled_from(["a", "b"])
PLAIN = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, 1.0, "", "a"])
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=5,
)
TYPES = st.sampled_from(["object", "array", "string", "boolean", "null", "number", "integer"])
LEAVES: "st.SearchStrategy[Any]" = st.one_of(
    st.booleans(),
    st.fixed_dictionaries({"type": TYPES}),
    st.fixed_dictionaries({"type": st.lists(TYPES, min_size=1, max_size=2, unique=True)}),
    st.fixed_dictionaries({"enum": st.lists(PLAIN, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"const": PLAIN}),
    st.just({"$ref": "#/$defs/one"}),
)


def _around(inner: "st.SearchStrategy[Any]") -> "st.SearchStrategy[Any]":
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=2)},
            optional={
                "required": st.lists(NAMES, max_size=2, unique=True),
                "additionalProperties": inner,
            },
        ),
        st.fixed_dictionaries({"items": inner}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)}),
    )


SCHEMAS = st.recursive(LEAVES, _around, max_leaves=5)


@given(schema=SCHEMAS, value=VALUES)
def test_a_value_matches_as_the_standard_says(
    schema: Any, value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = {"$defs": {"one": {"type": "integer"}}, "allOf": [schema]}
    path = Path(tmp_path_factory.getbasetemp()) / "schema.json"
    path.write_text(json.dumps(whole), "utf-8")
    wanted = schemas.schema_in(str(path))
    matches = schemas.mismatch_of(json.dumps(value), wanted) is None
    assert matches is jsonschema.Draft202012Validator(whole).is_valid(value)


def test_a_schema_that_leads_to_itself_is_a_mismatch(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"$ref": "#"}', "utf-8")
    mismatch = schemas.mismatch_of("{}", schemas.schema_in(str(path)))
    assert str(mismatch) == "it is nested too deeply"


@pytest.mark.parametrize(
    "schema",
    [
        '{"type": 5, "properties": 1, "required": 2, "anyOf": 3, "$ref": 4}',
        '{"properties": {"a": 1}, "items": 2, "additionalProperties": 3}',
        '{"$ref": "https://example.com/schema"}',
        '{"$ref": "#/nowhere"}',
    ],
)
def test_a_schema_that_makes_no_sense_forbids_nothing(schema: str, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(schema, "utf-8")
    wanted = schemas.schema_in(str(path))
    for text in ("[1]", '{"a": 1}', "1"):
        assert schemas.mismatch_of(text, wanted) is None
