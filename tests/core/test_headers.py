import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.headers import Headers, content_type, find_request_id

names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=12)
pairs = st.lists(st.tuples(st.sampled_from(["A", "a", "B-c", "b-C"]) | names, values), max_size=8)


@given(pairs)
def test_a_look_up_ignores_case_and_joins_what_is_repeated(fields):
    headers = Headers(fields)
    for name, _ in fields:
        same = [value for other, value in fields if other.lower() == name.lower()]
        for spelled in (name, name.lower(), name.upper()):
            assert headers[spelled] == headers.get(spelled) == ", ".join(same)
            assert headers.get_all(spelled) == same
            assert spelled in headers


@given(pairs)
def test_text_and_bytes_are_the_same_fields(fields):
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    assert Headers(encoded) == Headers(fields)
    assert dict(Headers(encoded)) == dict(Headers(fields))


@given(pairs)
def test_nothing_that_was_received_is_forgotten(fields):
    headers = Headers(fields)
    assert headers.raw == tuple(fields)
    assert len(headers) == len(list(headers)) == len({name.lower() for name, _ in fields})


@given(pairs)
def test_copies_hold_the_same_fields(fields):
    headers = Headers(fields)
    copies = [Headers(headers), copy.copy(headers), copy.deepcopy(headers)]
    copies += [pickle.loads(pickle.dumps(headers, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    for copied in copies:
        assert copied.raw == headers.raw
        assert copied == headers


@given(st.binary(), st.binary())
def test_any_bytes_can_be_looked_up(name, value):
    headers = Headers([(name, value)])
    assert list(headers.values()) == [value.decode("latin-1")]
    repr(headers)


def test_a_mapping_is_good_for_headers():
    assert Headers({"Content-Type": "text/html"})["content-type"] == "text/html"
    assert Headers(iter([("a", "1"), ("A", "2")])).get_all("a") == ["1", "2"]


def test_what_is_not_there_is_not_found():
    headers = Headers()
    assert headers.get("x-request-id") is None
    assert headers.get("x-request-id", "") == ""
    assert headers.get_all("x-request-id") == []
    assert "x-request-id" not in headers
    assert 1 not in headers  # type: ignore[comparison-overlap]
    with pytest.raises(KeyError):
        headers["x-request-id"]


def test_a_list_of_values_belongs_to_the_caller():
    headers = Headers([("a", "1")])
    headers.get_all("a").append("2")
    assert headers.get_all("a") == ["1"]


def test_headers_are_shown_as_a_mapping():
    assert repr(Headers([("A", "1"), ("a", "2")])) == "Headers({'a': '1, 2'})"


def test_headers_cannot_be_a_key():
    with pytest.raises(TypeError):
        hash(Headers())


@pytest.mark.parametrize(
    "name",
    [
        "X-Request-Id",
        "request-id",
        "x-litellm-call-id",
        "x-amzn-RequestId",
        "x-amz-request-id",
        "apim-request-id",
        "CF-Ray",
    ],
)
def test_a_request_has_its_id_under_any_usual_name(name):
    assert find_request_id(Headers([(name, " req_1 ")])) == "req_1"
    assert find_request_id({name.lower(): "req_1"}) == "req_1"
    assert find_request_id(Headers([(name, " ")])) == ""


def test_the_gateways_own_name_of_a_request_comes_first():
    fields = [("cf-ray", "edge"), ("x-litellm-call-id", "litellm"), ("X-Request-Id", "own")]
    assert find_request_id(Headers(fields)) == "own"
    assert find_request_id(Headers(fields[:2])) == "litellm"
    assert find_request_id(Headers([("X-Request-Id", ""), *fields[:1]])) == "edge"
    assert find_request_id(Headers()) == ""


def test_a_content_type_is_compared_without_its_parameters():
    assert content_type(Headers([("Content-Type", " Text/HTML ; a=b")])) == "text/html"
    assert content_type(Headers()) == ""
