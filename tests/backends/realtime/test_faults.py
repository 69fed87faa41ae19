"""Realtime sessions and gateways that misbehave: in the upgrade, in frames, and at the end.

What the machine itself makes of bad bytes is tested in `core/websocket/`. Here is what a caller
sees on a real connection: the error, the time until it comes, and what the other side is sent.
"""

import contextlib
import struct
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from meshapi import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    InternalServerError,
    MeshAPIError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RealtimeConnectionClosed,
    RealtimeError,
    RedirectError,
    RetryPolicy,
    Timeout,
)
from support.flavours import FLAVOURS, World, on_every_flavour
from support.realtime_server import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MODEL,
    PING,
    PONG,
    TEXT,
    RealtimePeer,
    RealtimeScript,
    accept,
    acceptance,
    close_frame,
    connected,
    error_frame,
    event_frame,
    frame,
    upgraded,
)
from support.scripted_server import Peer, Script, ScriptedServer
from support.turns import by_turns
from support.wire import REQUEST_ID, failed

asynchronous = pytest.mark.parametrize("world", FLAVOURS[1:], ids=lambda world: world.name)

GENEROUS = 8.0
"""Seconds that nothing here takes, unless it does not look at the clock."""

SHORT = 0.05
"""A limit that is meant to pass."""

NO_RETRIES = RetryPolicy(max_retries=0)


def quiet(peer: RealtimePeer) -> None:
    """Return the client's Close, and nothing else."""
    peer.receive_until(CLOSE)
    peer.peer.send(close_frame())


def left(peer: RealtimePeer) -> None:
    """Send nothing until the client has left."""
    peer.peer.wait_until_left()


# The upgrade


async def refusals_of(world: World, *scripts: Script, **options: Any) -> list[MeshAPIError]:
    """The error with which connecting ends, for each script."""
    errors = []
    with ScriptedServer(*scripts) as server:
        async with world.client(server.url, **{"retry": NO_RETRIES, **options}) as client:
            for number in range(len(scripts)):
                with pytest.raises(MeshAPIError) as caught:
                    await client.realtime.connect(model=MODEL)
                errors.append(caught.value)
                assert server.connections == number + 1
            pool_state = world.pool_state(client)
            assert pool_state.slots == pool_state.idle
    return errors


def answering(*pieces: bytes) -> Script:
    """A script: respond to an upgrade with these pieces, and wait until the client has left."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(*pieces)
        peer.wait_until_left()

    return script


@on_every_flavour
async def test_a_refused_upgrade_is_the_error_of_any_other_call(world):
    kinds = {
        401: AuthenticationError,
        403: PermissionDeniedError,
        426: APIStatusError,
        429: RateLimitError,
        500: InternalServerError,
    }
    scripts = [
        answering(failed(status, "some_code", "Not you.", "Connection: close")) for status in kinds
    ]
    for error, (status, kind) in zip(await refusals_of(world, *scripts), kinds.items()):
        assert type(error) is kind
        assert (error.status, error.error_code) == (status, "some_code")
        assert (error.message, error.request_id) == ("Not you.", REQUEST_ID)


@on_every_flavour
async def test_a_busy_gateway_is_asked_again_when_it_says(world):
    busy = failed(429, "rate_limit_exceeded", "Later.", "Retry-After: 0", "Connection: close")
    with ScriptedServer(answering(busy), answering(busy), upgraded(quiet)) as server:
        async with world.client(server.url) as client:
            session = await client.realtime.connect(model=MODEL)
            assert not session.closed
            await session.aclose()
        assert server.connections == 3
        keys = {request.headers["sec-websocket-key"] for request in server.requests}
    # The same upgrade was sent again: a key is drawn for each `connect`.
    assert len(keys) == 1


@on_every_flavour
async def test_a_good_response_that_is_no_upgrade_is_a_protocol_error(world):
    response = b"HTTP/1.1 %d OK\r\nX-Request-Id: req_1\r\nConnection: close\r\n\r\n"
    scripts = [answering(response % status) for status in (200, 204)]
    errors = await refusals_of(world, *scripts, retry=RetryPolicy(max_retries=2))
    for error, status in zip(errors, (200, 204)):
        assert type(error) is ProtocolError
        assert (error.error_code, error.status) == ("handshake_status", status)
        assert error.request_id == "req_1"


@on_every_flavour
async def test_a_redirection_is_not_followed(world):
    response = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    (error,) = await refusals_of(world, answering(response))
    assert type(error) is RedirectError


def altered(old: bytes, new: bytes) -> Script:
    def script(peer: Peer) -> None:
        request = peer.receive()
        assert request is not None
        response = acceptance(request)
        assert old in response
        peer.send(response.replace(old, new))
        peer.wait_until_left()

    return script


@on_every_flavour
async def test_a_response_that_does_not_fit_the_upgrade_is_a_protocol_error(world):
    cases = [
        (b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: x", "handshake_accept"),
        (b"Sec-WebSocket-Accept", b"X-Accept", "handshake_accept"),
        (b"Upgrade: websocket", b"Upgrade: h2c", "handshake_upgrade"),
        (b"Connection: Upgrade", b"Connection: close", "handshake_upgrade"),
        (b": openai-realtime", b": other", "handshake_subprotocol"),
        (b"X-Request-Id", b"Sec-WebSocket-Extensions", "handshake_extension"),
    ]
    errors = await refusals_of(world, *(altered(old, new) for old, new, _ in cases))
    for error, (_, _, code) in zip(errors, cases):
        assert (type(error), error.error_code) == (ProtocolError, code)


@on_every_flavour
async def test_odd_bytes_in_the_response_raise_nothing_of_others(world):
    odd = [
        b"X-Odd: \xff\xfe",
        b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=x",
    ]
    scripts = [altered(b"X-Request-Id: ", field + b"\r\nX-Request-Id: ") for field in odd]
    with ScriptedServer(*scripts) as server:
        async with world.client(server.url, retry=NO_RETRIES) as client:
            for _ in scripts:
                try:
                    session = await client.realtime.connect(model=MODEL, close_timeout=0.01)
                except ProtocolError as exc:
                    assert exc.error_code in ("handshake_extension", "bad_response")
                else:
                    await session.aclose()


@on_every_flavour
async def test_frames_in_the_packet_of_the_response_are_received(world):
    def script(peer: Peer) -> None:
        talk = accept(peer, event_frame("session.created") + event_frame("session.updated"))
        assert talk is not None
        quiet(talk)

    async with connected(world, script) as (session, _):
        assert (await session.receive(0)).type == "session.created"
        assert (await session.receive(0)).type == "session.updated"


@on_every_flavour
async def test_a_close_in_the_packet_of_the_response_is_answered(world):
    responses: list[Any] = []

    def script(peer: Peer) -> None:
        talk = accept(peer, event_frame("session.created") + close_frame(1011, "busy"))
        assert talk is not None
        responses.append(talk.receive_until(CLOSE))

    async with connected(world, script) as (session, _):
        assert (await session.receive(5)).type == "session.created"
        with pytest.raises(RealtimeConnectionClosed) as caught:
            await session.receive(5)
    assert (caught.value.code, caught.value.reason, caught.value.clean) == (1011, "busy", True)
    assert responses[0].payload == two(1011)


@on_every_flavour
async def test_an_upgrade_that_breaks_is_a_typed_error(world):
    cases = {
        lambda peer: peer.receive(): "disconnected",
        lambda peer: (peer.receive(), peer.reset()): "reset",
        lambda peer: (peer.receive(), peer.send(b"HTTP/1.1 101 Swi")): "disconnected",
        answering(b"HTTP/1.1 401 No\r\n" + b"A: " + b"b" * 99 * 1024): "headers_too_large",
        answering(b"\x15\x03\x01\x00\x02\x02F"): "bad_response",
    }
    errors = await refusals_of(world, *cases)
    assert all(isinstance(error, APIConnectionError) for error in errors)
    assert [error.error_code for error in errors] == list(cases.values())


@on_every_flavour
async def test_an_upgrade_that_is_not_answered_times_out(world):
    (error,) = await refusals_of(world, answering(), timeout=SHORT)
    assert isinstance(error, APITimeoutError)
    assert error.phase == "read"


@on_every_flavour
async def test_an_upgrade_that_breaks_is_tried_again(world):
    broken = [lambda peer: peer.receive(), lambda peer: (peer.receive(), peer.reset())]
    async with connected(world, *broken, upgraded(quiet)) as (session, server):
        assert server.connections == 3
        assert not session.closed


# The end


async def end_of(world: World, *scripts: RealtimeScript, **options: Any) -> AsyncIterator[Any]:
    """The error with which a session ends, iterated to its end, for each script."""
    with ScriptedServer(*map(upgraded, scripts)) as server:
        async with world.client(server.url) as client:
            for _ in scripts:
                session = await client.realtime.connect(model=MODEL, **options)
                try:
                    messages = [message.type async for message in session]
                except RealtimeConnectionClosed as exc:
                    yield session, exc
                else:
                    assert messages == ["session.created"]
                    yield session, None


def closing(payload: bytes, responses: list[Any]) -> RealtimeScript:
    """A script: send a Close, and something too late, and note what the client sends."""

    def script(peer: RealtimePeer) -> None:
        peer.event("session.created")
        peer.peer.send(frame(CLOSE, payload) + event_frame("too.late"))
        response = peer.receive()
        assert response is not None
        assert response.opcode == CLOSE
        responses.append(response.payload[:2])
        assert peer.receive() is None

    return script


def two(code: int) -> bytes:
    return struct.pack("!H", code)


@on_every_flavour
async def test_a_normal_close_ends_the_iteration(world):
    responses: list[Any] = []
    payloads = [two(1000) + b"that was all", two(1001), b""]
    ends = [(1000, "that was all"), (1001, ""), (1005, "")]
    scripts = [closing(payload, responses) for payload in payloads]
    async for session, error in end_of(world, *scripts):
        assert error is None
        assert session.closed
        assert (session.close_code, session.close_reason) == ends.pop(0)
        assert [message async for message in session] == [], "again"
        with pytest.raises(RealtimeConnectionClosed) as caught:
            await session.receive()
        assert caught.value.clean
        with pytest.raises(RealtimeConnectionClosed):
            await session.send({"type": "response.create"})
    assert sorted(responses) == [b"", two(1000), two(1001)]


@on_every_flavour
async def test_any_other_close_is_an_error_with_its_code_and_reason(world):
    responses: list[Any] = []
    codes = [1002, 1008, 1009, 1011, 1012, 1013, 3000, 4402, 4999]
    scripts = [closing(two(code) + "é".encode(), responses) for code in codes]
    ends = iter(codes)
    async for session, error in end_of(world, *scripts):
        code = next(ends)
        assert (session.close_code, session.close_reason) == (code, "é")
        assert (error.code, error.reason, error.clean) == (code, "é", True)
        assert (error.error_code, error.request_id) == ("connection_closed", "req_01REALTIME")
    assert sorted(responses) == [two(code) for code in codes]


@on_every_flavour
async def test_a_broken_close_is_answered_with_what_is_wrong(world):
    responses: list[Any] = []
    payloads = [b"\x03", *map(two, (999, 1004, 1005, 1006, 1015)), two(1000) + b"\xff"]
    scripts = [closing(payload, responses) for payload in payloads]
    ends = [1002] * 6 + [1007]
    left = iter(ends)
    async for _, error in end_of(world, *scripts):
        assert (error.code, error.clean) == (next(left), False)
    assert sorted(responses) == [two(code) for code in ends]


@on_every_flavour
async def test_a_connection_that_ends_without_a_close_is_1006(world):
    def ended(peer: RealtimePeer) -> None:
        peer.event("session.created")

    def half_closed(peer: RealtimePeer) -> None:
        peer.event("session.created")
        peer.peer.half_close()
        peer.peer.wait_until_left()

    def cut(peer: RealtimePeer) -> None:
        peer.peer.send(event_frame("session.created") + event_frame("response.done")[:-3])

    def reset(peer: RealtimePeer) -> None:
        peer.event("session.created")
        peer.peer.reset()

    codes = ["disconnected"] * 3 + ["reset"]
    async for session, error in end_of(world, ended, half_closed, cut, reset):
        assert (session.close_code, session.closed) == (1006, True)
        assert (error.code, error.clean, error.error_code) == (1006, False, codes.pop(0))


@on_every_flavour
async def test_what_a_gateway_says_before_it_resets_is_the_reason(world):
    went = threading.Event()

    def script(peer: RealtimePeer) -> None:
        # Not all is read, so that closing is a reset.
        peer.peer.take()
        peer.peer.send(error_frame("insufficient_quota") + close_frame(4402, "no balance"))
        peer.peer.reset()
        went.set()

    async with connected(world, upgraded(script)) as (session, _):
        with pytest.raises(RealtimeConnectionClosed) as caught:
            while True:
                await session.send_audio(bytes(200_000))
        await world.until(went.is_set)
        assert (caught.value.code, caught.value.reason) == (4402, "no balance")
        with pytest.raises(RealtimeError) as said:
            await session.receive(0)
        assert said.value.code == "insufficient_quota"


@on_every_flavour
async def test_a_receiver_learns_the_reason_while_another_task_cannot_send(world):
    def script(peer: RealtimePeer) -> None:
        peer.peer.take()
        peer.peer.send(error_frame("insufficient_quota") + close_frame(4402, "no balance"))
        peer.peer.reset()

    async with connected(world, upgraded(script), raise_errors=False) as (session, _):

        async def send() -> None:
            while True:
                await session.send_audio(bytes(200_000))

        async def receive() -> None:
            assert (await session.receive(5)).type == "error"
            await session.receive(5)

        for outcome in await world.together(send, receive):
            assert isinstance(outcome, RealtimeConnectionClosed), repr(outcome)
            assert outcome.code == 4402


# Frames


BROKEN = [
    (frame(TEXT, b"\xff"), 1007, "bad_text"),
    (frame(PING, bytes(126)), 1002, "bad_frame"),
    (frame(PING, last=False), 1002, "bad_frame"),
    (frame(TEXT | 0x40, b"x"), 1002, "bad_frame"),
    (frame(3, b"x"), 1002, "bad_frame"),
    (frame(CONTINUATION, b"x"), 1002, "bad_frame"),
    (frame(TEXT, b"x", last=False) + frame(TEXT, b"x"), 1002, "bad_frame"),
    (b"\x81\x81abcdx", 1002, "bad_frame"),
    (b"\x81\x7e\x00\x01x", 1002, "bad_frame"),
    (frame(BINARY, bytes(65)), 1009, "message_too_big"),
    (frame(TEXT, b"x" * 40, last=False) + b"\x80\x19", 1009, "message_too_big"),
    (b"\x82\x7f\x40" + bytes(7), 1009, "message_too_big"),
    (frame(PONG) * 1001, 1008, "flood"),
]


@on_every_flavour
async def test_a_peer_that_breaks_the_rules_is_told_once(world):
    received: list[Any] = []

    def breaking(data: bytes) -> RealtimeScript:
        def script(peer: RealtimePeer) -> None:
            peer.peer.send(event_frame("session.created") + data)
            response = peer.receive()
            assert response is not None
            received.append((response.opcode, response.payload[:2]))
            assert peer.receive() is None

        return script

    scripts = [breaking(data) for data, _, _ in BROKEN]
    ends = iter(BROKEN)
    async for session, error in end_of(world, *scripts, max_message_size=64):
        _, code, error_code = next(ends)
        assert (error.code, error.error_code, error.clean) == (code, error_code, False)
        with pytest.raises(RealtimeConnectionClosed) as caught:
            await session.receive(5)
        assert caught.value.code == code
    assert sorted(received) == sorted((CLOSE, two(code)) for _, code, _ in BROKEN)


@on_every_flavour
async def test_many_pings_at_once_get_one_pong_for_the_last(world):
    pongs: list[Any] = []

    def script(peer: RealtimePeer) -> None:
        pings = b"".join(frame(PING, b"%d" % number) for number in range(500))
        peer.peer.send(pings + event_frame("done"))
        while not pongs or pongs[-1].payload != b"499":
            response = peer.receive()
            assert response is not None
            pongs.append(response)
        quiet(peer)

    async with connected(world, upgraded(script)) as (session, _):
        assert (await session.receive(5)).type == "done"
        await session.aclose()
    assert {pong.opcode for pong in pongs} == {PONG}
    assert len(pongs) < 50


@on_every_flavour
async def test_a_message_that_is_not_an_event_is_received_and_the_session_lives(world):
    deep = '{"type":"deep","x":' + "[" * 30_000 + "]" * 30_000 + "}"
    texts = ["[1]", '"x"', "null", "{", "", "NaN", '{"type": 1}', '{"a": 1}', deep]

    def script(peer: RealtimePeer) -> None:
        for text in texts:
            peer.text(text)
        peer.event("an.unknown.type", x=1)
        quiet(peer)

    async with connected(world, upgraded(script)) as (session, _):
        for text in texts:
            message = await session.receive(5)
            assert (message.text, message.audio) == (text, None)
            assert message.type in ("", "deep")
        message = await session.receive(5)
        assert (message.type, message.event["x"]) == ("an.unknown.type", 1)


# Time


@pytest.mark.slow
@on_every_flavour
async def test_a_peer_that_never_reads_times_out_the_senders_and_nothing_else(world):
    def script(peer: RealtimePeer) -> None:
        peer.event("session.created")
        peer.peer.wait_for_the_end()

    with ScriptedServer(upgraded(script), receive_buffer=4096) as server:
        limits = Timeout(connect=60.0, read=60.0, write=SHORT, pool=60.0)
        async with world.client(server.url, timeout=limits) as client:
            session = await client.realtime.connect(model=MODEL, close_timeout=SHORT)
            with pytest.raises(APITimeoutError) as caught:
                while True:
                    await session.send_audio(bytes(600_000))
            assert caught.value.phase == "write"
            for _ in range(3):
                with pytest.raises(APITimeoutError):
                    await session.send({"type": "response.create"})
            # The queue is bounded: what fits under the mark, and one message over it.
            target = getattr(session, "_target", session)
            assert len(target._link.current._wire._unsent) < 1024 * 1024 + 900_000
            assert (await session.receive(0)).type == "session.created"
            with pytest.raises(APITimeoutError) as caught:
                await session.receive(0.01)
            assert caught.value.phase == "read"
            started = time.monotonic()
            await session.aclose()
            assert time.monotonic() - started < GENEROUS
            assert session.closed


@on_every_flavour
async def test_a_close_that_is_not_answered_takes_no_longer_than_its_limit(world):
    async with connected(world, upgraded(left), close_timeout=SHORT) as (session, _):
        started = time.monotonic()
        await session.aclose()
        assert SHORT <= time.monotonic() - started < GENEROUS
        assert (session.closed, session.close_code) == (True, 1006)
        assert session.close_reason == "the peer did not respond to the close"
        await session.aclose()
        assert [message async for message in session] == []


@on_every_flavour
async def test_a_peer_that_gives_no_sign_of_life_is_given_up(world):
    received: list[Any] = []

    def script(peer: RealtimePeer) -> None:
        while received[-1:] != [None]:
            received.append(peer.receive())

    options = {"ping_interval": 0.05, "ping_timeout": 0.05}
    async with connected(world, upgraded(script), **options) as (session, _):
        with pytest.raises(RealtimeConnectionClosed) as caught:
            await session.receive()
    error = caught.value
    assert (error.code, error.error_code, error.clean) == (1011, "ping_timeout", False)
    assert [response and response.opcode for response in received] == [PING, CLOSE, None]


@pytest.mark.slow
@on_every_flavour
async def test_a_peer_that_answers_pings_is_waited_for(world):
    def script(peer: RealtimePeer) -> None:
        for _ in range(2):
            ping = peer.receive_until(PING)
            assert ping is not None
            peer.peer.send(frame(PONG, ping.payload))
        peer.event("at.last")
        quiet(peer)

    options = {"ping_interval": 0.02, "ping_timeout": 0.3}
    async with connected(world, upgraded(script), **options) as (session, _):
        assert (await session.receive()).type == "at.last"


@pytest.mark.slow
@on_every_flavour
async def test_a_slow_consumer_slows_the_gateway_down(world):
    stuck, seen = threading.Event(), threading.Event()
    large = frame(BINARY, bytes(64 * 1024))

    def script(peer: RealtimePeer) -> None:
        peer.peer._sock.settimeout(SHORT)
        try:
            for _ in range(2000):
                peer.peer.send(large)
        except OSError:  # socket.timeout is no TimeoutError before Python 3.10
            stuck.set()
            # Otherwise the connection would be gone while the client still sends on it.
            seen.wait(10)

    async with connected(world, upgraded(script), close_timeout=SHORT) as (session, _):
        await session.receive(5)
        while not stuck.is_set():
            # Sending reads what has arrived, but only a bounded amount of it.
            await session.send({"type": "x"})
            await world.sleep(0.01)
        seen.set()
        target = getattr(session, "_target", session)
        assert target._inbox._size < 1024 * 1024 + 600 * 1024


@on_every_flavour
async def test_a_session_that_only_sends_answers_pings(world):
    pongs: list[bytes] = []
    sent = threading.Event()

    def script(peer: RealtimePeer) -> None:
        peer.ping(b"there?")
        sent.set()
        pong = peer.receive_until(PONG)
        assert pong is not None
        pongs.append(pong.payload)
        quiet(peer)

    async with connected(world, upgraded(script)) as (session, _):
        await world.until(sent.is_set)
        while not pongs:
            await session.send_audio(b"\0\0")
            await world.sleep(0.002)
    assert pongs == [b"there?"]


@on_every_flavour
async def test_a_session_that_only_sends_learns_of_the_end(world):
    async with connected(world, upgraded(lambda peer: peer.close(1011, "busy"))) as (session, _):
        with pytest.raises(RealtimeConnectionClosed) as caught:
            while True:
                await session.send_audio(b"\0\0")
                await world.sleep(0.002)
        assert (caught.value.code, caught.value.reason) == (1011, "busy")


def flooding(once: bytes, for_ever: bytes) -> RealtimeScript:
    """Send without a pause, and read nothing."""

    def script(peer: RealtimePeer) -> None:
        flood = for_ever * (64 * 1024 // len(for_ever))
        peer.peer.send(once)
        while True:
            peer.peer.send(flood)

    return script


UNFINISHED = frame(TEXT, b"a", last=False)
ONE_BYTE = frame(CONTINUATION, b"a", last=False)

FLOODS = {
    "events": (b"", event_frame("x")),
    "blank": (b"", frame(TEXT)),
    "sound": (b"", frame(BINARY, b"{")),
    "fragments": (UNFINISHED, ONE_BYTE),
    "pings": (UNFINISHED, ONE_BYTE + frame(PING) * 9 + frame(PONG) * 9),
    "empty": (UNFINISHED, ONE_BYTE + frame(CONTINUATION, last=False) * 99),
}


@pytest.mark.slow
@by_turns
@pytest.mark.parametrize("flood", FLOODS)
@on_every_flavour
async def test_a_peer_that_talks_without_a_pause_holds_nobody_up(world, flood):
    """The clock is checked while frames are parsed, whatever they are."""
    once, for_ever = FLOODS[flood]
    server = ScriptedServer(upgraded(flooding(once, for_ever)))
    with server:
        client = world.client(server.url)
        async with client, client.realtime.connect(model=MODEL, close_timeout=SHORT) as session:
            for timeout in (SHORT, 0):
                started = time.monotonic()
                with pytest.raises(APITimeoutError) as caught:
                    await session.wait_for("y", timeout=timeout)
                assert caught.value.phase == "read"
                assert time.monotonic() - started < GENEROUS
                started = time.monotonic()
                with contextlib.suppress(APITimeoutError):
                    await session.receive(timeout)
                assert time.monotonic() - started < GENEROUS
            started = time.monotonic()
            await session.aclose()
            assert time.monotonic() - started < GENEROUS
            assert (session.closed, session.close_code) == (True, 1006)


@pytest.mark.slow
@pytest.mark.parametrize("flood", ["blank", "fragments"])
@asynchronous
def test_a_flood_leaves_other_tasks_their_turns(world, flood):
    """The bytes of one read can take seconds to parse; others run meanwhile, and can cancel."""

    async def scenario(world: World) -> None:
        script = flooding(*FLOODS[flood])
        async with connected(world, upgraded(script), close_timeout=SHORT) as (session, _):
            started = time.monotonic()
            with anyio.move_on_after(SHORT):
                while True:
                    await session.receive()
            assert time.monotonic() - started < GENEROUS

    world.run(scenario)


@on_every_flavour
async def test_frames_between_two_looks_at_the_clock_are_not_lost(world):
    """The frames of one read are parsed in steps, each of which a time limit may end."""
    wanted = [event_frame(str(number)) for number in range(1200)]
    fragments = UNFINISHED + ONE_BYTE * 1500 + frame(CONTINUATION, b"b")

    def script(peer: RealtimePeer) -> None:
        peer.peer.send(b"".join(wanted) + fragments)
        quiet(peer)

    received: list[Any] = []
    async with connected(world, upgraded(script)) as (session, _):
        while len(received) < 1201:
            with contextlib.suppress(APITimeoutError):
                received.append(await session.receive(0))
    assert [message.type for message in received[:1200]] == [str(n) for n in range(1200)]
    assert received[1200].text == "a" * 1501 + "b"


@on_every_flavour
async def test_events_in_binary_messages_are_events(world):
    sound = bytes(range(256))

    def script(peer: RealtimePeer) -> None:
        error = b'{"type":"error","error":{"code":"x","message":"no quota"}}'
        for payload in (b'{"type":"session.created"}', sound, b"{" + sound, error):
            peer.peer.send(frame(BINARY, payload))
        peer.peer.send(frame(BINARY, b'{"type":', last=False) + frame(CONTINUATION, b'"done"}'))
        quiet(peer)

    async with connected(world, upgraded(script)) as (session, _):
        created = await session.wait_for("session.created", timeout=5)
        assert (created.text, created.audio) == ('{"type":"session.created"}', None)
        assert [(await session.receive(5)).audio for _ in range(2)] == [sound, b"{" + sound]
        with pytest.raises(RealtimeError, match="no quota"):
            await session.receive(5)
        assert (await session.receive(5)).type == "done"


# Both at once


@on_every_flavour
async def test_when_both_close_at_once_each_says_it_once(world):
    received: list[Any] = []

    def script(peer: RealtimePeer) -> None:
        received.append(peer.receive())
        # As if the client's Close were still on its way.
        peer.peer.send(event_frame("late") + close_frame(1001, "going"))
        received.append(peer.receive())

    async with connected(world, upgraded(script)) as (session, _):
        await session.aclose(3000, "enough")
        assert (session.close_code, session.close_reason) == (1001, "going")
        assert [message async for message in session] == []
    assert received[0].payload == two(3000) + b"enough"
    assert received[1] is None


@on_every_flavour
async def test_a_close_in_the_middle_of_a_message_ends_it(world):
    def script(peer: RealtimePeer) -> None:
        peer.peer.send(frame(TEXT, b'{"type"', last=False))
        quiet(peer)

    async with connected(world, upgraded(script)) as (session, _):
        with pytest.raises(APITimeoutError):
            await session.receive(0.01)
        await session.aclose()
        assert session.close_code == 1000


@on_every_flavour
async def test_sending_while_another_closes_leaves_the_close_in_peace(world):
    closing, tried = threading.Event(), threading.Event()

    def script(peer: RealtimePeer) -> None:
        peer.receive_until(CLOSE)
        closing.set()
        tried.wait(5)
        peer.peer.send(close_frame(1000, "bye"))
        peer.peer.wait_until_left()

    async with connected(world, upgraded(script)) as (session, _):

        async def send() -> None:
            await world.until(closing.is_set)
            try:
                await session.send({"type": "response.create"})
            finally:
                tried.set()

        closed, refused = await world.together(session.aclose, send)
        assert closed is None
        assert isinstance(refused, RealtimeConnectionClosed)
        assert (session.close_code, session.close_reason) == (1000, "bye")


MOST_ANSWERS = 64 * 1024
"""Unsent bytes beyond which no pongs are added to them."""

FLOOD = b"".join(frame(PING, b"x" * 100) for _ in range(16)) + event_frame("noise")


@on_every_flavour
async def test_a_peer_that_pings_and_does_not_read_is_not_remembered(world):
    def script(peer: RealtimePeer) -> None:
        for _ in range(400):
            peer.peer.send(FLOOD)
        peer.peer.wait_for_the_end()

    with ScriptedServer(upgraded(script), receive_buffer=4096) as server:
        limits = Timeout(connect=60.0, read=60.0, write=SHORT, pool=60.0)
        async with world.client(server.url, timeout=limits) as client:
            session = await client.realtime.connect(model=MODEL, close_timeout=SHORT)
            wire = getattr(session, "_target", session)._link.current._wire
            # From here on there is no room for pongs.
            while wire.unsent < MOST_ANSWERS:
                with contextlib.suppress(APITimeoutError):
                    await session.send_audio(bytes(100_000))
            before = wire.unsent
            for _ in range(400):
                assert (await session.receive(5)).type == "noise"
            assert wire.unsent <= before + 16 * 108
            await session.aclose()


@on_every_flavour
async def test_a_response_that_found_no_room_goes_out_when_there_is_some(world):
    pongs: list[bytes] = []

    def script(peer: RealtimePeer) -> None:
        peer.event("session.created")
        # The client's first attempts find all buffers full; it gives up before this reads.
        full.wait(5.0)
        peer.ping(b"late")
        asked.set()
        found = peer.receive_until(PONG)
        assert found is not None
        pongs.append(found.payload)
        peer.event("thanks")
        peer.peer.wait_for_the_end()

    full, asked = threading.Event(), threading.Event()
    with ScriptedServer(upgraded(script), receive_buffer=4096) as server:
        limits = Timeout(connect=60.0, read=60.0, write=SHORT, pool=60.0)
        async with world.client(server.url, timeout=limits) as client:
            session = await client.realtime.connect(model=MODEL, close_timeout=SHORT)
            with pytest.raises(APITimeoutError):
                while True:
                    await session.send_audio(bytes(30_000))
            full.set()
            assert (await session.receive(5)).type == "session.created"
            assert (await session.receive(5)).type == "thanks"
            await session.aclose()
    assert asked.is_set()
    assert pongs == [b"late"]
