"""types.web: limits, fields that are always sent, and odd rows."""

import json
from typing import Any

import msgspec
import pytest

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import encode_params
from meshapi_core.types.web import (
    WebSearchFields,
    WebSearchParams,
    WebSearchResponse,
    WebSearchResultItem,
)


def sent(**fields: Any) -> Any:
    return json.loads(encode_params(WebSearchParams, None, fields, {}))


ALWAYS = {"max_results": 5, "search_depth": "basic", "include_answer": False}


def test_keywords_are_the_fields_of_the_params():
    assert set(WebSearchFields.__annotations__) == set(WebSearchParams.__struct_fields__)


def test_three_fields_are_always_sent():
    body = encode_params(WebSearchParams, WebSearchParams(query="q"), {}, {})
    assert json.loads(body) == sent(query="q") == {"query": "q", **ALWAYS}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "query: expected str, got nothing; write query=..."),
        ({"query": ""}, "query: expected str of length at least 1, got length 0"),
        ({"query": "x" * 2001}, "query: expected str of length at most 2000, got length 2001"),
        ({"query": "q", "max_results": 0}, "max_results: expected int >= 1, got 0"),
        ({"query": "q", "max_results": 21}, "max_results: expected int <= 20, got 21"),
        ({"query": "q", "search_depth": 2}, "search_depth: expected str, got int; write str(x)"),
        (
            {"query": "q", "include_domains": "x.test"},
            "include_domains: expected list, got str; put it in a list: include_domains=[...]",
        ),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)
def test_limits(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        sent(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize("max_results", [1, 20])
@pytest.mark.parametrize("query", ["x", "x" * 2000, "\U0001f600" * 2000], ids=["1", "2000", "wide"])
def test_the_limits_themselves_are_allowed(query, max_results):
    wire = {**ALWAYS, "query": query, "max_results": max_results}
    assert sent(query=query, max_results=max_results) == wire


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
def test_odd_rows_do_not_break_the_others():
    rows = [{"title": None, "score": "high"}, None, {"url": "u", "page_content": None}]
    body = msgspec.json.encode({"results": rows, "provider": None})
    assert decode(body, msgspec.json.Decoder(WebSearchResponse)) == WebSearchResponse(
        results=[WebSearchResultItem(), WebSearchResultItem(url="u")]
    )
