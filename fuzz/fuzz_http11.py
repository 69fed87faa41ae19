"""The HTTP/1.1 connection in one piece, in pieces, and byte by byte, and then once more.

Input: one byte that seeds the cuts and says by its lowest bit whether the input ends, then what
the server sends.
"""

import random
from collections.abc import Iterable
from typing import NamedTuple, Optional

from pieces import byte_by_byte, cut

from meshapi_core.errors import APIConnectionError, ProtocolError
from meshapi_core.headers import Headers
from meshapi_core.http11 import connection as http11
from meshapi_core.messages import Origin, Request
from meshapi_core.signals import END_OF_BODY, NEED_DATA

# `one` judges the documented errors itself, so nothing may come out of it.
ACCEPTED: tuple[type[Exception], ...] = ()

DICTIONARY = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 \r\n\r\n",
    b"HTTP/1.1 204 \r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Upgrade: h2c\r\n",
    b"\r\n\r\n",
    b"\r\n",
    b"\n\n",
    b"\r",
    b"\n",
    b" x\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"0\r\nA: b\r\n\r\n",
    b"FFFFFFFFFFFFFFFFFFFF\r\n",
    b"\0",
    b"\x80",
)

CODES = frozenset(
    {
        "bad_response",
        "disconnected",
        "framing",
        "headers_too_large",
        "too_many_1xx",
        "truncated",
        "unexpected_upgrade",
    }
)

REQUEST = Request("POST", Origin("http", "localhost", 8000), "/v1/x", (("accept", "*/*"),), b"{}")


class Outcome(NamedTuple):
    """What a connection makes of the bytes that it receives.

    Fields:
        status, headers: of the head; 0 and nothing where none came.
        body: its pieces, joined.
        ended: whether END_OF_BODY came.
        error: the class and code of the error, if one came.
        reusable: at the end.
    """

    status: int
    headers: Headers
    body: bytes
    ended: bool
    error: Optional[tuple[type[APIConnectionError], str]]
    reusable: bool


def one(data: bytes) -> None:
    """Check one input.

    Raises:
        AssertionError: Two ways of reading the same bytes differ, or an event or an error came
            that must not come.
    """
    ends = bool(data[:1] and data[0] & 1)
    stream = data[1:]
    end = [b""] if ends else []
    connection = http11.HTTP11Connection()
    whole = [stream] if stream else []
    expected = outcome(connection, [*whole, *end])
    for pieces in (cut(stream, random.Random(data[:1])), byte_by_byte(stream)):
        actual = outcome(http11.HTTP11Connection(), [*pieces, *end])
        assert actual == expected, f"{actual} is not {expected}, read as {pieces}"
    if expected.reusable:
        assert not ends
        connection.start_next_cycle()
        again = outcome(connection, whole)
        assert again == expected, f"the second response is {again}, not {expected}"


def outcome(connection: http11.HTTP11Connection, pieces: Iterable[bytes]) -> Outcome:
    """Return what a connection makes of the response to one request; `b""` ends the input.

    Pieces after the end of the response are received, too, as a connection in the pool would.
    """
    head = http11.ResponseHead(0, Headers())
    body: list[bytes] = []
    ended = False
    error: Optional[APIConnectionError] = None
    for _ in connection.send(REQUEST):
        pass
    assert connection.next_event() is NEED_DATA, "a response came before its first byte"
    for piece in pieces:
        connection.receive_data(piece)
        while error is None:
            try:
                event = connection.next_event()
            except APIConnectionError as exc:
                error = exc
                break
            if event is NEED_DATA:
                assert not ended
                break
            if event is END_OF_BODY:
                assert head.status
                ended = True
                break
            assert not ended
            if isinstance(event, bytes):
                assert event, "an empty piece"
                assert head.status
                body.append(event)
            else:
                assert isinstance(event, http11.ResponseHead)
                assert not head.status, "a second head"
                assert 200 <= event.status <= 599
                head = event
    _check_the_end(connection, error, ended)
    return Outcome(
        head.status, head.headers, b"".join(body), ended, _kind(error), connection.reusable
    )


def _check_the_end(
    connection: http11.HTTP11Connection, error: Optional[APIConnectionError], ended: bool
) -> None:
    if error is None:
        expected = END_OF_BODY if ended else NEED_DATA
        assert connection.next_event() is expected
        return
    assert not connection.reusable
    try:
        event = connection.next_event()
    except APIConnectionError as exc:
        assert exc is error
    else:
        raise AssertionError(f"{event!r} came after {error!r}")


def _kind(error: Optional[APIConnectionError]) -> Optional[tuple[type[APIConnectionError], str]]:
    if error is None:
        return None
    assert error.error_code in CODES
    early = error.error_code in ("disconnected", "truncated")
    assert type(error) is (APIConnectionError if early else ProtocolError)
    return type(error), error.error_code
