"""What a program says that uses an object in a way that it does not have."""

import asyncio
import copy
import inspect
import pickle
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any, cast

import pytest

from meshapi import AsyncMeshAPI, AsyncRealtimeTurns, InvalidParamsError, MeshAPI
from support.flavours import ASK, on_every_flavour
from support.scripted_server import ScriptedServer
from support.wire import serve

SETTINGS: Any = {"base_url": "http://127.0.0.1:9", "token": "rsk_test_misuse"}
COPIES = pytest.mark.parametrize("attempt", [copy.copy, copy.deepcopy, pickle.dumps])
MODEL = "openai/gpt-realtime-mini"


@COPIES
@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
def test_a_client_is_not_copied_but_has_with_options(
    kind: Any, attempt: Callable[[Any], Any]
) -> None:
    with pytest.raises(
        TypeError,
        match=r"^a client cannot be copied .* client.settings\(\).* use with_options\(\)$",
    ):
        attempt(kind(**SETTINGS))


@COPIES
@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
def test_a_run_and_a_conversation_say_what_to_do_instead_of_copying(
    kind: Any, attempt: Callable[[Any], Any]
) -> None:
    chat = kind(**SETTINGS).chat
    with pytest.raises(TypeError, match=r"ToolRun objects cannot be .*: resume_tools\(\)"):
        attempt(chat.completions.run_tools(**ASK, tools=[]))
    with pytest.raises(TypeError, match=r"^a conversation cannot be copied .* fork\(\)"):
        attempt(chat.conversation(model="auto"))


@COPIES
@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
def test_a_stream_is_not_copied(kind: Any, attempt: Callable[[Any], Any]) -> None:
    stream = kind(**SETTINGS).chat.completions.stream(**ASK)
    with pytest.raises(
        TypeError, match=r"^(Async)?ChatCompletionStream objects cannot be copied or pickled: "
    ):
        attempt(stream)


@pytest.mark.parametrize(
    "made",
    [
        lambda client: client,
        lambda client: client.chat.completions.stream(**ASK),
        lambda client: client.realtime.connect(model=MODEL),
        lambda client: client.chat.completions.run_tools(**ASK, tools=[]),
        lambda client: client.chat.conversation(model="m").stream("Hi"),
    ],
    ids=["client", "stream", "session", "tool run", "conversation"],
)
def test_with_instead_of_async_with_is_named(made: Callable[[AsyncMeshAPI], Any]) -> None:
    asynchronous = made(AsyncMeshAPI(**SETTINGS))
    with pytest.raises(TypeError, match=r"^use `async with` instead of `with`: "), asynchronous:
        raise AssertionError("it was entered")


def test_async_with_instead_of_with_names_the_other_client() -> None:
    async def main() -> None:
        blocking: Any = MeshAPI(**SETTINGS)
        async with blocking:
            raise AssertionError("it was entered")

    with pytest.raises(TypeError, match=r"^use AsyncMeshAPI in `async with`: MeshAPI is blocking$"):
        asyncio.run(main())


def test_for_instead_of_async_for_is_named() -> None:
    stream: Any = AsyncMeshAPI(**SETTINGS).chat.completions.stream(**ASK)
    for attempt in (list, next_of, lambda it: it[0]):
        with pytest.raises(TypeError, match=r"^use `async for` instead of `for`: AsyncChat"):
            attempt(stream)
    for part in (stream.text_stream, stream.events()):
        with pytest.raises(TypeError, match=r"^use `async for` instead of `for`: AsyncChat"):
            list(part)
    assert not isinstance(stream, Iterable)
    assert isinstance(stream, AsyncIterable)


@pytest.mark.parametrize(
    "made",
    [
        lambda client: client.chat.completions.run_tools(**ASK, tools=[]),
        lambda client: client.chat.conversation(model="m").stream("Hi"),
        lambda client: client.chat.conversation(model="m").stream("Hi").text_stream,
        lambda client: AsyncRealtimeTurns(*(cast("Any", None),) * 3),
    ],
    ids=["tool run", "conversation", "its text", "turns"],
)
def test_for_over_what_helpers_return_is_named(made: Callable[[AsyncMeshAPI], Any]) -> None:
    asynchronous = made(AsyncMeshAPI(**SETTINGS))
    with pytest.raises(TypeError, match=r"^use `async for` instead of `for`: "):
        list(asynchronous)
    assert not isinstance(asynchronous, Iterable)
    assert isinstance(asynchronous, AsyncIterable)


@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
def test_a_conversation_takes_no_attributes_which_would_change_nothing(kind: Any) -> None:
    chat = kind(**SETTINGS).chat.conversation(model="m")
    with pytest.raises(AttributeError, match="model"):
        chat.model = "other"


@on_every_flavour
async def test_a_tool_run_is_closed_by_the_same_name_as_a_stream(world: Any) -> None:
    client = world.client("http://127.0.0.1:9")
    async with client:
        run = client.chat.completions.run_tools(**ASK, tools=[])
        await run.close()
        assert run.ended


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
def test_a_budget_is_an_option(client_class: Any) -> None:
    with pytest.raises(
        InvalidParamsError,
        match=r"^budget: no such parameter; use client.with_options\(budget=\.\.\.\)$",
    ):
        client_class(**SETTINGS, budget=None)


def next_of(iterable: Any) -> Any:
    for item in iterable:
        return item
    return None


def test_a_session_that_is_not_connected_says_how_it_is() -> None:
    session: Any = AsyncMeshAPI(**SETTINGS).realtime.connect(model=MODEL)
    with pytest.raises(AttributeError, match=r"^receive: the session is not connected yet; use "):
        session.receive()
    assert not hasattr(session, "send")
    assert inspect.isawaitable(session)
    with pytest.raises(AttributeError, match="has no attribute '_link'"):
        _ = session._link


@on_every_flavour
async def test_a_closed_client_says_so(world: Any) -> None:
    with ScriptedServer(serve) as server:
        client = world.client(server.url)
        async with client:
            pass
        with pytest.raises(Exception, match=r"^the client is closed: make a new one \(client_cl"):
            await client.chat.completions.create(**ASK)


def test_a_blocking_client_works_within_an_event_loop() -> None:
    async def main() -> int:
        with (
            ScriptedServer(serve) as server,
            MeshAPI(**{**SETTINGS, "base_url": server.url}) as own,
        ):
            return len(own.chat.completions.create(**ASK).choices)

    assert asyncio.run(main()) == 1
