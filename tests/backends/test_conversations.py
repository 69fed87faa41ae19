"""Conversations against the local gateway, on every flavour."""

import inspect
import json
import pydoc
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from meshapi import (
    APIStatusError,
    ContentDelta,
    Deferred,
    FunctionTool,
    InvalidParamsError,
    MeshAPI,
    MeshAPIError,
    ModelResponded,
    OutputValidationError,
    RetryPolicy,
    StreamInterruptedError,
    StreamUsageError,
    ToolCallDeferred,
    ToolCallEnded,
    ToolCallsPendingError,
    ToolLoopLimitError,
)
from meshapi.testing import LocalGateway
from support.cancellation import Attack, Blow, EdgeAttack, ScopeAttack
from support.flavours import TOKEN, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import make_response

MODEL = "openai/gpt-4o-mini"
SYSTEM = {"role": "system", "content": "Be brief."}
BEFORE = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
ONCE = RetryPolicy(max_retries=0)


@dataclass
class City:
    name: str
    people: int


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


@pytest.fixture(autouse=True)
def emptied(gateway: LocalGateway) -> None:
    gateway.reset()


def begin(client: Any, **options: Any) -> Any:
    return client.chat.conversation(**{"model": MODEL, **options})


def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"sunny in {city}"


def get_time(city: str) -> Any:
    """Return the time in a city."""
    raise LookupError(f"no clock in {city}")


def approve(city: str) -> Any:
    """Ask a human."""
    raise Deferred


def roles(conversation: Any) -> str:
    """The first letters of the roles in a history."""
    return "".join(message["role"][0] for message in conversation.messages)


def sent(gateway: LocalGateway) -> list[list[str]]:
    """The contents of the messages of each request."""
    asked = [request.json()["messages"] for request in gateway.requests]
    return [[message.get("content") or "" for message in each] for each in asked]


@on_every_flavour
async def test_each_turn_is_sent_with_those_before_it(world: World, gateway: LocalGateway) -> None:
    async with world.client(gateway.url) as client:
        chat = begin(client, system="Be brief.", temperature=0.5)
        first = await chat.send("Hello!")
        second = await chat.send([{"type": "text", "text": "What is 2+2?"}])
        assert (first.text, second.text) == ("Hello! How can I help you today?", "2 + 2 = 4.")
        assert roles(chat) == "suaua"
        stored = json.dumps(chat.messages)
        # It goes on elsewhere.
        other = begin(client, messages=json.loads(stored))
        other.append({"role": "user", "content": "Well."})
        await other.send("Hello!")
    first, second, third = [request.json() for request in gateway.requests]
    assert first["temperature"] == second["temperature"] == 0.5
    assert second["messages"] == json.loads(stored)[:4]
    assert third["messages"][:5] == json.loads(stored)
    assert [message["content"] for message in third["messages"][5:]] == ["Well.", "Hello!"]


@on_every_flavour
async def test_a_turn_comes_piece_by_piece(world: World, gateway: LocalGateway) -> None:
    async with world.client(gateway.url) as client:
        chat = begin(client)
        stream = chat.stream("Hello!")
        assert (stream.text, stream.partial) == ("", None)
        assert gateway.requests == []
        with pytest.raises(StreamUsageError, match="has not ended"):
            stream.response  # noqa: B018
        pieces = []
        async for piece in stream.text_stream:
            pieces.append(piece)
            assert stream.text == "".join(pieces) == stream.partial.text
        assert len(pieces) > 1
        assert all(pieces)
        assert stream.response.text == "".join(pieces)
        assert await stream.get_final_completion() == stream.response
        assert await stream.get_final_text() == stream.response.text
        assert chat.messages[-1]["content"] == stream.response.text
        assert roles(chat) == "ua"
        # The rest of a stream that has been begun, and of one that has not.
        async with chat.stream("What is 2+2?") as stream:
            async for step in stream:
                assert isinstance(step, ContentDelta)
                break
            assert await stream.get_final_text() == "2 + 2 = 4."
        assert await chat.stream("What is 2+2?").get_final_text() == "2 + 2 = 4."
        assert roles(chat) == "uauaua"


@on_every_flavour
async def test_a_turn_calls_tools(world: World, gateway: LocalGateway) -> None:
    question = "get_weather in Oslo and get_time in Oslo"
    async with world.client(gateway.url) as client:
        chat = begin(client, tools=[get_weather, get_time])
        response = await chat.send(question)
        assert "sunny in Oslo" in response.text
        assert "no clock in Oslo" in response.text
        assert roles(chat) == "uatta"
        steps = [step async for step in chat.stream(question)]
        assert roles(chat) == "uattauatta"
        ended = [step.content for step in steps if isinstance(step, ToolCallEnded)]
        assert ended == ["sunny in Oslo", "Error: LookupError: no clock in Oslo"]
        turns = [step.turn for step in steps if isinstance(step, ModelResponded)]
        assert turns == [1, 2]
        assert "".join(s.text for s in steps if isinstance(s, ContentDelta)) == response.text


@pytest.mark.parametrize("stream", [False, True])
@on_every_flavour
async def test_errors_of_tools_and_limits_leave_the_history_alone(
    world: World, stream: bool, gateway: LocalGateway
) -> None:
    async def send(chat: Any, content: str) -> Any:
        return await (chat.stream(content).get_final_completion() if stream else chat.send(content))

    async with world.client(gateway.url) as client:
        tools = [get_weather, get_time]
        chat = begin(client, messages=BEFORE, tools=tools, on_tool_error="raise", max_turns=2)
        for content, error in (
            ("get_time in Oslo", LookupError),
            ("get_weather in Paris, then get_weather in Rome", ToolLoopLimitError),
        ):
            with pytest.raises(error):
                await send(chat, content)
            assert roles(chat) == "ua"
        await send(chat, "get_weather in Rome")
        assert roles(chat) == "uauata"
        assert sent(gateway)[-1][2] == "get_weather in Rome"
        with pytest.raises(StreamUsageError, match="no unfinished turn"):
            await chat.resume()


@on_every_flavour
async def test_values_are_parsed(world: World, gateway: LocalGateway) -> None:
    question = "There are 7 people in Berlin."
    async with world.client(gateway.url) as client:
        chat = begin(client, system="Be brief.")
        response = await chat.parse(question, City)
        assert response.parsed == City("Berlin", 7)
        assert roles(chat) == "sua"
        await chat.send("Hello!")
        assert "response_format" not in gateway.requests[-1].json()

        retried = begin(client, model="mesh/wrong-json-once")
        response = await retried.parse(question, City, validation_retries=1)
        assert isinstance(response.parsed, City)
        assert len(response.rejected) == 1
        assert roles(retried) == "ua"

        failed = begin(client, model="mesh/not-json")
        with pytest.raises(OutputValidationError):
            await failed.parse(question, City, validation_retries=1)
        assert roles(failed) == ""
        count = len(gateway.requests)
        with pytest.raises(InvalidParamsError, match="validation_retries"):
            await failed.parse(question, City, validation_retries=-1)
        with pytest.raises(InvalidParamsError, match="response_format"):
            await failed.parse(question, {"type": "object"})
        assert len(gateway.requests) == count


@on_every_flavour
async def test_a_fork_goes_on_without_the_other(world: World, gateway: LocalGateway) -> None:
    async with world.client(gateway.url) as client:
        chat = begin(client, system="Be brief.")
        await chat.send("Hello!")
        fork = world.dress(chat.fork())
        await fork.send("What is 2+2?")
        assert (roles(chat), roles(fork)) == ("sua", "suaua")
        await chat.send("What is 3+3?")
        assert chat.messages[-1]["content"] == "3 + 3 = 6."
        assert fork.messages[-1]["content"] == "2 + 2 = 4."


@on_every_flavour
async def test_old_turns_are_trimmed(world: World, gateway: LocalGateway) -> None:
    seen: list[Any] = []

    def short(turns: Any) -> Any:
        seen.append([turn[0]["content"] for turn in turns])
        return [turn for turn in turns if turn[0]["content"] != "What is 2+2?"]

    async with world.client(gateway.url) as client:
        chat = begin(client, system="Be brief.", trim=1)
        ruled = begin(client, system="Be brief.", trim=short)
        for content in ("Hello!", "What is 2+2?", "What is 3+3?"):
            for each in (chat, ruled):
                await each.send(content)
                assert each.messages[0] == SYSTEM
        last, ruled_last = sent(gateway)[-2:]
        assert last == ["Be brief.", "What is 2+2?", "2 + 2 = 4.", "What is 3+3?"]
        assert ruled_last == ["Be brief.", "Hello!", ruled_last[2], "What is 3+3?"]
        assert seen == [[], ["Hello!"], ["Hello!", "What is 2+2?"]]
        assert (roles(chat), roles(ruled)) == ("suaua", "suaua")


@pytest.mark.parametrize("stream", [False, True])
@on_every_flavour
async def test_deferred_calls_are_resumed(
    world: World, stream: bool, gateway: LocalGateway
) -> None:
    question = "approve of Paris and get_weather in Paris"
    async with world.client(gateway.url) as client:
        chat = begin(client, tools=[get_weather, approve])
        steps: list[Any] = []
        with pytest.raises(ToolCallsPendingError) as raised:
            if stream:
                async for step in chat.stream(question):
                    steps.append(step)
            else:
                await chat.send(question)
        (call,) = raised.value.pending
        assert [step.call for step in steps if isinstance(step, ToolCallDeferred)] == (
            [call] if stream else []
        )
        assert call.name == "approve"
        assert roles(chat) == ""
        with pytest.raises(InvalidParamsError, match="IDs of pending calls"):
            await chat.resume({"unknown": 1})
        # In another process, the tool run goes on from its checkpoint.
        stored = json.dumps(raised.value.checkpoint)
        run = client.chat.completions.resume_tools(
            stored, tools=[get_weather, approve], results={call.id: "approved"}
        )
        elsewhere = begin(client, messages=(await run.until_done()).messages)
        response = await chat.resume({call.id: "approved"})
        assert "approved" in response.text
        assert chat.messages == elsewhere.messages
        assert roles(chat) == "uatta"
        assert len(gateway.requests) == 3


@on_every_flavour
async def test_failed_calls_are_resumed(world: World, gateway: LocalGateway) -> None:
    async with world.client(gateway.url, retry=ONCE) as client:
        chat = begin(client, model="mesh/flaky", user=f"conversation {world.name}")
        with pytest.raises(APIStatusError):
            await chat.send("Hello!")
        assert chat.messages == []
        with pytest.raises(APIStatusError):
            await chat.resume()
        response = await chat.resume()
        assert roles(chat) == "ua"
        assert chat.messages[0]["content"] == "Hello!"
        assert chat.messages[1]["content"] == response.text


@pytest.mark.parametrize("model", ["mesh/broken-stream", "mesh/error-in-stream"])
@on_every_flavour
async def test_a_stream_that_breaks_off_leaves_the_history_alone(
    world: World, model: str, gateway: LocalGateway
) -> None:
    async with world.client(gateway.url, retry=ONCE) as client:
        chat = begin(client, model=model, messages=BEFORE)
        stream = chat.stream("Count from 1 to 9.")
        pieces = []
        with pytest.raises(MeshAPIError) as raised:
            async for piece in stream.text_stream:
                pieces.append(piece)
        assert isinstance(raised.value, StreamInterruptedError) or model == "mesh/error-in-stream"
        # What had arrived is there.
        assert pieces
        assert stream.partial.text == stream.text == "".join(pieces)
        assert chat.messages == BEFORE
        for read in (stream.get_final_text, stream.get_final_completion):
            with pytest.raises(StreamUsageError):
                await read()
        with pytest.raises(MeshAPIError):
            await chat.resume()
        assert chat.messages == BEFORE
        other = begin(client, messages=chat.messages)
        assert (await other.send("What is 2+2?")).text == "2 + 2 = 4."


@on_every_flavour
async def test_one_turn_at_a_time(world: World, gateway: LocalGateway) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def get_news() -> str:
        begun.set()
        assert go_on.wait(20)
        return "none"

    async with world.client(gateway.url) as client:
        chat = begin(client, tools=[get_news])

        async def first() -> Any:
            return (await chat.send("get_news")).text

        async def second() -> None:
            await world.until(begun.is_set)
            try:
                with pytest.raises(StreamUsageError, match="under way"):
                    await chat.send("Hello!")
                with pytest.raises(StreamUsageError, match="under way"):
                    await chat.resume()
                with pytest.raises(StreamUsageError, match="under way"):
                    await chat.stream("Hello!").get_final_text()
                with pytest.raises(StreamUsageError, match="under way"):
                    chat.append({"role": "user", "content": "Hello!"})
                assert chat.messages == []
                assert chat.fork().messages == []
            finally:
                go_on.set()

        text, error = await world.together(first, second)
        assert error is None
        assert text.endswith("none")
        assert roles(chat) == "uata"
        await chat.send("get_news")
        assert roles(chat) == "uatauata"


@on_every_flavour
async def test_a_stream_that_is_closed_half_way_is_resumed(
    world: World, gateway: LocalGateway
) -> None:
    called: list[str] = []

    def get_news(city: str) -> str:
        called.append(city)
        return f"none from {city}"

    async with world.client(gateway.url) as client:
        chat = begin(client, tools=[get_news])
        async with chat.stream("get_news in Rome, then get_news in Bonn") as stream:
            async for step in stream:
                if isinstance(step, ToolCallEnded):
                    break
            with pytest.raises(StreamUsageError, match="under way"):
                await chat.send("Hello!")
        await stream.aclose()
        assert chat.messages == []
        with pytest.raises(StreamUsageError):
            await stream.get_final_text()
        response = await chat.resume()
        assert response.text.endswith("none from Bonn")
        assert called == ["Rome", "Bonn"]
        assert roles(chat) == "uatata"
        # One that was never read costs nothing, and keeps nobody out.
        plain = begin(client)
        unread = plain.stream("Hello!")
        await plain.send("What is 2+2?")
        assert await unread.get_final_text() == "Hello! How can I help you today?"
        assert roles(plain) == "uaua"
        assert len(gateway.requests) == 5


@on_every_flavour
async def test_a_stream_that_nobody_holds_keeps_nobody_out(
    world: World, gateway: LocalGateway
) -> None:
    async with world.client(gateway.url) as client:
        chat = begin(client)
        async for _ in chat.stream("Hello!").text_stream:
            break
        assert (await chat.send("What is 2+2?")).text == "2 + 2 = 4."
        assert roles(chat) == "ua"


@on_every_flavour
async def test_unknown_fields_go_back_as_they_came(world: World) -> None:
    bodies: list[Any] = []
    message = {"role": "assistant", "content": "Hello.", "x_thought": {"a": [1]}}

    def script(peer: Peer) -> None:
        for _ in range(2):
            received = peer.receive()
            bodies.append(received.json())
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            peer.send(make_response(200, json.dumps({"id": "c", "choices": [choice]}).encode()))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            chat = begin(client)
            await chat.send("Hi")
            again = begin(client, messages=json.loads(json.dumps(chat.messages)))
            await again.send("Hi")
    assert bodies[1]["messages"][1] == message


@on_every_flavour
async def test_a_blocking_client_refuses_async_tools_at_once(
    world: World, gateway: LocalGateway
) -> None:
    async def get_weather(city: str) -> str:
        return f"sunny in {city}"

    async with world.client(gateway.url) as client:
        if world.name == "sync":
            with pytest.raises(InvalidParamsError, match="use AsyncMeshAPI"):
                begin(client, tools=[get_weather])
        else:
            chat = begin(client, tools=[get_weather])
            assert "sunny in Rome" in (await chat.send("get_weather in Rome")).text


@on_every_flavour
async def test_wrong_input_is_refused_before_anything_is_sent(
    world: World, gateway: LocalGateway
) -> None:
    async with world.client(gateway.url) as client:
        for options in ({"trim": 0}, {"system": 1}, {"messages": "Hi"}, {"tools": [1]}, {"n": 2}):
            with pytest.raises(InvalidParamsError, match=f"^{next(iter(options))}"):
                begin(client, **options)
        chat = begin(client, trim=lambda turns: None)
        for content in (None, [], {"role": "user", "content": "Hi"}):
            with pytest.raises(InvalidParamsError, match=r"^content"):
                await chat.send(content)
            with pytest.raises(InvalidParamsError, match=r"^content"):
                chat.stream(content)
        with pytest.raises(InvalidParamsError, match=r"^trim"):
            await chat.send("Hi")
        with pytest.raises(TypeError):
            await begin(client.with_raw_response).send("Hi")
    assert gateway.requests == []


def test_its_signature_and_its_help_name_every_parameter() -> None:
    with MeshAPI(token="rsk_test_conversation") as client:
        method = client.chat.conversation
        names = {"model", "temperature", "system", "messages", "tools", "trim", "max_turns"}
        assert names <= inspect.signature(method).parameters.keys()
        assert "trim: how many earlier turns" in pydoc.render_doc(method)


# --- cancellation -----------------------------------------------------------------------------

WAYS = {"asyncio": ("blocked", "race", "level"), "trio": ("after", "before")}


async def struck(world: World, victim: Any, blow: Blow) -> Attack:
    kind = EdgeAttack if world.name == "asyncio" else ScopeAttack
    attack: Attack = kind(victim, blow)
    await world.together(attack.run)
    return attack


@pytest.mark.slow
@pytest.mark.parametrize("way", ["send", "stream", "parse"])
@on_every_flavour
async def test_a_turn_that_is_cancelled_at_any_place_is_not_there_or_whole(
    world: World, way: str, gateway: LocalGateway
) -> None:
    if world.name == "sync":
        pytest.skip("there is no cancellation")
    question = "get_weather in Rome and get_news in Rome, then get_weather in Bonn"

    async def get_news(city: str) -> str:
        await world.sleep(0.001)
        return f"none from {city}"

    def start(chat: Any) -> Any:
        if way == "parse":
            return chat.parse("There are 7 people in Berlin.", City, validation_retries=1)
        return chat.send(question) if way == "send" else chat.stream(question).get_final_text()

    async with world.client(gateway.url) as client:

        def begun() -> Any:
            tools = [get_weather, FunctionTool(get_news)] if way != "parse" else []
            return begin(client, system="Be brief.", tools=tools)

        calm = begun()
        await start(calm)
        wanted = roles(calm)
        for how in WAYS[world.name]:
            step, done = 0, False
            while not done:
                step += 1
                chat = begun()
                attack = await struck(world, start(chat), Blow(how, (step,)))
                done = not attack.blows
                assert attack.finished or attack.cancelled
                if not attack.finished:
                    # After the last await, the turn may be there; it is never half there.
                    assert roles(chat) in ("s", wanted)
                if roles(chat) == "s":
                    await (start(chat) if chat._dialogue.unfinished is None else chat.resume())
                assert roles(chat) == wanted
            assert step > 1
