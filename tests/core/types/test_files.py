"""types.files: the requests of a batch as a file."""

import msgspec
from hypothesis import given

from meshapi_core.codec.decoding import decode
from meshapi_core.params.encoding import build_params
from meshapi_core.types._base import attach
from meshapi_core.types.batches import BatchRequestItem
from meshapi_core.types.files import FileObject, UploadBatchFileFields, UploadBatchFileParams
from support.metas import meta_with
from support.structs import json_objects

FILE = msgspec.json.Decoder(FileObject)


def test_keywords_are_the_fields_of_the_params():
    names = set(UploadBatchFileParams.__struct_fields__)
    assert set(UploadBatchFileFields.__annotations__) == names


def test_items_are_completed_and_the_purpose_is_always_sent():
    item = {"custom_id": "1", "body": {}}
    wire = {
        "purpose": "batch",
        "requests": [
            {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {}}
        ],
    }
    for items in ([item], [BatchRequestItem(**item)]):
        params = UploadBatchFileParams(requests=items)
        assert build_params(UploadBatchFileParams, params, {}, {}) == wire


@given(json_objects)
def test_a_file_shows_what_no_type_knows(unknown):
    new = {f"new_{name}": value for name, value in unknown.items()}
    body = msgspec.json.encode({"id": "f", "bytes": 3, **new})
    file = attach(decode(body, FILE), body, meta_with(""))
    assert file == FileObject(id="f", bytes=3, **new)
    assert file.model_extra == new


def test_details_of_any_kind_are_kept():
    for details in (None, "text", {"line": 3}, [1]):
        body = msgspec.json.encode({"id": "f", "status_details": details})
        assert decode(body, FILE).status_details == details
