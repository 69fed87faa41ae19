"""The WebSocket machine against bytes that are made by hand (`support.websocket_frames`)."""

import os
import pickle
import random
from math import inf
from typing import Any, Optional, Union

import pytest
from fuzz_realtime import (
    ACCEPT,
    KEY,
    REQUEST,
    SWITCH,
    Mode,
    Outcome,
    client_frames,
    outcome,
)
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from pieces import byte_by_byte
from pieces import cut as cut_by

from meshapi_core._secret import SecretBytes
from meshapi_core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    InternalServerError,
    MeshAPIError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RealtimeConnectionClosed,
    RedirectError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Request
from meshapi_core.sse import NEED_DATA
from meshapi_core.websocket import TRANSITIONS, Closed, State, WebSocketConnection
from support import websocket_frames
from support.http11_answers import pieces as pieces_of_bytes
from support.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    accept,
    close,
    frame,
    pieces_of,
    switch,
    text,
)

FRAMES = Mode(ends=False, upgrades=False, small=False, closes=False)
SMALL = FRAMES._replace(small=True)
CLOSES = FRAMES._replace(closes=True)


def open_connection(received: bytes = b"", **limits: Any) -> WebSocketConnection:
    connection = WebSocketConnection(**limits)
    connection.connect(REQUEST)
    connection.receive_data(SWITCH)
    assert connection.next_message() is NEED_DATA
    connection.receive_data(received) if received else None
    return connection


def fixed_mask(size: int) -> bytes:
    return b"\x37\xfa\x21\x3d"[:size]


def everything(connection: WebSocketConnection) -> list[Union[str, bytes, Closed]]:
    """All messages that are there, and the end if it is reached."""
    messages: list[Union[str, bytes, Closed]] = []
    while True:
        event = connection.next_message()
        if event is not NEED_DATA:
            messages.append(event)
        if event is NEED_DATA or isinstance(event, Closed):
            return messages


def received(stream: bytes, **limits: Any) -> list[Union[str, bytes, Closed]]:
    return everything(open_connection(stream, **limits))


def check(stream: bytes, mode: Mode = FRAMES) -> Outcome:
    """What is made of frames behind an upgrade: whole, byte by byte, and cut anywhere in two."""
    whole = outcome([SWITCH + stream], mode)
    assert outcome(byte_by_byte(SWITCH + stream), mode) == whole
    for place in range(len(stream)):
        assert outcome([SWITCH + stream[:place], stream[place:]], mode) == whole
    return whole


def fault(stream: bytes) -> tuple[int, str]:
    """The code and the word for what is wrong with the frames, which the peer is told."""
    got = check(stream).closed
    assert got is not None
    assert not got.clean
    assert not got.is_normal
    return got.code, got.error_code


# Laws


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
    # `outcome` asks on after the end, sends more, and knows the documented errors.
    mode = Mode.of(data.draw(st.integers(0, 15)))
    stream = handshake + stream
    whole = outcome([stream] if stream else [], mode)
    assert outcome(data.draw(pieces_of_bytes(stream)), mode) == whole
    assert outcome(byte_by_byte(stream), mode) == whole


contents = st.one_of(st.text(max_size=20), st.binary(max_size=20))


@st.composite
def written(draw: st.DrawFn, content: Union[str, bytes]) -> bytes:
    """A message in pieces, cut within code points as well, with control frames between."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    parts = draw(pieces_of_bytes(data)) or [b""]
    stream = b""
    for i, part in enumerate(parts):
        opcode = CONTINUATION if i else TEXT if isinstance(content, str) else BINARY
        stream += frame(opcode, part, fin=part is parts[-1] and i == len(parts) - 1)
        stream += draw(st.sampled_from([b"", frame(PING, b"a"), frame(PONG)]))
    return stream


@given(st.data(), st.lists(contents, max_size=5))
@example(None, ["", b"", "€", b"\xff", "a" * 126, b"b" * 65_536])
def test_messages_are_read_as_they_were_written(data, messages):
    if data is None:
        stream = b"".join(
            frame(TEXT, m.encode("utf-8")) if isinstance(m, str) else frame(BINARY, m)
            for m in messages
        )
    else:
        stream = b"".join(data.draw(written(message)) for message in messages)
    assert received(stream) == messages


@pytest.mark.parametrize("random_bytes", [None, os.urandom], ids=["drawn by wsproto", "given"])
@given(messages=st.lists(contents, max_size=5))
@example(messages=["", b"", "a" * 125, "a" * 126, b"b" * 65_535, b"b" * 65_536])
@example(messages=["a" * 4096, "a" * 4097, "\U0001f600" * 4096, "\0" * 127, "€", "ab", "abcdefg"])
def test_a_server_reads_back_what_was_sent(random_bytes, messages):
    connection = open_connection(random_bytes=random_bytes)
    sent = b"".join(
        connection.send_text(m) if isinstance(m, str) else connection.send_bytes(m)
        for m in messages
    )
    assert client_frames(sent) == [
        (TEXT, m.encode("utf-8")) if isinstance(m, str) else (BINARY, m) for m in messages
    ]


@pytest.mark.parametrize("random_bytes", [None, os.urandom], ids=["drawn by wsproto", "given"])
def test_every_frame_has_a_mask_of_its_own(random_bytes):
    connection = open_connection(random_bytes=random_bytes)
    masks = {connection.send_text("hello")[2:6] for _ in range(8)}
    assert len(masks) == 8


def test_a_connection_is_used_once_and_not_before_its_upgrade():
    connection = WebSocketConnection()
    with pytest.raises(RealtimeConnectionClosed, match="1006: the upgrade failed, or is not done"):
        connection.send_text("early")
    connection.connect(REQUEST)
    with pytest.raises(RealtimeConnectionClosed, match="the upgrade failed, or is not done"):
        connection.send_text("early")
    for again in (connection, open_connection()):
        with pytest.raises(RuntimeError, match="has been used"):
            again.connect(REQUEST)
    with pytest.raises(RuntimeError, match="has been used"):
        open_connection().start(REQUEST, Headers(ANSWER))


def test_a_masked_frame_is_that_of_the_rfc():
    # https://www.rfc-editor.org/rfc/rfc6455#section-5.7
    connection = open_connection(random_bytes=fixed_mask)
    assert connection.send_text("Hello").hex() == "818537fa213d7f9f4d5158"


# Any life

payloads = st.binary(max_size=3)


def while_it_lives(self: "Life") -> bool:
    return self.end is None


class Life(RuleBasedStateMachine):
    """Connections, one after the other, led in any order; the host writes when it likes."""

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
        self.pings: list[bytes] = []  # those that may still be answered
        self.expected: list[Union[str, bytes]] = []
        self.end: Optional[Closed] = None
        self.now = 0.0
        if upgraded:
            self.connection.start(REQUEST, Headers(ANSWER))
        else:
            self.connection.connect(REQUEST)
            self.connection.receive_data(SWITCH)
        self.read()
        self.connection.handle_timer(self.now)

    def read(self) -> None:
        """Take the events, and compare them with what the model says must come."""
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
                # It answers a ping that came, in their order; of many some are left out.
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
        assert (self.end is not None) == (self.connection.state is State.CLOSED)
        assert self.connection.closed is self.end
        if self.end is not None:
            assert self.connection.timer == inf
            assert len(self.connection._frames.buffer) == 0
            assert not self.connection._binary

    @invariant()
    def little_is_kept(self):
        assert len(self.connection._frames.buffer) <= 131
        assert self.connection._size <= 8


ANSWER = {
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-accept": ACCEPT.decode("ascii"),
}

TestLife = Life.TestCase


def test_the_table_has_every_state_and_leads_to_two_ends():
    assert set(TRANSITIONS) == set(State)
    assert {state for state in State if not TRANSITIONS[state]} == {State.CLOSED, State.FAILED}


# The upgrade


def upgrade(*pieces: bytes, request: Request = REQUEST) -> WebSocketConnection:
    connection = WebSocketConnection()
    connection.connect(request)
    for piece in pieces:
        connection.receive_data(piece)
    return connection


def refused(stream: bytes, *, ends: bool = False) -> MeshAPIError:
    """The error of an upgrade, which is the same however its answer is cut, and stays it."""
    mode = Mode(ends, upgrades=True, small=False, closes=False)
    whole = outcome([stream] if stream else [], mode)
    assert outcome(byte_by_byte(stream), mode) == whole
    connection = upgrade(stream, *([b""] if ends else []))
    with pytest.raises(MeshAPIError) as caught:
        connection.next_message()
    with pytest.raises(MeshAPIError) as again:
        connection.next_message()
    assert again.value is caught.value
    assert connection.state is State.FAILED
    assert connection.data_to_send() == b""
    return caught.value


def test_the_bytes_of_the_upgrade_are_those_of_the_request_and_do_not_show():
    data = WebSocketConnection().connect(REQUEST)
    assert data == (
        b"GET /v1/realtime?model=m HTTP/1.1\r\n"
        b"host: localhost:8000\r\n"
        b"connection: Upgrade\r\n"
        b"upgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"sec-websocket-protocol: openai-realtime\r\n\r\n"
    )
    assert isinstance(data, SecretBytes)


def test_the_accept_of_the_standard_is_the_one_that_is_expected():
    assert accept(KEY).encode("ascii") == ACCEPT


@pytest.mark.parametrize(
    ("stream", "kind", "code"),
    [
        (b'401 \r\nContent-Length: 26\r\n\r\n{"error":{"code":"spoilt"}}', AuthenticationError, ""),
        (b"403 \r\nContent-Length: 0\r\n\r\n", PermissionDeniedError, "forbidden"),
        (b"404 \r\nContent-Length: 0\r\n\r\n", NotFoundError, "not_found"),
        (b"429 \r\nContent-Length: 0\r\n\r\n", RateLimitError, "rate_limit_exceeded"),
        (b"500 \r\nContent-Length: 0\r\n\r\n", InternalServerError, "upstream_error"),
        (b"302 \r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", RedirectError, "redirect"),
        (b"200 \r\nContent-Length: 2\r\n\r\n{}", ProtocolError, "handshake_status"),
        (b"204 \r\n\r\n", ProtocolError, "handshake_status"),
    ],
)
def test_a_refused_upgrade_is_the_error_of_its_status(stream, kind, code):
    error = refused(b"HTTP/1.1 " + stream)
    assert type(error) is kind
    assert error.status == int(stream[:3])
    assert not code or error.error_code == code


def test_the_body_and_the_headers_of_a_refusal_are_read():
    body = b'{"error":{"code":"unauthorized","message":"No such token"},"request_id":"req_7"}'
    head = b"HTTP/1.1 401 Unauthorized\r\nRetry-After: 7\r\nContent-Length: %d\r\n\r\n" % len(body)
    error = refused(head + body)
    assert isinstance(error, AuthenticationError)
    assert (error.error_code, error.message) == ("unauthorized", "No such token")
    assert (error.request_id, error.retry_after_seconds) == ("req_7", 7.0)
    hint = refused(b"HTTP/1.1 502 \r\nX-Request-Id: req_8\r\nContent-Length: 0\r\n\r\n")
    assert hint.request_id == "req_8"
    plain = refused(b"HTTP/1.1 200 \r\nX-Request-Id: req_9\r\nContent-Length: 0\r\n\r\n")
    assert plain.request_id == "req_9"


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 99\r\n\r\n<html>",
        b"Transfer-Encoding: chunked\r\n\r\n6\r\n<html>\r\nzz\r\n",
        b"\r\n<html>",
    ],
)
def test_a_refusal_that_breaks_off_is_still_that_refusal(body):
    error = refused(b"HTTP/1.1 503 \r\n" + body, ends=True)
    assert isinstance(error, InternalServerError)
    assert error.status == 503


def test_a_refusal_waits_for_its_body_but_not_for_ever():
    """64 KiB of it are enough, and the same ones however they come."""
    head = b"HTTP/1.1 400 \r\nContent-Length: 10000000\r\n\r\n"
    connection = upgrade(head, b"x" * 65_536)
    assert connection.next_message() is NEED_DATA
    connection.receive_data(b"x")
    with pytest.raises(APIStatusError):
        connection.next_message()
    assert len(connection._refusal_body) == 0

    body = b'{"error":{"code":"mine","message":"' + b"x" * 70_000 + b'"}}'
    stream = b"HTTP/1.1 400 \r\nContent-Length: %d\r\n\r\n" % len(body) + body
    errors = []
    for size in (len(stream), 60_000, 1_000):
        connection = upgrade(*(stream[i : i + size] for i in range(0, len(stream), size)))
        with pytest.raises(APIStatusError) as caught:
            connection.next_message()
        errors.append((caught.value.error_code, caught.value.message, caught.value.raw))
    assert errors[1:] == errors[:-1]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Sec-WebSocket-Accept": None}, "handshake_accept"),
        ({"Sec-WebSocket-Accept": ""}, "handshake_accept"),
        ({"Sec-WebSocket-Accept": accept("another")}, "handshake_accept"),
        ({"Sec-WebSocket-Accept": accept(KEY).lower()}, "handshake_accept"),
        ({"Sec-WebSocket-Accept": f"{accept(KEY)}, {accept(KEY)}"}, "handshake_accept"),
        ({"Upgrade": None}, "handshake_upgrade"),
        ({"Upgrade": "h2c"}, "handshake_upgrade"),
        ({"Upgrade": "websocket, h2c"}, "handshake_upgrade"),
        ({"Connection": None}, "handshake_upgrade"),
        ({"Connection": "close"}, "handshake_upgrade"),
        ({"Connection": "x-upgrade"}, "handshake_upgrade"),
        ({"Sec-WebSocket-Protocol": "chat"}, "handshake_subprotocol"),
        ({"Sec-WebSocket-Protocol": "openai"}, "handshake_subprotocol"),
        ({"Sec-WebSocket-Protocol": "OpenAI-Realtime"}, "handshake_subprotocol"),
        ({"Sec-WebSocket-Protocol": "openai-realtime, chat"}, "handshake_subprotocol"),
        ({"Sec-WebSocket-Extensions": "permessage-deflate"}, "handshake_extension"),
        # Nothing that other parsers stumble over: a number out of range, bytes beyond ASCII.
        (
            {"Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=99"},
            "handshake_extension",
        ),
        ({"Sec-WebSocket-Extensions": "\xe9\xff"}, "handshake_extension"),
        ({"Sec-WebSocket-Protocol": "\xe9\xff"}, "handshake_subprotocol"),
        ({"Sec-WebSocket-Accept": "\xe9\xff"}, "handshake_accept"),
        ({"Upgrade": "websocket\xff"}, "handshake_upgrade"),
        ({"Connection": "\xe9\xff"}, "handshake_upgrade"),
    ],
)
def test_a_101_that_does_not_fit_the_request_is_refused(changed, code):
    error = refused(switch(KEY, changed))
    assert type(error) is ProtocolError
    assert error.error_code == code
    assert str(error).isprintable()


@pytest.mark.parametrize("name", ["Sec-WebSocket-Accept", "Upgrade", "Sec-WebSocket-Protocol"])
def test_a_field_of_the_101_that_is_there_twice_is_refused(name):
    usual = {
        "Sec-WebSocket-Accept": accept(KEY),
        "Upgrade": "websocket",
        "Sec-WebSocket-Protocol": "openai-realtime",
    }
    assert refused(switch(KEY, {}, (name, usual[name]))).error_code.startswith("handshake_")


@pytest.mark.parametrize(
    ("changed", "subprotocol"),
    [
        ({}, "openai-realtime"),
        ({"Sec-WebSocket-Protocol": None}, None),
        ({"Sec-WebSocket-Protocol": " "}, None),
        ({"Upgrade": "WebSocket"}, "openai-realtime"),
        ({"Connection": "keep-alive, UPGRADE"}, "openai-realtime"),
        ({"Sec-WebSocket-Extensions": ""}, "openai-realtime"),
        ({"X-Odd": "\xe9\xff"}, "openai-realtime"),
    ],
)
def test_a_101_that_fits_opens_the_connection(changed, subprotocol):
    for pieces in ([switch(KEY, changed)], byte_by_byte(switch(KEY, changed))):
        connection = upgrade(*pieces)
        assert connection.next_message() is NEED_DATA
        assert connection.is_open
        assert connection.subprotocol == subprotocol
        assert "sec-websocket-accept" in connection.headers


def test_hints_before_the_101_are_passed_over_and_frames_behind_it_are_read():
    stream = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + SWITCH
    assert everything(upgrade(stream + text("hello") + frame(PING, b"a"))) == ["hello"]
    assert everything(upgrade(stream + text("hello") + close(1000), b"")) == [
        "hello",
        Closed(1000, clean=True),
    ]
    assert everything(upgrade(SWITCH + b"\x81\x05he", b"llo")) == ["hello"]
    flood = refused(b"HTTP/1.1 103 \r\n\r\n" * 5000 + SWITCH)
    assert flood.error_code == "too_many_1xx"


@pytest.mark.parametrize("stream", [b"", b"HTTP/1.1 101", SWITCH[:-2]])
def test_an_input_that_ends_within_the_handshake_is_a_lost_connection(stream):
    error = refused(stream, ends=True)
    assert type(error) is APIConnectionError
    assert error.error_code == "disconnected"
    connection = upgrade()
    connection.connection_lost("reset", "by the peer")
    with pytest.raises(APIConnectionError):
        connection.next_message()


def test_a_head_of_the_answer_that_is_too_large_is_refused():
    stream = switch(KEY, {"X-Padding": "x" * 70_000})
    for first in (50_000, 66_000, len(stream)):
        pieces = [piece for piece in (stream[:first], stream[first:]) if piece]
        with pytest.raises(ProtocolError) as caught:
            upgrade(*pieces).next_message()
        assert caught.value.error_code == "headers_too_large"
    with pytest.raises(ProtocolError):
        upgrade(b"HTTP/1.1 101 \r\n" + b"A: b\r\n" * 101 + b"\r\n").next_message()


def test_what_is_no_http_is_a_protocol_error():
    assert refused(b"\x15\x03\x01\x00\x02\x02F").error_code == "bad_response"
    assert refused(b"SSH-2.0-x\r\n\r\n").error_code == "bad_response"


def test_an_upgrade_that_somebody_else_has_made_goes_on_with_its_frames():
    connection = WebSocketConnection()
    connection.start(REQUEST, Headers(ANSWER), text("hello")[:3])
    connection.receive_data(text("hello")[3:])
    assert everything(connection) == ["hello"]
    failed = WebSocketConnection()
    with pytest.raises(ProtocolError) as caught:
        failed.start(REQUEST, Headers({**ANSWER, "upgrade": "h2c"}), text("hello"))
    with pytest.raises(ProtocolError) as again:
        failed.next_message()
    assert again.value is caught.value
    assert failed.state is State.FAILED


def test_nothing_is_sent_before_the_upgrade_is_done():
    for connection in (WebSocketConnection(), upgrade()):
        for send in (connection.send_text, lambda _, c=connection: c.ping()):
            with pytest.raises(RealtimeConnectionClosed):
                send("x")
        assert connection.close() == b""
        assert not connection.is_open
        assert connection.closed is None


# Closing


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


def test_a_ping_together_with_the_answer_to_our_close_is_not_answered():
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


# Faults of the peer


@pytest.mark.parametrize(
    "payload",
    [b"\xff", b"ok\xff\xfe", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"],
)
def test_text_that_is_no_utf_8_is_a_fault(payload):
    assert fault(frame(TEXT, payload)) == (1007, "bad_text")
    assert fault(text("ok") + frame(TEXT, payload)) == (1007, "bad_text")
    assert fault(pieces_of(TEXT, b"ok", payload)) == (1007, "bad_text")
    assert fault(pieces_of(TEXT, payload, b"ok")) == (1007, "bad_text")
    assert received(frame(BINARY, payload)) == [payload]


def test_a_code_point_may_be_cut_by_frames():
    assert check(pieces_of(TEXT, b"\xf0\x9f", b"\x98", b"", b"\x80")).messages == [
        ("\N{GRINNING FACE}", None, "")
    ]


@pytest.mark.parametrize(
    "stream",
    [
        frame(PING, fin=False),
        frame(PONG, b"a", fin=False),
        frame(CLOSE, b"\x03\xe8", fin=False),
        frame(PING, bytes(126)),
        frame(PONG, bytes(70_000))[:10],
        frame(CLOSE, b"\x03\xe8" + b"x" * 124),
        *(frame(TEXT, b"a", rsv=rsv) for rsv in (1, 2, 4, 7)),
        frame(PING, rsv=4),
        *(frame(opcode, b"a") for opcode in (3, 7, 11, 15)),
        frame(TEXT, b"a", mask=b"abcd"),
        frame(TEXT, b"a", mask=bytes(4)),
        frame(PING, mask=b"abcd"),
        frame(CONTINUATION, b"a"),
        frame(CONTINUATION, b"a", fin=False),
        text("a") + frame(CONTINUATION, b"a"),
        frame(TEXT, b"a", fin=False) + text("b"),
        frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"),
        frame(BINARY, b"a", fin=False) + frame(BINARY, b"b"),
        frame(TEXT, b"a", width=2),
        frame(TEXT, b"a" * 125, width=2),
        frame(TEXT, b"a" * 126, width=8),
        frame(BINARY, length=1 << 63),
    ],
)
def test_a_frame_that_no_server_may_send_is_a_fault(stream):
    assert fault(stream) == (1002, "bad_frame")


def test_the_length_of_a_fault_is_told_in_a_reason_that_fits():
    connection = open_connection(frame(TEXT, b"a" * 100 + b"\xff"))
    (end,) = everything(connection)
    assert isinstance(end, Closed)
    ((opcode, payload),) = client_frames(connection.data_to_send())
    assert opcode == CLOSE
    assert len(payload) <= 125
    assert payload[2:].decode("utf-8") == end.reason


# Limits


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("length", [17, 126, 1 << 16, 1 << 31, 1 << 62])
def test_a_message_that_is_too_large_is_refused_by_its_header_alone(opcode, length):
    connection = open_connection(frame(opcode, length=length), max_message_size=16)
    assert everything(connection) == [
        Closed(1009, "a message of more than 16 bytes", error_code="message_too_big")
    ]
    assert client_frames(connection.data_to_send())[0][1][:2] == b"\x03\xf1"
    assert received(frame(opcode, length=1 << 62))[0].code == 1009


@pytest.mark.parametrize("size", [15, 16, 17])
def test_the_limit_of_a_message_is_exact_however_it_comes(size):
    data = b"x" * size
    for stream in (
        frame(BINARY, data),
        frame(TEXT, data),
        pieces_of(TEXT, *(data[i : i + 1] for i in range(size))),
        pieces_of(BINARY, data, b""),
        pieces_of(BINARY, data[:8], data[8:]),
    ):
        got = check(stream, SMALL)
        if size > 16:
            assert got.closed is not None
            assert got.closed.error_code == "message_too_big"
        else:
            assert len(got.messages) == 1
            assert got.is_open
    twice = check(frame(BINARY, b"x" * 16) + frame(TEXT, b"x" * 16), SMALL)
    assert len(twice.messages) == 2, "each message has the limit of its own"


def test_a_piece_that_makes_a_message_too_large_is_refused_by_its_header():
    stream = frame(TEXT, b"x" * 10, fin=False) + frame(CONTINUATION, length=7)
    assert received(stream, max_message_size=16)[0].code == 1009
    stream = frame(TEXT, b"x" * 10, fin=False) + frame(CONTINUATION, length=6)
    assert received(stream, max_message_size=16) == []


def test_little_is_kept_of_a_large_message_that_was_refused():
    connection = open_connection(
        frame(BINARY, bytes(1000), fin=False) + frame(CONTINUATION, bytes(100), length=5000),
        max_message_size=4096,
    )
    assert everything(connection)[0].code == 1009
    connection.receive_data(bytes(100_000))
    assert len(connection._frames.buffer) == len(connection._binary) == 0


@pytest.mark.parametrize(
    ("count", "answered"),
    [(1, [0]), (2, [0, 1]), (16, [*range(16)]), (17, [*range(15), 16]), (900, [*range(15), 899])],
)
def test_pings_are_answered_in_their_order_and_of_too_many_the_last(count, answered):
    connection = open_connection(b"".join(frame(PING, b"%d" % i) for i in range(count)))
    assert everything(connection) == []
    pongs = [(PONG, b"%d" % i) for i in answered]
    assert client_frames(connection.data_to_send()) == pongs
    assert connection.data_to_send() == b""
    connection.receive_data(frame(PING, b"x" * 125) + text("a"))
    assert everything(connection) == ["a"]
    assert client_frames(connection.data_to_send()) == [(PONG, b"x" * 125)]


def test_a_ping_before_a_close_is_answered_before_it():
    connection = open_connection(frame(PING, b"a") + close(1000))
    everything(connection)
    assert client_frames(connection.data_to_send()) == [(PONG, b"a"), (CLOSE, b"\x03\xe8")]


@pytest.mark.parametrize(
    ("start", "one", "most"),
    [
        (b"", frame(PING), 1_000),
        (b"", frame(PONG, b"a"), 1_000),
        (frame(TEXT, b"a", fin=False), frame(PING), 1_000),
        (frame(TEXT, fin=False), frame(CONTINUATION, fin=False), 9_999),
        (frame(BINARY, b"a", fin=False), frame(CONTINUATION, fin=False), 10_000),
    ],
)
def test_a_flood_of_frames_that_bring_nothing_is_a_fault(start, one, most):
    assert received(start + one * most) == []
    connection = open_connection(start + one * (most + 1))
    (end,) = everything(connection)
    assert isinstance(end, Closed)
    assert (end.code, end.error_code, end.clean) == (1008, "flood", False)
    assert [opcode for opcode, _ in client_frames(connection.data_to_send())] == [CLOSE]
    assert len(connection._frames.buffer) == 0


@given(websocket_frames.streams, st.integers(1, 5))
def test_with_a_limit_of_frames_the_same_messages_come_in_more_steps(stream, most):
    connection = open_connection(stream)
    got: list[Union[str, bytes, Closed]] = []
    while not (got and isinstance(got[-1], Closed)):
        event = connection.next_message(most)
        if event is not NEED_DATA:
            got.append(event)
        elif not connection.has_more:
            break
    assert got == received(stream)


def test_a_flood_of_fragments_is_looked_at_in_steps():
    connection = open_connection(
        frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"a", fin=False) * 999
    )
    for _ in range(9):
        assert connection.next_message(100) is NEED_DATA
        assert connection.has_more
    assert connection.next_message(100) is NEED_DATA
    assert connection.next_message(100) is NEED_DATA
    assert not connection.has_more
    connection.receive_data(frame(CONTINUATION, b"b"))
    assert connection.next_message(100) == "a" * 1000 + "b"


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


@pytest.mark.parametrize("between", [text("a"), frame(BINARY, b"a"), pieces_of(TEXT, b"a", b"b")])
def test_control_frames_between_messages_are_no_flood(between):
    stream = (frame(PING) * 600 + between) * 3
    assert len(received(stream)) == 3


def test_control_frames_over_a_long_time_are_no_flood():
    connection = open_connection()
    connection.handle_timer(0.0)
    for now in range(20, 120, 20):
        connection.receive_data(frame(PING) * 900)
        assert everything(connection) == []
        connection.handle_timer(float(now))
    assert connection.is_open


@pytest.mark.exhaustive
@pytest.mark.slow
def test_what_is_kept_of_a_session_does_not_grow_with_it():
    connection = open_connection(max_message_size=70_000)
    for _ in range(300):
        connection.receive_data(frame(PING, bytes(125)) * 100 + frame(BINARY, bytes(65_536)))
        assert everything(connection) == [bytes(65_536)]
        assert len(connection._frames.buffer) == len(connection._binary) == 0
        assert len(connection.data_to_send()) < 16 * 140


# Time


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
        Closed(1011, "no sign of life within 5.0 s of a ping", error_code="ping_timeout")
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
    # What comes after the Close is no answer to it, and there is no ping any more.
    for sign in (text("late"), frame(PING), frame(PONG), b"\x81"):
        connection.receive_data(sign)
        assert connection.timer == 35.0
        connection.handle_timer(34.0)
        assert everything(connection) == []
    assert connection.data_to_send() == b""
    connection.handle_timer(35.0)
    assert everything(connection) == [
        Closed(1006, "the close was not answered", error_code="disconnected")
    ]
    assert connection.timer == inf


def test_an_answer_to_a_close_that_nobody_has_looked_at_yet_was_in_time():
    connection = open_connection(close_timeout=1.0)
    connection.close()
    connection.handle_timer(0.0)
    assert connection.timer == 1.0
    connection.receive_data(text("late") + close(1000))
    connection.handle_timer(9.0)
    assert everything(connection) == [Closed(1000, clean=True)]


def test_an_answer_to_a_close_may_be_waited_for():
    connection = open_connection(close_timeout=None)
    connection.close()
    for now in (0.0, 1e6):
        connection.handle_timer(now)
        assert connection.timer == inf
    assert everything(connection) == []


def connecting(*pieces: bytes, **limits: Any) -> WebSocketConnection:
    """A connection whose upgrade was sent at 100.0 s, and that has received these bytes."""
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
    assert (connection.state, connection.timer) == (State.FAILED, inf)
    for _ in range(2):
        with pytest.raises(APITimeoutError, match=r"not answered within 60\.0 s") as caught:
            connection.next_message()
    assert (caught.value.phase, caught.value.error_code) == ("read", "read_timeout")
    connection.receive_data(SWITCH)
    connection.handle_timer(1000.0)
    assert connection.data_to_send() == b""
    with pytest.raises(APITimeoutError):
        connection.next_message()


def test_an_answer_that_nobody_has_looked_at_yet_was_in_time():
    connection = connecting(SWITCH + text("a"))
    connection.handle_timer(1000.0)
    assert connection.is_open
    assert connection.timer == -inf
    connection.handle_timer(1000.0)
    assert connection.timer == 1020.0
    assert everything(connection) == ["a"]


def test_nor_is_a_wrong_answer_a_late_one():
    connection = connecting(SWITCH.replace(ACCEPT, b"x" + ACCEPT))
    connection.handle_timer(1000.0)
    assert connection.timer == inf
    with pytest.raises(ProtocolError, match="does not fit the key"):
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


# Buffers of the host's


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
        # A view that is kept would make this an error.
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
    started.start(REQUEST, Headers(ANSWER), memoryview(rest))
    rest[:] = bytes(len(rest))
    rest += b"x"
    assert everything(started) == wanted


# The end and its error


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
    assert "secret" not in repr(closed)
    assert closed == Closed(code or 1005, closed.reason, clean=True)
    assert hash(closed) == hash(Closed(code or 1005, closed.reason, clean=True))
    assert pickle.loads(pickle.dumps(closed)).headers == closed.headers


def test_an_end_that_was_lost_has_an_error_without_the_secrets():
    request = Request("GET", REQUEST.origin, "/", REQUEST.headers, secrets=("a secret of mine",))
    connection = WebSocketConnection()
    connection.start(request, Headers(ANSWER))
    connection.connection_lost("reset", "no route to a secret of mine")
    *_, closed = everything(connection)
    assert isinstance(closed, Closed)
    error = closed.error()
    assert error is not None
    assert (error.code, error.reason, error.error_code) == (1006, "no route to ***", "reset")


def test_the_end_of_a_websocket_of_the_hosts_own_has_an_error_too():
    assert Closed(1000, "", True).error() is None
    error = Closed(4402, "no balance", True).error()
    assert error is not None
    assert str(error) == "the realtime session is over, code 4402: no balance"
    assert (error.clean, error.request_id, dict(error.headers)) == (True, "", {})
    # Not clean: nobody has said that all is well.
    assert Closed(1000).error() is not None


def test_a_ping_of_the_callers_may_have_125_bytes():
    connection = open_connection()
    assert client_frames(connection.ping(b"x" * 125)) == [(PING, b"x" * 125)]
    with pytest.raises(ValueError, match="at most 125 bytes, got 126"):
        connection.ping(b"x" * 126)


def test_an_end_is_a_value():
    assert Closed(1000) == Closed(1000, "", False, "connection_closed")
    assert not Closed(1000).is_normal, "an end without a Close is none"
