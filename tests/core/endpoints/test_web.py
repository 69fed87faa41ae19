"""endpoints.web: both forms of a call, and what is refused before anything is sent."""

import json

import pytest

from meshapi_core.endpoints.web import Web
from meshapi_core.errors import InvalidParamsError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.types.web import WebSearchParams

JSON = Headers([("Content-Type", "application/json")])


def test_both_forms_say_the_same():
    by_object = Web.search.build(WebSearchParams(query="q", max_results=1))
    by_keyword = Web.search.build(query="q", max_results=1)
    assert json.loads(by_object.body) == json.loads(by_keyword.body)


def test_an_empty_query_is_refused():
    with pytest.raises(InvalidParamsError, match=r"^query: expected str of length at least 1"):
        Web.search.build(query="")


def test_a_response_keeps_what_it_does_not_name():
    body = b'{"query":"q","results":[{"title":"t","favicon":"f"}],"took_ms":5}'
    response = Web.search.build(query="q").read(Response(200, JSON, body))
    assert response.raw["took_ms"] == 5
    assert response.raw["results"][0]["favicon"] == "f"
