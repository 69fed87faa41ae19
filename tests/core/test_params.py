"""params: parameters to JSON, refused before any byte is sent."""

import copy
import datetime
import decimal
import enum
import json
import pickle
import types
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Annotated, Any, Optional, Union

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType, inspect

from meshapi_core.params import InvalidParamsError, build_params, check, encode_params
from meshapi_core.types._base import OpenRecord, Params
from meshapi_core.types.chat import (
    ChatCompletionParams,
    ChatMessage,
    ContentPartText,
    ImageOptions,
    ToolCall,
    ToolCallFunction,
)
from support.structs import forms, json_objects, places, sample, shape, texts, wrong_values

USER = {"role": "user", "content": "hi"}
SHAPE = shape(ChatCompletionParams)


def sent(params: Optional[object] = None, /, **fields: Any) -> Any:
    return json.loads(encode_params(ChatCompletionParams, params, fields, {}))


def refused(params: Optional[object] = None, /, **fields: Any) -> InvalidParamsError:
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(ChatCompletionParams, params, fields, {})
    return caught.value


def refused_message(**fields: Any) -> InvalidParamsError:
    return refused(messages=[fields])


def without_nones(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@given(forms(SHAPE))
def test_keywords_are_sent_as_given_but_for_none(fields):
    fields["messages"] = [USER]
    assert sent(**fields) == without_nones(fields)


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


@given(json_objects)
def test_a_plain_dict_keeps_its_nones_and_unknown_names(value):
    nested = {**value, "none": None}
    assert sent(messages=[USER], response_format=nested)["response_format"] == nested
    tool = {"type": "function", "function": {"name": "f", "parameters": nested}, "new": None}
    assert sent(messages=[{**USER, "new": nested}], tools=[tool]) == {
        "messages": [{**USER, "new": nested}],
        "tools": [tool],
    }


class TestTheTwoForms:
    def test_one_object_and_keywords_send_the_same(self):
        params = ChatCompletionParams(messages=[ChatMessage(role="user", content="hi")], seed=1)
        assert sent(params) == sent(messages=[USER], seed=1) == {"messages": [USER], "seed": 1}

    def test_both_at_once_are_refused(self):
        error = refused(ChatCompletionParams(messages=[]), seed=1)
        assert str(error) == "seed: expected ChatCompletionParams or keywords, got both"

    def test_a_dict_as_the_object_is_refused_with_the_way_out(self):
        error = refused({"messages": []})
        assert str(error) == (
            "expected ChatCompletionParams, got dict; give a dict as keywords: **params"
        )

    def test_another_object_is_refused(self):
        assert str(refused(ChatMessage(role="user"))).endswith("got ChatMessage")

    def test_a_missing_field_is_named(self):
        assert str(refused()) == "messages: expected list, got nothing"
        assert str(refused_message(content="hi")) == "messages[0].role: expected str, got nothing"

    def test_an_unknown_name_is_refused_at_the_top(self):
        error = refused(messages=[], temprature=1)
        assert str(error) == (
            "temprature: expected a field of ChatCompletionParams, got an unknown name; "
            "did you mean temperature?"
        )

    def test_a_tuple_is_as_good_as_a_list(self):
        assert sent(messages=(USER,), stop=("a", "b"))["stop"] == ["a", "b"]


class TestForced:
    def test_what_the_method_decides_is_always_sent(self):
        body = encode_params(ChatCompletionParams, None, {"messages": []}, {"stream": False})
        assert json.loads(body) == {"messages": [], "stream": False}

    def test_a_contradiction_is_refused_with_the_method_named(self):
        params = ChatCompletionParams(messages=[], stream=True)
        with pytest.raises(InvalidParamsError) as caught:
            encode_params(ChatCompletionParams, params, {}, {"stream": False}, "use stream()")
        assert str(caught.value) == "stream: expected False, got True; use stream()"

    @pytest.mark.parametrize("value", [True, None])
    def test_agreement_is_fine(self, value):
        params = ChatCompletionParams(messages=[], stream=value)
        assert build_params(ChatCompletionParams, params, {}, {"stream": True})["stream"] is True

    def test_a_wrong_kind_is_refused_first(self):
        with pytest.raises(InvalidParamsError, match="stream: expected bool, got int"):
            encode_params(ChatCompletionParams, None, {"messages": [], "stream": 1}, {"stream": 1})

    def test_the_callers_own_objects_are_not_changed(self):
        params = ChatCompletionParams(messages=[])
        fields: dict[str, Any] = {"messages": [], "seed": None}
        encode_params(ChatCompletionParams, params, {}, {"stream": True})
        encode_params(ChatCompletionParams, None, fields, {"stream": True})
        assert params == ChatCompletionParams(messages=[])
        assert fields == {"messages": [], "seed": None}


class TestMessages:
    def test_the_wrong_kind(self):
        assert str(refused_message(role=5)) == "messages[0].role: expected str, got int"

    def test_the_wrong_number_is_told_with_the_limit(self):
        assert str(refused(messages=[], timeout=0)) == "timeout: expected float > 0, got 0"
        error = refused(messages=[], image=ImageOptions(n=11))
        assert str(error) == "image.n: expected int <= 10, got 11"
        assert refused(messages=[], image={"n": 0}).expected == "int >= 1"

    def test_a_part_inside_a_message(self):
        part = {"type": "text", "text": 5}
        error = refused_message(role="user", content=[{"type": "text", "text": "a"}, part])
        assert str(error) == "messages[0].content[1].text: expected str, got int"

    def test_a_part_that_was_built_wrong(self):
        message = ChatMessage(role="user", content=[ContentPartText(text=b"x")])
        error = refused(ChatCompletionParams(messages=[message]))
        assert str(error).startswith("messages[0].content[0].text: expected a JSON value, got byt")

    def test_large_values_are_never_shown(self):
        for error in (
            refused_message(role=["x" * 5000]),
            refused_message(**{"role": "user", "k" * 5000: float("nan")}),
            refused(messages="x" * 5000),
            refused(messages=[], seed="9" * 5000),
            refused(messages=[], image={"n": 10**300}),
            refused(**{"messages": [], "k" * 5000: 1}),
        ):
            assert len(str(error)) < 200

    @pytest.mark.parametrize(
        "copied",
        [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))],
        ids=["copy", "deepcopy", "pickle"],
    )
    def test_they_can_be_copied(self, copied):
        error = InvalidParamsError("f", "str", "int", "try again")
        again = copied(error)
        assert (type(again), str(again)) == (InvalidParamsError, str(error))
        assert (again.field, again.expected, again.got, again.hint) == error.args


class Colour(enum.Enum):
    RED = "red"


class Text(str):
    pass


class Number(float):
    pass


@dataclass
class Point:
    x: int


class TestWhatJsonCannotHold:
    @pytest.mark.parametrize(
        "value",
        [
            float("nan"),
            float("inf"),
            float("-inf"),
            Number("nan"),
            b"bytes",
            bytearray(b"x"),
            memoryview(b"x"),
            {1, 2},
            frozenset((1,)),
            (x for x in "ab"),
            iter([1]),
            datetime.datetime(2026, 1, 1),
            datetime.date(2026, 1, 1),
            datetime.timedelta(1),
            uuid.UUID(int=1),
            decimal.Decimal(1),
            object(),
            int,
            1j,
            Point(1),
            {1: "one"},
            {None: "none"},
            {Text("k"): 1},
            "\ud800",
            {"\ud800": 1},
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_is_refused_wherever_it_stands(self, value):
        assert refused(messages=[], response_format={"a": [1, value]}).field.startswith(
            "response_format.a[1]"
        )
        assert refused_message(role="user", content="x", new=value).field.startswith(
            "messages[0].new"
        )
        message = ToolCall(id="1", function=ToolCallFunction(name="f", arguments=value))
        params = ChatCompletionParams(
            messages=[ChatMessage(role="assistant", tool_calls=[message], name="n")]
        )
        where = "messages[0].tool_calls[0].function.arguments"
        assert refused(params).field.startswith(where)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_nan_and_infinity_in_a_declared_number(self, value):
        error = refused(messages=[], temperature=value)
        assert str(error) == f"temperature: expected a finite number, got {value}"

    @pytest.mark.parametrize(
        "value", [10**400, -(10**400), 10**5000, 2**1024 - 1, 2**1023], ids=int.bit_length
    )
    def test_an_int_that_every_reader_takes_for_infinity(self, value):
        for fields, field in (
            ({"temperature": value}, "temperature"),
            ({"max_tokens": value}, "max_tokens"),
            ({"timeout": value}, "timeout"),
            ({"image": {"n": value}}, "image.n"),
            ({"logit_bias": {"a": value}}, "logit_bias.a"),
            ({"reasoning": {"a": [value]}}, "reasoning.a[0]"),
            ({"reasoning": types.MappingProxyType({"a": (value,)})}, "reasoning.a[0]"),
        ):
            error = refused(messages=[], **fields)
            assert (error.field, error.expected) == (field, "a finite number")
            assert error.got == f"an int of {value.bit_length()} bits"

    def test_a_lone_surrogate_in_a_name_or_a_choice(self):
        name = "\ud800"
        for fields, field in (
            ({"messages": [], name: 1}, r"['\ud800']"),
            ({"messages": [{**USER, name: 1}]}, r"messages[0]['\ud800']"),
            ({"messages": [], "metadata": {name: "x"}}, r"metadata['\ud800']"),
            ({"messages": [{"role": name}]}, "messages[0].role"),
            ({"messages": [], "reasoning_effort": name}, "reasoning_effort"),
        ):
            error = refused(**fields)
            assert (error.field, error.got) == (field, "a lone surrogate at 0")
            str(error).encode()
        with pytest.raises(InvalidParamsError) as caught:
            ChatMessage(role="user", content=[{"type": "text", "text": "a", name: 1}])
        assert caught.value.field == r"content[0]['\ud800']"

    def test_the_way_out_is_told(self):
        assert refused(messages=[], metadata={"k": b"x"}).hint == "encode it as base64 text"
        assert refused(messages={1}).hint == "make it a list"
        assert refused(messages=(m for m in [USER])).hint == "make it a list"

    def test_a_key_that_is_no_string(self):
        error = refused(messages=[], logit_bias={50256: -100})
        assert str(error) == "logit_bias: expected str keys, got a key of type int"

    def test_what_holds_itself_is_refused(self):
        loop: dict[str, Any] = {}
        loop["self"] = loop
        assert "too many levels" in str(refused(messages=[], response_format=loop))

    def test_great_depth_is_sent_or_refused(self):
        deep: Any = []
        for _ in range(100_000):
            deep = [deep]
        assert "too many levels" in str(refused(messages=[], response_format={"a": deep}))


class TestWhatIsAsGoodAsJson:
    @pytest.mark.parametrize(
        ("value", "meant"),
        [
            (Text("t"), "t"),
            (Number(1.5), 1.5),
            (Colour.RED, "red"),
            (OrderedDict(a=1), {"a": 1}),
            (types.MappingProxyType({"a": Text("t")}), {"a": "t"}),
            (deque([1, 2]), [1, 2]),
            (range(3), [0, 1, 2]),
            ((1, (2,)), [1, [2]]),
            (2**70, 2**70),
            (ContentPartText(text="t"), {"type": "text", "text": "t"}),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_is_sent_as_what_it_means(self, value, meant):
        assert sent(messages=[], response_format={"a": value})["response_format"] == {"a": meant}

    def test_messages_may_be_any_mapping_in_any_sequence(self):
        fields = types.MappingProxyType({"role": Text("user"), "content": "hi"})
        assert sent(messages=deque([fields])) == {"messages": [USER]}

    @given(texts)
    def test_any_text_arrives(self, text):
        assert sent(messages=[], user=text)["user"] == text


class Limited(Params, kw_only=True):
    query: Annotated[str, msgspec.Meta(min_length=1, max_length=3)]
    ids: Annotated[list[int], msgspec.Meta(min_length=1, max_length=2)]
    code: Optional[Annotated[str, msgspec.Meta(pattern="^a+$")]] = None
    share: Optional[Annotated[float, msgspec.Meta(ge=0, lt=1)]] = None


class TestLimits:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"query": ""}, "query: expected str of length at least 1, got 0"),
            ({"query": "abcd"}, "query: expected str of length at most 3, got 4"),
            ({"ids": []}, "ids: expected list of length at least 1, got 0"),
            ({"ids": [1, 2, 3]}, "ids: expected list of length at most 2, got 3"),
            ({"ids": [1, "2"]}, "ids[1]: expected int, got str"),
            ({"share": 1.0}, "share: expected float < 1, got 1.0"),
            ({"share": -1}, "share: expected float >= 0, got -1"),
            ({"code": "b"}, "expected Limited, got something else"),
        ],
    )
    def test_each_is_named(self, fields, message):
        with pytest.raises(InvalidParamsError) as caught:
            check({"query": "a", "ids": [1], **fields}, Limited)
        assert str(caught.value) == message


class Tool(OpenRecord, kw_only=True, dict=True):
    type: str
    size: Optional[int] = None


class Holder(Params, kw_only=True):
    tools: Optional[list[Tool]] = None
    free: Optional[dict[str, Any]] = None
    name: Union[str, None, UnsetType] = UNSET
    flag: bool = False


@pytest.mark.parametrize("holder", [lambda t: {"a": t}, lambda t: [t], lambda t: ({"b": (t,)},)])
def test_open_parts_keep_their_fields_wherever_they_stand(holder):
    tool = Tool(type="t", x=[{"y": None}])
    body = json.loads(encode_params(Holder, None, {"free": {"here": holder(tool)}}))
    assert "[{'y': None}]" in str(body)
    assert json.loads(encode_params(Holder, Holder(tools=[tool]), {})) == {
        "tools": [{"type": "t", "x": [{"y": None}]}]
    }
    assert tool.model_dump() == {"type": "t", "size": None, "x": [{"y": None}]}


def test_what_is_odd_in_an_undeclared_field_is_refused_by_name():
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(Holder, None, {"tools": [Tool(type="t", x=b"bytes")]})
    assert caught.value.field == "tools[0].x"
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(Holder, None, {"tools": [Tool(type=7, x=1)]})
    assert caught.value.field == "tools[0].type"


def test_unset_is_left_out_and_none_is_not():
    assert encode_params(Holder, Holder(), {}) == b"{}"
    assert encode_params(Holder, Holder(name=None), {}) == b'{"name":null}'
    assert encode_params(Holder, Holder(name=None, tools=[Tool(type="t", x=1)]), {}) == (
        b'{"tools":[{"type":"t","x":1}],"name":null}'
    )


def test_a_default_is_one_of_the_same_type():
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(Holder, Holder(flag=0, tools=[Tool(type="t")]), {})
    assert caught.value.field == "flag"


def test_parameters_may_be_given_by_the_name_params():
    assert encode_params(Holder, None, {"params": Holder(flag=True)}) == b'{"flag":true}'
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(Holder, None, {"params": Holder(), "flag": True})
    assert caught.value.field == "flag"
