"""Which calls are counted, by which model, and with what their notices say."""

import json
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import Headers, Origin
from meshapi_core.calls import Call
from meshapi_core.errors import APIConnectionError, APIStatusError, BadRequestError
from meshapi_core.messages import Response
from meshapi_core.observing import (
    CallClosed,
    CallFailed,
    CallInfo,
    CallSucceeded,
    ItemReceived,
    Notice,
    ResponseStarted,
)
from meshapi_core.readers import JSONReader
from meshapi_core.types import CompareStreamEvent
from meshapi_core.usage import Account, CallUsage, TotalUsage, call_usage
from support.endpoint_rows import all_rows

COUNTED = frozenset(
    "audio.audio_translate audio.stream audio.synthesize audio.transcribe audio.translate"
    " batches.create chat.completions.create chat.completions.stream compare.create compare.stream"
    " documents.generate embeddings.create images.edit images.generate images.stream"
    " moderations.create rag.embed rag.search responses.create responses.stream router.select"
    " videos.generate web.search".split()
)
FREE_POSTS = frozenset(
    "batches.cancel files.upload rag.init_upload templates.create usage.events usage.query".split()
)


def test_every_endpoint_counts_or_is_known_to_be_free() -> None:
    counted, posts = set[str](), set[str]()
    for row in all_rows():
        body = b"" if row.json is None else json.dumps(row.json).encode()
        call = Call(method=row.method, path=row.path, body=body, reader=JSONReader(dict))
        if call_usage(call) is not None:
            counted.add(row.endpoint)
        if row.method == "POST":
            posts.add(row.endpoint)
    assert counted == COUNTED
    assert posts - counted == FREE_POSTS


def usage_of(path: str, **fields: Any) -> CallUsage:
    body = json.dumps(fields).encode()
    found = call_usage(Call(method="POST", path=path, body=body, reader=JSONReader(dict)))
    assert found is not None
    return found


ABOUT = CallInfo(
    Call(method="POST", path="/v1/chat/completions", reader=JSONReader(dict)),
    "POST",
    "/v1/chat/completions",
    Origin("https", "gateway.test", 443),
    0.0,
)
NONE = Headers([])


def notice(kind: Any, *, attempt: int = 1, **fields: Any) -> Any:
    return kind(about=ABOUT, at=0.0, attempt=attempt, most_attempts=3, **fields)


def succeeded(body: Any = None) -> Notice:
    response = None if body is None else Response(200, NONE, json.dumps(body).encode())
    found: Notice = notice(CallSucceeded, status=200, headers=NONE, response=response, seconds=1.0)
    return found


def failed(error: Exception, **fields: Any) -> Notice:
    found: Notice = notice(CallFailed, error=error, **fields)
    return found


def total(usage: CallUsage, *notices: Notice) -> "dict[str, TotalUsage]":
    account = Account()
    account.enter(usage.begin())
    for each in notices:
        account.enter(usage.receive(each))
    return account.by_model


TOKENS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize(
    ("asked", "header", "found", "name"),
    [
        ("a/b", "", "a/b-2026", "a/b"),
        ("a/b", "c/d", "c/d", "c/d"),
        ("auto", "c/d", "x", "c/d"),
        ("auto", "", "x", "x"),
        (None, "", "x", "x"),
        ("auto", "", "", "auto"),
        (None, "", "", "/v1/chat/completions"),
    ],
)
def test_a_request_goes_by_the_name_that_has_the_price(
    asked: Optional[str], header: str, found: str, name: str
) -> None:
    headers = Headers([("X-Resolved-Model-Id", header)]) if header else NONE
    body = {"model": found, "usage": TOKENS, "cost": "0.5"}
    known = total(
        usage_of("/v1/chat/completions", **({} if asked is None else {"model": asked})),
        notice(ResponseStarted, status=200, headers=headers, seconds=0.1),
        succeeded(body),
    )
    assert {*known} == {name}
    assert known[name].total_tokens == 5


BUSY = APIStatusError("busy", status=503)


@pytest.mark.parametrize(
    ("end", "unpriced"),
    [
        (succeeded({}), 1),
        (succeeded(), 1),
        (failed(BadRequestError("no", status=400)), 0),
        (failed(BUSY), 0),
        (failed(BUSY, items=1), 1),
        (failed(APIConnectionError("gone", error_code="connect_failed")), 0),
        (failed(APIConnectionError("gone", error_code="dns_failed")), 0),
        (failed(APIConnectionError("gone", error_code="read_failed")), 1),
        (failed(OSError("the file is gone")), 0),
        (notice(CallClosed, headers=NONE), 1),
    ],
)
def test_what_may_have_cost_something_is_unpriced(end: Notice, unpriced: int) -> None:
    known = total(usage_of("/v1/chat/completions", model="m"), end)
    assert known == {"m": TotalUsage(requests=1, unpriced=unpriced)}


@pytest.mark.parametrize(
    "end",
    [notice(CallClosed, attempt=0, headers=NONE), notice(CallFailed, attempt=0, error=OSError())],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/chat/compare"])
def test_a_call_that_was_never_sent_is_no_request(path: str, end: Notice) -> None:
    assert total(usage_of(path, model="m", models=["m", "n"]), end) == {}


def test_a_comparison_is_a_request_for_each_model_and_one_to_compare() -> None:
    usage = usage_of("/v1/chat/compare", models=["a", "b", "c", "a"])
    body = {
        "results": [
            {"model": "a", "usage": TOKENS, "response_body": {"cost": "0.25"}},
            {"model": "b", "error": "no", "error_code": "upstream_error"},
            {"model": "c", "usage": TOKENS},
            {"model": "never asked", "usage": TOKENS},
        ],
        "comparison_model": "a",
        "comparison_usage": {"total_tokens": 9},
    }
    known = total(usage, succeeded(body))
    assert {name: each.requests for name, each in known.items()} == {"a": 2, "b": 1, "c": 1}
    assert known["a"].total_tokens == 14
    assert (str(known["a"].cost_usd), known["a"].unpriced) == ("0.25", 1)
    assert known["b"] == TotalUsage(requests=1)
    assert known["c"].unpriced == 1


def test_a_comparison_without_a_comparison_has_no_further_request() -> None:
    usage = usage_of("/v1/chat/compare", models=["a"], skip_comparison=True)
    chunk = CompareStreamEvent(event="model_done", model="a", usage=TOKENS)
    known = total(usage, notice(ItemReceived, index=0, value=chunk), succeeded())
    assert known == {"a": TotalUsage(requests=1, input_tokens=3, output_tokens=2, unpriced=1)}


JUNK = st.sampled_from(
    [None, True, -1, 0.5, 1e300, "", "0.25", "x" * 999, [], [[]], {}, {"cost": "1"}, [{"model": 5}]]
)
NAMES = st.sampled_from(
    "model usage cost cost_usd results comparison_usage comparison_model response_body error"
    " x_resolved_model_id prompt_tokens".split()
)
ROWS = st.dictionaries(NAMES, JUNK, max_size=3)
ODD = st.dictionaries(NAMES, JUNK | ROWS | st.lists(ROWS, max_size=2), max_size=6)


@given(ODD, ODD, st.sampled_from(["/v1/chat/compare", "/v1/chat/completions", "/v1/responses"]))
def test_odd_json_says_less_and_breaks_nothing(request: Any, response: Any, path: str) -> None:
    request = {**request, "models": request.get("results")}
    known = total(usage_of(path, **request), succeeded(response))
    assert all(each.in_progress == 0 and each.requests >= 1 for each in known.values())
