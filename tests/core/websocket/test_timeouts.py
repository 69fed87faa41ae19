"""What a connection does as time passes, and the machine that decides it."""

from math import inf
from typing import Any

import pytest
from fuzz_realtime import ACCEPT, REQUEST, SWITCH, client_frames
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.errors import APITimeoutError, AuthenticationError, ProtocolError
from meshapi_core.signals import NEED_DATA
from meshapi_core.websocket.closing import Closed
from meshapi_core.websocket.connection import WebSocketConnection, WebSocketState
from meshapi_core.websocket.timeouts import TRANSITIONS, Phase, TimeoutAction, Timeouts
from support.websocket_connections import everything, open_connection
from support.websocket_frames import CLOSE, PING, PONG, close, frame, text


def test_a_silent_peer_is_pinged_and_then_given_up():
    connection = open_connection(ping_interval=20.0, ping_timeout=5.0)
    assert connection.timer == -inf
    connection.handle_timer(100.0)
    assert connection.timer == 120.0
    connection.handle_timer(119.0)
    assert connection.timer == 120.0
    assert connection.data_to_send() == b""
    connection.handle_timer(120.0)
    assert client_frames(connection.data_to_send()) == [(PING, b"")]
    assert connection.timer == 125.0
    connection.handle_timer(125.0)
    assert everything(connection) == [
        Closed(1011, "nothing was received within 5.0 s of a ping", error_code="ping_timeout")
    ]
    ((opcode, payload),) = client_frames(connection.data_to_send())
    assert (opcode, payload[:2]) == (CLOSE, b"\x03\xf3")
    assert connection.timer == inf
    connection.handle_timer(200.0)
    assert connection.timer == inf
    assert connection.data_to_send() == b""


@pytest.mark.parametrize("sign", [frame(PONG), b"\x81", frame(PING), text("a")])
@pytest.mark.parametrize("pinged", [False, True])
def test_any_byte_is_a_sign_of_life(sign, pinged):
    connection = open_connection(ping_interval=20.0, ping_timeout=5.0)
    connection.handle_timer(0.0)
    if pinged:
        connection.handle_timer(20.0)
        connection.data_to_send()
    connection.receive_data(sign)
    connection.next_message()
    # An answer to a ping starts the next interval at once.
    assert (connection.timer == -inf) == pinged
    now = max(21.0, connection.timer)
    connection.data_to_send()
    connection.handle_timer(now)
    assert connection.is_open
    assert connection.timer == now + 20.0
    assert connection.data_to_send() == b""


def test_without_an_interval_nobody_is_pinged():
    connection = open_connection(ping_interval=None)
    for now in range(0, 1000, 10):
        connection.handle_timer(float(now))
        assert connection.data_to_send() == b""
    assert connection.is_open


def test_without_a_timeout_a_silent_peer_is_pinged_again_and_again():
    connection = open_connection(ping_interval=10.0, ping_timeout=None)
    sent = b""
    for now in range(0, 101, 10):
        connection.handle_timer(float(now))
        sent += connection.data_to_send()
    assert client_frames(sent) == [(PING, b"")] * 10
    assert connection.is_open


@pytest.mark.parametrize("when", ["new", "closed"])
def test_there_is_no_timer_before_a_connection_and_after_its_end(when):
    connection = WebSocketConnection()
    if when == "closed":
        connection = open_connection()
        connection.handle_timer(0.0)
        connection.receive_data(b"")
        everything(connection)
    assert connection.timer == inf
    connection.handle_timer(1000.0)
    assert connection.timer == inf
    assert connection.data_to_send() == b""


@pytest.mark.parametrize("pinged", [False, True])
def test_a_close_that_is_not_answered_is_an_end(pinged):
    connection = open_connection(ping_interval=20.0)
    connection.handle_timer(0.0)
    if pinged:
        connection.handle_timer(20.0)
    connection.close()
    assert connection.timer == -inf
    connection.handle_timer(30.0)
    # Data after our Close is not an answer to it, and no ping is sent any more.
    for sign in (text("late"), frame(PING), frame(PONG), b"\x81"):
        connection.receive_data(sign)
        assert connection.timer == 35.0
        connection.handle_timer(34.0)
        assert everything(connection) == []
    assert connection.data_to_send() == b""
    connection.handle_timer(35.0)
    assert everything(connection) == [
        Closed(1006, "the peer did not respond to the close", error_code="disconnected")
    ]
    assert connection.timer == inf


def test_a_response_to_a_close_that_nobody_has_looked_at_yet_was_in_time():
    connection = open_connection(close_timeout=1.0)
    connection.close()
    connection.handle_timer(0.0)
    assert connection.timer == 1.0
    connection.receive_data(text("late") + close(1000))
    connection.handle_timer(9.0)
    assert everything(connection) == [Closed(1000, clean=True)]


def test_a_response_to_a_close_may_be_waited_for():
    connection = open_connection(close_timeout=None)
    connection.close()
    for now in (0.0, 1e6):
        connection.handle_timer(now)
        assert connection.timer == inf
    assert everything(connection) == []


def connecting(*pieces: bytes, **limits: Any) -> WebSocketConnection:
    """A connection that sent its upgrade at 100.0 s, and has received these bytes."""
    connection = WebSocketConnection(**limits)
    connection.connect(REQUEST, 100.0)
    for piece in pieces:
        connection.receive_data(piece)
    return connection


@given(
    cut=st.integers(0, len(SWITCH) - 1),
    read=st.booleans(),
    early=st.lists(st.floats(0.0, 159.0), max_size=3),
)
def test_an_upgrade_that_is_not_answered_whole_in_time_has_failed(cut, read, early):
    connection = connecting(*(SWITCH[place : place + 1] for place in range(cut)))
    for now in early:
        connection.handle_timer(now)
        if read:
            assert connection.next_message() is NEED_DATA
        assert connection.timer == 160.0
    connection.handle_timer(160.0)
    assert (connection.state, connection.timer) == (WebSocketState.FAILED, inf)
    for _ in range(2):
        with pytest.raises(APITimeoutError, match=r"upgrade within 60\.0 s") as caught:
            connection.next_message()
    assert (caught.value.phase, caught.value.error_code) == ("read", "read_timeout")
    connection.receive_data(SWITCH)
    connection.handle_timer(1000.0)
    assert connection.data_to_send() == b""
    with pytest.raises(APITimeoutError):
        connection.next_message()


def test_a_response_that_nobody_has_looked_at_yet_was_in_time():
    connection = connecting(SWITCH + text("a"))
    connection.handle_timer(1000.0)
    assert connection.is_open
    assert connection.timer == -inf
    connection.handle_timer(1000.0)
    assert connection.timer == 1020.0
    assert everything(connection) == ["a"]


def test_an_invalid_response_is_not_reported_as_a_late_one():
    connection = connecting(SWITCH.replace(ACCEPT, b"x" + ACCEPT))
    connection.handle_timer(1000.0)
    assert connection.timer == inf
    with pytest.raises(ProtocolError, match="does not match the key"):
        connection.next_message()


@pytest.mark.parametrize("read", [True, False])
def test_a_refusal_whose_body_does_not_end_is_that_refusal_when_the_time_is_over(read):
    head = b"HTTP/1.1 401 \r\nContent-Length: 99\r\n\r\n"
    connection = connecting(head + b'{"error":"a bad key')
    if read:
        assert connection.next_message() is NEED_DATA
    connection.handle_timer(160.0)
    assert connection.timer == inf
    with pytest.raises(AuthenticationError):
        connection.next_message()


def test_the_limit_of_an_upgrade_begins_when_the_time_is_known_and_can_be_another():
    connection = WebSocketConnection(handshake_timeout=5.0)
    connection.connect(REQUEST)
    assert connection.timer == -inf
    connection.handle_timer(1000.0)
    assert connection.timer == 1005.0
    connection.receive_data(SWITCH)
    assert connection.next_message() is NEED_DATA
    assert connection.timer == -inf
    connection.handle_timer(1001.0)
    assert connection.timer == 1021.0


@pytest.mark.parametrize("now", [None, 0.0])
def test_an_upgrade_without_a_limit_is_waited_for(now):
    connection = WebSocketConnection(handshake_timeout=None)
    connection.connect(REQUEST, now)
    for later in (0.0, 1e6):
        connection.handle_timer(later)
        assert connection.timer == inf
    connection.receive_data(SWITCH)
    assert connection.next_message() is NEED_DATA


# The machine by itself


def phase_of(phase: Phase, **limits: Any) -> Timeouts:
    timeouts = Timeouts(**limits)
    if phase in (Phase.UPGRADING, Phase.TALKING):
        timeouts.begin(phase)
    elif phase is not Phase.OFF:
        timeouts.begin(Phase.TALKING)
        timeouts.begin(phase)
    return timeouts


def test_every_phase_leads_to_the_end_and_nowhere_but_where_the_table_says():
    assert set(TRANSITIONS) == set(Phase)
    for phase in Phase:
        assert Phase.OFF in TRANSITIONS[phase]
        for following in Phase:
            timeouts = phase_of(phase)
            if following in TRANSITIONS[phase]:
                timeouts.begin(following)
                assert timeouts.at == (inf if following is Phase.OFF else -inf)
            else:
                with pytest.raises(AssertionError):
                    timeouts.begin(following)


@pytest.mark.parametrize(
    ("phase", "due"),
    [
        (Phase.UPGRADING, TimeoutAction.NOT_UPGRADED),
        (Phase.TALKING, TimeoutAction.PING),
        (Phase.PINGED, TimeoutAction.GONE),
        (Phase.CLOSING, TimeoutAction.NOT_CLOSED),
    ],
)
@given(
    limit=st.floats(0.001, 1e6),
    start=st.floats(0, 1e9),
    asked=st.lists(st.floats(0, 0.999), max_size=3),
)
def test_a_limit_runs_from_when_the_time_is_first_said_and_is_over_once_it_is(
    phase, due, limit, start, asked
):
    names = ("handshake_timeout", "ping_interval", "ping_timeout", "close_timeout")
    timeouts = phase_of(phase, **dict.fromkeys(names, limit))
    assert timeouts.at == -inf
    assert timeouts.due(start) is None
    assert timeouts.at == start + limit
    for part in asked:
        if start + part * limit < timeouts.at:
            assert timeouts.due(start + part * limit) is None
    assert timeouts.limit == limit
    assert timeouts.due(timeouts.at) is due


@pytest.mark.parametrize("phase", [Phase.OFF, Phase.UPGRADING, Phase.PINGED, Phase.CLOSING])
def test_no_limit_is_never_over(phase):
    names = ("handshake_timeout", "ping_timeout", "close_timeout")
    timeouts = phase_of(phase, **dict.fromkeys(names))
    for now in (0.0, 1e9, inf):
        assert timeouts.due(now) is None
        assert timeouts.at == inf


@given(
    st.sampled_from([None, 10.0]),
    st.sampled_from([None, 5.0]),
    st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=20),
)
def test_only_a_silent_peer_is_pinged(interval, timeout, steps):
    timeouts = phase_of(Phase.TALKING, ping_interval=interval, ping_timeout=timeout)
    now, heard = 0.0, False
    for seconds, hears in steps:
        now += seconds
        if hears:
            heard = timeouts.heard = True
        before, running = timeouts.at, timeouts.phase
        due = timeouts.due(now)
        if due is TimeoutAction.GONE:
            assert running is Phase.PINGED
            return
        assert (due is None) == (before == -inf or now < before)
        if due is not None:
            assert due is (TimeoutAction.TICK if heard or interval is None else TimeoutAction.PING)
            asks = due is TimeoutAction.PING and timeout is not None
            assert timeouts.phase is (Phase.PINGED if asks else Phase.TALKING)
        if due is not None or before == -inf:
            heard = False
