"""A session on one connection: events in and out, and a token that shows nowhere."""

import base64
import gzip
import traceback
from inspect import signature

import pytest
from fuzz_realtime import REQUEST
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.errors import (
    AuthenticationError,
    InvalidParamsError,
    MeshAPIError,
    RealtimeConnectionClosed,
)
from meshapi_core.realtime import RealtimeCall, RealtimeConnection, RealtimeMessage
from meshapi_core.signals import NEED_DATA
from meshapi_core.websocket.closing import Closed
from meshapi_core.websocket.connection import WebSocketConnection
from support.realtime_sessions import (
    CONFIG,
    PLAIN_CONFIG,
    PLAIN_TOKEN,
    TOKEN,
    json_values,
    message,
    open_session,
    open_session_once,
    sent,
    upgrade_of,
)
from support.websocket_frames import BINARY, close, frame, pieces_of, switch, text


def test_messages_of_a_session_as_they_come():
    connection = open_session(
        text('{"type":"session.created"}')
        + pieces_of(1, b'{"type":', b'"response.done"}')
        + frame(BINARY, b"\0\xff")
        + text("[1]")
        + close(1000)
    )
    events = [connection.next_event() for _ in range(6)]
    assert events[0] == RealtimeMessage('{"type":"session.created"}', None, events[0].event)
    assert [event.type for event in events[:4]] == ["session.created", "response.done", "", ""]
    assert (events[2].text, events[2].audio, events[2].event) == (None, b"\0\xff", {})
    assert (events[3].text, events[3].event) == ("[1]", {})
    assert events[4:] == [Closed(1000, clean=True)] * 2


def test_a_session_asks_for_more_and_fails_as_its_upgrade_does():
    assert open_session().next_event() is NEED_DATA
    connection = RealtimeConnection()
    connection.connect(REQUEST)
    connection.receive_data(b"HTTP/1.1 401 \r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(AuthenticationError):
        connection.next_event()


events = st.dictionaries(st.text(max_size=5), json_values, max_size=3).map(
    lambda event: {**event, "type": "x.y"}
)


@given(events)
def test_a_server_reads_back_the_event_that_was_sent(event):
    assert sent(open_session_once().send(event)) == event


@given(st.binary(max_size=300))
def test_a_server_reads_back_the_audio_that_was_sent(pcm):
    for data in (pcm, bytearray(pcm), memoryview(pcm)):
        event = sent(open_session_once().send_audio(data))
        assert event["type"] == "input_audio_buffer.append"
        assert base64.b64decode(event["audio"], validate=True) == pcm
        assert sorted(event) == ["audio", "type"]


def test_nothing_is_sent_in_a_session_that_is_over_but_mistakes_are_still_mistakes():
    connection = open_session(close(1000))
    connection.next_event()
    with pytest.raises(RealtimeConnectionClosed):
        connection.send({"type": "x"})
    with pytest.raises(RealtimeConnectionClosed):
        connection.send_audio(b"")
    with pytest.raises(InvalidParamsError):
        connection.send({})


@pytest.mark.parametrize("chosen", ["realtime", "openai-realtime", None])
def test_a_server_may_choose_either_name_of_the_session(chosen):
    request = upgrade_of(PLAIN_CONFIG, auth="subprotocol")
    connection = RealtimeConnection()
    connection.connect(request)
    key = dict(request.headers)["sec-websocket-key"]
    connection.receive_data(switch(key, {"Sec-WebSocket-Protocol": chosen}))
    assert connection.next_event() is NEED_DATA
    assert connection.subprotocol == chosen


def test_a_server_that_chooses_the_key_does_not_make_it_visible():
    request = upgrade_of(PLAIN_CONFIG, auth="subprotocol")
    connection = RealtimeConnection()
    connection.connect(request)
    chosen = f"openai-insecure-api-key.{PLAIN_TOKEN}"
    key = dict(request.headers)["sec-websocket-key"]
    connection.receive_data(switch(key, {"Sec-WebSocket-Protocol": chosen}))
    assert connection.next_event() is NEED_DATA
    for shown in (repr(connection.subprotocol), str(connection.subprotocol)):
        assert PLAIN_TOKEN not in shown


@pytest.mark.parametrize("auth", ["query", "subprotocol", "header"])
def test_the_token_shows_in_no_repr_and_no_traceback(auth):
    call = RealtimeCall(model="m", auth=auth)
    request = call.request(PLAIN_CONFIG if auth == "subprotocol" else CONFIG)
    connection = RealtimeConnection()
    data = connection.connect(request)
    secrets = (TOKEN, "rsk_test", "0123%2B")
    for shown in (repr(call), repr(request), str(request), repr(data), str(data), repr(connection)):
        assert not any(secret in shown for secret in secrets)
    for headers in (repr(request.headers), f"{request.target!r} {request.target}"):
        assert not any(secret in headers for secret in secrets)
    connection.receive_data(b"HTTP/1.1 101 \r\nUpgrade: websocket\r\n\r\n")
    with pytest.raises(MeshAPIError) as caught:
        connection.next_event()
    assert caught.value.__traceback__ is not None
    stack = traceback.TracebackException(
        type(caught.value), caught.value, caught.value.__traceback__.tb_next, capture_locals=True
    )
    trace = "".join(stack.format())
    assert not any(secret in trace for secret in secrets)


@pytest.mark.parametrize("auth", ["query", "subprotocol", "header"])
def test_a_refusal_that_quotes_the_token_is_decoded_and_shows_none_of_it(auth):
    body = gzip.compress(b'{"error":{"message":"bad key Bearer %s"}}' % PLAIN_TOKEN.encode())
    head = b"HTTP/1.1 401 \r\nContent-Encoding: gzip\r\nX-Echo: %s\r\nContent-Length: %d\r\n\r\n"
    connection = RealtimeConnection()
    connection.connect(RealtimeCall(model="m", auth=auth).request(PLAIN_CONFIG))
    connection.receive_data(head % (PLAIN_TOKEN.encode(), len(body)) + body)
    with pytest.raises(AuthenticationError) as caught:
        connection.next_event()
    assert caught.value.message == "bad key Bearer ***"
    assert caught.value.headers["x-echo"] == "***"


def test_neither_an_error_event_nor_a_close_reason_shows_the_token():
    request = RealtimeCall(model="m").request(CONFIG)
    event = message({"type": "error", "error": {"message": f"bad key {TOKEN}", "param": TOKEN}})
    error = event.error(request.secrets)
    assert error is not None
    assert (error.message, error.param) == ("bad key ***", "***")
    of_session = event.error(request.secrets, request_id=f"req_{TOKEN}")
    assert of_session is not None
    assert of_session.request_id == "req_***"
    assert event.error() is not None
    assert TOKEN in (event.text or "")
    connection = RealtimeConnection()
    connection.connect(request)
    connection.receive_data(switch(dict(request.headers)["sec-websocket-key"]))
    connection.receive_data(close(1008, f"bad key {TOKEN}"))
    assert connection.next_event() == Closed(1008, "bad key ***", clean=True)
    assert "bad key ***" in str(connection.closed_error())


def test_a_session_has_what_its_connection_has():
    """It wraps one, and hosts drive it by the same names."""
    session, connection = RealtimeConnection(), WebSocketConnection()
    parts = {"reader", "timeouts"}
    names = {name for name in dir(connection) if not name.startswith("_")} - parts
    assert names <= set(dir(session))
    for name in names:
        ours, theirs = getattr(session, name), getattr(session.websocket, name)
        if callable(theirs):
            assert signature(ours) == signature(theirs), name
        else:
            assert ours == theirs, name
    with pytest.raises(TypeError, match="unexpected keyword argument 'pings'"):
        RealtimeConnection(pings=3)


def test_a_subclass_may_change_what_is_sent_and_received():
    """Its own methods go through those that a subclass overrides."""

    class Counting(RealtimeConnection):
        counted = 0

        def send_text(self, text: str) -> bytes:
            self.counted += 1
            return super().send_text(text)

        def close(self, code: int = 1000, reason: str = "") -> bytes:
            self.counted += 1
            return super().close(code, reason)

    connection = Counting()
    with pytest.raises(RealtimeConnectionClosed):
        connection.send({"type": "response.create"})
    assert connection.close() == b""
    assert connection.counted == 2
