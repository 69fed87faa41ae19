"""Upgraded WebSocket connections, and what they make of bytes."""

from typing import Any, Union

from fuzz_realtime import ACCEPT, REQUEST, SWITCH, Mode, Outcome, outcome
from pieces import byte_by_byte

from meshapi_core.messages import Request
from meshapi_core.signals import NEED_DATA
from meshapi_core.websocket.closing import Closed
from meshapi_core.websocket.connection import WebSocketConnection

FRAMES = Mode(ends=False, upgrades=False, small=False, closes=False)

SMALL = FRAMES._replace(small=True)

CLOSES = FRAMES._replace(closes=True)

RESPONSE = {
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-accept": ACCEPT.decode("ascii"),
}


def upgrade(*pieces: bytes, request: Request = REQUEST) -> WebSocketConnection:
    connection = WebSocketConnection()
    connection.connect(request)
    for piece in pieces:
        connection.receive_data(piece)
    return connection


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
    """All messages that have arrived, and the end if it is reached."""
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
    """The outcome of frames after an upgrade, which is the same however they are cut."""
    whole = outcome([SWITCH + stream], mode)
    assert outcome(byte_by_byte(SWITCH + stream), mode) == whole
    for place in range(len(stream)):
        assert outcome([SWITCH + stream[:place], stream[place:]], mode) == whole
    return whole


def fault(stream: bytes) -> tuple[int, str]:
    """The close code and the reason that the peer is sent for faulty frames."""
    got = check(stream).closed
    assert got is not None
    assert not got.clean
    assert not got.is_normal
    return got.code, got.error_code
