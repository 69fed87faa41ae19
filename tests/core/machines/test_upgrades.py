"""The next connection of a session, made by the call that `PipeCall.upgrade` returns."""

import re

import pytest

from meshapi_core import (
    APIConnectionError,
    AuthenticationError,
    Connect,
    ExchangeUsageError,
    Finished,
    Item,
    MeshAPIConfig,
    PipeCall,
    Read,
    RealtimeCall,
    RealtimeConnected,
    RealtimeExchange,
    Reconnect,
    Release,
    Sleep,
    Write,
    client_closed,
)
from support.randomness import always
from support.websocket_frames import switch

CONFIG = MeshAPIConfig(base_url="http://localhost:8000", token="rsk_test_1", max_retries=1)
REFUSED = b'HTTP/1.1 401 No\r\ncontent-length: 33\r\n\r\n{"error":{"message":"wrong key."}}'


def begin() -> "PipeCall[RealtimeConnected]":
    call = RealtimeCall(model="m")
    session = RealtimeExchange(call, CONFIG, Reconnect(), now=0.0, random_bytes=always(0.5))
    return PipeCall.upgrade(session)


def written(call: "PipeCall[RealtimeConnected]", now: float) -> bytes:
    """The request, on a new connection."""
    assert isinstance(call.next_action(now), Connect)
    call.connected(now)
    write = call.next_action(now)
    assert isinstance(write, Write)
    call.written()
    assert isinstance(call.next_action(now), Read)
    return write.data


def key_of(request: bytes) -> str:
    found = re.search(rb"(?i)sec-websocket-key: (\S+)", request)
    assert found
    return found[1].decode()


def test_the_connection_stays_with_the_host():
    call = begin()
    key = key_of(written(call, 0.0))
    call.receive_data(switch(key) + b"\x81\x02{}", 0.0)
    assert call.next_action(0.0) == Item(RealtimeConnected())
    assert call.next_action(0.0) == Finished()
    assert call.switched is not None
    assert call.switched["upgrade"] == "websocket"
    assert call.http is not None
    assert call.http.trailing_data == b"\x81\x02{}"
    assert call.attempts == 1
    assert call.request.method == "GET"


def test_a_switch_before_the_request_was_written_is_refused():
    """RFC 9110, section 7.8: a client cannot change the protocol in the middle of a message."""
    call = begin()
    assert isinstance(call.next_action(0.0), Connect)
    call.connected(0.0)
    write = call.next_action(0.0)
    assert isinstance(write, Write)
    call.receive_data(switch(key_of(write.data)), 0.0)
    released = call.next_action(0.0)
    assert isinstance(released, Release)
    assert not released.reusable
    assert call.switched is None


def test_an_attempt_that_fails_is_followed_by_the_next_one():
    call = begin()
    assert isinstance(call.next_action(0.0), Connect)
    call.fail(ConnectionRefusedError("no"), 0.0)
    sleep = call.next_action(0.0)
    assert isinstance(sleep, Sleep)
    key = key_of(written(call, sleep.until))
    call.receive_data(switch(key), sleep.until)
    assert isinstance(call.next_action(sleep.until), Item)
    assert call.attempts == 2


def test_a_refusal_of_the_upgrade_is_the_error():
    call = begin()
    written(call, 0.0)
    call.receive_data(REFUSED, 0.0)
    assert isinstance(call.next_action(0.0), Release)
    with pytest.raises(AuthenticationError, match="wrong key"):
        call.next_action(0.0)


def test_a_client_that_is_closed_ends_it():
    call = begin()
    written(call, 0.0)
    call.close(client_closed(), 0.0)
    assert isinstance(call.next_action(0.0), Release)
    with pytest.raises(APIConnectionError, match="the client is closed"):
        call.next_action(0.0)


def test_nothing_can_fail_before_the_first_attempt():
    call = begin()
    assert call.attempts == 0
    for tell in (call.fail, call.receive_failure):
        with pytest.raises(ExchangeUsageError, match="ready for its next attempt"):
            tell(OSError("?"), 0.0)
