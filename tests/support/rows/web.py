"""Web search."""

from meshapi_core.types.web import WebSearchParams, WebSearchResponse, WebSearchResultItem
from support.endpoint_rows import Row

_PATH = "/v1/web/search"

ROWS = [
    Row(
        "web.search",
        _PATH,
        args=(WebSearchParams(query="weather", provider="tavily", exclude_domains=["x.test"]),),
        json={
            "query": "weather",
            "provider": "tavily",
            "exclude_domains": ["x.test"],
            "max_results": 5,
            "search_depth": "basic",
            "include_answer": False,
        },
        response={
            "query": "weather",
            "answer": None,
            "results": [
                {
                    "title": "Rain",
                    "url": "https://y.test",
                    "content": "It rains.",
                    "score": 1,
                    "published_date": "today",
                },
                {"title": "Sun", "url": None, "score": "high"},
            ],
            "provider": "tavily",
            "request_id": "req_1",
        },
        value=WebSearchResponse(
            query="weather",
            results=[
                WebSearchResultItem(
                    title="Rain",
                    url="https://y.test",
                    content="It rains.",
                    score=1.0,
                    published_date="today",
                ),
                WebSearchResultItem(title="Sun"),
            ],
            provider="tavily",
            request_id="req_1",
        ),
    ),
    Row(
        "web.search",
        _PATH,
        kwargs={
            "query": "weather",
            "provider": "tinyfish",
            "max_results": 20,
            "search_depth": "advanced",
            "include_domains": [],
            "include_answer": True,
            "include_page_content": True,
        },
        json={
            "query": "weather",
            "provider": "tinyfish",
            "max_results": 20,
            "search_depth": "advanced",
            "include_domains": [],
            "include_answer": True,
            "include_page_content": True,
        },
        response={
            "query": "weather",
            "answer": "It rains.",
            "results": [{"title": "Rain", "page_content": "", "page_content_truncated": False}],
            "provider": "tinyfish",
        },
        value=WebSearchResponse(
            query="weather",
            answer="It rains.",
            results=[
                WebSearchResultItem(title="Rain", page_content="", page_content_truncated=False)
            ],
            provider="tinyfish",
        ),
    ),
]
