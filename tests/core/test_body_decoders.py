"""What all decoders of streamed bodies have in common, and the buffers that they accept."""

import gzip
import os
import random
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.byte_streams import ByteDecoder
from meshapi_core.calls import Call, StreamCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.endpoints.chat import Completions
from meshapi_core.errors import APIConnectionError, StreamInterruptedError
from meshapi_core.headers import Headers
from meshapi_core.http11.connection import HTTP11Connection, ResponseHead
from meshapi_core.machines.exchange import Done, Exchange
from meshapi_core.messages import Failure, Response
from meshapi_core.readers import BodyDecoder, ByteStreamReader
from meshapi_core.signals import END_OF_BODY, END_OF_STREAM, NEED_DATA
from meshapi_core.sse import SSEDecoder

CHAT = Completions.stream.build(model="m", messages=[{"role": "user", "content": "hi"}])
FILE = StreamCall(method="GET", path="/v1/files/f/content", reader=ByteStreamReader())
EVENTS = (
    b"".join(b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % n for n in range(3))
    + b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
AUDIO = bytes(range(256)) * 4

KINDS: "dict[str, tuple[StreamCall[Any], str, bytes]]" = {
    "chunks": (CHAT, "text/event-stream", EVENTS),
    "bytes": (FILE, "audio/mpeg", AUDIO),
}


def opened(kind: str, *, coded: bool) -> "tuple[BodyDecoder[Any], bytes]":
    """A decoder as an exchange returns it, and its whole body."""
    call, content_type, body = KINDS[kind]
    pairs = [("content-type", content_type), ("x-request-id", "req_1")]
    if coded:
        pairs, body = [*pairs, ("content-encoding", "gzip")], gzip.compress(body)
    config = MeshAPIConfig(token="rsk_test_1")
    life = Exchange(call, config, now=0.0, random_bytes=os.urandom)
    life.next_action(0.0)
    life.receive(Response(206, Headers(pairs)), 0.0)
    done = life.next_action(0.0)
    assert isinstance(done, Done)
    return done.value, body


def events(decoder: Any) -> Iterator[Any]:
    while (event := decoder.next_event()) is not NEED_DATA and event is not END_OF_STREAM:
        yield event


on_every_decoder = pytest.mark.parametrize(
    ("kind", "coded"), [(kind, coded) for kind in KINDS for coded in (False, True)]
)


@on_every_decoder
def test_a_decoder_knows_its_response_from_the_head_on(kind, coded):
    decoder, _ = opened(kind, coded=coded)
    assert (decoder.status, decoder.request_id) == (206, "req_1")
    assert decoder.headers["x-request-id"] == "req_1"
    assert decoder.complete is False
    assert decoder.partial() is None


@on_every_decoder
def test_a_decoder_is_complete_when_all_has_come(kind, coded):
    decoder, body = opened(kind, coded=coded)
    for place in range(0, len(body), 7):
        decoder.receive_data(body[place : place + 7])
        list(events(decoder))
        assert decoder.complete is False or kind == "chunks"
    decoder.receive_data(b"")
    list(events(decoder))
    assert decoder.complete is True


@on_every_decoder
def test_a_decoder_that_failed_is_not_complete(kind, coded):
    decoder, body = opened(kind, coded=coded)
    decoder.receive_data(body[:40])
    decoder.receive_failure(Failure(APIConnectionError("it broke"), "response"))
    with pytest.raises(StreamInterruptedError):
        list(events(decoder))
    assert decoder.complete is False


@pytest.mark.parametrize("coded", [False, True])
def test_what_has_arrived_is_known_when_a_stream_is_abandoned(coded):
    decoder, body = opened("chunks", coded=coded)
    decoder.receive_data(body)
    assert [decoder.next_event().choices[0].delta.content for _ in range(2)] == ["0", "1"]
    assert decoder.partial().choices[0].message.content == "01"
    decoder.receive_failure(Failure(APIConnectionError("it broke"), "response"))
    assert decoder.partial().choices[0].message.content == "01"


def test_what_has_arrived_is_the_partial_of_the_error():
    decoder, _ = opened("chunks", coded=False)
    decoder.receive_data(EVENTS[: EVENTS.index(b"stop")])
    decoder.receive_data(b"")
    with pytest.raises(StreamInterruptedError) as caught:
        list(events(decoder))
    assert caught.value.partial == decoder.partial()


# Buffers


def _view(data: bytes) -> memoryview:
    return memoryview(bytearray(data))


def _numbers(data: bytes) -> Any:
    """A buffer whose items are not bytes: its len() is not its size."""
    return array("H", data) if len(data) % 2 == 0 else bytearray(data)


BUFFERS: "list[Callable[[bytes], Any]]" = [bytearray, _view, _numbers]
on_every_buffer = pytest.mark.parametrize("buffer", BUFFERS)


def spoil(data: Any) -> None:
    """Overwrite a buffer, as a program that reuses it does."""
    view = memoryview(data).cast("B")
    view[:] = bytes(len(view))


def fed(machine: Any, body: bytes, buffer: "Callable[[bytes], Any]", seed: int) -> "list[Any]":
    """What a machine returns for a body in such buffers, each of which is reused at once."""
    source, found, place = random.Random(seed), list[Any](), 0
    while place < len(body):
        size = source.choice([1, 2, 5, 64, 1000])
        piece = buffer(body[place : place + size])
        machine.receive_data(piece)
        if not isinstance(piece, bytes):
            spoil(piece)
        place += size
        if source.random() < 0.7:
            found += events(machine)
    machine.receive_data(buffer(b""))
    return found + list(events(machine))


@on_every_decoder
@on_every_buffer
@given(seed=st.integers(0, 9999))
def test_a_decoder_takes_any_buffer_and_keeps_none(kind, coded, buffer, seed):
    decoder, body = opened(kind, coded=coded)
    wanted, _ = opened(kind, coded=coded)
    found, expected = fed(decoder, body, buffer, seed), fed(wanted, body, bytes, seed)
    if kind == "bytes":
        found, expected = [b"".join(found)], [AUDIO]
        assert type(found[0]) is bytes
    assert found == expected


@on_every_buffer
@given(seed=st.integers(0, 9999))
def test_events_are_read_from_any_buffer(buffer, seed):
    expected = fed(SSEDecoder(), EVENTS, bytes, seed)
    assert fed(SSEDecoder(), EVENTS, buffer, seed) == expected


RESPONSES = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n" + AUDIO,
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"".join(b"100\r\n" + AUDIO[:256] + b"\r\n" for _ in range(4))
    + b"0\r\n\r\n",
]


@on_every_buffer
@pytest.mark.parametrize("response", RESPONSES)
@given(seed=st.integers(0, 9999))
def test_a_connection_takes_any_buffer_and_keeps_none(buffer, response, seed):
    connection = HTTP11Connection()
    call = Call(method="GET", path="/v1/x", reader=FILE.reader)  # type: ignore[arg-type]
    list(connection.send(call.request(MeshAPIConfig(token="rsk_test_1"))))
    source, body, place, head, event = random.Random(seed), b"", 0, None, None
    while event is not END_OF_BODY:
        event = connection.next_event()
        if event is NEED_DATA:
            piece = buffer(response[place : place + source.choice([1, 2, 5, 64, 1000])])
            place += memoryview(piece).nbytes
            connection.receive_data(piece)
            spoil(piece)
        elif isinstance(event, ResponseHead):
            head = event
        elif isinstance(event, bytes):
            body += event
    assert head is not None
    assert body == AUDIO
    assert connection.reusable


@on_every_decoder
def test_what_is_no_buffer_is_refused(kind, coded):
    decoder, _ = opened(kind, coded=coded)
    wrong: Any = "text"
    with pytest.raises(TypeError):
        decoder.receive_data(wrong)


def test_a_piece_of_bytes_is_not_copied():
    decoder = ByteDecoder(headers=Headers([("content-type", "audio/mpeg")]))
    decoder.receive_data(b"x" * 100)
    decoder.next_event()
    piece = os.urandom(1000)
    decoder.receive_data(piece)
    assert decoder.next_event() is piece
