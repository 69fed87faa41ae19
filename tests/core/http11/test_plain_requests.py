"""The head of a plain request is the one that h11 would make; any other is made by h11."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core._secret import Secret
from meshapi_core.http11 import h11_responses
from meshapi_core.http11.plain_requests import plain_head
from meshapi_core.messages import Origin, Request

ORIGIN = Origin("http", "localhost", 8000)
ODD_NAMES = [
    *("Host", "connection", "Content-Length", "expect", "upgrade", "transfer-encoding"),
    *("a:b", "a b", "a\r\nb", "a\n", "", ":", "a: b", "\x7f"),
]
ODD_VALUES = [
    *("", " b", "b ", "\tb", "b\t", "b\tc", "b\r\nc: d", "b\n", "b\r", "b\nc: d", "\x00"),
    *("a:  b", "\x7f", "\x1c", "\xe9", "\x85", "\xa0"),
]
ODD_TARGETS = ["", "*", "a", "/a b", "/\x7f", "/\t", "/a\r\nb: c", " /", "/ HTTP/1.1", "/\xe9"]

NAMES = st.sampled_from(["accept", "X-Id", *ODD_NAMES]) | st.text(
    st.characters(max_codepoint=127), max_size=4
)
VALUES = st.sampled_from(["b", "b  c", *ODD_VALUES]) | st.text(
    st.characters(max_codepoint=255), max_size=4
)
TARGETS = st.sampled_from(["/", "/a?b=c", *ODD_TARGETS]) | st.text(
    st.characters(max_codepoint=127), max_size=4
).map("/{}".format)


def by_h11(request: Request) -> Any:
    head, _ = h11_responses.sending(request)
    return head


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "CONNECT", "get", "A B", ""]),
    TARGETS,
    st.lists(st.tuples(NAMES, VALUES), max_size=3),
    st.sampled_from([b"", b"{}"]),
)
@example("POST", "/", [("a", "b\r\nc: d")], b"")
@example("POST", "/", [("a", "b"), ("c\r\nd", "e")], b"")
@example("GET", "/ HTTP/1.1\r\na: b", [], b"")
def test_a_head_is_to_the_byte_what_h11_makes_of_it_or_left_to_h11(method, target, fields, body):
    request = Request(method, ORIGIN, target, tuple(fields), body)
    head = plain_head(request, len(body))
    if head is not None:
        assert bytes(head) == by_h11(request)


@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        *(("/", name, "b") for name in ODD_NAMES),
        *(("/", "a", value) for value in ODD_VALUES),
        *((target, "a", "b") for target in ODD_TARGETS),
    ],
)
def test_one_thing_that_is_odd_is_enough_to_leave_a_head_to_h11(target, name, value):
    assert plain_head(Request("POST", ORIGIN, target, (("c", "d"), (name, value)), b""), 0) is None


@pytest.mark.parametrize(
    "fields",
    [
        (("accept", "*/*"), ("X-Id", "a b"), ("authorization", Secret("Bearer rsk_test_1"))),
        (),
    ],
)
def test_what_nearly_all_requests_look_like_is_plain(fields):
    """Otherwise everything would be right, but slow."""
    request = Request("POST", ORIGIN, "/v1/x?a=b", fields, b"{}")
    head = plain_head(request, 2)
    assert head is not None
    assert bytes(head) == by_h11(request)


@pytest.mark.parametrize(
    "field",
    [("Upgrade", "websocket"), ("Connection", "close"), ("Expect", "100-continue"), ("Host", "a")],
)
def test_what_changes_how_the_connection_goes_on_is_for_h11(field):
    assert plain_head(Request("POST", ORIGIN, "/", (field,), b"{}"), 2) is None
