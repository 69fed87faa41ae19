"""Odd responses, as h11, llhttp (in aiohttp) and http.client read them.

Whoever stands between a server and us reads by one of them, or by something like it. A response
whose end they see in different places makes the rest of it the response to somebody else's request;
so a connection that carried one is not used again, and what two of them refuse need not be
accepted at all.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import fuzz_plain
import pytest
from fuzz_http11 import outcome
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.http11.connection import HTTP11Connection

aiohttp_parser = pytest.importorskip("aiohttp._http_parser")
base_protocol = pytest.importorskip("aiohttp.base_protocol")

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = b"Content-Length: 5\r\n\r\nhello"
CHUNK = b"5\r\nhello\r\n"
END = b"0\r\n\r\n"


class Reading(NamedTuple):
    """What a parser makes of one whole response."""

    status: int
    body: bytes


def by_us(stream: bytes) -> "tuple[Optional[Reading], bool]":
    """Our reading, None where it is refused or goes on; and whether the connection goes on."""
    got = outcome(HTTP11Connection(), [stream])
    return (Reading(got.status, got.body) if got.ended else None), got.reusable


def by_http_client(stream: bytes) -> Optional[Reading]:
    reading = fuzz_plain.by_http_client(stream)
    if reading is None:
        return None
    status, body, closes = reading
    # Read to the end of the input means that it sees no end of its own.
    return None if closes else Reading(status, body)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def by_llhttp(stream: bytes, loop: asyncio.AbstractEventLoop) -> Optional[Reading]:
    protocol = base_protocol.BaseProtocol(loop)
    parser = aiohttp_parser.HttpResponseParser(protocol, loop, 65536, read_until_eof=True)
    try:
        messages, _, tail = parser.feed_data(stream)
    except Exception:
        return None
    final = [each for each in messages if each[0].code >= 200]
    if tail or len(final) != 1:
        return None
    head, payload = final[0]
    if not getattr(payload, "_eof", True):
        return None
    return Reading(head.code, b"".join(getattr(payload, "_buffer", ())))


LAST = "the last of its connection"
REFUSED = "refused"
KEPT = "like any other"

ODD: dict[str, tuple[bytes, str]] = {
    # Chunk extensions.
    "a bare CR in an extension": (CHUNKED + b"5;a\rb\r\nhello\r\n" + END, LAST),
    "a bare CR before the end of an extension": (CHUNKED + b"5;a\r\r\nhello\r\n" + END, LAST),
    "a bare LF in an extension": (CHUNKED + b"5;a\nb\r\nhello\r\n" + END, REFUSED),
    "an extension without a name": (CHUNKED + b"5;\r\nhello\r\n" + END, LAST),
    "blanks in an extension": (CHUNKED + b"5; a=b\r\nhello\r\n" + END, LAST),
    "blanks before an extension": (CHUNKED + b"5 ;a=b\r\nhello\r\n" + END, REFUSED),
    "NUL in an extension": (CHUNKED + b"5;a\0b\r\nhello\r\n" + END, LAST),
    "a control character in an extension": (CHUNKED + b"5;a\x01b\r\nhello\r\n" + END, LAST),
    "latin-1 in an extension": (CHUNKED + b"5;a=\xe9\r\nhello\r\n" + END, LAST),
    "a quote that does not end": (CHUNKED + b'5;a="\r\nhello\r\n' + END, LAST),
    "a bare CR in the last extension": (CHUNKED + CHUNK + b"0;\r\r\n\r\n", LAST),
    "a good extension": (CHUNKED + b'5;a=b;c;d="e f"\r\nhello\r\n' + END, KEPT),
    # Chunk sizes.
    "a size and a blank": (CHUNKED + b"5 \r\nhello\r\n" + END, LAST),
    "a size and a tab": (CHUNKED + b"5\t\r\nhello\r\n" + END, LAST),
    "a blank and a size": (CHUNKED + b" 5\r\nhello\r\n" + END, REFUSED),
    "a size with 0x": (CHUNKED + b"0x5\r\nhello\r\n" + END, REFUSED),
    "a size with a sign": (CHUNKED + b"+5\r\nhello\r\n" + END, REFUSED),
    "a size with an underscore": (CHUNKED + b"0_5\r\nhello\r\n" + END, REFUSED),
    "a size of twenty digits": (CHUNKED + b"0" * 19 + CHUNK + END, LAST),
    "a size of four digits": (CHUNKED + b"000" + CHUNK + END, KEPT),
    "a size and a bare LF": (CHUNKED + b"5\nhello\r\n" + END, REFUSED),
    "data and a bare LF": (CHUNKED + b"5\r\nhello\n" + END, REFUSED),
    "data without a line end": (CHUNKED + b"5\r\nhello" + END, REFUSED),
    "a bare LF at the end": (CHUNKED + CHUNK + b"0\r\n\n", LAST),
    # Trailers.
    "a good trailer": (CHUNKED + CHUNK + b"0\r\nX-Sum: 1\r\n\r\n", KEPT),
    "a trailer and a bare LF": (CHUNKED + CHUNK + b"0\r\nX: 1\n\r\n", LAST),
    "a folded trailer": (CHUNKED + CHUNK + b"0\r\nX: 1\r\n 2\r\n\r\n", LAST),
    "a length as a trailer": (CHUNKED + CHUNK + b"0\r\ncontent-length: 7\r\n\r\n", LAST),
    "a coding as a trailer": (CHUNKED + CHUNK + b"0\r\nTransfer-Encoding: chunked\r\n\r\n", LAST),
    "a control character in a trailer": (CHUNKED + CHUNK + b"0\r\nX: \x01\r\n\r\n", LAST),
    # Lengths and codings.
    "a length twice": (OK + b"Content-Length: 5\r\n" + LENGTH, LAST),
    "a length twice, apart": (OK + b"CONTENT-LENGTH: 5\r\nA: b\r\n" + LENGTH, LAST),
    "a list of lengths": (OK + b"Content-Length: 5, 5\r\n\r\nhello", LAST),
    "a length with a sign": (OK + b"Content-Length: +5\r\n\r\nhello", REFUSED),
    "a length with zeros": (OK + b"Content-Length: 0005\r\n\r\nhello", KEPT),
    "a length that is named elsewhere": (OK + b"A: content-length: 7, 8\r\n" + LENGTH, KEPT),
    "a length and chunks": (
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNK + END,
        LAST,
    ),
    "a coding with parameters": (
        OK + b"Transfer-Encoding: chunked;a=b\r\n\r\n" + CHUNK + END,
        REFUSED,
    ),
    "a coding and a blank": (
        OK + b"Transfer-Encoding: chunked \r\n\r\n" + CHUNK + END,
        LAST,
    ),
    "an empty coding": (OK + b"Transfer-Encoding: ,chunked\r\n\r\n" + CHUNK + END, REFUSED),
    "no coding": (OK + b"Transfer-Encoding: identity\r\n" + LENGTH, REFUSED),
    "a coding twice": (OK + b"Transfer-Encoding: chunked\r\n" + CHUNKED[17:] + END, REFUSED),
    "chunks where there is no body": (
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        LAST,
    ),
    "chunks of what has not changed": (
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        LAST,
    ),
    "chunks of HTTP/1.0": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + CHUNKED[17:] + CHUNK + END,
        LAST,
    ),
    # Status lines and fields.
    "a version to come": (b"HTTP/1.2 200 OK\r\n" + LENGTH, LAST),
    "the last version to come": (b"HTTP/1.9 200 OK\r\n" + LENGTH, LAST),
    "the first version": (b"HTTP/0.9 200 OK\r\n" + LENGTH, REFUSED),
    "a small version": (b"http/1.1 200 OK\r\n" + LENGTH, REFUSED),
    "no reason": (b"HTTP/1.1 200\r\n" + LENGTH, KEPT),
    "a bare CR in the reason": (b"HTTP/1.1 200 O\rK\r\n" + LENGTH, REFUSED),
    "a control character in the reason": (b"HTTP/1.1 200 O\x01K\r\n" + LENGTH, LAST),
    "a control character in a value": (OK + b"A: a\x01b\r\n" + LENGTH, LAST),
    "a file separator in a value": (OK + b"A: a\x1cb\r\n" + LENGTH, LAST),
    "DEL in a value": (OK + b"A: a\x7fb\r\n" + LENGTH, LAST),
    "latin-1 in a value": (OK + b"A: \xe9\x85\xff\r\n" + LENGTH, KEPT),
    "a bare CR in a value": (OK + b"A: a\rContent-Length: 2\r\n" + LENGTH, REFUSED),
    "two CRs at the end of a value": (OK + b"A: a\r\r\n" + LENGTH, REFUSED),
    "a bare LF": (OK + b"A: b\n" + LENGTH, LAST),
    "a folded length": (OK + b"Content-Length:\r\n 5\r\n\r\nhello", LAST),
    "a blank before the colon": (OK + b"A : b\r\n" + LENGTH, REFUSED),
    "a name in UTF-8": (OK + b"\xc3\xa9: b\r\n" + LENGTH, REFUSED),
    "a field without a name": (OK + b": b\r\n" + LENGTH, REFUSED),
    "a field without a colon": (OK + b"A\r\n" + LENGTH, REFUSED),
    "a line end before the head": (b"\r\n" + OK + LENGTH, REFUSED),
    # Interim responses.
    "an interim response with a length": (
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\n" + OK + LENGTH,
        LAST,
    ),
    "an interim response in chunks": (
        b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n" + OK + LENGTH,
        LAST,
    ),
    "an interim response that closes": (
        b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n" + OK + LENGTH,
        LAST,
    ),
    "a folded interim response": (b"HTTP/1.1 100 C\r\nA: b\r\n c\r\n\r\n" + OK + LENGTH, LAST),
}


@pytest.mark.parametrize(("stream", "expected"), ODD.values(), ids=ODD)
def test_an_odd_response_is_refused_or_ends_its_connection_where_parsers_differ(
    stream, expected, loop
):
    reading, reusable = by_us(stream)
    assert (REFUSED if reading is None else KEPT if reusable else LAST) == expected
    if expected == KEPT:
        assert by_http_client(stream) == by_llhttp(stream, loop) == reading


GOOD = (
    OK + b"A: b\r\n" + LENGTH,
    CHUNKED + b"5;a=b\r\nhello\r\n" + END,
    CHUNKED + CHUNK + b"0\r\nX-Sum: 1\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX: y\r\n\r\nno",
)
SMALL = tuple(b"\r\n\t\0\x01\x0b\x0c\x1c\x7f\x85 :;,=\"'0123456789aAfFxX+-_()[]{}~\xc3\xff")


@st.composite
def changed(draw: Any) -> bytes:
    """A good response with one or two small changes."""
    stream = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.integers(0, len(stream) - 1))
        byte = draw(st.sampled_from([b"", *(bytes([each]) for each in SMALL)]))
        stream = stream[:place] + byte + stream[place + draw(st.integers(0, 1)) :]
    return stream


@given(changed())
@example(CHUNKED + b"5;a\rb\r\nhello\r\n" + END)
@example(OK + b"Content-Length: 5, 5\r\n\r\nhello")
def test_a_connection_goes_on_only_where_all_parsers_agree(loop, stream):
    reading, reusable = by_us(stream)
    if reusable:
        assert by_http_client(stream) == reading
        assert by_llhttp(stream, loop) == reading
