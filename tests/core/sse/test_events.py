import gc
import sys
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any, Union
from unittest import mock

import pytest
from fuzz_sse import outcome
from hypothesis import example, given
from hypothesis import strategies as st
from pieces import byte_by_byte
from reference import sse_reference

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData
from meshapi_core.sse import RawSSEDecoder, ServerSentEvent, SSEDecoder
from meshapi_core.sse import bare_lines as bare_lines_stage
from meshapi_core.sse import decoder as decoder_stage
from meshapi_core.sse import events as events_stage
from meshapi_core.sse import lines as lines_stage
from meshapi_core.sse import plain as plain_stage
from support import sse_streams

MIB = 1024 * 1024


def read(pieces: Iterable[bytes], **options: Any) -> list[ServerSentEvent]:
    decoder = SSEDecoder(**options)
    events = []
    for piece in [*filter(None, pieces), b""]:
        decoder.receive_data(piece)
        events += ready(decoder)
    assert decoder.next_event() is END_OF_STREAM
    return events


def ready(decoder: Union[SSEDecoder, RawSSEDecoder]) -> Iterator[Any]:
    while not isinstance(event := decoder.next_event(), (NeedData, EndOfStream)):
        yield event


# Laws


@given(st.data(), sse_streams.streams, sse_streams.limits, st.booleans())
def test_any_cut_of_a_stream_gives_what_the_whole_and_its_single_bytes_give(
    data, stream, limit, flush
):
    pieces = data.draw(sse_streams.pieces(stream))

    def decoder():
        return RawSSEDecoder(max_event_size=limit, flush_at_end=flush)

    whole = outcome(decoder(), [stream])
    assert outcome(decoder(), pieces) == whole
    assert outcome(decoder(), byte_by_byte(stream)) == whole


@given(sse_streams.streams, sse_streams.limits)
@example(b"\xef\xbb\xbf\n\n", 2)  # the mark counts while its line is unfinished, and not after that
@example(b"\xef\xbb\xbf\xef\xbb\xbfdata:1\n\ndata:2\n\n", 1 << 20)  # only one mark is removed
def test_events_and_errors_are_those_of_the_standard(stream, limit):
    expected = sse_reference.decode(stream, max_event_size=limit)
    assert outcome(SSEDecoder(max_event_size=limit), [stream]) == expected
    assert outcome(RawSSEDecoder(max_event_size=limit), [stream]) == expected


@given(sse_streams.streams)
def test_flushing_adds_the_unfinished_event_and_changes_no_other(stream):
    flushed = outcome(RawSSEDecoder(flush_at_end=True), [stream])
    assert flushed == sse_reference.decode(stream, flush_at_end=True)
    finished = [event for event in flushed.events if not event.unfinished]
    assert finished == outcome(RawSSEDecoder(), [stream]).events
    assert len(flushed.events) - len(finished) <= 1


@given(st.data(), sse_streams.streams, sse_streams.limits)
def test_the_events_of_a_prefix_are_a_prefix_of_the_events(data, stream, limit):
    prefix = stream[: data.draw(st.integers(0, len(stream)))]
    whole = outcome(RawSSEDecoder(max_event_size=limit), [stream])
    part = outcome(RawSSEDecoder(max_event_size=limit), [prefix])
    assert whole.events[: len(part.events)] == part.events
    if part.too_large:
        assert whole == part


@given(st.lists(st.binary(max_size=12), max_size=8), sse_streams.limits)
def test_any_bytes_give_events_or_the_documented_error(pieces, limit):
    outcome(SSEDecoder(max_event_size=limit), pieces)


@given(st.data(), sse_streams.streams, sse_streams.limits)
def test_when_events_are_asked_for_makes_no_difference(data, stream, limit):
    decoder = SSEDecoder(max_event_size=limit)
    received = []
    error = False
    try:
        for piece in [*data.draw(sse_streams.pieces(stream)), b""]:
            decoder.receive_data(piece)
            asked = range(data.draw(st.integers(0, 3)))
            received.extend(decoder.next_event() for _ in asked)
        received.extend(ready(decoder))
    except ResponseDecodeError:
        error = True
    events = [event for event in received if isinstance(event, ServerSentEvent)]
    expected = sse_reference.decode(stream, max_event_size=limit)
    assert [event.data for event in events] == [event.data for event in expected.events]
    assert error == expected.too_large


@given(sse_streams.streams, sse_streams.limits, st.integers(1, 5))
def test_large_pieces_are_split_little_by_little_with_the_same_result(stream, limit, size):
    whole = outcome(SSEDecoder(max_event_size=limit), [stream])
    with mock.patch.object(decoder_stage, "MAX_PIECE", size):
        assert outcome(SSEDecoder(max_event_size=limit), [stream]) == whole


@given(
    st.lists(
        st.builds(
            ServerSentEvent,
            event=st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1),
            data=st.text(st.characters(codec="utf-8", exclude_characters="\r")),
            id=st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0")),
            retry=st.integers(0, 10**18 - 1),
        )
    ),
    sse_streams.line_ends,
)
def test_written_events_are_read_back(events, end):
    stream = b""
    for event in events:
        data = [f"data: {line}" for line in event.data.split("\n")]
        lines = [f"event: {event.event}", f"id: {event.id}", f"retry: {event.retry}", *data, "", ""]
        stream += end.join(line.encode() for line in lines)
    assert read([stream]) == events


# Fields; the examples of these, of line ends and of characters are `tests/vectors/sse.json`


def test_the_last_event_id_is_not_taken_from_an_event_that_is_pending():
    # A client that reconnects has seen everything up to the last blank line, and nothing after it.
    decoder = RawSSEDecoder()
    decoder.receive_data(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert decoder.next_event() == (b"", b"a")
    assert decoder.next_event() is NEED_DATA
    assert decoder.last_event_id == b"1"


# The end of the input


@pytest.mark.parametrize("rest", [b"data: 2", b"data: 2\n", b"data: 2\r", b"data: 2\r\n"])
def test_an_event_without_its_blank_line_is_returned_when_asked_for(rest):
    # Some gateways forget the last blank line; other clients lose the last event then.
    decoder = RawSSEDecoder(flush_at_end=True)
    decoder.receive_data(b"data: 1\n\n" + rest)
    assert decoder.next_event() == (b"", b"1")
    assert decoder.next_event() is NEED_DATA
    assert not decoder.unfinished
    decoder.receive_data(b"")
    assert decoder.next_event() == (b"", b"2")
    assert decoder.unfinished
    assert decoder.next_event() is END_OF_STREAM
    assert decoder.next_event() is END_OF_STREAM


def test_a_finished_last_event_is_not_called_unfinished():
    decoder = RawSSEDecoder(flush_at_end=True)
    decoder.receive_data(b"data: 1\n\nid: 2")
    decoder.receive_data(b"")
    assert decoder.next_event() == (b"", b"1")
    assert decoder.next_event() is END_OF_STREAM
    assert not decoder.unfinished


def test_before_any_input_data_is_needed():
    decoder = SSEDecoder()
    assert decoder.next_event() is NEED_DATA
    assert decoder.next_event() is NEED_DATA


@pytest.mark.parametrize("data", [b"data: 2\n\n", b""])
def test_input_after_the_end_is_a_mistake_of_the_caller(data):
    decoder = SSEDecoder()
    decoder.receive_data(b"data: 1\n\n")
    decoder.receive_data(b"")
    with pytest.raises(RuntimeError, match="end of the input"):
        decoder.receive_data(data)
    assert decoder.next_event() == ServerSentEvent(data="1")
    assert decoder.next_event() is END_OF_STREAM


@pytest.mark.parametrize("kind", [bytearray, memoryview])
@pytest.mark.parametrize("size", [1, 7, 70_000])
def test_a_buffer_that_is_used_again_changes_no_event(kind, size):
    stream = b"event: e\ndata: 1\n\ndata: 2\n\ndata: " + b"3" * 140_000 + b"\n\n"
    decoder = SSEDecoder()
    for start in range(0, len(stream), size):
        buffer = bytearray(stream[start : start + size])
        decoder.receive_data(kind(buffer))
        buffer[:] = b"\n" * len(buffer)
    decoder.receive_data(kind(b""))
    assert list(ready(decoder)) == read([stream])
    assert all(type(event.data) is str for event in read([stream]))


def test_an_empty_buffer_is_the_end_of_the_input_like_empty_bytes():
    decoder = RawSSEDecoder()
    decoder.receive_data(bytearray(b"data: 1\n\n"))
    decoder.receive_data(memoryview(b""))
    event = decoder.next_event()
    assert event == (b"", b"1")
    assert type(event[1]) is bytes
    assert decoder.next_event() is END_OF_STREAM


# A piece that is one frame


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (b"", []),
        (b"\xef\xbb\xbf", []),
        (b": hi\n", []),
        (b"id: 1\n\n", []),
        (b"data: 0\r\n\r", [ServerSentEvent(data="0")]),
        (b"data: 0\n\n", [ServerSentEvent(data="0")]),
    ],
)
@pytest.mark.parametrize("value", [b"1", b"", b" ", b"\0", b"data: ", b"\xff"])
def test_a_frame_in_a_piece_of_its_own_is_an_event_whatever_came_before(before, expected, value):
    last_id = "1" if before.startswith(b"id") else ""
    event = ServerSentEvent(data=value.decode("utf-8", "replace"), id=last_id)
    frame = b"data: " + value + b"\n\n"
    assert read([before, frame, frame]) == [*expected, event, event]


def test_a_frame_in_a_piece_of_its_own_goes_on_with_what_is_pending():
    frame = b"data: 1\n\n"
    assert read([b"event: e\n", frame]) == [ServerSentEvent("e", "1")]
    assert read([b"data: 0\n", frame]) == [ServerSentEvent(data="0\n1")]
    assert read([b"data: 0", frame]) == [ServerSentEvent(data="0data: 1")]
    assert read([b"id: 1\n", frame, frame]) == [ServerSentEvent(data="1", id="1")] * 2
    assert read([b"\n", b"data: 1\rdata: 2\n\n"]) == [ServerSentEvent(data="1\n2")]
    assert read([b"\n", b"data: 1\ndata: 2\n\n"]) == [ServerSentEvent(data="1\n2")]
    assert read([b"\n", b"data: 1\r\n\n"]) == [ServerSentEvent(data="1")]


def test_a_byte_order_mark_after_a_frame_in_a_piece_of_its_own_belongs_to_its_line():
    pieces = [b"data: 1\n\n", b"\xef\xbb\xbfdata: 2\n\n", b"data: 3\n\n"]
    assert read(pieces) == [ServerSentEvent(data="1"), ServerSentEvent(data="3")]


def test_a_frame_in_a_piece_of_its_own_may_be_as_large_as_the_limit():
    decoder = SSEDecoder(max_event_size=7)
    for piece in (b"\n", b"data: 1\n\n", b"data: 22\n\n"):
        decoder.receive_data(piece)
    assert decoder.next_event() == ServerSentEvent(data="1")
    with pytest.raises(ResponseDecodeError):
        decoder.next_event()


# The limit


@pytest.mark.parametrize(
    "large",
    [b"data: 22\n\n", b"data: 2\n:\n\n", b"data: 2\n:", b"data: 22", b":2345678", b"a\n" * 8],
)
def test_events_before_the_one_that_is_too_large_are_returned_first(large):
    decoder = SSEDecoder(max_event_size=7)
    decoder.receive_data(b"data: 1\n\n" + large)
    assert decoder.next_event() == ServerSentEvent(data="1")
    with pytest.raises(ResponseDecodeError) as caught:
        decoder.next_event()
    assert caught.value.error_code == "event_too_large"
    assert "larger than 7 bytes" in str(caught.value)


def test_after_the_error_every_call_raises_the_same():
    decoder = SSEDecoder(max_event_size=7)
    decoder.receive_data(b"data: 22\n\ndata: 3\n\n")
    messages = set()
    for call in (
        decoder.next_event,
        decoder.next_event,
        lambda: decoder.receive_data(b"data: 4\n\n"),
        lambda: decoder.receive_data(b""),
        decoder.next_event,
    ):
        with pytest.raises(ResponseDecodeError) as caught:
            call()
        assert caught.value.error_code == "event_too_large"
        messages.add(str(caught.value))
    assert len(messages) == 1


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_byte_is_refused(limit):
    with pytest.raises(ValueError, match="max_event_size"):
        SSEDecoder(max_event_size=limit)


# Memory


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def held(decoder):
    """Bytes of everything that can be reached from a decoder; exact, whatever else runs."""
    seen: dict[int, object] = {}
    todo: list[object] = [getattr(decoder, name) for name in decoder.__slots__]
    while todo:
        thing = todo.pop()
        if id(thing) not in seen and not isinstance(thing, type):
            seen[id(thing)] = thing
            todo += gc.get_referents(thing)
    return sum(map(sys.getsizeof, seen.values()))


@pytest.mark.parametrize(
    "start",
    [b"data: ", b": ", b"data: 1\ndata: ", b"id: " + b"1" * (MIB // 2) + b"\n: "],
    ids=["data", "comment", "second data line", "after a long id"],
)
def test_after_an_error_nothing_that_was_received_is_kept(start):
    decoder = RawSSEDecoder(max_event_size=MIB)
    decoder.receive_data(start + b"x" * (MIB - len(start)))
    assert decoder.next_event() is NEED_DATA
    assert held(decoder) > MIB
    decoder.receive_data(b"x" * 3)
    with pytest.raises(ResponseDecodeError):
        decoder.next_event()
    assert held(decoder) < 16 * 1024


@pytest.mark.parametrize("rest", [b"x" * MIB, b"data: x\n" * (MIB // 8)], ids=["pieces", "lines"])
def test_after_an_error_nothing_that_was_not_looked_at_is_kept(rest):
    decoder = RawSSEDecoder(max_event_size=16)
    decoder.receive_data(b"data: " + b"x" * 16 + b"\n" + rest)
    assert held(decoder) > MIB
    with pytest.raises(ResponseDecodeError):
        decoder.next_event()
    assert held(decoder) < 16 * 1024


@pytest.mark.parametrize("end", [b"\n\n", b"\ndata: x\n\n", b"\nevent: x\n\n"])
def test_an_event_that_was_returned_is_not_kept(end):
    decoder = RawSSEDecoder()
    decoder.receive_data(b"data: " + b"x" * MIB + end)
    assert isinstance(decoder.next_event(), tuple)
    assert decoder.next_event() is NEED_DATA
    assert held(decoder) < 16 * 1024


def test_an_event_that_was_discarded_at_the_end_is_not_kept():
    decoder = RawSSEDecoder()
    decoder.receive_data(b"data: " + b"x" * MIB + b"\ndata: " + b"x" * MIB)
    decoder.receive_data(b"")
    assert decoder.next_event() is END_OF_STREAM
    assert held(decoder) < 16 * 1024


@pytest.mark.slow
@pytest.mark.usefixtures("traced")
def test_short_lines_do_not_grow_in_memory():
    # Each would cost 48 bytes as an object, and 8 for the reference to it.
    stream = b"data:ab\n" * (MIB // 8) + b"\n"
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    decoder = RawSSEDecoder()
    decoder.receive_data(stream)
    assert isinstance(decoder.next_event(), tuple)
    assert tracemalloc.get_traced_memory()[1] - before < 3 * MIB


# Time


class CountedBytes(bytes):
    """Bytes that count how many of them are read or copied."""

    touched = 0

    def splitlines(self, keepends=False):
        CountedBytes.touched += len(self)
        return [CountedBytes(line) for line in super().splitlines(keepends)]

    def find(self, *arguments):
        CountedBytes.touched += len(self)
        return super().find(*arguments)

    def rfind(self, *arguments):
        CountedBytes.touched += len(self)
        return super().rfind(*arguments)

    def split(self, separator):
        CountedBytes.touched += len(self)
        return [CountedBytes(part) for part in super().split(separator)]

    def partition(self, separator):
        CountedBytes.touched += len(self)
        return tuple(CountedBytes(part) for part in super().partition(separator))

    def __add__(self, other):
        CountedBytes.touched += len(self) + len(other)
        return CountedBytes(super().__add__(other))

    def __getitem__(self, index):
        item = super().__getitem__(index)
        CountedBytes.touched += len(item)
        return CountedBytes(item)


class CountedBytearray(bytearray):
    """The same for the buffers of the decoder."""

    def __iadd__(self, other):
        CountedBytes.touched += len(other)
        return super().__iadd__(other)

    def __add__(self, other):
        CountedBytes.touched += len(self) + len(other)
        return CountedBytearray(super().__add__(other))

    def __bytes__(self):
        CountedBytes.touched += len(self)
        return CountedBytes(bytearray(self))


def work(pieces: list[bytes], monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Return how many bytes are touched, and how many lines of Python run, to read one event."""
    CountedBytes.touched = 0
    lines = 0

    def count_lines(_frame, event, _argument):
        nonlocal lines
        lines += event == "line"
        return count_lines

    before = sys.gettrace()
    with monkeypatch.context() as patched:
        for stage in (decoder_stage, plain_stage, lines_stage, events_stage, bare_lines_stage):
            patched.setattr(stage, "bytearray", CountedBytearray, raising=False)
        decoder = RawSSEDecoder()
        sys.settrace(count_lines)
        try:
            for piece in pieces:
                decoder.receive_data(CountedBytes(piece))
                event = decoder.next_event()
        finally:
            sys.settrace(before)
    assert isinstance(event, tuple)
    return CountedBytes.touched, lines


@pytest.mark.parametrize("size", [1, 7, 1024])
@pytest.mark.parametrize(
    ("start", "repeated"), [(b"data: ", b"x"), (b"", b"data: x\n"), (b": ", b":")]
)
def test_work_grows_with_the_bytes_and_never_with_their_square(size, start, repeated, monkeypatch):
    # An event of 16 MiB takes another client 13 s, four times as long as one of 8 MiB.
    # Counted, not timed: the work must be the same on any machine.
    def one_event(length):
        stream = start + repeated * (length // len(repeated)) + b"\ndata: x\n\n"
        return [stream[i : i + size] for i in range(0, len(stream), size)]

    touched, lines = work(one_event(4096), monkeypatch)
    touched_twice, lines_twice = work(one_event(8192), monkeypatch)
    assert touched_twice < 2.1 * touched
    assert lines_twice < 2.1 * lines
    # Searched for a blank line, twice, and cut there; split, kept, made bytes, parted, its space
    # removed, kept as data, made bytes.
    assert touched < 11 * 4200
