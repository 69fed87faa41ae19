"""_raw_data: what a response was made from is decoded once, and is kept by its copies."""

import copy
import pickle
from typing import Any

import pytest

from meshapi_core._raw_data import (
    SENT,
    all_of,
    extra_of,
    keep_all,
    keep_extra,
    keep_raw,
    raw_of,
    sent_of,
)
from meshapi_core.codec.parsing import parse_exactly
from meshapi_core.types._base import OpenResponseModel, Record, ResponseList, attach
from support.metas import meta_with


class Row(OpenResponseModel, kw_only=True, dict=True):
    id: str = ""


class Closed(Record, kw_only=True):
    id: str = ""


NAMED = ("id",)


class Parser:
    """A parser that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, body: bytes) -> Any:
        self.calls += 1
        return parse_exactly(body)


def test_what_was_sent_is_parsed_once_and_only_when_it_is_asked_for():
    row, parse = attach(Row(id="a"), b'{"id": "a", "x": 1}', meta_with("req_1")), Parser()
    assert sent_of(row) == (b'{"id": "a", "x": 1}', meta_with("req_1"))
    assert parse.calls == 0
    for _ in range(2):
        assert extra_of(row, NAMED, parse) == {"x": 1}
        assert raw_of(row, parse) == {"id": "a", "x": 1}
    assert parse.calls == 1


def test_nothing_was_sent_for_what_was_made_here():
    row, parse = Row(id="a"), Parser()
    assert (sent_of(row), raw_of(row, parse), extra_of(row, NAMED, parse)) == (None, None, {})
    assert parse.calls == 0


@pytest.mark.parametrize("raw", [None, 7, ["x"]])
def test_what_is_no_object_has_no_further_fields(raw):
    row = Row()
    keep_raw(row, raw)
    assert extra_of(row, NAMED, Parser()) == {}
    assert row.raw == raw


def test_further_fields_that_were_given_are_not_looked_for_in_what_was_sent():
    row = attach(Row(), b'{"x": 1}', meta_with(""))
    keep_extra(row, {})
    assert (row.model_extra, row.raw) == ({}, {"x": 1})


def test_a_record_without_a_place_for_it_keeps_nothing():
    record = Closed()
    keep_raw(record, {"id": "a"})
    assert record == Closed()


def test_copies_have_all_of_it_and_the_parsed_form_does_not_travel():
    row = attach(Row(id="a"), b'{"id": "a", "x": 1}', meta_with("req_1"))
    assert row.model_extra == {"x": 1}
    assert set(all_of(row)) == {SENT, "_extra"}
    twin = Row()
    keep_all(twin, all_of(row))
    for one in (twin, copy.copy(row), pickle.loads(pickle.dumps(row))):
        assert (one.raw, one._request_id, one.model_extra) == (row.raw, "req_1", {"x": 1})


def test_a_list_keeps_it_too():
    rows = ResponseList[int]([1])
    assert (rows.raw, rows._request_id) == (None, "")
    attach(rows, b"[1, null]", meta_with("req_1"))
    assert (rows.raw, rows._request_id) == ([1, None], "req_1")
