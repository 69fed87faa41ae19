"""A `RequestCall`: one request over a byte pipe, whose response is the result."""

from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import (
    NEED_DATA,
    APIConnectionError,
    APITimeoutError,
    Connect,
    Failure,
    Finished,
    Item,
    MeshAPIError,
    Origin,
    Read,
    Release,
    Request,
    RequestCall,
    Timeout,
    Write,
    client_closed,
    stream_closed,
)

ORIGIN = Origin("https", "api.example", 443)
REQUEST = Request("POST", ORIGIN, "/v1/x", (("x-key", "v"),), b"{}")
LIMITS = Timeout(connect=1.0, read=2.0, write=3.0, pool=4.0)


def made(**options: Any) -> RequestCall:
    options = {"timeout": LIMITS, **options}
    return RequestCall(REQUEST, **options)


def begun(call: RequestCall) -> bytes:
    """What the call writes, up to its first Read at time 0."""
    written = b""
    while True:
        action: Any = call.next_action(0.0)
        if isinstance(action, Connect):
            call.connected(0.0)
        elif isinstance(action, Write):
            written += action.data
            call.written()
        else:
            assert isinstance(action, Read)
            return written


def played(call: RequestCall, reads: list[bytes]) -> tuple[list[bytes], Optional[Release]]:
    """The pieces of the response, and how the connection was returned."""
    pieces: list[bytes] = []
    release: Optional[Release] = None
    left = list(reads)
    while True:
        action: Any = call.next_action(0.0)
        if isinstance(action, Read):
            call.receive_data(left.pop(0), 0.0)
        elif isinstance(action, Item):
            pieces.append(action.value)
        elif isinstance(action, Release):
            release = action
        else:
            assert isinstance(action, Finished)
            return pieces, release


def response(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def test_it_sends_the_request_once():
    written = begun(made())
    assert written.startswith(b"POST /v1/x HTTP/1.1\r\n")
    assert b"x-key: v\r\n" in written
    assert written.endswith(b"\r\n\r\n{}")


@given(
    status=st.sampled_from([200, 201, 301, 400, 404, 407, 429, 500, 503, 599]),
    body=st.binary(max_size=200),
    cuts=st.lists(st.integers(0, 300), max_size=6),
)
def test_a_response_of_any_status_is_the_result_however_it_is_cut(status, body, cuts):
    data = response(status, body)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    reads = [data[a:b] for a, b in zip(places, places[1:]) if a < b]
    call = made()
    begun(call)
    pieces, release = played(call, reads)
    assert call.status == status
    assert b"".join(pieces) == body
    assert all(pieces)
    assert release is not None
    assert release.reusable
    assert call.failure is None
    assert call.attempts == 1


@given(sent=st.integers(0, 60))
def test_a_response_that_breaks_off_is_a_failure_after_its_pieces(sent):
    data = response(503, b"0123456789")
    data = data[: min(sent, len(data) - 1)]
    call = made()
    begun(call)
    with pytest.raises(APIConnectionError) as caught:
        played(call, [data, b""] if data else [b""])
    failure = call.failure
    assert failure is not None
    assert failure.error is caught.value
    assert failure.stage == ("response" if data else "request")


@pytest.mark.parametrize("where", ["connect", "write", "head"])
def test_a_limit_up_to_the_head_is_that_of_any_attempt(where):
    call = made()
    action: Any = call.next_action(0.0)
    assert action.until == 1.0
    if where != "connect":
        call.connected(0.0)
        action = call.next_action(0.0)
        assert action.until == 3.0
    if where == "head":
        begun_read: Any = action
        while isinstance(begun_read, Write):
            call.written()
            begun_read = call.next_action(0.0)
        assert begun_read.until == 2.0
    call.fail(TimeoutError(), 5.0)
    with pytest.raises(APITimeoutError):
        for _ in range(5):
            action = call.next_action(9.0)
            if isinstance(action, Read):
                call.fail(TimeoutError(), 9.0)
    assert call.failure is not None
    assert call.failure.timed_out


def test_the_deadline_holds_for_each_phase_up_to_the_head():
    call = made(deadline=0.5)
    assert call.next_action(0.0).until == 0.5  # type: ignore[union-attr]
    call = made(deadline=0.5)
    with pytest.raises(APITimeoutError) as caught:
        call.next_action(0.5)
    assert caught.value.error_code == "total_timeout"


def with_head() -> RequestCall:
    call = made(deadline=50.0)
    begun(call)
    call.receive_data(response(200, b"abcd")[:-2], 0.0)
    action: Any = call.next_action(0.0)
    assert action.value == b"ab"
    return call


@pytest.mark.parametrize("until", [None, 0.25, 7.0, 60.0])
def test_a_read_of_the_body_ends_when_its_reader_says(until):
    call = with_head()
    call.limit_reads(until)
    action: Any = call.next_action(0.0)
    assert (type(action), action.until) == (Read, until)
    if until is None:
        return
    release: Any = call.next_action(until)
    assert isinstance(release, Release)
    assert not release.reusable
    with pytest.raises(APITimeoutError):
        call.next_action(until)
    assert isinstance(call.failure, Failure)


def test_a_late_reader_gets_what_has_come_already():
    call = with_head()
    call.limit_reads(0.0)
    call.receive_data(b"c", 0.0)
    action: Any = call.next_action(99.0)
    assert action.value == b"c"


@pytest.mark.parametrize("end", [client_closed, stream_closed])
@pytest.mark.parametrize("has_head", [False, True])
def test_a_request_that_is_closed_fails_with_the_reason(end, has_head):
    call = with_head() if has_head else made()
    failure = end()
    call.close(failure, 0.0)
    with pytest.raises(MeshAPIError):
        for _ in range(3):
            call.next_action(0.0)
    assert call.failure is failure


def test_the_end_of_a_connection_may_have_cut_a_body():
    for cut in (False, True):
        call = made()
        begun(call)
        call.receive_data(b"HTTP/1.1 200 X\r\n\r\nab", 0.0)
        action: Any = call.next_action(0.0)
        assert action.value == b"ab"
        assert isinstance(call.next_action(0.0), Read)
        call.receive_data(b"", 0.0, cut=cut)
        assert isinstance(call.next_action(0.0), Release)
        assert isinstance(call.next_action(0.0), Finished)
        assert call.cut is cut


def test_no_piece_is_there_before_it_has_come():
    call = with_head()
    assert call.next_item() is NEED_DATA
    call.receive_data(b"cd", 0.0)
    assert call.next_item() == b"cd"
