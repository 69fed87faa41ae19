"""types.documents: limits and odd rows."""

from typing import Any

import msgspec
import pytest

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import encode_params
from meshapi_core.queries import encode_query
from meshapi_core.types.documents import (
    DocumentListResponse,
    DocumentResponse,
    GenerateDocumentFields,
    GenerateDocumentRequest,
    ListDocumentsFields,
    ListDocumentsParams,
)


def test_keywords_are_the_fields_of_the_params():
    names = set(GenerateDocumentRequest.__struct_fields__)
    assert set(GenerateDocumentFields.__annotations__) == names
    assert set(ListDocumentsFields.__annotations__) == set(ListDocumentsParams.__struct_fields__)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": "p"}, "format: expected str, got nothing; write format=..."),
        ({"format": "pdf"}, "prompt: expected str, got nothing; write prompt=..."),
        ({"format": 5, "prompt": "p"}, "format: expected str, got int; write str(x)"),
    ],
)
def test_what_a_document_needs(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(GenerateDocumentRequest, None, fields, {})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"limit": 0}, "limit: expected int >= 1, got 0"),
        ({"limit": 201}, "limit: expected int <= 200, got 201"),
        ({"offset": -1}, "offset: expected int >= 0, got -1"),
        ({"limit": True}, "limit: expected int, got bool"),
    ],
)
def test_limits_of_a_page(fields: Any, message: str):
    with pytest.raises(InvalidParamsError) as caught:
        encode_query(ListDocumentsParams, None, fields)
    assert str(caught.value) == message


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
def test_odd_rows_do_not_break_the_others():
    rows = [{"document_id": "a", "size_bytes": "many"}, None, {"status": None, "title": 5}]
    response = decode(
        msgspec.json.encode({"documents": rows, "total": None}),
        msgspec.json.Decoder(DocumentListResponse),
    )
    assert response.documents == [DocumentResponse(document_id="a"), DocumentResponse(title="5")]
    assert [document.raw for document in response.documents] == [rows[0], rows[2]]
