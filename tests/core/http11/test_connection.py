import traceback
from collections.abc import Iterable, Sequence
from typing import Any, Union

import h11
import pytest
from fuzz_http11 import REQUEST, Outcome, outcome
from held import held
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs
from pieces import byte_by_byte

from meshapi_core._secret import Secret
from meshapi_core.bodies import PIECE, FileSource, OpenBody, StreamedBody
from meshapi_core.errors import APIConnectionError, ProtocolError
from meshapi_core.headers import Headers
from meshapi_core.http11 import connection as http11
from meshapi_core.http11.chunked import MAX_FRAMING_SIZE
from meshapi_core.http11.connection import HTTP11Connection, ResponseHead
from meshapi_core.http11.h11_responses import MAX_INTERIM_SIZE
from meshapi_core.http11.heads import MAX_FIELDS, MAX_HEAD_SIZE
from meshapi_core.messages import Origin, Request
from meshapi_core.signals import END_OF_BODY, NEED_DATA
from support import http11_responses

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
TOKEN = "rsk_test_0123456789abcdef"
ORIGIN = Origin("https", "api.example.com", 443)


def read(*pieces: bytes) -> Outcome:
    return outcome(HTTP11Connection(), pieces)


def check(stream: bytes, *, ends: bool = False) -> Outcome:
    """The outcome of some bytes: the same whole, byte by byte, and cut in two anywhere."""
    end = [b""] if ends else []
    whole = read(*filter(None, [stream]), *end)
    assert read(*byte_by_byte(stream), *end) == whole
    for place in range(1, len(stream)):
        assert read(stream[:place], stream[place:], *end) == whole
    return whole


def code(response: Outcome) -> str:
    assert response.error is not None
    return response.error[1]


def written(request: Request) -> bytes:
    return b"".join(HTTP11Connection().send(request))


def parsed(data: bytes) -> tuple[h11.Request, bytes]:
    """What a server makes of the bytes of one request."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    request, body = server.next_event(), b""
    assert isinstance(request, h11.Request)
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert server.trailing_data == (b"", False)
    return request, body


# Laws


@given(st.data(), http11_responses.streams, st.booleans())
def test_any_cut_of_a_response_gives_the_same_events_and_the_same_reuse(data, stream, ends):
    end = [b""] if ends else []
    whole = read(*filter(None, [stream]), *end)
    assert read(*data.draw(http11_responses.pieces(stream)), *end) == whole
    assert read(*byte_by_byte(stream), *end) == whole


@given(st.lists(http11_responses.streams | st.binary(min_size=1, max_size=20), max_size=4))
def test_any_bytes_give_events_or_a_documented_error_that_is_given_again(pieces):
    # `outcome` asks once more after the end and after an error, and knows the documented codes.
    read(*filter(None, pieces), b"")


@given(http11_responses.whole)
def test_a_whole_response_is_read_as_it_was_written(response):
    stream, expected = response
    assert check_once(stream) == expected
    assert check_once(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + stream) == expected


def check_once(stream: bytes) -> tuple[int, bytes]:
    got = read(stream)
    assert got.ended
    assert got.reusable
    return got.status, got.body


@given(st.data(), http11_responses.whole)
def test_a_response_that_is_cut_off_is_an_error_and_its_body_a_prefix(data, response):
    stream, (status, body) = response
    cut = stream[: data.draw(st.integers(0, len(stream) - 1))]
    got = read(*filter(None, [cut]), b"")
    assert code(got) == ("truncated" if got.status else "disconnected")
    assert got.status in (0, status)
    assert body.startswith(got.body)
    assert not got.reusable


@given(http11_responses.whole, st.binary(min_size=1, max_size=40), st.booleans())
def test_surplus_bytes_end_the_connection_whenever_they_come(response, surplus, later):
    """Another caller must never get them as the response to its request."""
    stream, expected = response
    got = read(stream, surplus) if later else read(stream + surplus)
    assert (got.status, got.body) == expected
    assert not got.reusable


@given(st.lists(http11_responses.whole, min_size=1, max_size=4))
def test_a_connection_serves_one_request_after_another(responses):
    connection = HTTP11Connection()
    for stream, expected in responses:
        got = outcome(connection, [stream])
        assert (got.status, got.body) == expected
        assert got.reusable
        connection.start_next_cycle()


names = st.from_regex(r"x-[a-z0-9]{1,8}", fullmatch=True)
values = st.from_regex(r"([!-~]([ !-~]{0,10}[!-~])?)?", fullmatch=True)
targets = st.from_regex(r"/[!-~]{0,20}", fullmatch=True)
bodies = st.one_of(
    st.binary(max_size=40),
    st.integers(65_530, 65_540).map(bytes),
    st.integers(1, 4).map(lambda n: b"\x00\xff" * (n * 50_000)),
)


@given(
    st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE"]),
    targets,
    st.lists(st.tuples(names, values), max_size=5),
    bodies,
)
def test_a_server_reads_back_the_request_that_was_sent(method, target, headers, body):
    request = Request(method, ORIGIN, target, tuple(headers), body)
    got, got_body = parsed(written(request))
    assert got.method == method.encode()
    assert got.target == target.encode()
    assert got_body == body
    fields = [(name.decode(), value.decode()) for name, value in got.headers]
    framing = [field for field in fields if field[0] in ("host", "content-length")]
    assert [field for field in fields if field not in framing] == headers
    needs_length = bool(body) or method in ("POST", "PATCH", "PUT")
    assert framing[0] == ("host", "api.example.com")
    assert framing[1:] == ([("content-length", str(len(body)))] if needs_length else [])


# Requests


def test_a_request_on_the_wire():
    request = Request("POST", Origin("http", "::1", 8000), "/v1/x?a=b", (("Accept", "*/*"),), b"{}")
    assert written(request) == (
        b"POST /v1/x?a=b HTTP/1.1\r\nhost: [::1]:8000\r\nAccept: */*\r\ncontent-length: 2\r\n\r\n{}"
    )


def test_a_small_request_is_one_piece_and_a_large_one_is_made_piece_by_piece():
    connection = HTTP11Connection()
    assert len(list(connection.send(REQUEST))) == 1
    assert connection.sent

    connection = HTTP11Connection()
    pieces = iter(connection.send(Request("POST", ORIGIN, "/", (), bytes(200_000))))
    sizes = []
    while not connection.sent:
        sizes.append(len(next(pieces)))
    assert list(pieces) == []
    assert sizes[1:] == [65_536, 65_536, 65_536, 200_000 - 3 * 65_536]


def test_a_response_before_the_last_piece_is_seen_and_ends_the_connection():
    """A server that refuses a large upload responds and closes."""
    connection = HTTP11Connection()
    pieces = iter(connection.send(Request("POST", ORIGIN, "/", (), bytes(200_000))))
    next(pieces)
    connection.receive_data(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    head = connection.next_event()
    assert isinstance(head, http11.ResponseHead)
    assert head.status == 413
    assert not connection.sent
    assert connection.next_event() is END_OF_BODY
    assert not connection.reusable


def test_a_second_request_has_to_wait_for_the_end_of_the_first_response():
    connection = HTTP11Connection()
    connection.send(REQUEST)
    with pytest.raises(ProtocolError) as caught:
        connection.send(REQUEST)
    assert caught.value.error_code == "framing"


def test_a_connection_that_has_failed_takes_no_request():
    connection = HTTP11Connection()
    connection.receive_data(b"")
    with pytest.raises(APIConnectionError):
        connection.next_event()
    with pytest.raises(ProtocolError) as caught:
        connection.send(REQUEST)
    assert caught.value.error_code == "framing"
    assert not connection.sent


def test_bytes_after_the_end_of_the_input_are_a_mistake_of_the_host():
    connection = HTTP11Connection()
    connection.receive_data(b"")
    with pytest.raises(RuntimeError, match="after the end of the input"):
        connection.receive_data(b"a")


def test_bytes_that_nobody_asked_for_are_not_taken_for_the_next_response():
    connection = HTTP11Connection()
    assert outcome(connection, [HELLO]).reusable
    connection.start_next_cycle()
    connection.receive_data(OK + b"Content-Length: 8\r\n\r\nINJECTED")
    with pytest.raises(ProtocolError) as caught:
        connection.send(REQUEST)
    assert caught.value.error_code == "desync"
    assert not connection.reusable


def test_a_connection_that_ends_before_anything_was_asked_gives_no_response():
    connection = HTTP11Connection()
    connection.receive_data(b"")
    with pytest.raises(APIConnectionError) as caught:
        connection.next_event()
    assert caught.value.error_code == "disconnected"


def test_whether_any_byte_of_the_response_has_come_is_known():
    connection = HTTP11Connection()
    connection.send(REQUEST)
    connection.receive_data(b"")
    assert not connection.answered
    connection = HTTP11Connection()
    connection.send(REQUEST)
    connection.receive_data(b"H")
    assert connection.answered


# The token


def secret_request(value: str = f"Bearer {TOKEN}") -> Request:
    return Request("POST", ORIGIN, "/", (("authorization", Secret(value)),), b"{}")


def shown(exc: BaseException) -> str:
    """What error trackers collect: the traceback with the locals of all frames but the test's."""
    assert exc.__traceback__ is not None
    stack = traceback.TracebackException(
        type(exc), exc, exc.__traceback__.tb_next, capture_locals=True
    )
    return "".join(stack.format())


def pieces_of(data: Iterable[bytes]) -> Sequence[Any]:
    return [data, *data]


def test_request_bytes_do_not_show_the_token():
    for size in (2, 200_000):
        request = secret_request()
        request = Request("POST", ORIGIN, "/", request.headers, bytes(size))
        pieces = pieces_of(HTTP11Connection().send(request))
        assert TOKEN.encode() in b"".join(pieces[1:])
        assert TOKEN not in repr(pieces)
        assert TOKEN not in str(pieces)
        assert TOKEN not in repr(request)


@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", f"Bearer {TOKEN}\n"])
def test_no_traceback_of_a_refused_request_shows_the_token(value):
    """h11 quotes a header value that it refuses."""
    connection = HTTP11Connection()
    connection.send(secret_request())
    fresh = HTTP11Connection()
    for refusing in (connection, *([fresh] if value.endswith("\n") else [])):
        with pytest.raises(ProtocolError) as caught:
            refusing.send(secret_request(value))
        assert caught.value.__context__ is None
        assert TOKEN not in shown(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": (("x-a", "b\r\nx-evil: 1"),)},
        {"headers": (("x-a\r\nx-evil", "1"),)},
        {"target": "/ HTTP/1.1\r\nx-evil: 1\r\n\r\n"},
        {"target": "/\u00fc"},
        {"method": "GET /\r\n"},
    ],
)
def test_a_request_that_would_be_two_is_refused(changes):
    """Middleware can make any request."""
    connection = HTTP11Connection()
    with pytest.raises(ProtocolError, match="the request cannot be sent"):
        connection.send(structs.replace(REQUEST, **changes))
    assert b"".join(connection.send(REQUEST)), "nothing was sent"


# Responses


def test_a_head_a_body_and_the_end():
    connection = HTTP11Connection()
    connection.send(REQUEST)
    connection.receive_data(OK + b"X-Request-Id: req_1\r\nSet-Cookie: a\r\nset-cookie: b\r\n")
    assert connection.next_event() is NEED_DATA
    connection.receive_data(b"Transfer-Encoding: chunked\r\n\r\n3\r\nab")
    head = connection.next_event()
    assert isinstance(head, http11.ResponseHead)
    assert head.status == 200
    assert head.headers["x-request-id"] == "req_1"
    assert head.headers.get_all("Set-Cookie") == ["a", "b"]
    assert connection.next_event() == b"ab"
    assert connection.next_event() is NEED_DATA
    connection.receive_data(b"c\r\n0\r\n\r\n")
    assert connection.next_event() == b"c"
    assert connection.next_event() is END_OF_BODY
    assert connection.reusable


@pytest.mark.parametrize(
    ("stream", "status", "body"),
    [
        (HELLO, 200, b"hello"),
        (OK + b"content-length:0\r\n\r\n", 200, b""),
        (OK + b"Content-Length: 01\r\n\r\na", 200, b"a"),
        (CHUNKED + b"0\r\n\r\n", 200, b""),
        (CHUNKED + b"1;a=b\r\na\r\n0\r\nX-Sum: 1\r\n\r\n", 200, b"a"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
        (b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n", 599, b""),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b""),
    ],
)
def test_a_whole_response_leaves_the_connection_for_the_next(stream, status, body):
    got = check(stream)
    assert (got.status, got.body, got.ended, got.reusable) == (status, body, True, True)


@pytest.mark.parametrize(
    "stream",
    [
        OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        HELLO + b"\r\n",
        HELLO + HELLO,
        OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello" + HELLO,
        # A parser that goes by the length and one that reads the chunks see different ends.
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        # A parser that takes a bare LF or a fold for something else sees another head.
        OK + b"A: b\n" + HELLO[len(OK) :],
        HELLO.replace(b"\r\n", b"\n"),
        OK + b"A: b\r\n c\r\n" + HELLO[len(OK) :],
        OK + b"A: b\r\n\tc\r\n" + HELLO[len(OK) :],
        b"HTTP/1.1 103 Early Hints\nA: b\n\n" + HELLO,
    ],
)
def test_a_response_that_is_not_quite_in_order_is_the_last_of_its_connection(stream):
    got = check(stream)
    assert (got.status, got.body, got.ended) == (200, b"hello", True)
    assert not got.reusable


@pytest.mark.parametrize("status", [204, 304])
def test_a_body_where_there_can_be_none_is_surplus(status):
    """With other clients the next request breaks."""
    got = check(b"HTTP/1.1 %d \r\nContent-Length: 5\r\n\r\nhello" % status)
    assert (got.status, got.body, got.ended, got.reusable) == (status, b"", True, False)


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_a_body_without_a_length_lasts_until_the_connection_ends(version):
    stream = version + b" 200 OK\r\n\r\nhello"
    assert not check(stream).ended
    got = check(stream, ends=True)
    assert (got.body, got.ended, got.reusable) == (b"hello", True, False)


@pytest.mark.parametrize(
    ("stream", "status", "expected"),
    [
        # Before the end of the head.
        (b"", 0, "disconnected"),
        (b"HTTP", 0, "disconnected"),
        (OK + b"Content-Le", 0, "disconnected"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 0, "disconnected"),
        # After it.
        (OK + b"Content-Length: 6\r\n\r\nhello", 200, "truncated"),
        (CHUNKED, 200, "truncated"),
        (CHUNKED + b"5", 200, "truncated"),
        (CHUNKED + b"5\r\nhel", 200, "truncated"),
        (CHUNKED + b"5\r\nhello\r\n", 200, "truncated"),
        (CHUNKED + b"0\r\nX-Sum: 1", 200, "truncated"),
    ],
)
def test_an_input_that_ends_too_early_is_no_protocol_error(stream, status, expected):
    got = check(stream, ends=True)
    assert got.error == (APIConnectionError, expected)
    assert got.status == status


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        # Garbage, HTTP/0.9, HTTP/2, TLS, statuses that do not exist.
        (b"\x15\x03\x01\x00\x02\x02F", "bad_response"),
        (b"<html>hello</html>\r\n\r\n", "bad_response"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "bad_response"),
        (b"\r\n" + HELLO, "bad_response"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "bad_response"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 099 Low\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 600 High\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n", "bad_response"),
        # Headers.
        (OK + b"A: \0\r\n\r\n", "bad_response"),
        (OK + b"A : b\r\n\r\n", "bad_response"),
        (OK + b" A: b\r\n\r\n", "bad_response"),
        # Lengths and chunks.
        (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "framing"),
        (OK + b"Content-Length: -2\r\n\r\n", "framing"),
        (OK + b"Content-Length: +2\r\n\r\n", "framing"),
        (OK + b"Content-Length: 0x2\r\n\r\n", "framing"),
        (OK + b"Content-Length: " + b"9" * 200 + b"\r\n\r\n", "framing"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "framing"),
        (OK + b"Transfer-Encoding: chunked\r\n" + CHUNKED[len(OK) :], "framing"),
        (CHUNKED + b"30 F\r\n", "framing"),
        (CHUNKED + b"-1\r\n", "framing"),
        # A parser that accepts the sign would read this line again and again.
        (CHUNKED + b"-6\r\n", "framing"),
        (CHUNKED + b"5\r\nhello\r\n-FFFF\r\n", "framing"),
        (CHUNKED + b"_6;a\r\n", "framing"),
        (CHUNKED + b"F" * 21 + b"\r\n", "framing"),
        (CHUNKED + b"3\r\nabcd\r\n", "framing"),
        # An upgrade that nobody asked for.
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "unexpected_upgrade"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 \r\n\r\n", "unexpected_upgrade"),
    ],
)
def test_what_is_not_http_is_a_protocol_error_that_says_why(stream, expected):
    got = check(stream)
    assert got.error == (ProtocolError, expected)
    assert not got.reusable


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "HTTP/2.*set_alpn_protocols"),
        (b"\x00\x00\x00\x04\x01\x00\x00\x00\x00", "HTTP/2.*set_alpn_protocols"),
        (b"\x00\x00\x08\x07\x00\x00\x00\x00\x00", "HTTP/2.*set_alpn_protocols"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2.*set_alpn_protocols"),
        (b"\x15\x03\x01\x00\x02\x02F", "TLS.*https://"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP/1.1.*SSH-2.0"),
        (b"220 mail ready", "not HTTP/1.1.*220 mail"),
    ],
)
def test_another_protocol_is_named_without_waiting_for_the_end_of_a_line(start, words):
    for pieces in ([start], byte_by_byte(start)):
        connection = HTTP11Connection()
        connection.send(REQUEST)
        with pytest.raises(ProtocolError, match=words):
            for piece in pieces:
                connection.receive_data(piece)
                connection.next_event()


def test_five_thousand_digits_of_length_are_refused_in_no_time():
    assert code(read(OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n")) == "framing"


def test_interim_responses_are_passed_over_but_not_for_ever():
    """In other clients a flood of them gets past every time limit."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    got = check(b"HTTP/1.1 100 Continue\r\n\r\n" + hint + HELLO)
    assert (got.status, got.body, got.reusable) == (200, b"hello", True)
    assert "link" not in got.headers
    # A server that works for an hour and says so every five seconds.
    assert read(*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 720, HELLO).body == b"hello"
    hint = hint.replace(b"</a>", b"</%s>" % (b"a" * 400))
    fitting = MAX_INTERIM_SIZE // len(hint)
    for cut in (10, 100, MAX_INTERIM_SIZE):
        assert read(*in_sizes(hint * fitting + HELLO, cut)).body == b"hello"
        assert code(read(*in_sizes(hint * (fitting + 1), cut))) == "too_many_1xx"


def test_interim_responses_are_counted_from_request_to_request():
    connection = HTTP11Connection()
    for count in (2, 0, 1):
        outcome(connection, [b"HTTP/1.1 100 Continue\r\n\r\n" * count + HELLO])
        assert connection.interim == count
        connection.start_next_cycle()


@pytest.mark.parametrize("cut", [pytest.param(1, marks=pytest.mark.exhaustive), 15, 4096, 1 << 20])
@pytest.mark.parametrize(
    "framing",
    [
        b"1;a=%s\r\nx\r\n0\r\n\r\n" % (b"b" * MAX_FRAMING_SIZE),
        b"1;a=bbbbbb\r\nx\r\n" * (MAX_FRAMING_SIZE // 10 + 1) + b"0\r\n\r\n",
        b"1\r\nx\r\n0\r\nA: %s\r\n\r\n" % (b"b" * MAX_FRAMING_SIZE),
        b"1\r\nx\r\n0\r\n" + b"A: b\r\n" * (MAX_FRAMING_SIZE // 6 + 1) + b"\r\n",
        b"1;a=bbbbbb\r\nx\r\n" * (MAX_FRAMING_SIZE // 10 + 1),
        b"1;a=" + b"b" * (MAX_FRAMING_SIZE + 10),
        b"0\r\nA: " + b"b" * (MAX_FRAMING_SIZE + 10),
    ],
    ids=[
        "extension",
        "extensions",
        "trailer",
        "trailers",
        "no end of chunks",
        "no end",
        "no end of trailers",
    ],
)
def test_extensions_and_trailers_of_a_body_are_limited_however_they_are_cut(framing, cut):
    assert code(read(*in_sizes(CHUNKED + framing, cut))) == "framing"


@pytest.mark.parametrize("cut", [7, 4096, 1 << 20])
def test_what_a_body_needs_to_be_framed_does_not_count(cut):
    body = CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    got = read(*in_sizes(body, cut))
    assert (len(got.body), got.ended, got.reusable) == (20_000, True, True)
    surplus = read(CHUNKED + b"0\r\n\r\n" + b"x" * 2 * MAX_FRAMING_SIZE)
    assert (surplus.ended, surplus.reusable) == (True, False)


def test_each_response_may_have_its_interim_ones():
    connection = HTTP11Connection()
    for _ in range(3):
        stream = b"HTTP/1.1 100 Continue\r\n\r\n" * 2000 + HELLO
        assert outcome(connection, [stream]).reusable
        connection.start_next_cycle()


def test_a_head_has_at_most_a_hundred_fields():
    """Other clients accepted 3,000 of them."""
    length = b"Content-Length: 0\r\n"
    fitting = OK + b"A: b\r\n" * (MAX_FIELDS - 1) + length + b"\r\n"
    assert read(fitting).reusable
    assert code(read(OK + b"A: b\r\n" * MAX_FIELDS + length + b"\r\n")) == "headers_too_large"


def head_of(size: int, status: bytes = b"200") -> bytes:
    start, end = b"HTTP/1.1 " + status + b" OK\r\nContent-Length: 0\r\nA: ", b"\r\n\r\n"
    return start + b"b" * (size - len(start) - len(end)) + end


def in_sizes(stream: bytes, size: int) -> list[bytes]:
    return [stream[i : i + size] for i in range(0, len(stream), size)]


@pytest.mark.parametrize("size", [1 << 20, MAX_HEAD_SIZE - 1, 30_000])
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_the_size_of_a_head_is_limited_to_the_byte_however_it_is_cut(size, before):
    """h11 by itself accepts a head of any size that comes in one piece."""
    fits, too_large = (before + head_of(MAX_HEAD_SIZE + more) for more in (0, 1))
    assert read(*in_sizes(fits, size)).reusable
    assert code(read(*in_sizes(too_large, size))) == "headers_too_large"
    broken = too_large.replace(b"A: ", b"A \0")
    assert code(read(*in_sizes(broken, size))) == "headers_too_large"
    interim = before + head_of(MAX_HEAD_SIZE + 1, b"103") + HELLO
    assert code(read(*in_sizes(interim, size))) == "headers_too_large"


def test_a_head_that_never_ends_is_refused_when_it_is_too_large():
    assert code(read(OK, *[b"A: b\r\n" * 1000] * 20)) == "headers_too_large"
    assert code(read(OK[:-2], *[b"a" * 10_000] * 7)) == "headers_too_large"


@pytest.mark.parametrize(
    "head",
    [OK + b"\r\n", OK + b"Content-Length: 9999999\r\n\r\n", CHUNKED + b"FFFFFF\r\n"],
    ids=["no length", "length", "chunk"],
)
def test_what_is_kept_of_a_long_body_is_nothing(head):
    connection = HTTP11Connection()
    connection.send(REQUEST)
    connection.receive_data(head)
    assert isinstance(connection.next_event(), http11.ResponseHead)
    for _ in range(50):
        connection.receive_data(bytes(65_536))
        assert connection.next_event() == bytes(65_536)
    assert connection.next_event() is NEED_DATA
    assert held(connection) < 10_000


@given(st.binary(min_size=1, max_size=300).filter(lambda text: b"\n" not in text))
@example(b"\x1b[2J" + b"a" * 290)
def test_what_could_not_be_read_is_quoted_in_one_short_line(line):
    connection = HTTP11Connection()
    connection.send(REQUEST)
    connection.receive_data(b"x" + line + b"\r\n\r\n")
    with pytest.raises(ProtocolError) as caught:
        connection.next_event()
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_end_of_body_is_shown_by_its_name():
    names: list[Union[str, object]] = [repr(END_OF_BODY)]
    assert names == ["END_OF_BODY"]


def test_a_head_is_a_value():
    head = http11.ResponseHead(200, Headers([("A", "b")]))
    assert head == http11.ResponseHead(200, Headers([("a", "b")]))


class TestBodiesThatAreReadWhenSent:
    @given(st.lists(st.binary(max_size=40), max_size=4), st.sampled_from(["POST", "PUT", "DELETE"]))
    def test_the_bytes_are_those_of_the_whole_body(self, parts, method):
        whole = b"".join(parts)
        one, other = HTTP11Connection(), HTTP11Connection()
        streamed = b"".join(one.send(Request(method, ORIGIN, "/", (), OpenBody(list(parts)))))
        plain = b"".join(other.send(Request(method, ORIGIN, "/", (), whole)))
        assert streamed == plain
        assert one.sent
        assert other.sent

    @pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 5 * PIECE])
    def test_pieces_are_made_as_they_are_taken(self, size):
        taken = []

        class Source:
            length = size

            def pieces(self):
                for start in range(0, size, PIECE):
                    taken.append(start)
                    yield b"x" * min(PIECE, size - start)

            def close(self):
                pass

        connection = HTTP11Connection()
        pieces = iter(connection.send(Request("PUT", ORIGIN, "/", (), OpenBody([Source()]))))
        head = next(pieces)
        assert head.endswith(b"content-length: %d\r\n\r\n" % size)
        assert taken == []
        assert not connection.sent
        body = list(pieces)
        assert b"".join(body) == b"x" * size
        assert all(0 < len(piece) <= PIECE for piece in body)
        assert connection.sent
        assert repr(body[:1]) in ("[]", "[SecretBytes(...)]") or "xxx" not in repr(body[:1])

    def test_what_is_not_open_is_a_mistake_of_the_program(self):
        body = StreamedBody((FileSource("path"),))
        connection = HTTP11Connection()
        with pytest.raises(TypeError, match=r"expected bytes or an OpenBody.*body\.open"):
            connection.send(Request("PUT", ORIGIN, "/", (), body))
        # Nothing has been sent: the connection takes the request in its right form.
        opened = Request("PUT", ORIGIN, "/", (), OpenBody([b"x"]))
        assert b"".join(connection.send(opened)).endswith(b"\r\n\r\nx")

    def test_an_early_response_leaves_the_rest_unsent(self):
        connection = HTTP11Connection()
        pieces = iter(
            connection.send(Request("PUT", ORIGIN, "/", (), OpenBody([b"x" * PIECE] * 3)))
        )
        next(pieces)
        next(pieces)
        connection.receive_data(b"HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n")
        head = connection.next_event()
        assert isinstance(head, ResponseHead)
        assert head.status == 413
        assert connection.next_event() is END_OF_BODY
        assert not connection.sent
        assert not connection.reusable


class TestUpgrades:
    REQUEST = Request(
        "GET", ORIGIN, "/v1/realtime", (("connection", "Upgrade"), ("upgrade", "websocket"))
    )
    SWITCH = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    )

    def answered(
        self, *pieces: bytes, request: Request = REQUEST
    ) -> tuple[HTTP11Connection, list[Any]]:
        """A connection that was given these pieces, and the events that it returned after each."""
        connection = HTTP11Connection()
        for _ in connection.send(request):
            pass
        events: list[Any] = []
        for piece in pieces:
            connection.receive_data(piece)
            while True:
                events.append(connection.next_event())
                if events[-1] is NEED_DATA:
                    events.pop()
                    break
                if events[-1] is END_OF_BODY:
                    break
        return connection, events

    @given(st.data(), st.binary(max_size=20), st.booleans())
    def test_what_comes_behind_a_101_is_not_http_any_more(self, data, trailing, hinted):
        hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" if hinted else b""
        stream = hint + self.SWITCH + trailing
        for pieces in ([stream], byte_by_byte(stream), data.draw(http11_responses.pieces(stream))):
            connection, events = self.answered(*pieces)
            head = events[0]
            assert isinstance(head, ResponseHead)
            assert head.status == 101
            assert head.headers["upgrade"] == "websocket"
            assert "link" not in head.headers
            assert set(events[1:]) == {END_OF_BODY} or events[1:] == []
            assert connection.next_event() is END_OF_BODY
            assert connection.trailing_data == trailing
            assert not connection.reusable

    def test_the_input_may_end_behind_a_101(self):
        connection, events = self.answered(self.SWITCH + b"abc", b"")
        assert events[0].status == 101
        assert connection.trailing_data == b"abc"

    def test_a_refusal_is_a_response_like_others(self):
        connection, events = self.answered(b"HTTP/1.1 403 \r\nContent-Length: 2\r\n\r\nno")
        assert events[0].status == 403
        assert events[1:] == [b"no", END_OF_BODY]
        assert connection.reusable

    @pytest.mark.parametrize(
        "headers",
        [
            (),
            (("connection", "Upgrade"),),
            (("x-upgrade", "websocket"),),
        ],
    )
    def test_a_101_that_was_not_asked_for_is_refused(self, headers):
        for stream in (self.SWITCH, b"HTTP/1.1 103 \r\n\r\n" + self.SWITCH):
            with pytest.raises(ProtocolError) as caught:
                self.answered(stream, request=Request("GET", ORIGIN, "/", headers))
            assert caught.value.error_code == "unexpected_upgrade"

    def test_the_head_of_a_101_has_the_limits_of_any_head(self):
        for head in (b"A: " + b"b" * MAX_HEAD_SIZE + b"\r\n", b"A: b\r\n" * (MAX_FIELDS + 1)):
            with pytest.raises(ProtocolError) as caught:
                self.answered(b"HTTP/1.1 101 \r\n" + head + b"\r\n")
            assert caught.value.error_code == "headers_too_large"

    def test_an_input_that_ends_before_the_101_is_a_lost_connection(self):
        with pytest.raises(APIConnectionError) as caught:
            self.answered(self.SWITCH[:-2], b"")
        assert caught.value.error_code == "disconnected"
