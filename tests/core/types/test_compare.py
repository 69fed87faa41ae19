"""types.compare: limits, overrides, what is always sent, and odd rows."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import encode_params
from meshapi_core.types.chat import ChatMessage
from meshapi_core.types.compare import (
    CompareFields,
    CompareParams,
    CompareResponse,
    CompareStreamEvent,
    ModelCompareResult,
    ModelOverride,
    TokenUsage,
)
from support.structs import json_objects

FIELDS: dict[str, Any] = {"models": ["a", "b"], "messages": []}


def sent(**fields: Any) -> Any:
    return json.loads(encode_params(CompareParams, None, {**FIELDS, **fields}, {}))


def test_keywords_are_the_fields_of_the_params_but_for_stream():
    names = set(CompareParams.__struct_fields__) - {"stream"}
    assert set(CompareFields.__annotations__) == names


def test_skip_comparison_is_always_sent_by_an_object():
    messages = [ChatMessage(role="user", content="hi")]
    params = CompareParams(models=["a"], messages=messages)
    assert json.loads(encode_params(CompareParams, params, {}, {})) == {
        "models": ["a"],
        "messages": [{"role": "user", "content": "hi"}],
        "skip_comparison": False,
    }


def test_overrides_as_objects_and_as_dicts_that_know_more():
    override = ModelOverride(model="a", temperature=0, max_tokens=1, system_prompt="")
    wire = {"model": "a", "temperature": 0, "max_tokens": 1, "system_prompt": ""}
    newer = {**wire, "top_k": None}
    assert sent(model_overrides=[override, newer])["model_overrides"] == [wire, newer]


@given(json_objects)
def test_messages_keep_what_no_type_knows(unknown):
    message = {"role": "user", "content": "hi", **{f"new_{k}": v for k, v in unknown.items()}}
    assert sent(messages=[message])["messages"] == [message]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": 2.1}, "temperature: expected float <= 2.0, got 2.1"),
        ({"max_tokens": 0}, "max_tokens: expected int >= 1, got 0"),
        ({"models": "a"}, "models: expected list, got str; put it in a list: models=[...]"),
        ({"models": ["a", 5]}, "models[1]: expected str, got int; write str(x)"),
        (
            {"model_overrides": [{"model": "a", "temperature": -1}]},
            "model_overrides[0].temperature: expected float >= 0.0, got -1",
        ),
        (
            {"model_overrides": [{}]},
            'model_overrides[0].model: expected str, got nothing; write {"model": "..."}',
        ),
        (
            {"model": "a"},
            "model: no such parameter; did you mean models?",
        ),
    ],
)
def test_limits(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        sent(**fields)
    assert str(caught.value) == message


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
def test_a_failed_model_is_a_row_like_the_others():
    rows = [
        {"model": "a", "content": "4", "usage": {"total_tokens": 3}, "request_id": "r::a"},
        {"model": "b", "latency_ms": 5, "error": "No.", "error_code": "gateway_timeout"},
        None,
    ]
    body = msgspec.json.encode({"comparison_id": "cmp_1", "results": rows, "partial": True})
    response = decode(body, msgspec.json.Decoder(CompareResponse))
    assert response.results == [
        ModelCompareResult(
            model="a", content="4", usage=TokenUsage(total_tokens=3), request_id="r::a"
        ),
        ModelCompareResult(model="b", latency_ms=5, error="No.", error_code="gateway_timeout"),
    ]
    assert response.partial
    assert response.comparison is None


def test_an_event_shows_fields_that_it_does_not_name():
    event = CompareStreamEvent(event="model_done", results=[{"model": "a"}])
    assert event.results == [{"model": "a"}]
    assert event.model_dump(exclude_none=True) == {
        "event": "model_done",
        "results": [{"model": "a"}],
    }
