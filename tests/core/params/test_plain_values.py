"""plain values: what JSON cannot represent is refused, what is as good as JSON is taken."""

import datetime
import decimal
import enum
import json
import types
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Optional, Union

import pytest
from hypothesis import given
from msgspec import UNSET, UnsetType

from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import encode_params
from meshapi_core.types._base import OpenRecord, Params
from meshapi_core.types.chat import (
    ChatCompletionParams,
    ChatMessage,
    ContentPartText,
    ToolCall,
    ToolCallFunction,
)
from support.structs import texts

USER = {"role": "user", "content": "hi"}


def sent(params: Optional[object] = None, /, **fields: Any) -> Any:
    return json.loads(encode_params(ChatCompletionParams, params, fields, {}))


def refused(params: Optional[object] = None, /, **fields: Any) -> InvalidParamsError:
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(ChatCompletionParams, params, fields, {})
    return caught.value


def refused_message(**fields: Any) -> InvalidParamsError:
    return refused(messages=[fields])


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
        assert (
            str(error)
            == f"temperature: expected a finite number, got {value}; JSON has no NaN or infinity"
        )

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
            assert (error.field, error.got) == (field, "a lone surrogate at index 0")
            str(error).encode()
        with pytest.raises(InvalidParamsError) as caught:
            ChatMessage(role="user", content=[{"type": "text", "text": "a", name: 1}])
        assert caught.value.field == r"content[0]['\ud800']"

    def test_the_way_out_is_told(self):
        assert (
            refused(messages=[], metadata={"k": b"x"}).hint
            == "write x.decode() for text, or base64.b64encode(x).decode() for other data"
        )
        assert refused(messages={1}).hint == "write list(x)"
        assert refused(messages=(m for m in [USER])).hint == "write list(x)"

    def test_a_key_that_is_no_string(self):
        error = refused(messages=[], logit_bias={50256: -100})
        assert str(error) == "logit_bias: expected str keys, got a key of type int; write str(key)"

    def test_what_holds_itself_is_refused(self):
        loop: dict[str, Any] = {}
        loop["self"] = loop
        assert "response_format: nested too deeply, or contains itself" in str(
            refused(messages=[], response_format=loop)
        )

    def test_great_depth_is_sent_or_refused(self):
        deep: Any = []
        for _ in range(100_000):
            deep = [deep]
        assert "response_format: nested too deeply, or contains itself" in str(
            refused(messages=[], response_format={"a": deep})
        )


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


class Tool(OpenRecord, kw_only=True, dict=True):
    type: str
    size: Optional[int] = None


class Holder(Params, kw_only=True):
    tools: Optional[list[Tool]] = None
    free: Optional[dict[str, Any]] = None
    name: Union[str, None, UnsetType] = UNSET
    flag: bool = False


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
