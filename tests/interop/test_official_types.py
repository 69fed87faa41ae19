"""Every type of the official package is here, with every field."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import msgspec
import msgspec.inspect
import pytest
from interop.known_differences import MORE, NEVER_NONE

import meshapi

OFFICIAL = os.environ.get("MESHAPI_OFFICIAL_PYTHON")
pytestmark = pytest.mark.skipif(
    not OFFICIAL, reason="MESHAPI_OFFICIAL_PYTHON is not set: tests/interop/README.md says how"
)

# Prints the types of the official package: whether they refuse what they do not name, and of each
# field the default (null where it is required), the limits, and the words that it takes.
PRINT_TYPES = """
import json, typing
from meshapi import _types

LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length")

def default(field):
    return None if field.is_required() else [field.get_default(call_default_factory=True)]

def limits(field):
    pairs = [(name, getattr(item, name, None)) for item in field.metadata for name in LIMITS]
    return {name: value for name, value in pairs if value is not None}

def words(kind):
    args = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return list(args)
    return [word for arg in args for word in words(arg)]

models = {name: kind for name, kind in vars(_types).items() if hasattr(kind, "model_fields")}
print(json.dumps({
    name: {
        "closed": kind.model_config.get("extra") == "forbid",
        "fields": {
            name: [default(field), limits(field), words(field.annotation)]
            for name, field in kind.model_fields.items()
        },
    }
    for name, kind in models.items() if name != "BaseModel"
}))
"""
LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length")

# Fields of requests that we do not require, or whose default is another one.
RELAXED = {
    ("CreateBatchParams", "requests"): "the files of 0.1.0 to 0.1.3 stand in its place",
    **{
        ("UpdateTemplateParams", field): "a None clears the field, so it is not the default"
        for field in "name description system messages model params variables".split()
    },
}


@pytest.fixture(scope="module")
def official() -> dict[str, Any]:
    asked = subprocess.run(
        [OFFICIAL or "", "-I", "-c", PRINT_TYPES],
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    types: dict[str, Any] = json.loads(asked.stdout)
    return types


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    """None where it is required, else a list of it."""
    if field.required:
        return None
    is_made = field.default_factory is not msgspec.NODEFAULT
    return [field.default_factory() if is_made else field.default]


def kinds_of(kind: msgspec.inspect.Type) -> Iterator[msgspec.inspect.Type]:
    """The members of a union; of anything else itself; not what a list holds."""
    if isinstance(kind, msgspec.inspect.UnionType):
        yield from kind.types
    else:
        yield kind


def limits_of(kind: msgspec.inspect.Type) -> dict[str, Any]:
    found = [(name, getattr(item, name, None)) for item in kinds_of(kind) for name in LIMITS]
    return {name: value for name, value in found if value is not None}


def refused_words(kind: msgspec.inspect.Type, words: list[Any]) -> set[Any]:
    """Those of the words that a field does not take."""
    kinds = list(kinds_of(kind))
    if any(isinstance(item, (msgspec.inspect.StrType, msgspec.inspect.AnyType)) for item in kinds):
        return set()
    lists = [item.item_type for item in kinds if isinstance(item, msgspec.inspect.ListType)]
    if lists:
        return refused_words(lists[0], words)
    literals = [item for item in kinds if isinstance(item, msgspec.inspect.LiteralType)]
    return set(words) - {value for literal in literals for value in literal.values}


def test_every_type_has_every_field(official: dict[str, Any]) -> None:
    assert len(official) == 110
    missing = [
        f"{name}.{field}"
        for name, kind in official.items()
        for field in kind["fields"]
        if field not in getattr(meshapi, name).__struct_fields__
    ]
    assert missing == []


def test_requests_need_and_say_the_same(official: dict[str, Any]) -> None:
    for name, kind in official.items():
        if not kind["closed"]:
            continue
        ours = {field.name: field for field in msgspec.structs.fields(getattr(meshapi, name))}
        for field, (default, _, _) in kind["fields"].items():
            if (name, field) not in RELAXED:
                assert default_of(ours[field]) == default, f"{name}.{field}"
        added = set(ours) - set(kind["fields"])
        assert not [field for field in added if ours[field].required], name


def test_what_may_be_none_in_answers_is_the_same_but_for_what_is_known(
    official: dict[str, Any],
) -> None:
    found = []
    for name, kind in official.items():
        ours = {field.name: field for field in msgspec.structs.fields(getattr(meshapi, name))}
        for field, (default, _, _) in kind["fields"].items():
            if not kind["closed"] and default == [None] and default_of(ours[field]) != [None]:
                found.append((name, field))
    assert found == [(known.type, known.field) for known in NEVER_NONE]


def test_limits_are_the_same_and_every_word_is_taken(official: dict[str, Any]) -> None:
    for name, kind in official.items():
        info = msgspec.inspect.type_info(getattr(meshapi, name))
        assert isinstance(info, msgspec.inspect.StructType)
        types = {field.name: field.type for field in info.fields}
        for field, (_, limits, words) in kind["fields"].items():
            assert limits_of(types[field]) == limits, f"{name}.{field}"
            assert refused_words(types[field], words) == set(), f"{name}.{field}"


def test_what_we_have_more_is_not_official(official: dict[str, Any]) -> None:
    for known in MORE:
        both = set(known.fields.split()) & set(official[known.type]["fields"])
        # The one field that the official type has without ever filling it.
        assert both <= ({"data"} if known.type == "CompareStreamEvent" else set()), known.type
