"""Tool runs against the local gateway: one transcript, on every flavour and over both APIs."""

import functools
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from meshapi import (
    APIConnectionError,
    ContentDelta,
    Deferred,
    FunctionTool,
    InvalidParamsError,
    StreamUsageError,
    ToolCallEnded,
    ToolLoopLimitError,
)
from meshapi.testing import LocalGateway
from support.flavours import TOKEN, World, on_every_flavour

QUESTION = (
    "get_weather in Paris and get_weather in Rome, then get_time in Oslo, then get_weather in Rome"
)
KINDS = {
    "ModelResponded": "responded",
    "ToolCallBegun": "begun",
    "ToolCallEnded": "ended",
    "ToolCallDeferred": "deferred",
}

over_both = pytest.mark.parametrize("api", ["chat", "responses"])


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


def plain_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"sunny in {city}"


async def async_weather(city: str) -> str:
    """Return the weather in a city."""
    return plain_weather(city)


def get_time(city: str) -> Any:
    """Return the time in a city."""
    raise LookupError(f"no clock in {city}")


def tools_of(world: World, *more: Any) -> list[Any]:
    """A function of the flavour's own kind, and plain ones."""
    weather = plain_weather if world.name == "sync" else async_weather
    return [FunctionTool(weather, name="get_weather"), get_time, *more]


def start(client: Any, api: str, tools: "list[Any]", **options: Any) -> Any:
    if api == "chat":
        asked = [{"role": "user", "content": options.pop("question", QUESTION)}]
        return client.chat.completions.run_tools(
            model="openai/gpt-4o-mini", messages=asked, tools=tools, **options
        )
    asked_for = options.pop("question", QUESTION)
    return client.responses.run_tools(
        model="openai/gpt-4o-mini", input=asked_for, tools=tools, **options
    )


def resume(client: Any, api: str, *args: Any, **options: Any) -> Any:
    resource = client.chat.completions if api == "chat" else client.responses
    return resource.resume_tools(*args, **options)


def transcript(steps: "list[Any]") -> list[str]:
    return [
        f"{KINDS[type(step).__name__]} {step.call.name if hasattr(step, 'call') else step.turn}"
        + (f": {step.content}" if isinstance(step, ToolCallEnded) else "")
        for step in steps
    ]


@over_both
@on_every_flavour
async def test_one_transcript(world: World, api: str, gateway: LocalGateway) -> None:
    async with world.client(gateway.url) as client:
        run = start(client, api, tools_of(world))
        assert (run.ended, run.turns, run.pending) == (False, 0, ())
        async with run:
            steps = [step async for step in run]
            result = await run.until_done()
        assert run.ended
        again = await resume(client, api, run.checkpoint(), tools=tools_of(world)).until_done()
    assert transcript(steps) == [
        "responded 1",
        "begun get_weather",
        "begun get_weather",
        "ended get_weather: sunny in Paris",
        "ended get_weather: sunny in Rome",
        "responded 2",
        "begun get_time",
        "ended get_time: Error: LookupError: no clock in Oslo",
        "responded 3",
        "begun get_weather",
        "ended get_weather: sunny in Rome",
        "responded 4",
    ]
    assert result.text.startswith("The tool answered: sunny in")
    assert (result.turns, result.pending, result.messages) == (4, (), run.messages)
    assert result.usage.total_tokens > 0
    assert result.usage.cost_usd is not None
    assert (again.text, again.usage) == (result.text, result.usage)


@over_both
@on_every_flavour
async def test_a_streamed_run_is_the_same_with_its_text_in_pieces(
    world: World, api: str, gateway: LocalGateway
) -> None:
    async with world.client(gateway.url) as client:
        whole = start(client, api, tools_of(world))
        run = start(client, api, tools_of(world), stream=True)
        steps = [step async for step in run]
        pieces = [step.text for step in steps if isinstance(step, ContentDelta)]
        rest = [step for step in steps if not isinstance(step, ContentDelta)]
        assert transcript(rest) == transcript([step async for step in whole])
        expected, result = await whole.until_done(), await run.until_done()
    assert "".join(pieces) == result.text == expected.text
    assert len(pieces) > 1
    assert len(result.messages) == len(expected.messages)
    assert result.usage == expected.usage


@over_both
@on_every_flavour
async def test_a_deferred_call_is_continued_by_another_client(
    world: World, api: str, gateway: LocalGateway
) -> None:
    def approve(city: str) -> Any:
        """Ask a human."""
        raise Deferred

    tools = tools_of(world, approve)
    question = "approve of Paris and get_weather in Paris, then get_weather in Rome"
    async with world.client(gateway.url) as client:
        run = start(client, api, tools, question=question)
        result = await run.until_done()
        stored = json.dumps(run.checkpoint())
    (call,) = result.pending
    assert call.name == "approve"
    assert len(result.messages) == 1
    assert TOKEN not in stored
    async with world.client(gateway.url) as client:
        run = resume(client, api, stored, tools=tools, results={call.id: "approved"})
        done = await run.until_done()
    assert done.turns == 3
    assert done.text == "The tool answered: sunny in Paris; approved; sunny in Rome"


@on_every_flavour
async def test_a_blocking_client_refuses_async_functions_at_once(
    world: World, gateway: LocalGateway
) -> None:
    async def before(call: Any) -> None:
        pass

    async with world.client(gateway.url) as client:
        for tools, hook in (([async_weather], None), ([plain_weather], before)):
            make = functools.partial(start, client, "chat", tools, before_call=hook)
            if world.name == "sync":
                with pytest.raises(InvalidParamsError, match="use AsyncMeshAPI"):
                    make()
            else:
                await make(question="hello").until_done()


@on_every_flavour
async def test_the_raw_client_refuses_a_run(world: World, gateway: LocalGateway) -> None:
    async with world.client(gateway.url) as client:
        with pytest.raises(TypeError):
            await start(client.with_raw_response, "chat", tools_of(world)).until_done()


@on_every_flavour
async def test_what_is_called_is_limited_and_told_in_the_end(
    world: World, gateway: LocalGateway
) -> None:
    async with world.client(gateway.url) as client:
        run = start(client, "chat", tools_of(world), max_turns=2)
        with pytest.raises(ToolLoopLimitError) as raised:
            await run.until_done()
        with pytest.raises(StreamUsageError):
            await run.until_done()
        error = raised.value
        assert error.checkpoint == run.checkpoint()
        assert error.messages == run.messages
        again = resume(client, "chat", error.checkpoint, tools=tools_of(world), max_turns=9)
        assert (await again.until_done()).turns == 4


@on_every_flavour
async def test_an_error_of_a_function_comes_as_it_is(world: World, gateway: LocalGateway) -> None:
    async with world.client(gateway.url) as client:
        run = start(client, "chat", tools_of(world), on_tool_error="raise")
        with pytest.raises(LookupError, match="no clock"):
            await run.until_done()
        # The two calls of weather, and their turn.
        assert len(run.messages) == 4


@on_every_flavour
async def test_what_a_function_raised_is_logged_with_its_place_alone(
    world: World, gateway: LocalGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meshapi")

    def later(city: str) -> None:
        raise Deferred

    async with world.client(gateway.url) as client:
        question = "get_time in Oslo and later in Rome"
        run = start(client, "chat", [*tools_of(world), later], question=question)
        assert (await run.until_done()).pending
    (said,) = [each.getMessage() for each in caplog.records if "raised" in each.getMessage()]
    line = get_time.__code__.co_firstlineno + 2
    assert said == f"tool: get_time raised LookupError ({__file__}, line {line})"


@on_every_flavour
async def test_a_slow_call_is_told_to_the_model(world: World, gateway: LocalGateway) -> None:
    go_on = threading.Event()

    def get_news() -> str:
        go_on.wait(20)
        return ""

    async def get_news_async() -> str:
        await world.sleep(60)
        return ""

    functions = [get_news] if world.name == "sync" else [get_news, get_news_async]
    async with world.client(gateway.url) as client:
        for function in functions:
            tool = FunctionTool(function, name="get_news")
            run = start(client, "chat", [tool], question="get_news", tool_timeout=0.02)
            result = await run.until_done()
            assert "TimeoutError: not done within 0.02 seconds" in result.text
    go_on.set()


@on_every_flavour
async def test_closing_a_run_ends_its_functions(world: World, gateway: LocalGateway) -> None:
    begun, go_on, cancelled = threading.Event(), threading.Event(), []

    def get_news() -> str:
        begun.set()
        go_on.wait(20)
        return "late"

    async def get_news_async() -> str:
        begun.set()
        try:
            await world.sleep(60)
        finally:
            cancelled.append(1)
        return "late"

    function = get_news if world.name == "sync" else get_news_async
    tools = [*tools_of(world), FunctionTool(function, name="get_news")]
    async with world.client(gateway.url) as client:
        run = start(client, "chat", tools, question="get_weather in Rome and get_news")
        seen: list[Any] = []

        async def read() -> None:
            async for step in run:
                seen.append(step)

        async def end() -> None:
            await world.until(begun.is_set)
            await world.sleep(0.02)
            await run.close() if world.name == "sync" else await run.aclose()

        assert await world.together(read, end) == [None, None]
        assert run.ended
        assert cancelled == ([] if world.name == "sync" else [1])
        # What was done is in the checkpoint, and not done again.
        go_on.set()
        calls = run.checkpoint()["state"]["turn"]["calls"]
        assert [call["status"] for call in calls] == ["done", "begun"]
        tool = FunctionTool(lambda: "fresh", name="get_news")
        again = resume(client, "chat", run.checkpoint(), tools=[*tools_of(world), tool])
        kinds = transcript([step async for step in again])
        assert kinds[0] == "begun get_news"
        assert (await again.until_done()).text.endswith("fresh")


@on_every_flavour
async def test_closing_the_client_ends_a_run(world: World, gateway: LocalGateway) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def get_news() -> None:
        begun.set()
        go_on.wait(20)

    client = world.client(gateway.url)
    run = start(client, "chat", [get_news], question="get_news")

    async def read() -> None:
        with pytest.raises(APIConnectionError, match="closed"):
            await run.until_done()

    async def end() -> None:
        await world.until(begun.is_set)
        await client.close()

    assert await world.together(read, end) == [None, None]
    go_on.set()
    assert len(run.messages) == 1


@on_every_flavour
async def test_a_tool_may_run_tools_with_the_same_client(
    world: World, gateway: LocalGateway
) -> None:
    async with world.client(gateway.url) as client:
        inner = {"question": "get_weather in Rome", "max_concurrent_calls": 1}

        def plain() -> Any:
            run = start(
                client._target, "chat", [FunctionTool(plain_weather, name="get_weather")], **inner
            )
            return run.until_done().text

        async def coroutine_function() -> Any:
            run = start(client, "chat", tools_of(world), **inner)
            return (await run.until_done()).text

        function = plain if world.name == "sync" else coroutine_function
        tools = [FunctionTool(function, name="get_news")]
        result = await start(client, "responses", tools, question="get_news").until_done()
    assert result.text == "The tool answered: The tool answered: sunny in Rome"
