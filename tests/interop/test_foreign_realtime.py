"""Realtime sessions with servers that are not ours: those of `websockets` and aiohttp."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from meshapi import RealtimeConnectionClosed, Reconnect
from support.certificates import serving, trusting
from support.flavours import QUICK, TOKEN, World, on_every_flavour
from support.foreign_websockets import SERVERS, ForeignPeer, Script

MODEL = "openai/gpt-realtime"

with_each_server = pytest.mark.parametrize("name", SERVERS)


@asynccontextmanager
async def connected(
    world: World,
    name: str,
    *scripts: Script,
    server: Any = None,
    client: Any = None,
    **options: Any,
) -> AsyncIterator[Any]:
    """A session with one of the servers.

    Args:
        server: arguments of the server.
        client: arguments of the client.
        options: of `connect`.
    """
    with SERVERS[name](*scripts, **(server or {})) as foreign:
        caller = world.client(foreign.url, **(client or {}))
        async with caller, caller.realtime.connect(model=MODEL, **options) as session:
            yield session


def event(kind: str, **members: Any) -> str:
    return json.dumps({"type": kind, **members})


async def echo(peer: ForeignPeer) -> None:
    """Send back what comes, until the client leaves."""
    while True:
        message = await peer.receive()
        if message is None:
            return
        assert isinstance(message, str)
        await peer.send_text(message)


async def talk(peer: ForeignPeer) -> None:
    assert peer.target == f"/v1/realtime?model=openai%2Fgpt-realtime&api_key={TOKEN}"
    assert "sec-websocket-extensions" not in peer.headers
    await peer.send_text(event("session.created"))
    first = await peer.receive()
    assert first is not None
    assert json.loads(first) == {
        "type": "session.update",
        "session": {"type": "realtime", "instructions": "é\U0001f600"},
    }
    await peer.send_pieces(['{"type": ', '"session.', 'updated"}'], pings=True)
    second = await peer.receive()
    assert second is not None
    assert json.loads(second) == {"type": "input_audio_buffer.append", "audio": "AAEC"}
    await peer.ping(b"still there?")
    await peer.send_pieces([b"\x00", b"\x01\x02"], pings=True)
    await peer.send_text("no JSON")
    assert await peer.receive() == '{"type":"input_audio_buffer.commit"}'
    assert await peer.receive() is None
    assert (peer.close_code, peer.close_reason) == (4000, "enough")


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@with_each_server
@on_every_flavour
async def test_a_conversation_with_fragments_and_pings_between_them(world, name, bytewise):
    async with connected(world, name, talk, server={"bytewise": bytewise}) as session:
        assert session.subprotocol == "openai-realtime"
        assert (await session.receive(5)).type == "session.created"
        await session.update({"instructions": "é\U0001f600"})
        assert (await session.receive(5)).type == "session.updated"
        await session.send_audio(b"\x00\x01\x02")
        assert (await session.receive(5)).audio == b"\x00\x01\x02"
        assert (await session.receive(5)).text == "no JSON"
        await session.commit_audio()
        await session.close(4000, "enough")
        # aiohttp does not repeat what it was told, and says 1000.
        assert session.close_code == (1000 if name == "aiohttp" else 4000)


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@with_each_server
@on_every_flavour
async def test_large_events_go_both_ways_at_once(world, name, tls):
    sizes = [0, 125, 126, 65_535, 65_536, 1_500_000]
    server = {"tls": serving() if tls else None}
    client = {"tls": trusting() if tls else None}
    async with connected(world, name, echo, server=server, client=client) as session:

        async def send() -> None:
            for size in sizes:
                await session.send({"type": "x", "text": "y" * size})

        async def receive() -> list[int]:
            return [len((await session.receive(10)).event["text"]) for _ in sizes]

        assert await world.together(send, receive) == [None, sizes]


def closing(code: int, reason: str) -> Script:
    async def script(peer: ForeignPeer) -> None:
        await peer.send_text(event("session.created"))
        await peer.close(code, reason)

    return script


@with_each_server
@on_every_flavour
async def test_their_close_codes_are_ours(world, name):
    codes = [1000, 1001, 1008, 1011, 4402]
    with SERVERS[name](*(closing(code, f"é{code}") for code in codes)) as server:
        async with world.client(server.url) as client:
            for code in codes:
                types = []
                session = await client.realtime.connect(model=MODEL)
                try:
                    async for message in session:
                        types.append(message.type)
                except RealtimeConnectionClosed as exc:
                    assert code > 1001
                    assert (exc.code, exc.reason, exc.clean) == (code, f"é{code}", True)
                else:
                    assert code <= 1001
                assert types == ["session.created"]
                assert (session.close_code, session.close_reason) == (code, f"é{code}")


async def dropping(peer: ForeignPeer) -> None:
    assert await peer.receive() is not None
    if peer.number:
        peer.abort()
    else:
        await peer.send_pieces(['{"type": ', '"never'])
        peer.drop()


@with_each_server
@on_every_flavour
async def test_connections_that_break_off_are_1006(world, name):
    with SERVERS[name](dropping) as server:
        async with world.client(server.url) as client:
            for _ in range(2):
                session = await client.realtime.connect(model=MODEL)
                await session.send({"type": "x"})
                with pytest.raises(RealtimeConnectionClosed) as caught:
                    while True:
                        await session.receive(5)
                assert (caught.value.code, caught.value.clean) == (1006, False)


@with_each_server
@on_every_flavour
async def test_a_session_comes_back_after_they_restart(world, name):
    again = Reconnect(attempts=3, retry=QUICK)
    async with connected(world, name, closing(1012, "restart"), echo, reconnect=again) as session:
        types = [(await session.receive(5)).type for _ in range(2)]
        assert types == ["session.created", "meshapi.reconnected"]
        await session.send({"type": "hello"})
        assert (await session.receive(5)).type == "hello"


@with_each_server
@on_every_flavour
async def test_a_message_over_the_limit_is_refused_in_their_eyes_too(world, name):
    said: list[Any] = []

    async def script(peer: ForeignPeer) -> None:
        await peer.send_text("x" * 100_000)
        assert await peer.receive() is None
        said.append(peer.close_code)

    async with connected(world, name, script, max_message_size=99_999) as session:
        with pytest.raises(RealtimeConnectionClosed) as caught:
            await session.receive(5)
        assert (caught.value.code, caught.value.error_code) == (1009, "message_too_big")
    assert said == [1009]


@with_each_server
@on_every_flavour
async def test_the_token_as_a_subprotocol_or_header_is_no_hindrance(world, name):
    seen: list[str] = []

    async def script(peer: ForeignPeer) -> None:
        assert TOKEN not in peer.target
        seen.append(peer.headers.get("authorization") or peer.headers["sec-websocket-protocol"])
        await echo(peer)

    for auth in ("header", "subprotocol"):
        async with connected(world, name, script, auth=auth) as session:
            assert session.subprotocol == "openai-realtime"
    assert seen[0] == f"Bearer {TOKEN}"
    assert seen[1] == f"realtime, openai-insecure-api-key.{TOKEN}, openai-realtime"
