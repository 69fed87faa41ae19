"""readers.streams: each response gets its own decoder, for the type that was asked for."""

import json
from dataclasses import dataclass, field
from typing import Any, Optional

import pytest

from meshapi_core.byte_streams import ByteDecoder
from meshapi_core.chunks.decoder import ChunkDecoder
from meshapi_core.errors import (
    APIStatusError,
    ResponseDecodeError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.readers import (
    ByteStreamReader,
    ChunkReader,
)
from meshapi_core.signals import END_OF_STREAM, NEED_DATA
from meshapi_core.types._base import ResponseModel


class Row(ResponseModel, kw_only=True, dict=True):
    id: str = ""
    size: int = 0


def make_response(body: Any, kind: str = "application/json", status: int = 200) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = [("X-Request-Id", "req_1")]
    return Response(status, Headers(fields + ([("Content-Type", kind)] if kind else [])), data)


@dataclass
class Counted:
    """An accumulator that is complete after a number of chunks."""

    wanted: int
    seen: list[Any] = field(default_factory=list)

    def add(self, chunk: Any) -> None:
        self.seen.append(chunk)

    @property
    def complete(self) -> bool:
        return len(self.seen) >= self.wanted

    def partial(self) -> Any:
        return list(self.seen) or None


class Events:
    """Skips unknown events."""

    def is_error(self, name: str, frame: dict[str, Any]) -> bool:
        return name == "error" or frame.get("fatal") is True

    def read(self, name: str, frame: dict[str, Any]) -> Optional[Row]:
        return Row(id=f"{name}:{frame['id']}") if "id" in frame else None


class TestChunks:
    def chunks(self, reader: Any, body: bytes, kind: str = "text/event-stream") -> Any:
        decoder = reader.open(make_response(b"", kind))
        decoder.receive_data(body)
        decoder.receive_data(b"")
        found = []
        while True:
            event = decoder.next_event()
            if event in (END_OF_STREAM, NEED_DATA):
                return found
            found.append(event)

    def test_each_response_has_a_decoder_and_an_accumulator_of_its_own(self):
        made: list[Counted] = []

        def accumulator() -> Counted:
            made.append(Counted(1))
            return made[-1]

        reader = ChunkReader(Row, accumulator=accumulator)
        assert reader.open(make_response(b"")) is not reader.open(make_response(b""))
        assert len(made) == 2
        assert isinstance(reader.open(make_response(b"", status=201)), ChunkDecoder)

    def test_chunks_are_decoded_with_what_was_sent(self):
        reader = ChunkReader(Row, accumulator=lambda: Counted(1))
        (row,) = self.chunks(reader, b'data: {"id":"a","x":1}\n\ndata: [DONE]\n\n')
        assert (row, row.raw, row._request_id) == (Row(id="a"), {"id": "a", "x": 1}, "req_1")

    def test_events_by_name(self):
        reader = ChunkReader(Row, accumulator=lambda: Counted(2), events=Events())
        body = (
            b'event: one\ndata: {"id":"a","error":{"message":"of one model"}}\n\n'
            b"event: ping\ndata: {}\n\nevent: ping\ndata: 7\n\nevent: x\ndata:\n\n"
            b'data: {"id":"b"}\n\ndata: [DONE]\n\n'
        )
        rows = self.chunks(reader, body)
        assert [row.id for row in rows] == ["one:a", ":b"]
        assert rows[1].raw == {"id": "b"}

    def test_errors_by_name(self):
        reader = ChunkReader(Row, accumulator=lambda: Counted(2), events=Events())
        with pytest.raises(APIStatusError) as caught:
            self.chunks(reader, b'data: {"id":"a"}\n\nevent: error\ndata: {"message":"no"}\n\n')
        assert caught.value.partial == [Row(id=":a")]
        for data in (b'"gone"', b"gone", b"null", b"[1]"):
            with pytest.raises(APIStatusError):
                self.chunks(reader, b"event: error\ndata: " + data + b"\n\n")
        fatal = b'event: x\ndata: {"error":{"message":"no"},"fatal":true}\n\n'
        with pytest.raises(APIStatusError):
            self.chunks(reader, fatal)

    def test_broken_json_of_a_named_event_raises(self):
        reader = ChunkReader(Row, accumulator=lambda: Counted(2), events=Events())
        with pytest.raises(ResponseDecodeError):
            self.chunks(reader, b'event: x\ndata: {"id":\n\n')


def test_a_stream_of_bytes_gives_pieces():
    decoder = ByteStreamReader().open(make_response(b"", "audio/mpeg", status=206))
    assert isinstance(decoder, ByteDecoder)
    assert (decoder.status, decoder.request_id) == (206, "req_1")
