"""The upgrade: its bytes; responses that are valid, invalid, not HTTP, or too large."""

import pytest
from fuzz_realtime import ACCEPT, KEY, REQUEST, SWITCH, Mode, outcome
from pieces import byte_by_byte

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
    RedirectError,
)
from meshapi_core.signals import NEED_DATA
from meshapi_core.websocket.closing import Closed
from meshapi_core.websocket.connection import WebSocketConnection, WebSocketState
from meshapi_core.websocket.handshake import Handshake, Upgraded
from support.websocket_connections import everything, upgrade
from support.websocket_frames import PING, accept, close, frame, switch, text


def refused(stream: bytes, *, ends: bool = False) -> MeshAPIError:
    """The error of an upgrade: the same however its response is cut, and on every call."""
    mode = Mode(ends, upgrades=True, small=False, closes=False)
    whole = outcome([stream] if stream else [], mode)
    assert outcome(byte_by_byte(stream), mode) == whole
    connection = upgrade(stream, *([b""] if ends else []))
    with pytest.raises(MeshAPIError) as caught:
        connection.next_message()
    with pytest.raises(MeshAPIError) as again:
        connection.next_message()
    assert again.value is caught.value
    assert connection.state is WebSocketState.FAILED
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
    """64 KiB of it are enough, and always the first ones, however they are cut."""
    head = b"HTTP/1.1 400 \r\nContent-Length: 10000000\r\n\r\n"
    connection = upgrade(head, b"x" * 65_536)
    assert connection.next_message() is NEED_DATA
    connection.receive_data(b"x")
    with pytest.raises(APIStatusError):
        connection.next_message()

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
        # What other parsers stumble over is left out: a number out of range, bytes beyond ASCII.
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
def test_a_header_of_the_101_that_comes_twice_is_refused(name):
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
    with pytest.raises(MeshAPIError) as caught:
        upgrade(b"HTTP/1.1 103 \r\n\r\n" * 5000 + SWITCH).next_message()
    assert caught.value.error_code == "too_many_1xx"


@pytest.mark.parametrize("stream", [b"", b"HTTP/1.1 101", SWITCH[:-2]])
def test_an_input_that_ends_within_the_handshake_is_a_lost_connection(stream):
    error = refused(stream, ends=True)
    assert type(error) is APIConnectionError
    assert error.error_code == "disconnected"
    connection = upgrade()
    connection.connection_lost("reset", "by the peer")
    with pytest.raises(APIConnectionError):
        connection.next_message()


def test_a_head_of_the_response_that_is_too_large_is_refused():
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


# The machine by itself


def test_a_handshake_gives_what_the_frames_begin_with():
    handshake = Handshake(REQUEST)
    assert handshake.send() == WebSocketConnection().connect(REQUEST)
    for piece in byte_by_byte(SWITCH):
        assert handshake.next_event() is NEED_DATA
        handshake.receive_data(piece)
    handshake.receive_data(text("hello"))
    upgraded = handshake.next_event()
    assert isinstance(upgraded, Upgraded)
    assert (upgraded.subprotocol, upgraded.received) == (None, text("hello"))
    assert upgraded.headers["sec-websocket-accept"] == ACCEPT.decode("ascii")


@pytest.mark.parametrize(
    ("received", "kind"),
    [
        (SWITCH, None),
        (SWITCH[:-1], APITimeoutError),
        (b"", APITimeoutError),
        (b"HTTP/1.1 401 \r\nContent-Length: 9\r\n\r\n{", AuthenticationError),
        (b"HTTP/1.1 200 \r\nContent-Length: 9\r\n\r\n{", ProtocolError),
    ],
)
def test_when_the_time_is_over_what_has_come_decides(received, kind):
    handshake = Handshake(REQUEST)
    handshake.send()
    if received:
        handshake.receive_data(received)
    if kind is None:
        assert handshake.last_event(5.0).received == b""
        return
    with pytest.raises(kind):
        handshake.last_event(5.0)
