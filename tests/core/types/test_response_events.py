"""types.response_events: every documented type has its class, and every class all its fields."""

import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.types import response_events
from meshapi_core.types.response_events import EVENTS
from meshapi_core.types.responses import ResponsesStreamEvent
from support.structs import forms, json_values, sample, shape

KINDS = [pytest.param(kind, name, id=name) for name, kind in EVENTS.items()]

# The documented fields of each type of event, in addition to `type` and `sequence_number`.
_ITEM = {"item_id", "output_index"}
_PART = {*_ITEM, "content_index"}
_SUMMARY = {*_ITEM, "summary_index"}
_SHELL = {"output_index", "command_index"}
_CALLS = {
    "file_search_call": ("in_progress", "searching", "completed"),
    "web_search_call": ("in_progress", "searching", "completed"),
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
    "mcp_call": ("in_progress", "completed", "failed"),
    "mcp_list_tools": ("in_progress", "completed", "failed"),
    "compaction": ("compacting",),
}
DOCUMENTED: dict[str, set[str]] = {
    **{
        f"response.{word}": {"response"}
        for word in ("created", "queued", "in_progress", "completed", "failed", "incomplete")
    },
    "error": {"code", "message", "param"},
    "response.output_item.added": {"output_index", "item"},
    "response.output_item.done": {"output_index", "item"},
    "response.content_part.added": {*_PART, "part"},
    "response.content_part.done": {*_PART, "part"},
    "response.output_text.delta": {*_PART, "delta", "logprobs"},
    "response.output_text.done": {*_PART, "text", "logprobs"},
    "response.output_text.annotation.added": {*_PART, "annotation", "annotation_index"},
    "response.refusal.delta": {*_PART, "delta"},
    "response.refusal.done": {*_PART, "refusal"},
    "response.reasoning_text.delta": {*_PART, "delta"},
    "response.reasoning_text.done": {*_PART, "text"},
    "response.reasoning_summary_part.added": {*_SUMMARY, "part"},
    "response.reasoning_summary_part.done": {*_SUMMARY, "part", "status"},
    "response.reasoning_summary_text.delta": {*_SUMMARY, "delta"},
    "response.reasoning_summary_text.done": {*_SUMMARY, "text"},
    "response.function_call_arguments.delta": {*_ITEM, "delta"},
    "response.function_call_arguments.done": {*_ITEM, "arguments"},
    "response.mcp_call_arguments.delta": {*_ITEM, "delta"},
    "response.mcp_call_arguments.done": {*_ITEM, "arguments"},
    "response.custom_tool_call_input.delta": {*_ITEM, "delta"},
    "response.custom_tool_call_input.done": {*_ITEM, "input"},
    "response.code_interpreter_call_code.delta": {*_ITEM, "delta"},
    "response.code_interpreter_call_code.done": {*_ITEM, "code"},
    **{f"response.{call}.{word}": _ITEM for call, words in _CALLS.items() for word in words},
    "response.image_generation_call.partial_image": {
        *_ITEM,
        *("partial_image_b64", "partial_image_index"),
        *("size", "quality", "background", "output_format"),
    },
    "response.shell_call_command.added": {*_SHELL, "command"},
    "response.shell_call_command.delta": {*_SHELL, "delta"},
    "response.shell_call_command.done": {*_SHELL, "command"},
    "response.shell_call_output_content.delta": {*_SHELL, "item_id", "delta"},
    "response.shell_call_output_content.done": {*_SHELL, "item_id", "output"},
    "response.audio.delta": {"delta"},
    "response.audio.done": set(),
    "response.audio.transcript.delta": {"delta"},
    "response.audio.transcript.done": set(),
}


def test_every_documented_type_has_a_class():
    assert set(EVENTS) == set(DOCUMENTED)


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_a_class_has_the_documented_fields(kind, name):
    everywhere = {*ResponsesStreamEvent.__struct_fields__, "sequence_number"}
    assert set(kind.__struct_fields__) == everywhere | DOCUMENTED[name]


def test_every_class_is_for_one_type_and_is_exported():
    assert len(set(EVENTS.values())) == len(EVENTS)
    names = {kind.__name__ for kind in EVENTS.values()}
    assert set(response_events.__all__) == names
    for name in names:
        assert getattr(response_events, name) in EVENTS.values()
        assert name.startswith("Response")
        assert name.endswith("Event")


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_an_event_needs_nothing_and_knows_its_type(kind, name):
    event = kind()
    assert isinstance(event, ResponsesStreamEvent)
    assert event.type == name
    assert event.response is None
    assert event.usage is None
    assert msgspec.to_builtins(event) == {"type": name}


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_an_event_with_all_its_fields_and_one_more(kind, name):
    payload: dict[str, Any] = {**sample(shape(kind)), "type": name, "obfuscation": "x7"}
    event = kind.model_validate(payload)
    assert {field: event.model_dump()[field] for field in payload} == payload
    assert event.obfuscation == "x7"
    assert pickle.loads(pickle.dumps(event)) == event


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
@given(st.data())
def test_a_wrong_value_never_costs_the_event(data):
    name = data.draw(st.sampled_from(sorted(EVENTS)))
    payload = data.draw(forms(shape(EVENTS[name])))
    field = data.draw(st.sampled_from(EVENTS[name].__struct_fields__))
    payload[field] = data.draw(json_values)
    event = EVENTS[name].model_validate(payload)
    assert event.raw == payload
    assert isinstance(event.model_dump_json(), str)
