"""Frames against bytes made by hand (`support.websocket_frames`), and their limits."""

import os
from typing import Union

import pytest
from fuzz_realtime import client_frames, kept_by
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameDecoder, MessageDecoder

from meshapi_backends._masking import fast_mask
from meshapi_core.signals import NEED_DATA
from meshapi_core.websocket.closing import Closed
from meshapi_core.websocket.frames import FrameReader, FrameWriter
from support import websocket_frames
from support.http11_responses import pieces as pieces_of_bytes
from support.websocket_connections import (
    SMALL,
    check,
    everything,
    fault,
    fixed_mask,
    open_connection,
    received,
)
from support.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close,
    frame,
    pieces_of,
    text,
)

contents = st.one_of(st.text(max_size=20), st.binary(max_size=20))


@st.composite
def written(draw: st.DrawFn, content: Union[str, bytes]) -> bytes:
    """A message in fragments, also cut within code points, with control frames between them."""
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


def masked_one_by_one(payload: bytes, key: bytes) -> bytes:
    """The mask as section 5.3 of RFC 6455 words it."""
    return bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


@given(contents, st.sampled_from([1, 7, 64, 240, 4_000]), st.binary(min_size=4, max_size=4))
@example("a", 125, b"\0\1\2\xff")
@example("a", 126, b"\0\1\2\xff")
@example(b"a", 4096, b"\0\1\2\xff")
@example(b"a", 65_535, b"\0\1\2\xff")
@example(b"a", 65_536, b"\0\1\2\xff")
def test_a_mask_from_outside_gives_the_same_bytes(content, times, key):
    message = content * times
    kept = WithKey(key)
    for apply_mask in filter(None, [masked_one_by_one, fast_mask()]):
        ours = FrameWriter([], lambda size: key[:size], apply_mask)
        if isinstance(message, str):
            assert ours.text(message) == kept.text(message)
        else:
            assert ours.binary(message) == kept.binary(message)


class WithKey(FrameWriter):
    """A writer with a known key, and without a masking function."""

    def __init__(self, key: bytes) -> None:
        super().__init__([], lambda size: key[:size])
        self._longest = None


@pytest.mark.parametrize("random_bytes", [None, os.urandom], ids=["drawn by wsproto", "given"])
def test_every_frame_has_a_mask_of_its_own(random_bytes):
    connection = open_connection(random_bytes=random_bytes)
    masks = {connection.send_text("hello")[2:6] for _ in range(8)}
    assert len(masks) == 8


def test_a_masked_frame_is_that_of_the_rfc():
    # https://www.rfc-editor.org/rfc/rfc6455#section-5.7
    connection = open_connection(random_bytes=fixed_mask)
    assert connection.send_text("Hello").hex() == "818537fa213d7f9f4d5158"


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
    assert kept_by(connection.reader) == 0


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
    assert kept_by(connection.reader) == 0


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


@pytest.mark.slow
def test_what_is_kept_of_a_session_does_not_grow_with_it():
    connection = open_connection(max_message_size=70_000)
    for _ in range(300):
        connection.receive_data(frame(PING, bytes(125)) * 100 + frame(BINARY, bytes(65_536)))
        assert everything(connection) == [bytes(65_536)]
        assert kept_by(connection.reader) == 0
        assert len(connection.data_to_send()) < 16 * 140


def test_a_ping_of_the_callers_may_have_125_bytes():
    connection = open_connection()
    assert client_frames(connection.ping(b"x" * 125)) == [(PING, b"x" * 125)]
    with pytest.raises(ValueError, match="at most 125 bytes, got 126"):
        connection.ping(b"x" * 126)


# The parts by themselves


def test_wsproto_has_what_is_used_of_it_beyond_its_documents():
    """If this fails, check `frames.py` before raising the upper bound of the version."""
    decoder = FrameDecoder(client=True, extensions=[])
    received = decoder.buffer.buffer
    assert type(received) is bytearray
    assert decoder.header is None
    decoder.receive_bytes(frame(TEXT, b"abcde", fin=False)[:4])
    assert received == b"\x01\x05ab"
    part = decoder.process_buffer()
    assert part is not None
    assert (part.payload, part.frame_finished) == (b"ab", False)
    assert decoder.header is not None
    assert (decoder.header.opcode, decoder.header.payload_len) == (TEXT, 5)
    assert decoder.payload_consumed == 2
    decoder.receive_bytes(b"cde")
    assert decoder.process_buffer() is not None
    assert decoder.header is None
    assert decoder.buffer.buffer is received, "it stays the same object"
    assert received == b""
    fragments = MessageDecoder()
    assert fragments.opcode is None
    fragments.process_frame(part)
    assert fragments.opcode is not None


def test_a_reader_needs_no_connection():
    reader = FrameReader(16)
    reader.receive_data(text("a") + frame(PING, b"p") + frame(BINARY, b"b")[:2])
    assert reader.next_message(None) == "a"
    assert reader.next_message(None) is NEED_DATA
    assert (reader.pings, kept_by(reader)) == ([b"p"], 0)
    reader.receive_data(b"b" + pieces_of(TEXT, b"c", b"d")[:3])
    assert reader.next_message(None) == b"b"
    assert reader.next_message(None) is NEED_DATA
    assert kept_by(reader) == 1
    reader.lost = Closed(1006, "reset", error_code="reset")
    assert reader.next_message(None) is reader.lost
    reader.drop()
    assert (reader.pings, kept_by(reader)) == ([], 0)


def test_a_reader_that_ignores_messages_still_gives_the_end_and_the_faults():
    for stream, code in ((close(1001), 1001), (frame(3), 1002)):
        reader = FrameReader(16)
        reader.ignore()
        reader.receive_data(text("a") + frame(PING, b"p") + frame(BINARY, b"b") + stream)
        end = reader.next_message(None)
        assert isinstance(end, Closed)
        assert (end.code, reader.pings) == (code, [])


@given(
    pings=st.lists(st.binary(max_size=3), max_size=3),
    asks=st.booleans(),
    end=st.sampled_from([None, Closed(1001, clean=True), Closed(1005, clean=True), Closed(1009)]),
)
def test_a_writer_says_close_last(pings, asks, end):
    waiting = list(pings)
    writer = FrameWriter(waiting)
    if asks:
        writer.queue_ping()
    if end is not None:
        writer.queue_close(end)
    said = client_frames(writer.data_to_send())
    assert writer.data_to_send() == b""
    assert not waiting
    pongs = [(PONG, payload) for payload in pings]
    if end is None:
        assert said == pongs + [(PING, b"")] * asks
    elif end.clean:
        code = b"" if end.code == 1005 else end.code.to_bytes(2, "big")
        assert said == [*pongs, (CLOSE, code)]
    else:
        assert said == [(CLOSE, end.code.to_bytes(2, "big"))]
