"""types.batches: items in all forms, and responses that lose nothing."""

from typing import Any

import msgspec
import pytest
from hypothesis import given

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import build_params
from meshapi_core.types.batches import (
    BatchListResponse,
    BatchObject,
    BatchRequestItem,
    CreateBatchFields,
    CreateBatchParams,
    complete_items,
)
from support.structs import json_objects

LIST = msgspec.json.Decoder(BatchListResponse)
METHOD_AND_URL = {"method": "POST", "url": "/v1/chat/completions"}


def sent(params: CreateBatchParams) -> Any:
    return build_params(CreateBatchParams, params, {}, {})


def test_keywords_are_the_fields_of_the_params():
    assert set(CreateBatchFields.__annotations__) == set(CreateBatchParams.__struct_fields__)


@given(json_objects)
def test_method_and_url_of_an_item_are_always_sent(body):
    item = {"custom_id": "1", "body": body}
    wire = [{**METHOD_AND_URL, **item}]
    assert sent(CreateBatchParams(requests=[BatchRequestItem(**item)])) == {"requests": wire}
    assert sent(CreateBatchParams(requests=[item])) == {"requests": wire}
    repeated = BatchRequestItem(**METHOD_AND_URL, **item)
    assert sent(CreateBatchParams(requests=[repeated])) == {"requests": wire}


@given(json_objects)
def test_an_item_that_is_a_dict_keeps_what_no_type_knows(unknown):
    item = {f"new_{name}": value for name, value in unknown.items()}
    item = {**item, "custom_id": "1", "body": {"a": None}, "url": "/v1/embeddings"}
    wire = {"method": "POST", **item}
    assert sent(CreateBatchParams(requests=[item])) == {"requests": [wire]}


def test_the_callers_list_and_dicts_are_not_changed():
    item: dict[str, Any] = {"custom_id": "1", "body": {}}
    items = [item]
    params = CreateBatchParams(requests=items)
    assert items == [{"custom_id": "1", "body": {}}]
    assert items[0] is item
    assert params.requests is not items


@pytest.mark.parametrize("requests", [None, 5, "text", {"custom_id": "1"}])
def test_anything_but_a_list_is_left_for_the_check(requests):
    assert complete_items(requests) is requests


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        (
            5,
            (
                'requests: expected list, got int; write requests=[{"custom_id": "...", '
                '"method": "POST", "url": "/v1/chat/completions", "body": ...}]'
            ),
        ),
        (
            [5],
            (
                'requests[0]: expected BatchRequestItem, got int; write {"custom_id": "...", '
                '"method": "POST", "url": "/v1/chat/completions", "body": ...}'
            ),
        ),
        (
            [{"custom_id": "1"}],
            (
                'requests[0].body: expected dict, got nothing; write {"custom_id": "...", '
                '"method": "POST", "url": "/v1/chat/completions", "body": ...}'
            ),
        ),
        (
            [{"body": {}}],
            (
                'requests[0].custom_id: expected str, got nothing; write {"custom_id": '
                '"...", "method": "POST", "url": "/v1/chat/completions", "body": ...}'
            ),
        ),
        (
            [{"custom_id": 1, "body": {}}],
            "requests[0].custom_id: expected str, got int; write str(x)",
        ),
    ],
)
def test_anything_but_an_item_is_refused(requests, message):
    with pytest.raises(InvalidParamsError) as caught:
        sent(CreateBatchParams(requests=requests))
    assert str(caught.value) == message


@given(json_objects)
def test_what_no_type_knows_is_an_attribute_at_any_depth(unknown):
    new = {f"new_{name}": value for name, value in unknown.items()}
    page = decode(msgspec.json.encode({"data": [{"id": "b", **new}], **new}), LIST)
    (batch,) = page.data
    for name, value in new.items():
        assert getattr(page, name) == getattr(batch, name) == value
        assert page.model_dump()["data"][0][name] == value
    assert batch == BatchObject(id="b", **new)
    assert batch.raw == {"id": "b", **new}


def test_an_unknown_status_is_kept():
    assert decode(b'{"status":"paused"}', msgspec.json.Decoder(BatchObject)).status == "paused"


RESULTS = [
    {"custom_id": "1", "response": {"status_code": 200}},
    {"custom_id": "2", "response": {"status_code": 404}},
    {"custom_id": "3", "error": {"code": "x"}},
]


@pytest.mark.parametrize(
    ("fields", "total", "completed", "failed"),
    [
        ({"request_counts": {"total": 9, "completed": 7, "failed": 1}}, 9, 7, 1),
        ({"request_counts": {"total": 9}, "results": RESULTS}, 9, 1, 2),
        ({"request_counts": {"total": "many", "failed": None}, "results": RESULTS}, 3, 1, 2),
        ({"results": RESULTS}, 3, 1, 2),
        ({"total_requests": 9, "completed_requests": 7, "failed_requests": 1}, 9, 7, 1),
        ({}, 0, 0, 0),
    ],
)
def test_requests_are_counted_as_the_gateway_says_or_by_their_results(
    fields, total, completed, failed
):
    batch = BatchObject.model_validate(fields)
    counts = (batch.total_requests, batch.completed_requests, batch.failed_requests)
    assert counts == (total, completed, failed)
    assert ("total_requests" in batch.model_dump()) == ("total_requests" in fields)
