"""Plain responses are read without h11, with the same result as by h11 and the checks around it."""

from typing import Any

import fuzz_plain
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.http11.plain_responses import NOT_PLAIN, PlainResponse
from meshapi_core.signals import END_OF_BODY, NEED_DATA
from support import http11_responses

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"Content-Length: 5\r\n\r\n"
CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HOW = st.integers(0, 255)

# What a head or a chunked body is made of, plain and nearly plain.
LINES = st.sampled_from(
    [
        b"content-length: 5\r\n",
        b"Content-Length: 5\r\n",
        b"content-length: 05\r\n",
        b"content-length: 5 \r\n",
        b"content-length:5\r\n",
        b"content-length: +5\r\n",
        b"content-length: 5, 5\r\n",
        b"content-length: 0000000000000005\r\n",
        b"content-length: 99999999999999999999\r\n",
        b"transfer-encoding: chunked\r\n",
        b"Transfer-Encoding: Chunked\r\n",
        b"transfer-encoding: chunked;a=b\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"connection: keep-alive\r\n",
        b"Connection: Keep-Alive\r\n",
        b"connection: close\r\n",
        b"connection: keep-alive, close\r\n",
        b"a: b\r\n",
        b"a:b\r\n",
        b"a: \r\n",
        b"a:  b\r\n",
        b"a: b \r\n",
        b"a: b\t\r\n",
        b"a: \tb\r\n",
        b"a: b\tc\r\n",
        b"a: content-length: 7\r\n",
        b"a: \xe9\r\n",
        b"a: b\x01\r\n",
        b"a: \x7f\r\n",
        b"a: b\rc\r\n",
        b"a: b\nc: d\r\n",
        b"a: b\n",
        b"a: b\r\n c\r\n",
        b"a : b\r\n",
        b": b\r\n",
        b"a\r\n",
        b"\xe9: b\r\n",
    ]
)
CHUNK = st.sampled_from(
    [
        b"5\r\nhello\r\n",
        b"A\r\n0123456789\r\n",
        b"00000005\r\nhello\r\n",
        b"000000005\r\nhello\r\n",
        b"5;a=b\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\r\nhello\n",
        b"5\r\nhello\r",
        b"5\r\nhell\r\n",
        b"5\r\nhello!\r\n",
        b"0x5\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b"0_5\r\nhello\r\n",
        b"g\r\n",
        b"\r\n",
    ]
)
ENDS = st.sampled_from(
    [b"0\r\n\r\n", b"00000000\r\n\r\n", b"000000000\r\n\r\n", b"0\r\na: b\r\n\r\n", b"0\r\n\n", b""]
)
STATUS_LINES = st.sampled_from(
    [
        OK,
        b"HTTP/1.1 200 \r\n",
        b"HTTP/1.1 200\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 304 Not Modified\r\n",
        b"HTTP/1.1 429 Too Many Requests\r\n",
        b"HTTP/1.1 599 \xe9\r\n",
        b"HTTP/1.1 600 x\r\n",
        b"HTTP/1.1 103 Early Hints\r\n",
        b"HTTP/1.1 101 x\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.2 200 OK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.1 200 O\x01K\r\n",
        b"HTTP/1.1 200 O\rK\r\n",
        b"http/1.1 200 OK\r\n",
    ]
)


@st.composite
def beside_plain(draw: Any) -> bytes:
    """A response in parts that are plain, or nearly."""
    head = draw(STATUS_LINES) + b"".join(draw(st.lists(LINES, max_size=4)))
    framing = draw(
        st.sampled_from([b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b""])
    )
    chunks = b"".join(draw(st.lists(CHUNK, max_size=4))) + draw(ENDS)
    body = draw(st.sampled_from([b"hello", chunks, b"hell", b""]))
    return head + framing + b"\r\n" + body + draw(st.sampled_from([b"", b"", b"x", OK]))


@given(HOW, beside_plain())
@example(0, OK + b"a: b \r\n" + LENGTH[len(OK) :] + b"hello")
@example(0, OK + b"a: b\t\r\n" + LENGTH[len(OK) :] + b"hello")
@example(0, OK + b"a:  b\r\n" + LENGTH[len(OK) :] + b"hello")
@example(2, CHUNKS + b"5\r\nhello;\n0\r\n\r\n")
@example(0, CHUNKS.replace(b"chunked", b"Chunked") + b"0\r\n\r\n")
@example(4, b"HTTP/1.1 103\n\n" * 5 + b'1Swi{"typ')
def test_what_is_nearly_plain_is_read_as_h11_alone_reads_it(how, stream):
    fuzz_plain.one(bytes([how]) + stream)


@given(HOW, http11_responses.streams, st.binary(max_size=3))
def test_what_may_be_anything_is_read_as_h11_alone_reads_it(how, stream, more):
    fuzz_plain.one(bytes([how]) + stream + more)


def events_of(response: PlainResponse) -> list[Any]:
    """The events of a plain response, until it needs more, stops being plain, or has ended."""
    events: list[Any] = []
    while not events or events[-1] not in (NEED_DATA, NOT_PLAIN, END_OF_BODY):
        events.append(response.next_event())
    return events


@pytest.mark.parametrize(
    "stream",
    [
        LENGTH + b"hello",
        OK
        + b"connection: keep-alive\r\nset-cookie: a\r\nset-cookie: b\r\n"
        + LENGTH[len(OK) :]
        + b"hello",
        b"HTTP/1.1 503 Service Unavailable\r\n" + LENGTH[len(OK) :] + b"hello",
        CHUNKS + b"5\r\nhello\r\n0\r\n\r\n",
        CHUNKS + b"00000001\r\nh\r\n4\r\nello\r\n0\r\n\r\n",
    ],
)
def test_what_is_plain_needs_no_h11(stream):
    """However its body is cut: otherwise everything would be right, but slow."""
    size = stream.index(b"\r\n\r\n") + 4
    for place in range(size, len(stream) + 1):
        response = PlainResponse()
        events = []
        for piece in filter(None, [stream[:place], stream[place:]]):
            response.receive_data(piece)
            events += events_of(response)
        assert b"".join(event for event in events if isinstance(event, bytes)) == b"hello"
        assert NOT_PLAIN not in events
        assert response.is_clean_end


def test_all_chunks_that_have_come_are_one_piece():
    response = PlainResponse()
    response.receive_data(CHUNKS + b"1\r\na\r\n" * 500 + b"3\r\nbc")
    assert events_of(response)[1:] == [b"a" * 500 + b"bc", NEED_DATA]
    response.receive_data(b"d\r\n0\r\n\r\n")
    assert events_of(response) == [b"d", END_OF_BODY]


def test_what_is_received_in_many_pieces_is_copied_once():
    """Work that is quadratic in the number of bytes would not end."""
    response = PlainResponse()
    response.receive_data(OK + b"content-length: 10000000\r\n\r\n")
    for _ in range(10_000):
        response.receive_data(bytes(1000))
    events = events_of(response)
    assert b"".join(events[1:-1]) == bytes(10_000_000)
    assert events[-1] is END_OF_BODY


@pytest.mark.parametrize(
    "part",
    [
        b"a" * 60_000,
        b"a: " * 20_000,
        b" " * 60_000,
        b"\r" * 60_000,
        b"\r\na" * 20_000,
        b"b: " + b"a" * 60_000 + b"\x01",
    ],
    ids=["name", "fields", "blanks", "CRs", "lines", "value"],
)
def test_a_head_is_looked_at_a_bounded_number_of_times(part):
    """Some regular expressions take quadratic time for such a head, and hardly end."""
    response = PlainResponse()
    response.receive_data(OK + b"a: b\r\n" + part + b"\r\n" + LENGTH[len(OK) :])
    assert response.next_event() is NOT_PLAIN
