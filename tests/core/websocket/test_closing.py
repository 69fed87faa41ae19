"""How connections end, what a Close may carry, and the error for each end."""

import pickle

import pytest
from fuzz_realtime import KEY, REQUEST, client_frames
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.errors import RealtimeConnectionClosed
from meshapi_core.headers import Headers
from meshapi_core.messages import Request
from meshapi_core.websocket.closing import Closed
from meshapi_core.websocket.connection import WebSocketConnection
from support.websocket_connections import (
    CLOSES,
    FRAMES,
    RESPONSE,
    check,
    everything,
    fault,
    open_connection,
    upgrade,
)
from support.websocket_frames import BINARY, CLOSE, PING, TEXT, close, frame, switch, text


@pytest.mark.parametrize(
    "code",
    [
        1000,
        1001,
        1002,
        1003,
        1007,
        1008,
        1009,
        1010,
        1011,
        1012,
        1013,
        1014,
        3000,
        3999,
        4000,
        4999,
    ],
)
def test_a_close_is_answered_with_its_own_code_and_ends_the_session(code):
    got = check(close(code, "why €"))
    assert got.closed == Closed(code, "why €", clean=True)
    assert got.closed.is_normal == (code in (1000, 1001))
    assert got.said_close == code.to_bytes(2, "big")


def test_a_close_without_a_code_is_answered_in_kind():
    got = check(close())
    assert got.closed == Closed(1005, clean=True)
    assert got.closed.is_normal
    assert got.said_close == b""


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])
def test_a_close_with_a_code_that_must_not_be_sent_is_a_fault(code):
    assert fault(close(code)) == (1002, "bad_frame")


def test_a_close_of_one_byte_or_with_a_bad_reason_is_a_fault():
    assert fault(frame(CLOSE, b"\x03")) == (1002, "bad_frame")
    assert fault(frame(CLOSE, b"\x03\xe8\xff")) == (1007, "bad_text")
    assert fault(frame(CLOSE, b"\x03\xe8\xed\xa0\x80")) == (1007, "bad_text")


@pytest.mark.parametrize("stream", [b"", b"\x81", frame(TEXT, b"abc", length=9), frame(PING, b"a")])
def test_an_input_that_ends_without_a_close_is_a_lost_connection(stream):
    got = check(stream, FRAMES._replace(ends=True))
    assert got.closed == Closed(1006, error_code="disconnected")
    assert got.said_close is None
    assert not got.closed.is_normal


def test_what_came_before_the_connection_was_lost_is_given_out_first():
    connection = open_connection(text("a") + text("b"))
    connection.connection_lost("reset", "by the peer")
    connection.connection_lost("other", "later")
    connection.receive_data(b"")
    assert everything(connection) == ["a", "b", Closed(1006, "by the peer", error_code="reset")]


def test_after_our_close_nothing_is_given_out_and_nothing_sent():
    connection = open_connection(frame(PING, b"before"))
    assert everything(connection) == []
    data = connection.close(4000, "done")
    assert client_frames(data) == [(CLOSE, b"\x0f\xa0done")]
    assert connection.data_to_send() == b""
    assert connection.close(4001, "again") == b""
    connection.receive_data(text("late") + frame(PING, b"late") + close(4000, "done"))
    assert everything(connection) == [Closed(4000, "done", clean=True)]
    assert connection.data_to_send() == b""


def test_a_ping_together_with_the_response_to_our_close_is_not_answered():
    """Its pong would come after our Close."""
    got = check(text("a") + frame(PING, b"late") + close(1000), CLOSES)
    assert got.said_close == b"\x03\xe8"


def test_a_ping_of_ours_that_was_not_written_is_not_sent_after_our_close():
    connection = open_connection(ping_interval=1.0)
    for now in (0.0, 1.0):
        connection.handle_timer(now)
    connection.close()
    assert connection.data_to_send() == b""


def test_two_closes_that_cross_are_one_end():
    connection = open_connection()
    connection.close(1000)
    connection.receive_data(close(1001, "mine"))
    assert everything(connection) == [Closed(1001, "mine", clean=True)]
    assert connection.data_to_send() == b""
    assert connection.close() == b""


def test_a_close_may_stand_within_a_message_in_pieces():
    got = check(frame(TEXT, b"a", fin=False) + close(1000))
    assert got.messages == []
    assert got.closed == Closed(1000, clean=True)


def test_a_fault_after_our_close_ends_it_without_a_second_one():
    for stream in (frame(3), frame(TEXT, b"\xff"), frame(BINARY, length=1 << 62), close(1006)):
        connection = open_connection()
        connection.close()
        connection.receive_data(stream)
        (end,) = everything(connection)
        assert isinstance(end, Closed)
        assert not end.clean
        assert connection.data_to_send() == b""


def test_a_peer_that_leaves_without_answering_our_close_was_lost():
    connection = open_connection()
    connection.close()
    connection.receive_data(b"")
    assert everything(connection) == [Closed(1006, error_code="disconnected")]


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
def test_codes_that_may_be_sent_are_sent(code):
    data = open_connection().close(code, "é" * 61)
    assert client_frames(data) == [(CLOSE, code.to_bytes(2, "big") + ("é" * 61).encode())]


@pytest.mark.parametrize(
    ("code", "reason", "kind", "message"),
    [
        (999, "", ValueError, "code: expected 1000 to 1003"),
        (1004, "", ValueError, "code: expected"),
        (1005, "", ValueError, "code: expected"),
        (1006, "", ValueError, "code: expected"),
        (1015, "", ValueError, "code: expected"),
        (2999, "", ValueError, "code: expected"),
        (5000, "", ValueError, "code: expected"),
        (True, "", TypeError, "code: expected int, got bool"),
        ("1000", "", TypeError, "code: expected int, got str"),
        (1000, b"", TypeError, "reason: expected str, got bytes"),
        (1000, None, TypeError, "reason: expected str, got NoneType"),
        (1000, "é" * 62, ValueError, "at most 123 bytes of UTF-8, got 124"),
        (1000, "\ud800", ValueError, "reason: expected"),
    ],
)
def test_what_no_close_may_carry_is_refused_and_changes_nothing(code, reason, kind, message):
    for connection in (open_connection(), WebSocketConnection()):
        before = connection.state
        with pytest.raises(kind, match=message):
            connection.close(code, reason)
        assert connection.state is before
        with pytest.raises(kind, match=message):
            connection.check_close(code, reason)


def test_the_error_of_a_connection_that_is_over_says_how_it_ended():
    connection = upgrade(switch(KEY, {"X-Request-Id": "req_1"}) + close(1011, "broken"))
    everything(connection)
    with pytest.raises(RealtimeConnectionClosed) as caught:
        connection.send_bytes(b"")
    error = caught.value
    assert (error.code, error.reason, error.clean) == (1011, "broken", True)
    assert (error.error_code, error.request_id) == ("connection_closed", "req_1")

    connection = open_connection()
    connection.close(4000)
    assert (connection.closed_error().code, connection.closed_error().clean) == (1000, True)


@given(
    code=st.sampled_from([None, 1000, 1001, 1008, 1011, 4402]),
    reason=st.text(max_size=20),
)
def test_an_end_knows_its_error(code, reason):
    fields = {"X-Request-Id": "req_1", "X-Echo": "a secret of mine"}
    request = Request("GET", REQUEST.origin, "/", REQUEST.headers, secrets=("a secret of mine",))
    connection = WebSocketConnection()
    connection.connect(request)
    connection.receive_data(switch(KEY, fields) + close(code, reason if code else ""))
    *_, closed = everything(connection)
    assert isinstance(closed, Closed)
    error = closed.error()
    assert (error is None) == closed.is_normal == (code in (None, 1000, 1001))
    said = connection.closed_error()
    assert (said.code, said.clean, said.request_id) == (code or 1005, True, "req_1")
    assert said.headers["x-echo"] == "***"
    if error is not None:
        assert type(error) is RealtimeConnectionClosed
        assert vars(error) == {**vars(said), "headers": error.headers}
        assert error.headers["x-echo"] == "***"
        assert closed.error() is not error, "each has a traceback of its own"
    assert "a secret of mine" not in repr(closed)
    assert closed == Closed(code or 1005, closed.reason, clean=True)
    assert hash(closed) == hash(Closed(code or 1005, closed.reason, clean=True))
    assert pickle.loads(pickle.dumps(closed)).headers == closed.headers


def test_an_end_that_was_lost_has_an_error_without_the_secrets():
    request = Request("GET", REQUEST.origin, "/", REQUEST.headers, secrets=("a secret of mine",))
    connection = WebSocketConnection()
    connection.start(request, Headers(RESPONSE))
    connection.connection_lost("reset", "no route to a secret of mine")
    *_, closed = everything(connection)
    assert isinstance(closed, Closed)
    error = closed.error()
    assert error is not None
    assert (error.code, error.reason, error.error_code) == (1006, "no route to ***", "reset")


def test_the_end_of_a_hosts_own_websocket_has_an_error_too():
    assert Closed(1000, "", True).error() is None
    error = Closed(4402, "no balance", True).error()
    assert error is not None
    assert error.message == "the realtime session is over, code 4402: no balance"
    assert (error.clean, error.request_id, dict(error.headers)) == (True, "", {})
    # Not clean: no Close says that the end is normal.
    assert Closed(1000).error() is not None


def test_an_end_is_a_value():
    assert Closed(1000) == Closed(1000, "", False, "connection_closed")
    assert not Closed(1000).is_normal, "an end without a Close is none"
