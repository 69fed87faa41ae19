"""Functions that a client calls when something happens in its calls."""

import asyncio
import functools
import logging
from typing import Any

import pytest
import trio
from client.test_content_codings import client_over, collected, over_both_transports

from meshapi import (
    AsyncMeshAPI,
    AttemptStarted,
    CallFailed,
    Hooks,
    ItemReceived,
    Limits,
    MeshAPI,
    MeshAPIError,
    ResponseStarted,
    RetryPlanned,
)
from support.flavours import ASK, QUICK, TOKEN, World, on_every_flavour
from support.realtime_server import RealtimePeer, connected, upgraded
from support.scripted_server import Peer, Script, ScriptedServer
from support.wire import failed, good, streamed, texts

NAMES = ("on_request", "on_response", "on_retry", "on_error", "on_event")


def noting(world: World, notes: list[Any], *, is_async: bool = True) -> Hooks:
    """Hooks that note what they are given; async ones where the flavour has them."""

    def note(notice: Any) -> None:
        notes.append(notice)

    async def note_async(notice: Any) -> None:
        await world.sleep(0)
        notes.append(notice)

    hook: Any = note_async if is_async and world.name != "sync" else note
    return Hooks(**dict.fromkeys(NAMES, hook))


def responses(*each: bytes) -> Script:
    def script(peer: Peer) -> None:
        for _, response in zip(peer.requests(), each):
            peer.send(response)

    return script


def kinds(notes: list[Any]) -> list[type]:
    return [type(each) for each in notes]


@pytest.mark.parametrize("is_async", [True, False])
@on_every_flavour
async def test_hooks_are_called_in_the_order_of_what_happens(world: World, is_async: bool) -> None:
    notes: list[Any] = []
    busy, wrong = failed(503, "overloaded"), failed(404, "not_found")
    with ScriptedServer(responses(busy, good(), wrong)) as server:
        hooks = noting(world, notes, is_async=is_async)
        async with world.client(server.url, hooks=hooks) as client:
            await client.chat.completions.create(**ASK)
            assert kinds(notes) == [
                AttemptStarted,
                ResponseStarted,
                RetryPlanned,
                AttemptStarted,
                ResponseStarted,
            ]
            request, response, retry, again, last = notes
            assert (request.method, request.path) == ("POST", "/v1/chat/completions")
            assert [each.attempt for each in notes] == [1, 1, 1, 2, 2]
            assert (response.status, response.request_id) == (503, "req_01TEST")
            assert response.headers["content-type"] == "application/json"
            assert (retry.status, retry.error_code) == (503, "overloaded")
            assert retry.wait > 0
            assert last.status == 200
            assert again.about is request.about
            notes.clear()
            with pytest.raises(MeshAPIError) as caught:
                await client.chat.completions.create(**ASK)
            assert kinds(notes) == [AttemptStarted, ResponseStarted, CallFailed]
            assert notes[-1].error is caught.value
            assert notes[-1].about is not request.about


@over_both_transports
@on_every_flavour
async def test_each_chunk_is_told_before_the_program_gets_it(world: World, over: str) -> None:
    notes: list[Any] = []
    with ScriptedServer(responses(streamed(*texts("a", "b")))) as server:
        async with client_over(world, over, server.url) as plain:
            client = hooked(plain, world, noting(world, notes))
            items: list[Any] = []
            async for chunk in client.chat.completions.stream(**ASK):
                items.append(chunk)
                told = [each.value for each in notes if isinstance(each, ItemReceived)]
                assert told == items
    assert len(items) == 3
    assert [each.index for each in notes if isinstance(each, ItemReceived)] == [0, 1, 2]


def hooked(client: Any, world: World, hooks: Hooks) -> Any:
    """A client like another one, with hooks."""
    from meshapi_backends import AsyncWatch, Watch

    inner = getattr(client, "_target", client)
    inner._watches = [Watch(hooks) if world.name == "sync" else AsyncWatch(hooks)]
    return client.with_options()


@on_every_flavour
async def test_each_message_of_a_session_is_told(world: World) -> None:
    notes: list[Any] = []

    def script(peer: RealtimePeer) -> None:
        peer.event("session.created")
        peer.event("response.done")
        peer.peer.wait_until_left()

    options = {"hooks": noting(world, notes)}
    async with connected(world, upgraded(script), client=options) as (session, _):
        got = [await session.receive(5), await session.receive(5)]
    received = [each for each in notes if isinstance(each, ItemReceived)]
    assert [each.value for each in received] == got
    assert kinds(notes)[:2] == [AttemptStarted, ResponseStarted]
    assert notes[1].status == 101
    assert TOKEN not in "".join(map(repr, notes))


@on_every_flavour
async def test_a_refused_session_calls_on_error(world: World) -> None:
    notes: list[Any] = []
    with ScriptedServer(responses(failed(401, "invalid_api_key", f"bad {TOKEN}"))) as server:
        async with world.client(server.url, hooks=noting(world, notes)) as client:
            with pytest.raises(MeshAPIError):
                await client.realtime.connect(model="m")
    assert kinds(notes) == [AttemptStarted, ResponseStarted, CallFailed]
    assert TOKEN not in f"{notes} {notes[-1].error}"


@on_every_flavour
async def test_options_keep_the_hooks(world: World) -> None:
    notes: list[Any] = []
    with ScriptedServer(responses(good())) as server:
        async with world.client(server.url, hooks=noting(world, notes)) as client:
            await client.with_options(timeout=4.0).chat.completions.create(**ASK)
    assert kinds(notes) == [AttemptStarted, ResponseStarted]


# Hooks that fail


def failing(world: World, is_async: bool) -> Any:
    def fail(notice: Any) -> None:
        raise ValueError(f"s3cret of {TOKEN}\nand more")

    async def fail_async(notice: Any) -> None:
        await world.sleep(0)
        fail(notice)

    return fail_async if is_async and world.name != "sync" else fail


@pytest.mark.parametrize("is_async", [True, False])
@on_every_flavour
async def test_a_hook_that_fails_changes_nothing_and_is_logged(
    world: World, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = Hooks(**dict.fromkeys(NAMES, failing(world, is_async)))
    responds = responses(failed(503, "x"), good(), streamed(*texts("a")), failed(404, "x"))
    with ScriptedServer(responds) as server:
        async with world.client(server.url, hooks=hooks) as client:
            response = await client.chat.completions.create(**ASK)
            assert response.choices[0].message.content == "pong"
            assert len(await collected(client.chat.completions.stream(**ASK))) == 2
            with pytest.raises(MeshAPIError) as caught:
                await client.chat.completions.create(**ASK)
    assert caught.value.error_code == "x"
    records = [record for record in caplog.records if record.name == "meshapi"]
    assert {record.levelno for record in records} == {logging.ERROR}
    said = [record.getMessage() for record in records]
    assert len(said) == 4 + 4 + 1 + 1 + 2
    assert said[0].startswith("hooks: on_request: failing.<locals>.fail")
    assert "raised ValueError: s3cret of ***" in said[0]
    assert all("\n" not in line and TOKEN not in line for line in said)
    assert all(record.exc_info is None for record in records)


class Stop(BaseException):
    """Not an Exception, like KeyboardInterrupt and cancellation."""


@pytest.mark.parametrize("name", ["on_request", "on_response", "on_retry", "on_event"])
@on_every_flavour
async def test_what_is_not_an_exception_passes_and_leaks_nothing(world: World, name: str) -> None:
    def stop(notice: Any) -> None:
        raise Stop

    first = streamed(*texts("a")) if name == "on_event" else failed(503, "overloaded")

    def first_of_all(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(first)

    with ScriptedServer(*[first_of_all] * 2) as server:
        # A connection that leaks would be the only one that there can be.
        limits = Limits(max_connections=1)
        async with world.client(server.url, hooks=Hooks(**{name: stop}), limits=limits) as client:
            for _ in range(2):
                with pytest.raises(Stop):
                    if name == "on_event":
                        await collected(client.chat.completions.stream(**ASK))
                    await client.chat.completions.create(**ASK)


@pytest.mark.parametrize("name", ["on_request", "on_response", "on_retry"])
def test_a_call_that_is_cancelled_in_a_hook_leaks_nothing(name: str):
    options: dict[str, Any] = {"token": TOKEN, "retry": QUICK, "limits": Limits(max_connections=1)}

    async def cancelled(url: str, begun: Any, sleep: Any, cancel: Any) -> None:
        hanging = True

        async def hang(notice: Any) -> None:
            if hanging:
                begun.set()
                await sleep(60)

        async with AsyncMeshAPI(base_url=url, hooks=Hooks(**{name: hang}), **options) as client:
            await cancel(lambda: client.chat.completions.create(**ASK))
            hanging = False
            # On the only connection that there can be.
            await client.chat.completions.create(**ASK)

    async def on_asyncio(url: str) -> None:
        begun = asyncio.Event()

        async def cancel(call: Any) -> None:
            task = asyncio.ensure_future(call())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        await cancelled(url, begun, asyncio.sleep, cancel)

    async def on_trio(url: str) -> None:
        begun = trio.Event()

        async def cancel(call: Any) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call)
                await begun.wait()
                nursery.cancel_scope.cancel()

        await cancelled(url, begun, trio.sleep, cancel)

    for run in (lambda url: asyncio.run(on_asyncio(url)), lambda url: trio.run(on_trio, url)):
        busy = failed(503, "overloaded")
        with ScriptedServer(responses(busy, *[good()] * 2), responses(good())) as server:
            run(server.url)


def test_a_message_whose_hook_is_cancelled_is_received_again():
    async def main(url: str) -> None:
        waiting = [60.0, 0.0]

        async def hang(notice: Any) -> None:
            await asyncio.sleep(waiting.pop(0))

        client = AsyncMeshAPI(base_url=url, token=TOKEN, hooks=Hooks(on_event=hang))
        async with client, client.realtime.connect(model="m") as session:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(session.receive(), 0.2)
            assert (await session.receive(5)).type == "first"
            assert (await session.receive(5)).type == "second"

    def script(peer: RealtimePeer) -> None:
        peer.event("first")
        peer.event("second")
        peer.peer.wait_until_left()

    with ScriptedServer(upgraded(script)) as server:
        asyncio.run(main(server.url))


# Wrong arguments


async def an_async_hook(notice: Any) -> None:
    pass


class AsyncCallable:
    async def __call__(self, notice: Any) -> None:
        pass


@pytest.mark.parametrize(
    "hook",
    [an_async_hook, functools.partial(an_async_hook), AsyncCallable()],
    ids=["function", "partial", "object"],
)
def test_a_blocking_client_refuses_async_hooks(hook: Any):
    with pytest.raises(TypeError, match="hooks: on_retry: expected a function, got an async one"):
        MeshAPI(token=TOKEN, hooks=Hooks(on_retry=hook))


def test_a_function_that_returns_an_awaitable_is_told_of(caplog: pytest.LogCaptureFixture):
    with (
        ScriptedServer(responses(good())) as server,
        MeshAPI(
            base_url=server.url,
            token=TOKEN,
            hooks=Hooks(on_request=lambda notice: an_async_hook(notice)),
        ) as client,
    ):
        client.chat.completions.create(**ASK)
    assert "only AsyncMeshAPI can await" in caplog.text


def test_hooks_are_functions():
    with pytest.raises(TypeError, match="Hooks: on_error: expected a function, got str"):
        Hooks(on_error="print")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="hooks: expected Hooks, got dict"):
        MeshAPI(token=TOKEN, hooks={"on_error": print})  # type: ignore[arg-type]


def test_the_repr_of_hooks_shows_no_arguments():
    hooks = Hooks(on_request=functools.partial(print, TOKEN), on_error=print)
    assert repr(hooks) == "Hooks(on_request=..., on_error=...)"
