"""`token=` as a function: what a program sees of it, on every flavour."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
import trio
import trio.lowlevel
from client.test_content_codings import collected, over_both_transports

from meshapi import (
    APITimeoutError,
    AsyncMeshAPI,
    AttemptStarted,
    AuthenticationError,
    CallFailed,
    Hooks,
    InvalidParamsError,
    MeshAPI,
    MeshAPIConfig,
    RetryPlanned,
    Timeout,
)
from support.flavours import ASK, World, on_every_flavour
from support.realtime_server import RealtimePeer, upgraded
from support.reporters import seen
from support.scripted_server import Peer, ScriptedServer
from support.wire import failed, make_response, serve

URL = "http://127.0.0.1:9"
OLD, NEW = "rsk_test_old_token_1", "rsk_test_new_token_2"


class Tokens:
    """A function that returns one token after the other, and the last one for ever."""

    def __init__(self, *tokens: Any) -> None:
        self.left = [*tokens]
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        token = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(token, BaseException):
            raise token
        return token


class LaterTokens(Tokens):
    """The same, async."""

    async def __call__(self) -> Any:
        await anyio.lowlevel.checkpoint()
        return super().__call__()


def in_trio() -> bool:
    return bool(trio.lowlevel.in_trio_run())


def kinds(world: World) -> list[Any]:
    return [Tokens] if world.name == "sync" else [Tokens, LaterTokens]


@contextlib.asynccontextmanager
async def client_with(world: World, over: str, url: str, **options: Any) -> AsyncIterator[Any]:
    if over == "own":
        async with world.client(url, **options) as client:
            yield client
    elif world.name == "sync":
        with httpx.Client(trust_env=False, verify=False) as http:
            async with world.client(url, httpx_client=http, **options) as client:
                yield client
    else:
        http = httpx.AsyncClient(trust_env=False, verify=False)
        async with http, world.client(url, async_httpx_client=http, **options) as client:
            yield client


def accept_only(token: str) -> Any:
    def script(peer: Peer) -> None:
        for request in peer.requests():
            if request.headers.get("authorization") != f"Bearer {token}":
                peer.send(failed(401, "unauthorized", "no such key"))
            elif b'"stream":true' in request.body:
                serve_one(peer, request)
            else:
                peer.send(make_response(200, b'{"choices":[],"text":"x","data":[]}'))

    return script


def serve_one(peer: Peer, request: Any) -> None:
    event = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'
    peer.send(make_response(200, event + b"data: [DONE]\n\n", kind="text/event-stream"))


@over_both_transports
@on_every_flavour
async def test_it_is_asked_for_each_call_and_again_after_a_401(
    world: World, over: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"RIFF")
    for kind in kinds(world):
        calls: list[Any] = [
            lambda client: client.chat.completions.create(**ASK),
            lambda client: collected(client.chat.completions.stream(**ASK)),
            lambda client: client.audio.transcribe(model="m", file=file),
        ]
        for call in calls:
            tokens = kind(OLD, NEW)
            with ScriptedServer(accept_only(NEW)) as server:
                async with client_with(world, over, server.url, token=tokens) as client:
                    await call(client)
                    assert tokens.calls == 2
                    await call(client.with_options(timeout=3))
                    assert tokens.calls == 3
                first, second, third = server.requests
            assert first.headers["authorization"] == f"Bearer {OLD}"
            assert second.headers["authorization"] == f"Bearer {NEW}"
            assert third.headers["authorization"] == f"Bearer {NEW}"
            assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
            assert first.headers["idempotency-key"] != third.headers["idempotency-key"]
            assert first.body == second.body


@on_every_flavour
async def test_the_same_token_again_ends_the_call(world: World) -> None:
    for kind in kinds(world):
        tokens = kind(OLD)
        with ScriptedServer(accept_only(NEW)) as server:
            async with world.client(server.url, token=tokens) as client:
                with pytest.raises(AuthenticationError) as caught:
                    await client.chat.completions.create(**ASK)
            assert len(server.requests) == 1
        assert tokens.calls == 2
        assert OLD not in seen(caught.value)


@on_every_flavour
async def test_what_it_raises_is_raised_unchanged(world: World) -> None:
    class Locked(Exception):
        pass

    for kind in kinds(world):
        locked = Locked("the vault is locked")
        tokens = kind(locked)
        with ScriptedServer(serve) as server:
            async with world.client(server.url, token=tokens) as client:
                with pytest.raises(Locked) as caught:
                    await client.chat.completions.create(**ASK)
                assert caught.value is locked
                with pytest.raises(Locked):
                    await collected(client.chat.completions.stream(**ASK))
                with pytest.raises(Locked):
                    async with client.chat.completions.stream(**ASK):
                        raise AssertionError
            assert server.requests == []
        assert tokens.calls == 3


@pytest.mark.parametrize("value", [None, 7, "", b"rsk_test_bytes_12", "rsk_test_new line\n"])
@on_every_flavour
async def test_a_value_that_cannot_be_sent_is_refused_and_not_shown(
    world: World, value: Any
) -> None:
    for kind in kinds(world):
        with ScriptedServer(serve) as server:
            async with world.client(server.url, token=kind(value)) as client:
                with pytest.raises(InvalidParamsError) as caught:
                    await client.chat.completions.create(**ASK)
            assert server.requests == []
        assert caught.value.field == "token"
        assert "rsk_test_bytes_12" not in seen(caught.value)
        assert "rsk_test_new line" not in seen(caught.value)


@on_every_flavour
async def test_the_time_for_it_counts_in_the_total(world: World) -> None:
    async def never() -> str:
        await anyio.sleep(60)
        return OLD

    def slow() -> str:
        time.sleep(0.06)
        return OLD

    with ScriptedServer(serve) as server:
        for function in (slow,) if world.name == "sync" else (slow, never):
            options = {"token": function, "timeout": Timeout(total=0.05)}
            async with world.client(server.url, **options) as client:
                with pytest.raises(APITimeoutError) as caught:
                    await client.chat.completions.create(**ASK)
                assert caught.value.phase == "total"
        assert server.requests == []


@on_every_flavour
async def test_a_time_out_of_the_function_is_its_own(world: World) -> None:
    for kind in kinds(world):
        late = TimeoutError("the vault is slow")
        options = {"token": kind(late), "timeout": Timeout(total=20)}
        async with world.client(URL, **options) as client:
            with pytest.raises(TimeoutError) as caught:
                await client.chat.completions.create(**ASK)
        assert caught.value is late


@on_every_flavour
async def test_a_call_can_be_cancelled_while_it_is_asked_for(world: World) -> None:
    if world.name == "sync":
        return
    ended = []

    async def never() -> str:
        try:
            await anyio.sleep(60)
        finally:
            ended.append(True)
        return OLD

    for total in (None, 30):
        async with world.client(URL, token=never, timeout=Timeout(total=total)) as client:
            call = partial(client.chat.completions.create, **ASK)
            if in_trio():
                with trio.move_on_after(0.02) as scope:
                    await call()
                assert scope.cancelled_caught
            else:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(call(), 0.02)
    assert ended == [True, True]


@on_every_flavour
async def test_calls_at_the_same_time_ask_each_for_itself(world: World) -> None:
    tokens = Tokens(NEW)
    with ScriptedServer(*[accept_only(NEW)] * 5) as server:
        async with world.client(server.url, token=tokens) as client:

            async def call() -> None:
                await client.chat.completions.create(**ASK)

            assert await world.together(*[call] * 5) == [None] * 5
    assert tokens.calls == 5


def refuse(peer: Peer) -> None:
    peer.receive()
    peer.send(make_response(401, b'{"error":{"message":"no"}}'))


@pytest.mark.parametrize("auth", ["query", "subprotocol", "header"])
@on_every_flavour
async def test_a_session_asks_before_it_connects(world: World, auth: str) -> None:
    def script(peer: RealtimePeer) -> None:
        peer.close()

    for kind in kinds(world):
        tokens = kind(OLD, NEW)
        with ScriptedServer(refuse, upgraded(script)) as server:
            async with (
                world.client(server.url, token=tokens, max_retries=0) as client,
                client.realtime.connect(model="m", auth=auth) as session,
            ):
                assert [message async for message in session] == []
            first, second = server.requests
        assert OLD.encode() in first.head
        assert NEW.encode() in second.head
        assert OLD.encode() not in second.head
        assert tokens.calls == 2


@on_every_flavour
async def test_a_session_raises_what_the_function_raises(world: World) -> None:
    locked = LookupError("the vault is locked")
    async with world.client(URL, token=Tokens(locked)) as client:
        with pytest.raises(LookupError) as caught:
            await client.realtime.connect(model="m")
        assert caught.value is locked


def test_a_blocking_client_refuses_an_async_function():
    async def ask() -> str:
        return OLD

    for function in (ask, partial(ask), LaterTokens(OLD)):
        with pytest.raises(TypeError, match="token: expected str or a plain function"):
            MeshAPI(base_url=URL, token=function)
        with pytest.raises(TypeError, match="token: expected str or a plain function"):
            MeshAPI.from_config(MeshAPIConfig(base_url=URL, token=function))
        AsyncMeshAPI(base_url=URL, token=function)


def test_a_coroutine_in_a_blocking_client_is_refused_when_it_comes():
    async def ask() -> str:
        return OLD

    with (
        MeshAPI(base_url=URL, token=lambda: ask()) as client,
        pytest.raises(InvalidParamsError, match="an async function needs AsyncMeshAPI"),
    ):
        client.models.list()


def test_the_repr_of_a_client_shows_nothing_of_the_function():
    client = MeshAPI(base_url=URL, token=partial(str, OLD))
    assert OLD not in repr([client, client.config, vars(client)])


@over_both_transports
@on_every_flavour
async def test_a_refused_token_is_an_attempt_that_failed(
    world: World, over: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meshapi")
    notices: list[Any] = []
    hooks = Hooks(**dict.fromkeys(("on_request", "on_retry", "on_error"), notices.append))
    with ScriptedServer(accept_only(NEW)) as server:
        options = {"hooks": hooks, "max_retries": 2}
        async with client_with(
            world, over, server.url, token=Tokens(OLD, NEW), **options
        ) as client:
            response = await client.chat.completions.create(**ASK)
        assert response.meta.attempts == 2
        begun, retry, again = notices
        assert isinstance(retry, RetryPlanned)
        assert (retry.status, retry.wait, retry.new_token) == (401, 0.0, True)
        # It takes none of the call's retries.
        assert (retry.attempt, retry.most_attempts, again.most_attempts) == (1, 4, 4)
        assert (begun.attempt, again.attempt, again.resent) == (1, 2, False)
        first, second = (record.getMessage() for record in caplog.records)
        assert " 401 unauthorized in " in first
        assert first.endswith("; again with another token")
        assert " 200 in " in second
        assert "attempt 2 of 4" in second
        for shown in (first, second, repr(notices), seen(retry.error)):
            assert OLD not in shown
            assert NEW not in shown
        notices.clear()
        async with client_with(world, over, server.url, token=Tokens(OLD), **options) as client:
            with pytest.raises(AuthenticationError):
                await client.chat.completions.create(**ASK)
        # The same token again: there was no further attempt.
        assert [type(each) for each in notices] == [AttemptStarted, CallFailed]


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_a_timer_that_goes_off_early_is_a_time_out_all_the_same(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_late(*_: object) -> None:
        return None

    monkeypatch.setattr("meshapi_backends._tokens.AsyncAsking.token", too_late)

    async def main() -> None:
        options = {"token": lambda: OLD, "timeout": Timeout(total=50)}
        async with AsyncMeshAPI(base_url=URL, **options) as client:
            with pytest.raises(APITimeoutError) as caught:
                await client.models.list()
            assert caught.value.phase == "total"

    run(main) if run is trio.run else run(main())
