"""A realtime session that is observed tells what it does, over all its connections."""

import re
from typing import Any

from meshapi_core import (
    Closed,
    Connect,
    Finished,
    MeshAPIConfig,
    MeshAPIError,
    Notify,
    Read,
    RealtimeCall,
    Reconnect,
    Reconnected,
    Sleep,
    Write,
)
from meshapi_core.observing import (
    AttemptStarted,
    CallFailed,
    ConnectionLost,
    ItemReceived,
    ObservedPipeCall,
    ObservedRealtimeExchange,
    ResponseStarted,
    RetryPlanned,
    SessionConnected,
    SessionEnded,
)
from support.randomness import always
from support.websocket_frames import switch

TOKEN = "rsk_test_observed_session"
CONFIG = MeshAPIConfig(base_url="http://localhost:8000", token=TOKEN, max_retries=1)
REFUSED = b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"


def begin(reconnect: Any = None) -> ObservedRealtimeExchange:
    call = RealtimeCall(model="m")
    return ObservedRealtimeExchange(call, CONFIG, reconnect, now=0.0, random_bytes=always(0.5))


def upgrade(session: ObservedRealtimeExchange, now: float, *responses: bytes) -> list[Any]:
    """Make the next connection, and return what the call tells; `b""` stands for a 101."""
    call = ObservedPipeCall.upgrade(session)
    told: list[Any] = []
    left, request = list(responses), b""
    try:
        while not isinstance(action := call.next_action(now), Finished):
            if isinstance(action, Notify):
                told.append(action.notice)
            elif isinstance(action, Connect):
                call.connected(now)
            elif isinstance(action, Write):
                request = action.data
                call.written()
            elif isinstance(action, Read):
                key = re.search(rb"(?i)sec-websocket-key: (\S+)", request)
                assert key
                call.receive_data(left.pop(0) or switch(key[1].decode()), now)
            elif isinstance(action, Sleep):
                now = action.until
    except MeshAPIError:
        pass
    return told


def kinds(told: list[Any]) -> list[type]:
    return [type(each) for each in told]


def test_a_session_tells_of_each_attempt_and_connection():
    session = begin(Reconnect())
    told = upgrade(session, 0.0, BUSY, b"")
    assert kinds(told) == [
        AttemptStarted,
        ResponseStarted,
        RetryPlanned,
        AttemptStarted,
        ResponseStarted,
        SessionConnected,
    ]
    assert [each.status for each in told if isinstance(each, ResponseStarted)] == [503, 101]
    assert not told[-1].again
    message = session.message_received(Reconnected(code=1006, reason="", attempts=1), 4.0)
    session.lost(Closed(1012, "restart", clean=True), 5.0)
    (lost,) = session.take_notices(5.0)
    assert isinstance(message, ItemReceived)
    assert message.value.code == 1006
    assert isinstance(lost, ConnectionLost)
    assert lost.closed.code == 1012
    assert lost.wait is not None
    again = upgrade(session, 5.0 + lost.wait, b"")
    assert kinds(again) == [AttemptStarted, ResponseStarted, SessionConnected]
    assert again[-1].again
    assert again[-1].about is told[0].about
    session.close()
    (end,) = session.take_notices(9.0)
    assert isinstance(end, SessionEnded)
    assert (end.items, end.elapsed, end.closed) == (1, 9.0, None)
    assert session.take_notices(9.0) == []
    assert TOKEN not in "".join(map(repr, [*told, lost, *again, end]))


def test_a_refused_session_has_failed():
    told = upgrade(begin(), 0.0, REFUSED)
    assert kinds(told) == [AttemptStarted, ResponseStarted, CallFailed]
    assert told[-1].status == 401


def test_an_end_that_is_not_normal_is_a_failure_and_the_end():
    session = begin()
    upgrade(session, 0.0, b"")
    closed = Closed(1011, "no", clean=True)
    session.lost(closed, 1.0)
    lost, failed, end = session.take_notices(1.0)
    assert isinstance(lost, ConnectionLost)
    assert lost.wait is None
    assert isinstance(failed, CallFailed)
    assert failed.error.code == 1011  # type: ignore[attr-defined]
    assert isinstance(end, SessionEnded)
    assert end.closed is closed


def test_a_normal_end_is_only_the_end():
    session = begin()
    upgrade(session, 0.0, b"")
    session.lost(Closed(1000, clean=True), 1.0)
    assert kinds(session.take_notices(1.0)) == [ConnectionLost, SessionEnded]
