"""Bodies that are nearly right: the local gateway accepts or refuses them, but never breaks."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshapi.gateway.http import validation
from meshapi.testing import LocalGateway
from support.gateway_calls import post

MESSAGES: list[Any] = [
    {"role": "system", "content": None},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/responses": {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "in Paris?"}]},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "18"},
            {"role": "user", "content": "Hi"},
        ],
        "model": "openai/gpt-4o",
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "reasoning": {"effort": "low"},
        "instructions": "Be brief.",
        "max_output_tokens": 5,
        "stream": True,
        "background": False,
        "store": False,
        "user": "ann",
    },
    "/v1/embeddings": {
        "input": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "b"}}],
        "dimensions": 4,
        "encoding_format": "base64",
        "provider": {"order": ["a"]},
    },
    "/v1/chat/compare": {
        "models": ["openai/gpt-4o", "acme/none"],
        "messages": MESSAGES,
        "model_overrides": [{"model": "openai/gpt-4o", "max_tokens": 2, "system_prompt": "x"}],
        "comparison_model": "openai/gpt-4o",
        "comparison_instructions": "x",
        "skip_comparison": False,
        "stream": True,
    },
    "/v1/moderations": {
        "input": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "b"}}],
        "model": "omni-moderation-latest",
    },
    "/v1/web/search": {
        "query": "a",
        "max_results": 2,
        "include_domains": ["example.com"],
        "exclude_domains": ["example.org"],
        "include_answer": True,
    },
    "/v1/router/select": {
        "messages": MESSAGES,
        "api_type": "responses",
        "exclude_models": ["a"],
        "candidate_models": ["b"],
    },
    "/v1/usage": {"model": "a"},
    "/v1/usage/events": {"limit": 2, "offset": 0, "model": "a"},
}

ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.sampled_from([[], {}, [[]], [{}], [None], ["a", 1], {"type": "text"}, {"type": []}]),
)


def places(value: Any) -> list[list[Any]]:
    """The paths to all values within the value."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return [[]]
    return [[]] + [[key, *rest] for key, child in inner for rest in places(child)]


@pytest.mark.slow
@pytest.mark.parametrize("path", BODIES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_odd_value_anywhere_is_refused_or_answered(
    gateway: LocalGateway, path: str, data: st.DataObject
) -> None:
    body = copy.deepcopy(BODIES[path])
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(places(body)[1:] or [["x"]]))
        holder: Any = body
        for step in way:
            holder = holder[step]
        # The lists and objects among them are the same each time they are drawn.
        holder[last] = copy.deepcopy(data.draw(ODD))
    response = post(gateway, path, body)
    assert response.status in (200, 400, 404, 422, 501, 502), response.body
    if response.status == 422:
        assert response.error["details"]


@pytest.mark.parametrize("path", BODIES)
def test_the_bodies_themselves_are_right(gateway: LocalGateway, path: str) -> None:
    assert post(gateway, path, BODIES[path]).status == 200


@pytest.mark.parametrize("path", [*BODIES, "/v1/files", "/v1/templates", "/__gateway/scripts"])
@pytest.mark.parametrize("part", [b"[]", b"{}"])
def test_a_body_of_thousands_of_lists_is_not_parsed(
    gateway: LocalGateway, path: str, part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "_MOST_PARTS", 1000)
    response = post(gateway, path, b'{"input":[' + b",".join([part] * 1000) + b"]}")
    assert response.faults == [("json_invalid", ["body"])]


@pytest.mark.parametrize("path", BODIES)
def test_huge_numbers_and_deep_nesting_break_nothing(gateway: LocalGateway, path: str) -> None:
    for value in (b"9" * 10_000, b"1e999999", b"-1e-999999", b"[" * 100_000, b'{"a":' * 100_000):
        for field in (b"input", b"model", b"messages"):
            response = post(gateway, path, b'{"%b":%b}' % (field, value))
            # The paths of usage take a body and do not look at it.
            assert response.status == 422 or "/usage" in path
            assert response.status < 500
