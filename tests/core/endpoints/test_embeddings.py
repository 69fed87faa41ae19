"""endpoints.embeddings: what is refused before anything is sent, and odd responses."""

import json

import msgspec
import pytest

from meshapi_core.endpoints.embeddings import Embeddings
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.types.embeddings import EmbeddingsParams

JSON = Headers([("Content-Type", "application/json"), ("X-Request-Id", "req_1")])


def test_input_is_required():
    with pytest.raises(
        InvalidParamsError, match=r"^input: expected str or list, got nothing; write input="
    ):
        Embeddings.create.build(model="m")


def test_an_object_and_keywords_at_once_are_refused():
    with pytest.raises(InvalidParamsError, match=r"^model: given together with params"):
        Embeddings.create.build(EmbeddingsParams(input="a"), model="m")


def test_both_forms_make_the_same_call():
    by_object = Embeddings.create.build(EmbeddingsParams(input=["a"], dimensions=3))
    assert by_object == Embeddings.create.build(input=("a",), dimensions=3)
    assert isinstance(by_object.body, bytes)
    assert json.loads(by_object.body) == {"input": ["a"], "dimensions": 3}


def test_a_response_keeps_what_it_does_not_name():
    document = {"data": [{"embedding": [0.5], "new": 1}], "cost": "0.1"}
    call = Embeddings.create.build(input="a")
    response = call.read(Response(200, JSON, msgspec.json.encode(document)))
    assert response.raw == document
    assert response._request_id == "req_1"
    assert list(response.data[0].vector()) == [0.5]


def test_a_response_that_is_none_is_refused():
    call = Embeddings.create.build(input="a")
    with pytest.raises(ResponseDecodeError) as caught:
        call.read(Response(200, JSON, b"7"))
    assert (caught.value.error_code, caught.value.request_id) == ("parse_error", "req_1")
