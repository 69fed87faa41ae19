"""sse.bare_lines: lines that are not fields."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.sse.bare_lines import BareLineKind, BareLines
from support.structs import json_objects


def read(bare_lines: BareLines, line: bytes) -> BareLineKind:
    name, _, value = line.partition(b":")
    return bare_lines.read(name, line, value.removeprefix(b" "))


@given(json_objects, st.sampled_from([None, 0, 2]))
def test_json_on_any_number_of_lines_is_an_event(value, indent):
    bare_lines = BareLines()
    *lines, last = json.dumps(value, indent=indent).encode().split(b"\n")
    for line in lines:
        assert read(bare_lines, line) is BareLineKind.NOTHING
    assert read(bare_lines, last) is BareLineKind.EVENT
    assert json.loads(bare_lines.take()) == value
    assert bare_lines.json == b""


def test_the_end_of_the_stream_is_an_event_also_in_the_middle_of_json():
    bare_lines = BareLines()
    read(bare_lines, b"{")
    assert read(bare_lines, b" [DONE] ") is BareLineKind.EVENT
    assert bare_lines.take() == b"[DONE]"


def test_the_end_behind_json_without_a_line_end_is_no_part_of_it():
    bare_lines = BareLines()
    assert read(bare_lines, b'{"a": 1}data: [DONE]') is BareLineKind.EVENT
    assert bare_lines.take() == b'{"a": 1}'


@pytest.mark.parametrize("mark", [None, b"FIN"])
def test_another_service_ends_its_streams_otherwise(mark):
    bare_lines = BareLines()
    bare_lines.end_mark = mark
    assert read(bare_lines, b"[DONE]") is BareLineKind.NOTHING
    assert read(bare_lines, b"FIN") is (
        BareLineKind.NOTHING if mark is None else BareLineKind.EVENT
    )


def test_an_error_field_is_one_where_it_says_something():
    assert read(BareLines(), b"error: it broke") is BareLineKind.ERROR
    assert read(BareLines(), b"error:") is BareLineKind.NOTHING
    assert read(BareLines(), b"error") is BareLineKind.NOTHING


def test_the_last_text_is_kept():
    bare_lines = BareLines()
    for number in range(1000):
        assert read(bare_lines, b"line %d" % number) is BareLineKind.NOTHING
    assert bare_lines.text.endswith(b"line 998\nline 999")
    assert len(bare_lines.text) == 1024


def test_json_that_is_cut_off_is_text():
    bare_lines = BareLines()
    read(bare_lines, b'{"error": {"message": "no"')
    assert not bare_lines.finish()
    assert (bare_lines.text, bare_lines.json) == (b'{"error": {"message": "no"', b"")
