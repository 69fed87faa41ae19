"""Items: what a call gave, as an object, as a row and as a line."""

import base64
import json
from decimal import Decimal
from typing import Any, Optional

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import (
    APITimeoutError,
    Call,
    MeshAPIError,
    OutputTruncatedError,
    RateLimitError,
    ResponseWarning,
)
from meshapi_core.bulk import ITEM_COLUMNS, SummaryCounts, item_usage, item_values
from meshapi_core.bulk.item_usage import cost_in_usage, usage_of
from meshapi_core.bulk.items import MapItem, text_in
from meshapi_core.endpoints import Compare, Completions, Embeddings, Models, Responses
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.usage import TotalUsage

CHAT: Call[Any] = Completions.create.build(model="m", messages=[{"role": "user", "content": "x"}])
BODY: dict[str, Any] = {
    "id": "c-1",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 20, "cost": "0.0001"},
    "not_declared": [1, None],
}


def responded(call: Call[Any], body: bytes) -> Any:
    return call.read(Response(200, Headers(()), body))


def test_an_item_gives_its_response_or_raises_its_error() -> None:
    assert MapItem(index=0, id="a", value=5).result() == 5
    error = RateLimitError("slow down", status=429)
    with pytest.raises(RateLimitError) as caught:
        MapItem[int](index=0, id="a", error=error).result()
    assert caught.value is error
    assert MapItem[None](index=0, id="a").result() is None


def test_a_row_has_the_response_as_it_was_sent() -> None:
    value = responded(CHAT, json.dumps(BODY, indent=2).encode())
    usage = usage_of(CHAT, value)
    item = MapItem(
        index=3,
        id="a",
        value=value,
        usage=usage,
        cost=cost_in_usage(usage),
        attempts=2,
        request_id="req_1",
    )
    assert item.row() == {
        "id": "a",
        "output": BODY,
        "finish_reason": None,
        "error": None,
        "usage": {
            "input_tokens": 10,
            "output_tokens": 20,
            "cached_tokens": 0,
            "reasoning_tokens": 0,
        },
        "cost": 0.0001,
        "attempts": 2,
        "request_id": "req_1",
    }
    line = item.line()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == item.row()
    assert [*json.loads(line)] == [*item.row()]


def test_a_row_says_why_there_is_no_response() -> None:
    error = RateLimitError(
        "slow down", status=429, error_code="rate_limit_exceeded", details=["\ud800"]
    )
    item = MapItem[Any](index=0, id="a", error=error)
    assert item.row()["error"] == {
        "code": "rate_limit_exceeded",
        "message": "slow down",
        "details": ["\ud800"],
        "status": 429,
    }
    assert json.loads(item.line())["error"]["details"] == ["\ufffd"]
    assert item.row()["output"] is None


@pytest.mark.parametrize(
    ("value", "output"),
    [
        (b"\x00RIFF", base64.b64encode(b"\x00RIFF").decode()),
        ("a\nb", "a\nb"),
        ([1, {"a": None}], [1, {"a": None}]),
        (None, None),
    ],
)
def test_other_values_are_in_a_row_as_json(value: Any, output: Any) -> None:
    item = MapItem(index=0, id="a", value=value)
    assert item.row()["output"] == output
    assert json.loads(item.line())["output"] == output
    assert item.line().count(b"\n") == 1


def test_an_object_that_no_gateway_sent_is_in_a_row() -> None:
    value = responded(CHAT, json.dumps(BODY).encode())
    made = value.model_copy(update={"id": "c-2"})
    made.__dict__.clear()
    assert MapItem(index=0, id="a", value=made).row()["output"]["id"] == "c-2"


def test_an_odd_body_becomes_a_line_all_the_same() -> None:
    body = json.dumps(BODY).encode().replace(b"Hello", b"\\ud800\xff").replace(b"10,", b"NaN,")
    with pytest.warns(ResponseWarning):
        value = responded(CHAT, body)
    line = MapItem(index=0, id="a", value=value).line()
    output = json.loads(line)["output"]
    assert output["choices"][0]["message"]["content"] == "\ufffd\ufffd"
    assert output["usage"]["prompt_tokens"] is None


def test_the_text_of_a_response_is_found() -> None:
    assert text_in(responded(CHAT, json.dumps(BODY).encode())) == "Hello"
    parts = [{"type": "output_text", "text": "Hi"}]
    body = {"id": "r", "output": [{"type": "message", "role": "assistant", "content": parts}]}
    call = Responses.create.build(model="m", input="x")
    assert text_in(responded(call, json.dumps(body).encode())) == "Hi"
    assert text_in("as such") == "as such"
    assert text_in(b"RIFF") is None
    assert text_in(None) is None


def completion(*choices: tuple[Optional[str], Optional[str]]) -> Any:
    """A completion whose choices have these finish reasons and refusals."""
    told = [
        {"finish_reason": reason, "message": {"role": "assistant", "refusal": refusal}}
        for reason, refusal in choices
    ]
    return responded(CHAT, json.dumps({"id": "c", "choices": told}).encode())


REFUSED = {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}
CALLED = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "1"}


def response(status: Optional[str], *output: Any, why: Any = None) -> Any:
    body = {"id": "r", "status": status, "output": output, "incomplete_details": why}
    call = Responses.create.build(model="m", input="x")
    return responded(call, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("value", "reason", "counted"),
    [
        (completion(("stop", None)), "stop", None),
        (completion(("tool_calls", None)), "tool_calls", None),
        (completion(("a new one", None)), "a new one", None),
        (completion((None, None)), None, None),
        (completion(), None, None),
        (completion(("length", None)), "length", "truncated"),
        (completion(("max_tokens", None)), "max_tokens", "truncated"),
        (completion(("content_filter", None)), "content_filter", "filtered"),
        (completion(("stop", "I will not")), "refusal", "refused"),
        (completion(("stop", None), ("length", None)), "length", "truncated"),
        (completion(("stop", None), ("tool_calls", None)), "stop", None),
        (response("completed", {"type": "message", "content": None}, 5), "stop", None),
        (response("completed", CALLED), "tool_calls", None),
        (response("completed", REFUSED), "refusal", "refused"),
        (response("incomplete", why={"reason": "max_output_tokens"}), "length", "truncated"),
        (response("incomplete", why={"reason": 5}), "length", "truncated"),
        (response("incomplete"), "length", "truncated"),
        (response("incomplete", why={"reason": "content_filter"}), "content_filter", "filtered"),
        (response("failed"), "failed", None),
        (response(None), None, None),
        (responded(Embeddings.create.build(input="x"), b'{"data": []}'), None, None),
        (b"RIFF", None, None),
        (None, None, None),
    ],
)
def test_an_item_says_how_the_answer_ended(
    value: Any, reason: Optional[str], counted: Optional[str]
) -> None:
    item = MapItem(index=0, id="a", value=value)
    assert item.finish_reason == item.row()["finish_reason"] == reason
    assert dict(zip(ITEM_COLUMNS, item_values(item)))["finish_reason"] == reason
    counts = SummaryCounts()
    counts.add(item)
    counts.add(MapItem(index=1, id="b", value=value, recorded=True))
    found = counts.summary()
    names = ("truncated", "filtered", "refused")
    assert [getattr(found, name) for name in names] == [2 * (name == counted) for name in names]
    assert found.succeeded == 2


def test_an_error_says_how_the_answer_ended_that_it_has() -> None:
    error: MeshAPIError = OutputTruncatedError("cut", response=completion(("length", None)))
    item = MapItem[Any](index=0, id="a", error=error)
    assert item.finish_reason == "length"
    counts = SummaryCounts()
    counts.add(item)
    # It is among the errors, and is not counted twice.
    assert (counts.summary().truncated, counts.summary().errors) == (0, {"output_truncated": 1})
    assert MapItem[Any](index=0, id="a", error=MeshAPIError("no")).finish_reason is None


COUNTS = st.one_of(
    st.none(), st.integers(-1, 50), st.just(2**63), st.just(1.5), st.just("5"), st.booleans()
)
COSTS = st.one_of(st.none(), st.floats(0, 1), st.just("0.01"), st.just(-1), st.just("x"))
DETAILS = st.one_of(
    COUNTS, st.dictionaries(st.sampled_from(["cached_tokens", "reasoning_tokens"]), COUNTS)
)
NAMES = ("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens")
COST_NAMES = ("cost", "cost_usd", "total_cost_usd")
DETAIL_NAMES = (
    "prompt_tokens_details",
    "input_tokens_details",
    "input_token_details",
    "completion_tokens_details",
    "output_tokens_details",
)
PRICED = dict.fromkeys(COST_NAMES, COSTS)
USAGES: Any = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(NAMES, COUNTS), **PRICED, **dict.fromkeys(DETAIL_NAMES, DETAILS)}
)
BODIES: Any = st.fixed_dictionaries({}, optional={"usage": st.one_of(COUNTS, USAGES), **PRICED})


@given(BODIES)
def test_the_short_way_to_the_usage_leads_to_the_same(body: dict[str, Any]) -> None:
    data = msgspec.json.encode(body)
    short = item_usage.plainly_used(data)
    assert short in (None, sum_of(CHAT, data))
    assert usage_of(CHAT, None, data) == sum_of(CHAT, data)


def test_the_short_way_is_taken() -> None:
    assert item_usage.plainly_used(msgspec.json.encode(BODY)) is not None
    usage = {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 2}
    assert item_usage.plainly_used(msgspec.json.encode({"usage": usage})) is not None


def sum_of(call: Call[Any], data: bytes) -> TotalUsage:
    from meshapi_core.usage import PriceList

    return usage_of(call, None, data, None, PriceList())


def test_the_usage_of_other_calls() -> None:
    assert usage_of(Models.list.build(), []) == TotalUsage()
    embeddings = Embeddings.create.build(model="m", input="x")
    used = usage_of(embeddings, None, b'{"usage": {"total_tokens": 7}}')
    assert used == TotalUsage(requests=1, input_tokens=7, unpriced=1)
    comparison = Compare.create.build(
        models=["a", "b"], messages=[{"role": "user", "content": "x"}], skip_comparison=True
    )
    rows = [
        {"model": "a", "response_body": {"usage": {"prompt_tokens": 3, "cost": 1}}},
        {"model": "b", "response_body": {"usage": {"prompt_tokens": 4}}},
    ]
    used = usage_of(comparison, None, msgspec.json.encode({"results": rows}))
    assert used == TotalUsage(requests=2, input_tokens=7, cost_usd=Decimal(1), unpriced=1)
    assert cost_in_usage(used) is None


@pytest.mark.parametrize(
    ("error", "unpriced"),
    [
        (RateLimitError("x", status=429), 0),
        (APITimeoutError("x", phase="read"), 1),
        (MeshAPIError("x", error_code="connect_refused"), 0),
    ],
)
def test_a_call_that_failed_may_have_cost_something(error: Exception, unpriced: int) -> None:
    used = usage_of(CHAT, error=error)
    assert used == TotalUsage(requests=1, unpriced=unpriced)


def test_a_cost_is_known_if_all_of_it_is() -> None:
    assert cost_in_usage(TotalUsage(requests=1, cost_usd=Decimal("0.5"))) == Decimal("0.5")
    assert cost_in_usage(TotalUsage(requests=1)) == 0
    assert cost_in_usage(TotalUsage(requests=1, unpriced=1)) is None
    assert cost_in_usage(TotalUsage()) is None
