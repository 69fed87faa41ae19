"""The event-stream decoder against the reference: whole, in pieces, by frame, byte by byte.

Input: one byte for the limit, one that seeds the cuts, then the stream.
"""

import random
import re
from collections.abc import Iterable
from typing import Union

from pieces import byte_by_byte, cut
from reference import sse_reference
from reference.sse_reference import Event, Outcome

from meshapi_core import sse
from meshapi_core.errors import ResponseDecodeError

Decoder = Union[sse.SSEDecoder, sse.RawSSEDecoder]

# `one` judges the documented error itself, so nothing may come out of it.
ACCEPTED: tuple[type[Exception], ...] = ()

DICTIONARY = (
    b"data",
    b"data:",
    b"data: ",
    b"data: x\n\n",
    b"event: a",
    b"id: 1",
    b"id",
    b"id: \0",
    b"error: no",
    b'{"a":\n\n1}\n',
    b"[DONE]\n",
    b"data: {}\r\n\r\n",
    b"retry: 10",
    b"retry: +1",
    b"retry: 999999999999999999",
    b": ",
    b"\n\n",
    b"\r\r",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xef\xbb\xbf",
    "\u2028".encode(),
    "\u0085".encode(),
    "\U0001f600".encode(),
    b"\xed\xa0\x80",
    b"\x1c",
)


def one(data: bytes) -> None:
    """Check one input.

    Raises:
        AssertionError: Two ways of reading the stream differ.
    """
    max_event_size = data[0] if data and data[0] else 1 << 20
    cuts = random.Random(data[1:2])
    stream = data[2:]
    in_pieces = (
        [stream],
        cut(stream, cuts, longest=5),
        cut(stream, cuts, longest=60),
        by_frame(stream),
        byte_by_byte(stream),
    )
    for flush_at_end in (False, True):
        expected = sse_reference.decode(
            stream, max_event_size=max_event_size, flush_at_end=flush_at_end
        )
        for pieces in in_pieces:
            decoder = sse.RawSSEDecoder(max_event_size=max_event_size, flush_at_end=flush_at_end)
            actual = outcome(decoder, pieces)
            assert actual == expected, f"{actual} is not {expected}, read as {pieces}"
        decoder = sse.RawSSEDecoder(max_event_size=max_event_size, flush_at_end=flush_at_end)
        actual = outcome(decoder, by_frame(stream), asks_at_the_end=True)
        assert actual == expected, f"{actual} is not {expected}, read in the end"
        if not flush_at_end:
            actual = outcome(sse.SSEDecoder(max_event_size=max_event_size), [stream])
            assert actual == expected, f"{actual} is not {expected}"
    _check_bare_lines(in_pieces, max_event_size)


def _check_bare_lines(in_pieces: Iterable[list[bytes]], max_event_size: int) -> None:
    """Check that JSON without a field is read alike, too, for which there is no reference.

    A single byte is no plain event: what is read of them, the lines have read alone.
    """
    *others, single_bytes = [
        (outcome(decoder, pieces), decoder.bare_lines.text)
        for pieces in in_pieces
        for decoder in [
            sse.RawSSEDecoder(max_event_size=max_event_size, flush_at_end=True, bare_lines=True)
        ]
    ]
    for actual in others:
        assert actual == single_bytes, f"{actual} is not {single_bytes}"


def outcome(decoder: Decoder, pieces: Iterable[bytes], *, asks_at_the_end: bool = False) -> Outcome:
    """Return what a decoder makes of a stream, in the terms of the reference."""
    raw = decoder._raw if isinstance(decoder, sse.SSEDecoder) else decoder
    events: list[Event] = []
    too_large = False
    try:
        for piece in pieces:
            if piece:
                decoder.receive_data(piece)
                if not asks_at_the_end:
                    _read(decoder, events, until=sse.NEED_DATA)
        decoder.receive_data(b"")
        _read(decoder, events, until=sse.END_OF_STREAM)
    except ResponseDecodeError as exc:
        too_large = True
        _check_that_it_stays(exc, decoder)
    return Outcome(events, too_large, raw.last_event_id.decode("utf-8", "replace"))


def _check_that_it_stays(error: ResponseDecodeError, decoder: Decoder) -> None:
    assert error.error_code == "event_too_large"
    for call in (decoder.next_event, lambda: decoder.receive_data(b"data: 1\n\n")):
        try:
            call()
        except ResponseDecodeError as exc:
            assert str(exc) == str(error)
        else:
            raise AssertionError(f"{error!r} was forgotten")


def by_frame(stream: bytes) -> list[bytes]:
    """Return the stream cut before every `data: ` and after every LF LF, as gateways write it."""
    return [piece for piece in re.split(rb"(?=data: )|(?<=\n\n)", stream) if piece]


def _read(
    decoder: Decoder, events: list[Event], until: Union[sse.NeedData, sse.EndOfStream]
) -> None:
    while True:
        event = decoder.next_event()
        if event is sse.NEED_DATA or event is sse.END_OF_STREAM:
            assert event is until, f"expected {until!r}, got {event!r}"
            return
        if isinstance(event, sse.ServerSentEvent):
            events.append(Event(event.event, event.data, event.id, event.retry))
        else:
            assert isinstance(decoder, sse.RawSSEDecoder)
            events.append(_decoded(event, decoder))


def _decoded(event: sse.RawEvent, decoder: sse.RawSSEDecoder) -> Event:
    event_type, data = event
    return Event(
        event_type.decode("utf-8", "replace") or "message",
        data.decode("utf-8", "replace"),
        decoder.last_event_id.decode("utf-8", "replace"),
        decoder.retry,
        decoder.unfinished,
    )
