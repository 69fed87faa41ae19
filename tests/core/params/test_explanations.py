"""explanations: a wrong parameter is named, at any depth."""

import json
from typing import Annotated, Any, Optional

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import check, encode_params
from meshapi_core.types._base import Params
from meshapi_core.types.chat import ChatCompletionParams
from support.structs import places, sample, shape, wrong_values

SHAPE = shape(ChatCompletionParams)


def sent(params: Optional[object] = None, /, **fields: Any) -> Any:
    return json.loads(encode_params(ChatCompletionParams, params, fields, {}))


def refused(params: Optional[object] = None, /, **fields: Any) -> InvalidParamsError:
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(ChatCompletionParams, params, fields, {})
    return caught.value


@given(st.data())
def test_a_wrong_kind_at_any_depth_is_refused_with_the_field_named(data):
    fields = sample(SHAPE)
    place = data.draw(st.sampled_from(list(places(fields, SHAPE))))
    wrong = data.draw(wrong_values(place.info))
    place.holder[place.key] = wrong
    error = refused(**fields)
    assert error.field == place.path
    assert str(error).startswith(f"{place.path}: expected ")
    assert isinstance(error, TypeError)
    assert isinstance(error, ValueError)


@given(st.data())
def test_a_wrong_kind_inside_structs_is_refused_with_the_field_named(data):
    # msgspec does not check what a constructor is given, so it must be found when it is sent;
    # only content parts that are given as dicts are looked at when the message is made.
    fields = sample(SHAPE)
    place = data.draw(st.sampled_from(list(places(fields, SHAPE))))
    wrong = data.draw(wrong_values(place.info))
    place.holder[place.key] = wrong
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(ChatCompletionParams, built(fields, SHAPE), {}, {})
    assert place.path.endswith(caught.value.field)
    assert caught.value.field


def built(value: Any, info: inspect.Type) -> Any:
    """The value with Structs where they are declared, whatever their fields hold."""
    if isinstance(info, inspect.UnionType):
        structs = [m for m in info.types if isinstance(m, (inspect.StructType, inspect.ListType))]
        return built(value, structs[0]) if structs else value
    if isinstance(info, inspect.ListType) and isinstance(value, list):
        return [built(item, info.item_type) for item in value]
    if isinstance(info, inspect.StructType) and isinstance(value, dict):
        types = {field.name: field.type for field in info.fields}
        return info.cls(**{name: built(item, types[name]) for name, item in value.items()})
    return value


class Limited(Params, kw_only=True):
    query: Annotated[str, msgspec.Meta(min_length=1, max_length=3)]
    ids: Annotated[list[int], msgspec.Meta(min_length=1, max_length=2)]
    code: Optional[Annotated[str, msgspec.Meta(pattern="^a+$")]] = None
    share: Optional[Annotated[float, msgspec.Meta(ge=0, lt=1)]] = None


class TestLimits:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"query": ""}, "query: expected str of length at least 1, got length 0"),
            ({"query": "abcd"}, "query: expected str of length at most 3, got length 4"),
            ({"ids": []}, "ids: expected list of length at least 1, got length 0"),
            ({"ids": [1, 2, 3]}, "ids: expected list of length at most 2, got length 3"),
            ({"ids": [1, "2"]}, "ids[1]: expected int, got str; write int(x)"),
            ({"share": 1.0}, "share: expected float < 1, got 1.0"),
            ({"share": -1}, "share: expected float >= 0, got -1"),
            (
                {"code": "b"},
                "not a valid Limited; Expected `str` matching regex '^a+$' - at `$.code`",
            ),
        ],
    )
    def test_each_is_named(self, fields, message):
        with pytest.raises(InvalidParamsError) as caught:
            check({"query": "a", "ids": [1], **fields}, Limited)
        assert str(caught.value) == message
