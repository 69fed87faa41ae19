"""types.responses: tools in all forms, today's fields, and responses that lose nothing."""

import copy
import json
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError
from meshapi_core.params.encoding import encode_params
from meshapi_core.types._base import attach
from meshapi_core.types.chat import ProviderPreferences
from meshapi_core.types.responses import (
    BuiltinTool,
    ResponsesFields,
    ResponsesFunctionTool,
    ResponsesListResponse,
    ResponsesParams,
    ResponsesResponse,
    ResponsesStreamEvent,
    ResponsesUsage,
)
from support.metas import meta_with
from support.structs import json_objects, json_values, texts

RESPONSE = msgspec.json.Decoder(ResponsesResponse)
LIST = msgspec.json.Decoder(ResponsesListResponse)


def sent(**fields: Any) -> Any:
    return json.loads(encode_params(ResponsesParams, None, {"input": "hi", **fields}, {}))


def sent_object(**fields: Any) -> Any:
    params = ResponsesParams(input="hi", **fields)
    return json.loads(encode_params(ResponsesParams, params, {}, {}))


def response_of(fields: Any) -> ResponsesResponse:
    body = msgspec.json.encode(fields)
    return attach(decode(body, RESPONSE), body, meta_with(""))


def test_keywords_are_the_fields_of_the_params_but_for_stream():
    names = set(ResponsesParams.__struct_fields__) - {"stream"}
    assert set(ResponsesFields.__annotations__) == names


# Tools


def test_the_two_classes_of_tools_and_their_wire():
    function = ResponsesFunctionTool(name="f", parameters={"type": "object"}, strict=False)
    search = BuiltinTool(type="web_search_preview", search_context_size="low")
    wire = [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False},
        {"type": "web_search_preview", "search_context_size": "low"},
    ]
    assert sent(tools=[function, search])["tools"] == wire
    assert sent_object(tools=[function, search])["tools"] == wire
    assert sent(tools=wire)["tools"] == wire
    assert sent_object(tools=wire)["tools"] == wire


def test_tools_that_are_given_as_dicts_become_objects():
    tools: Any = [
        {"type": "function", "name": "f"},
        {"name": "g"},
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
    ]
    params = ResponsesParams(input="hi", tools=tools)
    assert params.tools == [
        ResponsesFunctionTool(name="f"),
        ResponsesFunctionTool(name="g"),
        BuiltinTool(type="file_search", vector_store_ids=["vs_1"]),
    ]
    assert tools[1] == {"name": "g"}
    assert sent_object(tools=tools)["tools"][1] == {"type": "function", "name": "g"}


@given(json_objects)
def test_names_that_no_tool_declares_are_sent(unknown):
    unknown = {f"new_{name}": value for name, value in unknown.items()}
    tools = [
        {"type": "function", "name": "f", **unknown},
        {"type": "code_interpreter", **unknown},
        {"type": "mcp", "server_url": "https://x/y", **unknown},
    ]
    assert sent(tools=tools)["tools"] == tools
    assert sent_object(tools=tools)["tools"] == tools
    assert sent(tools=[BuiltinTool(**tools[1])])["tools"] == [tools[1]]


FORM = '{"type": "function", "name": "...", "parameters": {...}}'


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        (
            5,
            f"tools[1]: expected a tool, got int; write {FORM}",
        ),
        (
            "web_search_preview",
            f"tools[1]: expected a tool, got str; write {FORM}",
        ),
        (
            None,
            f"tools[1]: expected a tool, got None; write {FORM}",
        ),
        ({"type": 5}, "tools[1].type: expected str, got int"),
        ({"type": "function"}, f"tools[1].name: expected str, got nothing; write {FORM}"),
        ({"name": 5}, "tools[1].name: expected str, got int; write str(x)"),
        (
            {"name": "f", "strict": "yes"},
            "tools[1].strict: expected bool, got str; write True or False",
        ),
        # The form of chat completions.
        (
            {"type": "function", "function": {"name": "f"}},
            f"tools[1].name: expected str, got nothing; write {FORM}",
        ),
    ],
)
def test_anything_but_a_tool_is_refused_by_its_path(tool, message):
    for send in (sent, sent_object):
        with pytest.raises(InvalidParamsError) as caught:
            send(tools=[{"name": "a"}, tool])
        assert str(caught.value) == message


def test_tools_that_are_not_a_list_are_refused():
    for send in (sent, sent_object):
        with pytest.raises(InvalidParamsError) as caught:
            send(tools={"type": "function", "name": "f"})
        assert str(caught.value) == "tools: expected list, got dict; put it in a list: tools=[...]"


@pytest.mark.parametrize("value", [object(), b"x", float("nan"), {1}], ids=type)
@pytest.mark.parametrize("kind", ["function", "file_search", "mcp"])
def test_what_json_cannot_hold_is_refused_when_it_is_sent(kind, value):
    tool = {"type": kind, "name": "f", "more": {"a": value}}
    for send in (sent, sent_object):
        with pytest.raises(InvalidParamsError) as caught:
            send(tools=[tool])
        assert caught.value.field == "tools[0].more.a"


def test_a_builtin_tool_can_be_copied_pickled_and_read():
    tool = BuiltinTool(type="file_search", vector_store_ids=["vs_1"])
    for twin in (copy.copy(tool), copy.deepcopy(tool), pickle.loads(pickle.dumps(tool))):
        assert twin == tool
        assert twin.vector_store_ids == ["vs_1"]
    assert tool.model_dump() == {"type": "file_search", "vector_store_ids": ["vs_1"]}
    assert tool != BuiltinTool(type="file_search")


# The other parameters


def test_the_fields_that_the_documentation_names_now():
    """All documented fields can be sent."""
    fields: dict[str, Any] = {
        "background": True,
        "text": {"format": {"type": "text"}, "verbosity": None},
        "store": False,
        "expire_at": 0,
        "include": ["reasoning.encrypted_content"],
        "max_completion_tokens": 9,
        "n": 1,
        "logprobs": False,
        "top_logprobs": 0,
        "logit_bias": {"50256": -100},
        "stream_options": {"include_obfuscation": False},
        "parallel_tool_calls": False,
        "metadata": {"team": "blue"},
        "provider": {"order": ["a"], "new": 1},
        "service_tier": "flex",
        "reasoning": {"effort": "high", "summary": "auto"},
        "weight_profile": "balanced",
        "plugins": [{"id": "web"}],
        "thinking": {"type": "enabled"},
        "caching": {"type": "enabled"},
        "context_management": {"a": [None]},
        "tool_choice": {"type": "function", "name": "f"},
    }
    assert sent(**fields) == {"input": "hi", **fields}
    assert sent_object(**fields) == {"input": "hi", **fields}
    preferences = ProviderPreferences(allow_fallbacks=False)
    assert sent(provider=preferences)["provider"] == {"allow_fallbacks": False}


@given(st.lists(json_values, max_size=4) | texts)
def test_any_input_goes_out_as_it_is(value):
    assert sent(input=value)["input"] == value
    assert sent_object()["input"] == "hi"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_output_tokens": 0}, "max_output_tokens: expected int >= 1, got 0"),
        ({"temperature": 2.5}, "temperature: expected float <= 2.0, got 2.5"),
        ({"temperature": -0.1}, "temperature: expected float >= 0.0, got -0.1"),
        ({"top_p": 1.5}, "top_p: expected float <= 1.0, got 1.5"),
        ({"user": "u" * 257}, "user: expected str of length at most 256, got length 257"),
        ({"timeout": 0}, "timeout: expected float > 0, got 0"),
        ({"max_tool_calls": 11}, "max_tool_calls: expected int <= 10, got 11"),
        ({"max_tool_calls": 0}, "max_tool_calls: expected int >= 1, got 0"),
        ({"variables": {"a": 1}}, "variables.a: expected str, got int; write str(x)"),
        ({"messages": []}, "messages: no such parameter; did you mean input?"),
    ],
)
def test_limits(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        sent(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "fields",
    [
        {"max_output_tokens": 1, "temperature": 0, "top_p": 1, "timeout": 0.001},
        {"temperature": 2, "top_p": 0, "max_tool_calls": 10, "user": "u" * 256},
    ],
)
def test_the_limits_themselves_are_good(fields):
    assert sent(**fields) == {"input": "hi", **fields}


# Responses


def message(*parts: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(parts)}


def output_text(text: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


@given(st.lists(st.lists(texts, max_size=3), max_size=3))
def test_the_output_text_is_that_of_all_messages(said):
    items = [message(*map(output_text, parts)) for parts in said]
    assert response_of({"output": items}).output_text == "".join(map("".join, said))


def test_the_output_text_leaves_out_everything_but_texts_of_messages():
    output = [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        message({"type": "refusal", "refusal": "no"}, output_text("a"), output_text(None), 5),
        {"type": "message", "content": None},
        {"type": "message"},
        {"content": [output_text("no type")]},
        None,
        "text",
        message(output_text("b")),
    ]
    assert response_of({"output": output}).output_text == "ab"


@given(json_values)
def test_the_output_text_never_raises(value):
    try:
        assert isinstance(response_of({"output": value}).output_text, str)
    except ResponseDecodeError as exc:
        assert "output: expected list" in exc.message
    assert isinstance(response_of({"output": [value, message(value)]}).output_text, str)
    assert ResponsesResponse().output_text == ""


def test_unknown_fields_of_a_response_are_attributes():
    """Nothing that the gateway sends is lost."""
    fields = {
        "id": "resp_1",
        "created_at": 5,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"},
        "usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 1}, "new": 2},
        "status": "a_new_status",
        "output": [],
    }
    response = response_of(fields)
    assert response.created_at == 5
    assert response.error is None
    assert response.incomplete_details["reason"] == "max_output_tokens"
    assert response.status == "a_new_status"
    assert response.usage == ResponsesUsage(
        input_tokens=1, input_tokens_details={"cached_tokens": 1}
    )
    assert response.model_dump(exclude_none=True)["created_at"] == 5
    with pytest.raises(AttributeError):
        response.nothing_of_that_name  # noqa: B018


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
def test_the_rows_of_a_list_are_open_too():
    row = {"id": "resp_1", "object": "response", "created_at": 5, "region": "eu"}
    odd = {"id": None, "created_at": "yesterday"}
    body = msgspec.json.encode({"data": [row, 7, odd], "has_more": None, "cursor": "c"})
    page = attach(decode(body, LIST), body, meta_with(""))
    assert [item.id for item in page.data] == ["resp_1", ""]
    assert page.data[0].region == "eu"
    assert page.data[0].raw == row
    assert page.data[1].created_at is None
    assert page.data[1].raw == odd
    assert not page.has_more
    assert page.cursor == "c"


def test_an_event_of_any_type_shows_all_its_fields():
    payload = {
        "type": "response.hologram.delta",
        "usage": {"total_tokens": 3},
        "delta": "x",
        "angle": {"deep": [1]},
    }
    event = decode(msgspec.json.encode(payload), msgspec.json.Decoder(ResponsesStreamEvent))
    assert event.type == "response.hologram.delta"
    assert event.usage == ResponsesUsage(total_tokens=3)
    event = ResponsesStreamEvent.model_validate(payload)
    assert (event.delta, event.angle) == ("x", {"deep": [1]})
    assert event.model_dump(exclude_none=True) == payload
