"""endpoints.documents: IDs, pages, and documents that are not started twice."""

import pytest

from meshapi_core.endpoints.documents import Documents
from meshapi_core.errors import InvalidParamsError
from meshapi_core.types.documents import ListDocumentsParams


@pytest.mark.parametrize("document_id", ["", ".", "..", None, 5, "\ud800"])
def test_a_bad_id_is_refused_before_anything_is_sent(document_id):
    with pytest.raises(InvalidParamsError) as caught:
        Documents.retrieve.build(document_id)
    assert caught.value.field == "document_id"


def test_no_id_leads_to_another_endpoint():
    call = Documents.retrieve.build("../models?x=1#f")
    assert (call.path, call.query) == ("/v1/documents/..%2Fmodels%3Fx%3D1%23f", ())


def test_a_document_is_not_started_twice():
    assert Documents.generate.build(format="pdf", prompt="p").starts_job
    assert not Documents.list.build().starts_job


def test_a_page_in_both_forms():
    by_object = Documents.list.build(ListDocumentsParams(limit=1, offset=0))
    assert by_object == Documents.list.build(limit=1, offset=0)
    assert by_object.query == (("limit", "1"), ("offset", "0"))


def test_a_page_that_is_too_large_is_refused():
    with pytest.raises(InvalidParamsError, match=r"^limit: expected int <= 200, got 201$"):
        Documents.list.build(limit=201)
