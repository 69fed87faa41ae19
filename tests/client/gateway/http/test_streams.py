"""Streams of the gateway: how much memory those take that nobody reads."""

import pytest

from meshapi.gateway.http import streams
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.streams import PacedFrames, StreamRoom
from meshapi.testing import LocalGateway
from support.chat_calls import ask, complete, raw_request

ROOM = streams.MOST_BYTES


def test_there_is_room_for_one_stream_of_any_size() -> None:
    room = StreamRoom()
    with room.take(2 * ROOM), pytest.raises(GatewayError, match="under way"), room.take(1):
        pass
    with room.take(2 * ROOM):
        pass


def test_there_is_room_for_many_small_ones() -> None:
    room = StreamRoom()
    small = [room.take(1) for _ in range(3)]
    with room.take(ROOM - 2), small[0], small[1], pytest.raises(GatewayError), small[2]:
        pass
    with room.take(ROOM):
        pass


def test_the_size_of_a_script_counts_its_frames() -> None:
    frames = [b"12345"] * 100
    assert 3 * 500 < PacedFrames(frames, frames, frames).size < 3 * 100 * 100


def test_streams_that_nobody_reads_leave_no_room(
    gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw_request(gateway, ask("Hi", model="mesh/stall", stream=True)) as peer:
        assert peer.recv(1)
        monkeypatch.setattr(streams, "MOST_BYTES", 1)
        refused = complete(gateway, ask("Hi", stream=True))
        assert (refused.status, refused.code) == (503, (503, "overloaded"))
        # What is no stream needs no room.
        assert complete(gateway, ask("Hi")).status == 200
