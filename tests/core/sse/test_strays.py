"""sse.strays: what stands between the fields of a stream."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.sse.strays import Found, Strays
from support.structs import json_objects


def read(strays: Strays, line: bytes) -> Found:
    name, _, value = line.partition(b":")
    return strays.read(name, line, value.removeprefix(b" "))


@given(json_objects, st.sampled_from([None, 0, 2]))
def test_json_on_any_number_of_lines_is_an_event(value, indent):
    strays = Strays()
    *lines, last = json.dumps(value, indent=indent).encode().split(b"\n")
    for line in lines:
        assert read(strays, line) is Found.NOTHING
    assert read(strays, last) is Found.EVENT
    assert json.loads(strays.take()) == value
    assert strays.json == b""


def test_the_end_of_the_stream_is_an_event_also_in_the_middle_of_json():
    strays = Strays()
    read(strays, b"{")
    assert read(strays, b" [DONE] ") is Found.EVENT
    assert strays.take() == b"[DONE]"


def test_the_end_behind_json_without_a_line_end_is_no_part_of_it():
    strays = Strays()
    assert read(strays, b'{"a": 1}data: [DONE]') is Found.EVENT
    assert strays.take() == b'{"a": 1}'


@pytest.mark.parametrize("mark", [None, b"FIN"])
def test_another_service_ends_its_streams_otherwise(mark):
    strays = Strays()
    strays.end_mark = mark
    assert read(strays, b"[DONE]") is Found.NOTHING
    assert read(strays, b"FIN") is (Found.NOTHING if mark is None else Found.EVENT)


def test_an_error_field_is_one_where_it_says_something():
    assert read(Strays(), b"error: it broke") is Found.ERROR
    assert read(Strays(), b"error:") is Found.NOTHING
    assert read(Strays(), b"error") is Found.NOTHING


def test_of_words_the_last_are_kept():
    strays = Strays()
    for number in range(1000):
        assert read(strays, b"line %d" % number) is Found.NOTHING
    assert strays.words.endswith(b"line 998\nline 999")
    assert len(strays.words) == 1024


def test_json_that_is_cut_off_is_words():
    strays = Strays()
    read(strays, b'{"error": {"message": "no"')
    assert not strays.finish()
    assert (strays.words, strays.json) == (b'{"error": {"message": "no"', b"")
