"""readers.whole: what each reader makes of a body."""

import copy
import json
import pickle
from typing import Any

import pytest

from meshapi_core.errors import (
    ResponseDecodeError,
    ResponseWarning,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.readers import (
    BytesReader,
    ByteStreamReader,
    ChunkReader,
    EmptyReader,
    JSONReader,
    ListReader,
    TextReader,
)
from meshapi_core.types._base import OpenRecord, ResponseList, ResponseModel


class Row(ResponseModel, kw_only=True, dict=True):
    id: str = ""
    size: int = 0


class Item(OpenRecord, kw_only=True, dict=True):
    id: str = ""


def said(text: str) -> Row:
    return Row(id=text)


def make_response(body: Any, kind: str = "application/json", status: int = 200) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = [("X-Request-Id", "req_1")]
    return Response(status, Headers(fields + ([("Content-Type", kind)] if kind else [])), data)


READERS = [JSONReader(Row), ListReader(Row), BytesReader(), EmptyReader(), TextReader(Row, said)]
STREAM_READERS = [ChunkReader(Row, accumulator=list), ByteStreamReader()]


@pytest.mark.parametrize("reader", READERS + STREAM_READERS, ids=lambda r: type(r).__name__)
def test_readers_are_values(reader):
    assert copy.copy(reader) == pickle.loads(pickle.dumps(reader)) == reader
    assert hash(reader) == hash(copy.copy(reader))
    assert reader.accept


class TestJSON:
    def test_a_typed_response_with_all_that_was_sent(self):
        response = JSONReader(Row).read(make_response({"id": "a", "new": 1}))
        assert response == Row(id="a")
        assert (response.raw, response._request_id) == ({"id": "a", "new": 1}, "req_1")

    def test_other_types_will_do(self):
        assert JSONReader(dict).read(make_response({"a": 1})) == {"a": 1}
        assert JSONReader(list[int]).read(make_response([1])) == [1]

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"a"'])
    def test_another_body_raises_with_status_and_request_id(self, body):
        with pytest.raises(ResponseDecodeError) as caught:
            JSONReader(Row).read(make_response(body, status=201))
        error = caught.value
        assert (error.status, error.request_id, error.error_code) == (201, "req_1", "parse_error")


class TestLists:
    def test_rows_keep_what_was_sent_for_them(self):
        with pytest.warns(ResponseWarning) as caught:
            rows = ListReader(Row).read(
                make_response([{"id": "a", "x": 1}, 7, {"id": None, "size": "?"}])
            )
        assert len(caught) == 2
        assert type(rows) is ResponseList
        assert rows == [Row(id="a"), Row()]
        assert [row.raw for row in rows] == [{"id": "a", "x": 1}, {"id": None, "size": "?"}]
        assert rows.raw == [{"id": "a", "x": 1}, 7, {"id": None, "size": "?"}]
        assert rows._request_id == "req_1"

    def test_rows_that_are_as_declared_keep_it_too(self):
        rows = ListReader(Item).read(make_response([{"id": "a", "x": 1}, {"id": "b"}]))
        assert rows[0].x == 1
        assert rows[1].model_extra == {}

    @pytest.mark.parametrize("body", [b"null", b"[]", b" [ ] "])
    def test_null_and_nothing_are_no_rows(self, body):
        rows = ListReader(Row).read(make_response(body))
        assert rows == []
        assert rows.raw == json.loads(body)

    @pytest.mark.parametrize(
        "around",
        [
            lambda rows: rows,
            lambda rows: {"data": rows},
            lambda rows: {"object": "list", "data": rows, "has_more": False},
            lambda rows: {"models": rows, "total": 2},
            lambda rows: {"items": rows},
            lambda rows: {"templates": rows},
            lambda rows: {"data": {"data": rows}},
        ],
    )
    @pytest.mark.parametrize("sent", [[], [{"id": "a"}, {"id": "b", "x": 1}]])
    def test_a_list_is_the_same_bare_and_within_an_object(self, around, sent):
        rows = ListReader(Row).read(make_response(around(sent)))
        assert rows == [Row(id=row["id"]) for row in sent]
        assert [row.raw for row in rows] == sent
        assert rows.raw == around(sent)
        assert rows._request_id == "req_1"

    def test_an_empty_list_may_be_null_within_an_object(self):
        assert ListReader(Row).read(make_response({"object": "list", "data": None})) == []

    @pytest.mark.parametrize(
        "body",
        [b"{}", b"7", b"", b'{"data": 7}', b'{"id": "a"}', b'{"a": [], "b": []}', b'"[]"',
         b'{"detail": [{"msg": "no"}]}', b'{"message": "no", "errors": []}'],
    )  # fmt: skip
    def test_what_is_no_list_raises(self, body):
        with pytest.raises(ResponseDecodeError) as caught:
            ListReader(Row).read(make_response(body))
        assert caught.value.request_id == "req_1"


def test_bytes_are_given_as_they_are():
    assert BytesReader().read(make_response(b"\0\xff", "audio/mpeg")) == b"\0\xff"
    assert BytesReader().read(make_response(b"")) == b""


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id": 1}', b"\xff"])
@pytest.mark.parametrize("status", [200, 202, 204])
def test_nothing_is_made_of_a_response_that_says_nothing(body, status):
    assert EmptyReader().read(make_response(body, status=status)) is None


@pytest.mark.parametrize("kind", ["application/json", "Text/HTML; charset=utf-8", "a/b+json"])
def test_a_document_is_no_audio(kind):
    with pytest.raises(ResponseDecodeError) as caught:
        BytesReader(documents=False).read(make_response(b"{}", kind))
    assert (caught.value.error_code, caught.value.request_id) == ("parse_error", "req_1")
    assert BytesReader().read(make_response(b"{}", kind)) == b"{}"


class TestText:
    @pytest.mark.parametrize(
        "kind", ["application/json", "Application/JSON; charset=utf-8", "application/x+json"]
    )
    def test_json_is_read_as_declared(self, kind):
        response = TextReader(Row, said).read(make_response({"id": "a", "x": 1}, kind))
        assert (response, response.raw) == (Row(id="a"), {"id": "a", "x": 1})

    def test_an_object_of_no_declared_type_is_json(self):
        assert TextReader(Row, said).read(make_response({"id": "a"}, "")) == Row(id="a")

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-subrip", "text/vtt; a=b", ""])
    @pytest.mark.parametrize("text", ["", "Hello 😀\n", '["no json"]', "1\n00:00 --> 00:01\n"])
    def test_anything_else_is_text(self, kind, text):
        response = TextReader(Row, said).read(make_response(text.encode(), kind))
        assert (response.id, response.raw, response._request_id) == (text, text, "req_1")
        assert pickle.loads(pickle.dumps(response)).raw == text

    def test_text_that_is_no_utf8_is_read_all_the_same(self):
        assert TextReader(Row, said).read(make_response(b"caf\xe9", "text/plain")).id == "caf\ufffd"

    def test_text_in_a_json_string_is_the_text(self):
        response = TextReader(Row, said).read(make_response(b'"hello"', "application/json"))
        assert (response.id, response.raw) == ("hello", "hello")

    def test_text_under_a_json_type_is_not_lost(self):
        response = TextReader(Row, said).read(make_response(b"hello", "application/json"))
        assert (response.id, response.raw) == ("hello", "hello")

    def test_json_under_a_text_type_is_json(self):
        response = TextReader(Row, said).read(make_response({"id": "a"}, "text/plain"))
        assert (response, response.raw) == (Row(id="a"), {"id": "a"})

    def test_broken_json_raises(self):
        with pytest.raises(ResponseDecodeError) as caught:
            TextReader(Row, said).read(make_response(b'{"id"', "application/json"))
        assert caught.value.request_id == "req_1"
