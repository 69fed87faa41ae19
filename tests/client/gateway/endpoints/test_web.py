"""/v1/web/search of the local gateway."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, post

PATH = "/v1/web/search"


def search(gateway: LocalGateway, query: str = "cats", **members: Any) -> Response:
    return post(gateway, PATH, {"query": query, **members})


def hosts(answer: Response) -> set[Any]:
    return {urlsplit(result["url"]).hostname for result in answer.json()["results"]}


def test_results_say_that_they_are_made_up_and_are_the_same_each_time(
    gateway: LocalGateway,
) -> None:
    answer = search(gateway)
    body = answer.json()
    assert (body["query"], body["provider"], body["answer"]) == ("cats", "native", None)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert len(body["results"]) == 5
    for result in body["results"]:
        assert "Made-up" in result["title"]
        assert "made it up" in result["content"]
    assert hosts(answer) == {"example.com", "example.org", "example.net"}
    scores = [result["score"] for result in body["results"]]
    assert scores == sorted(scores, reverse=True)
    assert search(gateway).json()["results"] == body["results"]


@pytest.mark.parametrize("count", [1, 20])
def test_there_are_as_many_as_asked_for(gateway: LocalGateway, count: int) -> None:
    results = search(gateway, max_results=count).json()["results"]
    assert len({result["url"] for result in results}) == count
    only = search(gateway, max_results=count, include_domains=["example.org"])
    assert len(only.json()["results"]) == count


def test_domains_are_kept_in_and_out(gateway: LocalGateway) -> None:
    assert hosts(search(gateway, include_domains=["Example.org"])) == {"example.org"}
    assert hosts(search(gateway, exclude_domains=["example.org", "com"])) == {"example.net"}
    assert hosts(search(gateway, include_domains=["ample.org"])) == set()


def test_a_response_and_pages_come_on_request(gateway: LocalGateway) -> None:
    body = search(gateway, include_answer=True, include_page_content=True, provider="tavily").json()
    assert "made up" in body["answer"]
    assert body["provider"] == "tavily"
    assert body["results"][0]["page_content"]
    assert body["results"][0]["page_content_truncated"] is False
    assert "page_content" not in search(gateway).json()["results"][0]


@pytest.mark.parametrize(
    ("body", "kind", "where"),
    [
        ({}, "missing", ["query"]),
        ({"query": ""}, "string_too_short", ["query"]),
        ({"query": "x" * 2001}, "string_too_long", ["query"]),
        ({"query": 5}, "string_type", ["query"]),
        ({"query": "a", "max_results": 0}, "greater_than_equal", ["max_results"]),
        ({"query": "a", "max_results": 21}, "less_than_equal", ["max_results"]),
        ({"query": "a", "search_depth": "deep"}, "literal_error", ["search_depth"]),
        ({"query": "a", "provider": "acme"}, "literal_error", ["provider"]),
        ({"query": "a", "include_domains": "a"}, "list_type", ["include_domains"]),
    ],
)
def test_a_bad_body_is_refused(
    gateway: LocalGateway, body: dict[str, Any], kind: str, where: list[Any]
) -> None:
    assert post(gateway, PATH, body).faults[0] == (kind, ["body", *where])


def test_models_are_checked_and_fail_on_purpose(gateway: LocalGateway) -> None:
    assert search(gateway, model="acme/none").code == (404, "model_not_found")
    assert search(gateway, model="mesh/rate-limited").code == (429, "rate_limit_exceeded")
