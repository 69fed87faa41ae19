"""Attributes of requests and responses, from any JSON whatever."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi import ChatCompletionResponse
from meshapi.telemetry import names
from meshapi.telemetry.attributes import ResponseFacts, fields_of, request_attributes
from meshapi.telemetry.names import OPERATIONS, operation_of
from support.endpoint_rows import all_rows

CHAT = operation_of("POST", "/v1/chat/completions")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OTHERS = (
    "choices finish_reason index usage id status text response format reasoning effort type"
    " response_format prompt_tokens completion_tokens total_tokens prompt_tokens_details"
    " cached_tokens"
).split()
FIELDS = st.sampled_from([*names.REQUEST, *OTHERS])
ODD = st.recursive(
    JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=20,
)
OBJECTS = st.dictionaries(FIELDS, ODD, max_size=8)


def is_attribute(value: Any) -> bool:
    """Whether OpenTelemetry takes a value: anything else is dropped, with a warning."""
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return isinstance(value, (str, bool, float))


@given(OBJECTS, st.booleans())
def test_any_request_gives_valid_attributes(fields: dict[str, Any], streaming: bool) -> None:
    found = request_attributes(fields, CHAT, streaming=streaming)
    assert all(map(is_attribute, found.values()))
    assert {*found} <= {*names.REQUEST.values(), names.REQUEST_STREAM, names.OUTPUT_TYPE}


@pytest.mark.slow
@given(st.lists(OBJECTS, max_size=4), st.booleans())
def test_any_response_gives_valid_attributes(bodies: list[dict[str, Any]], whole: bool) -> None:
    facts = ResponseFacts()
    for body in bodies:
        facts.take(body)
        facts.take({"response": body})
    assert all(map(is_attribute, facts.attributes(is_complete=whole).values()))
    assert all(0 <= count < 2**63 for _, count in facts.tokens())


@given(st.binary(max_size=40))
def test_any_body_has_fields_or_none(body: bytes) -> None:
    assert isinstance(fields_of(body), dict)


def test_the_fields_of_a_request() -> None:
    fields = {
        "model": "openai/gpt-4o-mini",
        "messages": [],
        "max_tokens": 10,
        "temperature": 1,
        "stop": "END",
        "n": 2,
        "seed": 7,
        "reasoning": {"effort": "low"},
        "response_format": {"type": "json_schema", "json_schema": {}},
    }
    assert request_attributes(fields, CHAT, streaming=True) == {
        "gen_ai.request.model": "openai/gpt-4o-mini",
        "gen_ai.request.max_tokens": 10,
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.seed": 7,
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.request.stream": True,
        "gen_ai.output.type": "json",
    }


def test_one_choice_is_not_worth_an_attribute() -> None:
    assert "gen_ai.request.choice.count" not in request_attributes({"n": 1}, CHAT, streaming=False)


def test_the_facts_of_a_response() -> None:
    facts = ResponseFacts()
    facts.take(
        ChatCompletionResponse.model_validate(
            {
                "id": "chatcmpl-1",
                "model": "gpt-4o-mini-2024",
                "choices": [
                    {"index": 1, "finish_reason": "length", "message": {"role": "assistant"}},
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}},
                ],
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 4,
                    "total_tokens": 13,
                    "prompt_tokens_details": {"cached_tokens": 3},
                    "completion_tokens_details": {"reasoning_tokens": 2},
                },
            }
        )
    )
    assert facts.tokens() == [("input", 9), ("output", 4), ("cache_read", 3), ("reasoning", 2)]
    assert facts.attributes(is_complete=True) == {
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-mini-2024",
        "gen_ai.response.finish_reasons": ["stop", "length"],
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ({"status": "completed"}, ["stop"]),
        ({"status": "failed"}, ["error"]),
        ({"status": "cancelled"}, ["error"]),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, None),
        ({"status": "incomplete"}, "length"),
        ({"status": "queued"}, []),
        ({"choices": [{"index": 0, "finish_reason": None}]}, []),
    ],
)
def test_a_response_has_the_reasons_of_chat_completions(body: dict[str, Any], reasons: Any) -> None:
    facts = ResponseFacts()
    facts.take(body)
    found = facts.attributes(is_complete=True).get("gen_ai.response.finish_reasons", [])
    wanted = reasons if isinstance(reasons, list) else [reasons or "content_filter"]
    assert found == wanted


def test_a_choice_that_has_not_ended_when_the_call_has_ended_with_an_error() -> None:
    facts = ResponseFacts()
    facts.take({"choices": [{"index": 0, "finish_reason": "stop"}, {"index": 1}]})
    facts.take({"choices": [{"index": 0, "finish_reason": None}]})
    found = facts.attributes(is_complete=False)
    assert found == {"gen_ai.response.finish_reasons": ["stop", "error"]}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, None),
        ({"response_format": {"type": "text"}}, "text"),
        ({"response_format": {"type": "json_object"}}, "json"),
        ({"text": {"format": {"type": "json_schema"}}}, "json"),
        ({"response_format": "wav"}, None),
    ],
)
def test_the_type_of_the_output_is_the_one_that_was_asked_for(fields: Any, kind: Any) -> None:
    found = request_attributes(fields, CHAT, streaming=False)
    assert found.get("gen_ai.output.type") == kind


def test_a_usage_that_was_not_sent_counts_nothing() -> None:
    facts = ResponseFacts()
    facts.take(ChatCompletionResponse(usage={}))
    assert facts.tokens() == []


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_is_a_request_of_an_endpoint(method: str, path: str) -> None:
    sent = {(row.method, row.path) for row in all_rows()}
    assert (method, path) in {*sent, ("GET", "/v1/realtime")}
