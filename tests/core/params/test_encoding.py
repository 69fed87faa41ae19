"""params: parameters to JSON, refused before any byte is sent."""

import copy
import json
import pickle
from typing import Any, Optional, Union

import pytest
from hypothesis import given
from msgspec import UNSET, UnsetType

from meshapi_core.config import Timeout
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import build_params, encode_params
from meshapi_core.types._base import OpenRecord, Params
from meshapi_core.types.chat import ChatCompletionParams, ChatMessage, ContentPartText, ImageOptions
from support.structs import forms, json_objects, shape

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
    # An empty one is refused.
    fields["model"] = fields.get("model") or None
    assert sent(**fields) == without_nones(fields)


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
        assert str(error) == (
            "seed: given together with params; put it into the ChatCompletionParams, or pass"
            " all parameters as keywords"
        )

    def test_a_dict_as_the_object_is_refused_with_the_way_out(self):
        error = refused({"messages": []})
        assert str(error) == (
            "params: expected ChatCompletionParams, got dict; pass it as keywords: **params"
        )

    def test_another_object_is_refused(self):
        assert str(refused(ChatMessage(role="user"))).endswith(
            "got ChatMessage; pass the parameters as keywords"
        )

    def test_a_missing_field_is_named(self):
        example = '{"role": "user", "content": "..."}'
        missing = f"messages: expected list, got nothing; write messages=[{example}]"
        assert str(refused()) == missing
        missing = f"messages[0].role: expected str, got nothing; write {example}"
        assert str(refused_message(content="hi")) == missing

    def test_an_unknown_name_is_refused_at_the_top(self):
        error = refused(messages=[], temprature=1)
        assert str(error) == ("temprature: no such parameter; did you mean temperature?")

    def test_the_time_limits_of_a_client_are_not_the_gateways(self):
        limits = type("Timeout", (), {"__module__": "httpx"})()
        ours: Any = Timeout(read=5)
        for timeout, name in ((ours, "Timeout"), (limits, "httpx.Timeout")):
            message = (
                f"timeout: expected the seconds of the gateway's limit, got {name}; for those of"
                " the client, use client.with_options(timeout=meshapi.Timeout(...))"
            )
            assert str(refused(messages=[USER], timeout=timeout)) == message
            assert str(refused(ChatCompletionParams(messages=[USER], timeout=timeout))) == message
        assert str(refused(messages=[USER], timeout=0)) == "timeout: expected float > 0, got 0"

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
        assert (
            str(refused_message(role=5)) == "messages[0].role: expected str, got int; write str(x)"
        )

    def test_the_wrong_number_is_told_with_the_limit(self):
        assert str(refused(messages=[], timeout=0)) == "timeout: expected float > 0, got 0"
        error = refused(messages=[], image=ImageOptions(n=11))
        assert str(error) == "image.n: expected int <= 10, got 11"
        assert refused(messages=[], image={"n": 0}).expected == "int >= 1"

    def test_a_part_inside_a_message(self):
        part = {"type": "text", "text": 5}
        error = refused_message(role="user", content=[{"type": "text", "text": "a"}, part])
        assert str(error) == "messages[0].content[1].text: expected str, got int; write str(x)"

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


def test_parameters_may_be_given_by_the_name_params():
    assert encode_params(Holder, None, {"params": Holder(flag=True)}) == b'{"flag":true}'
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(Holder, None, {"params": Holder(), "flag": True})
    assert caught.value.field == "flag"
