"""Cassettes of realtime sessions: what was recorded is played, message by message."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi import (
    APITimeoutError,
    CassetteError,
    NetworkBlockedError,
    RateLimitError,
    RealtimeConnectionClosed,
)
from meshapi.testing import FakeGateway, LocalGateway, block_network, cassette
from meshapi.testing.cassettes.exchanges import Asked, Exchange, Message, Responded
from meshapi.testing.cassettes.recordings import SessionRecording
from meshapi.testing.cassettes.sessions import Playing
from meshapi_core import Closed
from support.flavours import QUICK, TOKEN, World, on_every_flavour
from support.realtime_server import (
    BINARY,
    MODEL,
    RealtimePeer,
    close_frame,
    frame,
    upgraded,
)
from support.scripted_server import ScriptedServer

KNOWN = "openai/gpt-4o-realtime-preview"


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(words_per_second=0) as gateway:
        yield gateway


def nowhere(world: World, **options: Any) -> Any:
    """A client that nothing is behind."""
    return world.client("http://127.0.0.1:9", **{"token": TOKEN, **options})


async def ask(client: Any, question: str, model: str = KNOWN) -> list[Any]:
    seen: list[Any] = []
    async with client.realtime.connect(model=model, raise_errors=False) as session:
        seen.append((session.subprotocol, session.request_id))
        await session.send_audio(b"\x01\x02" * 8)
        await session.send({"type": "input_audio_buffer.clear", "event_id": f"e{id(seen)}"})
        await session.send_text(question)
        while not seen[-1] or seen[-1][0] != "response.done":
            message = await session.receive(10)
            seen.append((message.type, message.text, message.audio))
    return [*seen, session.close_code, session.close_reason]


@on_every_flavour
async def test_a_recorded_session_is_played(world: World, gateway: LocalGateway, tmp_path: Path):
    path = tmp_path / "a.json"
    async with world.client(gateway.url, token=gateway.token) as client:
        with cassette(path) as tape:
            first = await ask(client, "What is 2+2?")
    assert (tape.recorded, tape.played) == (1, 0)
    before = path.read_bytes()
    assert gateway.token.encode() not in before
    messages = json.loads(before)["exchanges"][0]["messages"]
    assert {"audio": "AQIBAgECAQIBAgECAQIBAg==", "type": "input_audio_buffer.append"} in [
        message["sent"]["json"] for message in messages if "sent" in message
    ]
    with cassette(path) as tape, block_network(allow=[]):
        async with nowhere(world) as client:
            assert await ask(client, "What is 2+2?") == first
    assert (tape.recorded, tape.played, tape.unplayed) == (0, 1, 0)
    assert path.read_bytes() == before


@on_every_flavour
async def test_a_message_that_was_not_recorded_is_refused_with_the_nearest(
    world: World, gateway: LocalGateway, tmp_path: Path
):
    path = tmp_path / "a.json"
    async with world.client(gateway.url, token=gateway.token) as client:
        with cassette(path):
            await ask(client, "What is 2+2?")
    with cassette(path, "none"):
        async with nowhere(world) as client:
            with pytest.raises(CassetteError) as caught:
                await ask(client, "What is 2+3?")
    assert caught.value.error_code == "cassette_mismatch"
    # Its number depends on when the program received the others.
    assert re.sub(r"\d+(?=[,:])", "N", caught.value.message) == (
        "realtime session: the program sent conversation.item.create, and a.json has"
        " conversation.item.create there, as message N, with other content. The nearest is message"
        " N: item.content[0].text: recorded 'What is 2+2?', got 'What is 2+3?'. To change it,"
        ' record it with mode="all", or delete the file'
    )


def talk(peer: RealtimePeer) -> None:
    """Say something after each event, in messages of all kinds."""
    peer.event("session.created")
    peer.receive_event()
    peer.text('{"type" : "one"}')
    peer.peer.send(frame(BINARY, b"\x00\xff") + frame(BINARY, b'{"type":"two"}'))
    peer.receive_event()
    peer.text("not JSON")


ENDS = [
    (close_frame(1000, "bye"), 1000, "bye"),
    (close_frame(None), 1005, ""),
    (close_frame(4402, "no credit"), 4402, "no credit"),
    (close_frame(1011, "busy"), 1011, "busy"),
    (b"", 1006, None),
    (b"\xff\xff", 1002, None),
    (frame(1, b"\xff"), 1007, None),
    (frame(1, b"x" * 200), 1009, None),
]


@pytest.mark.parametrize(("end", "code", "reason"), ENDS)
@on_every_flavour
async def test_the_end_is_played_with_its_code(
    world: World, tmp_path: Path, end: bytes, code: int, reason: Any
):
    def play(peer: RealtimePeer) -> None:
        talk(peer)
        peer.peer.send(end)
        if code != 1006:
            peer.receive_until(8)

    path = tmp_path / "a.json"

    async def program(client: Any) -> list[Any]:
        seen: list[Any] = []
        async with client.realtime.connect(model=MODEL, max_message_size=150) as session:
            for number in range(2):
                await session.send({"type": f"event.{number}"})
            try:
                while True:
                    message = await session.receive(10)
                    seen.append((message.text, message.audio, message.event))
            except RealtimeConnectionClosed as exc:
                seen.append((exc.code, exc.reason, exc.error_code, exc.clean))
        return seen

    with ScriptedServer(upgraded(play)) as server, cassette(path):
        async with world.client(server.url) as client:
            first = await program(client)
    assert first[-1][0] == code
    assert reason in (None, first[-1][1])
    assert len(first) == 6
    with cassette(path, "none"):
        async with nowhere(world) as client:
            assert await program(client) == first


@on_every_flavour
async def test_what_the_gateway_sent_waits_for_what_the_program_sends(world: World, tmp_path: Path):
    def play(peer: RealtimePeer) -> None:
        peer.event("session.created")
        peer.receive_event()
        peer.event("later")
        peer.receive_until(8)

    async def program(client: Any) -> None:
        async with client.realtime.connect(model=MODEL) as session:
            assert (await session.receive(10)).type == "session.created"
            with pytest.raises(APITimeoutError):
                await session.receive(0.01)
            await session.send({"type": "go"})
            assert (await session.receive(10)).type == "later"

    path = tmp_path / "a.json"
    with ScriptedServer(upgraded(play)) as server, cassette(path):
        async with world.client(server.url) as client:
            await program(client)
    with cassette(path, "none"):
        async with nowhere(world) as client:
            await program(client)
            # It was recorded once.
            with pytest.raises(CassetteError, match="all of it was played"):
                await program(client)


@on_every_flavour
async def test_refusals_are_played_and_followed_by_retries(world: World, tmp_path: Path):
    path = tmp_path / "a.json"

    async def program(client: Any) -> list[Any]:
        seen = await ask(client, "What is 2+2?", "mesh/flaky")
        with pytest.raises(RateLimitError) as caught:
            await ask(client.with_options(max_retries=0), "What is 2+2?", "mesh/rate-limited")
        return [*seen, str(caught.value), caught.value.headers["retry-after"]]

    with FakeGateway() as gateway:
        options = {"token": gateway.token, "transport": gateway}
        async with world.client(gateway.url, **options) as client:
            with cassette(path) as tape:
                first = await program(client)
    assert tape.recorded == 4
    with cassette(path, "none") as tape:
        async with nowhere(world) as client:
            assert await program(client) == first
    assert tape.unplayed == 0


@on_every_flavour
async def test_the_modes_are_those_of_requests(world: World, gateway: LocalGateway, tmp_path: Path):
    path = tmp_path / "a.json"
    async with world.client(gateway.url, token=gateway.token) as client:
        with pytest.raises(CassetteError) as caught, cassette(path, "none"):
            pass
        assert caught.value.error_code == "cassette_missing"
        counts: list[tuple[int, int]] = []
        for mode, models in (
            ("once", [KNOWN]),
            ("new_episodes", [KNOWN, "mesh/refusal"]),
            ("all", ["mesh/refusal"]),
        ):
            with cassette(path, mode) as tape:
                for model in models:
                    async with client.realtime.connect(model=model) as session:
                        assert (await session.receive(10)).type == "session.created"
            counts.append((tape.recorded, tape.played))
        assert counts == [(1, 0), (1, 1), (1, 0)]
        for mode in ("once", "none"):
            with cassette(path, mode), pytest.raises(CassetteError) as caught:
                async with client.realtime.connect(model=KNOWN):
                    pass
            assert "The nearest is number 1: query: recorded" in caught.value.message


@on_every_flavour
async def test_a_lost_session_connects_again_from_the_cassette(world: World, tmp_path: Path):
    from meshapi import Reconnect

    def lose(peer: RealtimePeer) -> None:
        peer.event("session.created")
        peer.receive_event()

    def stay(peer: RealtimePeer) -> None:
        peer.event("session.created")
        peer.receive_until(8)

    path = tmp_path / "a.json"

    async def program(client: Any) -> list[str]:
        again = Reconnect(retry=QUICK)
        async with client.realtime.connect(model=MODEL, reconnect=again) as session:
            await session.update({"instructions": "Be brief."})
            return [(await session.receive(10)).type for _ in range(3)]

    with ScriptedServer(upgraded(lose), upgraded(stay)) as server, cassette(path):
        async with world.client(server.url) as client:
            first = await program(client)
    assert first == ["session.created", "meshapi.reconnected", "session.created"]
    with cassette(path, "none") as tape:
        async with nowhere(world) as client:
            assert await program(client) == first
    assert tape.played == 2


@on_every_flavour
async def test_closing_the_client_ends_a_played_session(
    world: World, gateway: LocalGateway, tmp_path: Path
):
    path = tmp_path / "a.json"
    async with world.client(gateway.url, token=gateway.token) as client:
        with cassette(path):
            async with client.realtime.connect(model=KNOWN) as session:
                await session.receive(10)
    with cassette(path, "none"):
        client = nowhere(world)
        async with client.realtime.connect(model=KNOWN) as session:
            await session.receive(10)
            await client.aclose()
            with pytest.raises(RealtimeConnectionClosed) as caught:
                await session.receive(10)
        assert caught.value.error_code == "client_closed"


@on_every_flavour
async def test_a_played_session_answers_pings(world: World, gateway: LocalGateway, tmp_path: Path):
    path = tmp_path / "a.json"

    async def program(client: Any, **limits: Any) -> None:
        async with client.realtime.connect(model=KNOWN, **limits) as session:
            await session.receive(10)
            with pytest.raises(APITimeoutError):
                await session.receive(0.05)

    async with world.client(gateway.url, token=gateway.token) as client:
        with cassette(path):
            await program(client)
    with cassette(path, "none"):
        async with nowhere(world) as client:
            await program(client, ping_interval=0.001)


@on_every_flavour
async def test_recording_a_session_keeps_to_the_blocked_network(world: World, tmp_path: Path):
    with block_network(allow=[]), cassette(tmp_path / "a.json") as tape:
        async with nowhere(world) as client:
            with pytest.raises(NetworkBlockedError):
                async with client.realtime.connect(model=KNOWN):
                    pass
    assert tape.recorded == 0
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    ("messages", "place"),
    [
        ([{"sent": {"text": "a"}, "received": {"text": "b"}}], "messages[0]"),
        ([{"sent": {"text": "a"}}, {}], "messages[1]"),
        ([{"received": {"base64": "/w=="}}], "messages[0]"),
        ([{"received": {"base64": 1}}], "messages[0]"),
    ],
)
def test_a_damaged_session_is_named(tmp_path: Path, messages: Any, place: str):
    path = tmp_path / "a.json"
    request = {"method": "GET", "path": "/v1/realtime"}
    exchange = {"request": request, "response": {"status": 101}, "messages": messages}
    path.write_text(json.dumps({"meshapi_cassette": 1, "exchanges": [exchange]}))
    with pytest.raises(CassetteError, match=r"exchanges\[0\]") as caught, cassette(path):
        pass
    assert place in str(caught.value)
    assert caught.value.error_code == "cassette_damaged"


SENT = st.one_of(
    st.text(),
    st.builds(json.dumps, st.dictionaries(st.text(), st.integers() | st.text(), max_size=3)),
)


@given(st.lists(st.tuples(st.booleans(), SENT, st.binary(max_size=5))))
def test_what_was_recorded_matches_itself_and_nothing_after_it(rows: list[Any]):
    recording = SessionRecording(Asked("GET", "/"), [TOKEN])
    recording.accepted([("Upgrade", "websocket")])
    for is_sent, text, data in rows:
        if is_sent:
            recording.sent(text)
        else:
            recording.received(data)
    recording.ended(Closed(1000, clean=True))
    exchange = recording.exchange()
    assert exchange is not None
    exchange.check()
    playing = Playing("a.json", exchange, [TOKEN])
    got = [playing.as_played(each) for each in exchange.messages or () if each.sent is None]
    assert got == [data for is_sent, _, data in rows if not is_sent]
    for is_sent, text, _ in rows:
        if is_sent:
            playing.sent(text)
    with pytest.raises(CassetteError, match="nothing more"):
        playing.sent("{}")


def test_an_event_id_of_the_program_is_quoted_as_it_is_now():
    sent = Message(sent={"json": {"type": "a", "event_id": "old"}})
    error = Message(received={"json": {"error": {"event_id": "old"}}})
    playing = Playing("a.json", Exchange(Asked("GET", "/"), Responded(101), [sent, error]), [TOKEN])
    playing.sent('{"event_id": "new", "type": "a"}')
    assert playing.as_played(error) == '{"error":{"event_id":"new"}}'


def test_a_token_in_a_message_is_not_recorded():
    recording = SessionRecording(Asked("GET", "/"), [TOKEN])
    recording.accepted([])
    recording.sent(json.dumps({"type": "a", "text": f"it is {TOKEN}"}))
    recording.received(json.dumps({"type": "error", "message": TOKEN}))
    exchange = recording.exchange()
    assert exchange is not None
    assert TOKEN not in repr(exchange)
    Playing("a", exchange, [TOKEN]).sent(json.dumps({"type": "a", "text": f"it is {TOKEN}"}))
