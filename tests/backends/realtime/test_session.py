"""Realtime sessions: several tasks or threads at once, TLS, cancellation, and lost connections."""

import asyncio
import contextlib
import signal
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    InternalServerError,
    Limits,
    RealtimeConnectionClosed,
    RealtimeError,
    Reconnect,
    Reconnected,
    RetryPolicy,
    StreamUsageError,
)
from support.certificates import serving, trusting
from support.examples import one_in
from support.flavours import ASK, FLAVOURS, QUICK, World, on_every_flavour
from support.realtime_server import (
    CLOSE,
    MODEL,
    TEXT,
    RealtimePeer,
    RealtimeScript,
    close_frame,
    connected,
    error_frame,
    event_frame,
    frame,
    upgraded,
)
from support.scripted_server import Peer, ScriptedServer
from support.wire import failed, serve

SHORT = 0.05
"""A limit that is meant to pass."""

asynchronous = pytest.mark.parametrize("world", FLAVOURS[1:], ids=lambda world: world.name)


AGAIN = Reconnect(attempts=3, retry=QUICK)


def quiet(peer: RealtimePeer) -> None:
    """Return the client's Close, and nothing else."""
    peer.receive_until(CLOSE)
    peer.peer.send(close_frame())


def echo(peer: RealtimePeer) -> None:
    """Send every event back, and return the client's Close."""
    while True:
        received = peer.receive_until(TEXT, CLOSE)
        if received is None:
            return
        if received.opcode == CLOSE:
            peer.peer.send(close_frame())
            return
        peer.peer.send(frame(TEXT, received.payload))


def inside(session: Any) -> Any:
    """The session itself."""
    return getattr(session, "_target", session)


# At once


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@on_every_flavour
async def test_ten_send_while_one_receives_and_each_event_is_whole_and_in_order(world, tls):
    sizes = [1, 100, 70_000, 5]
    server = ScriptedServer(upgraded(echo), tls=serving() if tls else None)
    with server:
        client = world.client(server.url, tls=trusting() if tls else None)
        async with client, client.realtime.connect(model=MODEL) as session:

            def sender(name: int) -> Callable[[], Awaitable[None]]:
                async def send() -> None:
                    for number, size in enumerate(sizes):
                        text = chr(97 + name) * size
                        await session.send({"type": "x", "by": name, "n": number, "text": text})

                return send

            received: list[Any] = []

            async def receive() -> None:
                while len(received) < 10 * len(sizes):
                    received.append((await session.receive(10)).event)

            outcomes = await world.together(*map(sender, range(10)), receive)
            assert outcomes == [None] * 11
    for name in range(10):
        mine = [event for event in received if event["by"] == name]
        assert [event["n"] for event in mine] == [0, 1, 2, 3]
        assert [event["text"] for event in mine] == [chr(97 + name) * size for size in sizes]


@pytest.mark.slow
@on_every_flavour
async def test_tls_large_events_go_both_ways_at_once(world):
    sound = bytes(range(256)) * 1200

    def script(peer: RealtimePeer) -> None:
        # It sends before it reads, so both directions are full at the same time.
        for number in range(8):
            peer.event("large", n=number, x="y" * 400_000)
        for _ in range(8):
            assert len(peer.receive_event()["audio"]) == 409_600
        quiet(peer)

    with ScriptedServer(upgraded(script), tls=serving()) as server:
        client = world.client(server.url, tls=trusting())
        async with client, client.realtime.connect(model=MODEL) as session:

            async def send() -> None:
                for _ in range(8):
                    await session.send_audio(sound)

            async def receive() -> list[Any]:
                return [(await session.receive(10)).event["n"] for _ in range(8)]

            sent, received = await world.together(send, receive)
    assert sent is None
    assert received == list(range(8))


@on_every_flavour
async def test_tls_an_unknown_authority_is_refused(world):
    with ScriptedServer(upgraded(quiet), tls=serving()) as server:
        context = ssl.create_default_context()
        async with world.client(server.url, tls=context) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.realtime.connect(model=MODEL)
    assert caught.value.error_code == "tls_verify"
    assert server.requests == []


@on_every_flavour
async def test_two_cannot_receive_at_once(world):
    done = threading.Event()

    def script(peer: RealtimePeer) -> None:
        done.wait(5)
        peer.event("x")
        quiet(peer)

    async with connected(world, upgraded(script)) as (session, _):

        async def first() -> str:
            kind: str = (await session.receive(5)).type
            return kind

        async def second() -> None:
            await world.until(lambda: inside(session)._link.current.reader.turns.taken)
            try:
                await session.receive(5)
            finally:
                done.set()

        one, other = await world.together(first, second)
        assert one == "x"
        assert isinstance(other, StreamUsageError)


@pytest.mark.parametrize("answered", [True, False])
@on_every_flavour
async def test_closing_wakes_the_receiver_and_ends_the_iteration(world, answered):
    script: RealtimeScript = quiet if answered else (lambda peer: peer.peer.wait_until_left())
    async with connected(world, upgraded(script), close_timeout=SHORT) as (session, _):

        async def iterate() -> list[Any]:
            return [message async for message in session]

        async def close() -> None:
            await world.until(lambda: inside(session)._link.current.reader.turns.taken)
            await session.aclose()

        assert await world.together(iterate, close) == [[], None]
        assert session.closed
        assert session.close_code == (1000 if answered else 1006)


@on_every_flavour
async def test_closing_wakes_the_senders(world):
    def script(peer: RealtimePeer) -> None:
        peer.peer.wait_for_the_end()

    with ScriptedServer(upgraded(script), receive_buffer=4096) as server:
        async with world.client(server.url) as client:
            session = await client.realtime.connect(model=MODEL, close_timeout=SHORT)

            async def send() -> None:
                while True:
                    await session.send_audio(bytes(600_000))

            async def close() -> None:
                await world.until(lambda: inside(session)._link.current._wire._unsent)
                await session.aclose()

            sender, closer = await world.together(send, close)
            assert isinstance(sender, RealtimeConnectionClosed)
            assert closer is None


@on_every_flavour
async def test_closing_the_client_ends_its_sessions(world):
    with ScriptedServer(upgraded(lambda peer: peer.peer.wait_until_left())) as server:
        client = world.client(server.url)
        session = await client.realtime.connect(model=MODEL, reconnect=Reconnect())

        async def receive() -> None:
            await session.receive()

        async def close() -> None:
            await world.until(lambda: inside(session)._link.current.reader.turns.taken)
            await client.aclose()

        outcome, _ = await world.together(receive, close)
        assert isinstance(outcome, RealtimeConnectionClosed)
        assert (outcome.code, outcome.error_code) == (1006, "client_closed")
        assert outcome.reason == "the client was closed"
        assert session.closed
        with pytest.raises(RealtimeConnectionClosed) as caught:
            await session.send({"type": "x"})
        assert caught.value.error_code == "client_closed"
        await session.aclose()
        with pytest.raises(APIConnectionError) as refused:
            await client.realtime.connect(model=MODEL)
        assert refused.value.error_code == "client_closed"
        assert server.connections == 1


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["answer", "retry"])
@on_every_flavour
async def test_closing_the_client_ends_an_upgrade_that_waits(world, stage):
    asked = threading.Event()

    def silent(peer: Peer) -> None:
        peer.receive()
        asked.set()
        peer.wait_until_left()

    def busy(peer: Peer) -> None:
        peer.receive()
        peer.send(failed(503, "busy", "Later.", "Retry-After: 30", "Connection: close"))
        asked.set()

    with ScriptedServer(silent if stage == "answer" else busy) as server:
        client = world.client(server.url, retry=RetryPolicy(max_retries=1), timeout=60)

        async def connect() -> None:
            await client.realtime.connect(model=MODEL)

        async def close() -> None:
            await world.until(asked.is_set)
            await world.sleep(SHORT)
            await client.aclose()

        started = time.monotonic()
        error, _ = await world.together(connect, close)
        assert isinstance(error, APIConnectionError), repr(error)
        assert error.error_code == "client_closed"
        assert time.monotonic() - started < 10
        assert server.connections == 1


class Interrupted(Exception):
    """A signal came."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals of POSIX")
def test_a_receive_that_a_signal_interrupts_loses_nothing():
    event = event_frame("late", pad="x" * 200)
    go = threading.Event()

    def script(peer: RealtimePeer) -> None:
        for half in (event[:5], event[5:]):
            peer.peer.send(half)
            go.wait(5)
            go.clear()
        quiet(peer)

    def interrupt(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with (
            ScriptedServer(upgraded(script)) as server,
            FLAVOURS[0].client_class(base_url=server.url, token="rsk_test_signal") as client,
            client.realtime.connect(model=MODEL) as session,
        ):
            for _ in range(3):
                with pytest.raises(Interrupted):
                    # Again: a signal that comes just before the thread waits does not wake it.
                    signal.setitimer(signal.ITIMER_REAL, SHORT, SHORT)
                    session.receive()
            go.set()
            assert session.receive(5).type == "late"
            go.set()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@on_every_flavour
async def test_a_session_takes_no_slot_of_the_pool_and_leaves_nothing_in_it(world):
    with ScriptedServer(upgraded(quiet)) as server:
        async with world.client(server.url) as client:
            async with client.realtime.connect(model=MODEL):
                pool_state = world.pool_state(client)
                assert (pool_state.slots, len(pool_state._detached)) == (0, 1)
            assert (pool_state.slots, len(pool_state._detached)) == (0, 0)


# Cancellation, and limits


NUMBERS = [event_frame(str(number), pad="x" * (number * 97 % 500)) for number in range(40)]


@asynchronous
@one_in(12)
@given(
    pieces=st.lists(st.integers(1, 3000), min_size=1, max_size=8),
    limits=st.lists(st.floats(0, 0.003), min_size=1, max_size=20),
)
@example(pieces=[1], limits=[0.0])
def test_a_receive_cancelled_at_any_time_loses_no_message(world, pieces, limits):
    data = b"".join(NUMBERS)

    def script(peer: RealtimePeer) -> None:
        position = 0
        for size in pieces:
            peer.peer.send(data[position : position + size])
            position += size
        peer.peer.send(data[position:])
        quiet(peer)

    async def scenario(world: World) -> list[str]:
        received = []
        async with connected(world, upgraded(script)) as (session, _):
            number = 0
            while len(received) < len(NUMBERS):
                limit = limits[number % len(limits)]
                number += 1
                if number > 200:
                    limit = 5.0
                if number % 2:
                    with anyio.move_on_after(limit):
                        received.append((await session.receive()).type)
                else:
                    try:
                        received.append((await session.receive(limit)).type)
                    except APITimeoutError:
                        pass
        return received

    assert world.run(scenario) == [str(number) for number in range(len(NUMBERS))]


@on_every_flavour
async def test_a_receive_that_gives_up_keeps_the_session(world):
    go = threading.Event()

    def script(peer: RealtimePeer) -> None:
        peer.peer.send(event_frame("late")[:5])
        go.wait(5)
        peer.peer.send(event_frame("late")[5:])
        quiet(peer)

    async with connected(world, upgraded(script)) as (session, _):
        for timeout in (0, 0.01):
            with pytest.raises(APITimeoutError) as caught:
                await session.receive(timeout)
            assert caught.value.phase == "read"
        with pytest.raises(APITimeoutError, match=r"of type 'late' arrived within 0\.05 s"):
            await session.wait_for("late", timeout=SHORT)
        for wrong in (-1, float("nan"), True, "1"):
            with pytest.raises((TypeError, ValueError)):
                await session.receive(wrong)
        go.set()
        assert (await session.wait_for("late", timeout=5)).type == "late"


@pytest.mark.slow
@asynchronous
def test_a_send_cancelled_in_the_middle_is_completed_by_the_next_one(world):
    may_read = threading.Event()
    lengths: list[int] = []

    def script(peer: RealtimePeer) -> None:
        may_read.wait(5)
        for _ in range(5):
            event = peer.receive_event()
            lengths.append(len(event.get("audio", "")))
        quiet(peer)

    async def scenario(world: World) -> None:
        with ScriptedServer(upgraded(script), receive_buffer=4096) as server:
            client = world.client(server.url)
            async with client, client.realtime.connect(model=MODEL) as session:
                with anyio.move_on_after(SHORT) as scope:
                    await session.send_audio(bytes(6_000_000))
                assert scope.cancelled_caught
                may_read.set()
                send = partial(session.send, {"type": "small"})
                assert await world.together(*[send] * 4) == [None] * 4

    world.run(scenario)
    assert lengths == [8_000_000, 0, 0, 0, 0]


@asynchronous
def test_a_cancelled_body_cuts_the_session_without_waiting(world):
    async def scenario(world: World) -> None:
        with ScriptedServer(upgraded(lambda peer: peer.peer.wait_until_left())) as server:
            async with world.client(server.url) as client:
                started = time.monotonic()
                with anyio.CancelScope() as scope:
                    async with client.realtime.connect(model=MODEL) as session:
                        scope.deadline = anyio.current_time() + 0.02
                        await session.receive()
                assert time.monotonic() - started < 8.0
                assert session.closed
                assert len(world.pool_state(client)._detached) == 0

    world.run(scenario)


@on_every_flavour
async def test_a_body_that_raises_closes_the_session(world):
    closes: list[Any] = []

    def script(peer: RealtimePeer) -> None:
        closes.append(peer.receive_until(CLOSE))
        peer.peer.send(close_frame())

    with pytest.raises(KeyError):
        async with connected(world, upgraded(script)) as (session, _):
            raise KeyError("of the body")
    assert session.close_code == 1000
    assert closes[0].payload == b"\x03\xe8"


@on_every_flavour
async def test_a_session_that_is_forgotten_closes_its_connection(world):
    with ScriptedServer(upgraded(lambda peer: peer.peer.wait_until_left())) as server:
        async with world.client(server.url) as client:
            session = await client.realtime.connect(model=MODEL)
            assert server.open_now == 1
            del session
            await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_sessions_leave_the_only_slot_of_a_pool_to_other_calls(world):
    def script(peer: Peer) -> None:
        if peer.number < 2:
            upgraded(quiet)(peer)
        else:
            serve(peer)

    with ScriptedServer(script) as server:
        async with world.client(server.url, limits=Limits(max_connections=1)) as client:
            sessions = [await client.realtime.connect(model=MODEL) for _ in range(2)]
            response = await client.chat.completions.create(**ASK)
            for session in sessions:
                await session.aclose()
    assert response.choices[0].message.content == "pong"


def test_sessions_of_a_loop_that_has_ended_are_closed():
    async def scenario(world: World) -> Any:
        return await client.realtime.connect(model=MODEL)

    with ScriptedServer(upgraded(lambda peer: peer.peer.wait_until_left())) as server:
        (asyncio_world,) = (world for world in FLAVOURS if world.name == "asyncio")
        client = asyncio_world.client(server.url)
        forgotten = asyncio.run(scenario(asyncio_world))
        del forgotten
        kept = asyncio.run(scenario(asyncio_world))
        # The next loop closes what the last one left open.
        last = asyncio.run(scenario(asyncio_world))
        asyncio.run(client.aclose())
        end = time.monotonic() + 5.0
        while server.open_now and time.monotonic() < end:
            time.sleep(0.002)
        assert server.open_now == 0
        assert not (kept.closed and last.closed), "nobody has told them"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tls", "sessions"),
    [
        pytest.param(False, 3, id="some"),
        pytest.param(False, 8, id="clear", marks=pytest.mark.exhaustive),
        pytest.param(True, 8, id="tls", marks=pytest.mark.exhaustive),
    ],
)
@on_every_flavour
async def test_whatever_happens_at_once_nobody_hangs_and_nothing_else_is_raised(
    world, tls, sessions
):
    def script(peer: RealtimePeer) -> None:
        for number in range(10 + 7 * (peer.number % 5)):
            peer.event("x", pad="y" * (number * 997 % 3000))
            if number % 3 == 0:
                peer.ping(b"?")
            if number % 4 == 0:
                peer.receive()
        ends = [
            peer.peer.reset,
            partial(peer.close, 1011),
            partial(peer.close, 1000),
            partial(quiet, peer),
        ]
        ends[peer.number % 4]()

    with ScriptedServer(upgraded(script), tls=serving() if tls else None) as server:
        options = {"tls": trusting() if tls else None, "timeout": 5.0}
        async with world.client(server.url, **options) as client:
            for number in range(sessions):
                reconnect = AGAIN if number % 2 else None
                session = await client.realtime.connect(
                    model=MODEL, close_timeout=0.5, reconnect=reconnect
                )
                await expect_an_end(world, session, number * 0.004)
            await world.until(lambda: len(world.pool_state(client)._detached) == 0)


async def expect_an_end(world: World, session: Any, after: float) -> None:
    """Let two send and one receive, until the session ends or is closed after a while."""

    async def receive() -> None:
        async for _ in session:
            pass

    async def send() -> None:
        while True:
            await session.send_audio(bytes(5000))
            await world.sleep(0)

    async def close() -> None:
        await world.sleep(after)
        await session.aclose()

    received, *sent, closed = await world.together(receive, send, send, close)
    assert closed is None
    assert received is None or isinstance(received, RealtimeConnectionClosed), repr(received)
    for outcome in sent:
        assert isinstance(outcome, RealtimeConnectionClosed), repr(outcome)


# Reconnecting


def lost(peer: RealtimePeer) -> None:
    peer.event("session.created")
    peer.receive_event()


def closed_with(code: int, *frames: bytes) -> RealtimeScript:
    def script(peer: RealtimePeer) -> None:
        peer.peer.send(b"".join(frames))
        peer.close(code, "because")

    return script


def answering_updates(updates: list[Any]) -> RealtimeScript:
    def script(peer: RealtimePeer) -> None:
        peer.event("session.created")
        updates.append(peer.receive_event())
        peer.event("session.updated")
        echo(peer)

    return script


@pytest.mark.parametrize("code", [1011, 1012, None])
@on_every_flavour
async def test_a_lost_session_is_connected_and_configured_again(world, code):
    updates: list[Any] = []

    def first(peer: RealtimePeer) -> None:
        peer.event("session.created")
        for _ in range(2):
            peer.receive_event()
        if code is not None:
            peer.close(code, "restarting")

    scripts = [upgraded(first), upgraded(answering_updates(updates))]
    async with connected(world, *scripts, reconnect=AGAIN) as (session, server):
        await session.update({"instructions": "short", "audio": {"output": {"voice": "alloy"}}})
        await session.update({"audio": {"output": {"speed": 1.5}}})
        types = []
        async for message in session:
            types.append(message.type)
            if isinstance(message, Reconnected):
                assert (message.code, message.attempts) == (code or 1006, 1)
                assert message.reason == ("restarting" if code else "")
            if message.type == "session.updated":
                break
        assert types == [
            "session.created",
            "meshapi.reconnected",
            "session.created",
            "session.updated",
        ]
        await session.send({"type": "hello"})
        assert (await session.receive(5)).type == "hello"
        assert not session.closed
        assert server.connections == 2
    output = {"voice": "alloy", "speed": 1.5}
    assert updates == [
        {
            "type": "session.update",
            "session": {"type": "realtime", "instructions": "short", "audio": {"output": output}},
        }
    ]


@on_every_flavour
async def test_a_gateway_that_comes_back_late_is_waited_for(world):
    def busy(peer: Peer) -> None:
        peer.receive()
        peer.send(failed(503, "upstream_error", "Soon.", "Connection: close"))

    scripts = [upgraded(closed_with(1012)), busy, busy, upgraded(echo)]
    async with connected(world, *scripts, reconnect=AGAIN) as (session, server):
        message = await session.receive(5)
        assert isinstance(message, Reconnected)
        assert message.attempts == 3
        assert server.connections == 4


def refuse(peer: Peer) -> None:
    """A script: refuse, as a gateway that may accept the next attempt."""
    peer.receive()
    peer.send(failed(503, "upstream_error", "No.", "Connection: close"))


@on_every_flavour
async def test_when_the_attempts_are_used_up_the_session_is_over_for_good(world):
    scripts = [upgraded(closed_with(1011)), refuse]
    async with connected(world, *scripts, reconnect=AGAIN) as (session, server):
        with pytest.raises(RealtimeConnectionClosed) as caught:
            await session.receive(5)
        assert (caught.value.code, caught.value.reason) == (1011, "because")
        assert isinstance(caught.value.__cause__, InternalServerError)
        assert caught.value.message.endswith("code 1011: because; reconnecting failed: No.")
        assert server.connections == 1 + AGAIN.attempts
        with pytest.raises(RealtimeConnectionClosed, match=r"failed: No\. \(") as caught:
            await session.receive(5)
        assert isinstance(caught.value.__cause__, InternalServerError)
        with pytest.raises(RealtimeConnectionClosed):
            await session.send({"type": "x"})
        assert server.connections == 1 + AGAIN.attempts
        assert session.closed


@on_every_flavour
async def test_a_refusal_that_stays_one_is_not_repeated(world):
    def refuse(peer: Peer) -> None:
        peer.receive()
        peer.send(failed(401, "invalid_api_key", "No.", "Connection: close"))

    scripts = [upgraded(closed_with(1011)), refuse]
    async with connected(world, *scripts, reconnect=AGAIN) as (session, server):
        with pytest.raises(RealtimeConnectionClosed) as caught:
            async for _ in session:
                pass
        assert isinstance(caught.value.__cause__, AuthenticationError)
        assert server.connections == 2


@on_every_flavour
async def test_attempts_without_a_response_are_counted_until_one_succeeds(world):
    greeted = closed_with(1011, event_frame("session.created"))
    answered = closed_with(1011, event_frame("response.done"))
    scripts = [upgraded(script) for script in (greeted, greeted, answered, greeted)]
    async with connected(world, *scripts, reconnect=AGAIN) as (session, server):
        types = []
        with pytest.raises(RealtimeConnectionClosed) as caught:
            async for message in session:
                types.append(message.type)
        assert caught.value.code == 1011
        assert types.count("response.done") == 1
        assert server.connections == 3 + AGAIN.attempts


@on_every_flavour
async def test_ends_that_would_only_happen_again_are_final(world):
    codes = [1000, 1008, 1009, 4402]
    with ScriptedServer(*(upgraded(closed_with(code)) for code in codes)) as server:
        async with world.client(server.url) as client:
            for number, code in enumerate(codes, 1):
                session = await client.realtime.connect(model=MODEL, reconnect=AGAIN)
                with pytest.raises(RealtimeConnectionClosed) as caught:
                    await session.receive(5)
                assert caught.value.code == code
                assert server.connections == number


@pytest.mark.parametrize("receives", [True, False], ids=["received", "unseen"])
@on_every_flavour
async def test_a_session_that_ended_for_lack_of_money_is_not_connected_again(world, receives):
    script = upgraded(closed_with(1011, error_frame("insufficient_quota")))
    async with connected(world, script, reconnect=AGAIN) as (session, server):
        if receives:
            with pytest.raises(RealtimeError):
                await session.receive(5)
        with pytest.raises(RealtimeConnectionClosed):
            while True:
                await session.send({"type": "x"})
                await world.sleep(0.001)
        assert server.connections == 1


@on_every_flavour
async def test_a_sender_connects_again_when_nobody_receives(world):
    got: list[Any] = []

    def first(peer: RealtimePeer) -> None:
        peer.event("session.created")
        peer.event("one")

    def second(peer: RealtimePeer) -> None:
        peer.event("two")
        while True:
            event = peer.receive_event()
            if event is None:
                return
            got.append(event["type"])

    scripts = [upgraded(first), upgraded(second)]
    async with connected(world, *scripts, reconnect=AGAIN, close_timeout=SHORT) as (
        session,
        server,
    ):
        await session.update({"instructions": "x"})
        while server.connections < 2 or "input" not in got:
            await session.send({"type": "input"})
            await world.sleep(0.001)
        types = [(await session.receive(5)).type for _ in range(4)]
    # Earlier messages are received first, and the configuration was sent first.
    assert types == ["session.created", "one", "meshapi.reconnected", "two"]
    assert got[0] == "session.update"


@on_every_flavour
async def test_a_sender_waits_while_another_connects_again(world):
    slow = Reconnect(attempts=2, retry=RetryPolicy(max_retries=2, initial_delay=0.1))
    scripts = [upgraded(closed_with(1011)), upgraded(echo)]
    async with connected(world, *scripts, reconnect=slow) as (session, server):

        async def receive() -> list[str]:
            return [(await session.receive(5)).type for _ in range(2)]

        async def send() -> None:
            await world.until(lambda: inside(session)._link._turns.taken)
            await session.send({"type": "hello"})

        received, sent = await world.together(receive, send)
        assert received == ["meshapi.reconnected", "hello"]
        assert sent is None
        assert server.connections == 2


@on_every_flavour
async def test_a_limit_holds_while_another_connects_again(world):
    slow = Reconnect(attempts=2, retry=RetryPolicy(max_retries=2, initial_delay=0.2))
    scripts = [upgraded(closed_with(1011)), upgraded(echo)]
    async with connected(world, *scripts, reconnect=slow) as (session, _):

        async def send() -> None:
            while inside(session)._link.current.machine.closed is None:
                await session.send({"type": "hello"})
                await world.sleep(0.001)
            await session.send({"type": "hello"})

        async def receive() -> None:
            await world.until(lambda: inside(session)._link._turns.taken)
            for timeout in (0, 0.001):
                with pytest.raises(APITimeoutError):
                    await session.receive(timeout)

        assert await world.together(send, receive) == [None, None]
        while (await session.receive(5)).type != "hello":
            pass


@pytest.mark.slow
@on_every_flavour
async def test_a_limit_holds_while_the_caller_connects_again(world):
    def busy(peer: Peer) -> None:
        peer.receive()
        peer.send(failed(503, "upstream_error", "Soon.", "Connection: close"))

    policy = RetryPolicy(max_retries=5, initial_delay=2 * SHORT, max_delay=2 * SHORT)
    reconnect = Reconnect(attempts=5, retry=policy)
    scripts = [upgraded(closed_with(1011)), busy, busy, busy, upgraded(echo)]
    async with connected(world, *scripts, reconnect=reconnect) as (session, server):
        given_up = 0
        while True:
            try:
                message = await session.receive(SHORT / 4)
            except APITimeoutError as error:
                assert error.message == f"no message arrived within {SHORT / 4} s"
                assert not session.closed
                assert session.close_code is None
                given_up += 1
            else:
                break
        # Each goes on where the last one stopped; no delay and no attempt is lost.
        assert isinstance(message, Reconnected)
        assert message.attempts == 4
        assert server.connections == 5
        assert given_up >= 4


@on_every_flavour
async def test_giving_up_in_time_does_not_add_attempts(world):
    policy = RetryPolicy(max_retries=3, initial_delay=SHORT, max_delay=SHORT)
    reconnect = Reconnect(attempts=3, retry=policy)
    scripts = [upgraded(closed_with(1011)), refuse]
    async with connected(world, *scripts, reconnect=reconnect) as (session, server):
        with pytest.raises(RealtimeConnectionClosed):
            while True:
                with contextlib.suppress(APITimeoutError):
                    await session.receive(SHORT / 4)
        assert server.connections == 1 + reconnect.attempts
        assert session.closed
        assert session.close_code == 1011


@asynchronous
def test_a_cancelled_receive_does_not_add_attempts_either(world):
    async def scenario(world: World) -> None:
        over = threading.Event()

        async def receive() -> None:
            with pytest.raises(RealtimeConnectionClosed):
                await session.receive()
            over.set()

        def waits_again(seen: int) -> bool:
            waits = inside(session)._exchange.state.name == "CONNECTING"
            return over.is_set() or (waits and server.connections > seen)

        policy = RetryPolicy(max_retries=4, initial_delay=SHORT, max_delay=SHORT)
        reconnect = Reconnect(attempts=4, retry=policy)
        scripts = [upgraded(closed_with(1011)), refuse]
        async with connected(world, *scripts, reconnect=reconnect) as (session, server):
            while not over.is_set():
                async with anyio.create_task_group() as group:
                    group.start_soon(receive)
                    await world.until(partial(waits_again, server.connections))
                    group.cancel_scope.cancel()
            assert server.connections == 1 + reconnect.attempts

    world.run(scenario)


@asynchronous
def test_an_attempt_that_is_cancelled_counts_for_nothing(world):
    reached = threading.Event()

    def silent(peer: Peer) -> None:
        peer.receive()
        reached.set()
        peer.wait_until_left()

    async def scenario(world: World) -> None:
        once = Reconnect(attempts=1, retry=QUICK)
        scripts = [upgraded(closed_with(1011)), silent, upgraded(echo)]
        async with connected(world, *scripts, reconnect=once) as (session, server):
            async with anyio.create_task_group() as group:
                group.start_soon(session.receive)
                await world.until(reached.is_set)
                assert not session.closed
                group.cancel_scope.cancel()
            assert not session.closed
            assert (await session.receive(5)).type == "meshapi.reconnected"
            assert server.connections == 3

    world.run(scenario)


@on_every_flavour
async def test_a_session_is_not_over_while_its_last_attempt_goes_on(world):
    reached, go = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        reached.set()
        go.wait(5)
        upgraded(echo)(peer)

    once = Reconnect(attempts=1, retry=QUICK)
    async with connected(world, upgraded(closed_with(1011)), slow, reconnect=once) as (session, _):

        async def receive() -> list[str]:
            return [(await session.receive(5)).type for _ in range(2)]

        async def send() -> None:
            await world.until(reached.is_set)
            assert (session.closed, session.close_code) == (False, None)
            threading.Timer(SHORT, go.set).start()
            await session.send({"type": "hello"})

        received, sent = await world.together(receive, send)
        assert received == ["meshapi.reconnected", "hello"]
        assert sent is None


@pytest.mark.parametrize("whose", ["session", "client"])
@on_every_flavour
async def test_closing_between_two_attempts_is_no_failure_of_these(world, whose):
    refused = threading.Event()
    reconnect = Reconnect(attempts=3, retry=QUICK)
    patient = failed(503, "upstream_error", "No.", "Retry-After: 20", "Connection: close")

    def later(peer: Peer) -> None:
        peer.receive()
        peer.send(patient)
        refused.set()

    with ScriptedServer(upgraded(closed_with(1011)), later) as server:
        async with world.client(server.url) as client:
            session = await client.realtime.connect(model=MODEL, reconnect=reconnect)

            async def receive() -> str:
                with pytest.raises(RealtimeConnectionClosed) as caught:
                    await session.receive()
                return str(caught.value)

            async def close() -> None:
                await world.until(refused.is_set)
                await world.sleep(SHORT)
                await (session if whose == "session" else client).aclose()

            started = time.monotonic()
            said, closed = await world.together(receive, close)
            assert closed is None
            assert "code 1011: because" in said
            assert "failed" not in said
            assert time.monotonic() - started < 5.0
            assert server.connections == 2


@on_every_flavour
async def test_closing_ends_the_wait_for_a_new_connection(world):
    slow = Reconnect(
        attempts=2, retry=RetryPolicy(max_retries=2, initial_delay=40.0, max_delay=40.0)
    )
    async with connected(world, upgraded(closed_with(1011)), reconnect=slow) as (session, server):

        async def iterate() -> list[Any]:
            return [message async for message in session]

        async def close() -> None:
            await world.until(lambda: inside(session)._link._turns.taken)
            await session.aclose()

        started = time.monotonic()
        assert await world.together(iterate, close) == [[], None]
        assert time.monotonic() - started < 8.0
        assert server.connections == 1


@on_every_flavour
async def test_closing_ends_the_wait_between_attempts_to_connect(world):
    asked = threading.Event()

    def busy(peer: Peer) -> None:
        peer.receive()
        peer.send(failed(503, "upstream_error", "Soon.", "Retry-After: 40", "Connection: close"))
        peer.wait_until_left()
        asked.set()

    scripts = [upgraded(closed_with(1011)), busy]
    async with connected(world, *scripts, reconnect=AGAIN) as (session, server):

        async def iterate() -> list[Any]:
            return [message async for message in session]

        async def close() -> None:
            await world.until(asked.is_set)
            await session.aclose()

        started = time.monotonic()
        assert await world.together(iterate, close) == [[], None]
        assert time.monotonic() - started < 8.0
        assert server.connections == 2


@on_every_flavour
async def test_a_connection_that_is_made_while_another_closes_is_closed_too(world):
    closing = threading.Event()

    def late(peer: Peer) -> None:
        closing.wait(5)
        upgraded(lambda talk: talk.peer.wait_until_left())(peer)

    scripts = [upgraded(closed_with(1011)), late]
    async with connected(world, *scripts, reconnect=AGAIN) as (session, server):

        async def iterate() -> list[Any]:
            return [message async for message in session]

        async def close() -> None:
            await world.until(lambda: server.connections == 2)
            await session.aclose()
            closing.set()

        assert await world.together(iterate, close) == [[], None]
        await world.until(lambda: server.open_now == 0)


@on_every_flavour
async def test_closing_ends_the_wait_for_the_response_to_a_new_upgrade(world):
    def drop(peer: RealtimePeer) -> None:
        peer.close(1012)

    def silent(peer: Peer) -> None:
        peer.receive()
        asked.set()
        peer.wait_for_the_end()

    asked = threading.Event()
    retry = RetryPolicy(initial_delay=0.001)
    async with connected(world, upgraded(drop), silent, reconnect=Reconnect(retry=retry)) as (
        session,
        _,
    ):

        async def receive() -> list[Any]:
            return [message async for message in session]

        async def close() -> None:
            await world.until(asked.is_set)
            await session.aclose()

        started = time.monotonic()
        received, _ = await world.together(receive, close)
        assert received == []
        assert time.monotonic() - started < 8.0


@on_every_flavour
async def test_a_sender_without_a_pause_lets_others_run(world):
    async with connected(world, upgraded(quiet)) as (session, _):
        turns: list[int] = []
        sent: list[int] = []

        async def send() -> None:
            for number in range(640):
                await session.send({"type": "x"})
                sent.append(number)

        async def look() -> None:
            while len(sent) < 640:
                turns.append(len(sent))
                await world.sleep(0)

        await world.together(send, look)
        assert len(sent) == 640
        # Threads get their turns from the interpreter, when it likes.
        assert len(set(turns)) >= 10 or world.name == "sync"
