import json
from collections import UserList
from enum import Enum
from typing import Annotated, Any, Literal, Optional
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.calls import Call
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import InvalidParamsError
from meshapi_core.queries import encode_query, text_pairs
from meshapi_core.readers import EmptyReader
from meshapi_core.types._base import Params
from support.structs import floats, integers, texts

CONFIG = MeshAPIConfig(base_url="https://gateway.example", token="rsk_test_1")


class Page(Params, kw_only=True):
    limit: Optional[Annotated[int, msgspec.Meta(ge=1)]] = None
    free: Optional[bool] = None
    kind: Optional[Literal["a", "b"]] = None
    tags: Optional[list[str]] = None
    score: Optional[float] = None
    nested: Optional[dict[str, Any]] = None


def test_booleans_lists_and_none():
    fields = {"limit": 5, "free": False, "tags": ["b", "a b", ""], "score": 0.5, "kind": None}
    expected = (
        ("limit", "5"), ("free", "false"), ("tags", "b"), ("tags", "a b"), ("tags", ""),
        ("score", "0.5"),
    )  # fmt: skip
    assert encode_query(Page, None, fields) == expected
    assert set(encode_query(Page, Page(**fields), {})) == set(expected)
    assert encode_query(Page, None, {"free": True, "limit": 1}) == (
        ("free", "true"),
        ("limit", "1"),
    )
    assert encode_query(Page, None, {}) == encode_query(Page, Page(), {}) == ()
    assert encode_query(Page, None, {"tags": []}) == ()


@pytest.mark.parametrize("kind", [list, tuple, UserList])
def test_any_sequence_is_a_repeated_key(kind):
    assert encode_query(Page, None, {"tags": kind(["a", "b"])}) == (("tags", "a"), ("tags", "b"))
    assert text_pairs({"a": kind([1, None, True])}) == (("a", "1"), ("a", "true"))


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": "5"}, "limit"),
        ({"free": 1}, "free"),
        ({"kind": "c"}, "kind"),
        ({"tags": "a"}, "tags"),
        ({"tags": [1]}, "tags[0]"),
        ({"score": float("nan")}, "score"),
        ({"lmit": 1}, "lmit"),
        ({"nested": {"a": 1}}, "nested"),
        ({"tags": ["\ud800"]}, "tags[0]"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(fields, where):
    with pytest.raises(InvalidParamsError) as caught:
        encode_query(Page, None, fields)
    assert caught.value.field == where


@pytest.mark.parametrize("value", [{}, [[]], [{}], [(1,)], ({"a": 1},)])
def test_more_than_scalars_do_not_fit_in_a_query(value):
    with pytest.raises(InvalidParamsError, match="text"):
        text_pairs({"a": value})


class Colour(str, Enum):
    RED = "red"


def test_an_enum_is_its_value():
    assert encode_query(Page, None, {"tags": [Colour.RED]}) == (("tags", "red"),)


@given(st.dictionaries(texts, texts | integers | floats | st.booleans(), max_size=5))
def test_any_pairs_survive_their_way_through_a_url(plain):
    call = Call(method="GET", path="/v1/x", query=text_pairs(plain), reader=EmptyReader())
    target = call.request(CONFIG).target
    assert target.isascii()
    _, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True, errors="strict", strict_parsing=bool(query))
    assert pairs == [
        (name, value if isinstance(value, str) else json.dumps(value))
        if not isinstance(value, float)
        else (name, msgspec.json.encode(value).decode())
        for name, value in plain.items()
    ]
    assert "+" not in query
