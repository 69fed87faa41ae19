"""endpoints.models: IDs keep their slashes and nothing else, and responses of any shape."""

import json

import pytest

from meshapi_core.endpoints.models import Models
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.types.models import ListModelsParams, ModelProviders, ModelSearchParams

BY_ID = [Models.get.build, Models.providers.build]
JSON = Headers([("content-type", "application/json"), ("x-request-id", "req_1")])


@pytest.mark.parametrize("build", BY_ID)
@pytest.mark.parametrize(
    "bad", ["", "/", ".", "..", "a/", "/a", "a//b", "a/../../admin", "./a", "a/.", None, 5]
)
def test_an_id_that_leads_elsewhere_is_refused(build, bad):
    """In other clients `a/../../admin` asked for `/v1/admin`."""
    with pytest.raises(InvalidParamsError, match=r"^model_id: "):
        build(bad)


def test_dots_within_a_name_are_none_of_that():
    path = Models.get.build("anthropic/claude-haiku-4.5/...").path
    assert path == "/v1/models/anthropic/claude-haiku-4.5/..."


def test_a_model_that_is_called_like_an_endpoint_is_the_callers_business():
    assert Models.get.build("free").path == Models.free.build().path


class TestAnResponseWhoseShapeNobodyDescribed:
    READ = staticmethod(Models.providers.build("m").read)

    @pytest.mark.parametrize("body", [b'{"data":[{"a":1}]}', b'[{"a":1}]', b'"a"', b"null"])
    def test_is_in_raw(self, body):
        response = self.READ(Response(200, JSON, body))
        assert type(response) is ModelProviders
        assert response.raw == json.loads(body)
        assert response._request_id == "req_1"

    def test_has_its_fields_as_attributes(self):
        response = self.READ(Response(200, JSON, b'{"data":[1]}'))
        assert response.data == [1]
        assert response.model_extra == {"data": [1]}

    def test_must_be_json(self):
        with pytest.raises(ResponseDecodeError) as caught:
            self.READ(Response(200, JSON, b"<html>"))
        assert (caught.value.status, caught.value.request_id) == (200, "req_1")
        assert caught.value.error_code == "parse_error"


@pytest.mark.parametrize(
    ("build", "args", "kwargs", "message"),
    [
        (Models.list.build, (), {"free": "yes"}, "free: expected bool, got str"),
        (Models.list.build, (), {"type": 5}, "type: expected str, got int"),
        (
            Models.list.build,
            (ListModelsParams(),),
            {"free": False},
            (
                "free: given together with params; put it into the ListModelsParams, or pass all "
                "parameters as keywords"
            ),
        ),
        (
            Models.list.build,
            ({"free": True},),
            {},
            "params: expected ListModelsParams, got dict; pass it as keywords: **params",
        ),
        (
            Models.search.build,
            (),
            {"query": "x"},
            (
                "query: no such parameter; the parameters are brand, discounted, free, "
                "input_modality, limit, offset, order, output_modality, q and sort"
            ),
        ),
        (Models.search.build, (), {"brand": "openai"}, "brand: expected list, got str"),
        (Models.search.build, (ModelSearchParams(limit="5"),), {}, "limit: expected int, got str"),
        (Models.search.build, (ListModelsParams(),), {}, "expected ModelSearchParams, got ListMo"),
    ],
)
def test_wrong_parameters_are_named(build, args, kwargs, message):
    with pytest.raises(InvalidParamsError) as caught:
        build(*args, **kwargs)
    assert message in str(caught.value)


def test_none_is_as_if_it_were_not_there():
    assert Models.list.build(ListModelsParams(free=None), free=None).query == ()
    assert Models.search.build(q=None, brand=None).query == ()
