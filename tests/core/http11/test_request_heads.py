"""Heads made from kept lines are the same, byte for byte, as those of `plain_head`."""

from core.http11.test_plain_requests import NAMES, ORIGIN, TARGETS, VALUES
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import HTTP11Connection, Origin, Request
from meshapi_core._secret import Secret, SecretBytes
from meshapi_core.http11.plain_requests import plain_head
from meshapi_core.http11.request_heads import RequestHeads

REQUESTS = st.builds(
    Request,
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "get", "A B", ""]),
    st.sampled_from([ORIGIN, Origin("https", "::1", 443), Origin("http", "localhost", 80)]),
    TARGETS,
    st.lists(st.tuples(NAMES, VALUES), max_size=3).map(tuple),
    st.sampled_from([b"", b"{}"]),
)


def post(*fields):
    return Request("POST", ORIGIN, "/", fields, b"{}")


@given(st.lists(REQUESTS, max_size=4))
@example([post(("a", "b"))] * 2)
@example([post(("a", "b\r\nc: d"))] * 2)
@example([post(("a", "b"), ("c\r\nd", "e"))])
@example([post(("host", "b"))] * 2)
@example([post(("a", "\u0662"))])
@example([post(("a", Secret("b"))), post(("a", "b"))])
def test_a_head_is_what_plain_head_makes_of_it(requests):
    heads = RequestHeads()
    for request in requests:
        size = len(request.body)
        assert heads.head(request, size) == plain_head(request, size)


def test_a_head_shows_no_token_to_whoever_prints_it():
    heads = RequestHeads()
    request = post(("authorization", Secret("Bearer rsk_test_1")), ("a", Secret("rsktest1")))
    assert b"Bearer rsk_test_1" in heads.head(request, 2)
    assert type(heads.head(request, 2)) is SecretBytes
    assert "rsk_test" not in repr(heads.head(request, 2))


def test_connections_of_one_client_send_what_each_would_send_alone():
    connect = HTTP11Connection.of_one_client()
    for key in "abc":
        request = post(("accept", "*/*"), ("idempotency-key", key))
        sent = b"".join(connect().send(request))
        assert sent == b"".join(HTTP11Connection().send(request))
