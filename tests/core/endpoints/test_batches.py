"""endpoints.batches: empty batches are refused, and so are IDs that lead elsewhere."""

import json

import pytest

from meshapi_core.endpoints.batches import Batches
from meshapi_core.errors import InvalidParamsError
from meshapi_core.types.batches import BatchRequestItem, CreateBatchParams

BY_ID = [Batches.get.build, Batches.cancel.build]
NOTHING = "requests: expected list, got nothing; or give input_file_id and endpoint"


@pytest.mark.parametrize(
    "fields", [{}, {"requests": None}, {"completion_window": "24h"}, {"metadata": {"a": 1}}]
)
def test_nothing_to_do_is_refused_before_anything_is_sent(fields):
    for args, kwargs in (((), fields), ((CreateBatchParams(**fields),), {})):
        with pytest.raises(InvalidParamsError) as caught:
            Batches.create.build(*args, **kwargs)
        assert str(caught.value) == NOTHING


@pytest.mark.parametrize(
    "fields",
    [
        {"requests": []},
        {"input_file_id": "f"},
        {"requests": [], "input_file_id": "f", "endpoint": "/v1/chat/completions"},
    ],
)
def test_what_makes_no_sense_is_for_the_gateway_to_refuse(fields):
    assert json.loads(Batches.create.build(**fields).body) == fields
    assert json.loads(Batches.create.build(CreateBatchParams(**fields)).body) == fields


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {"requests": 5}, "requests: expected list, got int"),
        ((), {"request": []}, "request: no such parameter; did you mean requests?"),
        (
            ({"requests": []},),
            {},
            "params: expected CreateBatchParams, got dict; pass it as keywords: **params",
        ),
        ((BatchRequestItem(custom_id="1", body={}),), {}, "expected CreateBatchParams, got Batch"),
        (
            (CreateBatchParams(requests=[]),),
            {"metadata": {}},
            (
                "metadata: given together with params; put it into the CreateBatchParams, or pass "
                "all parameters as keywords"
            ),
        ),
    ],
)
def test_wrong_parameters_are_named(args, kwargs, message):
    with pytest.raises(InvalidParamsError) as caught:
        Batches.create.build(*args, **kwargs)
    assert message in str(caught.value)


def test_the_callers_dicts_are_not_changed():
    item = {"custom_id": "1", "body": {}}
    Batches.create.build(requests=[item])
    assert item == {"custom_id": "1", "body": {}}


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"limit": "5"}, "limit: expected int, got str; write int(x)"),
        ({"limit": True}, "limit: expected int, got bool"),
        ({"after": 5}, "after: expected str, got int; write str(x)"),
    ],
)
def test_a_wrong_page_is_refused(kwargs, message):
    with pytest.raises(InvalidParamsError) as caught:
        Batches.list.build(**kwargs)
    assert str(caught.value) == message


@pytest.mark.parametrize("build", BY_ID)
@pytest.mark.parametrize("bad", ["", ".", "..", None])
def test_an_id_that_leads_elsewhere_is_refused(build, bad):
    """Other clients sent an empty ID to the collection, and `..` to another endpoint."""
    with pytest.raises(InvalidParamsError, match=r"^batch_id: "):
        build(bad)
