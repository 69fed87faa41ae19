"""A connection as a whole: its laws, random lives, and its states."""

import random
from math import inf
from typing import Optional, Union

import pytest
from fuzz_realtime import KEY, REQUEST, SWITCH, Mode, client_frames, kept_by, outcome
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pieces import byte_by_byte
from pieces import cut as cut_by

from meshapi_core.errors import ProtocolError, RealtimeConnectionClosed
from meshapi_core.headers import Headers
from meshapi_core.signals import NEED_DATA
from meshapi_core.websocket.closing import Closed
from meshapi_core.websocket.connection import TRANSITIONS, WebSocketConnection, WebSocketState
from support import websocket_frames
from support.http11_responses import pieces as pieces_of_bytes
from support.websocket_connections import RESPONSE, everything, fixed_mask, open_connection, upgrade
from support.websocket_frames import BINARY, CLOSE, PING, PONG, TEXT, close, frame, switch, text


@given(st.data(), websocket_frames.streams, st.integers(0, 15))
def test_any_cut_of_a_session_gives_the_same_events(data, stream, bits):
    mode = Mode.of(bits)
    stream = SWITCH + stream
    whole = outcome([stream], mode)
    assert outcome(data.draw(pieces_of_bytes(stream)), mode) == whole
    assert outcome(byte_by_byte(stream), mode) == whole


handshakes = st.one_of(
    st.just(SWITCH),
    st.just(b"HTTP/1.1 103 Early Hints\r\n\r\n" + SWITCH),
    st.sampled_from([switch(KEY, {"Upgrade": "h2c"}), switch(KEY, {"Connection": "close"})]),
    st.sampled_from([b"HTTP/1.1 401 \r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 503 \r\n\r\n<"]),
    st.binary(max_size=20),
)


@given(st.data(), handshakes, st.one_of(websocket_frames.streams, st.binary(max_size=20)))
def test_any_bytes_give_events_or_a_documented_error_and_the_same_end_for_ever(
    data, handshake, stream
):
    # `outcome` also asks and sends after the end, and checks the errors.
    mode = Mode.of(data.draw(st.integers(0, 15)))
    stream = handshake + stream
    whole = outcome([stream] if stream else [], mode)
    assert outcome(data.draw(pieces_of_bytes(stream)), mode) == whole
    assert outcome(byte_by_byte(stream), mode) == whole


def test_a_connection_is_used_once_and_not_before_its_upgrade():
    connection = WebSocketConnection()
    with pytest.raises(
        RealtimeConnectionClosed, match="1006: the upgrade to WebSocket failed, or is not complete"
    ):
        connection.send_text("early")
    connection.connect(REQUEST)
    with pytest.raises(
        RealtimeConnectionClosed, match="the upgrade to WebSocket failed, or is not complete"
    ):
        connection.send_text("early")
    for again in (connection, open_connection()):
        with pytest.raises(RuntimeError, match="has been used already"):
            again.connect(REQUEST)
    with pytest.raises(RuntimeError, match="has been used already"):
        open_connection().start(REQUEST, Headers(RESPONSE))


payloads = st.binary(max_size=3)


def while_it_lives(self: "Life") -> bool:
    return self.end is None


class Life(RuleBasedStateMachine):
    """Connections, one after another, driven in any order; the host writes at any time."""

    @initialize(
        interval=st.sampled_from([None, 10.0]),
        timeout=st.sampled_from([None, 5.0]),
        upgraded=st.booleans(),
        random_bytes=st.sampled_from([None, fixed_mask]),
    )
    def begin(self, interval, timeout, upgraded, random_bytes):
        self.connection = WebSocketConnection(
            max_message_size=8,
            ping_interval=interval,
            ping_timeout=timeout,
            random_bytes=random_bytes,
        )
        self.written: list[int] = []  # opcodes
        self.pings: list[bytes] = []  # those whose pong may still come
        self.expected: list[Union[str, bytes]] = []
        self.end: Optional[Closed] = None
        self.now = 0.0
        if upgraded:
            self.connection.start(REQUEST, Headers(RESPONSE))
        else:
            self.connection.connect(REQUEST)
            self.connection.receive_data(SWITCH)
        self.read()
        self.connection.handle_timer(self.now)

    def read(self) -> None:
        """Take the events, and compare them with those of the model."""
        while True:
            was_open = self.connection.is_open
            event = self.connection.next_message()
            if event is NEED_DATA or isinstance(event, Closed):
                assert not self.expected
                self.end = None if event is NEED_DATA else event
                assert self.connection.closed is self.end
                return
            assert was_open, "a message after Close"
            assert event == self.expected.pop(0)

    def peer_sends(self, data: bytes, seed: int) -> None:
        for piece in cut_by(data, random.Random(seed)) if seed else [data]:
            self.connection.receive_data(piece)
        self.read()

    def write(self, data: bytes) -> None:
        for opcode, payload in client_frames(data):
            assert CLOSE not in self.written, "something was sent after Close"
            self.written.append(opcode)
            if opcode == PONG:
                # It answers the pings that came, in their order; of many, some are left out.
                assert payload in self.pings
                del self.pings[: self.pings.index(payload) + 1]

    # What can happen

    @precondition(while_it_lives)
    @rule(message=st.one_of(st.text("ab€", max_size=2), payloads), seed=st.integers(0, 3))
    def a_message_comes(self, message, seed):
        if self.connection.is_open:
            self.expected.append(message)
        data = message.encode("utf-8") if isinstance(message, str) else message
        self.peer_sends(frame(TEXT if isinstance(message, str) else BINARY, data), seed)

    @precondition(while_it_lives)
    @rule(
        sent=st.lists(payloads, min_size=1, max_size=3),
        times=st.sampled_from([1, 1, 9]),
        then=st.sampled_from([b"", b"", b"", frame(PONG), close(1001)]),
    )
    def pings_come(self, sent, times, then):
        if self.connection.is_open:
            self.pings += sent * times
        self.peer_sends(b"".join(frame(PING, payload) for payload in sent) * times + then, 0)

    @precondition(while_it_lives)
    @rule(code=st.sampled_from([None, 1000, 1011, 4000]), seed=st.integers(0, 1))
    def the_peer_closes(self, code, seed):
        self.peer_sends(close(code) + text("late"), seed)
        assert self.end == Closed(code or 1005, clean=True)

    @precondition(while_it_lives)
    @rule(
        data=st.sampled_from(
            [frame(3), frame(TEXT, b"\xff"), frame(BINARY, bytes(9)), close(1006)]
        ),
        seed=st.integers(0, 1),
    )
    def the_peer_breaks_the_rules(self, data, seed):
        self.peer_sends(data, seed)
        assert self.end is not None
        assert not self.end.clean

    @precondition(while_it_lives)
    @rule(content=st.one_of(st.text("a€", max_size=3), payloads))
    def this_side_sends(self, content):
        def send() -> bytes:
            if isinstance(content, str):
                return self.connection.send_text(content)
            return self.connection.send_bytes(content)

        if self.connection.is_open:
            self.write(send())
        else:
            with pytest.raises(RealtimeConnectionClosed):
                send()

    @precondition(lambda self: self.connection.is_open)
    @rule(payload=payloads)
    def this_side_pings(self, payload):
        self.write(self.connection.ping(payload))

    @precondition(lambda self: self.connection.is_open)
    @rule(code=st.sampled_from([1000, 1001, 4999]), written_first=st.booleans())
    def this_side_closes(self, code, written_first):
        if written_first:
            self.write(self.connection.data_to_send())
        data = self.connection.close(code, "bye")
        assert client_frames(data) == [(CLOSE, code.to_bytes(2, "big") + b"bye")]
        self.write(data)
        assert self.connection.close() == b""

    @rule()
    def what_is_due_is_written(self):
        data = self.connection.data_to_send()
        assert len(client_frames(data)) <= 18
        self.write(data)
        assert self.connection.data_to_send() == b""

    @precondition(while_it_lives)
    @rule(seconds=st.sampled_from([1.0, 5.0, 10.0, 20.0]))
    def time_passes(self, seconds):
        self.now += seconds
        self.connection.handle_timer(self.now)
        self.read()
        assert self.connection.timer > self.now
        assert (self.connection.timer == inf) == (self.end is not None)

    @precondition(while_it_lives)
    @rule(known=st.booleans())
    def the_input_ends(self, known):
        if known:
            self.connection.connection_lost("reset", "it broke")
        else:
            self.connection.receive_data(b"")
        self.read()
        lost = Closed(1006, "it broke", error_code="reset")
        assert self.end == (lost if known else Closed(1006, error_code="disconnected"))

    @precondition(lambda self: self.end is not None)
    @rule(
        data=st.sampled_from([text("late"), frame(PING), frame(3), close(1000), SWITCH]),
        interval=st.sampled_from([None, 10.0]),
        timeout=st.sampled_from([None, 5.0]),
        upgraded=st.booleans(),
        random_bytes=st.sampled_from([None, fixed_mask]),
    )
    def another_connection_takes_its_place(self, data, interval, timeout, upgraded, random_bytes):
        connection, end = self.connection, self.end
        connection.receive_data(data)
        connection.connection_lost("reset", "later")
        connection.handle_timer(self.now + 1000)
        assert connection.next_message() is end
        assert connection.close() == b""
        with pytest.raises(RealtimeConnectionClosed):
            connection.send_text("late")
        self.write(connection.data_to_send())
        self.begin(interval, timeout, upgraded, random_bytes)

    # What always holds

    @invariant()
    def the_end_is_the_end(self):
        assert (self.end is not None) == (self.connection.state is WebSocketState.CLOSED)
        assert self.connection.closed is self.end
        if self.end is not None:
            assert self.connection.timer == inf
            assert kept_by(self.connection.reader) == 0

    @invariant()
    def little_is_kept(self):
        # 8 bytes of a message; and a ping with its whole payload, before the next frame's header.
        assert kept_by(self.connection.reader) <= 8 + 131


TestLife = Life.TestCase


def test_the_table_has_every_state_and_leads_to_two_ends():
    assert set(TRANSITIONS) == set(WebSocketState)
    assert {state for state in WebSocketState if not TRANSITIONS[state]} == {
        WebSocketState.CLOSED,
        WebSocketState.FAILED,
    }


def test_an_upgrade_that_somebody_else_has_made_goes_on_with_its_frames():
    connection = WebSocketConnection()
    connection.start(REQUEST, Headers(RESPONSE), text("hello")[:3])
    connection.receive_data(text("hello")[3:])
    assert everything(connection) == ["hello"]
    failed = WebSocketConnection()
    with pytest.raises(ProtocolError) as caught:
        failed.start(REQUEST, Headers({**RESPONSE, "upgrade": "h2c"}), text("hello"))
    with pytest.raises(ProtocolError) as again:
        failed.next_message()
    assert again.value is caught.value
    assert failed.state is WebSocketState.FAILED


def test_nothing_is_sent_before_the_upgrade_is_done():
    for connection in (WebSocketConnection(), upgrade()):
        for send in (connection.send_text, lambda _, c=connection: c.ping()):
            with pytest.raises(RealtimeConnectionClosed):
                send("x")
        assert connection.close() == b""
        assert not connection.is_open
        assert connection.closed is None


@pytest.mark.parametrize("said", [False, True])
def test_a_connection_that_is_abandoned_ends_without_what_has_come(said):
    connection = open_connection(text("unread") + close(1000))
    if said:
        connection.close()
    connection.abandon("disconnected", "enough")
    ended = Closed(1006, "enough", error_code="disconnected")
    assert connection.next_message() == connection.closed == ended
    connection.abandon("other")
    assert connection.closed == ended


@given(st.binary(max_size=300), st.integers(1, 64))
@example(text("a") + frame(BINARY, b"b") + close(1000), 3)
def test_received_data_may_be_any_buffer_and_is_not_kept(stream, size):
    buffer = bytearray(size)
    expected = upgrade(SWITCH + stream)
    by_view, by_array = upgrade(), upgrade()
    data = SWITCH + stream
    for place in range(0, len(data), size):
        piece = data[place : place + size]
        buffer[: len(piece)] = piece
        view = memoryview(buffer)[: len(piece)]
        by_view.receive_data(view)
        # If a view were kept, this would raise.
        view.release()
        changed = bytearray(piece)
        by_array.receive_data(changed)
        changed[:] = b"\xff" * len(piece)
        changed += b"\xff"
        buffer[:] = b"\xff" * size
    buffer += b"\xff"
    wanted = everything(expected)
    assert everything(by_view) == everything(by_array) == wanted
    started = WebSocketConnection()
    rest = bytearray(stream)
    started.start(REQUEST, Headers(RESPONSE), memoryview(rest))
    rest[:] = bytes(len(rest))
    rest += b"x"
    assert everything(started) == wanted
