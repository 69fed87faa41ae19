"""Plain responses, which we read ourselves, against h11 alone, in any cut; and against http.client.

Input: one byte that says whether the input ends (its lowest bit) and how it is cut (the next two),
then what the server sends. The rest of the first byte makes the cuts differ.

Whatever h11 and the checks around it make of the bytes, the connection must make of them, too, with
the same words for what is wrong; and where it goes on with the next request, http.client must have
read the same response.
"""

import http.client
import io
import random
from collections.abc import Sequence
from typing import NamedTuple, Optional

import fuzz_http11
from pieces import byte_by_byte, cut

from meshapi_core.errors import APIConnectionError
from meshapi_core.http11.connection import HTTP11Connection, ResponseHead
from meshapi_core.http11.h11_responses import going_on
from meshapi_core.http11.plain_responses import PlainResponse
from meshapi_core.signals import END_OF_BODY, NEED_DATA

ACCEPTED: tuple[type[Exception], ...] = ()

DICTIONARY = (
    *fuzz_http11.DICTIONARY,
    b"content-length: ",
    b"transfer-encoding: chunked",
    b"connection: keep-alive\r\n",
    b"0\r\n",
    b"00000005\r\nhello\r\n",
    b"5\r\nhello",
    b"F\r\n",
    b"\t\r\n",
    b" \r\n",
    b"a:b\r\n",
    b"a: \r\n",
    b": b\r\n",
    b"HTTP/1.1 200 \r\n",
    b";a=b\r\n",
    b"\x7f",
)

WHOLE, HEAD_AND_PIECES, PIECES, BYTES = range(4)


class Reading(NamedTuple):
    """What somebody makes of the bytes that they receive.

    Fields:
        status, fields: of the head; 0 and nothing where none came.
        body: its pieces, joined.
        ended: whether its end came.
        error: class, code and words of the error, if one came.
        reusable: at the end.
    """

    status: int = 0
    fields: tuple[tuple[object, object], ...] = ()
    body: bytes = b""
    ended: bool = False
    error: Optional[tuple[type[APIConnectionError], str, str]] = None
    reusable: bool = False


def one(data: bytes) -> None:
    """Check one input.

    Raises:
        AssertionError: h11 alone, or http.client, reads it differently.
    """
    how, stream = (data[0] if data else 0), data[1:]
    end = [b""] if how & 1 else []
    mode = how >> 1 & 3
    pieces = _cut(stream, mode, how)
    expected = reading(by_h11_alone(), [*filter(None, [stream]), *end])
    connection = HTTP11Connection()
    actual = reading(connection, [*pieces, *end])
    if mode != WHOLE and expected.error is not None and actual.error is not None:
        # h11 quotes as much as it has.
        actual = actual._replace(error=(*actual.error[:2], expected.error[2]))
    assert actual == expected, f"{actual} is not {expected}, read as {pieces}"
    if actual.reusable and not connection.interim:
        # Of interim responses http.client knows 100 alone.
        other = by_http_client(stream)
        assert other is not None, f"http.client refuses {actual}"
        assert other[:2] == (actual.status, actual.body), f"http.client: {other}, not {actual}"


def _cut(stream: bytes, mode: int, seed: int) -> list[bytes]:
    if mode == WHOLE:
        return [stream] if stream else []
    if mode == BYTES:
        return byte_by_byte(stream)
    generator = random.Random(seed)
    if mode == PIECES:
        return cut(stream, generator)
    # As most responses come: the head at once.
    size = stream.find(b"\r\n\r\n") + 4
    if size < 4:
        return [stream] if stream else []
    size = min(len(stream), size + generator.randint(0, 3))
    return [stream[:size], *cut(stream[size:], generator)]


def by_h11_alone() -> HTTP11Connection:
    """Return a connection that has nothing plain."""
    connection = HTTP11Connection()
    connection._response = going_on(PlainResponse().remainder())
    return connection


def reading(connection: HTTP11Connection, pieces: Sequence[bytes]) -> Reading:
    """Return what a connection makes of the response to one request; `b""` ends the input."""
    result, body = Reading(), []
    connection.send(fuzz_http11.REQUEST)
    for piece in pieces:
        connection.receive_data(piece)
        while not result.ended and result.error is None:
            try:
                event = connection.next_event()
            except APIConnectionError as exc:
                result = result._replace(error=(type(exc), exc.error_code, exc.message))
                break
            if event is NEED_DATA:
                break
            if event is END_OF_BODY:
                result = result._replace(ended=True)
            elif isinstance(event, ResponseHead):
                result = result._replace(status=event.status, fields=_fields(event))
            else:
                assert event, "an empty piece"
                body.append(event)
    return result._replace(body=b"".join(body), reusable=connection.reusable)


def _fields(head: ResponseHead) -> "tuple[tuple[object, object], ...]":
    # Of a coding h11 keeps the name in lower case.
    return tuple(
        (name, value.lower() if name.lower() == b"transfer-encoding" else value)  # type: ignore[union-attr]
        for name, value in head.headers.raw
    )


class _Socket:
    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def makefile(self, *_: object) -> io.BytesIO:
        return self._file


def by_http_client(stream: bytes) -> "Optional[tuple[int, bytes, bool]]":
    """Return status, body and whether it closes, by http.client; None where that refuses it.

    It closes after a response whose end it does not see, and after some others.
    """
    response = http.client.HTTPResponse(_Socket(stream), method="POST")  # type: ignore[arg-type]
    try:
        response.begin()
        return response.status, response.read(), response.will_close
    except (http.client.HTTPException, ValueError):
        return None
