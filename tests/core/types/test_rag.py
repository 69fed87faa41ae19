"""types.rag: limits, and the content of uploads."""

from pathlib import Path

import msgspec
import pytest

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import check
from meshapi_core.types.rag import (
    BulkEmbedFields,
    BulkEmbedRequest,
    InitUploadFields,
    InitUploadRequest,
    InitUploadResponse,
    RagFileListResponse,
    SearchFields,
    SearchRequest,
    SearchResponse,
    UploadFileFields,
    UploadFileParams,
)


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        (InitUploadRequest, InitUploadFields),
        (UploadFileParams, UploadFileFields),
        (BulkEmbedRequest, BulkEmbedFields),
        (SearchRequest, SearchFields),
    ],
)
def test_keywords_are_the_fields_of_the_params(params, fields):
    assert set(fields.__annotations__) == set(params.__struct_fields__)


def test_an_upload_is_what_initiates_it_and_its_content():
    names = set(InitUploadRequest.__struct_fields__) | {"content"}
    assert set(UploadFileParams.__struct_fields__) == names


@pytest.mark.parametrize("count", [1, 100])
def test_as_many_ids_as_the_gateway_accepts(count):
    assert len(check({"file_ids": ["f"] * count}, BulkEmbedRequest).file_ids) == count


@pytest.mark.parametrize(("count", "limit"), [(0, "at least 1"), (101, "at most 100")])
def test_no_ids_or_too_many_are_refused(count, limit):
    with pytest.raises(InvalidParamsError) as caught:
        check({"file_ids": ["f"] * count}, BulkEmbedRequest)
    assert str(caught.value) == f"file_ids: expected list of length {limit}, got length {count}"


@pytest.mark.parametrize("content", [b"bytes", "a/path", Path("a/path"), [b"a", b"b"]])
def test_an_upload_holds_any_kind_of_content(content):
    params = UploadFileParams(file_name="a", mime_type="text/plain", content=content)
    assert params.content is content


def test_the_content_of_an_upload_is_not_printed():
    params = UploadFileParams(file_name="a", mime_type="text/plain", content=b"secret" * 100)
    assert "secret" not in repr(params)


def test_the_signature_of_an_upload_is_not_printed():
    response = InitUploadResponse(file_id="f", signed_url="https://x.example/f?signature=secret")
    assert "secret" not in repr(response)
    assert "https://x.example/f" in repr(response)


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
def test_odd_fields_do_not_cost_the_others():
    files = decode(
        b'{"files":[{"file_id":"f","size_bytes":"3","total_cost_usd":1,"new":1},null],"total":1}',
        msgspec.json.Decoder(RagFileListResponse),
    )
    (status,) = files.files
    assert (status.file_id, status.size_bytes, status.total_cost_usd) == ("f", 3, 1.0)
    assert status.raw["new"] == 1
    found = decode(
        b'{"results":[{"score":null,"text":"t","parent_text":null,"metadata":null},null]}',
        msgspec.json.Decoder(SearchResponse),
    )
    (result,) = found.results
    assert (result.score, result.text, result.parent_text, result.metadata) == (0.0, "t", "", {})
